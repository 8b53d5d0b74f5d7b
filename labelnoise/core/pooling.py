"""One quality for a sentence, clip or image from the qualities of its parts."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, check_same_length, choose

__all__ = ["POOLS", "group_quality", "pool_quality"]

Pool = Literal["ema", "min", "softmin"]

#: Ways to pool the cells of a unit.
POOLS = ("ema", "min", "softmin")


def pool_quality(
    quality: ArrayLike,
    *,
    method: Pool = "ema",
    mask: ArrayLike | None = None,
    alpha: float = 0.8,
    temperature: float = 0.1,
) -> NDArray[np.float64]:
    """One quality per row of a matrix of qualities, led by its worst entries.

    Parameters
    ----------
    quality : array_like of float, shape (n, K)
        In [0, 1].
    method : {"ema", "min", "softmin"}
        ``"ema"``: exponential moving average from the best entry to the worst,
        ``m = alpha * entry + (1 - alpha) * m``; ``"min"``: the worst entry; ``"softmin"``: mean weighted
        by ``exp((1 - entry) / temperature)``.
    mask : array_like of bool, shape (n, K), optional
        Entries that count; by default all do.
    alpha : float
        Weight of the worst entry, in [0, 1]. For ``"ema"``.
    temperature : float
        > 0; the lower, the nearer to the minimum. For ``"softmin"``.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [0, 1]; 1 for rows in which nothing counts.

    Raises
    ------
    InputError
        Wrong shapes, values outside [0, 1], unknown method or parameters out of range.

    References
    ----------
    Thyagarajan et al. (2023), Identifying incorrect annotations in multi-label classification data (ema).

    Examples
    --------
    >>> pool_quality([[0.9, 0.1, 1.0], [0.9, 0.8, 1.0]], method="ema")
    array([0.264, 0.824])
    >>> pool_quality([[0.9, 0.1, 1.0]], method="min")
    array([0.1])
    """
    values = _as_quality(quality, ndim=2)
    choose(method, POOLS, "way to pool")
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; it is a weight from 0 to 1.")
    _check_temperature(temperature)
    known = np.ones(values.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if known.shape != values.shape:
        raise InputError(
            f"mask has shape {known.shape} for qualities of shape {values.shape}; give one per entry."
        )
    if values.shape[1] == 0:
        return np.ones(len(values))
    result = np.where(known, values, np.inf).min(axis=1)
    if method == "softmin":
        worst = np.where(np.isfinite(result), result, 0)[:, None]
        weights = np.where(known, np.exp((worst - values) / temperature), 0)
        total = weights.sum(axis=1)
        result = np.where(total > 0, (weights * values).sum(axis=1) / np.where(total > 0, total, 1), np.inf)
    elif method == "ema":
        result = _moving_average(np.where(known, values, np.inf), alpha)
    return np.where(np.isfinite(result), result, 1.0)


def group_quality(
    quality: ArrayLike,
    groups: ArrayLike,
    *,
    method: Literal["min", "softmin", "mean"] = "min",
    mask: ArrayLike | None = None,
    n_groups: int | None = None,
    temperature: float = 0.1,
) -> NDArray[np.float64]:
    """Quality of a sentence, clip or image from the quality of its units.

    Parameters
    ----------
    quality : array_like of float, shape (n,)
        In [0, 1].
    groups : array_like of int, shape (n,)
        The group of each unit, from 0, in any order.
    method : {"min", "softmin", "mean"}
        ``"min"``: the worst unit; ``"softmin"``: mean weighted by ``exp((1 - quality) / temperature)``;
        ``"mean"``: the mean.
    mask : array_like of bool, shape (n,), optional
        Units that count, for instance those with a label; by default all do.
    n_groups : int, optional
        Number of groups; by default one more than the largest id.
    temperature : float
        > 0; 0.05 is usual for sentences, 0.1 for images. For ``"softmin"``.

    Returns
    -------
    ndarray of float64, shape (n_groups,)
        Entry g is the quality of group g; 1 for groups in which nothing counts.

    Raises
    ------
    InputError
        Wrong shapes, values outside [0, 1], group ids below 0 or too large.

    References
    ----------
    Wang, Mueller (2022), Detecting label errors in token classification data (min, softmin);
    Lad, Mueller (2023), Estimating label quality and errors in semantic segmentation data (softmin).

    Examples
    --------
    >>> quality, sentence = [0.9, 0.2, 0.8, 0.7], [0, 0, 2, 2]
    >>> group_quality(quality, sentence)
    array([0.2, 1. , 0.7])
    >>> group_quality(quality, sentence, method="softmin").round(4)
    array([0.2006, 1.    , 0.7269])
    """
    choose(method, ("min", "softmin", "mean"), "way to score a group")
    _check_temperature(temperature)
    values = _as_quality(quality, ndim=1)
    ids = _as_groups(groups, n_groups)
    check_same_length(quality=values, groups=ids, mask=mask)
    size = n_groups if n_groups is not None else int(ids.max(initial=-1)) + 1
    if mask is not None:
        counts = np.asarray(mask, dtype=bool)
        values, ids = values[counts], ids[counts]
    members = np.bincount(ids, minlength=size)
    empty = members == 0
    if method == "mean":
        return np.where(empty, 1.0, np.bincount(ids, values, size) / np.maximum(members, 1))
    worst = _group_minimum(values, ids, members)
    if method == "min":
        return worst
    # Weights relative to the worst unit of the group: the largest is 1, so nothing over- or underflows.
    weights = np.exp((worst[ids] - values) / temperature)
    total = np.bincount(ids, weights, size)
    return np.where(empty, 1.0, np.bincount(ids, weights * values, size) / np.where(empty, 1, total))


def _moving_average(values: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Exponential moving average from the largest finite entry of each row down; inf where none."""
    descending = np.ascontiguousarray(np.sort(values, axis=1).T[::-1])
    average = descending[0]
    for entry in descending[1:]:
        with np.errstate(invalid="ignore"):
            average = np.where(np.isinf(average), entry, alpha * entry + (1 - alpha) * average)
    return average


