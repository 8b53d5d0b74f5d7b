"""Area under the margin: how far a unit's given class led the others while the network was trained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._unit_statistic import ONE, UnitStatistic, as_batch, as_numbers, finite
from labelnoise.core.random import generator
from labelnoise.core.validation import NO_LABEL, InputError, as_labels, check_same_length

__all__ = ["AreaUnderMargin", "aum_flag", "aum_flag_all", "margins", "threshold_samples"]


def margins(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.floating[Any]]:
    """The logit of the given class minus the largest other one.

    Parameters
    ----------
    logits : array_like or Tensor of float, shape (n, K)
        K >= 2.
    labels : array_like or Tensor of int, shape (n,)
        Given labels, -1 for "no label".

    Returns
    -------
    ndarray of float, shape (n,)
        In the units of the logits; 0 for units without a label.

    Raises
    ------
    InputError
        NaN or infinity in the logits of a labelled unit (but minus infinity, a class that is ruled out, may stand
        anywhere but in the given class), fewer than two classes, labels that are no class ids.

    References
    ----------
    Pleiss, Zhang, Elenberg, Weinberger (2020), Identifying mislabeled data using the area under the margin ranking,
    NeurIPS, equation 1.

    Examples
    --------
    >>> margins([[2.0, 0.5, 1.0], [2.0, 0.5, 1.0], [9.0, 9.0, 9.0]], [0, 1, -1])
    array([ 1. , -1.5,  0. ])
    """
    rows = as_numbers(logits, "logits", 2)
    z, y, ids = as_batch(rows, labels, np.arange(len(rows)), len(rows))
    result = np.zeros(len(rows), dtype=z.dtype)
    result[ids] = _margins(z, y)
    return result


def _margins(z: NDArray[np.floating[Any]], y: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    m, k = z.shape
    if k < 2:
        raise InputError(
            f"logits has {k} column{'' if k == 1 else 's'}; a margin needs at least two classes."
        )
    # One row per class: the largest of the others is then a maximum of whole rows.
    by_class = z.T.copy()
    rows = np.arange(m)
    own = by_class[y, rows]
    by_class[y, rows] = -np.inf
    with np.errstate(invalid="ignore"):
        # NaN and infinity anywhere in a row show up here, except -inf that is not the largest.
        lead = np.subtract(own, by_class.max(axis=0), out=own)
    finite(lead)
    return lead


class AreaUnderMargin(UnitStatistic):
    """Mean margin of each unit over all training passes: low means that the network resists the given label.

    Updated with the logits of the training passes themselves, from the first epoch until before the learning rate is
    first lowered. Batches may come in any order and hold a unit several times; nothing is ever sorted, results are by
    unit id.

    Parameters
    ----------
    n_units : int
        N.

    Attributes
    ----------
    sums : ndarray of float64, shape (N,)
    counts : ndarray of int32, shape (N,)
        Margins of each unit and how many they are.

    References
    ----------
    Pleiss, Zhang, Elenberg, Weinberger (2020), Identifying mislabeled data using the area under the margin ranking,
    NeurIPS, equation 2. Equal to the authors' package ``aum``.

    Examples
    --------
    >>> aum = AreaUnderMargin(4)
    >>> aum.update([[2.0, 0.0], [0.0, 1.0]], [0, 0], unit_ids=[3, 1])
    >>> aum.update([[4.0, 0.0]], [0], unit_ids=[3])
    >>> aum.values(), aum.seen
    (array([ 0., -1.,  0.,  3.]), array([False,  True, False,  True]))
    """

    _FIELDS = ("sums", "counts")

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.sums = np.zeros(n_units)
        self.counts = np.zeros(n_units, dtype=np.int32)

    def update(self, logits: Any, labels: Any, unit_ids: Any) -> None:
        """Add a batch.

        Parameters
        ----------
        logits : array_like or Tensor of float, shape (m, K)
            K >= 2.
        labels : array_like or Tensor of int, shape (m,)
            The labels that the network is trained on; units of label -1 are left out.
        unit_ids : array_like or Tensor of int, shape (m,)
            From 0 to N - 1.

        Raises
        ------
        InputError
            As in `margins`; ids out of range. Nothing is added then.
        """
        z, y, ids = as_batch(logits, labels, unit_ids, self.n_units)
        lead = _margins(z, y)
        # Not `sums[ids] += lead`, which counts a unit once that comes twice.
        np.add.at(self.sums, ids, lead.astype(np.float64))
        np.add.at(self.counts, ids, ONE)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Units with at least one margin."""
        return self.counts > 0

    def values(self) -> NDArray[np.float64]:
        """Mean margin per unit; 0 for units never seen."""
        return np.asarray(self.sums / np.maximum(self.counts, 1))


