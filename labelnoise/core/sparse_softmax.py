"""Multinomial logistic regression on very many sparse features, in a few passes of adaptive steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.softmax_regression import SoftmaxRegression
from labelnoise.core.validation import InputError

__all__ = ["AdaGradSoftmax", "Batch", "compact", "fit_sparse_softmax"]


class Batch(NamedTuple):
    """Some rows of sparse features, and which columns they have: the others are left out.

    Attributes
    ----------
    features : csr_array, shape (b, c)
    columns : ndarray of int, shape (c,)
    """

    features: sp.csr_array
    columns: NDArray[np.int64]


def compact(features: sp.csr_array, first: int, last: int) -> Batch:
    """Rows from ``first`` up to ``last`` with the columns that occur in them alone.

    Examples
    --------
    >>> compact(sp.csr_array(np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 3.0]])), 1, 3).columns.tolist()
    [1, 2]
    """
    offsets = features.indptr[first : last + 1]
    span = slice(offsets[0], offsets[-1])
    columns, local = np.unique(features.indices[span], return_inverse=True)
    shape = (last - first, len(columns))
    return Batch(sp.csr_array((features.data[span], local, offsets - offsets[0]), shape=shape), columns)


class AdaGradSoftmax:
    """A linear classifier that is fitted step by step, with adaptive steps in the columns of each batch.

    Parameters
    ----------
    d, k : int
        Features and classes.
    rate : float
        Step size, > 0.

    Notes
    -----
    Duchi, Hazan & Singer 2011 (diagonal AdaGrad): columns that are rare keep large steps, which suits words.
    """

    def __init__(self, d: int, k: int, rate: float = 0.5) -> None:
        self.rate = rate
        self.weights = np.zeros((d, k), dtype=np.float32)
        self.bias = np.zeros(k, dtype=np.float32)
        self._squares = np.full((d, k), 1e-6, dtype=np.float32)
        self._bias_squares = np.full(k, 1e-6, dtype=np.float32)

    def probs(self, batch: Batch) -> NDArray[np.float32]:
        """P(class) of the rows, shape (b, K)."""
        logits = batch.features @ self.weights[batch.columns] + self.bias
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def descend(self, batch: Batch, slope: NDArray[Any]) -> None:
        """One step against the loss's slope in the logits of the rows, shape (b, K)."""
        by_weight = np.asarray(batch.features.T @ slope)
        seen = self._squares[batch.columns] + by_weight * by_weight
        self._squares[batch.columns] = seen
        self.weights[batch.columns] -= self.rate * by_weight / np.sqrt(seen)
        by_bias = slope.sum(axis=0)
        self._bias_squares += by_bias * by_bias
        self.bias -= self.rate * by_bias / np.sqrt(self._bias_squares)

    def frozen(self) -> SoftmaxRegression:
        """The classifier as it is now; later steps do not change it."""
        return SoftmaxRegression(self.weights.copy(), self.bias.copy())


def fit_sparse_softmax(
    features: sp.csr_array,
    targets: NDArray[Any],
    *,
    seed: int = 0,
    epochs: int = 6,
    rate: float = 0.5,
    batch: int = 64,
    rows: NDArray[np.integer[Any]] | None = None,
) -> SoftmaxRegression:
    """Fit class probabilities to soft targets by AdaGrad, touching only the columns of each batch.

    Parameters
    ----------
    features : csr_array, shape (n, D)
        Rows of about unit length.
    targets : ndarray of float, shape (n, K)
        Rows of probabilities; a row's sum counts as its weight (0 leaves the unit out).
    seed : int
        Of the order of the units.
    epochs : int
        Passes, >= 1. Few passes are the regularisation: there is no penalty.
    rate : float
        Step size, > 0.
    batch : int
        Units per step, >= 1.
    rows : ndarray of int, optional
        The units to learn from; all by default.

    Returns
    -------
    SoftmaxRegression
        The mean of the weights over the last half of the passes' ends.

    Raises
    ------
    InputError
        Shapes that do not match, negative or NaN targets, numbers out of range.

    Notes
    -----
    Duchi, Hazan & Singer 2011 (diagonal AdaGrad): columns that are rare keep large steps, which suits words.
    """
    n, d = features.shape
    wanted = np.asarray(targets, dtype=np.float32)
    if wanted.ndim != 2 or len(wanted) != n:
        raise InputError(f"targets have shape {wanted.shape} for {n} rows of features; give (n, K).")
    if epochs < 1 or batch < 1 or not rate > 0:
        raise InputError(f"epochs ({epochs}), batch ({batch}) and rate ({rate}) must be above 0.")
    if n and not (np.isfinite(wanted).all() and wanted.min() >= 0):
        raise InputError("targets hold negative numbers or NaN; give probabilities.")
    k = wanted.shape[1]
    chosen = np.arange(n) if rows is None else np.asarray(rows)
    chosen = chosen[wanted[chosen].sum(axis=1) > 0]
    rng = generator(seed, "order of units")
    model = AdaGradSoftmax(d, k, rate)
    mean_weights, mean_bias, kept = np.zeros_like(model.weights), np.zeros_like(model.bias), 0
    for epoch in track(range(epochs), "passes over the tokens"):
        order = rng.permutation(chosen)
        shuffled = sp.csr_array(features[order])
        aims = wanted[order]
        for first in range(0, len(order), batch):
            last = min(first + batch, len(order))
            part = compact(shuffled, first, last)
            aim = aims[first:last]
            model.descend(part, model.probs(part) * aim.sum(axis=1, keepdims=True) - aim)
        if epoch >= epochs // 2:
            mean_weights += model.weights
            mean_bias += model.bias
            kept += 1
    share = np.float32(1 / kept)
    return SoftmaxRegression(mean_weights * share, mean_bias * share)