def _group_minimum(
    values: NDArray[np.float64], ids: NDArray[np.int64], members: NDArray[np.int64]
) -> NDArray[np.float64]:
    result = np.ones(len(members))
    if len(ids) == 0:
        return result
    if np.any(ids[1:] < ids[:-1]):
        order = np.argsort(ids, kind="stable")
        values = values[order]
    filled = members > 0
    starts = (np.cumsum(members) - members)[filled]
    result[filled] = np.minimum.reduceat(values, starts)
    return result


def _as_quality(quality: ArrayLike, *, ndim: int) -> NDArray[np.float64]:
    values = np.asarray(quality, dtype=np.float64)
    if values.ndim != ndim:
        wanted = "a vector with one quality per unit" if ndim == 1 else "a matrix (units, classes)"
        raise InputError(f"quality has shape {values.shape}; {wanted} is needed.")
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise InputError(
            "quality holds values outside of [0, 1] or NaN; it runs from 0 (wrong) to 1 (right)."
        )
    return values


def _as_groups(groups: ArrayLike, n_groups: int | None) -> NDArray[np.int64]:
    ids = np.asarray(groups)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise InputError(
            f"groups has shape {ids.shape} and type {ids.dtype}; one whole number from 0 per unit is needed. "
            "Number names with numpy.unique(names, return_inverse=True)."
        )
    ids = ids.astype(np.int64)
    if ids.size and ids.min() < 0:
        raise InputError(f"groups holds {int(ids.min())}; group ids start at 0.")
    highest = int(ids.max(initial=-1))
    if n_groups is not None and highest >= n_groups:
        raise InputError(f"groups holds id {highest} but n_groups is {n_groups} (ids 0 to {n_groups - 1}).")
    if n_groups is None and highest > 10 * len(ids) + 1_000_000:
        raise InputError(
            f"groups holds id {highest} for {len(ids)} units; number the groups from 0 on, "
            "for instance with numpy.unique(groups, return_inverse=True)."
        )
    return ids


def _check_temperature(temperature: float) -> None:
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature is {temperature}; it must be > 0.")
