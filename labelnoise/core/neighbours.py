"""Exact nearest neighbours of units by their features, and what the labels of the neighbours say.

Candidates come from a block of float32 products at a time; a bound on their rounding error decides which of them
could still be among the k nearest, and only those are compared again in float64. The answer is therefore exact,
does not depend on the size of the blocks, and no matrix of (units, units) is ever held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import blocks
from labelnoise.core.validation import NO_LABEL, InputError, as_labels, check_same_length, choose

__all__ = ["Metric", "NeighbourGraph", "as_features", "knn_vote", "knn_votes", "nearest_neighbours"]

Metric = Literal["cosine", "euclidean"]
Weights = Literal["uniform", "similarity", "exponential"]

#: Products held at a time: 16 MiB of float32.
_PRODUCTS = 1 << 22
#: Feature values gathered at a time when candidates are compared again: 4 MiB of float64.
_GATHERED = 1 << 19
#: Cosine distances are rounded to this many decimals, so that copies of a unit in another length tie.
_DECIMALS = 12
#: Columns that share one maximum in the search for a threshold.
_WIDEST = 64


@dataclass(frozen=True)
class NeighbourGraph:
    """The k nearest neighbours of every unit, nearest first.

    Attributes
    ----------
    indices : ndarray of int64, shape (n, k)
        Positions of the neighbours; of equal distances the lower position comes first.
    distances : ndarray of float64, shape (n, k)
        Ascending; cosine distances ``1 - cos`` in [0, 2], or Euclidean distances.
    metric : {"cosine", "euclidean"}
        What the distances are.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    metric: Metric

    @property
    def k(self) -> int:
        """Number of neighbours per unit."""
        return int(self.indices.shape[1])


