"""Spreading labels and probabilities over edges, own entries removed exactly, no matrix power formed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = [
    "closed_walk_diagonals",
    "gcn_adjacency",
    "random_walk",
    "symmetric_adjacency",
    "symmetric_walk_diagonals",
    "unit_weights",
    "walk_means",
]

#: Candidate pairs of edges held at once while triangles are enumerated (about 60 bytes each).
_PAIRS_AT_ONCE = 2_000_000
#: Neighbours that are merged at once while triangles are summed (about 40 bytes each).
_MERGED_AT_ONCE = 4_000_000


def _square(matrix: Any, name: str = "matrix") -> sp.csr_array:
    """A float64 CSR copy-on-need with sorted, unique, finite entries."""
    if not sp.issparse(matrix) and getattr(matrix, "ndim", 0) != 2:
        raise InputError(f"{name} is a {type(matrix).__name__}; a square scipy sparse matrix is needed.")
    result = sp.csr_array(matrix)
    if result.shape[0] != result.shape[1]:
        raise InputError(f"{name} has shape {result.shape}; a square matrix (nodes, nodes) is needed.")
    if result.dtype != np.float64:
        result = result.astype(np.float64)
    if not result.has_canonical_format:
        result = result.copy()
        result.sum_duplicates()
    if not np.isfinite(result.data).all():
        raise InputError(f"{name} holds NaN or infinity; remove those edges or give them a weight first.")
    return result


def _scaled(
    matrix: sp.csr_array, left: NDArray[np.float64], right: NDArray[np.float64] | None
) -> sp.csr_array:
    """``diag(left) @ matrix @ diag(right)`` without an intermediate matrix."""
    data = matrix.data * np.repeat(left, np.diff(matrix.indptr))
    if right is not None:
        data *= right[matrix.indices]
    # Copies, so that changing the result in place cannot reach the caller's matrix.
    return sp.csr_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def _power(degrees: NDArray[Any], exponent: float) -> NDArray[np.float64]:
    """``degrees ** exponent`` with 0 for a node without edges."""
    result = np.zeros(len(degrees))
    np.power(degrees, exponent, out=result, where=degrees > 0)
    return result


def unit_weights(adjacency: sp.csr_array) -> sp.csr_array:
    """The adjacency in units of its mean weight, so that a self loop of 1 is as heavy as a usual edge.

    Examples
    --------
    >>> unit_weights(sp.csr_array([[0.0, 100], [300, 0]])).toarray()
    array([[0. , 0.5],
           [1.5, 0. ]])
    """
    mean = float(adjacency.data.mean()) if adjacency.nnz else 1.0
    return adjacency if mean == 1.0 else sp.csr_array(adjacency / mean)


def random_walk(adjacency: Any) -> sp.csr_array:
    """The random-walk matrix W = D^-1 A; rows sum to 1, or to 0 for a node without edges.

    Parameters
    ----------
    adjacency : sparse matrix of shape (n, n)
        Non-negative weights, directed or not; row = the node that averages.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> random_walk(sp.csr_array([[0, 1, 1], [1, 0, 0], [0, 0, 0]])).toarray()
    array([[0. , 0.5, 0.5],
           [1. , 0. , 0. ],
           [0. , 0. , 0. ]])
    """
    matrix = _square(adjacency, "adjacency")
    return _scaled(matrix, _power(np.asarray(matrix.sum(axis=1)).ravel(), -1.0), None)


def symmetric_adjacency(adjacency: Any) -> sp.csr_array:
    """S = D_out^-1/2 A D_in^-1/2, as it is; symmetric where A is, and no self loop is added.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> symmetric_adjacency(sp.csr_array([[0, 4], [4, 0]])).toarray()
    array([[0., 1.],
           [1., 0.]])
    """
    matrix = _square(adjacency, "adjacency")
    out_degree = np.asarray(matrix.sum(axis=1)).ravel()
    in_degree = np.asarray(matrix.sum(axis=0)).ravel()
    return _scaled(matrix, _power(out_degree, -0.5), _power(in_degree, -0.5))


def gcn_adjacency(adjacency: Any) -> sp.csr_array:
    """The propagation matrix of a graph convolution, (D + I)^-1/2 (A + I) (D + I)^-1/2 (Kipf & Welling 2017).

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> gcn_adjacency(sp.csr_array([[0, 1], [1, 0]])).toarray().round(6)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    matrix = _square(adjacency, "adjacency")
    return symmetric_adjacency(matrix + sp.eye_array(matrix.shape[0], format="csr"))


