"""When a network begins to memorise wrong masks, class by class: agreement with labels that it saw and did not see.

Two networks learn one half of the images each. What they agree on with the labels of the other half is learnt, what
they agree on with their own labels alone is memorised, or learnt from too few images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.training.task import Split
from labelnoise.core.validation import InputError, choose
from labelnoise.segmentation.dataset import MaskDataset

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Curves", "Onsets", "cross_fit_curves", "memorisation_onsets", "onsets_of"]

_DRAWS = 400
#: A class whose IoU with unseen labels has reached this is being learnt.
_LEARNT = 0.1


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Agreement with the given labels over training, image by image.

    Attributes
    ----------
    epochs : ndarray of int64, shape (e,)
        After how many passes over its half a network was measured.
    own, other : ndarray of int64, shape (e, m, K, 3)
        Pixels that label and prediction share, predicted pixels, labelled pixels, of every image and class; by the
        network that learnt the image's labels, and by one that did not.
    class_names : tuple of str
    """

    epochs: NDArray[np.int64]
    own: NDArray[np.int64]
    other: NDArray[np.int64]
    class_names: tuple[str, ...]

    def iou(self, which: str = "other", weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """IoU per measurement and class, (e, K), or (b, e, K) with a row of image weights (b, m) per draw.

        0 where a class is neither labelled nor predicted.
        """
        counts = getattr(self, which)
        if weights is None:
            weights = np.ones((1, counts.shape[1]))
            return np.asarray(self.iou(which, weights)[0])
        sums = np.einsum("bm,emks->beks", weights, counts.astype(np.float64), optimize=True)
        union = sums[..., 1] + sums[..., 2] - sums[..., 0]
        return np.asarray(sums[..., 0] / np.maximum(union, 1))


@dataclass(frozen=True, kw_only=True)
class Onsets:
    """When classes begin to be memorised.

    Attributes
    ----------
    epoch : tuple of int or None
        Per class the first measurement at which labels are memorised; None where that is never sure.
    peak : tuple of int
        Per class when agreement with unseen labels, a mean of three measurements, was highest.
    confidence : ndarray of float, shape (e, K)
        Share of bootstrap draws in which seen labels were ahead by more than the margin.
    ahead : ndarray of float, shape (e, K)
        IoU with labels seen less that with labels not seen.
    """

    epoch: tuple[int | None, ...]
    peak: tuple[int, ...]
    confidence: NDArray[np.float64]
    ahead: NDArray[np.float64]


def image_counts(run: Run, split: Split) -> NDArray[np.int64]:
    """Shared, predicted and labelled pixels per image and class, (images, K, 3), of a split of a task of masks."""
    task = run.task
    k = task.n_classes
    sizes = task.dataset.sizes[task.rows[split]].prod(axis=1)  # type: ignore[attr-defined]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    made = np.zeros((len(sizes), k, 3), dtype=np.int64)
    for units in run.scan(run.members[0], split):
        ids, labels = units.ids.cpu().numpy(), units.labels.cpu().numpy()
        predicted = units.logits.argmax(1).cpu().numpy()
        image = np.searchsorted(starts, ids, side="right") - 1
        known = labels >= 0
        for which, use in ((0, known & (labels == predicted)), (1, known), (2, known)):
            values = labels if which == 2 else predicted
            cells = image[use] * k + values[use]
            made[..., which] += np.bincount(cells, minlength=len(sizes) * k).reshape(len(sizes), k)
    return made


def cross_fit_curves(
    dataset: MaskDataset,
    seed: int,
    *,
    rows: NDArray[np.int64] | None = None,
    epochs: int = 60,
    points: int = 16,
    longest: int | None = 256,
    unseen_against: Literal["given", "true"] = "given",
    task_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Curves:
    """Train two networks on one half of the images each, and follow what they agree on with all labels.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
        Deals images into halves and draws the networks.
    rows : ndarray of int, optional
        Images to use; by default those of the split "train", or all with labels.
    epochs : int
        Of each network over its half, so that both together cost as much as one training on all images.
    points : int
        Number of measurements, evenly spread.
    longest : int, optional
    unseen_against : {"given", "true"}
        What ``other`` counts agreement with. "true" is for judging what is told of the given labels, not for telling.
    task_options
        Of `labelnoise.segmentation.mask_task.MaskTask`.
    **options
        Of `labelnoise.segmentation.train_methods.fit`.
    """
    from labelnoise.segmentation.mask_task import MaskTask, Pictures, image_splits
    from labelnoise.segmentation.train_methods import fit

    if choose(unseen_against, ("given", "true"), "unseen_against") == "true" and dataset.true is None:
        raise InputError("True labels are not known here; take unseen_against='given'.")
    used = image_splits(dataset)["train"] if rows is None else np.asarray(rows, dtype=np.int64)
    if len(used) < 4:
        raise InputError(f"{len(used)} images cannot be halved; 4 labelled ones or more are needed.")
    if epochs < points or points < 4:
        raise InputError(
            f"{points} measurements in {epochs} epochs are not possible; take 4 or more, and epochs."
        )
    order = generator(seed, "halves of images").permutation(len(used))
    halves = [np.sort(order[i::2]) for i in range(2)]
    pictures = Pictures(dataset, longest)
    every = max(1, epochs // points)
    own: dict[int, NDArray[np.int64]] = {}
    other: dict[int, NDArray[np.int64]] = {}
    for number, half in enumerate(halves):
        rest = halves[1 - number]
        task = MaskTask(
            # A test split is measured by true labels where they are known.
            dataset if unseen_against == "true" else replace(dataset, true=None),
            train=used[half],
            test=used[rest],
            pictures=pictures,
            **dict(task_options or {}),
        )

        def watch(run: Run, half: Any = half, rest: Any = rest) -> None:
            epoch = run.epoch + 1
            if epoch % every == 0:
                for kept, where, split in ((own, half, "train"), (other, rest, "test")):
                    kept.setdefault(epoch, np.zeros((len(used), dataset.n_classes, 3), np.int64))
                    kept[epoch][where] = image_counts(run, split)  # type: ignore[arg-type]

        settings = {"ema": None, "select": "last", **options}
        fit(task, 2 * seed + number, epochs=epochs, callbacks=(watch,), **settings)
    measured = sorted(own)
    return Curves(
        epochs=np.array(measured),
        own=np.stack([own[epoch] for epoch in measured]),
        other=np.stack([other[epoch] for epoch in measured]),
        class_names=dataset.class_names,
    )


def onsets_of(
    curves: Curves, *, seed: int = 0, threshold: float = 0.2, confidence: float = 0.95, runs: int = 2
) -> Onsets:
    """From which measurement on networks agree with labels that they saw more than learning explains.

    Parameters
    ----------
    curves : Curves
    seed : int
        Of the bootstrap.
    threshold : float
        What IoU with labels seen may be ahead of IoU with labels not seen for want of images alone.
    confidence : float
        Share of bootstrap draws of images in which it must be ahead by more.
    runs : int
        Measurements in a row.

    Returns
    -------
    Onsets

    Notes
    -----
    Labels that the networks predict for images that they had not seen, learnt by fresh networks, might seem to show
    what learning costs. They do not: where given outlines are displaced at random, predictions are as hard to learn
    as the labels.

    Examples
    --------
    >>> seen = np.tile(np.array([[[50, 50, 50]], [[90, 90, 90]]])[:, None], (1, 20, 1, 1))
    >>> seen = np.concatenate([seen, seen[1:]])
    >>> unseen = seen.copy()
    >>> unseen[1:, ..., 0] = 50
    >>> make = lambda other: Curves(epochs=np.array([4, 8, 12]), own=seen, other=other, class_names=("a",))
    >>> onsets_of(make(unseen)).epoch, onsets_of(make(seen)).epoch
    ((8,), (None,))
    """
    if not (0 <= threshold < 1 and 0.5 <= confidence < 1 and runs >= 1):
        raise InputError(
            "threshold lies from 0 to below 1, confidence from .5 to below 1, and runs is 1 or more."
        )
    m = curves.own.shape[1]
    weights = generator(seed, "images, drawn").multinomial(m, np.full(m, 1 / m), size=_DRAWS)
    ahead = curves.iou("own", weights) - curves.iou("other", weights)
    sure = (ahead > threshold).mean(axis=0)
    other = curves.iou("other")
    # Before a class is found in unseen images at all, two networks differ by chance.
    sure[np.maximum.accumulate(other, axis=0) < _LEARNT] = 0.0
    streak = np.ones(sure.shape, dtype=bool)
    for shift in range(runs):
        moved = np.zeros_like(streak)
        moved[: len(sure) - shift] = sure[shift:] >= confidence
        streak &= moved
    fired = [int(curves.epochs[np.flatnonzero(s)[0]]) if s.any() else None for s in streak.T]
    count = np.convolve(np.ones(len(other)), np.ones(3), "same")
    smooth = [np.convolve(column, np.ones(3), "same") / count for column in other.T]
    return Onsets(
        epoch=tuple(fired),
        peak=tuple(int(curves.epochs[int(column.argmax())]) for column in smooth),
        confidence=sure,
        ahead=curves.iou("own") - other,
    )


def memorisation_onsets(
    dataset: MaskDataset, seed: int, *, threshold: float = 0.2, confidence: float = 0.95, **options: Any
) -> tuple[Onsets, Curves]:
    """Train on two halves, and test each class for memorisation.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    threshold, confidence
        Of `onsets_of`.
    **options
        Of `cross_fit_curves`.
    """
    curves = cross_fit_curves(dataset, seed, **options)
    return onsets_of(curves, seed=seed, threshold=threshold, confidence=confidence), curves