def threshold_samples(
    labels: ArrayLike, n_classes: int, *, seed: int, part: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give one share of the units, 1 / (K + 1), the label of a class K that does not exist.

    Their areas under the margin are what a wrong label looks like in this data set; `aum_flag` compares with them. The
    units so used are not judged themselves: a second run with ``part=1``, which takes other units, judges them.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are not used.
    n_classes : int
        K >= 1. The network needs K + 1 outputs.
    seed : int
    part : {0, 1}
        Which of two disjoint sets.

    Returns
    -------
    labels : ndarray of int64, shape (n,)
        To train on.
    threshold : ndarray of bool, shape (n,)
        True for the ``floor(m / (K + 1))`` of m labelled units that were relabelled.

    Raises
    ------
    InputError
        Labels that are no class ids, a part other than 0 and 1, fewer than K + 1 labelled units.

    References
    ----------
    Pleiss, Zhang, Elenberg, Weinberger (2020), Identifying mislabeled data using the area under the margin ranking,
    NeurIPS, section 3.2.

    Examples
    --------
    >>> given = [0, 1, 0, 1, 0, 1, -1]
    >>> threshold_samples(given, 2, seed=0)[0]
    array([ 0,  2,  0,  1,  2,  1, -1])
    >>> threshold_samples(given, 2, seed=0, part=1)[0]
    array([ 2,  1,  0,  2,  0,  1, -1])
    """
    if n_classes < 1:
        raise InputError(f"n_classes is {n_classes}; at least one class is needed.")
    given = as_labels(labels, n_classes=n_classes)
    if part not in (0, 1):
        raise InputError(
            f"part is {part!r}; it is 0 for the first and 1 for the second set of threshold samples."
        )
    known = np.flatnonzero(given != NO_LABEL)
    size = len(known) // (n_classes + 1)
    if not size:
        raise InputError(
            f"There are {len(known)} labelled units for {n_classes} classes; at least {n_classes + 1} are needed for "
            "one threshold sample."
        )
    order = generator(seed, "threshold samples").permutation(known)
    chosen = order[part * size : (part + 1) * size]
    threshold = np.zeros(len(given), dtype=bool)
    threshold[chosen] = True
    return np.where(threshold, n_classes, given), threshold


def aum_flag(
    aum: ArrayLike, threshold: ArrayLike, *, seen: ArrayLike | None = None, percentile: float = 99.0
) -> NDArray[np.bool_]:
    """Flag the units whose area under the margin lies below a percentile of the threshold samples' areas.

    Parameters
    ----------
    aum : array_like of float, shape (n,)
        `AreaUnderMargin.values` of a run on the labels of `threshold_samples`.
    threshold : array_like of bool, shape (n,)
        The threshold samples of that run; never flagged.
    seen : array_like of bool, shape (n,), optional
        `AreaUnderMargin.seen`; other units are neither flagged nor part of the percentile.
    percentile : float
        In [0, 100]; 99 published. A lower one flags fewer units.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for labels called wrong.

    Raises
    ------
    InputError
        NaN, lengths that differ, a percentile out of range, no threshold sample that was seen.

    References
    ----------
    Pleiss, Zhang, Elenberg, Weinberger (2020), Identifying mislabeled data using the area under the margin ranking,
    NeurIPS, section 3.2.

    Examples
    --------
    >>> aum_flag([3.0, -2.0, 1.0, -1.0, -1.5], [False, False, False, True, True])
    array([False,  True, False, False, False])
    """
    values, fake = np.asarray(aum, dtype=np.float64), np.asarray(threshold)
    visible = np.ones(len(values), dtype=bool) if seen is None else np.asarray(seen)
    check_same_length(aum=values, threshold=fake, seen=visible)
    if values.ndim != 1 or fake.dtype != bool or visible.dtype != bool:
        raise InputError("aum must be a vector of numbers, threshold and seen vectors of booleans.")
    if not np.isfinite(values).all():
        raise InputError("aum holds NaN or infinity; find out where it comes from before flagging.")
    if not 0 <= percentile <= 100:
        raise InputError(f"percentile is {percentile}; it must lie from 0 to 100.")
    if not (fake & visible).any():
        raise InputError("No threshold sample was seen; train on the labels of threshold_samples first.")
    bound = np.percentile(values[fake & visible], percentile)
    return np.asarray((values < bound) & visible & ~fake)


def aum_flag_all(
    first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike], *, percentile: float = 99.0
) -> NDArray[np.bool_]:
    """Judge every unit by two runs: the second judges the threshold samples of the first, the first all others.

    Parameters
    ----------
    first, second : tuple of (aum, threshold)
        As for `aum_flag`, of runs with ``part=0`` and ``part=1``.
    percentile : float
        As in `aum_flag`.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for labels called wrong.

    Raises
    ------
    InputError
        As in `aum_flag`; threshold samples that both runs share.

    References
    ----------
    Pleiss, Zhang, Elenberg, Weinberger (2020), Identifying mislabeled data using the area under the margin ranking,
    NeurIPS, section 3.2.

    Examples
    --------
    >>> aums = [3.0, -2.0, -2.0, -1.0]
    >>> aum_flag_all((aums, [False, False, False, True]), (aums, [True, False, False, False]))
    array([False,  True,  True,  True])
    """
    mine, other = np.asarray(first[1]), np.asarray(second[1])
    check_same_length(first=mine, second=other)
    if mine.dtype == bool and other.dtype == bool and (mine & other).any():
        raise InputError(
            f"Both runs share {int((mine & other).sum())} threshold samples, which none of them judges; make them "
            "with part=0 and part=1 under one seed."
        )
    by_first = aum_flag(*first, percentile=percentile)
    by_second = aum_flag(*second, percentile=percentile)
    return np.where(mine, by_second, by_first)
