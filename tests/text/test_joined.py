"""A folder with a file for each split, in formats that are read file by file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import from_sentences
from labelnoise.text.files import read_text, write_text

TRAIN = from_sentences([["Ada", "left"], ["Bob"]], [["B-PER", "O"], ["B-PER"]], name="t")
DEV = from_sentences([["Rome", "fell"]], [["B-LOC", "O"]], name="d")


@pytest.mark.parametrize("ending", [".spacy", ".jsonl", ".json"])
def test_splits_are_joined_and_written_apart(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_text(TRAIN, folder / f"train{ending}")
    write_text(DEV, folder / f"dev{ending}")
    data = read_text(folder)
    assert data.types == ("LOC", "PER")
    assert data.given.tolist() == [3, 0, 3, 1, 0]
    assert {split: np.flatnonzero(mask).tolist() for split, mask in data.masks.items()} == {
        "train": [0, 1, 2],
        "val": [3, 4],
    }
    labels = data.given.copy()
    labels[3] = 3
    write_text(data.with_labels(labels), tmp_path / "out")
    assert read_text(tmp_path / "out").spans()["type"].tolist() == [0, 0, 0]
    same = [
        (folder / f).read_bytes() == (tmp_path / "out" / f).read_bytes()
        for f in (f"train{ending}", f"dev{ending}")
    ]
    assert same == [True, False]
    if ending == ".spacy":
        assert data.documents is not None
        assert data.documents.tolist() == [0, 1, 2]


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    write_text(TRAIN, tmp_path / "train.jsonl")
    write_text(DEV, tmp_path / "dev.conll")
    with pytest.raises(InputError, match=r"different formats \(train.jsonl, dev.conll\)"):
        read_text(tmp_path)
    (tmp_path / "dev.conll").unlink()
    data = read_text(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file and 1 files"):
        write_text(data, tmp_path / "file")
