"""Signed distances with offsets per image: the parts, and that they undo what was done to outlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.distance_methods import detect_signed_distance, train_signed_distance
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.factorised import (
    DistanceConfig,
    centres,
    fit_distance,
    image_offsets,
    signed_distance,
)
from labelnoise.segmentation.mask_task import Pictures

TINY = {"network_options": {"width": 4}, "epochs": 2, "warmup": 1, "every": 1}


def grown_or_shrunk(mask: NDArray[np.int8], pixels: int) -> NDArray[np.int8]:
    front = mask > 0
    moved = signed_distance(front, 50.0) + pixels > 0
    nearest = ndimage.distance_transform_edt(~front, return_distances=False, return_indices=True)
    return np.where(moved, mask[tuple(nearest)], 0).astype(np.int8)


def discs(n: int = 16, pixels: int = 4) -> MaskDataset:
    """Bright discs whose masks are alternately too wide and too narrow."""
    y, x = np.mgrid[:48, :48]
    rng = np.random.default_rng(0)
    true, given, images = [], [], []
    for i in range(n):
        centre, radius = rng.uniform(18, 30, 2), rng.uniform(9, 13)
        mask = (((y - centre[0]) ** 2 + (x - centre[1]) ** 2) < radius**2).astype(np.int8)
        true.append(mask)
        given.append(grown_or_shrunk(mask, pixels if i % 2 else -pixels))
        images.append((mask + rng.normal(0, 0.3, mask.shape)).astype(np.float32))
    return MaskDataset.from_masks(given, ("background", "disc"), true=true, images=images)


def test_distances_are_those_by_hand() -> None:
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    found = signed_distance(mask, 10.0)
    assert found[2, 2] == 0.5
    assert found[2, 3] == -0.5
    assert found[2, 4] == -1.5
    assert found[3, 3] == pytest.approx(0.5 - np.sqrt(2))
    assert (signed_distance(~np.zeros((2, 2), bool), 3.0) == 3).all()
    assert (signed_distance(np.zeros((2, 2), bool), 3.0) == -3).all()


def test_offsets_of_an_image_are_what_was_added() -> None:
    y, x = np.mgrid[:128, :128]
    f = 30 - np.hypot(y - 64, x - 64)
    region = (x > 64).astype(int)
    given = f + np.where(region == 1, 3.0, -2.0)
    known = np.ones_like(region, dtype=bool)
    assert image_offsets(given, f, region, known, 3, 1.0)[:2].tolist() == pytest.approx([-2.0, 3.0])
    assert np.isnan(image_offsets(given, f, region, known, 3, 1.0)[2])
    assert np.isnan(image_offsets(given, f, region, ~known, 1, 1.0)[0])


def test_the_midpoint_needs_two_groups() -> None:
    one = np.random.default_rng(0).normal(2, 1, (40, 1))
    assert centres(one, np.ones(40), "midpoint") == pytest.approx(centres(one, np.ones(40)))
    assert centres(np.full((3, 1), np.nan), np.ones(3)).tolist() == [0.0]


def test_outlines_too_wide_and_too_narrow_are_put_right() -> None:
    data = discs()
    options = {"network_options": {"width": 6}, "epochs": 40, "warmup": 15, "longest": 48}
    trained = train_signed_distance(data, 0, **options)
    wrong_labels = float((data.given != data.true).mean())
    wrong = float((trained.predicted != data.true).mean())
    assert wrong < 0.45 * wrong_labels
    assert trained.info["offset_spread"]["disc"] > 2


def test_the_offsets_have_the_sign_of_the_displacement() -> None:
    data = discs()
    config = DistanceConfig(network_options={"width": 6}, epochs=30, warmup=15)
    model = fit_distance(data, Pictures(data), np.arange(16), 0, background=0, config=config)
    values = np.array([model.offsets[i][0] for i in range(16)])
    assert (np.sign(values) == np.where(np.arange(16) % 2, 1, -1)).mean() > 0.9


def test_the_same_seed_gives_the_same_result() -> None:
    data = scenes(4, 32)
    one, two = (train_signed_distance(data, 3, **TINY) for _ in range(2))
    assert (one.probs == two.probs).all()
    assert (one.probs != train_signed_distance(data, 4, **TINY).probs).any()


def test_sizes_may_differ_and_pixels_may_have_no_label() -> None:
    rng = np.random.default_rng(0)
    sizes = [(20, 30), (40, 16), (33, 33)]
    masks = [rng.integers(-1, 3, size) for size in sizes]
    data = MaskDataset.from_masks(masks, ("background", "b", "c"), images=[rng.normal(size=s) for s in sizes])
    for longest in (None, 24):
        trained = train_signed_distance(data, 0, longest=longest, **TINY)
        assert np.isfinite(trained.probs).all()
        assert np.allclose(trained.probs.sum(axis=1), 1, atol=1e-5)
    found = detect_signed_distance(data, 0, folds=3, **TINY)
    assert (found.quality[data.given < 0] == 1).all()
    assert not found.flagged[data.given < 0].any()


def test_without_a_background_training_is_plain_and_says_so() -> None:
    data = replace(scenes(4, 32), class_names=("sky", "disc", "square", "triangle", "cross"))
    trained = train_signed_distance(data, 0, **TINY)
    assert any("background" in sentence for sentence in trained.warnings)
    with pytest.raises(InputError, match="background"):
        detect_signed_distance(data, 0, **TINY)
    assert train_signed_distance(data, 0, background=0, **TINY).warnings == ()


def test_what_is_refused() -> None:
    data = scenes(2, 24)
    for wrong in ({"epochs": 0}, {"centre": "median"}, {"depth": 3}, {"background": 7}, {"ema": 1.0}):
        with pytest.raises(InputError):
            train_signed_distance(data, 0, **wrong)
    with pytest.raises(InputError, match="own"):
        detect_signed_distance(data, 0, own=1.0)
    empty = MaskDataset.from_masks([np.zeros((24, 24), int)] * 2, data.class_names, images=list(data.images))
    with pytest.raises(InputError, match="foreground"):
        train_signed_distance(empty, 0, epochs=1)
