"""Confident learning: which single labels to call wrong, by the prune rules of Northcutt et al. (2021).

The masks are those of cleanlab 2.9, bit for bit. What makes them cheap: only units whose most probable
class is not the given one can end up flagged, so margins are formed for those alone, and a cut needs a
partition, not a sort.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import SLACK, Floats, Survey, blocks, by_class, check_units, survey
from labelnoise.core.quality import margin_of
from labelnoise.core.transition import joint_of
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = ["RULES", "confident_learning"]

Ties = Literal["numpy", "first"]

#: Rules that remove as many units as the joint calls for; only these know frac_noise and min_per_class.
PRUNE_RULES = ("prune_by_noise_rate", "prune_by_class", "both")

#: All rules, by the names that cleanlab gives them.
RULES = (
    *PRUNE_RULES,
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
)

#: Most bytes of margins held at a time.
_MARGIN_BYTES = 1 << 22


def confident_learning(
    labels: ArrayLike,
    probs: ArrayLike,
    *,
    rule: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    min_per_class: int = 1,
    ties: Ties = "numpy",
) -> NDArray[np.bool_]:
    """Flag the labels that confident learning calls wrong.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label". Units without one are never flagged and change nothing.
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1. float32 and memory maps are used as they are;
        extra memory is O(n), not O(n K). For one byte per unit instead of some 20 see
        `~labelnoise.core.confident_chunks.confident_learning_chunks`.
    rule : str
        With C the calibrated confident joint, ``C[i, j]`` units given i and truly j:

        - ``"prune_by_noise_rate"``: for every i != j the ``C[i, j]`` units given i with the largest
          ``p[j] - p[i]``;
        - ``"prune_by_class"``: for every i the ``n_i - C[i, i]`` units given i with the lowest ``p[i]``;
        - ``"both"``: what the two above agree on;
        - ``"confident_learning"``: the units counted off the diagonal of the joint;
        - ``"predicted_neq_given"``: the most probable class is not the given one;
        - ``"low_self_confidence"``, ``"low_normalized_margin"``: as many units as the rule
          ``"confident_learning"`` flags, those with the lowest such quality.

        All but the last two leave units alone whose given class is (within 1e-6) the most probable one.
    frac_noise : float
        Fraction in [0, 1] of the off-diagonal counts to remove. Prune rules only.
    min_per_class : int
        Units that stay in every class, at least; classes no larger are left alone. Prune rules only.
    ties : {"numpy", "first"}
        Which of several equally bad units to flag when the cut falls among them: ``"numpy"`` takes those
        that ``numpy.argsort`` puts first, as cleanlab does, which may differ between kinds of processor;
        ``"first"`` takes the first in the order given, on every machine.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where the label is called wrong.

    Raises
    ------
    InputError
        Labels, probabilities or options outside of what is said above.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2. Equal to
    ``cleanlab.filter.find_label_issues(filter_by=rule)`` of cleanlab 2.9.

    Examples
    --------
    >>> labels = [0, 0, 0, 0, 1, 1, 1, -1]
    >>> p0 = [0.9, 0.8, 0.7, 0.1, 0.2, 0.1, 0.8, 0.3]
    >>> probs = [[p, 1 - p] for p in p0]
    >>> confident_learning(labels, probs).nonzero()[0].tolist()
    [3, 6]
    >>> confident_learning(labels, probs, min_per_class=3).nonzero()[0].tolist()
    [3]
    """
    fraction = check_options(rule, frac_noise, min_per_class, ties)
    ids, p = check_units(labels, probs)
    seen = survey(ids, p)
    if rule == "predicted_neq_given":
        return seen.disputed
    if rule not in PRUNE_RULES:
        counted = (seen.guess >= 0) & (seen.guess != ids) & seen.disputed
        if rule == "confident_learning":
            return counted
        quality = seen.given if rule == "low_self_confidence" else _margin_quality(ids, p)
        return lowest_among(quality, ids >= 0, int(counted.sum()), ties)

    to_prune = prune_counts(joint_of(ids, seen, p.shape[1]), fraction, min_per_class)
    flagged = seen.disputed.copy()
    if rule in ("prune_by_class", "both"):
        flagged &= _pruned_by_class(ids, seen, to_prune, min_per_class, ties)
    if rule in ("prune_by_noise_rate", "both"):
        flagged &= _pruned_by_noise_rate(ids, p, seen, to_prune, min_per_class, ties)
    return flagged


def check_options(rule: str, frac_noise: float, min_per_class: int, ties: str) -> float:
    """Check the options that all ways of confident learning share; returns ``frac_noise``."""
    choose(rule, RULES, "confident learning rule")
    choose(ties, ("numpy", "first"), "way to break ties")
    fraction = as_rate(frac_noise, name="frac_noise")
    if min_per_class < 0 or min_per_class != int(min_per_class):
        raise InputError(f"min_per_class is {min_per_class}; it must be a whole number from 0.")
    if rule not in PRUNE_RULES and (fraction != 1.0 or min_per_class != 1):
        raise InputError(
            f"The rule {rule!r} knows neither frac_noise nor min_per_class; leave both at 1, "
            f"or use one of {', '.join(PRUNE_RULES)}."
        )
    return fraction


def prune_counts(joint: NDArray[np.int64], frac_noise: float, min_per_class: int) -> NDArray[np.int64]:
    """How many units to remove: ``[true, given]`` off the diagonal, how many to leave on it.

    Diagonal entries below ``min_per_class`` are raised to it at the expense of the other non-zero entries
    of their column, in equal parts; then the off-diagonal counts shrink to ``frac_noise``.
    """
    counts = joint.T
    diagonal = np.maximum(counts.diagonal(), min_per_class)
    raised = diagonal - counts.diagonal()
    sources = np.maximum(np.count_nonzero(counts, axis=0) - 1.0, 1.0)
    shares = counts - raised / sources
    shares[shares < 0] = 0
    np.fill_diagonal(shares, diagonal)
    kept = shares * frac_noise
    np.fill_diagonal(kept, shares.diagonal())
    np.fill_diagonal(kept, shares.diagonal() + np.sum(shares - kept, axis=0))
    return kept.astype(np.int64)


def lowest(values: Floats, count: int, ties: Ties) -> NDArray[np.bool_]:
    """Mask of the ``count`` lowest values."""
    if count <= 0:
        return np.zeros(len(values), dtype=bool)
    if count >= len(values):
        return np.ones(len(values), dtype=bool)
    cut = np.partition(values, count - 1)[count - 1]
    chosen: NDArray[np.bool_] = values <= cut
    if np.count_nonzero(chosen) > count:
        return _break_ties(values, cut, count, ties)
    return chosen


def _break_ties(values: Floats, cut: Any, count: int, ties: Ties) -> NDArray[np.bool_]:
    """Mask of the ``count`` lowest values where several equal ``cut``, the highest of them."""
    if ties == "numpy":
        chosen = np.zeros(len(values), dtype=bool)
        chosen[np.argsort(values)[:count]] = True
        return chosen
    chosen = values < cut
    chosen[np.flatnonzero(values == cut)[: count - np.count_nonzero(chosen)]] = True
    return chosen


def lowest_among(values: Floats, allowed: NDArray[np.bool_], count: int, ties: Ties) -> NDArray[np.bool_]:
    """Mask of the ``count`` lowest of the values that are allowed."""
    if allowed.all():
        return lowest(values, count, ties)
    chosen = np.zeros(len(values), dtype=bool)
    chosen[allowed] = lowest(values[allowed], count, ties)
    return chosen


def _margin_quality(ids: NDArray[Any], probs: Floats) -> Floats:
    """The normalised margin in the type of ``probs``, which decides ties as cleanlab's does."""
    quality = np.empty(len(ids), dtype=probs.dtype)
    for rows in blocks(*probs.shape):
        quality[rows] = margin_of(probs[rows], np.maximum(ids[rows], 0).astype(np.intp))
    return quality


