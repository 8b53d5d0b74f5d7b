"""Rate and order of wrong classes where a class has few clips: too few to fit a full transition matrix to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.planted_rate import AMBIGUOUS, planted_rate
from labelnoise.core.decision import decide
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.flips import blend, logistic_fit, model_confusions, to_mean
from labelnoise.core.from_features import FeatureModel, suggest_others
from labelnoise.core.random import generator

__all__ = ["FEW_CLIPS", "judge_few"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Below this many labelled clips per class `judge_few` takes over; so many are needed for a transition matrix.
FEW_CLIPS = 15
#: Slope from the standardised score to the log-odds of an error, and from a planted error's score for the refit.
_SLOPE, _REFIT_SLOPE = 2.5, 1.5
#: Rounds in which errors are planted among the labels that the round before believes, draws in each, their share.
_ROUNDS, _DRAWS, _SHARE = 3, 12, 0.2
#: Inverse strength of the penalty on the weights of standardised columns.
_PENALTY = 0.3


def judge_few(
    found: Detection, features: Array, given: Labels, n_classes: int, groups: NDArray[np.int64], seed: int
) -> Detection:
    """The answer of `detect_from_features` with another order, rate and suggestion, for few clips per class.

    The rate is that of `labelnoise.audio.planted_rate.planted_rate`. The order is ``z(s) + z(l) / 2``: s how much a
    label looks like a planted error, l how much less than usual its class is predicted after a refit on doubted
    labels. In three rounds errors are planted among labels by how far they are believed, and the others count as
    right by as much, so that the real errors no longer stand for right labels.

    Examples
    --------
    >>> from labelnoise.core.from_features import detect_from_features
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(200) % 20
    >>> X = np.eye(20, 40)[true] + 0.1 * rng.normal(size=(200, 40))
    >>> given = np.where(rng.random(200) < 0.3, (true + rng.integers(1, 20, 200)) % 20, true)
    >>> first = detect_from_features(X, given, scaling="unit", n_classes=20)
    >>> better = judge_few(first, X, given, 20, np.arange(200), 0)
    >>> bool((better.suggested == true).mean() > 0.95), round(better.count.expected) in range(50, 60)
    (True, True)
    """
    has = np.flatnonzero(given >= 0)
    g, X = given[has], features[has]
    n = len(has)
    model = FeatureModel(X, n_classes, groups=groups[has], seed=seed)
    planted = planted_rate(X, g, model, seed)
    order, probs = _order(
        model, g, planted.rate, np.asarray(found.evidence["planted"], dtype=np.float64)[has], seed
    )
    p = np.zeros(len(given))
    p[has] = to_mean(_SLOPE * order, planted.rate)
    truth = blend(g, probs, p[has])
    suggested, confidence = found.suggested.copy(), found.confidence.copy()
    suggested[has], confidence[has] = truth.argmax(axis=1), truth.max(axis=1)
    flagged = decide(p)
    suggest_others(flagged, suggested, confidence, has, g, truth)
    return replace(
        found,
        quality=1.0 - p,
        p_wrong=p,
        flagged=flagged,
        suggested=suggested,
        confidence=confidence,
        transition=None,
        count=CountEstimate(
            n * planted.rate,
            n * planted.low,
            n * planted.high,
            0.95,
            f"confusions fitted under a prior of likeness, bias simulated; {AMBIGUOUS:.0%} of the right labels assumed "
            f"to contradict their sound, none to {2.5 * AMBIGUOUS:.0%} in the interval",
        ),
        warnings=(
            f"Only {n / len(np.unique(g)):.0f} labelled clips per class: which class is mistaken for which can hardly be "
            "estimated, so likeness between classes guides it; read the count to within a third.",
        ),
        info={**found.info, "raw_rate": round(planted.raw, 4)},
    )


def _order(model: FeatureModel, g: Labels, rate: float, score: Array, seed: int) -> tuple[Array, Array]:
    """How suspicious every label is (mean 0, deviation 1), and the refit's probabilities."""
    rows = np.arange(len(g))
    real, first = model.evidence(g)
    steps = np.cumsum(model_confusions(g, first), axis=1)
    steps /= steps[:, -1:]
    order = np.zeros(len(g))
    for step in range(_ROUNDS + 1):
        if step:
            score = _planted_score(model, g, real, steps, to_mean(_SLOPE * order, rate), seed, step)
        probs = model.probs(blend(g, first, to_mean(_REFIT_SLOPE * score, rate)), g)
        own = np.maximum(probs[rows, g], 1e-12)
        order = _z(_z(score) + 0.5 * _z(np.log(np.maximum(probs.mean(axis=0), 1e-12))[g] - np.log(own)))
    return order, probs


def _planted_score(
    model: FeatureModel, g: Labels, real: Array, steps: Array, doubt: Array, seed: int, step: int
) -> Array:
    """Log-odds of "planted", errors planted among believed labels and learnt against believed labels."""
    rng = generator(seed, "planted among believed", step)
    believed = np.maximum(1.0 - doubt, 1e-6)
    columns, planted = [], []
    for _ in range(_DRAWS):
        chosen = rng.choice(
            len(g), max(round(_SHARE * len(g)), 1), replace=False, p=believed / believed.sum()
        )
        labels = g.copy()
        labels[chosen] = (rng.random(len(chosen))[:, None] >= steps[g[chosen]]).sum(axis=1)
        columns.append(model.evidence(labels)[0])
        planted.append(labels != g)
    X, y = np.concatenate(columns), np.concatenate(planted)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    weight = np.where(y, 1.0, np.tile(believed, _DRAWS))
    w = logistic_fit((X - mean) / scale, y.astype(np.float64), penalty=_PENALTY, weight=weight)
    score: Array = (real - mean) / scale @ w[:-1] + w[-1]
    return score


def _z(x: Array) -> Array:
    return (x - x.mean()) / max(float(x.std()), 1e-12)
