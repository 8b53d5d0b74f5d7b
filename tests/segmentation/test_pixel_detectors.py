"""Detectors of wrong pixels on generated scenes: better than chance, honest about their number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.pixel_calibration import calibrate_pixels, image_quality
from labelnoise.segmentation.pixel_detectors import detect_confident_learning, image_folds, out_of_fold_probs

TINY = {"network_options": {"width": 6}, "epochs": 12, "folds": 2}


def flipped(n: int = 16, k: int = 11) -> MaskDataset:
    """Stripes of k classes by grey level; one block of each image is labelled with another class."""
    rng = np.random.default_rng(0)
    true, given, images = [], [], []
    for _ in range(n):
        mask = np.repeat(np.repeat(rng.integers(0, k, (4, 4)), 8, axis=0), 8, axis=1).astype(np.int8)
        wrong = mask.copy()
        y, x = rng.integers(0, 4, 2) * 8
        wrong[y : y + 8, x : x + 8] = (mask[y, x] + 1 + rng.integers(0, k - 1)) % k
        true.append(mask)
        given.append(wrong)
        images.append(
            np.stack([np.cos(mask * 0.6), np.sin(mask * 0.6)], -1) + rng.normal(0, 0.02, (32, 32, 2))
        )
    return MaskDataset.from_masks(given, [f"c{i}" for i in range(k)], true=true, images=images)


def test_eleven_classes_are_told_apart() -> None:
    data = flipped()
    found = detect_confident_learning(data, 0, epochs=60, folds=2, network="unet", lr=0.01)
    assert roc_auc_score(data.is_wrong, 1 - found.quality) > 0.85
    flagged = found.flagged
    assert data.is_wrong[flagged].mean() > 3 * data.is_wrong.mean()


def test_an_image_is_judged_by_networks_that_have_not_seen_it() -> None:
    data = scenes(4, 24)
    given = data.given.copy()
    given[data.window(2)] = 3
    one, other = (out_of_fold_probs(d, 0, folds=4, epochs=1) for d in (data, replace(data, given=given)))
    assert (one[data.window(2)] == other[data.window(2)]).all()
    assert (one[data.window(1)] != other[data.window(1)]).any()


def test_folds_hold_every_image_once() -> None:
    parts = image_folds(scenes(7, 24), 3, 0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(7))
    assert [len(p) for p in parts] == [3, 2, 2]
    with pytest.raises(InputError, match="folds"):
        image_folds(scenes(2, 24), 3, 0)


@pytest.mark.parametrize("method", ["confident-learning", "network", "signed-distance"])
def test_detectors_by_name(method: str) -> None:
    data = scenes(8, 32)
    data = replace(data, given=np.where(np.arange(data.n_units) % 50, data.given, -1))
    found = SegmentationDomain().detect(data, method=method, seed=0, **TINY)
    again = SegmentationDomain().detect(data, method=method, seed=0, **TINY)
    none = data.given < 0
    assert (found.quality == again.quality).all()
    assert not found.flagged[none].any()
    assert (found.quality[none] == 1).all()
    assert found.suggested.dtype == np.int8
    assert len(found.info["worst_images"]) == 8
    if found.count is not None:
        assert found.count.low <= found.count.expected <= found.count.high
        assert found.p_wrong is not None
        assert (found.p_wrong[none] == 0).all()


@pytest.mark.parametrize("method", ["plain", "adele", "signed-distance"])
def test_trainers_by_name(method: str) -> None:
    found = SegmentationDomain().train(scenes(4, 24), method=method, seed=0, epochs=2)
    assert found.method in (method, "plain")
    assert np.isfinite(found.probs).all()


def test_calibration_keeps_the_order_and_counts_about_right() -> None:
    data = scenes(20)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.5, (data.n_units, 5))
    logits = 3 * np.eye(5)[data.true] + noise
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    quality = probs[np.arange(data.n_units), data.given]
    found = calibrate_pixels(data, probs, quality, 0)
    at = np.linspace(0, 1, 50)
    assert (np.diff(found(at)) <= 0).all()
    assert found.count.low <= data.is_wrong.sum() <= found.count.high
    pooled = image_quality(data, quality)
    assert pooled.shape == (20,)
    assert ((pooled >= 0) & (pooled <= 1)).all()
