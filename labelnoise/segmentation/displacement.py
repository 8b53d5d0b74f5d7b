"""Outlines displaced by smooth random fields, with or without a bias outwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

__all__ = ["band_distance", "displace_boundaries", "smooth_field"]

_LARGEST_REACH = 15
# Widths of a bump beyond which it counts as zero, standard deviations at which displacements are cut, and rows that
# are moved at a time (few enough to stay in the processor's cache).
_BUMP, _CUT, _STRIP = 3.0, 2.5, 32


def smooth_field(
    size: tuple[int, int], length: float, rng: np.random.Generator, window: tuple[slice, slice]
) -> NDArray[np.float32]:
    """A window of a smooth Gaussian field of mean 0 and variance 1.

    Parameters
    ----------
    size : tuple of int
        Height and width of the whole field, on which the draws depend; the window does not change them.
    length : float
        Correlation length in pixels.
    rng : numpy.random.Generator
    window : tuple of slice

    Examples
    --------
    >>> whole = smooth_field((40, 60), 8, np.random.default_rng(0), (slice(0, 40), slice(0, 60)))
    >>> part = smooth_field((40, 60), 8, np.random.default_rng(0), (slice(5, 9), slice(7, 20)))
    >>> bool(np.allclose(whole[5:9, 7:20], part, atol=1e-5))
    True
    """
    rows, cols = _bumps(size[0], length), _bumps(size[1], length)
    draws = rng.standard_normal((rows.shape[1], cols.shape[1]), dtype=np.float32)
    return np.asarray(rows[window[0]] @ draws @ cols[window[1]].T)


def _bumps(n: int, length: float) -> NDArray[np.float32]:
    """How much each of n pixels takes from each point of a coarse grid, squares summing to 1."""
    # Bumps of width length / sqrt(2), whose overlap makes the correlation exp(-d^2 / (2 length^2)).
    width = length / np.sqrt(2)
    knots = np.arange(-_BUMP * width, n + (_BUMP + 1) * width, width)
    away = (np.arange(n)[:, None] - knots) / width
    bumps = np.where(np.abs(away) <= _BUMP, np.exp(-0.5 * away**2), 0.0)
    return (bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True))).astype(np.float32)


def band_distance(mask: ArrayLike, reach: int) -> NDArray[np.float32]:
    """Signed distance to the outline, positive inside, exact up to ``reach`` pixels and cut there.

    The outline runs half way between pixels. Beyond the image nothing is known, so its edge is no outline.

    Examples
    --------
    >>> band_distance([[0, 0, 1, 1, 1, 1]], 3).tolist()
    [[-1.5, -0.5, 0.5, 1.5, 2.5, 3.0]]
    """
    array = np.asarray(mask, dtype=bool)
    if reach > _LARGEST_REACH:
        from scipy import ndimage

        far = np.full(array.shape, reach + 1.0)
        inside = ndimage.distance_transform_edt(array) if not array.all() else far
        outside = ndimage.distance_transform_edt(~array) if array.any() else far
        signed = np.where(array, inside - 0.5, 0.5 - outside)
        return np.clip(signed, -reach, reach).astype(np.float32)
    root = (np.sqrt(np.arange(256, dtype=np.float32)) - 0.5).clip(-reach, reach)
    both = np.zeros(array.shape, dtype=np.uint8)
    for side in (array, ~array):
        # Squared distance to the other side within the column, then the least over the columns within reach.
        here = side.view(np.uint8) * np.uint8(255)
        column = here.copy()
        for d in range(1, reach + 1):
            # The square where the other side is, since there `here` is 0, and 255 elsewhere.
            moved = here | np.uint8(d * d) if d * d < 255 else here
            np.minimum(column[d:], moved[:-d], out=column[d:])
            np.minimum(column[:-d], moved[d:], out=column[:-d])
        best = column.copy()
        for d in range(1, reach + 1):
            moved = np.minimum(column, np.uint8(255 - d * d))
            moved += np.uint8(d * d)
            np.minimum(best[:, d:], moved[:, :-d], out=best[:, d:])
            np.minimum(best[:, :-d], moved[:, d:], out=best[:, :-d])
        both |= best
    found = np.take(root, both)
    return np.where(array, found, -found)


def displace_boundaries(
    labels: ArrayLike,
    amplitude: float,
    *,
    seed: int,
    image_id: str,
    length: float = 16.0,
    bias: float = 0.0,
    background: int = 0,
) -> NDArray[Any]:
    """Move the outline of every class by a smooth random number of pixels.

    A pixel gets the class found a smooth random step away, so outlines that touch move together and no gap opens
    between them. With a bias, all that is not background first grows or shrinks.

    Parameters
    ----------
    labels : array_like of int, shape (h, w)
        Class ids, -1 for "no label", which stays and is taken from nowhere.
    amplitude : float
        Standard deviation of the displacement, in pixels; 0 changes nothing.
    seed : int
    image_id : str
    length : float
        Correlation length along the outline, in pixels.
    bias : float
        Mean displacement out into the background (negative: inwards), as a multiple of the amplitude; 0 is
        unbiased.
    background : int

    Examples
    --------
    >>> labels = np.pad(np.ones((40, 40), int), 20)
    >>> made = displace_boundaries(labels, 2.0, seed=0, image_id="a")
    >>> int((made == 1).sum()), int((made != labels).sum())
    (1580, 178)
    """
    array = np.asarray(labels)
    if amplitude < 0 or length <= 0:
        raise InputError(f"amplitude is {amplitude} and length {length}; give 0 or more, and above 0 pixels.")
    if amplitude == 0 or not array.size:
        return array.copy()
    source = np.ascontiguousarray(_grown(array, bias * amplitude, background) if bias else array)
    out = source.copy()
    rng = generator(seed, "displacement", image_id)
    height, width = array.shape
    down, across = _bumps(height, length), _bumps(width, length)
    # The coarse grid of steps along rows, then along columns, made as wide as the image.
    steps = [
        np.float32(amplitude)
        * (rng.standard_normal((down.shape[1], across.shape[1]), dtype=np.float32) @ across.T)
        for _ in range(2)
    ]
    flat, cut = source.ravel(), np.float32(_CUT * amplitude)
    for rows, cols in _near_outlines(source, int(np.ceil(cut)) + 1):
        used = np.flatnonzero(down[rows].any(axis=0))
        knots = slice(int(used[0]), int(used[-1]) + 1)
        at: list[NDArray[np.intp]] = []
        for field, start, limit in ((steps[0], rows.start, height), (steps[1], cols.start, width)):
            step = down[rows, knots] @ field[knots, cols]
            np.clip(step, -cut, cut, out=step)
            here = (np.arange(start, start + step.shape[len(at)]) + 0.5).astype(np.float32)
            np.add(step, here if at else here[:, None], out=step)
            # Cut below 0 before the fraction is cut off, which rounds down then.
            np.clip(step, 0, limit - 0.5, out=step)
            at.append(step.astype(np.intp))
        at[0] *= width
        at[0] += at[1]
        moved = flat.take(at[0], mode="clip")
        own = out[rows, cols]
        np.copyto(own, moved, where=(moved >= 0) & (own >= 0))
    return out


def _near_outlines(labels: NDArray[Any], reach: int) -> list[tuple[slice, slice]]:
    """Strips of rows, each as wide as it has pixels within ``reach`` of another label."""
    height, width = labels.shape
    edge = np.zeros(labels.shape, dtype=bool)
    np.not_equal(labels[1:], labels[:-1], out=edge[1:])
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    found = []
    for first in range(0, height, _STRIP):
        cols = np.flatnonzero(edge[max(first - reach, 0) : first + _STRIP + reach].any(axis=0))
        if len(cols):
            found.append(
                (
                    slice(first, min(first + _STRIP, height)),
                    slice(max(int(cols[0]) - reach, 0), min(int(cols[-1]) + reach, width)),
                )
            )
    return found


def _grown(labels: NDArray[Any], pixels: float, background: int) -> NDArray[Any]:
    """What is not background, grown or shrunk by a distance; new pixels take the nearest class."""
    front = (labels != background) & (labels >= 0)
    out = labels.copy()
    reach = int(np.ceil(abs(pixels))) + 1
    # Pixels whose signed distance, with the outline half way between pixels, is overcome.
    distance = band_distance(front | (labels < 0) if pixels < 0 else front, reach)
    if pixels < 0:
        out[front & (distance < -pixels)] = background
        return out
    y, x = np.nonzero((labels == background) & (distance > -pixels))
    offsets = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1).T - reach
    order = np.argsort((offsets**2).sum(axis=1), kind="stable")
    for dy, dx in offsets[order].tolist():
        if not len(y):
            break
        near = labels[(y + dy).clip(0, labels.shape[0] - 1), (x + dx).clip(0, labels.shape[1] - 1)]
        hit = (near != background) & (near >= 0)
        out[y[hit], x[hit]] = near[hit]
        y, x = y[~hit], x[~hit]
    return out
