"""Tests of sets by name, of files by path, of the domain and its command."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.cli import main
from labelnoise.text.data import DATASETS, is_here, load_text
from labelnoise.text.dataset import entity_noise
from labelnoise.text.domain import TextDomain
from labelnoise.text.files import read_text, write_text


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "sentences", "types"),
    [("wikiann-de", 9000, 3), ("wnut17", 5690, 6), ("uner-ewt", 4078, 3), ("noisebench-crowd", 5885, 4)],
)
def test_public_sets(real_data: Path, name: str, sentences: int, types: int) -> None:
    data = load_text(name, root=real_data / "text")
    assert (data.n_sentences, len(data.types)) == (sentences, types)
    assert data.meta["licence"] == DATASETS[name].licence


@pytest.mark.real_data
@pytest.mark.parametrize(("number", "level"), [(1, 0.717), (4, 0.590), (7, 0.461)])
def test_noisyner_has_its_published_noise(real_data: Path, number: int, level: float) -> None:
    data = load_text(f"noisyner-{number}", root=real_data / "text")
    assert round(entity_noise(data), 3) == level


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"conll03-en is not downloaded .* put eng\.train"):
        load_text("conll03-en")
    with pytest.raises(InputError, match="folder 'gone' does not exist"):
        load_text("wnut17", root=Path("gone"))
    with pytest.raises(InputError, match="There is no file"):
        load_text(str(tmp_path / "my.conll"))


def test_own_files_folders_and_formats(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("a B-X\n")
    (tmp_path / "test.conll").write_text("b O\n")
    data = TextDomain().load(str(tmp_path))
    assert list(data.masks) == ["train", "test"]
    assert [path.name for path in write_text(data, tmp_path / "out")] == ["train.conll", "test.conll"]
    (tmp_path / "train.txt").write_text("a B-X\n")
    with pytest.raises(InputError, match="for one split"):
        read_text(tmp_path)
    with pytest.raises(InputError, match=r"ends in \.pkl"):
        read_text(tmp_path / "x.pkl")


def test_the_domain_describes_and_refuses_rows_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    domain = TextDomain()
    data = domain.load("news-de")
    facts = domain.describe(data)
    assert (facts["documents"], facts["tags_that_break_bio"]) == (240, 0)
    with pytest.raises(InputError, match="numbered 0 to"):
        domain.unit_context(data, [data.n_units])
    assert main(["--help"]) == 0
    assert "labelnoise-text" in capsys.readouterr().out


@pytest.mark.real_data
def test_noisyner_has_its_clean_splits_as_truth_alone(real_data: Path, tmp_path: Path) -> None:
    data = load_text("noisyner-2", root=real_data / "text")
    assert list(data.masks) == ["train", "val", "test"]
    assert data.true is not None
    for split in ("val", "test"):
        assert not data.labelled[data.masks[split]].any()
        assert (data.true[data.masks[split]] >= 0).all()
    written = write_text(data, tmp_path / "copy")
    assert [path.name for path in written] == ["train.conll", "val.conll", "test.conll"]
    assert written[2].read_bytes() == (real_data / "text/noisyner/estner_clean.test").read_bytes()
    assert read_text(tmp_path / "copy").n_units == data.n_units


def test_a_set_is_here_only_with_its_words(tmp_path: Path) -> None:
    folder = tmp_path / "noisebench_masked" / "annotations"
    folder.mkdir(parents=True)
    assert not is_here("noisebench-llm", tmp_path)
    labels = "[TOK]\tO\n\n[TOK]\tB-PER\n\n"
    (folder / "clean.traindev").write_text(labels)
    (folder / "noise_llm.traindev").write_text(labels)
    (folder / "index.txt").write_text("docstart\n1\n\n")
    assert not is_here("noisebench-llm", tmp_path)
    (folder / "cleanconll.train").write_text("-DOCSTART- O\n\nAda O\n")
    assert is_here("noisebench-llm", tmp_path)
    assert not is_here("noisebench-crowd", tmp_path)
