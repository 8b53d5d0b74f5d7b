"""Outlines displaced by smooth random fields, with or without a bias outwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

__all__ = ["band_distance", "displace_boundaries", "smooth_field"]

_LARGEST_REACH = 15


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
    weights = []
    for axis in (0, 1):
        # Bumps of width length / sqrt(2), whose overlap makes the correlation exp(-d^2 / (2 length^2)).
        width = length / np.sqrt(2)
        knots = np.arange(-3 * width, size[axis] + 3 * width + width, width)
        at = np.arange(size[axis])[window[axis]]
        bumps = np.exp(-0.5 * ((at[:, None] - knots) / width) ** 2)
        weights.append((bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True))).astype(np.float32))
    draws = rng.standard_normal((weights[0].shape[1], weights[1].shape[1]), dtype=np.float32)
    return np.asarray(weights[0] @ draws @ weights[1].T)


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

    A pixel gets the class, the background among them, whose signed distance plus a smooth field of its own is
    highest; so no gap opens between classes that touch.

    Parameters
    ----------
    labels : array_like of int, shape (h, w)
        Class ids, -1 for "no label", which stays.
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
    (1721, 257)
    """
    array = np.asarray(labels)
    if amplitude < 0 or length <= 0:
        raise InputError(f"amplitude is {amplitude} and length {length}; give 0 or more, and above 0 pixels.")
    if amplitude == 0:
        return array.copy()
    # Fields are cut at 2.5 standard deviations; two meet at each outline, hence the square root of two.
    reach = int(np.ceil(amplitude * (2.5 * np.sqrt(2) + abs(bias)))) + 1
    kept = array >= 0
    counts = np.bincount((array.astype(np.int64) + 1).ravel())[1:]
    out = np.where(kept, background, array).astype(array.dtype)
    best = np.full(array.shape, -np.inf, dtype=np.float32)
    for label in [background, *(c for c in np.flatnonzero(counts).tolist() if c != background)]:
        mask = array == label
        if not mask.any():
            continue
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        window = (
            slice(max(rows[0] - reach, 0), min(rows[-1] + 1 + reach, array.shape[0])),
            slice(max(cols[0] - reach, 0), min(cols[-1] + 1 + reach, array.shape[1])),
        )
        rng = generator(seed, "displacement", image_id, label)
        moved = smooth_field((array.shape[0], array.shape[1]), length, rng, window)
        np.clip(moved, -2.5, 2.5, out=moved)
        moved *= np.float32(np.sqrt(2) * amplitude)
        moved += band_distance(mask[window], reach)
        if label != background:
            moved += np.float32(2 * bias * amplitude)
        wins = moved > best[window]
        np.copyto(best[window], moved, where=wins)
        np.copyto(out[window], label, where=wins & kept[window], casting="unsafe")
    return out
