"""Wrong labels from repeated cross-validation: who keeps turning up in the fold that scores worst.

Nothing is asked of the model but a number per fold (ReCoV) or per held-out unit (fastReCoV), so it works for any
task that can be cross-validated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, as_rate

__all__ = [
    "FastReCoV",
    "ReCoV",
    "benjamini_hochberg",
    "fast_recov",
    "fast_recov_flags",
    "recov",
    "recov_flags",
]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

#: Weight of the newest run in fastReCoV's memory, and the temperature of its draws.
NEWEST, TEMPERATURE = 0.3, 0.1


@dataclass(frozen=True)
class ReCoV:
    """What repeated cross-validation says about every unit.

    Attributes
    ----------
    flagged : ndarray of bool, shape (n,)
    worst : ndarray of int64, shape (n,)
        How often the unit was in the worst fold; 0 for units without a label.
    p_value : ndarray of float64, shape (n,)
        P(at least so often by chance) = P(Bin(repeats, 1 / n_folds) >= worst); 1 for units without a label.
    repeats : int
    """

    flagged: NDArray[np.bool_]
    worst: Rows
    p_value: Array
    repeats: int


@dataclass(frozen=True)
class FastReCoV:
    """What the steered runs remember of every unit.

    Attributes
    ----------
    flagged : ndarray of bool, shape (n,)
    quality : ndarray of float64, shape (n,)
        Weighted mean of the held-out probabilities of the given label; 1 for units without a label.
    """

    flagged: NDArray[np.bool_]
    quality: Array


def recov(
    given: ArrayLike,
    evaluate: Callable[[Rows, Rows], float],
    *,
    repeats: int = 200,
    n_folds: int = 5,
    fdr: float | None = 0.05,
    seed: int = 0,
) -> ReCoV:
    """Count how often each unit is in the worst of n folds, over many random partitions.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Only tells which units have a label; those without one (-1) are in no fold.
    evaluate : callable
        Maps positions ``(train, test)`` to the score of a model trained on one and tested on the other, higher
        = better (accuracy, -loss, any metric).
    repeats : int
        Number of partitions N, at least 1; ``N * n_folds`` models are trained.
    n_folds : int
        At least 2.
    fdr : float, optional
        Flag by the Benjamini-Hochberg rule on the binomial tails at this false-discovery rate; None flags
        what is two standard deviations above chance, ``worst > N / k + 2 sqrt(N (k - 1) / k^2)``.
    seed : int

    Returns
    -------
    ReCoV

    Raises
    ------
    InputError
        Fewer labelled units than folds, options out of range, a score that is no finite number.

    Notes
    -----
    Ties go to the first of the worst folds; partitions are random, so this favours no unit. A wrong label
    makes its fold worst only slightly more often, so many repeats are needed; the more wrong labels there are,
    the less each one shows. The counts of units of one partition are dependent, which the rules ignore.

    References
    ----------
    Chen, Ramanathan, Xu, Martel (2024), Detecting noisy labels with repeated cross-validations,
    arXiv:2306.13990; Benjamini, Hochberg (1995), JRSS B 57.

    Examples
    --------
    >>> import numpy as np
    >>> wrong = np.zeros(20, dtype=bool); wrong[3] = True
    >>> found = recov(np.zeros(20, dtype=int), lambda train, test: -wrong[test].sum(), repeats=40)
    >>> found.worst[3], np.flatnonzero(found.flagged).tolist()
    (np.int64(40), [3])
    """
    from scipy.stats import binom

    ids, units = _labelled(given, n_folds, repeats)
    threshold = None if fdr is None else as_rate(fdr, name="fdr")
    worst = np.zeros(len(ids), dtype=np.int64)
    for repeat in track(range(repeats), "repeating cross-validation", total=repeats):
        order = generator(seed, "recov", repeat).permutation(len(units))
        folds = np.array_split(units[order], n_folds)
        scores = [_score(evaluate, units, np.sort(fold)) for fold in folds]
        worst[folds[int(np.argmin(scores))]] += 1
    p_value = np.ones(len(ids))
    p_value[units] = binom.sf(worst[units] - 1, repeats, 1.0 / n_folds)
    flagged = np.zeros(len(ids), dtype=bool)
    if threshold is None:
        usual, spread = repeats / n_folds, np.sqrt(repeats * (n_folds - 1)) / n_folds
        flagged[units] = worst[units] > usual + 2 * spread
    else:
        flagged[units] = benjamini_hochberg(p_value[units], threshold)
    return ReCoV(flagged, worst, p_value, repeats)


def fast_recov(
    given: ArrayLike,
    evaluate: Callable[[Rows, Rows], ArrayLike],
    *,
    count: int,
    runs: int = 10,
    n_folds: int = 5,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> FastReCoV:
    """Gather suspicious units in one fold, run after run, and flag the least probable labels.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Only tells which units have a label; those without one (-1) are in no fold.
    evaluate : callable
        Maps positions ``(train, test)`` to the probability of the given label for every unit in ``test``, from
        a model trained on ``train``; in [0, 1].
    count : int
        Number of labels to flag, 0 or more.
    runs : int
        Number N of cross-validations, at least 1.
    n_folds : int
        At least 3: one for the best units, one for the worst, the others for the rest.
    temperature : float
        > 0; low = orderings follow the memory closely.
    seed : int

    Returns
    -------
    FastReCoV

    Raises
    ------
    InputError
        Fewer labelled units than folds, options out of range, probabilities outside [0, 1].

    Notes
    -----
    After each run ``m <- .3 p + .7 m``; the next ordering is drawn without replacement with probabilities
    proportional to ``exp(m / temperature)`` (by Gumbel noise), its first n/k units are one fold, its last n/k
    another, the units between are cut in order. ``quality`` is m over the weight ``1 - .7^N`` that it has
    gathered, a number in [0, 1].

    References
    ----------
    Chen, Ramanathan, Xu, Martel (2024), Detecting noisy labels with repeated cross-validations,
    arXiv:2306.13990, fastReCoV.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.full(20, 0.9); p[3] = 0.2
    >>> found = fast_recov(np.zeros(20, dtype=int), lambda train, test: p[test], count=1)
    >>> np.flatnonzero(found.flagged).tolist(), found.quality[3].round(3)
    ([3], np.float64(0.2))
    """
    ids, units = _labelled(given, n_folds, runs)
    if n_folds < 3:
        raise InputError(
            f"n_folds is {n_folds}; fastReCoV needs a best, a worst and at least one other fold."
        )
    if count < 0 or count != int(count):
        raise InputError(f"count is {count}; give the number of labels to flag, 0 or more.")
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature is {temperature}; it must be above 0.")
    memory = np.zeros(len(units))
    for run in track(range(runs), "steering cross-validation", total=runs):
        rng = generator(seed, "fast recov", run)
        order = np.argsort(-(memory / temperature + rng.gumbel(size=len(units))), kind="stable")
        quality = np.empty(len(units))
        for fold in np.array_split(order, n_folds):
            test = np.sort(fold)
            quality[test] = _probabilities(evaluate, units, units[test])
        memory = NEWEST * quality + (1 - NEWEST) * memory
    result = np.ones(len(ids))
    result[units] = np.clip(memory / (1 - (1 - NEWEST) ** runs), 0.0, 1.0)
    flagged = np.zeros(len(ids), dtype=bool)
    flagged[units[np.argsort(memory, kind="stable")[: int(count)]]] = True
    return FastReCoV(flagged, result)


def recov_flags(
    given: ArrayLike, evaluate: Callable[[Rows, Rows], float], **options: Any
) -> NDArray[np.bool_]:
    """The flags of `recov` alone, shape (n,); options are its own.

    Examples
    --------
    >>> import numpy as np
    >>> recov_flags([0] * 10, lambda train, test: 3 not in test, repeats=40).nonzero()[0].tolist()
    [3]
    """
    return recov(given, evaluate, **options).flagged


def fast_recov_flags(
    given: ArrayLike, evaluate: Callable[[Rows, Rows], ArrayLike], *, count: int, **options: Any
) -> NDArray[np.bool_]:
    """The flags of `fast_recov` alone, shape (n,); options are its own.

    Examples
    --------
    >>> import numpy as np
    >>> fast_recov_flags([0] * 10, lambda train, test: test / 10, count=2).nonzero()[0].tolist()
    [0, 1]
    """
    return fast_recov(given, evaluate, count=count, **options).flagged


def benjamini_hochberg(p_values: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Reject by the Benjamini-Hochberg rule: the k smallest, with the largest k such that ``p_(k) <= k rate / n``.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.02, 0.2, 0.5], 0.05).tolist()
    [True, True, False, False]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.size and not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1):
        raise InputError("p_values holds NaN or values outside [0, 1].")
    ordered = np.sort(p)
    below = np.flatnonzero(ordered <= as_rate(rate) * np.arange(1, len(p) + 1) / max(len(p), 1))
    rejected: NDArray[np.bool_] = p <= ordered[below[-1]] if below.size else np.zeros(len(p), dtype=bool)
    return rejected


def _labelled(given: ArrayLike, n_folds: int, repeats: int) -> tuple[Rows, Rows]:
    ids = as_labels(given, name="given")
    units = np.flatnonzero(ids >= 0)
    if n_folds != int(n_folds) or n_folds < 2:
        raise InputError(f"n_folds is {n_folds}; it must be a whole number of at least 2.")
    if len(units) < n_folds:
        raise InputError(f"n_folds is {n_folds} for {len(units)} labelled units; use fewer folds.")
    if repeats != int(repeats) or repeats < 1:
        raise InputError(f"repeats (runs) is {repeats}; it must be a whole number of at least 1.")
    return ids, units


def _score(evaluate: Callable[[Rows, Rows], float], units: Rows, test: Rows) -> float:
    value = float(evaluate(np.setdiff1d(units, test), test))
    if not np.isfinite(value):
        raise InputError(f"evaluate returned {value}; the score of a fold must be a finite number.")
    return value


def _probabilities(evaluate: Callable[[Rows, Rows], ArrayLike], units: Rows, test: Rows) -> Array:
    found = np.asarray(evaluate(np.setdiff1d(units, test), test), dtype=np.float64)
    if found.shape != test.shape or not (np.isfinite(found).all() and ((found >= 0) & (found <= 1)).all()):
        raise InputError(
            f"evaluate returned shape {found.shape} for {len(test)} units, NaN or values outside [0, 1]; "
            "the probability of each unit's given label is needed."
        )
    return found
