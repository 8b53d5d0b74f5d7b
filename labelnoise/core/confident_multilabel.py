"""Confident learning on multi-label problems, one class against the rest at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import SLACK, Floats
from labelnoise.core.confident_learning import (
    PRUNE_RULES,
    Ties,
    check_options,
    lowest,
    lowest_among,
    prune_counts,
)
from labelnoise.core.quality import check_cells, multilabel_quality
from labelnoise.core.transition import scale_joint
from labelnoise.core.validation import choose

__all__ = ["confident_learning_multilabel"]

#: Columns copied together; eight float64 make one cache line of a row.
_COLUMNS = 8


def confident_learning_multilabel(
    labels: ArrayLike,
    probs: ArrayLike,
    *,
    rule: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    min_per_class: int = 1,
    ties: Ties = "numpy",
    level: Literal["cell", "unit"] = "cell",
) -> NDArray[np.bool_]:
    """Flag the wrong cells of a multi-label indicator matrix, or the units that have any.

    Parameters
    ----------
    labels : array_like of int, shape (n, K)
        1 where the class is given, 0 where not, -1 where unknown. Unknown cells are never flagged and
        change nothing.
    probs : array_like of float, shape (n, K)
        Out-of-sample probability of each class, columns independent. Memory maps stay on disk.
    rule, frac_noise, min_per_class, ties
        As in `labelnoise.core.confident_learning.confident_learning`, applied to each class as a problem
        of two classes, 1 - p and p.
    level : {"cell", "unit"}
        ``"unit"`` flags the units with a flagged cell, except that for the rules
        ``"low_self_confidence"`` and ``"low_normalized_margin"`` it flags as many units as the rule
        ``"confident_learning"`` does, those with the lowest quality pooled over their cells
        (self-confidence, moving average). Units without a known cell are never flagged.

    Returns
    -------
    ndarray of bool, shape (n, K), or (n,) for units
        True where the label is called wrong.

    Raises
    ------
    InputError
        Input or options outside of what is said above.

    References
    ----------
    Thyagarajan et al. (2023), Identifying incorrect annotations in multi-label classification data.
    Equal to ``cleanlab.multilabel_classification.filter`` of cleanlab 2.9:
    ``find_multilabel_issues_per_class`` for cells, ``find_label_issues`` for units.

    Examples
    --------
    >>> labels = [[1, 0], [1, 0], [1, 1], [0, 1], [0, 1], [0, -1]]
    >>> probs = [[0.9, 0.2], [0.8, 0.1], [0.1, 0.9], [0.2, 0.8], [0.1, 0.1], [0.9, 0.5]]
    >>> confident_learning_multilabel(labels, probs).astype(int)
    array([[0, 0],
           [0, 0],
           [1, 0],
           [0, 0],
           [0, 1],
           [1, 0]])
    """
    choose(level, ("cell", "unit"), "level")
    fraction = check_options(rule, frac_noise, min_per_class, ties)
    given, p = check_cells(labels, probs)
    pooled = level == "unit" and rule in ("low_self_confidence", "low_normalized_margin")
    per_cell = level == "cell"
    flagged = np.zeros(p.shape if per_cell else len(p), dtype=bool)
    for c, own, column in _columns(given, p):
        known = own >= 0
        if not known.all():
            own, column = own[known], column[known]
        mask = _one_class(
            own == 1, column, "confident_learning" if pooled else rule, fraction, min_per_class, ties
        )
        if per_cell:
            flagged[known, c] = mask
        else:
            flagged[known] |= mask
    if pooled:
        quality = multilabel_quality(given, p, pool="ema")
        return lowest_among(quality, np.asarray((given >= 0).any(axis=1)), int(flagged.sum()), ties)
    return flagged


def _columns(labels: NDArray[np.int8], probs: Floats) -> Iterator[tuple[int, NDArray[np.int8], Floats]]:
    """Class by class its cells and probabilities, contiguous."""
    k = probs.shape[1]
    for start in range(0, k, _COLUMNS):
        some = slice(start, min(start + _COLUMNS, k))
        own, p = np.ascontiguousarray(labels[:, some].T), np.ascontiguousarray(probs[:, some].T)
        for c in range(len(p)):
            yield start + c, own[c], p[c]


@dataclass(frozen=True)
class _Side:
    """The units that are given the class, or those that are not.

    Attributes
    ----------
    members : ndarray of int
        Their positions.
    own, other : ndarray of float
        Probability of what they are given, and of the opposite.
    """

    members: NDArray[np.intp]
    own: Floats
    other: Floats


def _one_class(
    positive: NDArray[np.bool_], p: Floats, rule: str, frac_noise: float, min_per_class: int, ties: Ties
) -> NDArray[np.bool_]:
    """Confident learning with two classes: the general rules, written out for speed."""
    sides = []
    for is_given in (False, True):
        members = np.flatnonzero(positive == is_given)
        mine = p[members]
        sides.append(_Side(members, mine, 1 - mine) if is_given else _Side(members, 1 - mine, mine))
    flagged = np.zeros(len(p), dtype=bool)
    if rule == "predicted_neq_given":
        for given, side in enumerate(sides):
            flagged[side.members] = _disputed(side, given)
        return flagged

    means: list[Any] = [np.mean(side.own) if len(side.own) else 2 for side in sides]
    lowered = np.clip(means, 2 * SLACK, None) - SLACK
    joint = np.zeros((2, 2), dtype=np.int64).T
    counted = []
    for given, side in enumerate(sides):
        own_sure, other_sure = side.own >= lowered[given], side.other >= lowered[1 - given]
        # Where both classes are confident the more probable one counts, class 0 if they are level.
        ahead = side.other > side.own if given == 0 else side.other >= side.own
        swapped = other_sure & (ahead | ~own_sure)
        joint[given, 1 - given] = np.count_nonzero(swapped)
        joint[given, given] = np.count_nonzero(own_sure | other_sure) - joint[given, 1 - given]
        if rule not in PRUNE_RULES:
            counted.append(swapped & _disputed(side, given))
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))

    if rule not in PRUNE_RULES:
        for side, mask in zip(sides, counted):
            flagged[side.members] = mask
        if rule == "confident_learning":
            return flagged
        quality = np.empty(len(p), dtype=p.dtype)
        for side in sides:
            margin = rule == "low_normalized_margin"
            quality[side.members] = (side.own - side.other + 1) / 2 if margin else side.own
        return lowest(quality, int(flagged.sum()), ties)

    to_prune = prune_counts(
        scale_joint(joint, np.array([len(side.members) for side in sides])), frac_noise, min_per_class
    )
    for given, side in enumerate(sides):
        size = len(side.members)
        if size <= max(min_per_class, 1):
            continue
        mask = _disputed(side, given)
        if rule in ("prune_by_class", "both"):
            mask &= lowest(side.own, size - int(to_prune[given, given]), ties)
        if rule in ("prune_by_noise_rate", "both"):
            mask &= _widest_margins(side, int(to_prune[1 - given, given]), ties)
        flagged[side.members] = mask
    return flagged


def _disputed(side: _Side, given: int) -> NDArray[np.bool_]:
    """The other class is the more probable one, even if the given one had `SLACK` more."""
    raised = side.own + side.own.dtype.type(SLACK)
    # The first of equal maxima wins: a raised class 0 wins when level, a raised class 1 does not.
    return raised < side.other if given == 0 else raised <= side.other


def _widest_margins(side: _Side, count: int, ties: Ties) -> NDArray[np.bool_]:
    """Mask of the ``count`` units that lean most towards the other class."""
    lead = side.own - side.other
    leaning = lead[lead < -2 * SLACK]
    if 0 < count <= len(leaning):
        mask: NDArray[np.bool_] = lead <= np.partition(leaning, count - 1)[count - 1]
        if np.count_nonzero(mask) == count:
            return mask
    return lowest(-(side.other - side.own), count, ties)
