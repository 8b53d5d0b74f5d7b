"""T from pairs of a clean and a noisy label: how sure each entry is, and how many clean labels to buy."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError, as_labels, as_transition, check_same_length, choose

__all__ = ["PairsNeeded", "expected_error", "pairs_needed", "transition_from_pairs"]

Floats = NDArray[np.float64]
Unseen = Literal["zero", "identity"]

#: Counts further than this many standard deviations from their mean have no mass in float64.
_REACH = 12.0


class PairsNeeded(NamedTuple):
    """How many clean labels make every entry of T as sure as wanted.

    Attributes
    ----------
    per_class : ndarray of int, shape (K,)
        Pairs of each true class if their numbers can be chosen (fixed sampling).
    fixed : int
        Their sum.
    variable : int
        Pairs drawn at random, whatever their class turns out to be (variable sampling).
    """

    per_class: NDArray[np.int64]
    fixed: int
    variable: int


def transition_from_pairs(
    true: ArrayLike,
    given: ArrayLike,
    n_classes: int | None = None,
    *,
    population: ArrayLike | None = None,
    stratified: bool = False,
) -> TransitionEstimate:
    """Estimate T by counting, from units whose true and given label are both known.

    Parameters
    ----------
    true, given : array_like of int, shape (n,)
        Class ids; a unit where either is -1 is left out.
    n_classes : int, optional
        K, by default the largest id plus 1.
    population : array_like of int, shape (K,), optional
        How many units of each true class there are, if the pairs were drawn from them without replacement and T
        means those units: errors shrink by ``(N_i - n_i) / (N_i - 1)`` and reach 0 when all are known.
    stratified : bool
        The number of pairs per true class was chosen, so that it says nothing about how frequent the classes are.

    Returns
    -------
    TransitionEstimate
        ``matrix[i, j] = #(true i, given j) / n_i``, with standard errors in closed form. A true class without a
        pair has a row of the identity with infinite errors, and a warning. ``prior`` is the share of each class
        in the pairs (in ``population`` if given), None if stratified without a population.

    Raises
    ------
    InputError
        Lengths that differ, no pair, ids outside the classes, a population smaller than its sample.

    Notes
    -----
    The error of an entry is ``sqrt(s (1 - s) / n_i)`` with ``s = (count + 1) / (n_i + 2)`` rather than the plain
    share, so that an entry that was never seen among n_i pairs is uncertain by about ``1 / n_i``, not by 0. Pairs
    count as independent; labels that repeat their errors (the same word, the same annotator) have larger errors,
    see `labelnoise.core.noise_fit.NoiseModel` with groups.

    References
    ----------
    Hedderich, Zhu, Klakow (2021), Analysing the noise model error for realistic noisy label data, AAAI, section 3.

    Examples
    --------
    >>> print(transition_from_pairs([0] * 80 + [1] * 20, [0] * 72 + [1] * 8 + [1] * 15 + [0] * 5))
    T by pairs from 100 units, condition number 1.6
      0.900±0.035 0.100±0.035
      0.250±0.100 0.750±0.100
    """
    y, g = (
        as_labels(true, n_classes=n_classes, name="true"),
        as_labels(given, n_classes=n_classes, name="given"),
    )
    check_same_length(true=y, given=g)
    both = (y >= 0) & (g >= 0)
    if not both.any():
        raise InputError("No unit has both a true and a given label; T needs at least one pair.")
    k = max(int(y.max()), int(g.max())) + 1 if n_classes is None else n_classes
    counts = np.bincount(y[both] * k + g[both], minlength=k * k).reshape(k, k)
    sizes = counts.sum(axis=1)
    whole = None if population is None else _as_counts(population, k, "population")
    if whole is not None and (short := np.flatnonzero(sizes > whole)).size:
        i = int(short[0])
        raise InputError(
            f"population holds {whole[i]} units of class {i} but {sizes[i]} pairs are of it; "
            "give the size of what the pairs were drawn from."
        )
    n = np.maximum(sizes, 1)[:, None]
    share = (counts + 1.0) / (sizes[:, None] + 2.0)
    error = np.sqrt(share * (1 - share) / n * _finite_factor(sizes, whole)[:, None])
    error[sizes == 0] = np.inf
    empty = np.flatnonzero(sizes == 0)
    warnings: tuple[str, ...] = ()
    if empty.size:
        warnings = (
            f"No pair is of true class {', '.join(map(str, empty))}; its row is the identity and says nothing.",
        )
    prior = None if stratified else sizes / sizes.sum()
    return TransitionEstimate(
        matrix=np.where(sizes[:, None] > 0, counts / n, np.eye(k)),
        standard_error=error,
        method="pairs",
        n_units=int(sizes.sum()),
        prior=prior if whole is None else whole / whole.sum(),
        warnings=warnings,
    )


def expected_error(
    transition: ArrayLike,
    *,
    n: int | None = None,
    per_class: ArrayLike | None = None,
    prior: ArrayLike | None = None,
    population: ArrayLike | None = None,
    unseen: Unseen = "zero",
) -> float:
    """Exact expected squared error ``E ||T_hat - T||^2`` (Frobenius) of T counted from pairs.

    Parameters
    ----------
    transition : array_like, shape (K, K)
        T, row-stochastic.
    n : int, optional
        Variable sampling: that many units at random, whatever their class.
    per_class : int or array_like of int, shape (K,), optional
        Fixed sampling: that many units of each true class. Give either this or ``n``.
    prior : array_like, shape (K,), optional
        P(true = i), for variable sampling; follows from ``population`` if that is given.
    population : array_like of int, shape (K,), optional
        Units of each true class that are drawn from without replacement; by default infinitely many.
    unseen : {"zero", "identity"}
        What is said about a class of which nothing was drawn: zeros as in the paper, or the identity's row as
        `transition_from_pairs` does.

    Returns
    -------
    float

    Raises
    ------
    InputError
        Both or neither of ``n`` and ``per_class``, variable sampling without prior or population, negative
        numbers, more units than the population has.

    Notes
    -----
    With r units of class i an entry has the error ``T_ij (1 - T_ij) / r (N_i - r) / (N_i - 1)``. Variable sampling
    averages it over r, binomial (hypergeometric in a finite population), and the published formula stops there.
    Exactly, r = 0 leaves a row of zeros: ``P(r = 0) sum_j T_ij^2`` more. For few units and rare classes that is
    the larger part.

    References
    ----------
    Hedderich, Zhu, Klakow (2021), AAAI, theorems 1 and 2; the terms for unseen classes and for sampling without
    replacement are this project's.

    Examples
    --------
    >>> T = [[0.9, 0.1], [0.3, 0.7]]
    >>> round(expected_error(T, per_class=50), 4)
    0.012
    >>> round(expected_error(T, n=100, prior=[0.95, 0.05]), 4), round(expected_error(T, n=100, prior=[0.5, 0.5]), 4)
    (0.1119, 0.0121)
    """
    matrix = as_transition(transition)
    k = len(matrix)
    choose(unseen, ("zero", "identity"), "unseen")
    if (n is None) == (per_class is None):
        raise InputError(
            "Give either n (variable sampling) or per_class (fixed sampling), not both or neither."
        )
    whole = None if population is None else _as_counts(population, k, "population")
    variance = (matrix * (1 - matrix)).sum(axis=1)
    nothing = ((matrix - (np.eye(k) if unseen == "identity" else 0.0)) ** 2).sum(axis=1)
    if per_class is not None:
        each = np.asarray(per_class)
        sizes = _as_counts(np.full(k, each) if each.ndim == 0 else each, k, "per_class")
        _check_within(sizes, whole, "per_class")
        factor = _finite_factor(sizes, whole) / np.maximum(sizes, 1)
        return float(np.where(sizes > 0, variance * factor, nothing).sum())
    size = _as_size(n)
    if whole is not None:
        _check_within(np.array([size]), whole.sum(keepdims=True), "n")
    shares = _shares(prior, whole, k)
    inverse, none = zip(*(_inverse_count(size, shares, whole, i) for i in range(k)), strict=True)
    return float(variance @ np.array(inverse) + nothing @ np.array(none))


def pairs_needed(
    transition: ArrayLike, prior: ArrayLike, target_se: float, *, population: ArrayLike | None = None
) -> PairsNeeded:
    """How many units to have labelled cleanly until every entry of T is known to ``target_se``.

    Parameters
    ----------
    transition : array_like, shape (K, K)
        A first idea of T, row-stochastic (a pilot's, or a guess).
    prior : array_like, shape (K,)
        P(true = i); every class above 0.
    target_se : float
        Root of the expected squared error that no entry may exceed, in (0, 0.5].
    population : array_like of int, shape (K,), optional
        Units of each true class there are, if drawn without replacement; ``prior`` must agree with it and may then
        be its shares.

    Returns
    -------
    PairsNeeded

    Raises
    ------
    InputError
        A class with prior 0, which no number of units ever shows; a target outside (0, 0.5].

    Notes
    -----
    An entry of a class of which nothing was drawn counts as wrong by 1, the most it can be; errors then fall with
    every further unit and the smallest number is found by bisection. At least one unit of each class is asked for.
    Fixed sampling supposes that units of a class can be had. Found by drawing at random and discarding the
    surplus, class i costs about ``per_class[i] / prior[i]`` draws.

    References
    ----------
    Hedderich, Zhu, Klakow (2021), AAAI: fixed sampling needs fewer units, most where classes are rare.

    Examples
    --------
    >>> pairs_needed([[0.98, 0.02], [0.4, 0.6]], [0.9, 0.1], 0.05)
    PairsNeeded(per_class=array([ 8, 96]), fixed=104, variable=970)
    """
    matrix = as_transition(transition)
    k = len(matrix)
    if not 0 < target_se <= 0.5:
        raise InputError(
            f"target_se is {target_se}; it lies above 0 and at most 0.5 (0.02 means two points)."
        )
    whole = None if population is None else _as_counts(population, k, "population")
    shares = _shares(prior, whole, k)
    if (rare := np.flatnonzero(shares <= 0)).size:
        raise InputError(
            f"prior of class {int(rare[0])} is 0; leave the class out, no unit will ever show its row."
        )
    worst = (matrix * (1 - matrix)).max(axis=1)
    goal = target_se**2
    if whole is None:
        per_class = np.ceil(worst / goal - 1e-9)
    else:
        # (N - r) / (r (N - 1)) v <= goal, solved for r.
        per_class = np.ceil(worst * whole / (goal * (whole - 1) + np.maximum(worst, 1e-300)) - 1e-9)
        per_class = np.minimum(per_class, whole)
    per_class = np.maximum(per_class, 1).astype(np.int64)

    def enough(size: int) -> bool:
        for i in range(k):
            inverse, none = _inverse_count(size, shares, whole, i)
            if worst[i] * inverse + none > goal:
                return False
        return True

    high = int(per_class.sum())
    limit = 2**62 if whole is None else int(whole.sum())
    while not enough(min(high, limit)):
        high *= 2
    high = min(high, limit)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return PairsNeeded(per_class, int(per_class.sum()), high)


def _inverse_count(n: int, shares: Floats, whole: NDArray[np.int64] | None, i: int) -> tuple[float, float]:
    """``E[1/r (N - r)/(N - 1); r >= 1]`` and ``P(r = 0)`` for the number r of class i among n units at random."""
    from scipy import stats

    share = float(shares[i])
    if share <= 0 or n == 0:
        return 0.0, 1.0
    if whole is None:
        law, spread = stats.binom(n, share), np.sqrt(n * share * (1 - share))
    else:
        total = int(whole.sum())
        law = stats.hypergeom(total, int(whole[i]), n)
        spread = np.sqrt(n * share * (1 - share) * (total - n) / max(total - 1, 1))
    reach = _REACH * spread + 40
    low, high = max(1, int(n * share - reach)), int(min(n, n * share + reach))
    r = np.arange(low, high + 1)
    factor = _finite_factor(r, None if whole is None else np.full(len(r), whole[i]))
    return float(law.pmf(r) @ (factor / r)), float(law.pmf(0))


def _finite_factor(sizes: NDArray[np.int64], whole: NDArray[np.int64] | None) -> Floats:
    """``(N - n) / (N - 1)``: what drawing without replacement leaves of a variance."""
    if whole is None:
        return np.ones(len(sizes))
    return np.clip((whole - sizes) / np.maximum(whole - 1, 1), 0.0, 1.0)


def _shares(prior: ArrayLike | None, whole: NDArray[np.int64] | None, k: int) -> Floats:
    if prior is None and whole is None:
        raise InputError("Variable sampling needs prior, P(true = i), or population; neither was given.")
    if whole is not None and whole.sum() == 0:
        raise InputError("population holds no unit at all; give how many units each true class has.")
    if prior is None:
        assert whole is not None
        return np.asarray(whole / whole.sum())
    values = np.asarray(prior, dtype=np.float64)
    if (
        values.shape != (k,)
        or not np.isfinite(values).all()
        or values.min() < 0
        or abs(values.sum() - 1) > 1e-6
    ):
        raise InputError(f"prior must hold {k} probabilities that sum to 1, one per true class.")
    if whole is not None and np.abs(whole / whole.sum() - values).max() > 0.01:
        raise InputError("prior and population disagree about how frequent classes are; give one of them.")
    return values if whole is None else np.asarray(whole / whole.sum())


def _as_counts(values: ArrayLike, k: int, name: str) -> NDArray[np.int64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (k,) or not np.isfinite(array).all() or (array < 0).any() or (array % 1).any():
        raise InputError(f"{name} must hold {k} whole numbers >= 0, one per true class.")
    return array.astype(np.int64)


def _as_size(n: int | None) -> int:
    if n is None or n < 0 or n != int(n):
        raise InputError(f"n is {n}; a whole number of units >= 0 is needed.")
    return int(n)


def _check_within(sizes: NDArray[np.int64], whole: NDArray[np.int64] | None, name: str) -> None:
    if whole is not None and (sizes > whole).any():
        raise InputError(
            f"{name} asks for more units than the population has; they are drawn without replacement."
        )
