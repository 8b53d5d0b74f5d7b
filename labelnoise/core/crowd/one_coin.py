"""One accuracy per annotator, shrunk towards the crowd's, and the true classes, estimated together by EM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.crowd._assemble import assemble, check_em, without_votes
from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.validation import InputError, choose

__all__ = ["one_coin"]

#: Nobody is held to be always right or always wrong, so that logarithms stay finite.
LEAST = 1e-6


def one_coin(
    votes: Votes,
    *,
    strength: float = 16.0,
    class_prior: str = "uniform",
    iterations: int = 100,
    tol: float = 1e-5,
    seed: int = 0,
) -> CrowdResult:
    """Estimate one accuracy per annotator, shrunk to the crowd's mean, and each unit's class.

    Parameters
    ----------
    votes : Votes
    strength : float
        Votes that the crowd's mean accuracy counts for in each annotator's, >= 0; 0 does not shrink.
    class_prior : {"uniform", "estimated"}
        Of the true classes; estimated is the mean posterior of the units with votes.
    iterations : int
        Most EM rounds.
    tol : float
        Stop when no accuracy moves by more; 0 runs all rounds.
    seed : int
        Of the draw among tied classes.

    Returns
    -------
    CrowdResult
        ``accuracy`` is shrunk; annotators without votes get the crowd's mean. ``accuracy_error`` is the
        standard deviation of its Beta posterior.

    Raises
    ------
    InputError
        A negative strength or tolerance, fewer than one round.

    Notes
    -----
    P(vote | true) = a if they are equal, else (1 - a) / (K - 1). M-step: a = (right + strength * mean) /
    (votes + strength) with the expected number of right votes and mean = all right / all votes.

    References
    ----------
    Dawid and Skene 1979 with one parameter per annotator; the empirical-Bayes shrinkage is this project's.

    Examples
    --------
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1], [0, -1, 1], [-1, -1, -1]])
    >>> result = one_coin(votes, strength=2)
    >>> result.labels.tolist(), result.accuracy.round(2).tolist()
    ([0, 1, 0, 1, 0, -1], [0.92, 0.92, 0.52])
    """
    check_em(iterations, tol)
    choose(class_prior, ("uniform", "estimated"), "class prior")
    if not np.isfinite(strength) or strength < 0:
        raise InputError(f"strength is {strength}; it is a number of votes, 0 or more.")
    if not len(votes):
        return without_votes(votes, "one-coin")
    k, n_annotators = votes.n_classes, votes.n_annotators
    voted = np.flatnonzero(votes.per_unit())
    row = np.repeat(np.arange(len(voted)), votes.per_unit()[voted])
    cell = row * k + votes.label
    n_of = votes.per_annotator()
    uniform = np.full(k, 1.0 / k)

    q = votes.counts()[voted] / votes.per_unit()[voted][:, None]
    accuracy, done, converged = np.full(n_annotators, np.nan), 0, False
    while True:
        right = _add_up(votes.annotator, q.ravel()[cell], n_annotators)
        mean = right.sum() / len(votes)
        before = accuracy
        accuracy = (right + strength * mean) / np.maximum(n_of + strength, 1.0)
        accuracy = np.where(n_of > 0, accuracy, mean)
        converged = done > 0 and tol > 0 and bool(np.abs(accuracy - before).max() <= tol)
        if converged or done == iterations:
            break
        prior = q.mean(axis=0) if class_prior == "estimated" else uniform
        kept = np.clip(accuracy, LEAST, 1.0 - LEAST)
        # Relative to a wrong vote, which says the same of every class but the one named.
        gain = np.log(kept) - np.log1p(-kept) + np.log(max(k - 1, 1))
        q = _add_up(cell, gain[votes.annotator], q.size).reshape(q.shape) + np.log(np.maximum(prior, LEAST))
        q -= q.max(axis=1, keepdims=True)
        np.exp(q, out=q)
        q /= q.sum(axis=1, keepdims=True)
        done += 1

    prior = q.mean(axis=0) if class_prior == "estimated" else uniform
    posterior = np.tile(prior, (votes.n_units, 1))
    posterior[voted] = q
    total = n_of + strength
    # + 1 for a flat Beta beneath the shrinkage, so that strength 0 leaves no error of 0 after lucky votes.
    a, b = accuracy * total + 1.0, (1.0 - accuracy) * total + 1.0
    error = np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1.0)))
    return assemble(
        votes,
        "one-coin",
        posterior,
        prior,
        right,
        seed,
        accuracy=accuracy,
        accuracy_error=np.where(n_of > 0, error, np.inf),
        iterations=done,
        converged=converged,
    )


def _add_up(ids: NDArray[np.int64], weights: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Sum of the weights of each id, (n,)."""
    return np.asarray(np.bincount(ids, weights=weights, minlength=n), dtype=np.float64)
