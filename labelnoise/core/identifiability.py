"""Saying when T cannot be known from what was given, why, and what would help."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import (
    InputError,
    as_labels,
    as_probs,
    as_transition,
    check_same_length,
    choose,
)

__all__ = ["Evidence", "Identifiability", "identifiability", "kruskal_rank"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Evidence = Literal["posteriors", "views", "neighbours", "pairs"]

#: Sets of rows that are looked at before the rank is only bounded from below.
_MOST_SETS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Identifiability:
    """Whether T can be known, and if not, why.

    Attributes
    ----------
    identified : bool
        No reason was found against it, under the assumptions listed.
    reasons : tuple of str
        Sentences: why T cannot be known and what would help. Empty if identified.
    assumptions : tuple of str
        What the answer takes for granted and no data can show.
    unknown : ndarray of bool, shape (K,)
        Rows of T that nothing was learnt about: classes never given, or without a pair.
    no_anchor : ndarray of bool, shape (K,)
        No unit is of the class (nearly) for certain.
    overlapping : ndarray of bool, shape (K,)
        Units whose most probable class it is belong to others too often. No reason by itself if the class has units
        that are certain: these show T.
    swappable : ndarray of bool, shape (K,)
        T's largest entry in the row is not surely the diagonal, so the class may go by another's name.
    bounds : ndarray of float, shape (K,)
        The most that ``P(given != i | true = i)`` can be, if no class is given i more often than i itself is; 1
        without probabilities.
    condition : float
        Condition number of T, infinite if singular; 1 if no T was given.
    """

    identified: bool
    reasons: tuple[str, ...]
    assumptions: tuple[str, ...]
    unknown: Flags
    no_anchor: Flags
    overlapping: Flags
    swappable: Flags
    bounds: Floats
    condition: float

    def __str__(self) -> str:
        head = "T can be identified" if self.identified else "T cannot be identified"
        lines = [head + (", assuming" if self.identified and self.assumptions else "") + ":"]
        return "\n".join(lines + [f"- {line}" for line in (self.reasons or self.assumptions)])


def identifiability(
    labels: ArrayLike | None = None,
    probs: ArrayLike | None = None,
    transition: ArrayLike | TransitionEstimate | None = None,
    *,
    evidence: Evidence = "posteriors",
    n_classes: int | None = None,
    n_views: int | None = None,
    assume_anchors: bool = False,
    near_anchor: float = 0.9,
    max_overlap: float = 0.3,
    max_condition: float = 1e3,
) -> Identifiability:
    """Say whether T can be known from the evidence there is.

    Parameters
    ----------
    labels : array_like of int, shape (n,), optional
        Given labels, -1 for "no label"; with ``evidence="pairs"`` the true labels of the pairs.
    probs : array_like of float, shape (n, K), optional
        ``P(given | x)``, out of sample. Required for ``evidence="posteriors"``.
    transition : array_like of shape (K, K) or TransitionEstimate, optional
        The T to be judged. With it, probabilities are led back to the true classes before anchors are looked for;
        with standard errors, an entry counts as larger only beyond two of them.
    evidence : {"posteriors", "views", "neighbours", "pairs"}
        What T is to be known from: one given label per unit and features (anchors, volume, confident joint);
        several labels per unit that are independent given the true class (annotators); a unit's and its two nearest
        neighbours' labels (HOC), for which classes must not overlap; or pairs of a clean and a given label.
    n_classes : int, optional
        K, if it does not follow from the rest.
    n_views : int, optional
        Independent labels per unit, for ``evidence="views"``; 3 for ``"neighbours"``.
    assume_anchors : bool
        It is known from elsewhere that every class has units that are of it for certain. The highest probability of
        a class then shows its noise instead of its overlap; the assumption is named in the answer.
    near_anchor : float
        The probability of a class that counts as certain, in (0.5, 1].
    max_overlap : float
        Mean probability of other classes, among units whose most probable class it is, above which a class overlaps.
    max_condition : float
        Above this condition number T cannot be undone: any use of its inverse multiplies errors by it.

    Returns
    -------
    Identifiability

    Raises
    ------
    InputError
        Nothing to judge by, posteriors without ``probs``, views without ``n_views``, shapes that differ.

    Notes
    -----
    With one label per unit, ``P(given | x) = T' P(true | x)`` and any T whose inverse leads all probabilities to
    probabilities fits as well. The data then bound the noise only from above: ``T[i, i] >= max P(given i | x)``,
    reached if a unit is of class i for certain. With three classes or more sufficiently scattered probabilities
    identify T too, which is not checked beyond the anchors. Views: if T is the same for all, its Kruskal
    rank k must have ``min(views, 3) k >= 2 K + 2``, which three views and an invertible T fulfil.

    The highest probability is the mean of the top half per cent of all units, at least 5, so that one unit is no
    proof. If T was itself read off anchors, the probabilities that it is tested with are high by construction.

    References
    ----------
    Scott (2015), A rate of convergence for mixture proportion estimation, AISTATS (two classes, irreducibility);
    Patrini et al. (2017), CVPR (anchors); Li et al. (2021), ICML (sufficiently scattered); Kruskal (1977), Three-way
    arrays, theorem 4a; Liu, Cheng, Zhang (2023), Identifiability of label noise transition matrix, ICML.

    Examples
    --------
    >>> probs = np.column_stack([np.linspace(0.3, 0.7, 200), np.linspace(0.7, 0.3, 200)])
    >>> answer = identifiability(probs=probs)
    >>> answer.identified, answer.no_anchor.tolist(), answer.bounds.round(2).tolist()
    (False, [True, True], [0.3, 0.3])
    >>> identifiability(evidence="views", n_views=3, transition=[[0.7, 0.3], [0.4, 0.6]]).identified
    True
    >>> print(identifiability(evidence="views", n_views=2, n_classes=2))
    T cannot be identified:
    - There are 2 independent labels per unit; agreement of two fits many T. Get a third (an annotator, a neighbour).
    """
    choose(evidence, ("posteriors", "views", "neighbours", "pairs"), "evidence")
    if not 0.5 < near_anchor <= 1 or not 0 < max_overlap < 1 or not max_condition >= 1:
        raise InputError(
            f"near_anchor is {near_anchor}, max_overlap {max_overlap}, max_condition {max_condition}; they must lie in "
            "(0.5, 1], in (0, 1) and from 1 upwards."
        )
    matrix = _matrix_of(transition)
    p = None if probs is None else np.asarray(as_probs(probs), dtype=np.float64)
    k = _n_classes(n_classes, matrix, p, labels)
    ids = None if labels is None else as_labels(labels, n_classes=k)
    if p is not None and ids is not None:
        check_same_length(labels=ids, probs=p)
        p = p[ids >= 0]
    if p is not None and not len(p):
        raise InputError("No unit is labelled; there is nothing to know T from.")
    if evidence == "posteriors" and p is None:
        raise InputError('evidence="posteriors" needs probs, P(given | x) of every unit.')
    if evidence == "views" and (n_views is None or n_views < 1):
        raise InputError(
            f'evidence="views" needs n_views >= 1, the independent labels per unit; it is {n_views}.'
        )
    if evidence == "pairs" and ids is None and not isinstance(transition, TransitionEstimate):
        raise InputError(
            'evidence="pairs" needs labels, the true labels of the pairs, or a TransitionEstimate.'
        )

    none = np.zeros(k, dtype=bool)
    reasons: list[str] = []
    assumptions: list[str] = []
    unknown = none if ids is None else np.bincount(ids[ids >= 0], minlength=k) == 0
    if isinstance(transition, TransitionEstimate):
        unknown = unknown | np.isinf(transition.standard_error).all(axis=1)
    if unknown.any():
        what = "No pair is of true class" if evidence == "pairs" else "Nothing was learnt about class"
        help_ = "buy pairs of it" if evidence == "pairs" else "label some units of it or leave it out"
        reasons.append(f"{what} {_listed(unknown)} (never seen among the labels); {help_}.")

    swappable = none
    if matrix is not None:
        swappable = _swappable(matrix, transition) & ~unknown
    if evidence != "pairs" and swappable.any():
        reasons.append(
            f"The largest entry in the row of class {_listed(swappable)} is not surely the diagonal; the same data fit "
            "with the classes' names exchanged. A few clean labels of each would settle the names."
        )
    condition = 1.0 if matrix is None else _condition(matrix)
    if condition > max_condition:
        reasons.append(
            f"T has condition number {condition:.3g} (limit {max_condition:.3g}); some true classes are given labels "
            "almost alike. Merge them, or get clean labels for them."
        )
    no_anchor, overlapping, bounds = none, none, np.ones(k)
    if evidence in ("views", "neighbours"):
        reasons += _judge_views(k, 3 if n_views is None else n_views, matrix)
        assumptions.append("The labels of a unit are independent given its true class.")
    if evidence == "neighbours":
        assumptions.append("A unit and its two nearest neighbours are of one true class.")
    if p is not None and evidence != "pairs":
        top = _top(p)
        bounds = np.clip(1 - top, 0.0, 1.0)
        if matrix is not None and condition <= max_condition:
            clean = _led_back(p, matrix)
            top, overlapping = _top(clean), _overlap(clean) > max_overlap
        elif not assume_anchors:
            # Noise and overlap both lower these; with anchors for granted, it may all be noise.
            overlapping = _overlap(p) > max_overlap
        no_anchor = none if assume_anchors else (top < near_anchor) & ~unknown
        overlapping = overlapping & ~unknown
        if evidence == "posteriors":
            reasons += _judge_posteriors(k, top, bounds, no_anchor, near_anchor)
            assumptions.append("Labels depend on the true class only, and probs are calibrated.")
        blurred = overlapping if evidence == "neighbours" else overlapping & no_anchor
        if evidence != "views" and blurred.any():
            reasons.append(
                f"Units that look most like class {_listed(blurred)} often belong to others; overlap and noise cannot "
                "be told apart there. Better features or clean labels would help."
            )
    if assume_anchors and evidence == "posteriors":
        assumptions.append("Every class has units that are of it for certain.")
    return Identifiability(
        identified=not reasons,
        reasons=tuple(reasons),
        assumptions=tuple(assumptions),
        unknown=unknown,
        no_anchor=no_anchor,
        overlapping=overlapping,
        swappable=swappable,
        bounds=bounds,
        condition=condition,
    )


def kruskal_rank(matrix: ArrayLike, *, tolerance: float = 1e-6) -> int:
    """The largest r such that every r rows are linearly independent.

    Parameters
    ----------
    matrix : array_like, shape (m, d)
    tolerance : float
        Rows count as dependent if the least singular value of the set, rows scaled to length 1, is not above it.

    Returns
    -------
    int
        From 0 to min(m, d). Where more than 20 000 sets would have to be looked at, the largest r that was checked.

    References
    ----------
    Kruskal (1977), Three-way arrays: rank and uniqueness of trilinear decompositions, section 1.

    Examples
    --------
    >>> kruskal_rank([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    2
    """
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise InputError(f"matrix has shape {rows.shape} or is not finite; a matrix of numbers is needed.")
    lengths = np.linalg.norm(rows, axis=1)
    if not rows.size or lengths.min() <= tolerance:
        return 0
    rows = rows / lengths[:, None]
    m, most = len(rows), min(rows.shape)
    if most == m and np.linalg.svd(rows, compute_uv=False)[-1] > tolerance:
        return m
    for size in range(2, most + 1):
        if comb(m, size) > _MOST_SETS:
            return size - 1
        sets = np.array(list(combinations(range(m), size)))
        if np.linalg.svd(rows[sets], compute_uv=False)[:, -1].min() <= tolerance:
            return size - 1
    return most


def _judge_views(k: int, n_views: int, matrix: Floats | None) -> list[str]:
    if n_views < 3:
        told = "one label fits any T" if n_views == 1 else "agreement of two fits many T"
        noun = "is 1 independent label" if n_views == 1 else f"are {n_views} independent labels"
        return [f"There {noun} per unit; {told}. Get a third (an annotator, a neighbour)."]
    if matrix is None:
        return []
    # More than three views are grouped into three, whose Kruskal ranks are no smaller.
    rank = kruskal_rank(matrix)
    if 3 * rank < 2 * k + 2:
        return [
            f"{rank + 1} rows of T are (nearly) dependent, and {k} classes need any {-(-(2 * k + 2) // 3)} to be "
            "independent for three labels per unit to tell them apart; merge classes that are given labels alike."
        ]
    return []


def _judge_posteriors(k: int, top: Floats, bounds: Floats, no_anchor: Flags, near: float) -> list[str]:
    reasons = []
    if no_anchor.any():
        worst = int(np.where(no_anchor, top, np.inf).argmin())
        why = (
            f"with two classes the data only say that at most {bounds[0]:.0%} of class 0 and {bounds[1]:.0%} of class 1 "
            "are given the other's label"
            if k == 2
            else "noise and overlap of the classes lower probabilities alike"
        )
        reasons.append(
            f"No unit is of class {_listed(no_anchor)} for certain (highest probability {top[worst]:.2f} for class "
            f"{worst}, wanted {near:.2f}); {why}. Clean labels, a third label per unit, or knowing that every class "
            "has certain units would settle it."
        )
    return reasons


def _swappable(matrix: Floats, transition: object) -> Flags:
    diagonal = np.diag(matrix)
    error = (
        transition.standard_error if isinstance(transition, TransitionEstimate) else np.zeros(matrix.shape)
    )
    margin = diagonal[:, None] - matrix
    slack = 2 * np.sqrt(error**2 + np.diag(error)[:, None] ** 2)
    # Infinite minus infinite does not occur: matrices are finite, and an infinite slack beats any margin.
    close = margin <= slack
    np.fill_diagonal(close, False)
    return np.asarray(close.any(axis=1))


def _led_back(p: Floats, matrix: Floats) -> Floats:
    """``P(true | x)`` from ``P(given | x) = T' P(true | x)``, not clipped, since sampling errs both ways."""
    return np.asarray(np.linalg.solve(matrix.T, p.T).T)


def _top(p: Floats) -> Floats:
    """Mean of the highest half per cent of each column, at least 5 units."""
    size = min(len(p), max(5, len(p) // 200))
    return np.asarray(np.partition(p, len(p) - size, axis=0)[len(p) - size :].mean(axis=0))


def _overlap(p: Floats) -> Floats:
    """Mean probability of other classes among the units whose most probable class it is; 0 where there is none."""
    best = p.argmax(axis=1)
    own = np.clip(p[np.arange(len(p)), best], 0.0, 1.0)
    counts = np.bincount(best, minlength=p.shape[1])
    sums = np.bincount(best, weights=1 - own, minlength=p.shape[1])
    return np.asarray(sums / np.maximum(counts, 1))


def _condition(matrix: Floats) -> float:
    value = float(np.linalg.cond(matrix))
    return value if np.isfinite(value) else float("inf")


def _matrix_of(transition: ArrayLike | TransitionEstimate | None) -> Floats | None:
    if transition is None:
        return None
    return as_transition(transition.matrix if isinstance(transition, TransitionEstimate) else transition)


def _n_classes(
    n_classes: int | None, matrix: Floats | None, p: Floats | None, labels: ArrayLike | None
) -> int:
    sizes = {
        "n_classes": n_classes,
        "transition": None if matrix is None else len(matrix),
        "probs": None if p is None else p.shape[1],
    }
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(set(known.values())) > 1:
        listed = ", ".join(f"{name} {size}" for name, size in known.items())
        raise InputError(f"Numbers of classes differ: {listed}; they must be about the same classes.")
    if known:
        k = next(iter(known.values()))
    elif labels is not None:
        k = int(as_labels(labels).max(initial=-1)) + 1
    else:
        raise InputError("Nothing was given to judge by; pass labels, probs, transition or n_classes.")
    if k < 2:
        raise InputError(f"There are {k} classes; T needs at least 2.")
    return k


def _listed(flags: Flags) -> str:
    return ", ".join(map(str, np.flatnonzero(flags)))
