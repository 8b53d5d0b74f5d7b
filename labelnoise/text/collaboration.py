"""How far the neighbours of a token confirm its label: the weights of instance collaboration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.neighbours import NeighbourGraph, as_features, nearest_neighbours
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels

__all__ = ["Neighbourhood", "knn_weights"]

#: Neighbours nearer than this cosine distance are copies of the token and confirm nothing.
COPY = 1e-7
#: Rows whose neighbours are counted at a time.
_ROWS = 4096


class Neighbourhood:
    """The nearest tokens of every token, found once and asked for any labels.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
        Compared by the cosine; equal rows count as one token.
    k : int
        Neighbours, >= 1; fewer where there are not as many distinct tokens.
    sample : int, optional
        At most so many distinct tokens, drawn by the seed, may be neighbours, and k falls in proportion: the same
        share estimated from fewer, in O(n sample) instead of O(n^2). By default all.
    seed : int
        Draws the sample.

    Raises
    ------
    InputError
        Features that are no finite matrix, k or sample below 1.

    Notes
    -----
    The search is exact. A token that exists in copies is one neighbour, which has the kind of its first copy; so
    no copy ever takes the place of a neighbour or confirms itself.

    Examples
    --------
    >>> near = Neighbourhood([[1, 0], [1, 0], [1, 0.1], [0, 1], [0.1, 1]], k=1)
    >>> near.agreeing(np.array([0, 0, 0, 1, 0]), 2)
    array([1, 1, 1, 0, 0])
    """

    def __init__(
        self, features: ArrayLike, k: int = 500, *, sample: int | None = None, seed: int = 0
    ) -> None:
        x = np.ascontiguousarray(as_features(features))
        if k < 1:
            raise InputError(f"k is {k}; ask for at least one neighbour.")
        if sample is not None and sample < 1:
            raise InputError(f"sample is {sample}; let at least one token be asked.")
        # Adding 0 turns -0.0 into 0.0, so that equal rows have equal bytes.
        rows = np.ascontiguousarray(x + 0.0).view(np.dtype((np.void, x.dtype.itemsize * x.shape[1]))).ravel()
        _, self._first, copy = np.unique(rows, return_index=True, return_inverse=True)
        self._copy = np.asarray(copy, dtype=np.int64).ravel()
        n = len(self._first)
        asked = None
        if sample is not None and sample < n:
            asked = np.zeros(n, dtype=bool)
            asked[generator(seed, "tokens that may be neighbours").choice(n, sample, replace=False)] = True
            k = max(1, round(k * sample / n))
        self.k = min(int(k), (n if asked is None else int(sample or 0)) - 1)
        self._graph: NeighbourGraph | None = None
        if self.k > 0:
            self._graph = nearest_neighbours(x[self._first], self.k, eligible=asked)

    def agreeing(self, kinds: NDArray[np.int64], n_kinds: int) -> NDArray[np.int64]:
        """How many neighbours of each token are of its kind; 0 for tokens without one (-1)."""
        own = as_labels(kinds, n_classes=n_kinds)
        counts = np.zeros((len(self._first), n_kinds), dtype=np.int64)
        if self._graph is not None:
            first = own[self._first]
            for start in range(0, len(self._first), _ROWS):
                rows = slice(start, start + _ROWS)
                found = first[self._graph.indices[rows]]
                counted = (found >= 0) & (self._graph.distances[rows] > COPY)
                line = np.broadcast_to(np.arange(len(found))[:, None], found.shape)
                cells = (line * n_kinds + found)[counted]
                counts[rows] = np.bincount(cells, minlength=len(found) * n_kinds).reshape(-1, n_kinds)
        agreed = counts[self._copy, np.maximum(own, 0)]
        return np.where(own >= 0, agreed, 0)

    def weights(
        self, kinds: ArrayLike, *, n_kinds: int | None = None, alpha: float = 6.0, mu: float = 1.0
    ) -> NDArray[np.float64]:
        """Weights of the labels; see `knn_weights`."""
        own = as_labels(kinds, n_classes=n_kinds)
        if len(own) != len(self._copy):
            raise InputError(f"There are {len(own)} kinds for {len(self._copy)} tokens; give one each.")
        if not (np.isfinite(alpha) and alpha >= 0 and np.isfinite(mu) and mu >= 0):
            raise InputError(f"alpha ({alpha}) and mu ({mu}) must be numbers of at least 0.")
        count = int(own.max(initial=-1)) + 1 if n_kinds is None else n_kinds
        agreeing = self.agreeing(own, max(count, 1))
        weights = np.zeros(len(own))
        for kind in range(count):
            member = own == kind
            if not member.any():
                continue
            confirmed = agreeing[member] / max(int(agreeing[member].max()), 1)
            value = 1.0 / (1.0 + np.exp(-alpha * (confirmed - mu * confirmed.mean())))
            weights[member] = value / value.max()
        return weights


def knn_weights(
    features: ArrayLike,
    kinds: ArrayLike,
    *,
    k: int = 500,
    n_kinds: int | None = None,
    alpha: float = 6.0,
    mu: float = 1.0,
) -> NDArray[np.float64]:
    """Weight each token's label by the share of its nearest tokens that carry a label of the same kind.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
    kinds : array_like of int, shape (n,)
        0 for "O", 1 + t for type t (`labelnoise.text.evidence.type_ids`): beginning and continuation are one kind.
        -1 for no label; such tokens get weight 0 and confirm nobody.
    k : int
        Neighbours.
    n_kinds : int, optional
        By default the largest kind plus 1; kinds without a token are no error.
    alpha : float
        Steepness, >= 0; at 0 all weights are 1.
    mu : float
        How much of its kind's mean share a token must reach, >= 0.

    Returns
    -------
    ndarray of float64, shape (n,)
        Above 0 and up to 1, and 1 for the best confirmed token of every kind. A kind with one token or without a
        single confirmation has weight 1 throughout: the weights compare tokens of one kind only.

    Raises
    ------
    InputError
        Shapes that do not match, numbers out of range.

    Notes
    -----
    With c(u) the neighbours of u's kind and r(u) = c(u) / max c over the kind,
    w(u) = sigmoid(alpha (r(u) - mu mean r)) / max over the kind.

    References
    ----------
    Ma et al. 2023, CoLaDa: A Collaborative Label Denoising Framework for Cross-lingual NER, ACL, section 3.3.

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]]
    >>> knn_weights(X, [0, 0, 1, 1, 1, 1], k=2).round(2)
    array([1.  , 1.  , 0.01, 1.  , 1.  , 1.  ])
    """
    near = Neighbourhood(features, k)
    return near.weights(kinds, n_kinds=n_kinds, alpha=alpha, mu=mu)
