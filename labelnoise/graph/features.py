"""Label-free node features for linear experts: own features, and features diffused over the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.random import generator

__all__ = ["LargeFeatures", "curved_features", "diffused_features", "own_features", "weighted_features"]

Matrix = NDArray[np.float64]
Single = NDArray[np.float32]

#: Up to this many columns a singular value decomposition is exact; beyond, randomised and never forms n x d.
EXACT_COLUMNS = 1500
POWER_ITERATIONS = 1
#: Up to this many columns, features say little in a straight line and curves of them are cheap.
FEW_COLUMNS = 40
#: Standard deviation of what enters the curves.
CURVATURE = 1.5
#: On large graphs, sparse features of up to this many columns are made dense; more are sketched.
DENSE_COLUMNS = 256
#: Columns that are diffused at once, and nodes per block, on large graphs.
COLUMNS, BLOCK = 64, 16_384


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


class LargeFeatures:
    """The same features for large graphs: single precision, blocks, a bounded number of copies.

    Parameters
    ----------
    x : ndarray or csr_array, shape (n, d)
    graph : csr_array of float32, shape (n, n)
        Symmetric adjacency without self loops.
    degree : ndarray of int, shape (n,)
    rank : int
        Largest number of columns of each kind.
    seed : int

    Notes
    -----
    Sparse features of more than `DENSE_COLUMNS` columns are reduced to ``rank`` of them before they are diffused,
    not after. Memory is a few times n x rank float32.
    """

    def __init__(
        self,
        x: NDArray[np.floating[Any]] | sp.csr_array,
        graph: sp.csr_array,
        degree: NDArray[np.integer[Any]],
        *,
        rank: int,
        seed: int = 0,
    ) -> None:
        self._x, self._graph, self._rank, self._seed = x, graph, rank, seed
        self._size = np.log1p(degree.astype(np.float32))
        self._base = self._weighted()

    @property
    def width(self) -> int:
        """Number of columns of a node's own features."""
        return self._base.shape[1]

    def _weighted(self) -> Single:
        x = self._x
        values = x if isinstance(x, np.ndarray) else x.data
        density = np.count_nonzero(values) / max(x.shape[0] * x.shape[1], 1)
        if x.shape[1] and density < 0.5 and (values.size == 0 or values.min() >= 0):
            counts = sp.csr_array(x, dtype=np.float32)
            frequency = np.bincount(counts.indices, minlength=counts.shape[1])
            inverse = np.log((len(self._size) + 1) / (frequency + 1)).astype(np.float32)
            weighted = sp.csr_array(
                (counts.data * inverse[counts.indices], counts.indices, counts.indptr), shape=counts.shape
            )
            norms = np.sqrt(np.asarray(weighted.power(2).sum(axis=1)).ravel())
            weighted.data /= np.repeat(np.maximum(norms, 1e-12), np.diff(weighted.indptr)).astype(np.float32)
            return weighted.toarray() if x.shape[1] <= DENSE_COLUMNS else self._sketched(weighted)
        if not isinstance(x, np.ndarray):
            x = x.toarray()
        n = len(x)
        mean, spread = _moments(x)
        kept = np.flatnonzero(spread > 0)
        result = np.empty((n, len(kept) + 1), dtype=np.float32)
        scale = (1.0 / spread[kept]).astype(np.float32)
        for part in _blocks(n):
            result[part, :-1] = (x[part][:, kept] - mean[kept].astype(np.float32)) * scale
        result[:, -1] = (self._size - self._size.mean()) / (self._size.std() or 1.0)
        result /= np.float32(np.sqrt(result.shape[1]))
        return result

    def _sketched(self, weighted: sp.csr_array) -> Single:
        """U * S of a randomised SVD; bases are made orthonormal through their Gram matrices."""
        width = min(self._rank + 10, weighted.shape[1])
        start = generator(self._seed, "svd").standard_normal((weighted.shape[1], width), dtype=np.float32)
        back = weighted.T.tocsr()
        basis = _orthonormal(weighted @ start)
        for _ in range(POWER_ITERATIONS):
            basis = _orthonormal(weighted @ _orthonormal(back @ basis))
        small = (back @ basis).astype(np.float64)
        values, vectors = np.linalg.eigh(small.T @ small)
        top = np.argsort(values)[::-1][: self._rank]
        turn = (vectors[:, top] * np.sqrt(np.maximum(values[top], 0.0))).astype(np.float32)
        return np.asarray(basis @ turn)

    def diffused(self, *, restart: float = 0.15, hops: int = 15) -> Single:
        """As `diffused_features`."""
        total = np.asarray(self._graph.sum(axis=1)).ravel()
        scale = (1.0 / np.sqrt(total + 1.0)).astype(np.float32)[:, None]
        result = np.empty_like(self._base)
        # S = scale (A + I) scale; the iteration runs on y = scale z, so that A alone is multiplied
        kept = np.float32(1 - restart) * scale**2
        for start in range(0, self.width, COLUMNS):
            columns = slice(start, start + COLUMNS)
            source = self._base[:, columns] * (np.float32(restart) * scale)
            y = self._base[:, columns] * scale
            for _ in range(hops):
                spread = self._graph @ y
                spread += y
                spread *= kept
                spread += source
                y = spread
            result[:, columns] = y / scale
        return _leading_blocked(result, self._rank)

    def own(self) -> Single:
        """As `own_features`; to be asked for last, since it works in the memory of what the others start from."""
        return _leading_blocked(self._base, self._rank)

    def curved(self) -> Single:
        """As `curved_features`, ``rank`` columns."""
        x = self._x if isinstance(self._x, np.ndarray) else self._x.toarray()
        total = np.asarray(self._graph.sum(axis=1)).ravel()
        share = (1.0 / np.maximum(total, 1e-12)).astype(np.float32)[:, None]
        raw = np.column_stack([x, np.log1p(total)]).astype(np.float32)
        one = self._graph @ raw
        one *= share
        two = self._graph @ one[:, :-1]
        two *= share
        # the order of `curved_features`: raw, one hop, two hops, size, size one hop away
        joined = np.hstack([raw[:, :-1], one[:, :-1], two, raw[:, -1:], one[:, -1:]])
        mean, spread = _moments(joined)
        kept = spread > 1e-6
        rng = generator(self._seed, "curves")
        d = int(kept.sum())
        weight = rng.standard_normal((d, self._rank)) * (CURVATURE / np.sqrt(max(d, 1)))
        offset = rng.uniform(-1, 1, self._rank)
        result = np.empty((len(joined), self._rank), dtype=np.float32)
        for part in _blocks(len(joined)):
            standard = (joined[part][:, kept] - mean[kept]) / spread[kept]
            result[part] = _unit_rows(np.tanh(standard @ weight + offset))
        return result


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def _moments(x: NDArray[np.floating[Any]]) -> tuple[Matrix, Matrix]:
    """Mean and standard deviation of each column, summed in double precision by blocks."""
    n = max(len(x), 1)
    mean = sum((x[part].sum(axis=0, dtype=np.float64) for part in _blocks(len(x))), np.zeros(x.shape[1])) / n
    square = np.zeros(x.shape[1])
    for part in _blocks(len(x)):
        square += ((x[part] - mean) ** 2).sum(axis=0)
    return mean, np.sqrt(square / n)


