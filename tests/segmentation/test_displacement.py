"""Smoothly displaced outlines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from labelnoise.segmentation.displacement import band_distance, displace_boundaries, smooth_field

LABELS = np.zeros((96, 120), dtype=np.int8)
LABELS[20:70, 20:90] = 1
LABELS[30:50, 40:60] = 2
LABELS[60:80, 10:30] = -1


@pytest.mark.parametrize("reach", [3, 9, 15, 20])
def test_distance_is_exact_within_reach(reach: int) -> None:
    mask = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal((70, 80)), 4) > 0
    exact = np.where(
        mask, ndimage.distance_transform_edt(mask) - 0.5, 0.5 - ndimage.distance_transform_edt(~mask)
    )
    found = band_distance(mask, reach)
    near = np.abs(exact) <= reach - 0.5
    assert np.allclose(found[near], exact[near], atol=1e-5)
    assert np.abs(found[~near]).min(initial=reach) >= reach - 0.5


def test_bias_moves_outlines_and_no_bias_does_not() -> None:
    square = np.pad(np.ones((40, 40), dtype=np.int8), 30)
    sizes = [
        np.mean(
            [(displace_boundaries(square, 2, seed=s, image_id="a", bias=bias) == 1).sum() for s in range(30)]
        )
        for bias in (-1, 0, 1)
    ]
    assert sizes[0] < 1400
    assert abs(sizes[1] - 1600) < 60
    assert sizes[2] > 1800


def test_no_gap_opens_between_classes_that_touch() -> None:
    labels = np.ones((80, 80), dtype=np.int8)
    labels[:, 40:] = 2
    assert (displace_boundaries(labels, 3, seed=0, image_id="a") > 0).all()


def test_pixels_without_label_stay_and_zero_is_identity() -> None:
    made = displace_boundaries(LABELS, 4, seed=0, image_id="a")
    assert ((made == -1) == (LABELS == -1)).all()
    assert set(np.unique(made)) <= {-1, 0, 1, 2}
    assert (displace_boundaries(LABELS, 0, seed=0, image_id="a") == LABELS).all()


def test_field_has_unit_variance() -> None:
    whole = (slice(0, 400), slice(0, 400))
    assert abs(smooth_field((400, 400), 8, np.random.default_rng(0), whole).std() - 1) < 0.1


def test_displacement_is_as_large_as_asked() -> None:
    half = np.zeros((60, 400), dtype=np.int8)
    half[30:] = 1
    moves = np.concatenate(
        [(displace_boundaries(half, 3.0, seed=s, image_id="a") == 0).sum(axis=0) - 30 for s in range(12)]
    )
    assert abs(moves.mean()) < 0.6
    assert abs(moves.std() - 3.0) < 0.5


def test_grown_pixels_take_the_nearest_class() -> None:
    labels = np.zeros((40, 60), dtype=np.int8)
    labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
    made = displace_boundaries(labels, 0.5, seed=0, image_id="a", bias=6.0)
    assert (made[13:27, 8:10] == 1).all()
    assert (made[13:27, 50:52] == 2).all()
    assert (made != 0).sum() > (labels != 0).sum() + 300
