"""How many classes are wrong where each has few clips: a rate that overfits in a known way, and that way simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.from_features import FeatureModel
from labelnoise.core.random import generator

__all__ = ["PlantedRate", "fit_confusions", "likeness", "planted_rate"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Share of the given label in the first targets; sharpness of likeness between classes, and its share in confusions.
_TRUST, _LIKENESS, _LIKE_SHARE = 0.8, 4.0, 0.7
#: Clips that the prior on the confusions of a class counts as.
_PRIOR = 5.0
#: Rates at which errors are planted, and draws at each.
_GRID, _DRAWS = (0.0, 0.1, 0.25, 0.45), 3
#: Share of right labels that contradict all other clips: sounds that could as well be of another class. Labels alone
#: do not tell them from errors, so it is an assumption; the interval covers none to this times 2.5.
AMBIGUOUS = 0.02


@dataclass(frozen=True)
class PlantedRate:
    """The share of wrong labels, its bounds, and what it was read from.

    Attributes
    ----------
    rate, low, high : float
    raw : float
        The rate before its bias was taken out.
    posterior : ndarray, shape (n, K)
        P(true class) of every clip, its own label included, at the raw rate.
    simulated : ndarray, shape (rates, draws)
        Raw rates of labels with errors planted at known rates.
    """

    rate: float
    low: float
    high: float
    raw: float
    posterior: Array
    simulated: Array


def likeness(features: Array, targets: Array) -> Array:
    """Confusions between classes by the cosine of their mean vectors, rows sum to 1, the diagonal is 0.

    Examples
    --------
    >>> likeness(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), np.eye(3)).round(2).tolist()
    [[0.0, 0.58, 0.42], [0.57, 0.0, 0.43], [0.49, 0.51, 0.0]]
    """
    k = targets.shape[1]
    size = targets.sum(axis=0)[:, None]
    means = targets.T @ features / np.maximum(size, 1e-12)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    means *= size / (size + 2.0)
    off = 1.0 - np.eye(k)
    like = np.exp(_LIKENESS * means @ means.T) * off
    result: Array = _LIKE_SHARE * like / like.sum(axis=1, keepdims=True) + (1 - _LIKE_SHARE) * off / (k - 1)
    return result


def fit_confusions(scores: Array, prior: Array, given: Labels) -> tuple[float, Array, Array]:
    """Rate, confusions and posterior under which labels are most likely, the classes' confusions shrunk to a prior.

    ``P(g | f) = (1 - r) f_g + r sum_y f_y C[y, g]`` with f the softmax of scaled scores, C with a Dirichlet prior of
    ``5 prior[y]`` per class, by expectation-maximisation; the scale by likelihood every few rounds.

    Parameters
    ----------
    scores : ndarray, shape (n, K)
        Of clips of other recordings.
    prior : ndarray, shape (K, K)
    given : ndarray of int, shape (n,)

    Returns
    -------
    rate : float
    confusions : ndarray, shape (K, K)
        Rows sum to 1, the diagonal is 0.
    posterior : ndarray, shape (n, K)

    Examples
    --------
    >>> scores, given = np.eye(3)[[0, 1, 2] * 20], np.array([0, 1, 2] * 19 + [1, 2, 0])
    >>> rate, confusions, posterior = fit_confusions(scores, (1 - np.eye(3)) / 2, given)
    >>> round(rate, 2), posterior[-3:].argmax(axis=1).tolist()
    (0.05, [0, 1, 2])
    """
    n, k = scores.shape
    rows, confusions, rate, log_scale = np.arange(n), prior, 0.3, 0.5
    shifted, labelled = scores - scores.max(axis=1, keepdims=True), np.eye(k)[given]
    for step in range(12):
        if step % 6 == 0:
            rate, log_scale = maximise(shifted, confusions, given, rate, log_scale)
            f = np.exp(np.exp(log_scale) * shifted)
            f /= f.sum(axis=1, keepdims=True)
        right = (1 - rate) * f[rows, given]
        wrong = rate * f * confusions[:, given].T
        total = np.maximum(right + wrong.sum(axis=1), 1e-300)
        wrong /= total[:, None]
        rate = float(np.clip(wrong.sum() / n, 1e-4, 1 - 1e-4))
        confusions = wrong.T @ labelled + _PRIOR * prior
        np.fill_diagonal(confusions, 0.0)
        confusions /= confusions.sum(axis=1, keepdims=True)
    wrong[rows, given] += right / total
    return rate, confusions, wrong


def maximise(
    shifted: Array, confusions: Array, given: Labels, rate: float, log_scale: float
) -> tuple[float, float]:
    """Rate and log of the scale under which the labels are most likely, from a start."""
    from scipy.optimize import minimize

    rows, into = np.arange(len(given)), np.ascontiguousarray(confusions[:, given].T)

    def loss(theta: Array) -> float:
        r = 1.0 / (1.0 + np.exp(-theta[0]))
        f = np.exp(np.exp(np.clip(theta[1], -2, 6)) * shifted)
        f /= f.sum(axis=1, keepdims=True)
        likely = (1 - r) * f[rows, given] + r * np.einsum("ij,ij->i", f, into)
        return -float(np.log(np.maximum(likely, 1e-300)).sum())

    start = np.array([np.log(rate / (1 - rate)), log_scale])
    simplex = start + np.array([[0.0, 0.0], [0.4, 0.0], [0.0, 0.3]])
    options = {"xatol": 1e-2, "fatol": 1e-2, "maxiter": 80, "initial_simplex": simplex}
    best = minimize(loss, start, method="Nelder-Mead", options=options).x
    return float(1.0 / (1.0 + np.exp(-best[0]))), float(np.clip(best[1], -2, 6))


def planted_rate(features: Array, given: Labels, model: FeatureModel, seed: int = 0) -> PlantedRate:
    """The share of wrong labels, with the bias of its estimate simulated and taken out.

    A confusion matrix fitted to a few clips per class explains right labels as errors, too. So the estimate is
    repeated on the labels that one refit makes of the given ones, with errors planted at known rates along the
    fitted confusions, and the curve from planted to estimated rate is read backwards.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Of the labelled clips, scaled.
    given : ndarray of int, shape (n,)
    model : FeatureModel
        Of the same clips.
    seed : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(200) % 20
    >>> X = np.eye(20, 40)[true] + 0.1 * rng.normal(size=(200, 40))
    >>> given = np.where(rng.random(200) < 0.3, (true + rng.integers(1, 20, 200)) % 20, true)
    >>> found = planted_rate(X, given, FeatureModel(X, 20))
    >>> float((given != true).mean()), 0.23 < found.rate < 0.32, found.low < found.rate < found.high
    (0.275, True, True)
    """
    if features.shape[1] > len(features):
        # The same inner products in fewer columns.
        values, vectors = np.linalg.eigh(features @ features.T)
        features = vectors * np.sqrt(np.maximum(values, 0.0))
    raw, confusions, posterior = _estimate(features, given, model)
    cleaned = model.probs(posterior, given).argmax(axis=1)
    rng = generator(seed, "planted rate")
    simulated = np.array(
        [
            [_estimate(features, _plant(cleaned, confusions, rate, rng), model)[0] for _ in range(_DRAWS)]
            for rate in _GRID
        ]
    )
    curve = np.maximum.accumulate(simulated.mean(axis=1))
    # The clips stay the same in all simulations; as many others would do would vary the rate as drawing them does.
    drawn = max(raw * (1 - raw), 0.0) / len(given)
    spread = float(np.sqrt(simulated.var(axis=1, ddof=1).mean() + drawn))
    rate, low, high = (_invert(raw + shift, curve) for shift in (0.0, -2 * spread, 2 * spread))
    rate = _without(rate, AMBIGUOUS)
    return PlantedRate(
        rate, min(_without(low, 2.5 * AMBIGUOUS), rate), max(high, rate), raw, posterior, simulated
    )


def _without(rate: float, share: float) -> float:
    return float(np.clip((rate - share) / (1 - share), 1e-4, 1 - 1e-4))


def _estimate(features: Array, given: Labels, model: FeatureModel) -> tuple[float, Array, Array]:
    targets = _TRUST * np.eye(model.k)[given] + (1 - _TRUST) / model.k
    prior = likeness(features, targets)
    found = [fit_confusions(scores, prior, given) for scores in model.scores(targets)]
    return (
        float(np.mean([rate for rate, _, _ in found])),
        np.mean([confusions for _, confusions, _ in found], axis=0),
        np.mean([posterior for _, _, posterior in found], axis=0),
    )


def _plant(labels: Labels, confusions: Array, rate: float, rng: np.random.Generator) -> Labels:
    chosen = rng.permutation(len(labels))[: round(rate * len(labels))]
    steps = np.cumsum(confusions, axis=1)
    steps /= steps[:, -1:]
    result = labels.copy()
    result[chosen] = (rng.random(len(chosen))[:, None] >= steps[labels[chosen]]).sum(axis=1)
    return result


def _invert(raw: float, curve: Array) -> float:
    """The planted rate whose estimates come out at ``raw``; beyond the last one along the last piece."""
    grid = np.array(_GRID)
    if raw <= curve[-1]:
        return float(np.interp(raw, curve + 1e-9 * np.arange(len(curve)), grid))
    slope = (grid[-1] - grid[-2]) / max(float(curve[-1] - curve[-2]), 0.02)
    return float(min(grid[-1] + (raw - curve[-1]) * slope, 0.95))
