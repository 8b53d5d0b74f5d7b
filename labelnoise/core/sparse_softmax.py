"""Multinomial logistic regression on very many sparse features, in a few passes of adaptive steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.softmax_regression import SoftmaxRegression
from labelnoise.core.validation import InputError

__all__ = ["fit_sparse_softmax"]


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
    weights = np.zeros((d, k), dtype=np.float32)
    squares = np.full((d, k), 1e-6, dtype=np.float32)
    bias = np.zeros(k, dtype=np.float32)
    bias_squares = np.full(k, 1e-6, dtype=np.float32)
    mean_weights, mean_bias, kept = np.zeros_like(weights), np.zeros_like(bias), 0
    for epoch in track(range(epochs), "passes over the tokens"):
        order = rng.permutation(chosen)
        shuffled = sp.csr_array(features[order])
        aims = wanted[order]
        for first in range(0, len(order), batch):
            last = min(first + batch, len(order))
            span = slice(shuffled.indptr[first], shuffled.indptr[last])
            columns, local = np.unique(shuffled.indices[span], return_inverse=True)
            part = sp.csr_array(
                (shuffled.data[span], local, shuffled.indptr[first : last + 1] - shuffled.indptr[first]),
                shape=(last - first, len(columns)),
            )
            here = weights[columns]
            logits = part @ here + bias
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            aim = aims[first:last]
            p *= (aim.sum(axis=1) / p.sum(axis=1))[:, None]
            p -= aim
            slope = np.asarray(part.T @ p)
            seen = squares[columns] + slope * slope
            squares[columns] = seen
            weights[columns] = here - rate * slope / np.sqrt(seen)
            slope_bias = p.sum(axis=0)
            bias_squares += slope_bias * slope_bias
            bias -= rate * slope_bias / np.sqrt(bias_squares)
        if epoch >= epochs // 2:
            mean_weights += weights
            mean_bias += bias
            kept += 1
    share = np.float32(1 / kept)
    return SoftmaxRegression(mean_weights * share, mean_bias * share)
