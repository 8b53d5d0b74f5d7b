"""Affinity between images."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.validation import InputError
from labelnoise.segmentation.affinity import affinities, confidence_of, detect_affinity
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.detectors import DETECTORS

TINY = {"network_options": {"width": 4}, "batch_size": 4, "lr": 0.01}


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    made = rng.normal(size=shape)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))


def test_means_of_all_pairs_without_the_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = unit(rng, 20, 5), unit(rng, 30, 5)
    labels, given = rng.integers(-1, 3, 30), rng.integers(-1, 3, 20)
    pairs = a @ b.T
    table = affinities(a, b, labels, 4)
    assert np.isnan(table[:, 3]).all()
    counts = np.bincount(labels[labels >= 0], minlength=4)
    found = confidence_of(table, counts, given)
    for i in range(20):
        same, other = labels == given[i], (labels != given[i]) & (labels >= 0)
        expected = pairs[i, same].mean() + 1 - pairs[i, other].mean() if given[i] >= 0 else 1.0
        assert found[i] == pytest.approx(expected)


def test_a_class_that_no_neighbour_has_says_nothing() -> None:
    table = affinities(np.eye(2), np.eye(2), np.array([0, 0]), 2)
    assert confidence_of(table, np.array([2, 0]), np.array([1, 0])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("neighbours", ["nearest", "order"])
def test_objects_in_a_wrong_class_stand_out(neighbours: str) -> None:
    rng = np.random.default_rng(1)
    true = np.zeros((12, 24, 24), dtype=np.int8)
    for i in range(12):
        true[i, 3:10, 3:20], true[i, 13:21, 3:20] = 1, 2
    images = [(t + rng.normal(0, 0.2, t.shape)).astype(np.float32) for t in true]
    given = true.copy()
    given[5, 3:10] = np.where(true[5, 3:10] == 1, 2, 0)
    data = MaskDataset.from_masks(given, ("ground", "a", "b"), true=true, images=images)
    found = DETECTORS["affinity"].load()(data, 0, neighbours=neighbours, folds=2, epochs=12, **TINY)
    assert data.is_wrong is not None
    assert detection_metrics(data.is_wrong, 1 - found.quality, flagged=found.flagged)["auroc"] > 0.9
    assert (found.suggested[data.is_wrong] == 1).mean() > 0.8


def test_what_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(0)
    data = MaskDataset.from_masks(
        rng.integers(0, 2, (3, 16, 16)), ("a", "b"), images=list(rng.normal(size=(3, 16, 16)))
    )
    for wrong in ({"neighbours": "far"}, {"network": "smp:Unet:resnet18"}, {"n_neighbours": 0}):
        with pytest.raises(InputError):
            detect_affinity(data, 0, **wrong)  # type: ignore[arg-type]