def closed_walk_diagonals(matrix: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The diagonals of S^2 and S^3, by sums over edges and over triangles; neither power is formed.

    A closed walk of two steps uses an edge and its reverse; one of three steps runs around a triangle, or
    uses an edge, its reverse and a self loop. Edges are directed from the node with fewer to the one with
    more neighbours, so that a node of degree d is expanded at most sqrt(2 m) wide: time
    O(sum over edges of the smaller degree), memory O(m) plus a bounded buffer.

    Parameters
    ----------
    matrix : sparse matrix of shape (n, n)
        Any real weights, directed or not, self loops allowed.

    Returns
    -------
    square, cube : ndarray of float64, shape (n,)

    Examples
    --------
    A triangle with a tail, random-walk weights:

    >>> import scipy.sparse as sp
    >>> w = random_walk(sp.csr_array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]]))
    >>> square, cube = closed_walk_diagonals(w)
    >>> square.round(4)
    array([0.4167, 0.4167, 0.6667, 0.3333])
    >>> cube.round(4)
    array([0.1667, 0.1667, 0.1667, 0.    ])
    """
    matrix = _square(matrix)
    n = matrix.shape[0]
    row = np.repeat(np.arange(n), np.diff(matrix.indptr))
    col = matrix.indices.astype(np.int64)
    loop = row == col
    loops = np.zeros(n)
    loops[row[loop]] = matrix.data[loop]
    low, high, forward, backward, nodes = _oriented_edges(row[~loop], col[~loop], matrix.data[~loop], n)
    loops = loops[nodes]  # by rank from here on
    back = forward * backward
    over_edges = np.bincount(low, back, n) + np.bincount(high, back, n)
    cube = loops**3 + 2 * loops * over_edges + _triangle_sums(low, high, forward, backward, n)
    cube += np.bincount(low, back * loops[high], n) + np.bincount(high, back * loops[low], n)
    result = np.empty((2, n))
    result[:, nodes] = loops**2 + over_edges, cube
    return result[0], result[1]


def symmetric_walk_diagonals(adjacency: sp.csr_array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`closed_walk_diagonals` of the random walk on an undirected graph, faster and with less memory.

    ``diag(W^k) = diag(B^k)`` for ``W = D^-1 A`` and the symmetric ``B = D^-1/2 A D^-1/2``, so each triangle has
    one weight. Edges point to the node with more neighbours, which bounds out-degrees by sqrt(2 m), and for each
    edge the two sorted lists of out-neighbours are merged: time O(sum over edges of both out-degrees), memory
    8 bytes per stored entry of A and a bounded buffer.

    Parameters
    ----------
    adjacency : csr_array, shape (n, n)
        Symmetric, non-negative, no self loops, sorted columns.

    Returns
    -------
    square, cube : ndarray of float64, shape (n,)

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> A = sp.csr_array([[0.0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])
    >>> square, cube = symmetric_walk_diagonals(A)
    >>> cube.round(4)
    array([0.1667, 0.1667, 0.1667, 0.    ])
    """
    n = adjacency.shape[0]
    scale = _power(np.asarray(adjacency.sum(axis=1)).ravel(), -0.5)
    indptr, degree = adjacency.indptr, np.diff(adjacency.indptr)
    rank = np.empty(n, dtype=np.int32)
    rank[np.argsort(degree, kind="stable")] = np.arange(n, dtype=np.int32)
    square, out = np.zeros(n), np.zeros(n, dtype=np.int64)
    weights, targets = [], []
    for start, stop in _runs(degree):
        entries = slice(indptr[start], indptr[stop])
        row = np.repeat(np.arange(start, stop), degree[start:stop])
        col = adjacency.indices[entries]
        weight = adjacency.data[entries] * scale[row] * scale[col]
        square[start:stop] = np.bincount(row - start, weight**2, stop - start)
        ahead = rank[row] < rank[col]
        out[start:stop] = np.bincount(row[ahead] - start, minlength=stop - start)
        weights.append(weight[ahead].astype(np.float32))
        targets.append(col[ahead].astype(np.int32))
    if not targets:
        return square, np.zeros(n)
    ends = np.concatenate([[0], np.cumsum(out)])
    later = sp.csr_array((np.concatenate(weights), np.concatenate(targets), ends), shape=(n, n))
    del weights, targets
    later.has_canonical_format = True
    cube = np.zeros(n)
    tail = np.repeat(np.arange(n, dtype=np.int32), out)
    for start, stop in _runs(out[tail] + out[later.indices]):
        low, high = tail[start:stop], later.indices[start:stop]
        # an edge whose end has no later neighbour closes no triangle from here
        open_ = (out[low] > 1) & (out[high] > 0)
        low, high, edge = low[open_], high[open_], later.data[start:stop][open_]
        shared = later[low].multiply(later[high]).tocsr()
        each = shared.data.astype(np.float64) * np.repeat(edge, np.diff(shared.indptr))
        cube += np.bincount(shared.indices, each, n)
        both = np.bincount(np.repeat(np.arange(len(low)), np.diff(shared.indptr)), each, len(low))
        cube += np.bincount(low, both, n) + np.bincount(high, both, n)
    return square, 2 * cube


