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
    # A start in the middle of a side is no corner.
    square = np.array([[0, 5], [0, 10], [10, 10], [10, 0], [0, 0]])
    assert sorted(simplify_ring(square, 1.0).tolist()) == [[0, 0], [0, 10], [10, 0], [10, 10]]
    assert len(simplify_ring(np.array([[0, 5], [0, 10], [10, 5], [0, 0]]), 100.0)) == 3


def test_a_simplified_outline_keeps_off_itself() -> None:
    # Without that care the two arms of the fork become one line and cross.
    fork = np.array([[0, 0], [2, 20], [4, 1], [4, 21], [0, 40], [8, 40], [8, 0]])
    ring = simplify_ring(fork, 3.0)
    a, b = ring, np.roll(ring, -1, axis=0)
    for i in range(len(ring)):
        for j in range(i + 2, len(ring) - (i == 0)):
            sides = [
                np.sign(np.linalg.det([q - p, r - p])) for p, q, r in ((a[i], b[i], a[j]), (a[i], b[i], b[j]))
            ]
            others = [
                np.sign(np.linalg.det([q - p, r - p])) for p, q, r in ((a[j], b[j], a[i]), (a[j], b[j], b[i]))
            ]
            assert sides[0] * sides[1] >= 0 or others[0] * others[1] >= 0


#: Points, and the 24 x 24 pixels that OpenCV 5.0 fills for them, as bits.
FILLED: list[tuple[list[list[int]], str]] = [
    (
        [[22, 15], [16, 21], [13, 18]],
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000002000003000007800007c0000780000f00000e00000c0000180000100000000",
    ),
    (
        [[20, 5], [1, 7], [6, 20], [21, 0]],
        "00000001800001e00001fc0001ff8001ffe003fff803fff003ffe003ff8003ff0003fe0003f80003f00003e0000380000700000600000c00001c00007c0000e00000000000000000",
    ),
    (
        [[11, 19], [3, 19], [2, 11], [19, 7], [8, 6]],
        "000000000000001f00001ff0001ff0003ff0003ff0003ff003bff003fff003c7f003c07003c000038000018000018000018000010000010000010000000000000000000000000000",
    ),
    (
        [[17, 6], [23, 10], [11, 12], [13, 13], [12, 23], [19, 19], [16, 14], [8, 23]],
        "00000000000000000000000000000000000000000000000000000100000600001c0008780009ff000ffe0018fe0071fc01f3fc03f1f801f07801f01000e000006000006000002000",
    ),
    (
        [
            [11, 5],
            [20, 3],
            [20, 14],
            [2, 1],
            [10, 0],
            [3, 12],
            [23, 11],
            [19, 22],
            [19, 15],
            [10, 12],
            [6, 11],
            [9, 5],
            [23, 0],
        ],
        "00000000000040000060080060380070f800f9f800fff800ff9800e608008708000f08000f8c000fdc001ffc001ffe003ffe002ffe003ff7007ff7fe5ffff8401fc0801f00801800",
    ),
]


@pytest.mark.parametrize(("points", "bits"), FILLED)
def test_outlines_are_filled_as_opencv_does_it(points: list[list[int]], bits: str) -> None:
    made = fill_outlines([np.array(points)], (24, 24))
    assert np.packbits(made).tobytes().hex() == bits


def test_outlines_that_leave_the_image_are_cut() -> None:
    ring = np.array([[-5, -4], [-5, 12], [9, 12], [9, -4]])
    assert fill_outlines([ring], (6, 8)).all()
    assert not fill_outlines([ring + 40], (6, 8)).any()
    assert fill_outlines([np.array([[2, 3]]), np.array([[4, 1], [4, 5]])], (6, 8)).sum() == 6


def test_outlines_run_the_published_way_round() -> None:
    # Which points a simplification keeps depends on it.
    assert trace_outlines(np.ones((3, 4)))[0].tolist() == [[0, 0], [2, 0], [2, 3], [0, 3]]


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
