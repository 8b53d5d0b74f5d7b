"""Whether T can be known at all from what there is, and if not, what would help.

Three things can make T known: pairs of a given and a true label, which need only be counted; three independent
labels per unit, which determine T up to the order of the classes (Kruskal); and units that surely belong to
their class ("anchors"), whose posterior of the given label is a row of T. None of them can be replaced by more
units of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import (
    NO_LABEL,
    InputError,
    as_labels,
    as_probs,
    as_transition,
    check_same_length,
)

__all__ = ["Identifiability", "identifiability"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: An anchor's posterior is taken at this percentile, as the maximum of many noisy posteriors is too high.
_PERCENTILE = 97
_ANCHOR = 0.8
#: Two classes that exchange 23 % of their labels at random, or overlap as much, are this far apart.
_SEPARATION = 0.3
_WORST_CONDITION = 1e3
_KRUSKAL = 3
#: Units of a class (pairs, or with enough votes) that give its row of T a standard error below 0.1.
_ENOUGH = 30
_NAMED = 5


@dataclass(frozen=True)
class Identifiability:
    """The verdict.

    Attributes
    ----------
    identified : bool
        Whether every row of T can be known.
    reasons : tuple of str
        Why not: one sentence each, with the numbers and the remedy. Empty if and only if identified.
    per_class : ndarray of bool, shape (K,)
        Whether row c of T can be known.
    """

    identified: bool
    reasons: tuple[str, ...]
    per_class: Mask

    def __str__(self) -> str:
        known = int(self.per_class.sum())
        return "\n".join([f"T can be known for {known} of {len(self.per_class)} classes", *self.reasons])


@dataclass(frozen=True)
class _Obstacle:
    classes: Mask
    sentence: str


def identifiability(
    given: ArrayLike,
    probs: ArrayLike | None = None,
    *,
    transition: ArrayLike | TransitionEstimate | None = None,
    n_votes: int | ArrayLike | None = None,
    pairs: ArrayLike | None = None,
    n_classes: int | None = None,
) -> Identifiability:
    """Say whether T can be known from what is passed, and what is missing if not.

    A row of T counts as known if there are 30 clean pairs of its class; or else if its class is given at all, T (if
    passed) neither exchanges nor merges it with another, and either 30 units of it have three votes, or the
    classifier finds anchors of it and tells it from every other class.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are left out.
    probs : array_like of float, shape (n, K), optional
        Out-of-sample posterior of the *given* label. With ``transition`` the posterior of the true label is
        computed from it first; without, noise and overlap of the classes look alike, and the answer is cautious.
    transition : array_like of float, shape (K, K), or TransitionEstimate, optional
        What T is thought to be. With standard errors the diagonal must lead by two of them.
    n_votes : int or array_like of int, shape (n,), optional
        Independent labels per unit: annotators, or neighbours of the same class counting the unit itself.
    pairs : array_like of int, shape (m, 2), optional
        Given and true label of units whose truth was established, drawn at random within each true class.
    n_classes : int, optional
        K; by default from ``probs``, ``transition`` or the largest class id.

    Returns
    -------
    Identifiability

    Raises
    ------
    InputError
        Sizes that differ, labels or votes out of range.

    Notes
    -----
    The limits (posterior 0.8 at the 97th percentile, separation 0.3, condition number 1000, 30 units) are
    judgements, not theorems. Separation is ``1 - G_ab / (G_aa + G_ab) - G_ab / (G_bb + G_ab)`` with
    ``G = probs.T @ probs``: 0 for two classes whose posteriors are proportional, 1 for two that never overlap. That
    votes are independent, and that noise depends on the true class only, cannot be seen here.

    References
    ----------
    Anchors: Patrini, Rozza, Menon, Nock, Qu (2017), CVPR, section 4; Scott (2015), AISTATS. Three votes: Kruskal
    (1977), Linear Algebra and its Applications 18; Liu, Cheng, Zhang (2023), ICML.

    Examples
    --------
    >>> import numpy as np
    >>> given = np.repeat([0, 1], 50)
    >>> print(identifiability(given, np.eye(2)[given] * 0.9 + 0.05))
    T can be known for 2 of 2 classes
    >>> print(identifiability(given, np.eye(2)[given] * 0.5 + 0.25))
    T can be known for 0 of 2 classes
    Classes 0, 1 have no near-anchors: the 97th percentile of the posterior among units most like it is
    0.75 for class 0, below 0.8, so noise and overlap cannot be told apart; collect clean pairs or three
    votes per unit, or use better features.
    Classes 0 and 1 are weakly separable (separation 0.25 of 1, 1 such pair(s) below 0.3), so noise
    between them cannot be told from overlap; use better features, or collect clean pairs of both.
    >>> print(identifiability(given, n_votes=2))
    T can be known for 0 of 2 classes
    Classes 0, 1 have too few units of 3 votes: 0 % of units have 3 or more, 0 of class 0 where 30 are
    needed, and two votes fit more than one T; ask more annotators (or views) per unit.
    """
    matrix, errors = _matrix(transition)
    labels = as_labels(given, name="given")
    p = None if probs is None else as_probs(probs, n=len(labels))
    sizes = {
        "n_classes": n_classes,
        "probs": None if p is None else p.shape[1],
        "transition": None if matrix is None else len(matrix),
    }
    k = _n_classes(sizes, labels)
    labels = as_labels(labels, n_classes=k, name="given")
    votes = _votes(n_votes, labels)
    counts = _pair_counts(pairs, k)
    known = labels != NO_LABEL
    counted = np.bincount(labels[known], minlength=k)

    obstacles = list(_labels_missing(counted))
    if matrix is not None:
        obstacles += _matrix_faults(matrix, errors)
    blocked = _union(obstacles, k)

    routes: list[list[_Obstacle]] = []
    if p is not None:
        usable = p[known].astype(np.float64)
        routes.append(list(_posterior_faults(_clean_posterior(usable, matrix))))
    if votes is not None:
        routes.append(list(_vote_faults(labels[known], votes[known], counted)))
    if not routes:
        routes.append([_nothing_passed(k, pairs is not None)])
    reached = np.any([~_union(route, k) for route in routes], axis=0)
    per_class = (~blocked & reached) | (counts >= _ENOUGH)

    obstacles += [obstacle for route in routes for obstacle in route]
    if pairs is not None:
        obstacles += _pair_faults(counts)
    reasons = tuple(obstacle.sentence for obstacle in obstacles if (obstacle.classes & ~per_class).any())
    return Identifiability(bool(per_class.all()), reasons, per_class)


def _matrix(transition: ArrayLike | TransitionEstimate | None) -> tuple[Floats | None, Floats | None]:
    if transition is None:
        return None, None
    if isinstance(transition, TransitionEstimate):
        return as_transition(transition.matrix), transition.standard_error
    return as_transition(transition), None


def _n_classes(sizes: dict[str, int | None], labels: NDArray[np.int64]) -> int:
    told = {name: size for name, size in sizes.items() if size is not None}
    if len(set(told.values())) > 1:
        listed = ", ".join(f"{name} {size}" for name, size in told.items())
        raise InputError(f"Numbers of classes differ: {listed}; they must be of the same classes.")
    k = next(iter(told.values()), int(labels.max(initial=NO_LABEL)) + 1)
    if k < 1:
        raise InputError("given holds no label and nothing tells the number of classes; pass n_classes.")
    return k


def _votes(n_votes: int | ArrayLike | None, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    if n_votes is None:
        return None
    votes = np.asarray(n_votes)
    if votes.dtype.kind not in "iu" or votes.ndim > 1 or (votes.size and votes.min() < 0):
        raise InputError("n_votes must be a whole number from 0, or one per unit.")
    if votes.ndim == 0:
        return np.full(len(labels), int(votes), dtype=np.int64)
    check_same_length(n_votes=votes, given=labels)
    return votes.astype(np.int64)


def _pair_counts(pairs: ArrayLike | None, k: int) -> NDArray[np.int64]:
    """Clean pairs per true class."""
    if pairs is None:
        return np.zeros(k, dtype=np.int64)
    table = np.asarray(pairs)
    if table.ndim != 2 or table.shape[1] != 2:
        raise InputError(f"pairs has shape {table.shape}; give rows of (given label, true label).")
    both = [as_labels(table[:, column], n_classes=k, name="pairs") for column in (0, 1)]
    usable = (both[0] != NO_LABEL) & (both[1] != NO_LABEL)
    return np.bincount(both[1][usable], minlength=k)


def _labels_missing(counted: NDArray[np.int64]) -> Iterable[_Obstacle]:
    k = len(counted)
    present = np.flatnonzero(counted)
    if len(present) < 2:
        yield _Obstacle(
            np.ones(k, dtype=bool),
            f"Only {len(present)} of {k} classes is given to any of {int(counted.sum())} labelled units, which fits "
            "every T; label units of at least two classes.",
        )
    absent = counted == 0
    if absent.any() and len(present) >= 2:
        yield _Obstacle(
            absent,
            f"{_listed(absent, 'is/are')} never given among {int(counted.sum())} labelled units, so nothing shows "
            "how such labels get wrong; collect clean pairs of the class, or leave it out.",
        )


def _matrix_faults(matrix: Floats, errors: Floats | None) -> Iterable[_Obstacle]:
    k = len(matrix)
    if k < 2:
        return
    others = matrix - 2 * np.diag(np.full(k, np.inf))
    rival = others.argmax(axis=1)
    rows = np.arange(k)
    margin = matrix[rows, rows] - matrix[rows, rival]
    spread = np.zeros(k) if errors is None else np.hypot(errors[rows, rows], errors[rows, rival])
    swapped = margin <= 2 * spread
    if swapped.any():
        c = int(np.flatnonzero(swapped)[np.argmin(margin[swapped])])
        doubt = f" (standard error of the lead {spread[c]:.2g})" if errors is not None else ""
        yield _Obstacle(
            swapped,
            f"{_listed(swapped, 'is/are')} not clearly given the right name most often: "
            f"T[{c}, {c}] is {matrix[c, c]:.2f} against "
            f"T[{c}, {rival[c]}] = {matrix[c, rival[c]]:.2f}{doubt}, so "
            "classes can be exchanged without changing what is seen; clean pairs tell which row is which.",
        )
    condition = float(np.linalg.cond(matrix))
    if not condition <= _WORST_CONDITION:
        weight = np.abs(np.linalg.svd(matrix)[0][:, -1])
        merged = weight >= weight.max() / 2
        yield _Obstacle(
            merged,
            f"T has condition number {condition:.3g}, above {_WORST_CONDITION:g}: the rows of {_listed(merged)} "
            "are nearly combinations of others; merge such classes, or collect clean pairs of them.",
        )


def _clean_posterior(p: Floats, matrix: Floats | None) -> Floats:
    """Posterior of the true label where T is passed and can be inverted, else what there is."""
    if matrix is None or not np.linalg.cond(matrix) <= _WORST_CONDITION:
        return p
    clean = np.clip(p @ np.linalg.inv(matrix), 0.0, None)
    # A row of an invertible T's inverse sums to 1, so what is left after clipping is never 0.
    return np.asarray(clean / clean.sum(axis=1, keepdims=True))


def _posterior_faults(p: Floats) -> Iterable[_Obstacle]:
    k = p.shape[1]
    top = p.argmax(axis=1) if len(p) else np.zeros(0, dtype=np.int64)
    best = p[np.arange(len(p)), top]
    peaks = np.array(
        [np.percentile(best[top == c], _PERCENTILE) if (top == c).any() else 0.0 for c in range(k)]
    )
    low = peaks < _ANCHOR
    if low.any():
        c = int(peaks.argmin())
        yield _Obstacle(
            low,
            f"{_listed(low, 'has/have')} no near-anchors: the {_PERCENTILE}th percentile of the posterior among "
            f"units most like it is {peaks[c]:.2f} for class {c}, below {_ANCHOR}, so noise and overlap cannot be "
            "told apart; collect clean pairs or three votes per unit, or use better features.",
        )
    gram = p.T @ p
    own = np.diag(gram)
    total = own[:, None] + gram
    share = np.divide(gram, total, out=np.zeros_like(gram), where=total > 0)
    separation = 1.0 - share - share.T
    np.fill_diagonal(separation, 1.0)
    close = separation < _SEPARATION
    if close.any():
        a, b = np.unravel_index(int(separation.argmin()), separation.shape)
        yield _Obstacle(
            np.asarray(close.any(axis=1)),
            f"Classes {min(a, b)} and {max(a, b)} are weakly separable (separation {separation[a, b]:.2f} of 1, "
            f"{int(close.sum()) // 2} such pair(s) below {_SEPARATION}), so noise between them cannot be told from "
            "overlap; use better features, or collect clean pairs of both.",
        )


def _vote_faults(
    labels: NDArray[np.int64], votes: NDArray[np.int64], counted: NDArray[np.int64]
) -> Iterable[_Obstacle]:
    enough = votes >= _KRUSKAL
    per_class = np.bincount(labels[enough], minlength=len(counted))
    few = per_class < _ENOUGH
    if few.any():
        c = int(per_class.argmin())
        share = float(enough.mean()) if enough.size else 0.0
        yield _Obstacle(
            few,
            f"{_listed(few, 'has/have')} too few units of {_KRUSKAL} votes: {100 * share:.0f} % of units have "
            f"{_KRUSKAL} or more, {per_class[c]} of class {c} where {_ENOUGH} are needed, and two votes fit more than "
            "one T; ask more annotators (or views) per unit.",
        )


def _nothing_passed(k: int, with_pairs: bool) -> _Obstacle:
    beside = "beside the pairs " if with_pairs else ""
    return _Obstacle(
        np.ones(k, dtype=bool),
        f"One label per unit {beside}fits every T of {k} classes with a matching prior; pass probs of a "
        f"classifier, collect {_ENOUGH} clean pairs per class, or {_KRUSKAL} votes per unit.",
    )


def _pair_faults(counts: NDArray[np.int64]) -> list[_Obstacle]:
    few = counts < _ENOUGH
    if not few.any():
        return []
    c = int(counts.argmin())
    return [
        _Obstacle(
            few,
            f"{_listed(few, 'has/have')} too few clean pairs: {counts[c]} of class {c} where {_ENOUGH} are needed; collect "
            f"{_ENOUGH - counts[c]} more of it.",
        )
    ]


def _union(obstacles: Iterable[_Obstacle], k: int) -> Mask:
    return np.any([np.zeros(k, dtype=bool), *(obstacle.classes for obstacle in obstacles)], axis=0)


def _listed(classes: NDArray[Any], verb: str = "") -> str:
    """The classes' names as a subject; ``verb`` is "is/are" and the like, singular before plural."""
    ids = [str(c) for c in np.flatnonzero(classes)]
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    names = ("Class " if len(ids) == 1 else "Classes ") + ", ".join(ids[:_NAMED]) + more
    if not verb:
        return names[0].lower() + names[1:]
    return f"{names} {verb.split('/')[len(ids) > 1]}"
