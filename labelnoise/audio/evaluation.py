"""How well scores rank and find the tags of clips: lwlrap, average precision, F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_multilabel, choose

__all__ = ["F1", "Lwlrap", "average_precision", "lwlrap", "tag_f1"]

#: Clips ranked at a time, so that a large set needs no second matrix of its size.
_BLOCK = 4096


@dataclass(frozen=True)
class Lwlrap:
    """Label-weighted label-ranking average precision.

    Attributes
    ----------
    value : float
        Mean precision over all present tags, 0 to 1.
    per_class : ndarray of float64, shape (K,)
        The same over each tag's clips; NaN for a tag that no clip has.
    weight : ndarray of float64, shape (K,)
        Share of each tag among the present ones; ``value`` is their weighted mean.
    """

    value: float
    per_class: NDArray[np.float64]
    weight: NDArray[np.float64]


def lwlrap(tags: ArrayLike, scores: ArrayLike, *, ties: str = "pessimistic") -> Lwlrap:
    """Label-weighted label-ranking average precision, the measure of DCASE 2019 task 2.

    For a clip i with present tags P and ``rank(c)`` the place of tag c by falling score,
    ``prec(i, c) = #{p in P : rank(p) <= rank(c)} / rank(c)``; the value is the mean over all present (i, c).

    Parameters
    ----------
    tags : array_like, shape (m, K)
        1 present, 0 absent, -1 not known: such a tag is left out of its clip's ranking.
    scores : array_like, shape (m, K)
        Higher means more likely present.
    ties : {"pessimistic", "dcase"}
        Equal scores all get their worst place, as in scikit-learn; or the later tag comes first, as in the
        challenge's own code, which rewards constant scores by the order of the classes.

    Returns
    -------
    Lwlrap

    Raises
    ------
    InputError
        No tag is present, shapes differ, or scores hold NaN.

    References
    ----------
    Fonseca et al., "Audio tagging with noisy labels and minimal supervision", DCASE 2019.

    Examples
    --------
    >>> result = lwlrap([[1, 0, 0], [0, 1, 1]], [[0.1, 0.9, 0.2], [0.8, 0.7, 0.1]])
    >>> round(result.value, 4), result.per_class.round(4).tolist()
    (0.5, [0.3333, 0.5, 0.6667])
    """
    choose(ties, ("pessimistic", "dcase"), "way to treat ties")
    truth, values = _checked(tags, scores)
    m, k = truth.shape
    sums, counts = np.zeros(k), (truth == 1).sum(axis=0)
    if not counts.sum():
        raise InputError("No tag is present in any clip, so there is nothing to rank; give labelled clips.")
    for start in range(0, m, _BLOCK):
        block = truth[start : start + _BLOCK]
        sums += _precisions(block, values[start : start + _BLOCK], ties).sum(axis=0)
    with np.errstate(invalid="ignore"):
        per_class = sums / np.where(counts, counts, np.nan)
    return Lwlrap(float(sums.sum() / counts.sum()), per_class, counts / counts.sum())


def average_precision(tags: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Average precision of each tag over the clips; their `numpy.nanmean` is the mAP.

    Clips whose tag is not known (-1) are left out of that tag. Equal scores count as one step, as in
    scikit-learn's ``average_precision_score``.

    Parameters
    ----------
    tags : array_like, shape (m, K)
    scores : array_like, shape (m, K)

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN for a tag that no clip has.

    Examples
    --------
    >>> average_precision([[1, 0], [0, 0], [1, -1]], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]).round(4).tolist()
    [0.8333, nan]
    """
    truth, values = _checked(tags, scores)
    return np.array([_one_average_precision(t, v) for t, v in zip(truth.T, values.T)])


@dataclass(frozen=True)
class F1:
    """F1 of tags.

    Attributes
    ----------
    micro : float
        Over all (clip, tag) pairs together.
    macro : float
        Mean of the tags that are present or predicted somewhere.
    per_class : ndarray of float64, shape (K,)
        NaN for a tag that is neither.
    """

    micro: float
    macro: float
    per_class: NDArray[np.float64]


