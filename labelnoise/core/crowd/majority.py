"""The most frequent vote, and when nothing better can be had even by who knows every annotator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelnoise.core.crowd._assemble import assemble, without_votes
from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.validation import InputError

__all__ = ["Certificate", "majority_is_optimal", "majority_vote"]

#: Margins are sums of a few logarithms; below this they are rounding.
ROUNDING = 1e-12


def majority_vote(votes: Votes, *, seed: int = 0) -> CrowdResult:
    """The most frequent vote of each unit, ties broken by a seeded draw.

    Parameters
    ----------
    votes : Votes
    seed : int
        Of the draw among tied classes.

    Returns
    -------
    CrowdResult
        ``posterior`` holds vote shares, which are not calibrated probabilities (one vote says 1.0).
        ``accuracy`` is the expected share of votes that agree with the shares of their units; the own vote
        counts among them, so it is optimistic, the more so the fewer votes a unit has.

    Examples
    --------
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, -1], [-1, -1, -1]])
    >>> result = majority_vote(votes)
    >>> result.labels.tolist(), result.posterior.round(2).tolist()
    ([0, 1, -1], [[0.67, 0.33], [0.0, 1.0], [0.33, 0.67]])
    """
    if not len(votes):
        return without_votes(votes, "majority")
    shares = votes.counts() / np.maximum(votes.per_unit(), 1)[:, None]
    prior = shares.sum(axis=0) / np.count_nonzero(votes.per_unit())
    right = np.asarray(
        np.bincount(votes.annotator, weights=shares[votes.unit, votes.label], minlength=votes.n_annotators),
        dtype=np.float64,
    )
    return assemble(votes, "majority", shares, prior, right, seed)


@dataclass(frozen=True)
class Certificate:
    """Whether the majority is as good as the best possible rule.

    Attributes
    ----------
    optimal : bool
    margin : float
        In nats: the least log posterior odds, over all vote patterns, with which the best possible rule sides
        with the majority; negative if it overrules one, which it does by that much at most.
    condition : str
        What was checked, with the numbers.
    """

    optimal: bool
    margin: float
    condition: str


def majority_is_optimal(
    *,
    reliability: ArrayLike,
    specificity: ArrayLike | None = None,
    prior: float = 0.5,
    n_votes: int | None = None,
) -> Certificate:
    """Say whether the majority of two-class votes equals the rule of an oracle that knows all annotators.

    Parameters
    ----------
    reliability : float or array_like of shape (n_votes,)
        P(vote right), inside (0, 1); with ``specificity`` it is P(vote 1 | true 1) alone. A number is shared
        by all annotators.
    specificity : float or array_like of shape (n_votes,), optional
        P(vote 0 | true 0) if it differs from the reliability.
    prior : float
        P(true = 1), inside (0, 1).
    n_votes : int, optional
        Votes per unit, odd; taken from an array if one is given.

    Returns
    -------
    Certificate
        The condition is necessary and sufficient, also for annotators who differ.

    Raises
    ------
    InputError
        Rates outside (0, 1), an even number of votes (its ties have no majority), lengths that differ.

    Notes
    -----
    With A = log(sens / (1 - spec)) for a vote 1 and -B = log((1 - sens) / spec) for a vote 0 the log odds are
    log(prior odds) - sum B + sum of (A + B) over those who say 1. The majority is safest to be overruled
    where the smallest majority has the smallest weights A + B (and everybody of negative weight is on its
    side), so two patterns decide for all 2^n.

    References
    ----------
    Purificato et al. 2025, "The Majority Vote Paradigm Shift" (conditions for equal annotators; the one for
    annotators who differ is derived here and checked exhaustively).

    Examples
    --------
    >>> majority_is_optimal(reliability=0.7, prior=0.6, n_votes=3).optimal
    True
    >>> majority_is_optimal(reliability=[0.95, 0.6, 0.6]).optimal  # the expert outweighs the two others
    False
    """
    sens = np.atleast_1d(np.asarray(reliability, dtype=np.float64))
    two_coin = specificity is not None
    spec = sens if specificity is None else np.atleast_1d(np.asarray(specificity, dtype=np.float64))
    lengths = {array.shape[0] for array in (sens, spec) if np.ndim(array) == 1 and array.shape[0] != 1}
    if sens.ndim != 1 or spec.ndim != 1 or len(lengths) > 1:
        raise InputError(
            f"reliability and specificity have shapes {sens.shape} and {spec.shape}; pass one number, or one per vote."
        )
    if n_votes is None:
        n_votes = lengths.pop() if lengths else max(sens.size, spec.size)
        if np.ndim(reliability) == 0 and (specificity is None or np.ndim(specificity) == 0):
            raise InputError(
                "n_votes is missing; say how many votes a unit has (odd), or pass one rate per vote."
            )
    elif lengths and lengths != {n_votes}:
        raise InputError(f"n_votes is {n_votes} but {lengths.pop()} rates are given; they must be as many.")
    if int(n_votes) != n_votes or n_votes < 1 or n_votes % 2 == 0:
        raise InputError(
            f"n_votes is {n_votes}; an odd number is needed, for an even one may have no majority."
        )
    for name, values in (("reliability", sens), ("specificity", spec), ("prior", np.asarray(prior))):
        if not ((values > 0) & (values < 1)).all():
            raise InputError(f"{name} is {values.tolist()}; it must lie strictly between 0 and 1.")
    same = sens.size == 1 and spec.size == 1
    sens, spec = np.broadcast_to(sens, (n_votes,)), np.broadcast_to(spec, (n_votes,))
    odds = float(np.log(prior) - np.log1p(-prior))
    no = np.log(spec) - np.log1p(-sens)
    weight = np.sort(np.log(sens) - np.log1p(-spec) + no)
    least = (n_votes + 1) // 2
    negative = int((weight < 0).sum())
    start = odds - float(no.sum())
    # All who outvote with 1 while it is least credible, and all who say 1 in vain while it is most credible.
    yes = start + float(weight[: max(least, negative)].sum())
    vain = start + float(weight[max(n_votes - least + 1, negative) :].sum())
    margin = min(yes, -vain)
    kind = ("equal" if same else "different") + (" two-coin" if two_coin else " one-coin")
    return Certificate(
        optimal=margin >= -ROUNDING,
        margin=margin,
        condition=(
            f"{n_votes} {kind} annotators, log prior odds {odds:.3g}: the weakest majority for 1 has log odds "
            f"{yes:.3g} (needed: >= 0), the weakest for 0 has {vain:.3g} (needed: <= 0)."
        ),
    )
