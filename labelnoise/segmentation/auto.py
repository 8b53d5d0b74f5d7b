"""The trainer for masks whose noise nobody knows: candidates are tried on images held out, by their noisy labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError, choose
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.evaluation import ConfusionCounts
from labelnoise.segmentation.mask_task import image_splits

__all__ = ["agreement_by_image", "compared", "train_auto", "try_candidates"]

#: Fewer labelled images than these are not divided further.
_LEAST = 8
_DRAWS = 400
#: Standard errors by which a candidate must be better than the first.
_SURE = 2.0


def train_auto(
    dataset: MaskDataset,
    seed: int,
    *,
    candidates: tuple[str, ...] = ("plain", "signed-distance"),
    held_out: float = 0.25,
    background: int | None = None,
    longest: int | None = 256,
    epochs: int | None = None,
    **options: Any,
) -> Trained:
    """Train each candidate without some images, take the one that agrees best with their labels, train it on all.

    Parameters
    ----------
    dataset : MaskDataset
        With images. A split "val" is what is held out, else a share of the training images.
    seed : int
    candidates : tuple of str
        Of `labelnoise.segmentation.trainers.TRAINERS`; the first one is kept unless another is better by more than
        two standard errors of the difference.
    held_out : float
        Share of the images, between 0 and 1.
    background : int, optional
        The class that surrounds the others; by default the one called so. Without it signed distances are no
        candidate.
    longest : int, optional
    epochs : int, optional
        Of every candidate; by default each has its own.
    **options
        Passed to every candidate.

    Returns
    -------
    Trained
        ``info``: the candidate chosen, mean IoU of each with the held-out labels, the difference to the first and
        its standard error; and what the chosen trainer says.

    Notes
    -----
    Held-out labels are as wrong as the others. While they are wrong in both directions alike, who is nearer to the
    truth agrees with them better; where all are wrong in the same way, none of the candidates can tell, and a few
    clean masks are needed ("clean-mask-stacker").

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_auto(scenes(12, 32), 0, epochs=2)
    >>> result.method, sorted(result.info["held_out_mean_iou"])
    ('auto', ['plain', 'signed-distance'])
    """
    from labelnoise.segmentation.distance_methods import background_of
    from labelnoise.segmentation.trainers import TRAINERS

    if epochs is not None:
        options["epochs"] = epochs
    for name in candidates:
        choose(name, [key for key in TRAINERS if key not in ("auto", "clean-mask-stacker")], "candidate")
    if not candidates or len(set(candidates)) < len(candidates) or not 0 < held_out < 1:
        raise InputError(
            "Give one candidate or more, each once, and a share of held-out images between 0 and 1."
        )
    outside = background_of(dataset) if background is None else background
    able = [name for name in candidates if name != "signed-distance" or outside is not None] or ["plain"]
    rows = image_splits(dataset)
    train = rows["train"]
    warnings: tuple[str, ...] = ()
    info: dict[str, Any] = {}
    best = able[0]
    if len(able) > 1 and len(train) < _LEAST and "validation" not in rows:
        warnings = (
            f"{len(train)} images are too few to hold some out; {best} was taken without a comparison.",
        )
    elif len(able) > 1:
        best, info = try_candidates(
            dataset, seed, candidates=able, held_out=held_out, background=outside, longest=longest, **options
        )
    result = _trained(best, dataset, seed, outside, longest, options)
    return replace(
        result,
        method="auto",
        warnings=(*result.warnings, *warnings),
        info={"chosen": best, **info, **dict(result.info)},
    )


def try_candidates(
    dataset: MaskDataset,
    seed: int,
    *,
    candidates: Sequence[str],
    held_out: float = 0.25,
    background: int | None = None,
    longest: int | None = 256,
    **options: Any,
) -> tuple[str, dict[str, Any]]:
    """Which trainer agrees best with labels that it did not see, and by how much.

    Parameters
    ----------
    dataset, seed, candidates, held_out, background, longest, **options
        Of `train_auto`.

    Returns
    -------
    str
        The first, unless another is better by more than two standard errors.
    dict
        As `compared` returns it.
    """
    rows = image_splits(dataset)
    aside = rows.get("validation", _some(rows["train"], held_out, seed))
    trial = _without(dataset, np.setdiff1d(rows["train"], aside))
    counts = {}
    for name in candidates:
        made = _trained(name, trial, seed, background, longest, options)
        counts[name] = agreement_by_image(dataset, made.predicted, aside)
    info = compared(counts, seed)
    gains = info["gain"]
    better = [name for name in candidates[1:] if gains[name] > _SURE * info["standard_error"][name]]
    return max(better, key=lambda name: float(gains[name]), default=candidates[0]), info


def agreement_by_image(
    dataset: MaskDataset, predicted: NDArray[Any], images: Sequence[int] | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Shared, predicted and given pixels per image and class, shape (len(images), K, 3)."""
    made = np.zeros((len(images), dataset.n_classes, 3), dtype=np.int64)
    for b, i in enumerate(images):
        found = ConfusionCounts(dataset.n_classes)
        found.update(dataset.given[dataset.window(int(i))], predicted[dataset.window(int(i))])
        square = found.counts[:, :-1]
        made[b] = np.stack([np.diag(square), square.sum(axis=0), found.counts.sum(axis=1)], axis=1)
    return made