def _prunable(ids: NDArray[Any], k: int, min_per_class: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Classes large enough to lose units, with their units; a class of one is never touched."""
    for c, members in enumerate(by_class(ids, k)):
        if len(members) > max(min_per_class, 1):
            yield c, members


def _pruned_by_class(
    ids: NDArray[Any], seen: Survey, to_prune: NDArray[np.int64], min_per_class: int, ties: Ties
) -> NDArray[np.bool_]:
    flagged = np.zeros(len(ids), dtype=bool)
    for c, members in _prunable(ids, len(to_prune), min_per_class):
        count = len(members) - int(to_prune[c, c])
        flagged[members[lowest(seen.given[members], count, ties)]] = True
    return flagged


def _pruned_by_noise_rate(
    ids: NDArray[Any],
    probs: Floats,
    seen: Survey,
    to_prune: NDArray[np.int64],
    min_per_class: int,
    ties: Ties,
) -> NDArray[np.bool_]:
    """The rule's flags on the disputed units; what it says of the others is of no account."""
    flagged = np.zeros(len(ids), dtype=bool)
    for c, members in _prunable(ids, len(to_prune), min_per_class):
        disputed = members[seen.disputed[members]]
        rivals = np.flatnonzero(to_prune[:, c])
        rivals = rivals[rivals != c]
        if not (len(disputed) and len(rivals)):
            continue
        chosen = np.zeros(len(disputed), dtype=bool)
        own = seen.given[disputed]
        step = max(1, _MARGIN_BYTES // (len(disputed) * own.itemsize))
        for start in range(0, len(rivals), step):
            some = rivals[start : start + step]
            wanted = to_prune[some, c]
            # Minus the margins, so that the units to flag are the lowest of each row.
            lead = own - _gather(probs, disputed, some)
            settled = _flag_within(lead, wanted, chosen)
            for r in np.flatnonzero(~settled):
                margin = probs[members, some[r]] - seen.given[members]
                chosen |= lowest(-margin, int(wanted[r]), ties)[seen.disputed[members]]
        flagged[disputed[chosen]] = True
    return flagged


def _gather(probs: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """``probs[rows][:, columns].T``, contiguous."""
    n, k = len(rows), probs.shape[1]
    if 4 * len(columns) < k:
        sparse: Floats = probs[rows, columns[:, None]]
        return sparse
    result = np.empty((len(columns), n), dtype=probs.dtype)
    for some in blocks(n, k):
        block = probs[rows[some]]
        result[:, some] = (block if len(columns) == k else block[:, columns]).T
    return result


def _flag_within(lead: Floats, wanted: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add to ``chosen`` the ``wanted[r]`` lowest of every row r that needs no more than these units.

    The units left out lead by at least -1e-6 (they prefer their given class, up to `SLACK`), so a row
    with enough leads below twice that settles among the units at hand, unless the cut falls on a tie.
    Returns which rows are settled.
    """
    settled: NDArray[np.bool_] = np.count_nonzero(lead < -2 * SLACK, axis=1) >= wanted
    for r in np.flatnonzero(settled):
        row, count = lead[r], int(wanted[r])
        low = row <= np.partition(row, count - 1)[count - 1]
        if np.count_nonzero(low) == count:
            chosen |= low
        else:
            settled[r] = False
    return settled