def tag_f1(tags: ArrayLike, predicted: ArrayLike) -> F1:
    """F1 of predicted tags, pairs whose tag is not known (-1) left out.

    Parameters
    ----------
    tags : array_like, shape (m, K)
        1 present, 0 absent, -1 not known.
    predicted : array_like of 0, 1 or bool, shape (m, K)

    Raises
    ------
    InputError
        Shapes differ, or no tag is present or predicted.

    Examples
    --------
    >>> found = tag_f1([[1, 0], [1, 1], [0, -1]], [[1, 0], [0, 1], [1, 1]])
    >>> round(found.micro, 4), found.macro, found.per_class.tolist()
    (0.6667, 0.75, [0.5, 1.0])
    """
    truth = as_multilabel(tags, name="tags")
    said = as_multilabel(predicted, name="predicted")
    if truth.shape != said.shape or (said < 0).any():
        raise InputError(
            f"predicted has shape {said.shape} for tags of shape {truth.shape}; give 0 or 1 for each of them."
        )
    known = truth >= 0
    right = ((truth == 1) & (said == 1)).sum(axis=0)
    both = (truth == 1).sum(axis=0) + ((said == 1) & known).sum(axis=0)
    if not both.sum():
        raise InputError("No tag is present or predicted, so F1 is not defined; give labelled clips.")
    per_class = 2 * right / np.where(both, both, np.nan)
    return F1(float(2 * right.sum() / both.sum()), float(np.nanmean(per_class)), per_class)


def _checked(tags: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.floating[Any]]]:
    truth = as_multilabel(tags, name="tags")
    values = np.asarray(scores)
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    if values.shape != truth.shape:
        raise InputError(
            f"scores has shape {values.shape} for tags of shape {truth.shape}; give one score per clip and tag."
        )
    if np.isnan(values).any():
        clip = int(np.flatnonzero(np.isnan(values).any(axis=1))[0])
        raise InputError(f"scores holds NaN, first for clip {clip}; give a number for every clip and tag.")
    return truth, values


def _precisions(truth: NDArray[np.int8], scores: NDArray[Any], ties: str) -> NDArray[np.float64]:
    """``prec(i, c)`` where tag c is present in clip i, 0 elsewhere; shape (m, K)."""
    m, k = truth.shape
    # A reversed ascending order puts the later of two equal scores first: the challenge's order of ties.
    order = np.argsort(scores, axis=1, kind="stable")[:, ::-1]
    sorted_truth = np.take_along_axis(truth, order, axis=1)
    hits = np.cumsum(sorted_truth == 1, axis=1)
    ranks = np.cumsum(sorted_truth >= 0, axis=1)
    if ties == "pessimistic":
        ordered = np.take_along_axis(scores, order, axis=1)
        last = np.ones((m, k), dtype=bool)
        last[:, :-1] = ordered[:, :-1] != ordered[:, 1:]
        # Everyone in a run of equal scores gets the counts at the run's end.
        ends = np.where(last, np.arange(k), k)
        ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
        hits, ranks = np.take_along_axis(hits, ends, axis=1), np.take_along_axis(ranks, ends, axis=1)
    precision = np.where(sorted_truth == 1, hits / np.maximum(ranks, 1), 0.0)
    found = np.empty((m, k))
    np.put_along_axis(found, order, precision, axis=1)
    return found


def _one_average_precision(truth: NDArray[np.int8], scores: NDArray[Any]) -> float:
    known = truth >= 0
    present, values = truth[known] == 1, scores[known]
    if not present.any():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    present, values = present[order], values[order]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    hits = np.cumsum(present)[ends]
    return float((np.diff(hits, prepend=0) / hits[-1] * (hits / (ends + 1))).sum())