def _gram(matrix: Single) -> Matrix:
    gram = np.zeros((matrix.shape[1], matrix.shape[1]))
    for part in _blocks(len(matrix)):
        gram += matrix[part].T @ matrix[part]
    return gram


def _orthonormal(matrix: Single) -> Single:
    """An orthonormal basis of the columns, in their memory; directions that single precision cannot tell are 0."""
    values, vectors = np.linalg.eigh(_gram(matrix))
    known = values > max(float(values.max(initial=0.0)), 1e-300) * 1e-6
    turn = np.where(known, vectors / np.sqrt(np.where(known, values, 1.0)), 0.0).astype(np.float32)
    for part in _blocks(len(matrix)):
        matrix[part] = matrix[part] @ turn
    return matrix


def _leading_blocked(matrix: Single, rank: int) -> Single:
    """`_leading` in single precision; unit rows are made in the matrix' own memory."""
    for part in _blocks(len(matrix)):
        matrix[part] = _unit_rows(matrix[part])
    if matrix.shape[1] <= rank:
        return matrix
    _, vectors = np.linalg.eigh(_gram(matrix))
    turn = vectors[:, -rank:].astype(np.float32)
    scores = np.empty((len(matrix), rank), dtype=np.float32)
    for part in _blocks(len(matrix)):
        scores[part] = matrix[part] @ turn
    return scores


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