def nearest_neighbours(
    features: ArrayLike,
    k: int,
    *,
    metric: Metric = "cosine",
    groups: ArrayLike | None = None,
    eligible: ArrayLike | None = None,
    block: int | None = None,
) -> NeighbourGraph:
    """Find the k nearest other units of every unit, exactly.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
        One row per unit, finite.
    k : int
        Neighbours per unit, >= 1; the unit itself is none of them.
    metric : {"cosine", "euclidean"}
        ``1 - cos``, for which a row of zeros is at distance 1 from everything; or the Euclidean distance.
    groups : array_like, shape (n,), optional
        Item of each unit (sentence, clip, image); units of the same item are not neighbours.
    eligible : array_like of bool, shape (n,), optional
        Which units may be neighbours, by default all. Every unit gets neighbours either way.
    block : int, optional
        Rows computed at a time; changes memory, O(block n), and never the answer.

    Returns
    -------
    NeighbourGraph
        Of equal distances the unit with the lower position is the nearer one. Cosine distances are
        rounded to 12 decimals, so that rows of equal direction tie whatever their length.

    Raises
    ------
    InputError
        Features that are no finite matrix, fewer than k candidates for some unit, an unknown metric.

    Examples
    --------
    >>> graph = nearest_neighbours([[1, 0], [2, 0.1], [0, 1], [0.1, 1]], 2)
    >>> graph.indices
    array([[1, 3],
           [0, 3],
           [3, 1],
           [2, 1]])
    >>> nearest_neighbours([[0.0], [1.0], [3.0]], 1, metric="euclidean").distances.ravel()
    array([1., 1., 2.])
    >>> nearest_neighbours([[0.0], [1.0], [3.0]], 1, metric="euclidean", groups=[0, 0, 1]).indices.ravel()
    array([2, 2, 1])
    """
    x = as_features(features)
    choose(metric, ("cosine", "euclidean"), "metric")
    n = len(x)
    if k < 1:
        raise InputError(f"k is {k}; ask for at least one neighbour.")
    if block is not None and block < 1:
        raise InputError(f"block is {block}; at least one row must be computed at a time.")
    items = _codes(groups, n)
    pool = _pool(eligible, n)
    if n == 0:
        return NeighbourGraph(np.empty((0, k), np.int64), np.empty((0, k)), metric)
    _check_enough(k, n, items, pool)

    search = _Search(x, pool, k, metric)
    indices = np.empty((n, k), dtype=np.int64)
    distances = np.empty((n, k))
    rows_at_a_time = block or max(8, _PRODUCTS // search.width)
    position = np.full(n, -1)
    position[pool] = np.arange(len(pool))
    for start in range(0, n, rows_at_a_time):
        rows = np.arange(start, min(start + rows_at_a_time, n))
        scores = search.scores(rows)
        own = position[rows]
        scores[np.flatnonzero(own >= 0), own[own >= 0]] = -np.inf
        if items is not None:
            scores[:, : len(pool)][items[rows][:, None] == items[pool]] = -np.inf
        indices[rows], distances[rows] = search.nearest(rows, scores)
    return NeighbourGraph(indices, distances, metric)


def knn_votes(
    labels: ArrayLike,
    graph: NeighbourGraph,
    *,
    n_classes: int | None = None,
    weights: Weights = "uniform",
    exponent: float = 1.0,
    include_own: bool = False,
) -> NDArray[np.float64]:
    """Share of the neighbours' labels that each class has, as class probabilities.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units have no vote and do not count.
    graph : NeighbourGraph
        From `nearest_neighbours`; with ``eligible=labels >= 0`` unlabelled units take no places either.
    n_classes : int, optional
        K, by default the largest label plus 1.
    weights : {"uniform", "similarity", "exponential"}
        A vote counts 1, ``max(1 - d, 0) ** exponent`` or ``exp(exponent (1 - d))``, with d the cosine distance.
    exponent : float
        > 0; the larger, the more the nearest decide.
    include_own : bool
        The unit's own label votes too, at distance 0. Without it the votes never saw the label.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Rows sum to 1; uniform where nobody voted.

    Raises
    ------
    InputError
        Labels that do not fit the graph, similarities of distances that are not cosines.

    References
    ----------
    Dudani (1976), The distance-weighted k-nearest-neighbor rule, IEEE SMC 6, for weighted votes.

    Examples
    --------
    >>> graph = nearest_neighbours([[0.0], [1.0], [2.0], [9.0]], 2, metric="euclidean")
    >>> knn_votes([0, 0, 1, -1], graph)
    array([[0.5, 0.5],
           [0.5, 0.5],
           [1. , 0. ],
           [0.5, 0.5]])
    """
    ids = as_labels(labels, n_classes=n_classes)
    n_found = int(ids.max(initial=NO_LABEL)) + 1
    n_labels = n_found if n_classes is None else n_classes
    _check_graph(graph, len(ids))
    choose(weights, ("uniform", "similarity", "exponential"), "weights")
    if not exponent > 0:
        raise InputError(f"exponent is {exponent}; it must be above 0.")
    if weights != "uniform" and graph.metric != "cosine":
        raise InputError(
            f"{weights.capitalize()} weights are made of 1 - cosine distance, the graph's metric is {graph.metric!r}; "
            "make the graph with metric='cosine' or use weights='uniform'."
        )
    shares = np.empty((len(ids), n_labels))
    for rows in blocks(len(ids), max(n_labels, graph.k)):
        voters = graph.indices[rows]
        if weights == "similarity":
            weight = np.clip(1 - graph.distances[rows], 0, None) ** exponent
        elif weights == "exponential":
            weight = np.exp(exponent * (1 - graph.distances[rows]))
        else:
            weight = np.ones(voters.shape)
        votes = cast_votes(ids[voters], weight, n_labels)
        if include_own:
            own = ids[rows]
            known = own >= 0
            votes[np.flatnonzero(known), own[known]] += 1.0
        total = votes.sum(axis=1, keepdims=True)
        silent = total == 0
        shares[rows] = np.where(silent, 1 / max(n_labels, 1), votes / np.where(silent, 1, total))
    return shares


def knn_vote(
    labels: ArrayLike,
    features: ArrayLike,
    *,
    k: int = 10,
    metric: Metric = "cosine",
    weights: Weights = "uniform",
    exponent: float = 1.0,
    groups: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Flag the labels that another class beats among the k nearest neighbours (edited nearest neighbours).

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are neither flagged nor neighbours.
    features : array_like of float, shape (n, d)
    k : int
        Neighbours per unit, the unit itself not counted. Wilson uses 3.
    metric, groups :
        See `nearest_neighbours`.
    weights, exponent :
        See `knn_votes`.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where some class has more votes than the given one; a tie is in favour of the label.

    Raises
    ------
    InputError
        Fewer than k + 1 labelled units, shapes that differ.

    References
    ----------
    Wilson (1972), Asymptotic properties of nearest neighbor rules using edited data, IEEE SMC 2.

    Examples
    --------
    >>> knn_vote([0, 0, 1, 1, 1, -1], [[0], [1], [2], [8], [9], [0]], k=1, metric="euclidean")
    array([False, False,  True, False, False, False])
    """
    ids, chosen, x, items = labelled_part(labels, features, groups)
    flags = np.zeros(len(ids), dtype=bool)
    if len(chosen):
        own = ids[chosen]
        graph = nearest_neighbours(x, k, metric=metric, groups=items)
        votes = knn_votes(own, graph, weights=weights, exponent=exponent)
        flags[chosen] = votes.max(axis=1) > votes[np.arange(len(own)), own]
    return flags


def as_features(features: ArrayLike, *, n: int | None = None) -> NDArray[np.floating[Any]]:
    """Check features of shape (n, d), float32 or float64, finite.

    Examples
    --------
    >>> as_features([[1, 2], [3, 4]]).dtype
    dtype('float64')
    """
    if hasattr(features, "tocsr"):
        raise InputError(
            "features is a sparse matrix; make it dense (features.toarray()) or reduce it first."
        )
    array = np.asarray(features)
    if array.dtype.kind not in "fiub":
        raise InputError(f"features holds {array.dtype} values; real numbers are needed.")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2:
        raise InputError(f"features has shape {array.shape}; a matrix (units, features) is needed.")
    if n is not None and len(array) != n:
        raise InputError(
            f"features has {len(array)} rows for {n} units; give one row per unit, in their order."
        )
    for rows in blocks(*array.shape):
        if not np.isfinite(array[rows]).all():
            raise InputError("features holds NaN or infinity; drop or impute those values first.")
    return array


def labelled_part(
    labels: ArrayLike, features: ArrayLike, groups: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating[Any]], NDArray[np.int64] | None]:
    """All labels, the positions of the labelled units, and the features and items of those alone.

    Neighbours are then sought among labelled units only, so that a unit without a label changes nothing.
    """
    ids = as_labels(labels)
    x = as_features(features, n=len(ids))
    items = _codes(groups, len(ids))
    chosen = np.flatnonzero(ids >= 0)
    if len(chosen) == len(ids):
        return ids, chosen, x, items
    return ids, chosen, x[chosen], None if items is None else items[chosen]


def cast_votes(
    labels: NDArray[np.int64], weights: NDArray[np.float64], n_classes: int
) -> NDArray[np.float64]:
    """Sum of the weights per row and class; labels of -1 have no vote."""
    rows = np.broadcast_to(np.arange(len(labels))[:, None], labels.shape)
    known = labels >= 0
    cells = rows[known] * n_classes + labels[known]
    votes = np.bincount(cells, weights=weights[known], minlength=len(labels) * n_classes).astype(np.float64)
    return votes.reshape(len(labels), n_classes)


class _Search:
    """Products of rows with the pool of candidates, and the nearest ones among these."""

    def __init__(self, x: NDArray[np.floating[Any]], pool: NDArray[np.int64], k: int, metric: Metric) -> None:
        self.x, self.pool, self.k, self.cosine = x, pool, k, metric == "cosine"
        # Every group of columns gives its maximum; several times k groups keep the threshold sharp.
        self.group = int(np.clip(len(pool) // (8 * k), 1, _WIDEST))
        self.width = -(-len(pool) // self.group) * self.group
        self.norms = np.empty(len(x))
        for rows in blocks(*x.shape):
            part = x[rows].astype(np.float64)
            # No einsum: a plain sum over the last axis gives equal rows the same last bit.
            with np.errstate(over="ignore"):
                self.norms[rows] = np.sqrt((part * part).sum(axis=1))
        if not np.isfinite(self.norms).all():
            raise InputError("features holds values too large to square in float64; scale them down first.")
        self._prepare()

    def _prepare(self) -> None:
        """Scaled copies of the features in the type of the products, and the bound on their error."""
        x, d = self.x, self.x.shape[1]
        centre = np.zeros(d) if self.cosine or not len(x) else x.mean(axis=0, dtype=np.float64)
        lengths = np.empty(len(x))
        if self.cosine:
            lengths = np.where(self.norms > 0, 1.0, 0.0)
        else:
            for rows in blocks(*x.shape):
                lengths[rows] = np.linalg.norm(x[rows] - centre, axis=1)
        longest = max(float(lengths.max(initial=0.0)), np.finfo(float).tiny)
        lengths = lengths / longest
        # A far outlier or very many features would make float32 too coarse to tell candidates apart.
        typical = float(np.median(lengths))
        coarse = d * 2.0**-24 > 1e-3 * max(typical, 1e-300) ** 2
        dtype: Any = np.float64 if coarse else np.float32
        unit = float(np.finfo(dtype).eps)
        queries = np.empty(x.shape, dtype=dtype)
        for rows in blocks(*x.shape):
            if self.cosine:
                scale = np.where(self.norms[rows] > 0, self.norms[rows], 1.0)[:, None]
                queries[rows] = x[rows] / scale
            else:
                queries[rows] = (x[rows] - centre) / longest
        self.queries = queries
        everyone = len(self.pool) == len(x)
        self.candidates = queries if everyone else queries[self.pool]
        half = np.zeros(len(self.pool)) if self.cosine else lengths[self.pool] ** 2 / 2
        self.half = half.astype(dtype)
        # Any order of summation: |error| <= d eps |x| |y|; the rest is the rounding of inputs and of the square.
        rounding = 10.0**-_DECIMALS if self.cosine else 0.0
        self.slack = (unit * ((d + 8) * lengths + 4) + rounding).astype(dtype)
        self.buffer = np.empty((0, self.width), dtype=dtype)

    def scores(self, rows: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """For each row, numbers that grow as candidates come nearer, up to ``slack``."""
        if len(self.buffer) < len(rows):
            self.buffer = np.empty((len(rows), self.width), dtype=self.queries.dtype)
        scores = self.buffer[: len(rows)]
        inner = scores[:, : len(self.pool)]
        np.matmul(self.queries[rows[0] : rows[-1] + 1], self.candidates.T, out=inner)
        if not self.cosine:
            inner -= self.half
        scores[:, len(self.pool) :] = -np.inf
        return scores

    def nearest(
        self, rows: NDArray[np.int64], scores: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The k nearest candidates of each row, compared in float64 wherever they could be."""
        k = self.k
        maxima = scores.reshape(len(rows), -1, self.group).max(axis=2)
        # k groups reach the threshold, hence at least k candidates; usually little more.
        at_least = np.partition(maxima, maxima.shape[1] - k, axis=1)[:, maxima.shape[1] - k]
        # Where fewer than k groups hold a candidate, all candidates are looked at.
        at_least = np.maximum(at_least - 2 * self.slack[rows], np.finfo(scores.dtype).min)
        near, column = np.nonzero(scores >= at_least[:, None])
        found = self.pool[column]
        distance = self._distances(rows[near], found)
        order = np.lexsort((found, distance, near))
        starts = np.searchsorted(near, np.arange(len(rows)))
        best = order[starts[:, None] + np.arange(k)]
        return found[best], distance[best]

    def _distances(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
        result = np.empty(len(left))
        for part in _pieces(len(left), self.x.shape[1]):
            a, b = self.x[left[part]].astype(np.float64), self.x[right[part]].astype(np.float64)
            if self.cosine:
                a *= b
                scale = self.norms[left[part]] * self.norms[right[part]]
                cosine = a.sum(axis=1) / np.where(scale > 0, scale, 1.0)
                result[part] = np.clip(np.round(1 - cosine, _DECIMALS), 0, 2)
            else:
                a -= b
                a *= a
                result[part] = np.sqrt(a.sum(axis=1))
        return result


def _pieces(n: int, d: int) -> Iterator[slice]:
    step = max(1, _GATHERED // max(d, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _codes(groups: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    if groups is None:
        return None
    array = np.asarray(groups)
    if array.ndim != 1 or len(array) != n:
        raise InputError(f"groups has shape {array.shape} for {n} units; give the item of each unit.")
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _pool(eligible: ArrayLike | None, n: int) -> NDArray[np.int64]:
    if eligible is None:
        return np.arange(n)
    mask = np.asarray(eligible)
    if mask.shape != (n,) or mask.dtype != bool:
        raise InputError(
            f"eligible has shape {mask.shape} and type {mask.dtype}; one boolean for each of {n} units is needed."
        )
    return np.flatnonzero(mask)


def _check_enough(k: int, n: int, items: NDArray[np.int64] | None, pool: NDArray[np.int64]) -> None:
    """Refuse a k that some unit cannot have."""
    inside = np.zeros(n, dtype=np.int64)
    if items is None:
        inside[pool] = 1
        where = "other than itself"
    else:
        inside = np.bincount(items[pool], minlength=int(items.max()) + 1)[items]
        where = "outside its group"
    fewest = len(pool) - int(inside.max())
    if fewest < k:
        raise InputError(
            f"k is {k} but unit {int(inside.argmax())} has {fewest} possible neighbours {where}; "
            f"choose k of at most {fewest} or give more units."
        )


def _check_graph(graph: NeighbourGraph, n: int) -> None:
    check_same_length(labels=range(n), graph=graph.indices)
