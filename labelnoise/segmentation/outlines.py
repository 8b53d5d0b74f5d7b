"""Outlines of masks: traced around pixel centres, simplified, and filled again, pixel for pixel as OpenCV does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError
from labelnoise.segmentation.objects import MaskObject

__all__ = ["edit_object", "fill_outlines", "intersection_over_union", "simplify_ring", "trace_outlines"]

Mask = NDArray[np.bool_]

# Row and column steps of the four directions of an edge between pixels: right, down, left, up.
_STEP_Y, _STEP_X = np.array([0, 1, 0, -1]), np.array([1, 0, -1, 0])


def trace_outlines(mask: ArrayLike) -> list[NDArray[np.int64]]:
    """The outer outline of each 8-connected part, holes filled, without points on straight runs.

    Parameters
    ----------
    mask : array_like of bool, shape (h, w)

    Returns
    -------
    list of ndarray of int64, shape (p, 2)
        Row and column of boundary pixels, anticlockwise from the topmost, leftmost one; parts in raster order.

    Examples
    --------
    >>> [ring.tolist() for ring in trace_outlines([[1, 1, 1], [1, 0, 1], [1, 1, 1]])]
    [[[0, 0], [2, 0], [2, 2], [0, 2]]]
    """
    from scipy import ndimage

    solid = np.pad(np.asarray(mask, dtype=bool), 1)
    if not solid.any():
        return []
    solid = ndimage.binary_fill_holes(solid)
    width = solid.shape[1] + 1
    pixels, keys = [], []
    # Each boundary edge is directed so that the mask lies on its right; it starts at a corner of its pixel.
    for way, (dy, dx, corner_y, corner_x) in enumerate(
        [(-1, 0, 0, 0), (0, 1, 0, 1), (1, 0, 1, 1), (0, -1, 1, 0)]
    ):
        y, x = np.nonzero(
            solid[1:-1, 1:-1] & ~solid[1 + dy : solid.shape[0] - 1 + dy, 1 + dx : width - 2 + dx]
        )
        pixels.append(np.stack([y, x], axis=1))
        keys.append(((y + 1 + corner_y) * width + x + 1 + corner_x) * 4 + way)
    key, points = np.concatenate(keys), np.concatenate(pixels)
    order = np.argsort(key)
    key, points = key[order], points[order]
    ways = key % 4
    ends = key // 4 + _STEP_Y[ways] * width + _STEP_X[ways]
    following = np.full(len(key), -1)
    # A left turn first: where two pixels touch at a corner only, the outline passes on to the other one.
    for turn in (1, 0, -1):
        wanted = ends * 4 + (ways + turn) % 4
        place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        following = np.where(key[place] == wanted, place, following)
    chain, seen, rings = following.tolist(), bytearray(len(key)), []
    for start in np.flatnonzero(ways == 0).tolist():
        if seen[start]:
            continue
        walk, at = [], start
        while not seen[at]:
            seen[at] = 1
            walk.append(at)
            at = chain[at]
        ring = _corners(points[walk])
        rings.append(np.concatenate([ring[:1], ring[:0:-1]]))
    return rings


def _corners(ring: NDArray[np.int64]) -> NDArray[np.int64]:
    first = ring[:1]
    # A pixel passes as often as it has sides on the outline: keep the first of each run, the start included.
    ring = np.concatenate([first, ring[1:][(ring[1:] != ring[:-1]).any(axis=1)]])
    while len(ring) > 1 and (ring[-1] == ring[0]).all():
        ring = ring[:-1]
    if len(ring) < 3:
        return ring
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    keep = (before != after).any(axis=1)
    keep[0] = True
    return ring[keep]


def simplify_ring(ring: NDArray[Any], tolerance: float) -> NDArray[Any]:
    """Douglas and Peucker's simplification of a closed outline that crosses itself nowhere new.

    Parameters
    ----------
    ring : ndarray, shape (p, 2)
        Points, the first not repeated at the end.
    tolerance : float
        Largest distance of a dropped point from its chord, in pixels.

    Returns
    -------
    ndarray, shape (q, 2)
        Three points or more, if there were as many.

    References
    ----------
    Douglas and Peucker 1973, Algorithms for the reduction of the number of points required to represent a line;
    shapely's ``simplify(preserve_topology=True)`` does it.

    Examples
    --------
    >>> simplify_ring(np.array([[0, 0], [0, 5], [1, 10], [10, 10], [10, 0]]), 1.5).tolist()
    [[0, 0], [1, 10], [10, 10], [10, 0]]
    """
    if len(ring) <= 3 or tolerance <= 0:
        return ring
    try:
        from shapely.geometry import Polygon
    except ImportError as error:
        raise InputError(
            "Outlines are simplified by shapely, which is not there; run pip install 'labelnoise[segmentation]'."
        ) from error
    made = Polygon(ring).simplify(tolerance, preserve_topology=True)
    return np.asarray(np.asarray(made.exterior.coords)[:-1].astype(ring.dtype))


def fill_outlines(rings: Sequence[NDArray[Any]], shape: tuple[int, int]) -> Mask:
    """The union of filled outlines, boundary included, even-odd where one crosses itself; cut to ``shape``.

    A pixel is filled if its centre lies within or a straight line from point to point passes it, as OpenCV fills
    polygons; points are rounded to whole pixels before.

    Examples
    --------
    >>> fill_outlines([np.array([[0, 0], [0, 2], [1, 2], [1, 0]])], (2, 4)).astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 0]]
    """
    out = np.zeros(shape, dtype=bool)
    for ring in rings:
        points = np.rint(ring).astype(np.int64)
        following = np.roll(points, -1, axis=0)
        _draw_lines(out, points, following)
        _fill_rows(out, points, following)
    return out


def _draw_lines(out: Mask, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
    """Lines one pixel wide, from the left to the right; halves go to where the line comes from."""
    swapped = (b[:, 1] < a[:, 1])[:, None]
    a, b = np.where(swapped, b, a), np.where(swapped, a, b)
    length = np.abs(b - a)
    longest = length.max(axis=1)
    line, step = _counted(longest + 1)
    # Along its longer axis a line moves by one, along the other by the nearest whole number of pixels.
    moved = -(
        (longest[line, None] - 2 * step[:, None] * length[line]) // np.maximum(2 * longest[line, None], 1)
    )
    points = a[line] + np.sign(b - a)[line] * moved
    inside = ((points >= 0) & (points < out.shape)).all(axis=1)
    out[tuple(points[inside].T)] = True


def _fill_rows(out: Mask, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
    """Pixels of each row between its first and second crossing, its third and fourth, and so on."""
    sloped = a[:, 0] != b[:, 0]
    swapped = (a[:, 0] > b[:, 0])[sloped, None]
    a, b = a[sloped], b[sloped]
    a, b = np.where(swapped, b, a), np.where(swapped, a, b)
    height = b[:, 0] - a[:, 0]
    # The lower end belongs to the next line, so that a corner is crossed once or twice but not thrice.
    line, step = _counted(height)
    y, x = a[line, 0] + step, a[line, 1] + step * ((b - a)[:, 1] / height)[line]
    order = np.lexsort((x, y))
    y, first, last = y[order][::2], np.ceil(x[order][::2]), np.floor(x[order][1::2]) + 1
    seen = (y >= 0) & (y < len(out))
    y, first, last = y[seen], *(v[seen].clip(0, out.shape[1]).astype(np.int64) for v in (first, last))
    change = np.zeros((out.shape[0], out.shape[1] + 1), dtype=np.int32)
    np.add.at(change, (y, first), 1)
    np.add.at(change, (y, np.maximum(first, last)), -1)
    out |= change.cumsum(axis=1)[:, :-1] > 0


def _counted(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of its run, and its place within, of every item of runs of these lengths."""
    run = np.repeat(np.arange(len(lengths)), lengths)
    return run, np.arange(len(run)) - (np.cumsum(lengths) - lengths)[run]


