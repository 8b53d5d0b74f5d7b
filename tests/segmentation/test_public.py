"""Public data sets by name, and the layouts of those that are not at hand, made small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.annotators import read_annotators
from labelnoise.segmentation.cityscapes import CLASSES, read_cityscapes, train_ids
from labelnoise.segmentation.data import DATASETS, load_masks
from labelnoise.segmentation.dsb2018 import read_dsb2018
from labelnoise.segmentation.images import write_png
from labelnoise.segmentation.segthor import read_segthor
from labelnoise.segmentation.voc import read_voc


def put(path: Path, array: object, dtype: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(np.array(array, dtype=dtype), path)


@pytest.mark.parametrize("name", [name for name, info in DATASETS.items() if not info.embedded])
def test_a_missing_data_set_says_where_it_belongs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="get it from"):
        load_masks(name.upper(), root=tmp_path)


@pytest.mark.parametrize(("name", "images", "objects"), [("coco-mini", 80, 739), ("nuts", 18, 165)])
def test_real_ones_by_name(name: str, images: int, objects: int, real_data: Path) -> None:
    data = load_masks(name, root=real_data / "segmentation")
    assert data.n_images == images
    assert data.objects is not None
    assert sum(map(len, data.objects)) == objects
    assert data.meta["licence"]


def test_real_nuclei(real_data: Path) -> None:
    data = read_dsb2018(real_data / "segmentation" / "dsb2018_fixes")
    assert data.n_images == 664
    assert len(data.meta["removed"]) == 6
    assert data.objects is not None
    assert data.true_objects is not None
    changed = sum(len(a) != len(b) for a, b in zip(data.objects, data.true_objects))
    assert changed > 30
    assert data.is_wrong is not None
    assert data.is_wrong.any()
    assert {name: int(mask.sum()) for name, mask in data.splits.items()} == {"train": 498, "test": 166}
    assert data.splits["test"][[3, 7]].all()


def voc(base: Path) -> Path:
    for stem in ("a", "b"):
        put(base / "JPEGImages" / f"{stem}.png", np.zeros((2, 3, 3)))
        put(base / "SegmentationClass" / f"{stem}.png", [[0, 15, 255], [0, 15, 7]])
        put(base / "SegmentationObject" / f"{stem}.png", [[0, 1, 255], [0, 1, 2]])
    (base / "ImageSets" / "Segmentation").mkdir(parents=True)
    (base / "ImageSets" / "Segmentation" / "train.txt").write_text("b\na\n")
    return base


def test_voc(tmp_path: Path) -> None:
    data = read_voc(voc(tmp_path))
    assert data.image_ids == ("b", "a")
    assert data.mask(0).tolist() == [[0, 15, -1], [0, 15, 7]]
    assert data.objects is not None
    assert [(item.label, item.area) for item in data.objects[0]] == [(15, 2), (7, 1)]
    with pytest.raises(InputError, match="no list"):
        read_voc(tmp_path, split="val")


def test_voc_pseudo_labels_are_given_and_masks_true(tmp_path: Path) -> None:
    voc(tmp_path)
    for stem in ("a", "b"):
        put(tmp_path / "cam" / f"{stem}.png", [[0, 0, 15], [0, 15, 15]])
    (tmp_path / "SegmentationClass" / "a.png").unlink()
    data = read_voc(tmp_path, pseudo=tmp_path / "cam")
    assert data.mask(0).tolist() == [[0, 0, 15], [0, 15, 15]]
    assert data.true_mask(0).tolist() == [[0, 15, -1], [0, 15, 7]]  # type: ignore[union-attr]
    assert (data.true_mask(1) == -1).all()


def test_cityscapes(tmp_path: Path) -> None:
    base = tmp_path / "gtFine" / "train" / "ulm"
    put(base / "ulm_0_gtFine_labelIds.png", [[7, 26, 26], [0, 24, 24]])
    put(base / "ulm_0_gtFine_instanceIds.png", [[7, 26000, 26001], [0, 24, 24]], np.uint16)
    put(tmp_path / "leftImg8bit" / "train" / "ulm" / "ulm_0_leftImg8bit.png", np.zeros((2, 3, 3)))
    data = read_cityscapes(tmp_path)
    car, person = CLASSES.index("car"), CLASSES.index("person")
    assert data.mask(0).tolist() == [[0, car, car], [-1, person, person]]
    assert data.objects is not None
    assert [(o.label, o.area, o.crowd) for o in data.objects[0]] == [
        (person, 2, True),
        (car, 1, False),
        (car, 1, False),
    ]
    assert data.images is not None
    assert data.images[0].shape == (2, 3, 3)
    assert len(CLASSES) == 19
    with pytest.raises(InputError, match="hold 77"):
        train_ids([77])
    with pytest.raises(InputError, match="holds no"):
        read_cityscapes(tmp_path, split="val")


def test_segthor_slices_with_an_organ(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scan = rng.integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 2, 2] = 4
    (tmp_path / "Patient_01").mkdir()
    np.save(tmp_path / "Patient_01" / "Patient_01.npy", scan)
    np.savez(tmp_path / "Patient_01" / "GT.npz", labels)
    data = read_segthor(tmp_path)
    assert data.image_ids == ("Patient_01_001",)
    assert data.images is not None
    assert (data.images[0] == scan[1]).all()
    assert (data.mask(0) == labels[1]).all()
    assert read_segthor(tmp_path, only_labelled=False).n_images == 3
    np.savez(tmp_path / "Patient_01" / "GT.npz", labels + 9)
    with pytest.raises(InputError, match="no volume of labels"):
        read_segthor(tmp_path)


def test_annotators_who_missed_an_image(tmp_path: Path) -> None:
    put(tmp_path / "ann" / "x.png", [[0, 1, 255]])
    put(tmp_path / "bob" / "x.png", [[1, 1, 1]])
    put(tmp_path / "bob" / "y.png", [[0]])
    found = read_annotators(tmp_path, ("no", "yes"))
    assert found.votes.tolist() == [[0, 1], [1, 1], [-1, 1], [-1, 0]]
    assert found.annotators == ("ann", "bob")
    assert found.disputed.tolist() == [True, False, False, False]
    put(tmp_path / "ann" / "y.png", [[0, 0]])
    with pytest.raises(InputError, match="one size"):
        read_annotators(tmp_path, ("no", "yes"))
    with pytest.raises(InputError, match="no folder of masks"):
        read_annotators(tmp_path / "ann", ("no", "yes"))
