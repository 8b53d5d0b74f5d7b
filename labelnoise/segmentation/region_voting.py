"""Region voting: pixels that the picture holds together vote on their label; nothing is trained."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelnoise.core.detection import Detection
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.pixel_detectors import answer_of

__all__ = ["detect_region_votes", "over_segment", "region_shares"]

#: Pixels between the seeds of two regions.
SPACING = 8
#: Least share of a region's other pixels that outvotes a label.
MARGIN = 0.75


def over_segment(image: NDArray[Any], spacing: int = SPACING) -> NDArray[np.int64]:
    """Regions of one image, grown from a grid of seeds along the smallest steps of brightness, so that they meet at edges.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, channels)
        Of several channels the direction counts in which they vary most.
    spacing : int
        Pixels between seeds, >= 2; each seed moves to the flattest place near it.

    Returns
    -------
    ndarray of int64, shape (h, w)
        Regions from 0.

    Raises
    ------
    InputError
        A spacing below 2.

    References
    ----------
    Falcao, Stolfi, de Alencar Lotufo 2004, The image foresting transform, IEEE TPAMI 26 (a watershed whose path costs its
    largest step).

    Examples
    --------
    >>> image = np.zeros((16, 16)); image[:, 9:] = 1.0
    >>> regions = over_segment(image, 8)
    >>> len(np.intersect1d(regions[:, :8], regions[:, 10:])), int(regions.max()) + 1
    (0, 4)
    """
    if spacing < 2:
        raise InputError(f"spacing is {spacing}; regions grow from seeds that are at least 2 pixels apart.")
    pixels = np.asarray(image, dtype=np.float32)
    h, w = pixels.shape[:2]
    flat = pixels.reshape(h * w, -1)
    if flat.shape[1] > 1:
        flat = flat - flat.mean(axis=0)
        flat = flat @ np.linalg.eigh(flat.T @ flat)[1][:, -1:]
    smooth = ndimage.gaussian_filter(flat.reshape(h, w), 1.0)
    slope = ndimage.gaussian_gradient_magnitude(smooth, 0.5)
    low, high = float(smooth.min()), float(smooth.max())
    levels = ((smooth - low) * (65_000 / max(high - low, 1e-9))).astype(np.uint16)
    seeds = np.zeros((h, w), dtype=np.int32)
    number = 0
    for y in range(0, h, spacing):
        for x in range(0, w, spacing):
            part = slope[y : y + spacing, x : x + spacing]
            dy, dx = divmod(int(part.argmin()), part.shape[1])
            number += 1
            seeds[y + dy, x + dx] = number
    grown = ndimage.watershed_ift(levels, seeds)
    return np.unique(grown, return_inverse=True)[1].reshape(h, w).astype(np.int64)


def region_shares(regions: NDArray[np.int64], labels: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Share of each class among the labels of a pixel's region, its own left out, shape (h, w, K); rows of 0 for no vote.

    Examples
    --------
    >>> region_shares(np.zeros((1, 4), dtype=int), np.array([[0, 0, 1, -1]]), 2)[0].tolist()
    [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0], [0.6666666865348816, 0.3333333432674408]]
    """
    known = labels >= 0
    own = np.maximum(labels, 0).astype(np.intp)
    n = int(regions.max(initial=0)) + 1
    counts = np.bincount(regions[known] * n_classes + own[known], minlength=n * n_classes)
    votes = counts.reshape(n, n_classes)[regions].astype(np.float32)
    np.put_along_axis(
        votes, own[..., None], np.take_along_axis(votes, own[..., None], -1) - known[..., None], -1
    )
    total = votes.sum(axis=-1, keepdims=True)
    return np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)


def detect_region_votes(
    dataset: MaskDataset, seed: int = 0, *, spacing: int = SPACING, margin: float = MARGIN
) -> Detection:
    """Labels that the other pixels of their region outvote; regions come from the picture alone.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
        Without use: nothing is drawn.
    spacing : int
        See `over_segment`.
    margin : float
        A label is flagged where another class has more than this share of its region; .5 to 1.

    Returns
    -------
    Detection
        ``quality`` is the share of the given class in the region, the pixel itself left out.

    Raises
    ------
    InputError
        A data set without images, a margin out of range.

    References
    ----------
    SAModified (2024), arXiv 2412.12552, which votes in regions of a promptable network.
    """
    if dataset.images is None:
        raise InputError(f"{dataset.name} has no pictures; regions are parts of pictures.")
    if not 0.5 <= margin < 1:
        raise InputError(f"margin is {margin}; give a share from .5 to below 1.")
    started = time.process_time()
    k = dataset.n_classes
    probs = np.empty((dataset.n_units, k), dtype=np.float32)
    flagged = np.zeros(dataset.n_units, dtype=bool)
    quality = np.ones(dataset.n_units)
    for i in track(range(dataset.n_images), "voting in regions"):
        window, given = dataset.window(i), dataset.mask(i)
        shares = region_shares(over_segment(dataset.images[i], spacing), given, k).reshape(-1, k)
        flat = given.reshape(-1)
        rows = np.arange(len(flat))
        alone = shares.sum(axis=1) == 0
        shares[rows[alone], np.maximum(flat[alone], 0)] = 1.0
        probs[window] = shares
        quality[window] = np.where(flat >= 0, shares[rows, np.maximum(flat, 0)], 1.0)
        best = shares.argmax(axis=1)
        flagged[window] = (flat >= 0) & (best != flat) & (shares[rows, best] > margin)
    return answer_of(
        dataset, "region-votes", probs, quality, started, flagged=flagged, spacing=spacing, margin=margin
    )
