"""Rate and order of wrong classes where a class has few clips: too few to fit a full transition matrix to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.decision import decide
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.flips import blend, to_mean
from labelnoise.core.from_features import EXPERTS, FeatureModel
from labelnoise.core.kernels import KernelExpert
from labelnoise.core.random import generator

__all__ = ["FEW_CLIPS", "error_rates", "judge_few"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Below this many labelled clips per class `judge_few` takes over; so many are needed for a transition matrix.
FEW_CLIPS = 15
#: Share of the given label in the targets; sharpness of likeness between classes, and its share in confusions.
_TRUST, _LIKENESS, _LIKE_SHARE = 0.8, 4.0, 0.7
#: Slope from the standardised score to the log-odds of an error, and from a planted error's score for the refit.
_SLOPE, _REFIT_SLOPE = 2.5, 1.5


def error_rates(
    features: Array,
    given: Labels,
    n_classes: int,
    groups: NDArray[np.int64],
    seed: int = 0,
    *,
    draws: int = 20,
) -> Array:
    """Share of wrong labels as each ridge expert sees it, and over bootstrap samples of recordings.

    The likelihood of a label is ``(1 - r) f_g + r sum_y f_y B[y, g]`` with f the softmax of leave-recording-out
    scores and B the likeness of the classes' mean vectors: two numbers, r and the sharpness, to be estimated.

    Returns
    -------
    ndarray, shape (2, 1 + draws)
        Rows: linear and Laplacian kernel; the first column is of all clips.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(200) % 20
    >>> X = np.eye(20, 40)[true] + 0.1 * rng.normal(size=(200, 40))
    >>> given = np.where(rng.random(200) < 0.3, (true + rng.integers(1, 20, 200)) % 20, true)
    >>> rates = error_rates(X, given, 20, np.arange(200), draws=2)
    >>> float((given != true).mean()), (rates[:, 0] > 0.2).tolist(), (rates[:, 0] < 0.4).tolist()
    (0.275, [True, True], [True, True])
    """
    q = np.full((len(given), n_classes), (1 - _TRUST) / n_classes)
    q[np.arange(len(given)), given] += _TRUST
    size = q.sum(axis=0)[:, None]
    means = q.T @ features / size
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    means *= size / (size + 2.0)
    even = (1.0 - np.eye(n_classes)) / (n_classes - 1)
    like = np.exp(_LIKENESS * means @ means.T) * (1.0 - np.eye(n_classes))
    B = _LIKE_SHARE * like / like.sum(axis=1, keepdims=True) + (1 - _LIKE_SHARE) * even
    _, member = np.unique(groups, return_inverse=True)
    rng = generator(seed, "error rates")
    weights = [np.ones(len(given))]
    for _ in range(draws):
        times = np.bincount(rng.integers(0, member.max() + 1, member.max() + 1), minlength=member.max() + 1)
        weights.append(times[member].astype(np.float64))
    rows = []
    for kernel, lam in EXPERTS:
        expert = KernelExpert(features, kernel=kernel, lam=lam, groups=groups, seed=seed)
        scores = expert.leave_group_out(q)
        first = _maximise(scores, B, given, weights[0], ((0.1, 2.0), (0.4, 2.0)))
        rows.append([first[0], *(_maximise(scores, B, given, weight, (first,))[0] for weight in weights[1:])])
    return np.array(rows)


def _maximise(
    scores: Array, B: Array, given: Labels, weight: Array, starts: tuple[tuple[float, float], ...]
) -> tuple[float, float]:
    """Rate and log of the sharpness under which the labels are most likely."""
    from scipy.optimize import minimize

    rows, into = np.arange(len(given)), np.ascontiguousarray(B[:, given].T)
    shifted = scores - scores.max(axis=1, keepdims=True)

    def loss(theta: Array) -> float:
        rate = 1.0 / (1.0 + np.exp(-theta[0]))
        f = np.exp(np.exp(np.clip(theta[1], -2, 6)) * shifted)
        f /= f.sum(axis=1, keepdims=True)
        likely = (1 - rate) * f[rows, given] + rate * (f * into).sum(axis=1)
        return -float(weight @ np.log(np.maximum(likely, 1e-300)))

    found = [
        minimize(
            loss,
            [np.log(r / (1 - r)), t],
            method="Nelder-Mead",
            options={"xatol": 1e-2, "fatol": 1e-2, "maxiter": 80},
        )
        for r, t in ((min(max(r, 1e-3), 1 - 1e-3), t) for r, t in starts)
    ]
    best = min(found, key=lambda result: float(result.fun)).x
    return float(1.0 / (1.0 + np.exp(-best[0]))), float(best[1])


def judge_few(
    found: Detection, features: Array, given: Labels, n_classes: int, groups: NDArray[np.int64], seed: int
) -> Detection:
    """The answer of `detect_from_features` with another order, rate and suggestion, for few clips per class.

    The order is ``z(planted) + z(lift) / 2``: how much a label looks like a planted error, and how much less
    than usual its class is predicted after one refit on doubted labels.

    Examples
    --------
    >>> from labelnoise.core.from_features import detect_from_features
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(200) % 20
    >>> X = np.eye(20, 40)[true] + 0.1 * rng.normal(size=(200, 40))
    >>> given = np.where(rng.random(200) < 0.3, (true + rng.integers(1, 20, 200)) % 20, true)
    >>> first = detect_from_features(X, given, scaling="unit", n_classes=20)
    >>> better = judge_few(first, X, given, 20, np.arange(200), 0)
    >>> bool((better.suggested == true).mean() > 0.95), round(better.count.expected) in range(50, 75)
    (True, True)
    """
    has = np.flatnonzero(given >= 0)
    g, X = given[has], features[has]
    n, rows = len(has), np.arange(len(has))
    rates = error_rates(X, g, n_classes, groups[has], seed)
    # The linear kernel is right where many labels are wrong, the Laplacian one where few are.
    lean = np.clip((rates.mean(axis=0) - 0.1) / 0.35, 0.0, 1.0)
    every = rates[1] + (rates[0] - rates[1]) * lean
    rate = float(np.clip(every[0], 1e-4, 1 - 1e-4))
    spread = [*np.quantile(every[1:], (0.025, 0.975)), *rates[:, 0], rate]
    planted = np.asarray(found.evidence["planted"], dtype=np.float64)[has]
    model = FeatureModel(X, n_classes, groups=groups[has], seed=seed)
    first = model.probs(np.eye(n_classes)[g], g)
    probs = model.probs(blend(g, first, to_mean(_REFIT_SLOPE * planted, rate)), g)
    own = np.maximum(probs[rows, g], 1e-12)
    lift = np.log(np.maximum(probs.mean(axis=0), 1e-12))[g] - np.log(own)
    p = np.zeros(len(given))
    p[has] = to_mean(_SLOPE * _z(_z(planted) + 0.5 * _z(lift)), rate)
    truth = blend(g, probs, p[has])
    suggested, confidence = found.suggested.copy(), found.confidence.copy()
    suggested[has], confidence[has] = truth.argmax(axis=1), truth.max(axis=1)
    return replace(
        found,
        quality=1.0 - p,
        p_wrong=p,
        flagged=decide(p),
        suggested=suggested,
        confidence=confidence,
        transition=None,
        count=CountEstimate(
            n * rate,
            n * float(min(spread)),
            n * float(max(spread)),
            0.95,
            "mixture of two kernels' rates; bootstrap over recordings, widened to both kernels",
        ),
        warnings=(
            f"Only {n / len(np.unique(g)):.0f} labelled clips per class: which class is mistaken for which cannot be "
            "estimated, so likeness stands in for it; read the count to within a third.",
        ),
        info={**found.info, "rates_by_kernel": [round(float(r), 4) for r in rates[:, 0]]},
    )


def _z(x: Array) -> Array:
    return (x - x.mean()) / max(float(x.std()), 1e-12)
