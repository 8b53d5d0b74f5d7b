"""Label votes of a node's surroundings, its own label removed exactly, as log-odds evidence per class."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.graph.propagation import (
    closed_walk_diagonals,
    random_walk,
    symmetric_walk_diagonals,
    walk_means,
)

__all__ = ["LargeVotes", "Votes", "vote_scores"]

Matrix = NDArray[np.float64]


class Votes:
    """One-, two- and three-hop random-walk votes on a graph, and one-hop votes along and against directed edges.

    Parameters
    ----------
    adjacency : csr_array, shape (n, n)
        Symmetric, non-negative, no self loops.
    arcs : csr_array, shape (n, n), optional
        Directed edges, row = source (`labelnoise.graph.dataset.GraphDataset.arcs`).

    Attributes
    ----------
    columns : int
        Number of votes: 3, with directed edges 5 (the last two of a node's targets, and of its sources).

    Notes
    -----
    ``v_k = (W^k - diag(W^k)) Y`` with ``W = D^-1 A``: returning walks, which would count a node's own label,
    are taken out (`labelnoise.graph.propagation.walk_means`).

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> path = sp.csr_array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> Votes(path)(np.eye(2)[[0, 1, 0]])[1].tolist()
    [[0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]
    """

    def __init__(self, adjacency: sp.csr_array, arcs: sp.csr_array | None = None) -> None:
        self._walk = random_walk(adjacency)
        self._one_way = [] if arcs is None else [random_walk(arcs), random_walk(arcs.T)]
        self.columns = 3 + len(self._one_way)

    @cached_property
    def _diagonals(self) -> tuple[Matrix, Matrix]:
        return closed_walk_diagonals(self._walk)

    def __call__(self, targets: Matrix) -> list[Matrix]:
        """Votes of one, two and three hops, then of targets and of sources, each (n, K); zero rows do not vote."""
        votes = walk_means(self._walk, targets, hops=3, diagonals=self._diagonals)
        return votes + [walk @ targets for walk in self._one_way]


class LargeVotes:
    """`Votes` in single precision, the third hop only for the nodes asked about.

    Parameters
    ----------
    adjacency : csr_array, shape (n, n)
        Symmetric, non-negative, no self loops, sorted columns.
    arcs : csr_array, shape (n, n), optional
        As in `Votes`.

    Attributes
    ----------
    columns : int
        As in `Votes`.
    graph : csr_array of float32, shape (n, n)
        The adjacency, the only copy of it that is kept.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> path = sp.csr_array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> LargeVotes(path)(np.eye(2, dtype=np.float32)[[0, 1, 0]], np.array([2]))[1].tolist()
    [[0.5, 0.0]]
    """

    def __init__(self, adjacency: sp.csr_array, arcs: sp.csr_array | None = None) -> None:
        self._one_way: list[sp.csr_array] = []
        if arcs is not None:
            self._one_way = [random_walk(part).astype(np.float32) for part in (arcs, arcs.T)]
        self.columns = 3 + len(self._one_way)
        small = adjacency.nnz < 2**31
        kind = np.int32 if small else np.int64
        self.graph = sp.csr_array(
            (
                adjacency.data.astype(np.float32),
                adjacency.indices.astype(kind),
                adjacency.indptr.astype(kind),
            ),
            shape=adjacency.shape,
        )
        total = np.asarray(adjacency.sum(axis=1)).ravel()
        self._share = np.where(total > 0, 1.0 / np.where(total > 0, total, 1.0), 0.0).astype(np.float32)
        self._square, self._cube = (own.astype(np.float32) for own in symmetric_walk_diagonals(adjacency))

    def __call__(
        self, targets: NDArray[np.float32], rows: NDArray[np.integer[Any]] | None = None
    ) -> list[NDArray[np.float32]]:
        """Votes as of `Votes`, each (n, K) or (len(rows), K)."""
        share = self._share[:, None]
        one = self.graph @ targets
        one *= share
        two = self.graph @ one
        two *= share
        if rows is None:
            three = self.graph @ two
            three *= share
            two -= self._square[:, None] * targets
            three -= self._cube[:, None] * targets
            return [one, two, three, *(walk @ targets for walk in self._one_way)]
        three = self.graph[rows] @ two
        three *= share[rows]
        own = targets[rows]
        return [
            one[rows],
            two[rows] - self._square[rows, None] * own,
            three - self._cube[rows, None] * own,
            *(walk[rows] @ targets for walk in self._one_way),
        ]


def vote_scores(votes: NDArray[Any], prior: NDArray[np.float64], *, strength: float = 0.1) -> NDArray[Any]:
    """Votes as log-odds against the class prior; a node nobody votes for scores 0 in every class.

    ``log((v_c + strength prior_c) / (sum v + strength)) - log prior_c``, shape (n, K).

    Examples
    --------
    >>> import numpy as np
    >>> vote_scores(np.array([[0.0, 0.0], [0.9, 0.1]]), np.array([0.5, 0.5])).round(2).tolist()
    [[0.0, 0.0], [0.55, -1.3]]
    """
    prior = prior.astype(votes.dtype)
    total = votes.sum(axis=1, keepdims=True)
    return np.log((np.maximum(votes, 0) + strength * prior) / (np.maximum(total, 0) + strength)) - np.log(
        prior
    )