def _runs(sizes: NDArray[np.integer[Any]]) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose sizes sum to about `_MERGED_AT_ONCE`, at least one item each."""
    done = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(done):
        before = done[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(done, before + _MERGED_AT_ONCE, side="right")))
        yield start, stop
        start = stop


def _oriented_edges(
    row: NDArray[np.int64], col: NDArray[np.int64], weight: NDArray[np.float64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Each pair of joined nodes once, from fewer to more neighbours: low, high, S[low, high], S[high, low].

    Nodes are numbered by rank (number of neighbours, ties by position) and edges sorted by (low, high),
    which `_triangle_sums` relies on; the last array holds the node of each rank.
    """
    neighbours = np.bincount(row, minlength=n) + np.bincount(col, minlength=n)
    node_of_rank = np.argsort(neighbours, kind="stable").astype(np.int64)
    rank = np.empty(n, dtype=np.int64)
    rank[node_of_rank] = np.arange(n)
    row, col = rank[row], rank[col]
    ahead = row < col
    key, pair = np.unique(np.where(ahead, row * n + col, col * n + row), return_inverse=True)
    forward = np.bincount(pair[ahead], weights=weight[ahead], minlength=len(key)).astype(np.float64)
    backward = np.bincount(pair[~ahead], weights=weight[~ahead], minlength=len(key)).astype(np.float64)
    low, high = np.divmod(key, n)
    return low.astype(np.int64), high.astype(np.int64), forward, backward, node_of_rank


def _triangle_sums(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    forward: NDArray[np.float64],
    backward: NDArray[np.float64],
    n: int,
) -> NDArray[np.float64]:
    """Per node, the weights of both ways around every triangle that it is a corner of.

    For each edge (u, v) the third corner w is looked for in the shorter of two lists, the later neighbours
    of u and those of v, and confirmed in the other by its key among the sorted edges.
    """
    total = np.zeros(n)
    key = low * n + high
    begin = np.searchsorted(low, np.arange(n + 1))
    edge = np.arange(len(key))
    rest_of_low, all_of_high = begin[low + 1] - edge - 1, begin[high + 1] - begin[high]
    along_low = rest_of_low <= all_of_high
    first = np.where(along_low, edge + 1, begin[high])
    count = np.where(along_low, rest_of_low, all_of_high)
    done = np.concatenate([[0], np.cumsum(count)])
    start = 0
    while start < len(key):
        stop = max(start + 1, int(np.searchsorted(done, done[start] + _PAIRS_AT_ONCE, side="right")) - 1)
        uv = np.repeat(edge[start:stop], count[start:stop])
        candidate = first[uv] + np.arange(done[start], done[stop]) - done[uv]
        asked = np.where(along_low[uv], high[uv], low[uv]) * n + high[candidate]
        found = np.minimum(np.searchsorted(key, asked), len(key) - 1)
        closed = key[found] == asked
        uv, candidate, found = uv[closed], candidate[closed], found[closed]
        uw = np.where(along_low[uv], candidate, found)
        vw = np.where(along_low[uv], found, candidate)
        around = forward[uv] * forward[vw] * backward[uw] + forward[uw] * backward[vw] * backward[uv]
        for corner in (low[uv], high[uv], high[uw]):
            total += np.bincount(corner, around, n)
        start = stop
    return total


def walk_means(
    matrix: Any,
    values: NDArray[np.floating[Any]],
    *,
    hops: int = 3,
    diagonals: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> list[NDArray[np.float64]]:
    """What reaches each node in exactly k steps from the *others*: (S^k - diag(S^k)) V, k = 1 to ``hops``.

    No power of S is formed: S (S V) is two sparse-times-dense products, and what a node sends back to
    itself is subtracted with `closed_walk_diagonals`.

    Parameters
    ----------
    matrix : sparse matrix of shape (n, n)
        Any real weights; row i holds what node i gathers.
    values : ndarray of shape (n, c)
        One row per node, for instance one-hot labels (a zero row for a node without one).
    hops : int
        1, 2 or 3.
    diagonals : tuple of two ndarrays of shape (n,), optional
        The result of ``closed_walk_diagonals(matrix)``, if it is known already.

    Returns
    -------
    list of ndarray of float64, shape (n, c)

    Raises
    ------
    InputError
        Other numbers of hops, or values that do not have one row per node.

    Examples
    --------
    On a path of three nodes the ends reach each other in two steps:

    >>> import numpy as np, scipy.sparse as sp
    >>> path = sp.csr_array([[0., 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> one, two = walk_means(path, np.eye(3), hops=2)
    >>> two
    array([[0., 0., 1.],
           [0., 0., 0.],
           [1., 0., 0.]])
    """
    matrix = _square(matrix)
    if hops not in (1, 2, 3):
        raise InputError(f"hops is {hops}; 1, 2 or 3 steps are available.")
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != matrix.shape[0]:
        raise InputError(
            f"values has shape {values.shape} for {matrix.shape[0]} nodes; give one row per node."
        )
    own = [matrix.diagonal()]
    if hops > 1:
        own += list(closed_walk_diagonals(matrix) if diagonals is None else diagonals)
    result = []
    reached = values
    for k in range(hops):
        reached = matrix @ reached
        result.append(reached - own[k][:, None] * values)
    return result
