"""T from anchor units, which are of their class for certain: Patrini's rule, outlier-proof rules, and Dual-T."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import check_units
from labelnoise.core.random import generator
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError, as_transition, choose

__all__ = ["Rule", "prior_from_given", "transition_by_anchors", "transition_by_dual"]

Floats = NDArray[np.float64]
Rule = Literal["max", "quantile", "top"]

#: How many units of a class speak about the model at its anchor, at least and as a share.
_NEAR, _NEAR_SHARE = 20, 0.03
#: Anchors' rows that are kept for the next resample, in numbers: 32 MiB.
_CACHED_ENTRIES = 1 << 22


def transition_by_anchors(
    labels: ArrayLike,
    probs: ArrayLike,
    *,
    rule: Rule = "max",
    share: float = 0.03,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> TransitionEstimate:
    """Estimate T by the probabilities of the given classes at one anchor unit per class.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are left out.
    probs : array_like of float, shape (n, K)
        Out-of-sample ``P(given = j | x)`` of a model fitted to the given labels, calibrated and not sharpened.
    rule : {"max", "quantile", "top"}
        The anchor of class i is the unit with the largest probability of i; with ``"quantile"`` the one below the
        upper ``share`` of all units, so that outliers do not count; with ``"top"`` the one below the upper
        ``share`` of the units that are given i.
    share : float
        For the last two, in [0, 0.5].
    n_bootstrap : int
        Resamples behind the standard errors, at least 2.
    seed : int

    Returns
    -------
    TransitionEstimate
        Row i is the anchor's probabilities, normalised; the mean of units that tie. A class that nobody is given
        has the identity's row, infinite errors and a warning. ``prior`` makes T explain the class shares.

    Raises
    ------
    InputError
        Labels or probabilities of the wrong kind, no labelled unit, options out of range.

    Notes
    -----
    The standard error has two parts, added in squares: which unit becomes the anchor (a bootstrap over units, whose
    rank statistics are drawn from their exact law instead of resampling), and how far the probabilities of the
    ``max(20, share of the class)`` units nearest to the anchor's end are from the labels that these units have,
    with the sampling error of those labels. The second part sees a model that is over-confident at the anchors. No
    part sees that a class has no anchor at all: then T is too noisy by the overlap, see
    `labelnoise.core.identifiability.identifiability`.

    References
    ----------
    Patrini, Rozza, Menon, Nock, Qu (2017), Making deep neural networks robust to label noise, CVPR, eq. 12-13, with
    its 97 % quantile against outliers; Bae, Shin, Na, Moon (2024), RENT, ICLR, for ``"top"``.

    Examples
    --------
    >>> probs = np.array([[0.8, 0.2], [0.7, 0.3], [0.5, 0.5], [0.4, 0.6], [0.3, 0.7]])
    >>> transition_by_anchors([0, 0, 1, 0, 1], probs).matrix
    array([[0.8, 0.2],
           [0.3, 0.7]])
    """
    units = _checked(labels, probs, rule, share, n_bootstrap)
    anchors = _Anchors(units, rule, share)
    rng = generator(seed, "anchors", rule)
    spread = _standard_deviation(lambda: anchors.draw(rng), n_bootstrap)
    return _estimate(units, anchors.rows(), np.hypot(spread, anchors.distrust()), f"anchors ({rule})")


def transition_by_dual(
    labels: ArrayLike,
    probs: ArrayLike,
    *,
    rule: Rule = "max",
    share: float = 0.03,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> TransitionEstimate:
    """Estimate T in two easier steps, through the class that a model predicts.

    Parameters
    ----------
    labels, probs, rule, share, n_bootstrap, seed :
        See `transition_by_anchors`.

    Returns
    -------
    TransitionEstimate
        ``T = A B``: ``A[i, l]`` is the probability of class l at the anchor of class i, ``B[l, j]`` the share of
        given label j among the units whose most probable class is l.

    Raises
    ------
    InputError
        As `transition_by_anchors`.

    Notes
    -----
    B is counted, so only A has the error of a model's probabilities. A stands for ``P(predicted l | true i)`` and
    should be near the identity, which it is if the model is over-confident at the anchors, as networks are; with
    calibrated probabilities A is nearly T and the answer nearly T twice, too noisy. The standard error therefore
    has, beside a bootstrap over units (B's counts, A's anchors), the change of T if A were counted from the classes
    predicted near the anchors instead. A predicted class without a unit passes labels on unchanged, with its share
    as the error.

    References
    ----------
    Yao, Liu, Han, Gong, Deng, Niu, Sugiyama (2020), Dual T: reducing estimation error for transition matrix in
    label-noise learning, NeurIPS, eq. 4-6.

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.1, 0.9]])
    >>> transition_by_dual([0, 0, 1, 0, 1], probs).matrix.round(3)
    array([[0.65 , 0.35 ],
           [0.517, 0.483]])
    """
    units = _checked(labels, probs, rule, share, n_bootstrap)
    k = units.n_classes
    anchors = _Anchors(units, rule, share)
    rng = generator(seed, "dual", rule)
    cells = np.bincount(units.probs.argmax(axis=1) * k + units.ids, minlength=k * k)
    law = cells / cells.sum()

    def draw() -> Floats:
        return anchors.draw(rng) @ _shares_of(rng.multinomial(cells.sum(), law).reshape(k, k))

    first, second = anchors.rows(), _shares_of(cells.reshape(k, k))
    spread = _standard_deviation(draw, n_bootstrap)
    unpredicted = cells.reshape(k, k).sum(axis=1) == 0
    unknown = np.where(unpredicted, first, 0.0).sum(axis=1, keepdims=True)
    carried = (first - anchors.predicted()) @ second
    error = np.sqrt(spread**2 + carried**2 + unknown**2)
    return _estimate(units, first @ second, error, f"dual-T ({rule})")


def prior_from_given(transition: ArrayLike, given_shares: ArrayLike, *, steps: int = 2000) -> Floats:
    """P(true = i) under which T explains best how often each class is given.

    Parameters
    ----------
    transition : array_like, shape (K, K)
        T, row-stochastic; it may be singular.
    given_shares : array_like, shape (K,)
        Counts or shares of the given classes, not all 0.
    steps : int
        Of expectation-maximisation at most; it stops earlier when nothing moves.

    Returns
    -------
    ndarray of float64, shape (K,)
        The maximum of the likelihood; never negative, unlike the inverse of T applied to the shares.

    Raises
    ------
    InputError
        Shares that are negative, all 0 or not one per class.

    Examples
    --------
    >>> prior_from_given([[0.9, 0.1], [0.3, 0.7]], [0.6, 0.4]).round(4)
    array([0.5, 0.5])
    """
    matrix = as_transition(transition)
    shares = np.asarray(given_shares, dtype=np.float64)
    if (
        shares.shape != (len(matrix),)
        or not np.isfinite(shares).all()
        or shares.min() < 0
        or shares.sum() <= 0
    ):
        raise InputError(f"given_shares must hold {len(matrix)} counts or shares >= 0 that are not all zero.")
    shares = shares / shares.sum()
    prior = np.full(len(matrix), 1 / len(matrix))
    for _ in range(steps):
        implied = prior @ matrix
        ratio = np.divide(shares, implied, out=np.zeros_like(shares), where=implied > 0)
        following = prior * (matrix @ ratio)
        if following.sum() <= 0:
            break
        following /= following.sum()
        moved = np.abs(following - prior).max()
        prior = following
        if moved < 1e-12:
            break
    return prior


class _Units(NamedTuple):
    ids: NDArray[np.int64]
    probs: Floats
    counts: NDArray[np.int64]

    @property
    def n_classes(self) -> int:
        return len(self.counts)


def _checked(labels: ArrayLike, probs: ArrayLike, rule: str, share: float, n_bootstrap: int) -> _Units:
    ids, p = check_units(labels, probs)
    choose(rule, ("max", "quantile", "top"), "anchor rule")
    if not 0 <= share <= 0.5:
        raise InputError(f"share is {share}; the part of units above the anchor lies from 0 to 0.5.")
    if n_bootstrap < 2:
        raise InputError(f"n_bootstrap is {n_bootstrap}; at least 2 are needed for a standard error.")
    has = ids >= 0
    if not has.any() or p.shape[1] < 2:
        raise InputError(
            "No labelled unit, or fewer than two classes; T needs labels of at least two classes."
        )
    if not has.all():
        ids, p = ids[has], p[has]
    known = ids.astype(np.int64)
    return _Units(known, p.astype(np.float64, copy=False), np.bincount(known, minlength=p.shape[1]))


class _Anchors:
    """The unit at a rank of each class's probability, in the data and in resampled data."""

    def __init__(self, units: _Units, rule: Rule, share: float) -> None:
        self.units, self.rule = units, rule
        self.share = 0.0 if rule == "max" else share
        self.sizes = units.counts if rule == "top" else np.full(units.n_classes, len(units.ids))
        self.present = np.flatnonzero(units.counts)
        self.ranks = [self._rank(int(size)) for size in self.sizes]
        self.orders: dict[int, NDArray[np.intp]] = {}
        self._found: dict[tuple[int, int], Floats] = {}
        for i in self.present:
            members = np.flatnonzero(units.ids == i) if rule == "top" else np.arange(len(units.ids))
            # Ranks beyond this have no chance of becoming the anchor's in any resample.
            reach = int(self.ranks[i] + 12 * np.sqrt(self.ranks[i] + 1) + 60)
            column = units.probs[members, i]
            if reach < len(members):
                least = np.partition(column, len(members) - reach)[len(members) - reach]
                members = members[column >= least]
            self.orders[int(i)] = members[np.argsort(-units.probs[members, i], kind="stable")]

    def _rank(self, size: int) -> int:
        return min(int(self.share * size), max(size - 1, 0))

    def _row(self, i: int, position: int) -> Floats:
        """Normalised probabilities at a position of class i's order; the mean of all units that tie with it."""
        key = (i, min(position, len(self.orders[i]) - 1))
        if key not in self._found:
            order = self.orders[i]
            column = self.units.probs[order, i]
            row = self.units.probs[order[column == column[key[1]]]].mean(axis=0)
            row = row / row.sum()
            if len(self._found) * len(row) > _CACHED_ENTRIES:
                return row
            self._found[key] = row
        return self._found[key]

    def rows(self) -> Floats:
        result = np.eye(self.units.n_classes)
        for i in self.present:
            result[i] = self._row(int(i), self.ranks[i])
        return result

    def draw(self, rng: np.random.Generator) -> Floats:
        """The rows in a sample of units with replacement.

        The r-th smallest of m positions drawn from 0..n-1 is ``floor(n B)``, ``B ~ Beta(r, m - r + 1)``.
        """
        n = len(self.units.ids)
        result = np.eye(self.units.n_classes)
        for i in self.present:
            size = int(self.sizes[i])
            drawn = max(int(rng.binomial(n, size / n)), 1)
            rank = self._rank(drawn)
            result[i] = self._row(int(i), int(size * rng.beta(rank + 1, drawn - rank)))
        return result

    def distrust(self) -> Floats:
        """How far probabilities near the anchors are from the labels found there, sampling error included."""
        error = np.full((self.units.n_classes, self.units.n_classes), np.inf)
        for i in self.present:
            near = self._near(int(i))
            found = np.bincount(self.units.ids[near], minlength=self.units.n_classes)
            smoothed = (found + 1) / (len(near) + 2)
            off = found / len(near) - self.units.probs[near].mean(axis=0)
            error[i] = np.sqrt(off**2 + smoothed * (1 - smoothed) / len(near))
        return error

    def predicted(self) -> Floats:
        """Share of units near each anchor whose most probable class is l."""
        result = np.eye(self.units.n_classes)
        for i in self.present:
            near = self._near(int(i))
            result[i] = np.bincount(self.units.probs[near].argmax(axis=1), minlength=len(result)) / len(near)
        return result

    def _near(self, i: int) -> NDArray[np.intp]:
        """The ``max(20, 3 % of class i)`` units most probable to be given i, and whatever ties with the last."""
        column = self.units.probs[:, i]
        size = min(len(column), max(_NEAR, int(_NEAR_SHARE * self.units.counts[i])))
        return np.flatnonzero(column >= np.partition(column, len(column) - size)[len(column) - size])


def _standard_deviation(draw: Callable[[], Floats], n_bootstrap: int) -> Floats:
    """Of matrices drawn one after the other, so that only two are held."""
    mean: Floats | float = 0.0
    squares: Floats | float = 0.0
    for number in range(1, n_bootstrap + 1):
        matrix = draw()
        off = matrix - mean
        mean = mean + off / number
        squares = squares + off * (matrix - mean)
    return np.sqrt(np.asarray(squares) / (n_bootstrap - 1))


def _shares_of(counts: NDArray[np.int64]) -> Floats:
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.eye(len(counts)))


def _estimate(units: _Units, matrix: Floats, error: Floats, method: str) -> TransitionEstimate:
    never = np.flatnonzero(units.counts == 0)
    matrix[never] = np.eye(units.n_classes)[never]
    error[never] = np.inf
    warnings: tuple[str, ...] = ()
    if never.size:
        warnings = (
            f"No unit is given class {', '.join(map(str, never))}; its row is the identity and says nothing.",
        )
    return TransitionEstimate(
        matrix=matrix,
        standard_error=error,
        method=method,
        n_units=len(units.ids),
        prior=prior_from_given(matrix, units.counts),
        warnings=warnings,
    )