def intersection_over_union(a: MaskObject, b: MaskObject) -> float:
    """IoU of two objects of one image; 1 if both are empty.

    Examples
    --------
    >>> a = MaskObject.from_mask([[1, 1, 0]], label=0, object_id=1)
    >>> intersection_over_union(a, MaskObject.from_mask([[0, 1, 1]], label=0, object_id=2))
    0.3333333333333333
    """
    top, left = max(a.top, b.top), max(a.left, b.left)
    bottom = min(a.top + a.shape[0], b.top + b.shape[0])
    right = min(a.left + a.shape[1], b.left + b.shape[1])
    common = 0
    if bottom > top and right > left:
        parts = [o.mask[top - o.top : bottom - o.top, left - o.left : right - o.left] for o in (a, b)]
        common = int((parts[0] & parts[1]).sum())
    union = a.area + b.area - common
    return common / union if union else 1.0


def edit_object(
    item: MaskObject, size: tuple[int, int], margin: int, change: Callable[[Mask], Mask]
) -> MaskObject:
    """Apply ``change`` to an object's mask with ``margin`` pixels around it, never beyond the image.

    Parameters
    ----------
    item : MaskObject
    size : tuple of int
        Height and width of the image.
    margin : int
    change : callable
        Mask to mask of equal shape.

    Examples
    --------
    >>> dot = MaskObject.from_mask([[1]], label=0, object_id=1, top=0, left=4)
    >>> edit_object(dot, (9, 9), 2, np.ones_like).box
    (0, 2, 3, 5)
    """
    if 0 in item.shape:
        return item
    top, left = max(item.top - margin, 0), max(item.left - margin, 0)
    bottom = min(item.top + item.shape[0] + margin, size[0])
    right = min(item.left + item.shape[1] + margin, size[1])
    crop = np.zeros((bottom - top, right - left), dtype=bool)
    crop[
        item.top - top : item.top - top + item.shape[0], item.left - left : item.left - left + item.shape[1]
    ] = item.mask
    return MaskObject.from_mask(
        change(crop),
        label=item.label,
        object_id=item.object_id,
        top=top,
        left=left,
        crowd=item.crowd,
        score=item.score,
    )
