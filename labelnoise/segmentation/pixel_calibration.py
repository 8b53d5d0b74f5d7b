"""From pixel probabilities to a calibrated probability and count, by a sample of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.calibrated import calibrate_scores
from labelnoise.core.detection import CountEstimate
from labelnoise.core.random import generator
from labelnoise.segmentation.dataset import MaskDataset

__all__ = ["Calibrated", "calibrate_pixels", "image_quality"]

#: More pixels than this tell little more about the share of wrong ones.
SAMPLE = 20_000


class Calibrated:
    """What `calibrate_pixels` found: a probability for any quality, the expected count, warnings."""

    def __init__(
        self,
        quality: NDArray[np.float64],
        p_wrong: NDArray[np.float64],
        count: CountEstimate,
        warnings: tuple[str, ...],
    ) -> None:
        order = np.argsort(quality, kind="stable")
        self._at, self._value = quality[order], np.minimum.accumulate(p_wrong[order])
        self.count, self.warnings = count, warnings

    def __call__(self, quality: NDArray[Any]) -> NDArray[np.float64]:
        """P(wrong) of pixels of this quality."""
        return np.interp(quality, self._at, self._value)


def calibrate_pixels(
    dataset: MaskDataset, probs: NDArray[Any], quality: NDArray[Any], seed: int, *, sample: int = SAMPLE
) -> Calibrated:
    """Calibrate on a random sample of the labelled pixels.

    Parameters
    ----------
    dataset : MaskDataset
    probs : ndarray of float, shape (n, K)
        That have not seen the pixel's own label.
    quality : ndarray of float, shape (n,)
    seed : int
    sample : int
        Pixels at most.

    Returns
    -------
    Calibrated
        Its interval holds the spread over images beside that of the simulated counts, since the errors of one image
        depend on each other.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(10)
    >>> probs = 0.9 * np.eye(5)[data.true] + 0.02
    >>> found = calibrate_pixels(data, probs, probs[np.arange(data.n_units), data.given], 0)
    >>> bool(found(np.array([0.02]))[0] > 0.8 > 0.1 > found(np.array([0.92]))[0])
    True
    """
    labelled = np.flatnonzero(dataset.given >= 0)
    rng = generator(seed, "pixels for calibration")
    rows = np.sort(rng.choice(labelled, min(sample, len(labelled)), replace=False))
    q = np.asarray(quality[rows], dtype=np.float64)
    found = calibrate_scores(
        dataset.given[rows], np.asarray(probs[rows], dtype=np.float64), q, resamples=3, seed=seed
    )
    assert found.p_wrong is not None
    assert found.count is not None
    scale = len(labelled) / len(rows)
    images = dataset.image_of(rows)
    sums = np.bincount(images, weights=found.p_wrong, minlength=dataset.n_images)
    spread = 1.96 * scale * float(np.sqrt(len(sums)) * sums.std())
    expected, low, high = (scale * v for v in (found.count.expected, found.count.low, found.count.high))
    count = CountEstimate(
        expected,
        max(0.0, expected - float(np.hypot(expected - low, spread))),
        min(float(len(labelled)), expected + float(np.hypot(high - expected, spread))),
        found.count.level,
        f"{found.count.method}; sample of {len(rows)} pixels, with the spread over images",
    )
    return Calibrated(q, found.p_wrong, count, found.warnings)


def image_quality(
    dataset: MaskDataset, quality: NDArray[Any], *, temperature: float = 0.1
) -> NDArray[np.float64]:
    """Quality of whole masks, led by their worst pixels, shape (m,); 1 for an image without labels.

    Mean of the pixels' qualities weighted by ``exp((1 - quality) / temperature)``, image by image.

    References
    ----------
    Lad, Mueller 2023, Estimating label quality and errors in semantic segmentation data via any model (softmin).

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1]], [[1, -1]]], ("a", "b"))
    >>> image_quality(data, np.array([0.9, 0.1, 0.8, 0.0])).round(2)
    array([0.1, 0.8])
    """
    made = np.ones(dataset.n_images)
    for i in range(dataset.n_images):
        window = dataset.window(i)
        q = np.asarray(quality[window], dtype=np.float64)[dataset.given[window] >= 0]
        if len(q):
            weight = np.exp((q.min() - q) / temperature)
            made[i] = float((weight * q).sum() / weight.sum())
    return made
