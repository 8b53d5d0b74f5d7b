"""Pixels as units: narrow labels, names and images of pixels, and what a hash sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.truth import realised_transition
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset, flatten_masks, label_dtype
from labelnoise.segmentation.images import LazyImages
from labelnoise.segmentation.objects import objects_from_ids

RNG = np.random.default_rng(0)
SHAPES = [(3, 4), (5, 2), (1, 7)]


def made(k: int = 3, **fields: object) -> MaskDataset:
    rng = np.random.default_rng(1)
    masks = [rng.integers(0, k, shape) for shape in SHAPES]
    return MaskDataset.from_masks(masks, [f"c{i}" for i in range(k)], **fields)


def test_one_byte_per_pixel_and_views() -> None:
    data = made()
    assert data.given.dtype == np.int8
    assert data.n_units == 12 + 10 + 7
    assert np.shares_memory(data.mask(1), data.given)
    joined = np.concatenate([data.mask(i).ravel() for i in range(3)])
    assert (joined == data.given).all()
    # A wide array, as a noise kind may return it, is narrowed again.
    noisy = data.with_labels(data.given.astype(np.int64), true=data.given)
    assert noisy.given.dtype == noisy.true.dtype == np.int8
    assert noisy.content_hash() == data.content_hash()


@pytest.mark.parametrize(("k", "dtype"), [(2, np.int8), (127, np.int8), (128, np.int16), (40000, np.int32)])
def test_label_dtype_holds_every_class(k: int, dtype: type) -> None:
    assert label_dtype(k) == dtype
    flat, _ = flatten_masks([np.array([[k - 1, -1]])], k)
    assert flat.tolist() == [k - 1, -1]


def test_position_and_ids_against_a_walk() -> None:
    data = made(image_ids=("a", "b", "c"))
    walk = [(i, y, x) for i, (h, w) in enumerate(SHAPES) for y in range(h) for x in range(w)]
    assert list(zip(*(part.tolist() for part in data.position(np.arange(data.n_units))))) == walk
    names = [f"{'abc'[i]}:{y}:{x}" for i, y, x in walk]
    assert np.asarray(data.ids).tolist() == names
    assert len(data.ids) == len(names)
    assert data.ids[5] == names[5]
    assert data.ids[-1] == names[-1]
    assert data.ids[2:4].tolist() == names[2:4]
    assert data.ids[data.given == 1].tolist() == [names[i] for i in np.flatnonzero(data.given == 1)]
    assert data.image_groups().tolist() == [i for i, _, _ in walk]
    with pytest.raises(IndexError):
        data.ids[len(names)]


def test_fold_keeps_further_axes() -> None:
    data = made()
    probs = RNG.random((data.n_units, 3))
    assert data.fold(probs, 1).shape == (5, 2, 3)
    assert (data.fold(probs, 1)[4, 1] == probs[12 + 9]).all()
    with pytest.raises(InputError, match="one per pixel"):
        data.fold(probs[:-1], 0)


def test_take_images_in_any_order() -> None:
    data = made(
        true=[np.zeros(shape, int) for shape in SHAPES], splits={"train": np.array([True, False, True])}
    )
    part = data.take([2, 0])
    assert (part.mask(0) == data.mask(2)).all()
    assert (part.mask(1) == data.mask(0)).all()
    assert part.true is not None
    assert part.image_ids == ("2", "0")
    assert part.splits["train"].tolist() == [True, True]
    assert (data.take(np.array([False, True, False])).given == data.given[12:22]).all()


def test_hash_sees_images_objects_and_sizes_but_not_the_truth() -> None:
    images = [RNG.integers(0, 255, shape).astype(np.uint8) for shape in SHAPES]
    objects = [objects_from_ids(RNG.integers(0, 3, shape), 1) for shape in SHAPES]
    data = made(images=images, objects=objects)
    same = replace(data, true=data.given)
    assert same.content_hash() == data.content_hash()
    lazy = replace(data, images=LazyImages(range(3), read=lambda i: images[i]))
    assert lazy.content_hash() == data.content_hash()
    changed = [images[0], images[1], images[2].copy()]
    changed[2][0, 0] ^= 1
    hashes = {
        data.content_hash(),
        replace(data, images=changed).content_hash(),
        replace(data, objects=[*objects[:2], objects[2][1:]]).content_hash(),
    }
    assert len(hashes | {made().content_hash()}) == 4


def test_narrow_labels_do_not_overflow_in_the_core() -> None:
    given = np.array([99, 3], dtype=np.int8)
    transition = realised_transition(given, given, 100)
    assert transition[99, 99] == 1.0


@pytest.mark.parametrize(
    ("masks", "fields", "said"),
    [
        ([[[0, 3]]], {}, "holds 3 at row 0, column 1"),
        ([[[0.5]]], {}, "class ids are needed"),
        ([[0, 1]], {}, "class ids are needed"),
        ([], {}, "no mask"),
        ([[[0]]], {"ignore": 1}, "choose a number outside"),
        ([[[0]]], {"images": []}, "images has 0 entries for 1 images"),
        ([[[0]], [[1]]], {"image_ids": ("a", "a")}, "same name"),
        ([[[0]]], {"true": [[[0, 1]]]}, "differ in number or size"),
        ([[[0]]], {"splits": {"train": np.ones(2, bool)}}, "'train' has 2 entries"),
        ([[[0]]], {"objects": [objects_from_ids([[0, 1]])]}, "reaches beyond"),
        ([[[0]]], {"objects": [objects_from_ids([[1]], 9)]}, "has class 9"),
    ],
)
def test_refusals(masks: list, fields: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        MaskDataset.from_masks(masks, ("a", "b"), **fields)


def test_labels_and_sizes_must_agree() -> None:
    with pytest.raises(InputError, match="one label per pixel"):
        MaskDataset(name="d", given=np.zeros(5, int), class_names=("a",), sizes=np.array([[2, 2]]))
