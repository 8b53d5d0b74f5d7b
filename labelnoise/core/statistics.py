"""Comparing methods over data sets: ranks, tests, intervals. A data set is one observation, a seed is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.evaluation import Interval
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

__all__ = [
    "MIN_DATASETS",
    "Comparison",
    "PairedTest",
    "compare_methods",
    "friedman",
    "hierarchical_bootstrap",
    "holm",
    "mean_ranks",
    "not_clearly_worse",
    "wilcoxon_signed_rank",
]

#: With fewer data sets no two-sided signed-rank test can fall below 0.05 (2 / 2**5 = 0.0625).
MIN_DATASETS = 6


@dataclass(frozen=True)
class PairedTest:
    """One pair of methods over data sets.

    Attributes
    ----------
    first, second : str
    median_difference : float
        Median over data sets of first - second, in the measure's own unit.
    wins, ties, losses : int
        On how many data sets the first is better, equal, worse.
    p, p_holm : float
        Exact two-sided signed-rank p value, as it is and adjusted for all pairs (Holm).
    """

    first: str
    second: str
    median_difference: float
    wins: int
    ties: int
    losses: int
    p: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Methods compared over data sets.

    Attributes
    ----------
    methods : tuple of str
        Best mean rank first.
    n_datasets : int
    mean_ranks : tuple of float
        1 = best on every data set; ties share the mean of their ranks.
    p_friedman, p_iman_davenport : float or None
        Omnibus tests that all methods rank alike; None for one method or one data set.
    pairs : tuple of PairedTest
    groups : tuple of tuple of str
        Maximal runs in rank order in which no pair differs significantly; empty if underpowered.
    underpowered : str
        Why no conclusion can be drawn, or "".
    """

    methods: tuple[str, ...]
    n_datasets: int
    mean_ranks: tuple[float, ...]
    p_friedman: float | None
    p_iman_davenport: float | None
    pairs: tuple[PairedTest, ...]
    groups: tuple[tuple[str, ...], ...]
    underpowered: str


def _as_table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape:
        raise InputError(f"scores has shape {table.shape}; give one row per data set, one column per method.")
    if not np.isfinite(table).all():
        raise InputError(
            "scores holds NaN or infinity; leave out data sets or methods without a result first."
        )
    return table


