"""SimiFeat: wrong labels by what the labels of the nearest neighbours say, without training anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from labelnoise.core._survey import blocks, by_class
from labelnoise.core.confident_learning import lowest
from labelnoise.core.neighbours import NeighbourGraph, cast_votes, labelled_part, nearest_neighbours
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.transition_hoc import fit_hoc, triple_counts
from labelnoise.core.validation import InputError, as_rate

__all__ = ["posterior_of_given", "simifeat_mv", "simifeat_rank"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
#: The share of a class that may be flagged, whatever the estimated one is.
_QUOTA = (0.05, 0.95)


class _Votes(NamedTuple):
    """Per unit: the vote for its own label and the largest vote, both of unit-length vote vectors."""

    own: Floats
    top: Floats


Judge = Callable[[Labels, _Votes], NDArray[np.bool_]]


def simifeat_mv(
    labels: ArrayLike,
    features: ArrayLike,
    *,
    k: int = 10,
    groups: ArrayLike | None = None,
    subsamples: int = 0,
    fraction: float = 0.9,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Flag the labels that the similarity-weighted vote of the unit and its nearest neighbours contradicts.

    Every unit collects ``1 - d`` votes per neighbour, d the cosine distance, and one vote of its own with
    ``1 - (2 d1 - d2)``, d1 and d2 the distances of the nearest two: its distance to itself would be 0 and outvote
    the others.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are neither flagged nor neighbours.
    features : array_like of float, shape (n, d)
        In which neighbours share their class, for instance a pretrained encoder's.
    k : int
        Votes per unit, its own included, >= 3.
    groups : array_like, shape (n,), optional
        Item of each unit; other units of the same item do not vote.
    subsamples : int
        0 judges every unit once among all. With s > 0 it is judged in each of s random subsamples that it is in, and
        the majority counts, ``(flags + 1) / (judgements + 2) > 1/2``; published: 21.
    fraction : float
        Share of the units in a subsample, in (0, 1].
    seed : int
        Of the subsamples.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where another class has more votes than the given one.

    Raises
    ------
    InputError
        Fewer than k labelled units (in a subsample), shapes that differ.

    Notes
    -----
    The neighbours of a subsample are those of the whole that are in it, so one graph with a few more neighbours
    serves all subsamples; the answer is that of a graph for each, to the bit. The official recipe draws another
    augmentation of the images for each of its subsamples; here features are fixed.

    References
    ----------
    Zhu, Dong, Liu (2022), Detecting corrupted labels without training a model to predict, ICML, section 4.

    Examples
    --------
    >>> features = [[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]]
    >>> simifeat_mv([0, 0, 1, 1, 1, 1], features, k=3)
    array([False, False,  True, False, False, False])
    """

    def judge(_: Labels, votes: _Votes) -> NDArray[np.bool_]:
        return np.asarray(votes.top > votes.own)

    return _run(labels, features, groups, k, subsamples, fraction, seed, lambda own, graph: judge)