def compared(counts: Mapping[str, NDArray[np.int64]], seed: int = 0) -> dict[str, Any]:
    """Mean IoU of each candidate, and gain over the first with its standard error by a bootstrap over images.

    Parameters
    ----------
    counts : mapping of str to ndarray of int64, shape (m, K, 3)
        As `agreement_by_image` gives them, of the same images.

    Examples
    --------
    >>> one = np.array([[[8, 10, 10]], [[8, 10, 10]]])
    >>> found = compared({"a": one, "b": one + [1, 0, 0]})
    >>> found["held_out_mean_iou"], found["gain"]["b"], found["standard_error"]["b"]
    ({'a': 0.6667, 'b': 0.8182}, 0.1515, 0.0)
    """
    names = list(counts)
    m = len(counts[names[0]])
    draws = generator(seed, "held-out images").multinomial(m, np.full(m, 1 / m), size=_DRAWS)
    weights = np.concatenate([np.ones((1, m)), draws])
    values = {name: _mean_iou(counts[name], weights) for name in names}
    gains = {name: values[name] - values[names[0]] for name in names}
    return {
        "held_out_mean_iou": {name: round(float(values[name][0]), 4) for name in names},
        "gain": {name: round(float(gains[name][0]), 4) for name in names},
        "standard_error": {name: round(float(gains[name][1:].std()), 4) for name in names},
    }


def _mean_iou(counts: NDArray[np.int64], weights: NDArray[Any]) -> NDArray[np.float64]:
    """Mean IoU over the classes given, per row of image weights."""
    hit, predicted, given = np.einsum("bm,mks->sbk", weights, counts.astype(np.float64))
    iou = hit / np.maximum(predicted + given - hit, 1)
    occurs = given > 0
    return np.asarray((iou * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1))


def _some(rows: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    size = min(max(2, round(share * len(rows))), len(rows) - 2)
    return np.sort(generator(seed, "held-out images, drawn").permutation(rows)[:size])


def _without(dataset: MaskDataset, train: NDArray[np.int64]) -> MaskDataset:
    """The data set with labels in these images alone, so that no trainer sees the others'."""
    mask = np.zeros(dataset.n_images, dtype=bool)
    mask[train] = True
    given = dataset.given.copy()
    for i in np.flatnonzero(~mask):
        given[dataset.window(int(i))] = NO_LABEL
    return replace(dataset, given=given, true=None, splits={"train": mask})


def _trained(
    name: str,
    dataset: MaskDataset,
    seed: int,
    background: int | None,
    longest: int | None,
    options: Mapping[str, Any],
) -> Trained:
    from labelnoise.segmentation.trainers import TRAINERS

    entry = TRAINERS[name]
    own = {"background": background} if name == "signed-distance" else {}
    result: Trained = entry.load()(dataset, seed, **{**entry.options, **own, "longest": longest, **options})
    return result
