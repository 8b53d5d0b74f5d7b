"""Corrupted text keeps its true tags beside it, so that what is found can be scored."""

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError
from labelnoise.text.cli import main
from labelnoise.text.dataset import from_sentences
from labelnoise.text.files import read_text
from labelnoise.text.kept_truth import truth_path, with_kept_truth


@pytest.mark.parametrize("name", ["noisy.conll", "noisy.jsonl", "noisy.parquet"])
def test_corrupt_detect_evaluate(name: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["corrupt", "news", "--kind", "missing", "--rate", "0.2", "--out", name]) == 0
    kept = get_domain("text").load(name)
    assert kept.true is not None
    assert 500 < kept.is_wrong.sum() < 1500
    assert main(["detect", name, "--method", "confident-learning", "--out", "issues.parquet"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "issues.parquet"]) == 0
    assert "Precision" in capsys.readouterr().out


def test_true_tags_of_other_words_are_refused_and_types_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "mine.conll"
    path.write_text("Rome B-LOC\nby O\nAda O\n")
    truth_path(path).write_text("Rome B-LOC\nby O\nAda B-PER\n")
    data = with_kept_truth(read_text(path), path)
    assert data.is_wrong.tolist() == [False, False, True]
    assert data.class_names[data.true[2]] == "B-PER"
    assert data.given.tolist() == read_text(path).given.tolist()
    truth_path(path).write_text("Rome B-LOC\nby O\nBob B-PER\n")
    with pytest.raises(InputError, match="other words"):
        with_kept_truth(read_text(path), path)


def test_kept_tags_are_no_split_and_data_that_were_not_corrupted_have_none(tmp_path: Path) -> None:
    data = from_sentences([["Rome", "."]], [["B-LOC", "O"]], name="d")
    written = get_domain("text").save(data, tmp_path / "train.conll")
    assert [file.name for file in written] == ["train.conll"]
    truth_path(tmp_path / "train.conll").write_text("Rome B-LOC\n. O\n")
    assert np.array_equal(read_text(tmp_path).masks["train"], [True, True])


def test_the_input_is_never_written_over(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    get_domain("text").save(get_domain("text").load("news"), tmp_path / "noisy.true.conll")
    before = Path("noisy.true.conll").read_bytes()
    assert (
        main(["corrupt", "noisy.true.conll", "--kind", "missing", "--rate", "0.2", "--out", "noisy.conll"])
        == 2
    )
    assert "choose another --out" in capsys.readouterr().err
    assert Path("noisy.true.conll").read_bytes() == before
    assert not Path("noisy.conll").exists()
