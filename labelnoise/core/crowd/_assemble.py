"""What every crowd method shares: labels with fair ties, warnings, and one way to assemble the result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

__all__ = ["assemble", "check_em", "pick_labels", "vote_warnings", "without_votes"]

FEW_VOTES = 5
#: Posteriors this close to the largest one are tied: sums in another order differ by less.
TIE = 1e-9

Floats = NDArray[np.float64]


def pick_labels(posterior: Floats, seed: int) -> NDArray[np.int64]:
    """The most probable class of each row, ties broken by a draw (the lowest id would favour class 0)."""
    n, k = posterior.shape
    if n == 0 or k == 0:
        return np.full(n, -1, dtype=np.int64)
    tied = posterior >= posterior.max(axis=1, keepdims=True) - TIE
    rank = np.floor(generator(seed, "crowd", "ties").random(n) * tied.sum(axis=1)).astype(np.int64)
    return (tied.cumsum(axis=1) > rank[:, None]).argmax(axis=1)


def vote_warnings(votes: Votes) -> tuple[str, ...]:
    """Sentences on what these votes cannot tell about their annotators."""
    if not len(votes):
        return ("There are no votes; every label is -1 and every posterior is the prior.",)
    found = []
    cast = votes.per_annotator()
    active = int((cast > 0).sum())
    few = int(((cast > 0) & (cast < FEW_VOTES)).sum())
    if few * 4 >= active:
        found.append(
            f"{few} of {active} annotators have fewer than {FEW_VOTES} votes; what is said of them is mostly "
            "the prior. Collect more votes from them, or use a method that shrinks (one-coin)."
        )
    if votes.per_unit().max() < 2:
        found.append(
            "No unit has two votes, so no annotator can be checked against another; accuracies are not estimated "
            "from agreement. Let some units be labelled twice."
        )
    elif (groups := _groups(votes)) > 1:
        found.append(
            f"The annotators fall into {groups} groups that share no unit; abilities are not comparable between "
            "groups. Let somebody of each group label units of another."
        )
    return tuple(found)


def _groups(votes: Votes) -> int:
    """Connected components of annotators and units, of those that have votes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = votes.n_annotators + votes.n_units
    links = coo_array(
        (np.ones(len(votes), dtype=np.int8), (votes.annotator, votes.unit + votes.n_annotators)),
        shape=(size, size),
    )
    of = connected_components(links.tocsr(), directed=False)[1]
    return len(np.unique(of[np.unique(votes.annotator)]))


def check_em(iterations: int, tol: float) -> None:
    """Raise unless an iterative method can run with these settings."""
    if int(iterations) != iterations or iterations < 1:
        raise InputError(f"iterations is {iterations}; at least one whole round is needed.")
    if not np.isfinite(tol) or tol < 0:
        raise InputError(f"tol is {tol}; it is 0 (run all rounds) or more.")


def without_votes(votes: Votes, method: str, **extra: Any) -> CrowdResult:
    """The answer when nobody said anything: uniform prior, no label, abilities at chance, errors infinite."""
    k = votes.n_classes
    prior = np.full(k, 1.0 / max(k, 1))
    return CrowdResult(
        method=method,
        posterior=np.tile(prior, (votes.n_units, 1)),
        labels=np.full(votes.n_units, -1, dtype=np.int64),
        accuracy=np.full(votes.n_annotators, 1.0 / max(k, 1)),
        accuracy_error=np.full(votes.n_annotators, np.inf),
        prior=prior,
        warnings=vote_warnings(votes),
        **extra,
    )


def assemble(
    votes: Votes, method: str, posterior: Floats, prior: Floats, right: Floats, seed: int, **extra: Any
) -> CrowdResult:
    """The result of a method from its posterior, (n_units, K), and the expected number of right votes, (A,).

    The standard error is that of a Beta posterior under a flat prior, so that it is never 0 after a few
    lucky votes. ``extra`` overrides and adds attributes.
    """
    n_of = votes.per_annotator()
    voted = votes.per_unit() > 0
    filled = np.where(voted[:, None], posterior, prior)
    mean = right.sum() / len(votes)
    a, b = right + 1.0, np.maximum(n_of - right, 0.0) + 1.0
    error = np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1.0)))
    attributes: dict[str, Any] = {
        "accuracy": np.where(n_of > 0, right / np.maximum(n_of, 1), mean),
        "accuracy_error": np.where(n_of > 0, error, np.inf),
        "warnings": vote_warnings(votes),
    }
    return CrowdResult(
        method=method,
        posterior=filled,
        labels=np.where(voted, pick_labels(filled, seed), -1),
        prior=prior,
        **{**attributes, **extra},
    )
