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
