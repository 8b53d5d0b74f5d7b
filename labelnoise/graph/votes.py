"""Label votes of a node's surroundings, its own label removed exactly, as log-odds evidence per class."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

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
    ``v1 = W Y``, ``v2 = W v1 - diag(W^2) Y``, ``v3 = W W v1 - diag(W^3) Y`` with ``W = D^-1 A``: returning
    walks, which would count a node's own label, are taken out through the two diagonals. These are computed
    edge by edge; W^2 is never stored.
    """

    def __init__(self, adjacency: sp.csr_array) -> None:
        weight = np.asarray(adjacency.sum(axis=1)).ravel()
        self.isolated = weight == 0
        self._walk = sp.csr_array(sp.diags_array(1.0 / np.where(self.isolated, 1.0, weight)) @ adjacency)

    @cached_property
    def _diagonals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        walk = self._walk
        back = sp.csr_array(walk.T)
        second = np.asarray(walk.multiply(back).sum(axis=1)).ravel()
        third = np.zeros(walk.shape[0])
        step = max(1, int(2e6 / max(walk.nnz / max(walk.shape[0], 1), 1) ** 2))
        for begin in range(0, walk.shape[0], step):
            two = walk[begin : begin + step] @ walk
            third[begin : begin + step] = np.asarray(
                two.multiply(back[begin : begin + step]).sum(axis=1)
            ).ravel()
        return second, third

    def __call__(self, targets: Matrix) -> list[Matrix]:
        """Votes of one, two and three hops, each (n, K); all-zero rows of targets do not vote."""
        second, third = self._diagonals
        one = self._walk @ targets
        two = self._walk @ one
        three = self._walk @ two
        return [one, two - second[:, None] * targets, three - third[:, None] * targets]


def vote_scores(votes: Matrix, prior: NDArray[np.float64], *, strength: float = 0.1) -> Matrix:
    """Votes as log-odds against the class prior; a node nobody votes for scores 0 in every class."""
    total = votes.sum(axis=1, keepdims=True)
    return np.log((np.maximum(votes, 0) + strength * prior) / (np.maximum(total, 0) + strength)) - np.log(
        prior
    )
