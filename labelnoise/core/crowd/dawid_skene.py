"""One confusion matrix per annotator and the true classes, estimated together by EM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.crowd._assemble import assemble, check_em, without_votes
from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.validation import InputError

__all__ = ["dawid_skene"]

#: Expected counts and priors are kept above this, as in crowd-kit, so that logarithms stay finite.
LEAST = 1e-10

Floats = NDArray[np.float64]


def dawid_skene(
    votes: Votes,
    *,
    smoothing: tuple[float, float] = (2.0, 0.5),
    iterations: int = 100,
    tol: float = 1e-5,
    seed: int = 0,
) -> CrowdResult:
    """Estimate each annotator's transition matrix and each unit's class, by EM from the vote shares.

    Parameters
    ----------
    votes : Votes
    smoothing : (float, float)
        Votes added to each row of every annotator's matrix, >= 0: on the diagonal, and spread evenly over
        the rest of the row (so that the prior accuracy does not fall with the number of classes). They are
        the Dirichlet prior of the rows; ``(0, 0)`` is maximum likelihood. The larger the rest, the easier the
        classes of annotators with few votes collapse into one.
    iterations : int
        Most EM rounds.
    tol : float
        Stop when a round raises the penalised log-likelihood per vote by less; 0 runs all rounds.
    seed : int
        Of the draw among tied classes.

    Returns
    -------
    CrowdResult
        ``transitions[a, i, j] = P(a says j | true = i)``, (A, K, K), which is also the memory it takes;
        that of an annotator without votes is the mean of the crowd. ``accuracy`` is the expected share of
        right votes.

    Raises
    ------
    InputError
        Negative smoothing or tolerance, fewer than one round.

    References
    ----------
    Dawid and Skene 1979, equations 2.3 to 2.5.

    Examples
    --------
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 1]])
    >>> result = dawid_skene(votes)
    >>> result.labels.tolist(), result.accuracy.round(2).tolist()
    ([0, 1, 0, 1, 0, 1], [0.99, 0.99, 0.51])
    """
    check_em(iterations, tol)
    diagonal, rest = smoothing
    if not (np.isfinite([diagonal, rest]).all() and diagonal >= 0 and rest >= 0):
        raise InputError(f"smoothing is {smoothing}; two numbers of added votes, 0 or more, are needed.")
    k, n_annotators = votes.n_classes, votes.n_annotators
    if not len(votes):
        chance = np.full((n_annotators, k, k), 1.0 / max(k, 1))
        return without_votes(votes, "dawid-skene", transitions=chance)
    from scipy.sparse import csr_array

    voted = np.flatnonzero(votes.per_unit())
    starts = np.concatenate([[0], np.cumsum(votes.per_unit()[voted])])
    cell = votes.annotator * k + votes.label
    # Row = unit with votes, column = (annotator, label): both steps are one product with a dense (., K).
    said = csr_array((np.ones(len(votes)), cell, starts), shape=(len(voted), n_annotators * k))
    heard = said.T.tocsr()
    used = np.bincount(cell, minlength=n_annotators * k).reshape(n_annotators, k, 1) > 0
    off = rest / max(k - 1, 1)
    added = off + (diagonal - off) * np.eye(k)
    # Labels that an annotator never uses have probability 0, unless smoothing says otherwise.
    possible = used | (added > 0)

    q = votes.counts()[voted] / votes.per_unit()[voted][:, None]
    objective, done, converged = -np.inf, 0, False
    while not converged and done < iterations:
        confusions = _maximise(heard, q, added, possible)
        logs = np.log(confusions, out=np.zeros_like(confusions), where=possible)
        prior = np.maximum(q.mean(axis=0), LEAST)
        q = said @ logs.reshape(-1, k)
        q += np.log(prior)
        top = q.max(axis=1, keepdims=True)
        q -= top
        np.exp(q, out=q)
        total = q.sum(axis=1, keepdims=True)
        q /= total
        done += 1
        if tol > 0:
            now = float(top.sum() + np.log(total).sum() + (added * logs).sum())
            converged = now - objective < tol * len(votes)
            objective = now

    confusions = _maximise(heard, q, added, possible)
    expected = (heard @ q).reshape(n_annotators, k, k)
    silent = votes.per_annotator() == 0
    if silent.any():
        pooled = np.maximum(expected.sum(axis=0), LEAST)
        confusions[silent] = pooled / pooled.sum(axis=0)
    prior = q.mean(axis=0)
    posterior = np.tile(prior, (votes.n_units, 1))
    posterior[voted] = q
    return assemble(
        votes,
        "dawid-skene",
        posterior,
        prior,
        np.einsum("akk->a", expected),
        seed,
        transitions=np.ascontiguousarray(confusions.transpose(0, 2, 1)),
        iterations=done,
        converged=converged,
    )


def _maximise(heard: Any, q: Floats, added: Floats, possible: NDArray[np.bool_]) -> Floats:
    """P(annotator says j | true = i) as (A, j, i); all 0 where nothing is known of the annotator."""
    counts = np.asarray(heard @ q).reshape(possible.shape) + added
    np.maximum(counts, LEAST, out=counts)
    counts *= possible
    sums = counts.sum(axis=1, keepdims=True)
    counts /= np.where(sums > 0, sums, 1.0)
    return counts
