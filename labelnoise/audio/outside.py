"""Which wrong clips fit no class at all: learnt by taking classes away and looking at what their clips look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.flips import logistic_fit, sigmoid
from labelnoise.core.from_features import FeatureModel
from labelnoise.core.random import generator

__all__ = ["outside_odds", "outside_probability"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Classes are taken away in so many parts, one part at a time.
_PARTS = 10
#: Log-odds beyond this say no more than "surely", one way or the other.
_LIMIT = 5.0


def outside_odds(model: FeatureModel, given: Labels, p_wrong: Array, seed: int = 0) -> Array:
    """Log of how much likelier every clip's sound is where its class is missing than where it is not, shape (n,).

    A tenth of the classes at a time is taken away and their clips labelled at random; a logistic regression learns from
    the best and second scores to tell them from clips whose class is there. Clips count by how
    far their label is believed.

    Parameters
    ----------
    model : FeatureModel
        Of the labelled clips.
    given : ndarray of int, shape (n,)
    p_wrong : ndarray, shape (n,)
    seed : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(200) % 20
    >>> X = np.eye(20, 40)[true] + 0.1 * rng.normal(size=(200, 40))
    >>> X[:20] = 0.3 * rng.normal(size=(20, 40))
    >>> odds = outside_odds(FeatureModel(X, 20), true, np.arange(200) < 20)
    >>> bool(odds[:20].min() > odds[20:].max())
    True
    """
    rng = generator(seed, "classes taken away")
    part = rng.permutation(np.arange(model.k) % min(_PARTS, model.k))
    columns, gone, weight = [], [], []
    for number in range(int(part.max()) + 1):
        left = np.flatnonzero(part != number)
        rows = part[given] == number
        if len(left) < 2 or rows.all():
            return np.zeros(len(given))
        # As sounds from outside do, they stand under labels of the classes that stay.
        labels = given.copy()
        labels[rows] = rng.choice(given[~rows], int(rows.sum()))
        columns.append(_columns(model, labels, left))
        gone.append(rows)
        weight.append(np.where(rows, 1.0, 1.0 / int(part.max())) * np.maximum(1.0 - p_wrong, 1e-6))
    X, y = np.concatenate(columns), np.concatenate(gone).astype(np.float64)
    mean, scale = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    w = logistic_fit((X - mean) / scale, y, penalty=1.0, weight=np.concatenate(weight))
    here = _columns(model, given, np.arange(model.k))
    odds: Array = np.clip((here - mean) / scale @ w[:-1] + w[-1], -_LIMIT, _LIMIT)
    return odds


def outside_probability(odds: Array, p_wrong: Array) -> Array:
    """P(a clip is of no class), from `outside_odds` and the probability that its class is wrong.

    The share of such clips among the wrong ones is the one that makes the wrong clips' odds most likely
    (expectation-maximisation), so that few are named where few are there.

    Examples
    --------
    >>> outside_probability(np.array([4.0, -4.0, -4.0, -4.0]), np.array([0.9, 0.9, 0.9, 0.0])).round(2).tolist()
    [0.86, 0.01, 0.01, 0.0]
    """
    share = 0.5
    for _ in range(200):
        member = sigmoid(odds + np.log(share / (1 - share)))
        # Half a clip on either side keeps the share off its ends.
        share = float((p_wrong @ member + 0.25) / (p_wrong.sum() + 1.0))
    result: Array = p_wrong * sigmoid(odds + np.log(share / (1 - share)))
    return result


def _columns(model: FeatureModel, labels: Labels, classes: Labels) -> Array:
    found = []
    for scores in model.scores(np.eye(model.k)[labels])[:, :, classes]:
        best = np.partition(scores, -2, axis=1)[:, -2:]
        found += [best[:, 1], best[:, 1] - best[:, 0]]
    return np.stack(found, axis=1)
