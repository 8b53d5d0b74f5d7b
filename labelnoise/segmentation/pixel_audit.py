"""Confident learning on pixel probabilities that a user brings, image by image, in a few bytes per pixel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.detection import Detection
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset, label_dtype
from labelnoise.segmentation.pixel_calibration import image_quality

__all__ = ["audit_pixels"]

# Pixels looked at together: their probabilities stay in the processor's cache.
_BLOCK = 8192
# As the core's confident learning: what a threshold is lowered by, how far a sum may be from 1, and more than any label
# has that is not its pixel's most probable class.
_SLACK, _ROUNDING, _HALF = 1e-6, 0.01, 0.51


def audit_pixels(dataset: MaskDataset, of_image: Callable[[int], NDArray[Any]]) -> Detection:
    """Confident learning over all pixels; ten bytes per pixel are kept, and one image's probabilities at a time.

    All that it needs of a pixel are three numbers, so probabilities are looked at once.

    Parameters
    ----------
    dataset : MaskDataset
    of_image : callable
        Number of an image to its class probabilities, (K, h, w), float32 for speed; called once each.

    Returns
    -------
    Detection
        ``quality`` (the probability of the given class) and ``confidence`` are float32.

    Raises
    ------
    InputError
        Probabilities of another shape, or that are none.

    References
    ----------
    Lad, Mueller 2023, Estimating label quality and errors in semantic segmentation data via any model.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(3)
    >>> probs = np.moveaxis(0.9 * np.eye(5, dtype=np.float32)[data.true.reshape(3, 64, 64)] + 0.02, 3, 1)
    >>> found = audit_pixels(data, lambda i: probs[i])
    >>> bool((found.flagged == data.is_wrong).all()), found.quality.dtype
    (True, dtype('float32'))
    """
    started = time.process_time()
    n, k = dataset.n_units, dataset.n_classes
    quality = np.ones(n, dtype=np.float32)
    confidence = np.empty(n, dtype=np.float32)
    suggested = np.empty(n, dtype=label_dtype(k))
    sums, counts = np.zeros(k + 1), np.zeros(k + 1, dtype=np.int64)
    for i in range(dataset.n_images):
        window = dataset.window(i)
        part = np.asarray(of_image(i))
        if part.shape != (k, *dataset.size(i)) or part.dtype.kind != "f":
            raise InputError(
                f"The probabilities of image {dataset.image_ids[i]} have shape {part.shape} and type {part.dtype}; "
                f"(classes, height, width) = {(k, *dataset.size(i))} of float is needed."
            )
        columns = np.ascontiguousarray(part).reshape(k, -1)
        for first in range(window.start, window.stop, _BLOCK):
            rows = slice(first, min(first + _BLOCK, window.stop))
            block = columns[:, first - window.start : rows.stop - window.start]
            own = _one_block(block, dataset.given[rows], quality[rows], suggested[rows], confidence[rows])
            if own is None:
                raise InputError(
                    f"The probabilities of image {dataset.image_ids[i]} are not from 0 to 1 with a sum of 1 per pixel; "
                    "pass softmax values."
                )
            sums += np.bincount(own, weights=quality[rows], minlength=k + 1)
            counts += np.bincount(own, minlength=k + 1)
    # The last entry gathered the pixels without a label.
    thresholds = np.maximum(sums[:k] / np.maximum(counts[:k], 1), 2 * _SLACK) - _SLACK
    flagged = _flags(dataset, quality, suggested, confidence, thresholds.astype(np.float32))
    np.clip(quality, 0.0, 1.0, out=quality)
    np.clip(confidence, 0.0, 1.0, out=confidence)
    pooled = image_quality(dataset, quality)
    worst = np.argsort(pooled, kind="stable")[:10]
    return Detection(
        method="confident-learning",
        quality=quality,  # type: ignore[arg-type]
        flagged=flagged,
        suggested=suggested,  # type: ignore[arg-type]
        confidence=confidence,  # type: ignore[arg-type]
        info={
            "worst_images": {dataset.image_ids[i]: round(float(pooled[i]), 4) for i in worst},
            "cpu_seconds": round(time.process_time() - started, 2),
        },
    )


def _one_block(
    block: NDArray[Any],
    given: NDArray[Any],
    quality: NDArray[np.float32],
    suggested: NDArray[Any],
    confidence: NDArray[np.float32],
) -> NDArray[np.intp] | None:
    """Fill in some pixels; their labels, K for none, or None where these are no probabilities."""
    k, m = block.shape
    top = block.max(axis=0)
    total = block.sum(axis=0)
    # A NaN is no less than any of these.
    sound = float(block.min()) >= -_ROUNDING and float(np.abs(total - 1).max()) <= _ROUNDING
    if not sound:
        return None
    # The first class that reaches the top, counted from the last so that it is a maximum of small integers.
    if k <= 127:
        from_last = np.zeros(m, dtype=np.int8)
        for j in range(k - 1):
            np.maximum(from_last, (block[j] == top).view(np.int8) * np.int8(k - 1 - j), out=from_last)
        np.subtract(k - 1, from_last, out=suggested, casting="unsafe")
    else:
        suggested[:] = block.argmax(axis=0)
    confidence[:] = top
    own = given.astype(np.intp)
    place = np.maximum(own, 0)
    place *= block.strides[0] // block.itemsize
    place += np.arange(m)
    # The block is a view of whole columns, so places count along the columns' own length.
    flat = np.lib.stride_tricks.as_strided(block, (int(place.max()) + 1,), (block.itemsize,), writeable=False)
    found = flat.take(place)
    np.copyto(quality, found, where=given >= 0, casting="unsafe")
    own[given < 0] = k
    return own


def _flags(
    dataset: MaskDataset,
    quality: NDArray[np.float32],
    suggested: NDArray[Any],
    confidence: NDArray[np.float32],
    thresholds: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """The N least probable labels, less those that are the most probable class; N are confidently of another."""
    flagged = np.empty(dataset.n_units, dtype=bool)
    number, low = 0, []
    for i in range(dataset.n_images):
        rows = dataset.window(i)
        given, own = dataset.given[rows], quality[rows]
        disputed = (suggested[rows] != given) & (given >= 0)
        flagged[rows] = disputed
        where = np.flatnonzero(disputed)
        number += int((confidence[rows][where] >= thresholds[suggested[rows][where]]).sum())
        # One whose class is not the most probable has less than half; so have those below the cut.
        low.append(own[(own <= _HALF) & (given >= 0)])
    if number == 0:
        flagged[:] = False
        return flagged
    values = np.concatenate(low)
    cut = np.partition(values, number - 1)[number - 1]
    left = number - int((values < cut).sum())
    for i in range(dataset.n_images):
        rows = dataset.window(i)
        own, mask = quality[rows], flagged[rows]
        mask &= own <= cut
        tied = np.flatnonzero(mask & (own == cut))
        mask[tied[max(left, 0) :]] = False
        left -= len(tied)
    return flagged
