"""Tests of files with one token per line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.conll import read_conll, write_conll
from labelnoise.text.dataset import from_sentences

CONLL03 = """-DOCSTART- -X- O O\r
\r
EU NNP I-NP I-ORG\r
rejects VBZ I-VP O\r
# SYM O O\r
\r
\r
-DOCSTART- -X- O O\r
\r
Peter NNP I-NP I-PER\r
Paul  NNP B-NP B-PER\r
"""
CONLLU = "# newdoc id = a\n# text = the X\n1\tthe\tO\t-\tann\n2-3\tXs\t_\t-\t-\n2\t#X\tB-LOC\t-\tO\n\n1\tY\tI-LOC\t-\t-\n"


def test_four_columns_old_scheme_documents_and_a_number_sign_as_a_token(tmp_path: Path) -> None:
    path = tmp_path / "eng.train"
    path.write_bytes(CONLL03.encode())
    data = read_conll(path)
    assert list(data.tokens) == ["EU", "rejects", "#", "Peter", "Paul"]
    assert data.given.tolist() == [1, 0, 0, 3, 3]
    assert data.documents.tolist() == [0, 1]
    assert data.meta["scheme"] == "IOB1"
    write_conll(data, tmp_path / "same")
    assert (tmp_path / "same").read_bytes() == path.read_bytes()


def test_a_copy_differs_in_changed_tags_alone(tmp_path: Path) -> None:
    path = tmp_path / "eng.train"
    path.write_bytes(CONLL03.encode())
    data = read_conll(path)
    write_conll(data.with_labels(np.array([1, 2, 0, 0, 3])), tmp_path / "copy")
    changed = [
        (a, b) for a, b in zip(CONLL03.splitlines(), (tmp_path / "copy").read_text().splitlines()) if a != b
    ]
    assert changed == [
        ("rejects VBZ I-VP O", "rejects VBZ I-VP I-ORG"),
        ("Peter NNP I-NP I-PER", "Peter NNP I-NP O"),
        ("Paul  NNP B-NP B-PER", "Paul  NNP B-NP I-PER"),
    ]


def test_counted_tokens_comments_and_further_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.iob2"
    path.write_text(CONLLU)
    data = read_conll(path)
    assert list(data.tokens) == ["the", "#X", "Y"]
    assert data.given.tolist() == [0, 1, 2]  # the stray I-LOC is kept
    write_conll(data.with_labels(np.array([0, -1, 2])), path)
    assert path.read_text() == CONLLU.replace("B-LOC", "_")
    assert read_conll(path).given[1] == -1


def test_several_splits_go_back_to_their_own_files(tmp_path: Path) -> None:
    for name, text in (("train", "a B-X\nb O\n"), ("dev", "c I-Y\n\nd B-X\n")):
        (tmp_path / name).write_text(text)
    data = read_conll({"train": tmp_path / "train", "val": tmp_path / "dev"})
    assert data.masks["val"].tolist() == [False, False, True, True]
    written = write_conll(data.with_labels(np.array([1, 0, 0, 1])), tmp_path / "out")
    assert [item.read_text() for item in written] == ["a B-X\nb O\n", "c O\n\nd B-X\n"]


def test_a_data_set_from_nowhere_is_written_with_tabs_and_documents(tmp_path: Path) -> None:
    data = from_sentences([["a"], ["b"]], [["B-X"], ["O"]], name="d", documents=np.array([0, 1]))
    path = tmp_path / "new.conll"
    write_conll(data, path)
    again = read_conll(path)
    assert again.given.tolist() == data.given.tolist()
    assert again.documents.tolist() == [0, 1]
    blank = from_sentences([["a b"]], [["O"]], name="d")
    with pytest.raises(InputError, match=r"save as \.jsonl"):
        write_conll(blank, tmp_path / "no.conll")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a O\nb\nc O\n", "Line 2 of .* has 1 column"),
        ("a O\n" * 30 + "b PER\n", "Line 31 of .* has 'PER' where a tag"),
        ("a x\nb y\n", "No column of"),
        ("\n\n", "holds no tokens"),
    ],
)
def test_broken_files_are_refused_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.conll"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_conll(path)


def test_other_encodings_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "latin"
    path.write_bytes("a O\nM\xfcller B-PER\n".encode("latin1"))
    with pytest.raises(InputError, match="Line 2 of .* not UTF-8"):
        read_conll(path)
    with pytest.raises(InputError, match="There is no file"):
        read_conll(tmp_path / "gone")
    path.write_text("a O\n")
    with pytest.raises(InputError, match="tag column 5"):
        read_conll(path, tag_column=5)


@pytest.mark.real_data
def test_real_files_are_read_and_written_byte_for_byte(real_data: Path, tmp_path: Path) -> None:
    files = [
        "wnut17/emerging.dev.conll",
        "wnut17/emerging.test.annotated",
        "uner_ewt/en_ewt-ud-dev.iob2",
        "wikiann/de/val.conllu",
        "noisyner/estner_clean.test",
    ]
    for file in files:
        path = real_data / "text" / file
        data = read_conll(path)
        write_conll(data, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()
        # One tag changed: one line differs.
        row = int(np.flatnonzero(data.given == 0)[0])
        given = data.given.copy()
        given[row] = 1
        write_conll(data.with_labels(given), tmp_path / "copy")
        pairs = zip(path.read_bytes().split(b"\n"), (tmp_path / "copy").read_bytes().split(b"\n"))
        assert sum(a != b for a, b in pairs) == 1


def test_a_first_column_of_endless_digits_is_read_as_text(tmp_path: Path) -> None:
    digits = "9" * 5000
    (tmp_path / "a.conll").write_text(f"{digits} Ada B-PER\n{digits} left O\n")
    assert len(read_conll(tmp_path / "a.conll").tokens) == 2