def simifeat_rank(
    labels: ArrayLike,
    features: ArrayLike,
    *,
    k: int = 10,
    groups: ArrayLike | None = None,
    transition: TransitionEstimate | None = None,
    diagonal_scale: float = 1.0,
    subsamples: int = 0,
    fraction: float = 0.9,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Flag in every class as many labels as T says are wrong, those with the weakest votes.

    Votes are those of `simifeat_mv`, scaled to unit length per unit; the score is ``-log`` of the given class's.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are neither flagged nor neighbours.
    features : array_like of float, shape (n, d)
    k : int
        Votes per unit, its own included, >= 3.
    groups : array_like, shape (n,), optional
        Item of each unit; other units of the same item do not vote.
    transition : TransitionEstimate, optional
        With a prior; by default estimated by `labelnoise.core.transition_hoc.fit_hoc` from the same neighbours.
    diagonal_scale : float
        > 0; multiplies P(true = c | given = c). Above 1 fewer labels are flagged.
    subsamples, fraction, seed :
        See `simifeat_mv`. T is estimated once, from all units; the official recipe does so in every subsample.

    Returns
    -------
    ndarray of bool, shape (n,)
        In each class c ``floor(n_c (1 - P(true = c | given = c)))`` of n_c units, that share clipped to [.05, .95];
        of equal votes the first. No label is flagged if all are the same.

    Raises
    ------
    InputError
        Fewer than k labelled units (in a subsample), shapes that differ, a T without prior or of other classes.

    References
    ----------
    Zhu, Dong, Liu (2022), Detecting corrupted labels without training a model to predict, ICML, algorithm 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 1000)
    >>> given = np.where(rng.random(1000) < 0.2, 1 - true, true)
    >>> flags = simifeat_rank(given, np.eye(2)[true] + 0.1 * rng.normal(size=(1000, 2)))
    >>> round(float(flags.mean()), 2), round(float((flags == (given != true)).mean()), 2)
    (0.2, 0.97)
    """
    if not diagonal_scale > 0:
        raise InputError(f"diagonal_scale is {diagonal_scale}; it must be above 0.")

    def prepare(own: Labels, graph: NeighbourGraph) -> Judge:
        classes = int(own.max()) + 1
        present, compact = np.unique(own, return_inverse=True)
        if len(present) < 2:
            return lambda ids, votes: np.zeros(len(ids), dtype=bool)
        if transition is None:
            fit = fit_hoc(triple_counts(compact, graph), seed=seed)
            right = np.zeros(classes)
            right[present] = posterior_of_given(fit.matrix, fit.prior)
        else:
            right = _posterior(transition, classes)
        quota = np.clip(1 - diagonal_scale * right, *_QUOTA)
        # 0.1 * 30 is 3.0000000000000004, and 0.7 * 10 is 6.999...: a hair keeps whole products whole.
        floor = [lambda m, q=q: int(q * m + 1e-9) for q in quota]

        def judge(ids: Labels, votes: _Votes) -> NDArray[np.bool_]:
            flags = np.zeros(len(ids), dtype=bool)
            for c, units in enumerate(by_class(ids, classes)):
                flags[units[lowest(votes.own[units], floor[c](len(units)), "first")]] = True
            return flags

        return judge

    return _run(labels, features, groups, k, subsamples, fraction, seed, prepare)


def posterior_of_given(transition: ArrayLike, prior: ArrayLike) -> Floats:
    """Probability that a label is right, per given class: ``T[c, c] prior[c] / P(given = c)``.

    Examples
    --------
    >>> posterior_of_given([[0.9, 0.1], [0.3, 0.7]], [0.5, 0.5])
    array([0.75 , 0.875])
    """
    t, p = np.asarray(transition, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    given = p @ t
    right: Floats = np.diag(t) * p / np.where(given > 0, given, 1.0)
    return right


def _posterior(transition: TransitionEstimate, classes: int) -> Floats:
    if transition.prior is None:
        raise InputError("transition has no prior, which the quotas need; estimate it with hoc_transition.")
    if len(transition.prior) < classes:
        raise InputError(
            f"transition has {len(transition.prior)} classes but labels go up to {classes - 1}; "
            "estimate it with n_classes."
        )
    return posterior_of_given(transition.matrix, transition.prior)[:classes]


def _run(
    labels: ArrayLike,
    features: ArrayLike,
    groups: ArrayLike | None,
    k: int,
    subsamples: int,
    fraction: float,
    seed: int,
    prepare: Callable[[Labels, NeighbourGraph], Judge],
) -> NDArray[np.bool_]:
    ids, chosen, x, items = labelled_part(labels, features, groups)
    share = as_rate(fraction, name="fraction")
    if k < 3:
        raise InputError(f"k is {k}; a unit's own vote needs two neighbours, hence k of at least 3.")
    if subsamples < 0:
        raise InputError(f"subsamples is {subsamples}; 0 judges all units once, published are 21.")
    flags = np.zeros(len(ids), dtype=bool)
    n = len(chosen)
    if n == 0:
        return flags
    size = round(share * n) if subsamples else n
    if size < k:
        raise InputError(
            f"{size} units have a label{' and are in a subsample' if subsamples else ''} but k is {k}, the unit "
            f"itself included; choose a smaller k or label more units."
        )
    own = ids[chosen]
    if not subsamples:
        graph = nearest_neighbours(x, k - 1, groups=items)
        flags[chosen] = prepare(own, graph)(own, _votes(own, graph.indices, graph.distances))
        return flags

    draws = _Subsamples(x, items, k - 1, size, subsamples, seed)
    judge = prepare(own, draws.graph)
    flagged, judged = np.zeros(n), np.zeros(n)
    for units, indices, distances in draws:
        flagged[units] += judge(own[units], _votes(own, indices, distances, units))
        judged[units] += 1
    flags[chosen] = (flagged + 1) / (judged + 2) > 0.5
    return flags


class _Subsamples:
    """Neighbours within random subsamples, all read off one graph of the whole.

    The first neighbours of a unit that are in the subsample are its neighbours there. Where a list runs out, the
    graph is made again with twice as many neighbours.
    """

    def __init__(
        self,
        x: NDArray[np.floating[Any]],
        items: Labels | None,
        k: int,
        size: int,
        subsamples: int,
        seed: int,
    ) -> None:
        self.k, self.n, self.size, self.seed, self.count = k, len(x), size, seed, subsamples
        need = _list_length(k, size / self.n, subsamples * self.n)
        most = self.n - 1 if items is None else self.n - int(np.bincount(items).max())
        while True:
            need = min(need, most) if most >= k else need
            self.graph = nearest_neighbours(x, need, groups=items)
            short = self._shortest()
            if short >= k:
                return
            if need == most:
                raise InputError(
                    f"In a subsample some unit has {short} possible neighbours but {k} are needed; choose a smaller k."
                )
            need *= 2

    def _kept(self) -> Iterator[NDArray[np.bool_]]:
        for subsample in range(self.count):
            kept = np.zeros(self.n, dtype=bool)
            kept[generator(self.seed, "simifeat", subsample).permutation(self.n)[: self.size]] = True
            yield kept

    def _shortest(self) -> int:
        if self.size == self.n:
            return self.graph.k
        return min(int(kept[self.graph.indices[kept]].sum(axis=1).min()) for kept in self._kept())

    def __iter__(self) -> Iterator[tuple[Labels, Labels, Floats]]:
        """The units of each subsample, and their k neighbours and distances in it."""
        for kept in track(self._kept(), "subsamples", self.count):
            units = np.flatnonzero(kept)
            inside = kept[self.graph.indices[units]]
            inside &= np.cumsum(inside, axis=1) <= self.k
            shape = (len(units), self.k)
            yield (
                units,
                self.graph.indices[units][inside].reshape(shape),
                self.graph.distances[units][inside].reshape(shape),
            )


def _list_length(k: int, share: float, tries: int) -> int:
    """Neighbours to keep so that fewer than k of them are in a subsample once in a hundred calls."""
    if share >= 1:
        return k
    length = k
    while tries * float(bdtr(k - 1, length, share)) > 0.01:
        length += 1
    return length


def _votes(labels: Labels, indices: Labels, distances: Floats, units: Labels | None = None) -> _Votes:
    """Votes of the units (all by default) for their own label and at most, scaled to length 1."""
    mine = labels if units is None else labels[units]
    classes = int(labels.max()) + 1
    own, top = np.empty(len(mine)), np.empty(len(mine))
    for rows in blocks(len(mine), max(classes, indices.shape[1])):
        near = distances[rows]
        itself = 2 * near[:, :1] - near[:, 1:2]
        voters = np.column_stack([mine[rows], labels[indices[rows]]])
        votes = cast_votes(voters, 1 - np.column_stack([itself, near]), classes)
        length = np.sqrt((votes**2).sum(axis=1))
        length[length == 0] = 1.0
        own[rows] = votes[np.arange(len(votes)), mine[rows]] / length
        top[rows] = votes.max(axis=1) / length
    return _Votes(own, top)
