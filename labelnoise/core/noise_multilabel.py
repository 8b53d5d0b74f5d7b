"""Multi-label noise: tags that are missing, made up, swapped, reduced to one, or taken from another item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_multilabel, as_rate

__all__ = [
    "corrupt_multilabel",
    "extra_labels",
    "missing_labels",
    "single_positive",
    "swap_positives",
    "swap_sets",
]


def corrupt_multilabel(
    labels: ArrayLike,
    seed: int,
    *,
    missing: ArrayLike = 0.0,
    extra: ArrayLike = 0.0,
    keep_at_least_one: bool = False,
) -> Corruption:
    """Drop positives and add negatives, each cell on its own: one 2 x 2 transition matrix per class.

    Parameters
    ----------
    labels : array_like of shape (n, K)
        0, 1, or -1 for a cell that is not known (stays -1, changes nothing else).
    seed : int
    missing : float or array_like of shape (K,)
        P(given = 0 | true = 1), one for all classes or one each, from 0 to 1.
    extra : float or array_like of shape (K,)
        P(given = 1 | true = 0). With many classes a small one does much: with 80 classes and 3 positives,
        0.005 adds 0.39 wrong tags per unit.
    keep_at_least_one : bool
        Where all positives of a unit would be dropped, one of them, chosen at random, stays.

    Returns
    -------
    Corruption
        ``transition`` of shape (K, 2, 2), ``posterior[i, k] = P(given = 1)`` of each cell; both take
        ``keep_at_least_one`` into account. ``rate`` is per known cell; ``rates`` holds the realised
        ``"positives"`` (dropped), ``"negatives"`` (added) and ``"units"`` (share with any wrong cell).

    Raises
    ------
    InputError
        Cells other than 0, 1, -1; rates out of range or of another length.

    Examples
    --------
    >>> import numpy as np
    >>> tags = np.array([[1, 1, 0, 0], [0, 1, 0, -1]] * 500)
    >>> noise = corrupt_multilabel(tags, 0, missing=0.4, extra=0.1)
    >>> {name: round(rate, 3) for name, rate in noise.rates.items()}
    {'positives': 0.397, 'negatives': 0.093, 'units': 0.574}
    """
    true = as_multilabel(labels)
    n, k = true.shape
    drop, add = _as_class_rates(missing, k, "missing"), _as_class_rates(extra, k, "extra")
    uniform = generator(seed, "noise", "multilabel", "cells").random((n, k))
    positive, negative = true == 1, true == 0
    posterior = positive * (1.0 - drop) + negative * add
    dropped, given = positive & (uniform < drop), true.copy()
    if keep_at_least_one and k:
        n_positive = positive.sum(axis=1)
        emptied = (n_positive > 0) & (dropped.sum(axis=1) == n_positive)
        # Given that all were dropped, u / rate is uniform: its largest value picks each one equally often.
        share = np.where(positive, uniform / np.maximum(drop, 1e-12), -1.0)
        dropped[emptied, share[emptied].argmax(axis=1)] = False
        spared = np.prod(np.where(positive, drop, 1.0), axis=1) / np.maximum(n_positive, 1)
        posterior += positive * spared[:, None]
    given[dropped] = 0
    given[negative & (uniform < add)] = 1
    return _result(true, given, transition=_mean_transition(true, posterior, drop, add), posterior=posterior)


def missing_labels(
    labels: ArrayLike, rate: ArrayLike, seed: int, *, keep_at_least_one: bool = False
) -> Corruption:
    """Missing tags: each positive is dropped with probability ``rate``; see `corrupt_multilabel`.

    Examples
    --------
    >>> missing_labels([[1, 1, 0]] * 4, 1.0, seed=0, keep_at_least_one=True).labels.sum(axis=1)
    array([1, 1, 1, 1])
    """
    return corrupt_multilabel(labels, seed, missing=rate, keep_at_least_one=keep_at_least_one)


def extra_labels(labels: ArrayLike, rate: ArrayLike, seed: int) -> Corruption:
    """Made-up tags: each negative becomes positive with probability ``rate``; see `corrupt_multilabel`.

    Examples
    --------
    >>> extra_labels([[1, 0, -1]], 1.0, seed=0).labels
    array([[ 1,  1, -1]], dtype=int8)
    """
    return corrupt_multilabel(labels, seed, extra=rate)


def single_positive(labels: ArrayLike, rate: float, seed: int) -> Corruption:
    """Keep one positive, chosen at random, of a share of the units; their other positives become negatives.

    Parameters
    ----------
    labels : array_like of shape (n, K)
    rate : float
        Share of the units that are reduced; 1 is the single-positive setting, in which a unit with m
        positives loses m - 1 of them.
    seed : int

    Returns
    -------
    Corruption
        As of `corrupt_multilabel`.

    References
    ----------
    Cole et al. 2021, Multi-label learning from single positive labels, with the unobserved read as negative.

    Examples
    --------
    >>> single_positive([[1, 1, 1, 0], [0, 1, 0, -1]], 1.0, seed=0).labels
    array([[ 0,  0,  1,  0],
           [ 0,  1,  0, -1]], dtype=int8)
    """
    true, rate = as_multilabel(labels), as_rate(rate)
    n, k = true.shape
    positive = true == 1
    given = true.copy()
    reduced = generator(seed, "noise", "multilabel", "units").random((n, 1)) < rate
    order = generator(seed, "noise", "multilabel", "cells").random((n, k))
    if k:
        kept = np.where(positive, order, -1.0).argmax(axis=1)[:, None]
        given[positive & reduced & (np.arange(k) != kept)] = 0
    stays = 1.0 - rate + rate / np.maximum(positive.sum(axis=1, keepdims=True), 1)
    posterior = positive * stays
    transition = _mean_transition(true, posterior, np.full(k, rate), np.zeros(k))
    return _result(true, given, transition=transition, posterior=posterior)


def swap_positives(
    labels: ArrayLike, rate: float, seed: int, *, weights: ArrayLike | None = None
) -> Corruption:
    """Replace positives by another class that the unit does not have; the number of positives stays.

    Parameters
    ----------
    labels : array_like of shape (n, K)
    rate : float
        P(a positive is replaced), from 0 to 1. A positive stays where every class that could replace it is
        positive or unknown in that unit, or has weight 0.
    seed : int
    weights : array_like of shape (K, K), optional
        Class k is replaced by k' in proportion to ``weights[k, k']``. Default: how often the two occur
        together in ``labels``, plus one.

    Returns
    -------
    Corruption
        ``transition`` is the realised one (no closed form: replacements compete), ``posterior`` is None.

    Examples
    --------
    >>> noise = swap_positives([[1, 1, 0, 0]] * 1000, 0.3, seed=0)
    >>> noise.rates["positives"], set(noise.labels.sum(axis=1).tolist())
    (0.287, {2})
    """
    true, rate = as_multilabel(labels), as_rate(rate)
    n, k = true.shape
    known = (true == 1).astype(np.float64)
    table = known.T @ known + 1.0 if weights is None else np.array(weights, dtype=np.float64)
    if table.shape != (k, k) or not np.isfinite(table).all() or (table < 0).any():
        raise InputError(f"weights have shape {table.shape}; a matrix of {k} x {k} numbers >= 0 is needed.")
    np.fill_diagonal(table, 0.0)
    uniform = generator(seed, "noise", "multilabel", "cells").random((n, k))
    target = generator(seed, "noise", "multilabel", "targets").random((n, k))
    rows, classes = np.nonzero((true == 1) & (uniform < rate))
    given, free = true.copy(), true == 0
    # One replacement per unit and round, so that two of them never take the same class.
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    for turn in range(int(rank.max(initial=-1)) + 1):
        row, old = rows[rank == turn], classes[rank == turn]
        bounds = (table[old] * free[row]).cumsum(axis=1)
        possible = bounds[:, -1] > 0
        row, old, bounds = row[possible], old[possible], bounds[possible]
        new = (target[row, old] * bounds[:, -1])[:, None] >= bounds
        new_class = new.sum(axis=1)
        given[row, old], given[row, new_class], free[row, new_class] = 0, 1, False
    return _result(true, given)


def swap_sets(labels: ArrayLike, rate: float, seed: int) -> Corruption:
    """Give a unit the whole tag set of another unit, one whose set differs.

    Parameters
    ----------
    labels : array_like of shape (n, K)
        Units with an unknown cell are neither changed nor copied from.
    rate : float
        Share of the fully known units that get another's set, from 0 to 1.
    seed : int

    Returns
    -------
    Corruption
        ``transition`` is the realised one, ``posterior`` is None; ``rates["units"]`` is what is asked for.

    Raises
    ------
    InputError
        All fully known units have the same set, so that there is nothing to swap with.

    Examples
    --------
    >>> noise = swap_sets([[1, 0, 0], [0, 1, 1]] * 500, 0.2, seed=0)
    >>> noise.rates["units"], noise.rate
    (0.224, 0.224)
    """
    true, rate = as_multilabel(labels), as_rate(rate)
    n = len(true)
    pick = generator(seed, "noise", "multilabel", "units").random(n)
    donor = generator(seed, "noise", "multilabel", "donors").random(n)
    complete = np.flatnonzero((true >= 0).all(axis=1))
    given = true.copy()
    if true[complete].size and rate > 0:
        _, set_id = np.unique(true[complete], axis=0, return_inverse=True)
        set_id = set_id.ravel()
        by_set = np.argsort(set_id, kind="stable")
        size = np.bincount(set_id)
        if len(size) < 2:
            raise InputError("All fully known units have the same tag set; there is no other set to swap in.")
        first = np.concatenate([[0], size.cumsum()[:-1]])
        chosen = np.flatnonzero(pick[complete] < rate)
        own = set_id[chosen]
        # A position among the units of other sets: count through all of them, jumping over the own block.
        place = (donor[complete[chosen]] * (len(complete) - size[own])).astype(np.int64)
        place += np.where(place >= first[own], size[own], 0)
        given[complete[chosen]] = true[complete[by_set[place]]]
    return _result(true, given)


def _as_class_rates(rate: ArrayLike, k: int, name: str) -> NDArray[np.float64]:
    """One rate per class from one for all or one each."""
    rates = np.asarray(rate, dtype=np.float64)
    if rates.shape not in ((), (k,)):
        raise InputError(
            f"{name} has shape {rates.shape}; give one rate for all classes or one for each of {k}."
        )
    for value in rates.ravel():
        as_rate(float(value), name=name)
    return np.broadcast_to(rates, (k,)).astype(np.float64)


def _mean_transition(
    true: NDArray[np.int8],
    posterior: NDArray[np.float64],
    drop: NDArray[np.float64],
    add: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Per class, the mean posterior over its positives and over its negatives; the asked rate if none."""
    transition = np.empty((true.shape[1], 2, 2))
    for value, fallback in ((0, add), (1, 1.0 - drop)):
        cells = true == value
        count = cells.sum(axis=0)
        mean = (posterior * cells).sum(axis=0) / np.maximum(count, 1)
        transition[:, value, 1] = np.clip(np.where(count > 0, mean, fallback), 0.0, 1.0)
        transition[:, value, 0] = 1.0 - transition[:, value, 1]
    return transition


def _result(true: NDArray[np.int8], given: NDArray[np.int8], **extra: Any) -> Corruption:
    """The corruption with its realised rates over positives, negatives and units."""
    changed = true != given
    positive, negative, labelled = true == 1, true == 0, (true >= 0).any(axis=1)
    rates = {
        "positives": float(changed[positive].mean()) if positive.any() else 0.0,
        "negatives": float(changed[negative].mean()) if negative.any() else 0.0,
        "units": float(changed[labelled].any(axis=1).mean()) if labelled.any() else 0.0,
    }
    if "transition" not in extra:
        none = np.zeros(true.shape[1])
        extra["transition"] = _mean_transition(true, (given == 1).astype(np.float64), none, none)
    return compare_labels(true, given, rates=rates, **extra)