def _row_ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 (highest) within each row; ties share the mean."""
    higher = (table[:, None, :] > table[:, :, None]).sum(axis=2)
    equal = (table[:, None, :] == table[:, :, None]).sum(axis=2)
    ranks: NDArray[np.float64] = higher + (equal + 1) / 2
    return ranks


def mean_ranks(scores: ArrayLike, *, higher_is_better: bool = True) -> NDArray[np.float64]:
    """Mean rank of each method over data sets; 1 is best.

    Parameters
    ----------
    scores : array_like of shape (n_datasets, n_methods)
    higher_is_better : bool

    Examples
    --------
    >>> mean_ranks([[0.9, 0.8, 0.8], [0.7, 0.6, 0.5]])
    array([1.  , 2.25, 2.75])
    """
    table = _as_table(scores)
    ranks: NDArray[np.float64] = _row_ranks(table if higher_is_better else -table).mean(axis=0)
    return ranks


def friedman(scores: ArrayLike) -> tuple[float, float]:
    """P values that all methods rank alike: Friedman's chi-square and Iman & Davenport's F (1980).

    Parameters
    ----------
    scores : array_like of shape (n_datasets, n_methods)
        At least two of each.

    Returns
    -------
    p_friedman, p_iman_davenport : float
        Ties are corrected for; 1 where all methods tie everywhere.

    Examples
    --------
    >>> table = [[0.9, 0.8, 0.7], [0.8, 0.7, 0.6], [0.9, 0.7, 0.8], [0.6, 0.5, 0.4]]
    >>> [round(p, 4) for p in friedman(table)]
    [0.0388, 0.0066]
    """
    from scipy.special import chdtrc, fdtrc

    table = _as_table(scores)
    n, k = table.shape
    if n < 2 or k < 2:
        raise InputError(f"{n} data set(s) and {k} method(s); the Friedman test needs at least two of each.")
    ranks = _row_ranks(table)
    between = n * float(((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum())
    within = float(((ranks - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))  # equals k(k+1)/12 without ties
    if within == 0:
        return 1.0, 1.0
    chi2 = between / within
    # All data sets agreeing perfectly makes F infinite; its p value is then 0 as a limit.
    spare = n * (k - 1) - chi2
    p_f = float(fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi2 / spare)) if spare > 1e-9 else 0.0
    return float(chdtrc(k - 1, chi2)), p_f


def wilcoxon_signed_rank(differences: ArrayLike) -> float:
    """Exact two-sided p value of Wilcoxon's signed-rank test (1945), ties included.

    Parameters
    ----------
    differences : array_like of shape (n,)
        Paired differences; zeros are dropped, as Wilcoxon did.

    Returns
    -------
    float
        1 where nothing is left.

    Notes
    -----
    The null distribution is counted, not approximated: signs are flipped over the (mid)ranks at hand.

    Examples
    --------
    >>> wilcoxon_signed_rank([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    0.03125
    >>> wilcoxon_signed_rank([0.1, 0.2, 0.3, 0.4, 0.5])
    0.0625
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError("differences must be a vector of finite numbers, one per data set.")
    values = values[values != 0]
    n = len(values)
    if n == 0:
        return 1.0
    # Differences that agree to twelve digits are ties: subtraction leaves dust in the last ones.
    size = np.round(np.abs(values) / np.abs(values).max(), 12)
    doubled = (
        2 * np.sum(size[None] < size[:, None], axis=1) + np.sum(size[None] == size[:, None], axis=1) + 1
    ).astype(np.int64)
    total = int(doubled.sum())
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(chances)
        moved[rank:] = chances[: total + 1 - rank]
        chances = (chances + moved) / 2
    positive = int(doubled[values > 0].sum())
    extreme = min(positive, total - positive)
    return min(1.0, 2 * float(chances[: extreme + 1].sum()))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P values adjusted for their number (Holm 1979); an adjusted value below alpha is significant.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return adjusted


def compare_methods(
    scores: ArrayLike, methods: Sequence[str], *, higher_is_better: bool = True, alpha: float = 0.05
) -> Comparison:
    """Compare methods over data sets: mean ranks, omnibus tests, all pairs by signed rank with Holm.

    Parameters
    ----------
    scores : array_like of shape (n_datasets, n_methods)
        One number per data set and method: average noise settings and seeds first, they are not independent
        observations.
    methods : sequence of str
        Names of the columns.
    higher_is_better : bool
    alpha : float
        Error rate of the whole family of pairs.

    Returns
    -------
    Comparison
        Its `underpowered` says so where no pair could ever become significant: fewer than 6 data sets, or
        more pairs than so many data sets can carry.

    Notes
    -----
    Pairs are judged from their own differences, not from mean ranks, which would make the verdict on two
    methods depend on the others in the table (Benavoli, Corani & Mangili 2016).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> base = rng.random((8, 1))
    >>> found = compare_methods(base + [[0.2, 0.1, 0.0]] + rng.normal(0, 0.01, (8, 3)), ["a", "b", "c"])
    >>> found.methods, found.mean_ranks, found.groups
    (('a', 'b', 'c'), (1.0, 2.0, 3.0), (('a',), ('b',), ('c',)))
    >>> compare_methods([[0.9, 0.8], [0.7, 0.6]], ["a", "b"]).underpowered
    'fewer than 6 data sets (2): no conclusion over data sets'
    """
    table = _as_table(scores)
    n, k = table.shape
    if len(methods) != k or len(set(methods)) != k:
        raise InputError(f"{len(methods)} names for {k} methods; give each column a name of its own.")
    signed = table if higher_is_better else -table
    ranks = mean_ranks(signed)
    order = np.argsort(ranks, kind="stable")
    pairs = []
    for position, i in enumerate(order):
        for j in order[position + 1 :]:
            gain = signed[:, i] - signed[:, j]
            pairs.append((int(i), int(j), gain, wilcoxon_signed_rank(gain)))
    adjusted = holm([pair[3] for pair in pairs])
    tests = tuple(
        PairedTest(
            first=methods[i],
            second=methods[j],
            median_difference=float(np.median(table[:, i] - table[:, j])),
            wins=int((gain > 0).sum()),
            ties=int((gain == 0).sum()),
            losses=int((gain < 0).sum()),
            p=p,
            p_holm=float(p_holm),
        )
        for (i, j, gain, p), p_holm in zip(pairs, adjusted)
    )
    underpowered = ""
    if n < MIN_DATASETS:
        underpowered = f"fewer than {MIN_DATASETS} data sets ({n}): no conclusion over data sets"
    elif pairs and len(pairs) * 2.0 ** (1 - n) > alpha:
        need = math.ceil(1 + math.log2(len(pairs) / alpha))
        underpowered = (
            f"{len(pairs)} pairs of methods on {n} data sets: no pair can be significant after correction; "
            f"{need} data sets are needed"
        )
    names = tuple(methods[i] for i in order)
    p_friedman, p_iman = friedman(table) if n >= 2 and k >= 2 else (None, None)
    return Comparison(
        methods=names,
        n_datasets=n,
        mean_ranks=tuple(float(ranks[i]) for i in order),
        p_friedman=p_friedman,
        p_iman_davenport=p_iman,
        pairs=tests,
        groups=() if underpowered else _groups(names, tests, alpha),
        underpowered=underpowered,
    )


def _groups(names: Sequence[str], tests: Sequence[PairedTest], alpha: float) -> tuple[tuple[str, ...], ...]:
    """Longest runs in rank order without a significant pair inside."""
    differ = {frozenset((test.first, test.second)) for test in tests if test.p_holm <= alpha}
    groups: list[tuple[str, ...]] = []
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and not any(frozenset((a, names[end])) in differ for a in names[start:end]):
            end += 1
        if not groups or names[end - 1] not in groups[-1]:
            groups.append(tuple(names[start:end]))
    return tuple(groups)


def hierarchical_bootstrap(
    values: Sequence[Sequence[float]], level: float = 0.95, *, seed: int = 0, n_resamples: int = 10_000
) -> Interval:
    """Mean over data sets with a percentile interval; data sets are redrawn first, then seeds within each.

    Parameters
    ----------
    values : sequence of sequences of float
        One inner sequence per data set, one number per seed (their numbers may differ). For a difference of
        two methods pass their paired differences.
    level : float
    seed : int
    n_resamples : int

    Returns
    -------
    Interval
        ``n`` is the number of data sets. The ends are None for fewer than two data sets: seeds alone say
        nothing about other data sets.

    Examples
    --------
    >>> found = hierarchical_bootstrap([[0.8, 0.82], [0.6, 0.58], [0.9, 0.9]])
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3), found.n
    (0.767, 0.593, 0.9, 3)
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; a coverage between 0 and 1 is needed, for instance 0.95.")
    rows = [np.asarray(row, dtype=np.float64) for row in values]
    if any(row.ndim != 1 or len(row) == 0 or not np.isfinite(row).all() for row in rows):
        raise InputError(
            "values needs at least one finite number per data set; leave out data sets without any."
        )
    n = len(rows)
    if n == 0:
        return Interval(None, None, None, 0)
    mean = float(np.mean([row.mean() for row in rows]))
    if n == 1:
        return Interval(mean, None, None, 1)
    lengths = np.array([len(row) for row in rows])
    width = int(lengths.max())
    padded = np.zeros((n, width))
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    rng = generator(seed, "hierarchical bootstrap", n, width, n_resamples)
    chunk = max(1, 2_000_000 // (n * width))
    means = []
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        datasets = rng.integers(0, n, (size, n, 1))
        seeds = (rng.random((size, n, width)) * lengths[datasets]).astype(np.int64)
        # A data set with s seeds averages its first s redraws; the padding beyond is ignored.
        used = np.arange(width) < lengths[datasets]
        means.append(((padded[datasets, seeds] * used).sum(axis=2) / used.sum(axis=2)).mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean, float(low), float(high), n)


def not_clearly_worse(
    values: Mapping[str, Sequence[float]], *, higher_is_better: bool = True, alpha: float = 0.05
) -> set[str]:
    """On one data set: the method of best mean, and all that repeated runs cannot tell from it.

    A statement about this data set under redrawn noise and training only; for one about methods in general
    use `compare_methods`.

    Parameters
    ----------
    values : mapping of str to sequence of float
        Per method one number per seed, the same seeds in the same order.
    higher_is_better : bool
    alpha : float
        Error rate of all comparisons with the best together (one-sided paired t tests, Holm).

    Returns
    -------
    set of str
        With a single seed only methods that equal the best: nothing can be said about the others.

    Examples
    --------
    >>> runs = {"a": [0.90, 0.92, 0.91], "b": [0.91, 0.90, 0.91], "c": [0.5, 0.52, 0.51]}
    >>> sorted(not_clearly_worse(runs))
    ['a', 'b']
    """
    from scipy.special import stdtr

    if not values:
        return set()
    lengths = {len(row) for row in values.values()}
    if len(lengths) > 1 or 0 in lengths:
        raise InputError("Methods have different numbers of runs; keep the seeds that all of them finished.")
    sign = 1 if higher_is_better else -1
    table = {name: sign * np.asarray(row, dtype=np.float64) for name, row in values.items()}
    best = max(table, key=lambda name: float(table[name].mean()))
    n = lengths.pop()
    names, p_values = [], []
    kept = {best}
    for name, row in table.items():
        if name == best:
            continue
        gap = table[best] - row
        spread = float(gap.std(ddof=1)) if n > 1 else 0.0
        if spread <= 1e-12 * max(1.0, float(np.abs(gap).max())):
            # Nothing varies between runs: equal is equal, and any gap is a gap.
            if float(np.abs(gap).max()) <= 1e-12:
                kept.add(name)
            continue
        names.append(name)
        p_values.append(float(stdtr(n - 1, -float(gap.mean()) / (spread / math.sqrt(n)))))
    kept.update(name for name, p in zip(names, holm(p_values)) if p > alpha)
    return kept
