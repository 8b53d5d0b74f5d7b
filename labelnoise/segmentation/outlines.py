"""Outlines of masks: traced around pixel centres, simplified, and filled again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.segmentation.objects import MaskObject

__all__ = ["edit_object", "fill_outlines", "intersection_over_union", "simplify_ring", "trace_outlines"]

Mask = NDArray[np.bool_]

# Row and column steps of the four directions of an edge between pixels: right, down, left, up.
_STEP_Y, _STEP_X = np.array([0, 1, 0, -1]), np.array([1, 0, -1, 0])
# The least a ring is simplified to, the first point counted again at the end.
_CLOSED_TRIANGLE = 4


def trace_outlines(mask: ArrayLike) -> list[NDArray[np.int64]]:
    """The outer outline of each 8-connected part, holes filled, without points on straight runs.

    Parameters
    ----------
    mask : array_like of bool, shape (h, w)

    Returns
    -------
    list of ndarray of int64, shape (p, 2)
        Row and column of boundary pixels, clockwise from the topmost, leftmost one; parts in raster order.

    Examples
    --------
    >>> [ring.tolist() for ring in trace_outlines([[1, 1, 1], [1, 0, 1], [1, 1, 1]])]
    [[[0, 0], [0, 2], [2, 2], [2, 0]]]
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
        rings.append(_corners(points[walk]))
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
    """Douglas and Peucker's simplification of a closed outline, as a library of geometry does it (GEOS).

    A section is replaced by its chord if no point lies further away and the ring surely keeps three corners; at last
    the first point, which every section spares, goes as well if it lies within the tolerance and others are enough.
    Chords that cross others are not looked for.

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
    Douglas and Peucker 1973, Algorithms for the reduction of the number of points required to represent a line.

    Examples
    --------
    >>> simplify_ring(np.array([[0, 0], [0, 5], [1, 10], [10, 10], [10, 0]]), 1.5).tolist()
    [[0, 0], [1, 10], [10, 10], [10, 0]]
    >>> simplify_ring(np.array([[0, 5], [1, 10], [10, 10], [10, 0], [1, 0]]), 1.5).tolist()
    [[1, 10], [10, 10], [10, 0], [1, 0]]
    """
    n = len(ring)
    if n <= 3 or tolerance <= 0:
        return ring
    points = np.concatenate([ring, ring[:1]]).astype(float)
    kept = [0]
    stack = [(0, n, 1)]
    while stack:
        low, high, depth = stack.pop()
        if high - low > 1:
            distance = _from_chord(points[low + 1 : high], points[low], points[high])
            far = int(distance.argmax())
            # Sections come from the start on: with too few points so far, only one cut this often may be dropped.
            enough = (len(kept) if len(kept) > 1 else 0) >= _CLOSED_TRIANGLE or depth + 1 >= _CLOSED_TRIANGLE
            if distance[far] > tolerance or not enough:
                middle = low + 1 + far
                stack += [(middle, high, depth + 1), (low, middle, depth + 1)]
                continue
        kept.append(high)
    corners = kept[:-1]
    if len(kept) > _CLOSED_TRIANGLE:
        start = _from_chord(points[:1], points[corners[-1]], points[corners[1]])
        if start[0] <= tolerance:
            corners = corners[1:]
    return ring[corners]


def _from_chord(points: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    along, offset = b - a, points - a
    length = float(along @ along)
    part = np.clip(offset @ along / length, 0.0, 1.0) if length else np.zeros(len(points))
    rest = offset - part[:, None] * along
    return np.sqrt((rest * rest).sum(axis=1))


def fill_outlines(rings: Sequence[NDArray[Any]], shape: tuple[int, int]) -> Mask:
    """The union of filled outlines, boundary included, even-odd where one crosses itself; cut to ``shape``.

    Examples
    --------
    >>> fill_outlines([np.array([[0, 0], [0, 2], [1, 2], [1, 0]])], (2, 4)).astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 0]]
    """
    from PIL import Image, ImageDraw

    out = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(out)
    for ring in rings:
        corners = [(x, y) for y, x in np.rint(ring).astype(int).tolist()]
        if len(corners) < 3:
            pen.line(corners * (3 - len(corners)), fill=1)
        else:
            pen.polygon(corners, fill=1, outline=1)
    return np.asarray(out).astype(bool)


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
