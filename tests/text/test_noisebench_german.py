"""German NoiseBench on made-up files of the published layout: the join, the split, the test part, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.cli import main
from labelnoise.text.data import DATASETS, load_text
from labelnoise.text.dataset import entity_noise
from labelnoise.text.noisebench import MASK
from labelnoise.text.noisebench_german import GERMAN_SETS, german_text, label_files, read_german_noisebench
from labelnoise.text.published import noise_level

DOCUMENTS = 12
#: int(.83 * 12) = 9: the ninth document and those after it.
DEV = 4


def write_small(root: Path, encoding: str = "latin-1") -> Path:
    """Twelve documents of two sentences each: lemma and tag as published, and the words of the shared task beside."""
    folder = root / "noisebench_masked" / "annotations_german"
    folder.mkdir(parents=True)
    (root / "conll03-de").mkdir()
    clean, words = [], []
    for number in range(DOCUMENTS):
        clean += ["<unknown>\tO", "", "<word>\tB-PER", "über\tI-PER", "gehen\tO", "", "<unknown>\tO", ""]
        words += ["-DOCSTART- -X- -X- -X- O", ""]
        words += [f"Jörg{number} <unknown> NE I-NC I-PER", "Müller <unknown> NE I-NC I-PER"]
        words += ["ging gehen VVFIN I-VC O", "", "Größe <unknown> NN I-NC O", ""]
    text = "\n".join(clean) + "\n"
    files = {
        folder / "clean.deu": text,
        folder / "noise_expert.deu": text.replace("B-PER", "B-LOC", 3).replace("I-PER", "I-LOC", 3),
        folder / "noise_llm.deu": text.replace("I-PER", "B-PER"),
        root / "conll03-de" / "deu.train": "\n".join(words),
        root
        / "conll03-de"
        / "deu.testb": "-DOCSTART- -X- -X- -X- O\n\nin in APPR I-PC O\nKöln Köln NE I-NC I-LOC\n"
        "Bonn Bonn NE I-NC B-LOC\n\n-DOCSTART- -X- -X- -X- O\n\nja ja ITJ O O\n",
    }
    for path, content in files.items():
        path.write_bytes(content.encode(encoding))
    return folder


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_words_are_joined_in_order_and_the_last_documents_are_the_development_part(
    tmp_path: Path, encoding: str
) -> None:
    write_small(tmp_path, encoding)
    data = load_text("noisebench-de-expert", root=tmp_path)
    assert list(data.tokens[:5]) == ["Jörg0", "Müller", "ging", "Größe", "Jörg1"]
    assert data.documents is not None
    assert len(set(data.documents)) == DOCUMENTS + 2
    assert {name: int(mask.sum()) for name, mask in data.masks.items()} == {
        "train": 4 * (DOCUMENTS - DEV),
        "val": 4 * DEV,
        "test": 4,
    }
    assert data.is_wrong is not None
    assert data.is_wrong.nonzero()[0].tolist() == [0, 1, 4, 5, 8, 9]
    assert round(entity_noise(data), 3) == round(3 / DOCUMENTS, 3)
    test = data.masks["test"]
    assert not data.labelled[test].any()
    assert [data.class_names[tag] for tag in data.true[test]] == ["O", "B-LOC", "B-LOC", "O"]


def test_without_the_words_the_labels_alone_are_read(tmp_path: Path) -> None:
    folder = write_small(tmp_path)
    data = read_german_noisebench(folder, "llm")
    assert set(data.tokens) == {MASK}
    assert (data.masks, data.documents) == ({}, None)
    assert data.n_sentences == 3 * DOCUMENTS
    assert entity_noise(data) == 1.0
    assert entity_noise(read_german_noisebench(folder, "clean")) == 0.0


def test_a_file_of_indices_is_followed(tmp_path: Path) -> None:
    folder = write_small(tmp_path)
    text = tmp_path / "conll03-de" / "deu.train"
    order = [*range(3, 3 * DOCUMENTS), 0, 1, 2]
    lines = ["docstart" if at % 3 == 0 else str(at) for at in order]
    (folder / "index.txt").write_text("\n".join(lines) + "\n\n")
    data = read_german_noisebench(folder, "clean", text=text)
    assert [data.tokens[0], data.tokens[-4]] == ["Jörg1", "Jörg0"]
    (folder / "index.txt").write_text("\n".join([*lines[:-1], "99"]))
    with pytest.raises(InputError, match=r"Line 36 of .*index\.txt names sentence 99; .* has 36"):
        read_german_noisebench(folder, "clean", text=text)
    (folder / "index.txt").write_text("\n".join(lines[1:]))
    with pytest.raises(InputError, match="35 lines for 36 sentences"):
        read_german_noisebench(folder, "clean", text=text)


def test_words_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = write_small(tmp_path)
    text = tmp_path / "conll03-de" / "deu.train"
    whole = text.read_bytes()
    text.write_bytes(whole.replace(b"ging gehen VVFIN I-VC O\n", b"", 1))
    with pytest.raises(InputError, match=r"Sentence 2 of the labels has 3 and that of .*deu\.train 2 words"):
        read_german_noisebench(folder, "llm", text=text)
    text.write_bytes(b"\n".join(line for line in whole.split(b"\n") if b"DOCSTART" not in line))
    with pytest.raises(InputError, match=r"has 24 sentences and the labels 36; .* -DOCSTART- lines"):
        read_german_noisebench(folder, "llm", text=text)
    (tmp_path / "four").write_bytes(b"in APPR I-PC O\n")
    text.write_bytes(whole)
    with pytest.raises(InputError, match="fewer than 5 columns"):
        read_german_noisebench(folder, "llm", text=text, test=tmp_path / "four")
    (folder / "noise_llm.deu").write_bytes(b"<word>\n")
    with pytest.raises(InputError, match="without a label"):
        read_german_noisebench(folder, "llm")


def test_other_names_of_the_files_are_known_and_what_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_small(tmp_path)
    (folder / "clean.deu").rename(folder / "clean.traindev")
    (folder / "noise_llm.deu").rename(folder / "noise_llm_german.traindev")
    (tmp_path / "conll03-de").rename(folder / "conll_german")
    assert german_text(folder) == (
        folder / "conll_german" / "deu.train",
        folder / "conll_german" / "deu.testb",
    )
    assert load_text("noisebench-de-llm", root=tmp_path).masks["val"].sum() == 4 * DEV
    (folder / "noise_llm_german.traindev").unlink()
    with pytest.raises(InputError, match=", ".join(label_files("llm"))):
        read_german_noisebench(folder, "llm")
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"put clean\.deu or clean\.traindev .* or llm\.deu into noisebench"):
        load_text("noisebench-de-llm", root=tmp_path)


def test_the_published_level_is_of_the_training_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small(tmp_path / "text")
    monkeypatch.setenv("LABELNOISE_DATA", str(tmp_path))
    setting = {"dataset": "noisebench-de-expert", "split": "train"}
    assert noise_level(setting, {}, 0)["noise"] == pytest.approx(100 * 3 / (DOCUMENTS - DEV))
    (tmp_path / "text" / "conll03-de" / "deu.train").unlink()
    with pytest.raises(InputError, match="has no split 'train'"):
        noise_level(setting, {}, 0)


def test_the_sets_are_listed_with_their_levels(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(GERMAN_SETS) == {"clean", "expert", "llm"}
    assert "16.4%" in DATASETS["noisebench-de-expert"].summary
    assert "54.7%" in DATASETS["noisebench-de-llm"].summary
    assert main(["detect", "--help"]) == 0
    assert "noisebench-de-llm" in capsys.readouterr().out
