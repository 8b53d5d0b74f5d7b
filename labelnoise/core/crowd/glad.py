"""GLAD: the ability of each annotator times the ease of each unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.validation import InputError

__all__ = ["glad"]

Array = NDArray[np.float64]

#: Far beyond what the priors allow, near enough for exp to stay finite during a line search.
_ABILITY_BOUND, _LOG_EASE_BOUND = 50.0, 8.0


def glad(
    votes: Votes,
    *,
    prior: ArrayLike | None = None,
    ability_mean: float = 1.0,
    ability_scale: float = 1.0,
    log_ease_mean: float = 1.0,
    log_ease_scale: float = 1.0,
    max_iter: int = 100,
    tol: float = 1e-4,
    inner_iter: int = 25,
) -> CrowdResult:
    """Labels by EM where a vote of w on unit i is right with probability ``sigmoid(ability_w * ease_i)``.

    A wrong vote falls on any other class alike. Ease is positive, ``exp(b_i)``; a unit of ease 0 is a coin toss
    for everybody, and an annotator of negative ability is wrong more often than right.

    Parameters
    ----------
    votes : Votes
    prior : array_like of shape (K,), optional
        Class shares; uniform by default.
    ability_mean, ability_scale : float
        Normal prior of the ability. With one annotator, or one vote per unit, it is all there is.
    log_ease_mean, log_ease_scale : float
        Normal prior of ``b_i``, the logarithm of the ease.
    max_iter : int
    tol : float
        Stops once no posterior moves by more.
    inner_iter : int
        Steps of L-BFGS in each M-step.

    Returns
    -------
    CrowdResult
        ``difficulty`` is ``1 / ease``; the prior's for units without votes. ``accuracy`` averages over the units
        that the annotator saw; its error comes from the likelihood of the ability less what is unknown of the
        labels, with the eases held. Point estimates of the eases leave accuracies too far from a half (by .04 in
        simulation with eight votes per unit, about three of these errors), which the error does not show.

    Raises
    ------
    InputError
        A prior of the wrong length, negative or not summing to 1; scales that are not positive.

    Notes
    -----
    Whitehill, Wu, Bergsma, Movellan & Ruvolo (2009), NeurIPS, eq. 1, with errors spread evenly over several
    classes. Nothing is drawn at random. Cost per step: O(votes + units * classes).

    Examples
    --------
    >>> from labelnoise.core.crowd import Votes
    >>> result = glad(Votes.from_matrix([[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0]]))
    >>> result.labels.tolist(), result.difficulty.round(2).tolist()
    ([0, 0, 1, 1], [0.26, 0.4, 0.26, 0.4])
    """
    for name, value in (("ability_scale", ability_scale), ("log_ease_scale", log_ease_scale)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; a standard deviation above 0 is needed.")
    for name, value in (("ability_mean", ability_mean), ("log_ease_mean", log_ease_mean)):
        if not np.isfinite(value):
            raise InputError(f"{name} is {value}; a finite number is needed.")
    for name, count in (("max_iter", max_iter), ("inner_iter", inner_iter)):
        if count < 1:
            raise InputError(f"{name} is {count}; at least one step is needed.")
    n, a = votes.n_units, votes.n_annotators
    shares = _shares(prior, votes.n_classes)
    means = np.concatenate([np.full(a, ability_mean), np.full(n, log_ease_mean)]).astype(np.float64)
    precision = np.concatenate([np.full(a, ability_scale**-2.0), np.full(n, log_ease_scale**-2.0)])
    state = means.copy()
    posterior = _expect(votes, shares, state)
    moved, rounds = (np.inf, 0) if len(votes) else (0.0, 0)
    while rounds < max_iter and moved > tol:
        rounds += 1
        state = _maximise(votes, posterior, state, means, precision, inner_iter)
        before, posterior = posterior, _expect(votes, shares, state)
        moved = float(np.abs(posterior - before).max())
    voted = votes.per_unit() > 0
    labels = np.full(n, -1, dtype=np.int64)
    if len(votes):
        labels[voted] = posterior[voted].argmax(1)
    posterior[~voted] = shares
    accuracy, error = _accuracy(votes, posterior, state, ability_scale)
    converged = moved <= tol
    slow = f"After {rounds} rounds a posterior still moved by {moved:.2g}; raise max_iter to go on."
    return CrowdResult(
        method="glad",
        posterior=posterior,
        labels=labels,
        accuracy=accuracy,
        accuracy_error=error,
        prior=shares,
        difficulty=np.exp(-state[a:]),
        iterations=rounds,
        converged=converged,
        warnings=() if converged else (slow,),
    )


def _shares(prior: ArrayLike | None, k: int) -> Array:
    if prior is None:
        return np.full(k, 1 / max(k, 1))
    shares = np.asarray(prior, dtype=np.float64)
    if shares.shape != (k,) or not np.isfinite(shares).all() or (shares < 0).any():
        raise InputError(f"prior has shape {shares.shape}; {k} shares from 0 to 1 are needed, one per class.")
    if abs(shares.sum() - 1) > 1e-6:
        raise InputError(f"prior sums to {shares.sum():.4g}; the shares of the classes sum to 1.")
    return shares


def _logits(votes: Votes, state: Array) -> tuple[Array, Array]:
    """Of each vote: ability times ease, and the ease."""
    ease = np.exp(state[votes.n_annotators :])[votes.unit]
    return state[: votes.n_annotators][votes.annotator] * ease, ease


def _expect(votes: Votes, shares: Array, state: Array) -> Array:
    n, k = votes.n_units, votes.n_classes
    if not n or not k:
        return np.zeros((n, k))
    x, _ = _logits(votes, state)
    # A wrong vote counts the same for every class but its own, so only what its own gains matters.
    gain = x + np.log(max(k - 1, 1))
    cells = np.bincount(votes.unit * k + votes.label, gain, minlength=n * k).reshape(n, k)
    log_joint = cells + np.log(np.maximum(shares, 1e-300))
    return np.asarray(np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True)))


def _maximise(
    votes: Votes, posterior: Array, state: Array, means: Array, precision: Array, steps: int
) -> Array:
    n, a = votes.n_units, votes.n_annotators
    right = posterior[votes.unit, votes.label]

    def loss(at: Array) -> tuple[float, Array]:
        x, ease = _logits(votes, at)
        pull = precision * (at - means)
        value = -(right @ log_expit(x) + (1 - right) @ log_expit(-x)) + 0.5 * pull @ (at - means)
        slope = (expit(x) - right) * ease
        of_ability = np.bincount(votes.annotator, slope, minlength=a)
        of_ease = np.bincount(votes.unit, slope * at[votes.annotator], minlength=n)
        return float(value), np.concatenate([of_ability, of_ease]) + pull

    limits = np.concatenate([np.full(a, _ABILITY_BOUND), np.full(n, _LOG_EASE_BOUND)])
    found = minimize(
        loss,
        state,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([-limits, limits], axis=1),
        options={"maxiter": steps},
    )
    return np.asarray(found.x, dtype=np.float64)


def _accuracy(votes: Votes, posterior: Array, state: Array, ability_scale: float) -> tuple[Array, Array]:
    a, n = votes.n_annotators, votes.per_annotator().astype(np.float64)
    accuracy, error = np.full(a, 0.5), np.full(a, np.inf)
    voting = n > 0
    if voting.any():
        x, ease = _logits(votes, state)
        chance, right = expit(x), posterior[votes.unit, votes.label]

        def total(values: Array) -> Array:
            return np.bincount(votes.annotator, values, minlength=a)[voting].astype(np.float64)

        accuracy[:] = chance.mean()
        accuracy[voting] = total(chance) / n[voting]
        spread = chance * (1 - chance)
        # Louis (1982): what is not known of the labels is missing from the curvature.
        known = np.maximum(total(ease**2 * (spread - right * (1 - right))), 0) + ability_scale**-2.0
        error[voting] = total(ease * spread) / n[voting] / np.sqrt(known)
    return accuracy, error
