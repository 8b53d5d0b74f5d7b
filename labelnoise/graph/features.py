"""Label-free node features for linear experts: own features, and features diffused over the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.random import generator

__all__ = ["curved_features", "diffused_features", "own_features", "weighted_features"]

Matrix = NDArray[np.float64]

#: Up to this many columns a singular value decomposition is exact; beyond, randomised and never forms n x d.
EXACT_COLUMNS = 1500
POWER_ITERATIONS = 1
#: Up to this many columns, features say little in a straight line and curves of them are cheap.
FEW_COLUMNS = 40
#: Standard deviation of what enters the curves.
CURVATURE = 1.5


def weighted_features(x: NDArray[np.floating[Any]] | sp.csr_array, degree: NDArray[np.integer[Any]]) -> Any:
    """Raw node features made comparable, shape (n, d).

    Non-negative sparse features (bags of words) get inverse document frequency ``log((n + 1) / df)`` and unit
    rows; dense real features are standardised, joined by log degree and divided by sqrt(d).
    """
    n = x.shape[0]
    values = np.asarray(x) if isinstance(x, np.ndarray) else x.data
    density = np.count_nonzero(values) / max(n * x.shape[1], 1)
    if x.shape[1] and density < 0.5 and (values.size == 0 or values.min() >= 0):
        counts = sp.csr_array(x, dtype=np.float64)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        return _unit_rows(counts @ sp.diags_array(np.log((n + 1) / (frequency + 1))))
    dense = np.asarray(x if isinstance(x, np.ndarray) else x.todense(), dtype=np.float64)
    spread = dense.std(axis=0)
    kept = dense[:, spread > 0]
    standard = (kept - kept.mean(axis=0)) / spread[spread > 0]
    size = np.log1p(degree.astype(np.float64))
    size = (size - size.mean()) / (size.std() or 1.0)
    joined = np.column_stack([standard, size])
    return joined / np.sqrt(joined.shape[1])


def _unit_rows(matrix: Any) -> Any:
    if sp.issparse(matrix):
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        return sp.csr_array(sp.diags_array(1.0 / np.maximum(norms, 1e-12)) @ matrix)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.maximum(norms, 1e-12)


def own_features(weighted: Any, *, rank: int = 512, seed: int = 0) -> Matrix:
    """Each node's own features, unit rows, reduced to at most ``rank`` columns by a singular value decomposition."""
    if weighted.shape[1] <= EXACT_COLUMNS:
        return _leading(np.asarray(weighted.todense() if sp.issparse(weighted) else weighted), rank)
    return np.asarray(
        _unit_rows(
            _range_scores(lambda m: weighted @ m, lambda m: weighted.T @ m, weighted.shape, rank, seed)
        )
    )


def diffused_features(
    weighted: Any,
    adjacency: sp.csr_array,
    *,
    restart: float = 0.15,
    hops: int = 15,
    rank: int = 512,
    seed: int = 0,
) -> Matrix:
    """Features averaged over the neighbourhood by personalised PageRank, at most ``rank`` columns.

    ``Z <- (1 - restart) S Z + restart X`` repeated ``hops`` times, S the symmetric normalised adjacency with self
    loops (Gasteiger et al. 2019, APPNP, eq. 5). The n x d result is never formed when d is large.
    """
    n = adjacency.shape[0]
    loops = sp.csr_array(adjacency + sp.eye_array(n, format="csr"))
    scale = sp.diags_array(1.0 / np.sqrt(np.asarray(loops.sum(axis=1)).ravel()))
    # single precision halves the traffic of the sparse products, which is all the cost here
    smooth = sp.csr_array((1 - restart) * (scale @ loops @ scale), dtype=np.float32)

    def diffuse(m: Any) -> Any:
        source = np.float32(restart) * np.asarray(m, dtype=np.float32)
        z = np.asarray(m, dtype=np.float32)
        for _ in range(hops):
            z = smooth @ z
            z += source
        return z

    if weighted.shape[1] <= EXACT_COLUMNS:
        return _leading(diffuse(weighted.todense() if sp.issparse(weighted) else weighted), rank)
    # S is symmetric, so the transpose of "diffuse after X" is "X' after diffuse"
    return np.asarray(
        _unit_rows(
            _range_scores(
                lambda m: diffuse(weighted @ m), lambda m: weighted.T @ diffuse(m), weighted.shape, rank, seed
            )
        )
    )


def curved_features(
    x: NDArray[np.floating[Any]] | sp.csr_array, adjacency: sp.csr_array, *, width: int = 512, seed: int = 0
) -> Matrix:
    """Random curves of a node's own features and of their means over one and two hops, unit rows, (n, width).

    ``tanh(H W + b)`` with H = [X, R X, R R X] standardised, R the random walk, W and b drawn once (Rahimi, Recht 2008,
    random features). Own and neighbours' features stay apart, so that unlike neighbours are evidence too.
    """
    raw = np.asarray(x if isinstance(x, np.ndarray) else x.todense(), dtype=np.float64)
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    walk = sp.csr_array(sp.diags_array(1.0 / np.maximum(degree, 1e-12)) @ adjacency)
    one = walk @ raw
    size = np.log1p(degree)[:, None]
    joined = np.hstack([raw, one, walk @ one, size, walk @ size])
    spread = joined.std(axis=0)
    joined = (joined - joined.mean(axis=0))[:, spread > 1e-12] / spread[spread > 1e-12]
    rng = generator(seed, "curves")
    weight = rng.standard_normal((joined.shape[1], width)) * (CURVATURE / np.sqrt(max(joined.shape[1], 1)))
    return np.asarray(_unit_rows(np.tanh(joined @ weight + rng.uniform(-1, 1, width))))


def _leading(matrix: Any, rank: int) -> Matrix:
    """Unit rows of a matrix rotated to its leading ``rank`` principal axes (about the origin)."""
    unit = np.asarray(_unit_rows(np.asarray(matrix, dtype=np.float64)))
    if unit.shape[1] <= rank:
        return unit
    _, vectors = np.linalg.eigh(unit.T @ unit)
    scores: Matrix = unit @ vectors[:, -rank:]
    return scores


def _range_scores(forward: Any, backward: Any, shape: tuple[int, int], rank: int, seed: int) -> Matrix:
    """U * S of a randomised SVD of a linear operator (Halko et al. 2011, algorithm 4.4)."""
    width = rank + 10
    sketch = forward(generator(seed, "svd").standard_normal((shape[1], width)))
    basis, _ = np.linalg.qr(sketch)
    for _ in range(POWER_ITERATIONS):
        basis, _ = np.linalg.qr(backward(basis))
        basis, _ = np.linalg.qr(forward(basis))
    small = backward(basis)  # d x width, the transpose of basis' A
    values, vectors = np.linalg.eigh(small.T @ small)
    top = np.argsort(values)[::-1][:rank]
    scores: Matrix = basis @ (vectors[:, top] * np.sqrt(np.maximum(values[top], 0.0)))
    return scores
