"""Label votes of a node's surroundings, its own label removed exactly, as log-odds evidence per class."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.graph.propagation import closed_walk_diagonals, random_walk, walk_means

__all__ = ["Votes", "vote_scores"]

Matrix = NDArray[np.float64]


class Votes:
    """One-, two- and three-hop random-walk votes on a graph.

    Parameters
    ----------
    adjacency : csr_array, shape (n, n)
        Symmetric, non-negative, no self loops.

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

    def __init__(self, adjacency: sp.csr_array) -> None:
        self._walk = random_walk(adjacency)

    @cached_property
    def _diagonals(self) -> tuple[Matrix, Matrix]:
        return closed_walk_diagonals(self._walk)

    def __call__(self, targets: Matrix) -> list[Matrix]:
        """Votes of one, two and three hops, each (n, K); all-zero rows of targets do not vote."""
        return walk_means(self._walk, targets, hops=3, diagonals=self._diagonals)


def vote_scores(votes: Matrix, prior: NDArray[np.float64], *, strength: float = 0.1) -> Matrix:
    """Votes as log-odds against the class prior; a node nobody votes for scores 0 in every class.

    ``log((v_c + strength prior_c) / (sum v + strength)) - log prior_c``, shape (n, K).

    Examples
    --------
    >>> import numpy as np
    >>> vote_scores(np.array([[0.0, 0.0], [0.9, 0.1]]), np.array([0.5, 0.5])).round(2).tolist()
    [[0.0, 0.0], [0.55, -1.3]]
    """
    total = votes.sum(axis=1, keepdims=True)
    return np.log((np.maximum(votes, 0) + strength * prior) / (np.maximum(total, 0) + strength)) - np.log(
        prior
    )
