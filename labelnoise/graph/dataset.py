"""A graph whose nodes carry labels: features, edges (directed and weighted if they are), splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.validation import InputError

__all__ = ["GraphDataset", "distinct_pairs"]


@dataclass(frozen=True, kw_only=True)
class GraphDataset(Dataset):
    """Nodes with a given label, features and edges.

    Attributes
    ----------
    x : ndarray or csr_array of float, shape (n, d)
        Node features; a sparse matrix is never made dense. May have zero columns.
    edge_index : ndarray of int64, shape (2, m)
        Source and target row of every stored edge, as they were given (an undirected graph may store each
        edge once or twice).
    edge_weight : ndarray of float, shape (m,), optional
        Non-negative weights; 1 by default.
    masks : mapping of str to ndarray of bool, shape (n,)
        Published splits ("train", "val", "test") where there are any.
    """

    x: NDArray[np.floating[Any]] | sp.csr_array
    edge_index: NDArray[np.int64]
    edge_weight: NDArray[np.float64] | None = None
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        n = self.n_units
        if n == 0:
            raise InputError("The graph has no nodes; give at least one node with a label.")
        if self.x.ndim != 2 or self.x.shape[0] != n:
            raise InputError(
                f"Features have shape {tuple(self.x.shape)} for {n} nodes; give one row per node, in the labels' order."
            )
        values = self.x.data if sp.issparse(self.x) else self.x
        if not np.isfinite(values).all():
            rows = np.flatnonzero(~np.isfinite(np.asarray(self.x.sum(axis=1)).ravel()))
            raise InputError(
                f"Features of {len(rows)} node(s) hold NaN or infinity (first: node {self.ids[rows[0]]}); "
                "fill or remove them first."
            )
        edges = np.asarray(self.edge_index)
        if edges.ndim != 2 or edges.shape[0] != 2:
            raise InputError(f"edge_index has shape {edges.shape}; two rows (source, target) are needed.")
        if edges.size and (edges.min() < 0 or edges.max() >= n):
            bad = edges[:, np.flatnonzero((edges < 0).any(axis=0) | (edges >= n).any(axis=0))[0]]
            raise InputError(
                f"Edge {int(bad[0])} -> {int(bad[1])} names a node that is not there; nodes are numbered 0 to {n - 1}."
            )
        if self.edge_weight is not None:
            if len(self.edge_weight) != edges.shape[1]:
                raise InputError(
                    f"edge_weight has {len(self.edge_weight)} entries for {edges.shape[1]} edges; give one each."
                )
            if not np.isfinite(self.edge_weight).all() or (self.edge_weight < 0).any():
                raise InputError("edge_weight holds negative or non-finite values; weights are >= 0.")
        for name, mask in self.masks.items():
            if np.shape(mask) != (n,) or np.asarray(mask).dtype != bool:
                raise InputError(
                    f"The split {name!r} has shape {np.shape(mask)} and type {np.asarray(mask).dtype} for {n} "
                    "nodes; give one True or False per node."
                )

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.n_units

    @cached_property
    def adjacency(self) -> sp.csr_array:
        """Symmetric adjacency without self loops, shape (n, n).

        Parallel edges count once; without weights every edge counts 1, with weights the larger of the two
        directions counts.
        """
        n = self.n_nodes
        row, col = self.edge_index
        if self.edge_weight is None:
            row, col = distinct_pairs(np.concatenate([row, col]), np.concatenate([col, row]), n)
            indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
            return sp.csr_array((np.ones(len(row)), col, indptr), shape=(n, n))
        weight = np.asarray(self.edge_weight, float)
        return _heaviest(
            np.concatenate([row, col]), np.concatenate([col, row]), np.concatenate([weight, weight]), n
        )

    @cached_property
    def arcs(self) -> sp.csr_array | None:
        """Edges in the direction they are stored in (row = source), shape (n, n); None for an undirected graph.

        A graph is undirected if every edge is stored in both directions with one weight, or every edge once
        from the lower to the higher row (or the reverse). Self loops are left out, the heaviest of parallel
        edges counts.

        Examples
        --------
        >>> given = np.array([0, 1, 1])
        >>> cycle = GraphDataset(name="cycle", given=given, class_names=("a", "b"), x=np.zeros((3, 0)),
        ...     edge_index=np.array([[0, 1, 2], [1, 2, 0]]))
        >>> cycle.arcs.toarray().astype(int).tolist(), cycle.degree.tolist()
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [2, 2, 2])
        """
        n = self.n_nodes
        row, col = self.edge_index
        if (row <= col).all() or (row >= col).all():
            return None
        if self.edge_weight is None:
            row, col = distinct_pairs(row, col, n)
            if len(row) == self.adjacency.nnz:
                return None
            indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
            return sp.csr_array((np.ones(len(row)), col, indptr), shape=(n, n))
        matrix = _heaviest(row, col, np.asarray(self.edge_weight, float), n)
        same = matrix.nnz == self.adjacency.nnz and (matrix != self.adjacency).nnz == 0
        return None if same else matrix

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        """Number of distinct neighbours of each node, shape (n,)."""
        return np.diff(self.adjacency.indptr).astype(np.int64)

    def arrays(self) -> dict[str, Any]:
        sparse = {}
        if sp.issparse(self.x):
            x = sp.csr_array(self.x)
            x.sort_indices()
            sparse = {"x_data": x.data, "x_indices": x.indices, "x_indptr": x.indptr}
        else:
            sparse = {"x": self.x}
        return {**super().arrays(), **sparse, "edge_index": self.edge_index, "edge_weight": self.edge_weight}


def _heaviest(
    row: NDArray[np.int64], col: NDArray[np.int64], weight: NDArray[np.float64], n: int
) -> sp.csr_array:
    """The matrix of the largest weight of each pair, without self loops and without pairs of weight 0."""
    keep = row != col
    row, col, weight = row[keep], col[keep], weight[keep]
    # sorted by (row, col, weight), the last of each pair is kept
    order = np.lexsort((weight, col, row))
    row, col, weight = row[order], col[order], weight[order]
    last = np.ones(len(row), dtype=bool)
    last[:-1] = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    matrix = sp.csr_array((weight[last], (row[last], col[last])), shape=(n, n))
    matrix.eliminate_zeros()
    return matrix


def distinct_pairs(
    row: NDArray[np.int64], col: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pair (row, col) once, sorted, without those where both are equal.

    Parameters
    ----------
    row, col : ndarray of int, shape (m,)
        From 0 to n - 1.
    n : int
        Number of nodes.

    Examples
    --------
    >>> import numpy as np
    >>> distinct_pairs(np.array([2, 0, 2, 1]), np.array([0, 1, 0, 1]), 3)
    (array([0, 2]), array([1, 0]))
    """
    keep = row != col
    # One key per pair: sorting it is several times faster than sorting pairs, or than hashing.
    key = np.sort(row[keep].astype(np.int64) * n + col[keep])
    key = key[np.concatenate([[True], key[1:] != key[:-1]])] if len(key) else key
    return key // n, key % n
