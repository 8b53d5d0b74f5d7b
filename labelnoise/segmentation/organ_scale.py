"""Organs drawn too large or too small, relative to their size: the noise of the SegTHOR experiments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco_n import scale

__all__ = ["organ_scale"]

REFERENCE_AREA = 1000.0
ITERATIONS = (2, 3, 4)


def organ_scale(
    labels: ArrayLike,
    severity: float = 1.0,
    *,
    seed: int,
    image_id: str,
    order: Sequence[int] | None = None,
    background: int = 0,
) -> NDArray[Any]:
    """Shrink or grow every class of a slice, by 2, 3 or 4 pixels of a slice in which it has 1000.

    One direction and one number of iterations are drawn for the slice. Shrinking gives pixels to the background,
    growing takes them from it alone.

    Parameters
    ----------
    labels : array_like of int, shape (h, w)
        Class ids, -1 for "no label", which stays.
    severity : float
        Factor on the relative radius; 1 is the published noise, 0 changes nothing.
    seed : int
    image_id : str
    order : sequence of int, optional
        Classes in the order in which they are treated; ascending by default (SegTHOR: 1, 3, 4, 2).
    background : int

    References
    ----------
    Liu et al. 2022, "Adaptive Early-Learning Correction for Segmentation from Noisy Annotations" (CVPR).

    Examples
    --------
    >>> labels = np.zeros((64, 64), int)
    >>> labels[16:48, 16:48] = 1
    >>> [int((organ_scale(labels, s, seed=1, image_id="a") == 1).sum()) for s in (0, 0.5, 1)]
    [1024, 1156, 1444]
    """
    array = np.asarray(labels)
    if severity < 0:
        raise InputError(f"severity is {severity}; give 0 or more.")
    out = array.copy()
    rng = generator(seed, "organ-scale", image_id)
    shrink, steps = bool(rng.random() < 0.5), ITERATIONS[int(rng.integers(len(ITERATIONS)))]
    if severity == 0:
        return out
    classes = np.unique(array[array >= 0]).tolist() if order is None else list(order)
    for label in classes:
        mask = array == label
        n = int(mask.sum())
        if label == background or not n:
            continue
        zoom = float(np.sqrt(REFERENCE_AREA / n)) / severity
        margin = int(np.ceil((steps + 3) / zoom)) + 2
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        window = (
            slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
            slice(max(cols[0] - margin, 0), cols[-1] + 1 + margin),
        )
        crop = mask[window]
        shape = (max(round(crop.shape[0] * zoom), 1), max(round(crop.shape[1] * zoom), 1))
        small = scale(_resized(crop, shape), steps, grow=not shrink)
        made = _resized(small, (crop.shape[0], crop.shape[1]))
        target = out[window]
        target[(crop & ~made) if shrink else (made & (target == background))] = (
            background if shrink else label
        )
    out[array < 0] = array[array < 0]
    return out


def _resized(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Cubic interpolation of a mask, kept where the rounded value is above 0."""
    rows = _weights(mask.shape[0], shape[0])
    cols = _weights(mask.shape[1], shape[1])
    return np.asarray(rows @ mask.astype(np.float32) @ cols.T >= 0.5)


@lru_cache(maxsize=256)
def _weights(old: int, new: int) -> Any:
    """Sparse matrix of cubic convolution (a = -3/4) from ``old`` to ``new`` samples, edges repeated."""
    from scipy import sparse

    at = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(at).astype(int) - 1
    columns = first[:, None] + np.arange(4)
    d = np.abs(at[:, None] - columns)
    a = -0.75
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    values = np.where(d <= 1, near, far).astype(np.float32)
    rows = np.repeat(np.arange(new), 4)
    return sparse.csr_matrix((values.ravel(), (rows, columns.clip(0, old - 1).ravel())), shape=(new, old))
