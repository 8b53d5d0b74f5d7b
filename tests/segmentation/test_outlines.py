"""Outlines traced, simplified and filled."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from labelnoise.segmentation.outlines import fill_outlines, simplify_ring, trace_outlines


@pytest.mark.parametrize("seed", range(12))
def test_filling_the_outlines_gives_the_mask_without_holes(seed: int) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((40, 50)), 2)
    mask = noise > 0.05
    filled = fill_outlines(trace_outlines(mask), mask.shape)
    solid = ndimage.binary_fill_holes(mask)
    # Outlines that touch themselves may fill a pixel of a bay; never a whole region.
    assert not (solid & ~filled).any()
    assert (filled & ~solid).mean() < 0.01


def test_parts_that_touch_at_a_corner_are_one() -> None:
    assert len(trace_outlines(np.eye(4, dtype=bool))) == 1
    assert len(trace_outlines([[1, 0, 1]])) == 2
    assert trace_outlines(np.zeros((3, 3))) == []


def test_simplification_leaves_a_triangle_at_least() -> None:
    ring = trace_outlines(np.hypot(*(np.indices((31, 31)) - 15)) <= 14)[0]
    assert len(simplify_ring(ring, 1e6)) == 3
    assert 3 < len(simplify_ring(ring, 1.0)) < len(ring)


def test_where_a_ring_starts_hardly_matters() -> None:
    # A start in the middle of a side is no corner; one point short of enough it stays all the same.
    square = np.array([[0, 5], [0, 10], [10, 10], [10, 0], [0, 0]])
    assert simplify_ring(square, 1.0).tolist() == [[0, 10], [10, 10], [10, 0], [0, 0]]
    assert len(simplify_ring(np.array([[0, 5], [0, 10], [10, 5], [0, 0]]), 100.0)) == 3


def test_every_dropped_point_lies_within_the_tolerance() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal((60, 60)), 3)
    for ring in trace_outlines(noise > 0.02):
        for tolerance in (1.0, 2.5):
            made = simplify_ring(ring, tolerance).astype(float)
            a, b = made, np.roll(made, -1, axis=0)
            for point in ring.astype(float):
                along = ((point - a) * (b - a)).sum(axis=1) / ((b - a) ** 2).sum(axis=1)
                foot = a + along.clip(0, 1)[:, None] * (b - a)
                # The start may leave after its neighbours' sections are settled, hence twice the tolerance.
                assert np.hypot(*(point - foot).T).min() <= 2 * tolerance
