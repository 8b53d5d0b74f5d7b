"""Passes over a text in small steps, for trainers whose targets change while they learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.sparse_softmax import AdaGradSoftmax, compact
from labelnoise.text.tagger import Tagger

__all__ = ["BATCH", "Learner", "one_pass", "sharpened", "step_features"]

#: Tokens per step.
BATCH = 64

Floats = NDArray[Any]


class Learner:
    """A linear tagger that learns step by step from features of which some may be hidden from it.

    Parameters
    ----------
    features : csr_array, shape (n, D)
    k : int
        Tags.
    seed : int
    hide : float
        Share of the columns that it never sees, so that two learners differ; 0 to less than 1.
    spread : float
        Standard deviation of its first weights.
    """

    def __init__(
        self, features: sp.csr_array, k: int, seed: int, *, hide: float = 0.0, spread: float = 0.0
    ) -> None:
        draw = generator(seed, "a learner of tags")
        d = features.shape[1]
        self.features = features
        if hide > 0:
            self.features = sp.csr_array(
                features @ sp.diags_array((draw.random(d) >= hide).astype(np.float32))
            )
            self.features.eliminate_zeros()
        self.model = AdaGradSoftmax(d, k, rate=0.3)
        if spread > 0:
            self.model.weights[:] = draw.normal(0.0, spread, (d, k))

    def predict(self) -> NDArray[np.float64]:
        """Probabilities of all tokens, shape (n, K)."""
        return predicted(self.features, self.model.weights, self.model.bias)


def predicted(features: sp.csr_array, weights: Floats, bias: Floats) -> NDArray[np.float64]:
    """Softmax of ``features @ weights + bias``, rows sum to 1."""
    logits = np.asarray(features @ weights + bias, dtype=np.float64)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def one_pass(
    learners: list[Learner],
    rows: NDArray[np.int64],
    draw: np.random.Generator,
    slopes: Callable[[NDArray[np.int64], list[Floats]], list[Floats]],
) -> Iterator[int]:
    """One pass over some tokens, all learners on the same batches; yields the number of steps after each.

    Parameters
    ----------
    learners : list of Learner
    rows : ndarray of int
        The tokens to learn from.
    draw : numpy.random.Generator
        Of their order.
    slopes : callable
        ``f(batch_rows, probabilities of each learner) -> slope in the logits for each learner``.
    """
    order = draw.permutation(rows)
    shuffled = [sp.csr_array(learner.features[order]) for learner in learners]
    for first in range(0, len(order), BATCH):
        last = min(first + BATCH, len(order))
        parts = [compact(features, first, last) for features in shuffled]
        given = [learner.model.probs(part) for learner, part in zip(learners, parts)]
        for learner, part, slope in zip(learners, parts, slopes(order[first:last], given)):
            learner.model.descend(part, slope)
        yield first // BATCH + 1


def step_features(tagger: Tagger) -> sp.csr_array:
    """The tagger's features as sparse rows of about unit length."""
    found = tagger.features
    if sp.issparse(found):
        return sp.csr_array(found)
    dense = np.asarray(found, dtype=np.float32)
    return sp.csr_array(dense / max(float(np.sqrt((dense**2).sum(axis=1).mean())), 1e-12))


def sharpened(probs: Floats, mass: Floats) -> NDArray[np.float64]:
    """``q[k] ~ p[k]^2 / mass[k]``: surer, and rarer tags more likely; rows sum to 1.

    References
    ----------
    Liang et al. 2020, BOND, KDD; Xie, Girshick, Farhadi 2016 (DEC), eq. 3.

    Examples
    --------
    >>> sharpened(np.array([[0.6, 0.4]]), np.array([3.0, 1.0])).round(3).tolist()
    [[0.429, 0.571]]
    """
    q = np.asarray(probs, dtype=np.float64) ** 2 / np.maximum(mass, 1e-9)
    return np.asarray(q / np.maximum(q.sum(axis=1, keepdims=True), 1e-300))
