"""Folders of masks: what is written comes back, and originals stay."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation import files
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.files import read_masks, write_masks
from labelnoise.segmentation.images import write_png
from labelnoise.segmentation.objects import objects_from_ids


def made(k: int = 3) -> MaskDataset:
    rng = np.random.default_rng(0)
    shapes = [(4, 5), (6, 3)]
    ids = [rng.integers(0, 4, shape) for shape in shapes]
    return MaskDataset.from_masks(
        [rng.integers(-1, k, shape) for shape in shapes],
        [f"c{i}" for i in range(k)],
        name="made",
        true=[rng.integers(0, k, shape) for shape in shapes],
        images=[rng.integers(0, 255, (*shapes[0], 3)).astype(np.uint8), rng.random(shapes[1])],
        image_ids=("z", "a"),
        objects=[objects_from_ids(item, 1) for item in ids],
        splits={"val": np.array([False, True])},
        meta={"corruption": {"kind": "x"}},
    )


@pytest.mark.parametrize("k", [3, 300])
def test_all_of_it_comes_back(tmp_path: Path, k: int) -> None:
    data = made(k)
    assert write_masks(data, tmp_path / "out") == [tmp_path / "out"]
    back = read_masks(tmp_path / "out")
    assert back.content_hash() == data.content_hash()
    assert back.image_ids == ("z", "a")
    assert (back.true == data.true).all()
    assert back.splits["val"].tolist() == [False, True]
    assert back.meta == data.meta
    assert back.class_names == data.class_names
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_originals_are_never_overwritten(tmp_path: Path) -> None:
    write_masks(made(), tmp_path / "out")
    data = read_masks(tmp_path / "out")
    for target in (tmp_path / "out", tmp_path / "link"):
        if target.name == "link":
            os.symlink(tmp_path / "out", target)
        with pytest.raises(InputError, match="never overwritten"):
            write_masks(replace(data, source=""), target)
    # What was written here before and is nobody's source may be replaced.
    write_masks(replace(made(), name="second"), tmp_path / "out")
    assert read_masks(tmp_path / "out").name == "second"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="other files"):
        write_masks(made(), tmp_path / "own")


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_masks(made(), tmp_path / "out")
    before = read_masks(tmp_path / "out").content_hash()

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files, "_write_objects", fails)
    with pytest.raises(OSError, match="disk full"):
        write_masks(replace(made(), name="other"), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert read_masks(tmp_path / "out").content_hash() == before


def folder_of(tmp_path: Path, mask: np.ndarray, **texts: str) -> Path:
    (tmp_path / "masks").mkdir()
    write_png(mask.astype(np.uint8), tmp_path / "masks" / "a.png")
    for name, text in texts.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    return tmp_path


def test_classes_without_names_and_a_list_of_names(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, np.array([[0, 2, 255]]))
    assert read_masks(folder).class_names == ("0", "1", "2")
    (folder / "classes.json").write_text('["x", "y", "z"]')
    assert read_masks(folder).class_names == ("x", "y", "z")
    assert read_masks(folder, class_names=["p", "q", "r"]).given.tolist() == [0, 2, -1]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"classes_txt": "one\n"}, "a.png holds 2; class ids are 0 to 0"),
        ({"classes_json": "{"}, "cannot be read"),
        ({"classes_json": "{}"}, "no list of texts"),
    ],
)
def test_refusals(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_masks(folder_of(tmp_path, np.array([[0, 2]]), **texts))


def test_ids_of_objects_are_no_classes_without_names(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "masks" / "a.npy", np.array([[0, 1 << 40]]))
    with pytest.raises(InputError, match=r"holds the class 1099511627776 .*classes\.txt"):
        read_masks(tmp_path)


def test_images_must_pair_with_masks(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, np.array([[0, 1]]))
    (folder / "images").mkdir()
    with pytest.raises(InputError, match="no file for 'a'"):
        read_masks(folder)
    (folder / "masks" / "a.tif").write_bytes(b"")
    with pytest.raises(InputError, match="keep one"):
        read_masks(folder)
    with pytest.raises(InputError, match="holds no mask"):
        read_masks(folder / "images")
    with pytest.raises(InputError, match="no folder"):
        read_masks(folder / "nothing")
