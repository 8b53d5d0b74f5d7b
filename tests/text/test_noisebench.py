"""Tests of NoiseBench: its published noise levels, and the join to the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import entity_noise
from labelnoise.text.noisebench import MASK, NOISE_SETS, read_noisebench


def write_small(folder: Path) -> Path:
    """Two articles; the label files hold them in another order than the words."""
    labels = "[TOK]\tO\n\n[TOK]\tB-PER\n[TOK]\tI-PER\n\n[TOK]\tO\n\n[TOK]\tO\n\n[TOK]\tB-LOC\n\n[TOK]\tO\n\n"
    (folder / "clean.traindev").write_text(labels)
    (folder / "noise_llm.traindev").write_text(labels.replace("B-LOC", "B-ORG"))
    (folder / "index.txt").write_text("docstart\n4\n5\ndocstart\n1\n2\n\n")
    text = folder / "cleanconll.train"
    text.write_text(
        "-DOCSTART- O\n\nRome O\n\n1996-08-24 O\n\n-DOCSTART- O\n\nAda O\nByron O\n\n1996-08-22 O\n"
    )
    return text


def test_words_are_joined_by_index_and_articles_split_by_their_date(tmp_path: Path) -> None:
    data = read_noisebench(tmp_path, "llm", text=write_small(tmp_path))
    assert list(data.tokens) == ["Ada", "Byron", "1996-08-22", "Rome", "1996-08-24"]
    assert data.documents.tolist() == [0, 0, 1, 1]
    assert data.masks["val"].tolist() == [False, False, False, True, True]
    assert data.is_wrong.tolist() == [False, False, False, True, False]
    assert set(read_noisebench(tmp_path, "llm").tokens) == {MASK}


def test_words_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    text = write_small(tmp_path)
    text.write_text(text.read_text().replace("Ada O\n", ""))
    with pytest.raises(InputError, match=r"Line 2 of index\.txt: sentence 4 .* has 1 words for 2"):
        read_noisebench(tmp_path, "llm", text=text)
    text.write_text("-DOCSTART- O\n\nRome O\n")
    with pytest.raises(InputError, match="names sentence 4"):
        read_noisebench(tmp_path, "llm", text=text)
    index = (tmp_path / "index.txt").read_text()
    for entry in ("9" * 5000, "\u00b2", "-1"):
        (tmp_path / "index.txt").write_text(index.replace("4", entry, 1), encoding="utf-8")
        with pytest.raises(InputError, match="names sentence") as caught:
            read_noisebench(tmp_path, "llm", text=text)
        assert len(str(caught.value)) < 500
    (tmp_path / "index.txt").write_text("docstart\n")
    with pytest.raises(InputError, match="1 lines for 6 sentences"):
        read_noisebench(tmp_path, "llm")


@pytest.mark.real_data
@pytest.mark.parametrize("noise", NOISE_SETS)
def test_published_noise_levels(real_data: Path, noise: str) -> None:
    data = read_noisebench(real_data / "text" / "noisebench_masked" / "annotations", noise)
    assert round(entity_noise(data), 3) == NOISE_SETS[noise]
    assert (data.n_sentences, data.n_units, len(data.spans("true"))) == (5885, 79720, 9685)
    assert len(set(data.documents)) == 400
