"""Prediction sets that hold the true class at a stated rate, calibrated on noisy labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import (
    InputError,
    as_labels,
    as_probs,
    as_rate,
    as_transition,
    check_same_length,
    choose,
)

__all__ = ["ConformalSets", "Score", "calibrate_conformal", "conformal_scores", "set_coverage"]

Floats = NDArray[np.float64]
Score = Literal["hps", "aps", "raps"]

#: E sup (empirical - true distribution function) <= this / sqrt(n), from P(sup > t) <= min(1, exp(-2 n t^2)) once
#: exp(-2 n t^2) <= 1/2 (Massart): sqrt(ln 2 / 2) + sqrt(pi / 8) erfc(sqrt(ln 2)).
_MEAN_EXCESS = 0.7385


@dataclass(frozen=True, kw_only=True, eq=False)
class ConformalSets:
    """A calibrated threshold: class k is in the set of a unit if its score is at most the threshold.

    Attributes
    ----------
    threshold : float
        Infinite if no finite one reaches the coverage; sets then hold all classes.
    alpha : float
        P(true class not in the set) aimed at.
    coverage : float
        Estimated share of calibration units whose true class is in the set.
    coverage_error : float
        Its standard error at this threshold, from the sample of labels and, if T was passed as a
        `TransitionEstimate`, from the standard errors of T.
    slack : float
        What was added to the coverage aimed at, for a guarantee; 0 without one.
    naive_threshold : float
        The threshold if given labels are taken for true (split conformal prediction).
    mean_size : float
        Mean size of the sets of the calibration units.
    n_units : int
        Labelled calibration units.
    score : str
    penalty : float
    free_ranks : int
    randomize : bool
        How scores are made, see `conformal_scores`.
    warnings : tuple of str
    """

    threshold: float
    alpha: float
    coverage: float
    coverage_error: float
    slack: float
    naive_threshold: float
    mean_size: float
    n_units: int
    score: Score
    penalty: float
    free_ranks: int
    randomize: bool
    warnings: tuple[str, ...] = ()

    def sets(self, probs: ArrayLike, *, seed: int = 1) -> NDArray[np.bool_]:
        """Membership of every class in every unit's set, shape (n, K).

        Parameters
        ----------
        probs : array_like of float, shape (n, K)
            By the model that the calibration used.
        seed : int
            Of randomized scores; another one than the calibration's.
        """
        scores = conformal_scores(
            probs,
            self.score,
            penalty=self.penalty,
            free_ranks=self.free_ranks,
            randomize=self.randomize,
            seed=seed,
        )
        return np.asarray(scores <= self.threshold)


def conformal_scores(
    probs: ArrayLike,
    score: Score = "hps",
    *,
    penalty: float = 0.01,
    free_ranks: int = 5,
    randomize: bool = False,
    seed: int = 0,
) -> Floats:
    """How badly every class suits every unit; a set takes the classes whose score is low.

    Parameters
    ----------
    probs : array_like of float, shape (n, K)
        Class probabilities, rows sum to 1.
    score : {"hps", "aps", "raps"}
        ``"hps"``: one minus the probability, which makes the smallest sets; ``"aps"``: the probability of all classes
        down to and including this one, which makes sets larger where the model is less sure; ``"raps"``: with a
        penalty on the rank, against the long tail of many classes.
    penalty, free_ranks : float, int
        Of ``"raps"``: ``penalty * max(0, rank - free_ranks)`` is added, ranks from 1.
    randomize : bool
        For the last two: a uniform share of the class's own probability is taken off, one draw per unit, so that
        scores do not pile up at 1 and sets may be smaller (even empty).
    seed : int

    Returns
    -------
    ndarray of float64, shape (n, K)
        Classes of equal probability share the larger score, whatever their order.

    Raises
    ------
    InputError
        Not probabilities, options out of range.

    References
    ----------
    Sadinle, Lei, Wasserman (2019), JASA (hps); Romano, Sesia, Candes (2020), NeurIPS (aps); Angelopoulos, Bates,
    Malik, Jordan (2021), ICLR (raps).

    Examples
    --------
    >>> conformal_scores([[0.2, 0.7, 0.1]], "hps").round(3)
    array([[0.8, 0.3, 0.9]])
    >>> conformal_scores([[0.2, 0.7, 0.1]], "aps").round(3)
    array([[0.9, 0.7, 1. ]])
    >>> conformal_scores([[0.2, 0.7, 0.1]], "raps", free_ranks=1).round(3)
    array([[0.91, 0.7 , 1.02]])
    """
    p = np.asarray(as_probs(probs), dtype=np.float64)
    choose(score, ("hps", "aps", "raps"), "conformal score")
    if not (np.isfinite(penalty) and penalty >= 0) or free_ranks < 0:
        raise InputError(f"penalty is {penalty} and free_ranks {free_ranks}; both must be at least 0.")
    if score == "hps":
        return 1.0 - p
    order = np.argsort(-p, axis=1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=1)
    total = np.cumsum(ordered, axis=1)
    ranks = np.broadcast_to(np.arange(1, p.shape[1] + 1, dtype=np.float64), p.shape).copy()
    # Equal probabilities share the last one's cumulated mass and rank.
    for j in range(p.shape[1] - 2, -1, -1):
        tie = ordered[:, j] == ordered[:, j + 1]
        total[tie, j], ranks[tie, j] = total[tie, j + 1], ranks[tie, j + 1]
    if randomize:
        total -= generator(seed, "conformal scores").random((len(p), 1)) * ordered
    if score == "raps":
        total += penalty * np.maximum(0.0, ranks - free_ranks)
    result = np.empty_like(total)
    np.put_along_axis(result, order, total, axis=1)
    return result


def calibrate_conformal(
    labels: ArrayLike,
    probs: ArrayLike,
    transition: ArrayLike | TransitionEstimate | None = None,
    *,
    rate: float | None = None,
    alpha: float = 0.1,
    score: Score = "hps",
    penalty: float = 0.01,
    free_ranks: int = 5,
    randomize: bool = False,
    confidence: float | None = None,
    max_condition: float = 1e3,
    seed: int = 0,
) -> ConformalSets:
    """Find the smallest threshold at which sets hold the true class of ``1 - alpha`` of the units.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given, noisy labels of units that the model was not fitted to; -1 for "no label".
    probs : array_like of float, shape (n, K)
        The model's class probabilities.
    transition : array_like of shape (K, K) or TransitionEstimate, optional
        ``T[i, j] = P(given = j | true = i)``.
    rate : float, optional
        Instead of T: uniform noise with this P(given != true), below ``(K - 1) / K``. With neither, labels count as
        clean, which is split conformal prediction.
    alpha : float
        In (0, 1).
    score, penalty, free_ranks, randomize :
        See `conformal_scores`.
    confidence : float, optional
        In (0, 1): make the coverage hold with this probability over calibration samples, by asking for more (a
        `slack`). Without it coverage holds on average over samples, up to order 1 / n.
    max_condition : float
        Refuse T with a larger condition number: its inverse would multiply sampling errors as much.
    seed : int
        Of randomized scores.

    Returns
    -------
    ConformalSets

    Raises
    ------
    InputError
        No labelled unit, both ``transition`` and ``rate``, an ill-conditioned T, options out of range.

    Notes
    -----
    With W the inverse of T, ``E[W[given, k] | true = y] = 1[k = y]``, so that ``mean_i sum_{k in S_i} W[given_i, k]``
    is an unbiased estimate of P(true in S). It changes only at scores: all n K are sorted once and their weights
    added up, which gives the smallest threshold exactly. The estimate may fall in places as the threshold rises.
    Uniform noise with P(replaced by a uniform draw of all K) = e has the closed form ``(A - e D) / (1 - e)``, with A
    the share of given labels in their sets and D the mean size of sets over K.

    The slack: the estimate is a mean of differences of two rising functions of the threshold, of at most V+ and V-,
    the largest row sums of W's positive and negative parts. Each mean exceeds its expectation by
    ``0.7385 V / sqrt(n)`` at most on average (a mean of distribution functions is a conditional expectation of an
    empirical one; Dvoretzky-Kiefer-Wolfowitz with Massart's constant), and one unit moves their supremum by
    ``(V+ + V-) / n`` at most (McDiarmid). With clean labels it is the plain one-sided bound.

    References
    ----------
    Penso, Goldberger, Fetaya (2025), Conformal prediction of classifiers with many classes based on noisy labels,
    COPA (NACP, uniform noise); the estimate for any T and its slack are this project's.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.dirichlet(np.ones(3), 5000)
    >>> true = (rng.random((5000, 1)) >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    >>> given = np.where(rng.random(5000) < 0.3, (true + 1) % 3, true)
    >>> T = 0.7 * np.eye(3) + 0.3 * np.roll(np.eye(3), 1, axis=1)
    >>> fit = calibrate_conformal(given, p, T)
    >>> naive = p >= 1 - fit.naive_threshold
    >>> [round(float(sets[np.arange(5000), true].mean()), 2) for sets in (fit.sets(p), naive)]
    [0.91, 0.98]
    """
    p = np.asarray(as_probs(probs), dtype=np.float64)
    ids = as_labels(labels, n_classes=p.shape[1])
    check_same_length(labels=ids, probs=p)
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}; the share of sets that may miss lies above 0 and below 1.")
    if confidence is not None and not 0 < confidence < 1:
        raise InputError(
            f"confidence is {confidence}; it lies above 0 and below 1, or is None for no guarantee."
        )
    has = ids >= 0
    if not has.any():
        raise InputError("No unit is labelled; calibration needs labels.")
    inverse = _inverse(transition, rate, p.shape[1], max_condition)
    # Scores of all units are drawn, so that those without a label change nobody's.
    scores = conformal_scores(
        p, score, penalty=penalty, free_ranks=free_ranks, randomize=randomize, seed=seed
    )
    scores, given = scores[has], ids[has]
    n = len(given)
    slack = 0.0 if confidence is None else _slack(inverse, n, 1 - confidence)
    # (n + 1) / n makes it split conformal prediction when labels are clean.
    wanted = (1 - alpha) * (n + 1) / n + slack
    threshold = _smallest(scores, inverse[given], wanted)
    naive = _smallest(scores, np.eye(p.shape[1])[given], (1 - alpha) * (n + 1) / n)
    warnings: tuple[str, ...] = ()
    if np.isinf(threshold):
        warnings = (
            f"No threshold reaches a coverage of {wanted:.3f} with {n} units; sets hold all classes. "
            "Calibrate on more units, or ask for less.",
        )
    inside = scores <= threshold
    estimate = (inside * inverse[given]).sum(axis=1)
    error = float(estimate.std() / np.sqrt(n))
    if isinstance(transition, TransitionEstimate):
        error = float(np.hypot(error, _error_by_t(transition, inverse, inside, given)))
    return ConformalSets(
        threshold=threshold,
        alpha=alpha,
        coverage=float(estimate.mean()),
        coverage_error=error,
        slack=slack,
        naive_threshold=naive,
        mean_size=float(inside.sum(axis=1).mean()),
        n_units=n,
        score=score,
        penalty=penalty,
        free_ranks=free_ranks,
        randomize=randomize,
        warnings=warnings,
    )


def set_coverage(
    labels: ArrayLike,
    sets: ArrayLike,
    transition: ArrayLike | TransitionEstimate | None = None,
    *,
    rate: float | None = None,
    max_condition: float = 1e3,
) -> float:
    """Unbiased estimate of the share of true classes in given sets, from noisy labels.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    sets : array_like of bool, shape (n, K)
    transition, rate, max_condition :
        See `calibrate_conformal`.

    Returns
    -------
    float
        May leave [0, 1] by the error of sampling.

    Raises
    ------
    InputError
        As `calibrate_conformal`, and sets that are not a matrix of booleans.

    Examples
    --------
    >>> round(set_coverage([0, 0, 1, 1], np.eye(2, dtype=bool)[[0, 0, 1, 0]], rate=0.2), 3)
    0.917
    """
    inside = np.asarray(sets)
    if inside.ndim != 2 or inside.dtype != bool:
        raise InputError(
            f"sets has shape {inside.shape} and type {inside.dtype}; a boolean (units, classes) is needed."
        )
    ids = as_labels(labels, n_classes=inside.shape[1])
    check_same_length(labels=ids, sets=inside)
    has = ids >= 0
    if not has.any():
        raise InputError("No unit is labelled; coverage needs labels.")
    inverse = _inverse(transition, rate, inside.shape[1], max_condition)
    return float((inside[has] * inverse[ids[has]]).sum(axis=1).mean())


def _smallest(scores: Floats, weights: Floats, wanted: float) -> float:
    """The smallest score q with ``sum of weights of scores <= q`` at least ``wanted`` units; infinite if none."""
    n = len(scores)
    used = np.flatnonzero(weights.ravel())
    values = scores.ravel()[used]
    order = np.argsort(values, kind="stable")
    values = values[order]
    covered = np.cumsum(weights.ravel()[used][order])
    last = np.append(values[1:] != values[:-1], True)
    reached = np.flatnonzero(last & (covered >= wanted * n - 1e-9 * n))
    return float(values[reached[0]]) if reached.size else float("inf")


def _inverse(
    transition: ArrayLike | TransitionEstimate | None, rate: float | None, k: int, max_condition: float
) -> Floats:
    if transition is not None and rate is not None:
        raise InputError("Both transition and rate were given; a rate stands for uniform noise, so give one.")
    if rate is not None:
        as_rate(rate)
        replaced = rate * k / (k - 1) if k > 1 else 0.0
        if 1 / max(1 - replaced, 1e-300) > max_condition or replaced >= 1:
            raise InputError(
                f"rate is {rate} with {k} classes; from {(k - 1) / k:.3g} on labels say nothing about the true class "
                f"(condition number {1 / max(1 - replaced, 1e-300):.3g}, limit {max_condition:.3g})."
            )
        return (np.eye(k) - replaced / k) / (1 - replaced)
    if transition is None:
        return np.eye(k)
    matrix = as_transition(transition.matrix if isinstance(transition, TransitionEstimate) else transition)
    if len(matrix) != k:
        raise InputError(
            f"transition has {len(matrix)} classes but probs {k}; they must be about the same classes."
        )
    condition = float(np.linalg.cond(matrix))
    if not condition <= max_condition:
        raise InputError(
            f"transition has condition number {condition:.3g} (limit {max_condition:.3g}); its inverse would multiply "
            "sampling errors as much. Merge classes that are given labels alike, or calibrate on clean labels."
        )
    return np.asarray(np.linalg.inv(matrix))


def _slack(inverse: Floats, n: int, miss: float) -> float:
    bound = np.sqrt(np.log(1 / miss) / (2 * n))
    high = float(np.maximum(inverse, 0).sum(axis=1).max())
    low = float(np.maximum(-inverse, 0).sum(axis=1).max())
    if low == 0 and (inverse == np.eye(len(inverse))).all():
        # Massart's constant holds where the bound is at most one half.
        return float(max(bound, np.sqrt(np.log(2) / (2 * n))))
    return float((high + low) * (_MEAN_EXCESS / np.sqrt(n) + bound))


def _error_by_t(
    transition: TransitionEstimate, inverse: Floats, inside: NDArray[np.bool_], given: NDArray[np.int64]
) -> float:
    """Standard error of the coverage by that of T, to first order, entries of a row as of a multinomial."""
    k = len(inverse)
    found = np.zeros((k, k))
    np.add.at(found, given, inside)
    # coverage = sum_jk W[j, k] F[j, k] and dW = -W dT W.
    gradient = -inverse.T @ (found / len(given)) @ inverse.T
    centred = gradient - (transition.matrix * gradient).sum(axis=1, keepdims=True)
    error = np.where(centred == 0, 0.0, transition.standard_error)
    return float(np.sqrt(((centred * error) ** 2).sum()))
