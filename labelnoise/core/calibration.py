"""The calibrated answer: legitimate oddities set apart, the count debiased by simulation, an interval for it.

Every modality's calibrated detector ends here: it hands over P(true class) per unit, the estimated transition
matrix and a way to repeat itself on other labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.detection import CountEstimate
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.stacking import StackerFit, posterior

__all__ = [
    "AMBIGUITY",
    "CAUTIOUS",
    "OVERLAP",
    "Reading",
    "assumed_ambiguity",
    "count_estimate",
    "probability_wrong",
    "read_with_ambiguity",
    "shift_to_total",
    "simulate_count_ratios",
]

Array = NDArray[np.float64]

#: Share of units assumed to contradict their evidence legitimately, when errors are uniform and when they are
#: class-dependent. Errors and legitimate oddities are told apart by where they go; class-dependent errors go
#: where oddities go, so more has to be set aside there. The labels hardly bear on it (the likelihood changes
#: by less than 2 between 0 and 1%), so it is a stated assumption, not an estimate.
AMBIGUITY = {"uniform": 0.001, "class-dependent": 0.01}
#: The same for classes that overlap, and the cautious reading behind the lower end of the interval elsewhere.
CAUTIOUS = {"uniform": 0.01, "class-dependent": 0.02}
#: Above this share of units that could as well belong to another class, conflicts are not called errors.
OVERLAP = 0.15
#: Relative standard error of a count that the simulation does not show: real evidence is not the model's.
MODEL_ERROR = 0.03


@dataclass(frozen=True)
class Reading:
    """P(true class) under an assumed share of legitimate oddities, with T re-estimated.

    Attributes
    ----------
    probs : ndarray, shape (n, K)
        P(true class), the given label not used.
    transition : ndarray, shape (K, K)
    posterior : ndarray, shape (n, K)
        P(true class), the given label used.
    ambiguity : float
    """

    probs: Array
    transition: Array
    posterior: Array
    ambiguity: float


def assumed_ambiguity(uniform: bool, overlap: float) -> tuple[float, float]:
    """The share of legitimate oddities to assume, and the one of the cautious reading.

    Examples
    --------
    >>> assumed_ambiguity(True, 0.05), assumed_ambiguity(False, 0.2)
    ((0.001, 0.01), (0.02, 0.04))
    """
    kind = "uniform" if uniform else "class-dependent"
    if overlap > OVERLAP:
        return CAUTIOUS[kind], 2 * CAUTIOUS[kind]
    return AMBIGUITY[kind], CAUTIOUS[kind]


def read_with_ambiguity(
    probs: Array, fit: StackerFit, given: NDArray[np.int64], ambiguity: float, *, iterations: int = 10
) -> Reading:
    """Set a share of units aside as legitimately contradicting their evidence, and re-estimate T.

    ``p' = (1 - a) p + a p C`` with C the model's own confusions ``mean(p_i p_j)``, rows normalised: an odd unit
    belongs to a class that its looks are confused with. T follows by expectation-maximisation under the fit's
    prior on errors. Cost O(n K^2) per iteration.

    Parameters
    ----------
    probs : ndarray, shape (n, K)
    fit : StackerFit
        Gives T to start from and whether errors are uniform.
    given : ndarray of int, shape (n,)
        -1 for units without a label.
    ambiguity : float
        Share a in [0, 1).
    """
    k = probs.shape[1]
    confusion = probs.T @ probs
    np.fill_diagonal(confusion, 0.0)
    confusion /= np.maximum(confusion.sum(axis=1, keepdims=True), 1e-300)
    mixed = (1 - ambiguity) * probs + ambiguity * (probs @ confusion)
    transition = fit.transition
    has = given >= 0
    labels, rows = given[has], mixed[has]
    for _ in range(iterations):
        expected = posterior(rows, transition, labels)
        counts = np.stack([np.bincount(labels, weights=column, minlength=k) for column in expected.T])
        stay = np.diag(counts).copy()
        np.fill_diagonal(counts, 0.0)
        left = counts.sum(axis=1)
        overall = left.sum() / max(left.sum() + stay.sum(), 1e-300)
        if fit.uniform:
            rate = np.full(k, overall)
            share = np.full((k, k), 1.0 / max(k - 1, 1))
        else:
            rate = (left + 5 * overall) / (left + stay + 5)
            share = counts + fit.concentration / max(k - 1, 1)
            np.fill_diagonal(share, 0.0)
            share /= share.sum(axis=1, keepdims=True)
        transition = rate[:, None] * share
        np.fill_diagonal(transition, 1.0 - rate)
    return Reading(mixed, transition, posterior(mixed, transition, given), ambiguity)


def probability_wrong(truth: Array, given: NDArray[np.int64]) -> Array:
    """P(given label is wrong) from P(true class | everything), 0 for units without a label.

    Examples
    --------
    >>> import numpy as np
    >>> probability_wrong(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, -1])).round(2).tolist()
    [0.9, 0.0]
    """
    result = 1.0 - truth[np.arange(len(given)), np.maximum(given, 0)]
    return np.where(given >= 0, np.clip(result, 0.0, 1.0), 0.0)


def simulate_count_ratios(
    truth: Array,
    transition: Array,
    given: NDArray[np.int64],
    refit: Callable[[NDArray[np.int64]], float],
    *,
    n_simulations: int,
    seed: int,
) -> Array:
    """Estimated over true number of errors in labels simulated from the fitted model.

    Draws true labels from ``truth`` and given labels from ``transition``, repeats the whole estimate on them and
    compares: a parametric bootstrap (Efron & Tibshirani 1993, section 6.5) whose mean is the estimator's bias
    and whose spread its uncertainty. One is added to both counts, so that clean data give 1.

    Parameters
    ----------
    truth : ndarray, shape (n, K)
        P(true class | everything).
    transition : ndarray, shape (K, K)
    given : ndarray of int, shape (n,)
        Only tells which units have a label.
    refit : callable
        Maps simulated given labels (n,) to the expected number of wrong ones.
    n_simulations, seed : int

    Returns
    -------
    ndarray, shape (n_simulations,)
    """
    has = given >= 0
    last = truth.shape[1] - 1
    cumulative_truth = np.cumsum(truth[has], axis=1)
    cumulative_rows = np.cumsum(transition, axis=1)
    ratios = np.empty(n_simulations)
    for draw in track(range(n_simulations), "simulating the count"):
        rng = generator(seed, "count simulation", draw)
        true = np.minimum((rng.random(has.sum())[:, None] > cumulative_truth).sum(axis=1), last)
        noisy = np.minimum((rng.random(len(true))[:, None] > cumulative_rows[true]).sum(axis=1), last)
        labels = np.full(len(given), -1, dtype=np.int64)
        labels[has] = noisy
        ratios[draw] = (refit(labels) + 1.0) / (np.count_nonzero(noisy != true) + 1.0)
    return ratios


def count_estimate(expected: float, cautious: float, ratios: Array, *, level: float = 0.95) -> CountEstimate:
    """The expected number of wrong labels, debiased by simulation, with an interval.

    Parameters
    ----------
    expected : float
        Sum of the probabilities of error.
    cautious : float
        The same sum under the cautious share of legitimate oddities; widens the lower side.
    ratios : ndarray
        From `simulate_count_ratios`; at least two.
    level : float
        Nominal coverage.

    Notes
    -----
    On the log scale: centre ``log(expected) - mean(log ratios)``, half width the Student quantile times the
    spread of the ratios for one more draw, joined by `MODEL_ERROR` (the simulation cannot know how the model
    itself is wrong); the lower half is widened by ``log(expected / cautious)`` in
    quadrature.

    Examples
    --------
    >>> import numpy as np
    >>> c = count_estimate(100.0, 95.0, np.array([0.95, 1.05, 1.0, 0.98, 1.02]))
    >>> round(c.expected), round(c.low), round(c.high)
    (100, 86, 115)
    """
    from scipy.stats import t

    logs = np.log(ratios)
    count = len(logs)
    centre = np.log(max(expected, 1e-9)) - logs.mean()
    spread = np.hypot(float(logs.std(ddof=1)) * np.sqrt(1 + 1 / count), MODEL_ERROR)
    half = float(t.ppf((1 + level) / 2, count - 1)) * float(spread)
    doubt = np.log(max(expected, 1e-9) / max(min(cautious, expected), 1e-9))
    value = float(np.exp(centre))
    low = float(np.exp(centre - np.hypot(half, doubt)))
    return CountEstimate(
        value, low, float(np.exp(centre + half)), level, f"{count} simulations of the whole estimate"
    )


def shift_to_total(p_wrong: Array, total: float) -> Array:
    """Probabilities shifted by a constant on the logit scale so that they sum to ``total``.

    Zeros and ones stay. Totals that cannot be reached are approached.

    Examples
    --------
    >>> import numpy as np
    >>> shift_to_total(np.array([0.0, 0.5, 0.5]), 1.2).round(2).tolist()
    [0.0, 0.6, 0.6]
    """
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    inside = (p_wrong > 0) & (p_wrong < 1)
    fixed = float(p_wrong[~inside].sum())
    if not inside.any():
        return p_wrong.copy()
    z = logit(p_wrong[inside])

    def excess(shift: float) -> float:
        return fixed + float(expit(z + shift).sum()) - total

    result = p_wrong.copy()
    if excess(-5.0) >= 0:
        shift = -5.0
    elif excess(5.0) <= 0:
        shift = 5.0
    else:
        shift = float(brentq(excess, -5.0, 5.0, xtol=1e-10))
    result[inside] = expit(z + shift)
    return result
