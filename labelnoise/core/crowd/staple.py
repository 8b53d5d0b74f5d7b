"""STAPLE: each annotator's performance and the truth by EM, at the cost of the distinct patterns of votes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.validation import InputError

__all__ = ["staple"]

Array = NDArray[np.float64]
_TINY = 1e-300


#: Largest number of codes for which a whole pattern is packed into one integer.
_MOST_CODES = 1 << 62


@dataclass(frozen=True)
class _Patterns:
    """Each distinct pattern of votes once, as three arrays, with the number of units that show it."""

    pattern: NDArray[np.int64]
    annotator: NDArray[np.int64]
    label: NDArray[np.int64]
    weight: Array
    #: Of every unit; -1 without votes.
    of_unit: NDArray[np.int64]


def staple(
    votes: Votes,
    *,
    prior: ArrayLike | None = None,
    start: float = 0.99999,
    smoothing: float = 0.0,
    max_iter: int = 200,
    tol: float = 1e-7,
) -> CrowdResult:
    """STAPLE for any number of classes: one confusion matrix per annotator, a prior that is the same everywhere.

    With two classes ``transitions[:, 1, 1]`` is the sensitivity p and ``transitions[:, 0, 0]`` the specificity q.
    Every quantity depends on a unit through its pattern of votes alone, so EM runs over the distinct patterns,
    each weighted by its number of units: the cost of a round does not grow with the number of pixels.

    Parameters
    ----------
    votes : Votes
        Annotators may be missing on some units.
    prior : array_like of shape (K,), optional
        Known class shares; by default the shares of all votes, held during EM as in the source.
    start : float
        Diagonal of every matrix at the start, in (1 / K, 1).
    smoothing : float
        Pseudo-votes per row of each matrix, spread as at the start; 0 is maximum likelihood.
    max_iter : int
    tol : float
        Stops once no entry of a matrix moves by more.

    Returns
    -------
    CrowdResult
        ``accuracy`` is the expected share of right votes, its error the binomial one, which takes the labels as
        known. A class that has no mass keeps the matrix row of the start.

    Raises
    ------
    InputError
        A prior of the wrong length, not summing to 1 or negative; numbers outside their range.

    Notes
    -----
    Warfield, Zou & Wells (2004), IEEE TMI 23(7), for two classes and for many. Where almost all units are
    background, specificity tends to 1 and the result to the union of the annotators: pass only the region on
    which they disagree, with a margin.

    Examples
    --------
    >>> from labelnoise.core.crowd import Votes
    >>> result = staple(Votes.from_matrix([[0, 0, 1], [0, 0, 0], [1, 1, 0], [1, 1, 1]]))
    >>> result.labels.tolist(), result.accuracy.round(2).tolist()
    ([0, 0, 1, 1], [1.0, 1.0, 0.5])
    """
    k = votes.n_classes
    _check(k, start, smoothing, max_iter)
    shares = _prior(votes, prior)
    first = _start_matrix(k, start)
    matrices = np.tile(first, (votes.n_annotators, 1, 1))
    seen = _patterns(votes)
    rounds, moved = 0, 0.0
    posterior = _expect(seen, matrices, shares)
    if len(votes):
        moved = np.inf
        while rounds < max_iter and moved > tol:
            rounds += 1
            joint = _count(seen, posterior, votes.n_annotators) + smoothing * first
            mass = joint.sum(2, keepdims=True)
            before, matrices = matrices, np.where(mass > 0, joint / np.maximum(mass, _TINY), first)
            moved = float(np.abs(matrices - before).max())
            posterior = _expect(seen, matrices, shares)
    # The last row serves the units without votes, whose pattern is -1.
    table = np.vstack([posterior, shares])
    named = np.append(posterior.argmax(1) if k else np.zeros(0, dtype=np.int64), -1)
    accuracy, error = _accuracy(seen, posterior, votes)
    converged = moved <= tol
    slow = f"After {rounds} rounds a matrix still moved by {moved:.2g}; raise max_iter to go on."
    return CrowdResult(
        method="staple",
        posterior=table[seen.of_unit],
        labels=named[seen.of_unit],
        accuracy=accuracy,
        accuracy_error=error,
        prior=shares,
        transitions=matrices,
        iterations=rounds,
        converged=converged,
        warnings=() if converged else (slow,),
    )


def _check(k: int, start: float, smoothing: float, rounds: int) -> None:
    if k > 1 and not 1 / k < start < 1:
        raise InputError(
            f"start is {start}; it must lie between 1 / {k}, a guess, and 1, after which nothing is learnt."
        )
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise InputError(f"smoothing is {smoothing}; a number of pseudo-votes from 0 is needed.")
    if rounds < 1:
        raise InputError(f"max_iter is {rounds}; at least one round is needed.")


def _prior(votes: Votes, prior: ArrayLike | None) -> Array:
    k = votes.n_classes
    if prior is None:
        counts = np.bincount(votes.label, minlength=k).astype(np.float64)
        return counts / counts.sum() if len(votes) else np.full(k, 1 / max(k, 1))
    shares = np.asarray(prior, dtype=np.float64)
    if shares.shape != (k,) or not np.isfinite(shares).all() or (shares < 0).any():
        raise InputError(f"prior has shape {shares.shape}; {k} shares from 0 to 1 are needed, one per class.")
    if abs(shares.sum() - 1) > 1e-6:
        raise InputError(f"prior sums to {shares.sum():.4g}; the shares of the classes sum to 1.")
    return shares


def _start_matrix(k: int, start: float) -> Array:
    if k == 1:
        return np.ones((1, 1))
    return np.where(np.eye(k, dtype=bool), start, (1 - start) / max(k - 1, 1))


def _patterns(votes: Votes) -> _Patterns:
    begin = np.flatnonzero(np.diff(votes.unit, prepend=-1))
    code = _codes(votes, begin)
    _, example, inverse, weight = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    of_unit = np.full(votes.n_units, -1, dtype=np.int64)
    of_unit[votes.unit[begin]] = inverse
    # The votes of one unit per pattern stand for all of them.
    size = np.diff(np.append(begin, len(votes)))[example]
    pattern = np.repeat(np.arange(len(example)), size)
    place = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + begin[example][pattern]
    return _Patterns(pattern, votes.annotator[place], votes.label[place], weight.astype(np.float64), of_unit)


def _codes(votes: Votes, begin: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer per voted unit, the same for the same pattern."""
    if not len(votes):
        return np.zeros(0, dtype=np.int64)
    base = votes.n_classes + 1
    if base**votes.n_annotators < _MOST_CODES:
        digit = np.array([base**a for a in range(votes.n_annotators)], dtype=np.int64)
        return np.add.reduceat((votes.label + 1) * digit[votes.annotator], begin)
    # Too many patterns for one integer: vote by vote, each pair of the code so far and the next vote renumbered.
    says = votes.annotator * votes.n_classes + votes.label
    size = np.diff(np.append(begin, len(votes)))
    code = np.zeros(len(begin), dtype=np.int64)
    for place in range(int(size.max())):
        more = np.flatnonzero(size > place)
        pair = code[more] * (votes.n_annotators * votes.n_classes) + says[begin[more] + place]
        code[more] = np.unique(pair, return_inverse=True)[1]
    # A short pattern and the beginning of a longer one may share a code, hence the length.
    return np.asarray(size * len(begin) + code, dtype=np.int64)


