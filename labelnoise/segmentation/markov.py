"""Boundaries that wander: pixels next to the outline flip, step after step, outwards or inwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

__all__ = ["markov_boundary", "markov_mask"]

Mask = NDArray[np.bool_]


def markov_mask(
    mask: ArrayLike,
    steps: int,
    rng: np.random.Generator,
    *,
    expand: float = 0.8,
    flip: float = 0.05,
    speckle: float = 0.2,
) -> Mask:
    """One mask after a Markov process on its boundary, then speckled, blurred and cut at one half.

    Parameters
    ----------
    mask : array_like of bool, shape (h, w)
    steps : int
        Number of steps; with 0 nothing changes.
    rng : numpy.random.Generator
    expand : float
        Probability that a step takes the ring outside, not the one inside; away from 0.5 the noise is biased.
    flip : float
        Probability of each pixel of the ring to flip.
    speckle : float
        Probability of each pixel to flip before the blur (5 x 5, sigma 2 pixels).

    References
    ----------
    Yao et al. 2023, "Learning to Segment from Noisy Annotations: A Spatial Correction Approach" (ICLR).

    Examples
    --------
    >>> square = np.pad(np.ones((40, 40), bool), 30)
    >>> [int(markov_mask(square, 100, np.random.default_rng(0), expand=p).sum()) for p in (0.2, 0.8)]
    [910, 2376]
    """
    from scipy import ndimage

    array = np.array(mask, dtype=bool)
    if steps < 0 or not all(0 <= p <= 1 for p in (expand, flip, speckle)):
        raise InputError("steps is a whole number from 0, and expand, flip and speckle are probabilities.")
    if steps == 0 or not array.any():
        return array
    rows, cols = np.flatnonzero(array.any(axis=1)), np.flatnonzero(array.any(axis=0))
    # A ring moves by at most one pixel a step, and then only where many flips line up.
    margin = int(min(steps, 8 + 4 * steps * flip)) + 2
    window = (
        slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
        slice(max(cols[0] - margin, 0), cols[-1] + 1 + margin),
    )
    crop = array[window]
    width = crop.shape[1] + 2
    state = np.pad(crop, 1)
    valid = np.pad(np.ones(crop.shape, dtype=bool), 1)
    flat = state.ravel()
    for _ in range(steps):
        outside = bool(rng.random() < expand)
        # The ring: pixels of one side with a neighbour, up, down, left or right, of the other.
        ring = np.zeros_like(state)
        down, across = state[1:] != state[:-1], state[:, 1:] != state[:, :-1]
        ring[1:] |= down
        ring[:-1] |= down
        ring[:, 1:] |= across
        ring[:, :-1] |= across
        ring &= valid
        ring &= ~state if outside else state
        pixels = np.flatnonzero(ring)
        flat[pixels[rng.random(len(pixels)) < flip]] = outside
    array[window] = state.reshape(-1, width)[1:-1, 1:-1]
    if speckle > 0:
        array ^= rng.random(array.shape, dtype=np.float32) < speckle
        weights = np.exp(-0.5 * (np.arange(-2, 3) / 2.0) ** 2)
        blurred = array.astype(np.float32)
        for axis in (0, 1):
            blurred = ndimage.correlate1d(blurred, weights / weights.sum(), axis=axis, mode="mirror")
        array = blurred > 0.5
    return array


def markov_boundary(
    labels: ArrayLike,
    steps: int = 180,
    *,
    seed: int,
    image_id: str,
    expand: float = 0.8,
    flip: float = 0.05,
    speckle: float = 0.2,
    background: int = 0,
) -> NDArray[Any]:
    """Markov noise on every class of a map, each on its own; where they meet, the one with fewer pixels is seen.

    Parameters
    ----------
    labels : array_like of int, shape (h, w)
        Class ids, -1 for "no label", which stays.
    steps, expand, flip, speckle
        As in `markov_mask`; the defaults are those published for chest X-rays.
    seed : int
    image_id : str
    background : int

    Examples
    --------
    >>> labels = np.pad(np.ones((40, 40), int), 30)
    >>> int((markov_boundary(labels, 100, seed=0, image_id="a") == 1).sum())
    2626
    """
    array = np.asarray(labels)
    if steps == 0:
        return array.copy()
    kept = array >= 0
    classes, counts = np.unique(array[kept], return_counts=True)
    out = np.where(kept, background, array).astype(array.dtype)
    for label in classes[np.argsort(-counts, kind="stable")].tolist():
        if label != background:
            rng = generator(seed, "markov", image_id, label)
            made = markov_mask(array == label, steps, rng, expand=expand, flip=flip, speckle=speckle)
            out[made & kept] = label
    return out