def _expect(seen: _Patterns, matrices: Array, shares: Array) -> Array:
    """P(class) of each pattern, (patterns, K)."""
    k = len(shares)
    log_joint = np.tile(np.log(np.maximum(shares, _TINY)), (len(seen.weight), 1))
    log_vote = np.log(np.maximum(matrices, _TINY))
    for true in range(k):
        terms = log_vote[seen.annotator, true, seen.label]
        log_joint[:, true] += np.bincount(seen.pattern, terms, minlength=len(seen.weight))
    if not k:
        return log_joint
    return np.asarray(np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True)))


def _count(seen: _Patterns, posterior: Array, n_annotators: int) -> Array:
    """Expected votes by annotator, true class and label, (A, K, K)."""
    k = posterior.shape[1]
    weighted = posterior * seen.weight[:, None]
    cell = seen.annotator * k + seen.label
    joint = np.empty((n_annotators, k, k))
    for true in range(k):
        counts = np.bincount(cell, weighted[seen.pattern, true], minlength=n_annotators * k)
        joint[:, true] = counts.reshape(n_annotators, k)
    return joint


def _accuracy(seen: _Patterns, posterior: Array, votes: Votes) -> tuple[Array, Array]:
    n = votes.per_annotator().astype(np.float64)
    voting = n > 0
    accuracy, error = np.full(len(n), 0.5), np.full(len(n), np.inf)
    if voting.any():
        right = posterior[seen.pattern, seen.label] * seen.weight[seen.pattern]
        hits = np.bincount(seen.annotator, right, minlength=len(n))
        accuracy[:] = hits.sum() / n.sum()
        accuracy[voting] = np.minimum(hits[voting] / n[voting], 1)
        # Half a vote on either side, so that nobody who never erred is taken for certain.
        smooth = (hits[voting] + 0.5) / (n[voting] + 1)
        error[voting] = np.sqrt(smooth * (1 - smooth) / (n[voting] + 1))
    return accuracy, error
