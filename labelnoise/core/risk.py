"""Which units a model trained on noisy labels may be wrong about without anybody noticing.

Even where T is known exactly, the labels that happened to be wrong are not. Drawing many label sets that could be
the true one and training on each shows, unit by unit, how often the model and the plausible truth part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.crossval import _n_rows, _selector
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import (
    NO_LABEL,
    InputError,
    as_labels,
    as_rate,
    as_transition,
    check_same_length,
)

__all__ = ["Ambiguity", "Predict", "Regret", "ambiguity", "plausible_labels", "true_posterior"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Predict = Callable[[Any], ArrayLike]


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Mistakes that noise makes unforeseeable, counted where the true label is known.

    With two classes a unit is regretted if and only if its given label is wrong, whatever the model does; what the
    model adds is shown by `overlooked` and `auroc_overlooked`.

    Attributes
    ----------
    per_unit : ndarray of bool, shape (n,)
        Whether the model's being right or wrong differs between the true and the given label; False where either
        is missing.
    rate : float
        Share of such units among those with both labels.
    overlooked : float
        Share of units that the model gets wrong though it agrees with the given label, so that no check against
        given labels shows it. Part of `rate`.
    auroc : float or None
        How well ambiguity ranks regretted units above the others; None if there are none or nothing else.
    auroc_overlooked : float or None
        How well it ranks overlooked mistakes above the other units whose given label the model agrees with.
    n_units : int
        Units with both labels.
    """

    per_unit: NDArray[np.bool_]
    rate: float
    overlooked: float
    auroc: float | None
    auroc_overlooked: float | None
    n_units: int


@dataclass(frozen=True, kw_only=True)
class Ambiguity:
    """How often models and the label sets that they were trained on part, unit by unit.

    Attributes
    ----------
    ambiguity : ndarray of float64, shape (n,)
        In [0, 1], high = the model is likely wrong here for some plausible truth; 0 for units without a label.
    standard_error : ndarray of float64, shape (n,)
        Of `ambiguity` from the finite number of draws; 0 where all draws agree.
    draws : int
    flip_rate : float
        Mean share of labels that a draw changed.
    regret : Regret or None
        Only if true labels were passed.
    """

    ambiguity: Floats
    standard_error: Floats
    draws: int
    flip_rate: float
    regret: Regret | None = None


def true_posterior(transition: ArrayLike, prior: ArrayLike) -> Floats:
    """``P(true = y | given = g)`` by Bayes' rule.

    Parameters
    ----------
    transition : array_like of float, shape (K, K)
        ``T[i, j] = P(given = j | true = i)``.
    prior : array_like of float, shape (K,)
        ``P(true = i)``.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Row g is the posterior of the true label; the g-th unit vector for a label that is never given.

    Raises
    ------
    InputError
        Not a transition matrix, or not a distribution over its classes.

    Examples
    --------
    >>> true_posterior([[0.75, 0.25], [0.5, 0.5]], [0.5, 0.5]).round(3)
    array([[0.6  , 0.4  ],
           [0.333, 0.667]])
    """
    matrix = as_transition(transition)
    pi = np.asarray(prior, dtype=np.float64)
    if pi.shape != (len(matrix),) or not np.isfinite(pi).all() or pi.min() < 0 or abs(pi.sum() - 1) > 1e-6:
        raise InputError(
            f"prior has shape {pi.shape} and sums to {pi.sum():.4g}; give one probability for each of "
            f"{len(matrix)} classes, summing to 1."
        )
    joint = (matrix * pi[:, None]).T
    total = joint.sum(axis=1, keepdims=True)
    return np.where(total > 0, joint / np.where(total > 0, total, 1.0), np.eye(len(matrix)))


def plausible_labels(
    given: ArrayLike, posterior: ArrayLike, *, epsilon: float = 0.1, seed: int = 0, draw: int = 0
) -> Labels:
    """Draw one label set that could be the true one.

    Every unit's true label is drawn from its posterior. For each given class, the number of changed labels must be
    within ``epsilon`` times its expectation, or within half a label where that is more. The paper draws
    until that is so. Units of one given class are alike here, so the number of changes, given that it is close
    enough, and the units that it falls on are drawn at once, with the same distribution and no failed tries.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units keep it.
    posterior : array_like of float, shape (K, K)
        See `true_posterior`.
    epsilon : float
        In [0, 1]; 1 keeps nearly all draws.
    seed, draw : int
        Each draw has its own stream, so more draws leave the first ones as they are.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    InputError
        Labels or epsilon out of range, rows of the posterior that do not sum to 1.

    References
    ----------
    Nagaraj, Liu, Calmon, Ustun (2025), Regretful decisions under label noise, ICLR.

    Examples
    --------
    >>> posterior = true_posterior([[0.75, 0.25], [0.25, 0.75]], [0.5, 0.5])
    >>> given = [0] * 8 + [1] * 8 + [-1]
    >>> plausible_labels(given, posterior)
    array([ 0,  1,  0,  0,  0,  0,  0,  1,  1,  0,  1,  0,  1,  1,  1,  1, -1])
    """
    rows = as_transition(posterior, name="posterior")
    labels = as_labels(given, n_classes=len(rows), name="given")
    epsilon = as_rate(epsilon, name="epsilon")
    units = np.flatnonzero(labels != NO_LABEL)
    return _draw(labels, units, rows, epsilon, generator(seed, "plausible labels", draw))


def ambiguity(
    fit: Any,
    features: Any,
    given: ArrayLike,
    *,
    transition: ArrayLike | TransitionEstimate,
    prior: ArrayLike | None = None,
    draws: int = 20,
    epsilon: float = 0.1,
    seed: int = 0,
    true: ArrayLike | None = None,
) -> Ambiguity:
    """Estimate, for each unit, how likely a model trained on these labels errs on it unforeseeably.

    Parameters
    ----------
    fit : callable or scikit-learn classifier
        Either ``fit(features, labels, seed)``, which returns a function from features to class ids, or a
        classifier, which is cloned for every draw. It should not be able to memorise labels: a model that does
        agrees with every label set, and all ambiguity is 0.
    features : array, sparse matrix, data frame or list, n rows
    given : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are not trained on.
    transition : array_like of float, shape (K, K), or TransitionEstimate
        ``T[i, j] = P(given = j | true = i)``.
    prior : array_like of float, shape (K,), optional
        ``P(true = i)``; may be left out if ``transition`` is an estimate that has one.
    draws : int
        At least 2; models trained. With ``true`` one more, on the given labels.
    epsilon : float
        See `plausible_labels`.
    seed : int
    true : array_like of int, shape (n,), optional
        True labels, -1 where unknown, used only to summarise `Regret`.

    Returns
    -------
    Ambiguity

    Raises
    ------
    InputError
        Lengths that differ, no label, no prior, fewer than 2 draws, predictions of another length.

    References
    ----------
    Nagaraj, Liu, Calmon, Ustun (2025), Regretful decisions under label noise, ICLR; here for K classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> x = np.linspace(-3, 3, 300)[:, None]
    >>> true = (x[:, 0] > 0).astype(int)
    >>> given = np.where(rng.random(300) < 0.2, 1 - true, true)
    >>> T = [[0.8, 0.2], [0.2, 0.8]]
    >>> result = ambiguity(LogisticRegression(), x, given, transition=T, prior=[0.5, 0.5], true=true)
    >>> near = np.abs(x[:, 0]) < 0.2
    >>> right = given == true
    >>> [round(float(result.ambiguity[right & part].mean()), 2) for part in (near, ~near)]
    [0.36, 0.2]
    """
    labels = as_labels(given, name="given")
    n = _n_rows(features)
    if n != len(labels):
        raise InputError(f"Lengths differ: features {n}, given {len(labels)}; give one label per unit.")
    if isinstance(transition, TransitionEstimate):
        prior = transition.prior if prior is None else prior
        transition = transition.matrix
    if prior is None:
        raise InputError(
            "No prior was passed and transition holds none; pass prior, the share of each true class."
        )
    posterior = true_posterior(transition, prior)
    labels = as_labels(labels, n_classes=len(posterior), name="given")
    epsilon = as_rate(epsilon, name="epsilon")
    if draws < 2:
        raise InputError(f"draws is {draws}; at least 2 are needed to tell ambiguity from chance.")
    truth = None if true is None else as_labels(true, n_classes=len(posterior), name="true")
    check_same_length(given=labels, true=truth)
    units = np.flatnonzero(labels != NO_LABEL)
    if not len(units):
        raise InputError("given holds no label; at least one labelled unit is needed.")
    train = _trainer(fit)
    usable = _selector(features)(units) if len(units) < n else features

    parted = np.zeros(len(units), dtype=np.int64)
    changed = 0
    for draw in track(range(draws), "plausible label sets", draws):
        drawn = _draw(labels, units, posterior, epsilon, generator(seed, "plausible labels", draw))[units]
        changed += int((drawn != labels[units]).sum())
        parted += _predictions(train, usable, drawn, seed, draw) != drawn
    share = np.zeros(n)
    share[units] = parted / draws
    regret = None
    if truth is not None:
        predicted = np.full(n, NO_LABEL, dtype=np.int64)
        predicted[units] = _predictions(train, usable, labels[units], seed, "given")
        regret = _regret(predicted, labels, truth, share)
    return Ambiguity(
        ambiguity=share,
        standard_error=np.sqrt(share * (1.0 - share) / (draws - 1)),
        draws=draws,
        flip_rate=changed / (draws * len(units)),
        regret=regret,
    )


def _draw(
    labels: Labels, units: NDArray[np.intp], posterior: Floats, epsilon: float, rng: np.random.Generator
) -> Labels:
    result = labels.copy()
    for g in np.unique(labels[units]):
        members = units[labels[units] == g]
        others = np.where(np.arange(len(posterior)) == g, 0.0, posterior[g])
        flips = _accepted_count(len(members), float(others.sum()), epsilon, rng)
        if not flips:
            continue
        chosen = rng.choice(members, flips, replace=False)
        # Rounding may leave the sum a little below the uniform number; the last possible class takes the rest.
        bounds = np.cumsum(others)[: int(np.flatnonzero(others)[-1])]
        result[chosen] = np.searchsorted(bounds, rng.random(len(chosen)) * others.sum(), side="right")
    return result


def _accepted_count(n: int, flip: float, epsilon: float, rng: np.random.Generator) -> int:
    """How many of n like units change: a binomial number, given that it is close enough to its expectation."""
    from scipy.stats import binom

    flip = min(flip, 1.0)
    expected = n * flip
    allowed = max(epsilon * expected, 0.5) + 1e-9
    counts = np.arange(max(0, math.ceil(expected - allowed)), min(n, math.floor(expected + allowed)) + 1)
    weights = binom.pmf(counts, n, flip)
    return int(rng.choice(counts, p=weights / weights.sum()))


def _trainer(fit: Any) -> Callable[[Any, Labels, int], Predict]:
    """``fit`` as a function, whatever it was passed as."""
    if hasattr(fit, "fit") and not isinstance(fit, type):
        from sklearn.base import clone

        def train(features: Any, labels: Labels, seed: int) -> Predict:
            present = np.unique(labels)
            if len(present) == 1:
                # Most classifiers refuse one class only; what they should answer is clear.
                return lambda rows: np.full(_n_rows(rows), present[0])
            model = clone(fit)
            unset = {
                name: seed
                for name, value in model.get_params(deep=True).items()
                if value is None and (name == "random_state" or name.endswith("__random_state"))
            }
            predict: Predict = model.set_params(**unset).fit(features, labels).predict
            return predict

        return train
    if callable(fit) and not isinstance(fit, type):
        called: Callable[[Any, Labels, int], Predict] = fit
        return called
    raise InputError(
        f"fit is {fit.__name__ if isinstance(fit, type) else type(fit).__name__}; pass a scikit-learn classifier (an "
        "instance), or a function of features, labels and seed that returns a function from features to class ids."
    )


def _predictions(
    train: Callable[[Any, Labels, int], Predict], features: Any, labels: Labels, seed: int, purpose: int | str
) -> Labels:
    model_seed = int(generator(seed, "ambiguity model", purpose).integers(2**31))
    # The trainer gets its own copy: what it does to the labels must not change what they are compared with.
    answer = as_labels(np.asarray(train(features, labels.copy(), model_seed)(features)), name="predictions")
    if len(answer) != len(labels):
        raise InputError(
            f"fit's model predicted {len(answer)} labels for {len(labels)} units; one each is needed."
        )
    return answer


def _regret(predicted: Labels, labels: Labels, truth: Labels, share: Floats) -> Regret:
    both = (labels != NO_LABEL) & (truth != NO_LABEL)
    regretted = both & ((predicted != truth) != (predicted != labels))
    n = int(both.sum())
    agreed = both & (predicted == labels)
    overlooked = int((regretted & agreed).sum())
    return Regret(
        per_unit=regretted,
        rate=float(regretted.sum() / n) if n else 0.0,
        overlooked=overlooked / n if n else 0.0,
        auroc=_auroc(share[both], regretted[both]),
        auroc_overlooked=_auroc(share[agreed], regretted[agreed]),
        n_units=n,
    )


def _auroc(score: Floats, positive: NDArray[np.bool_]) -> float | None:
    from scipy.stats import rankdata

    hits = int(positive.sum())
    pairs = hits * (len(score) - hits)
    if not pairs:
        return None
    return float((math.fsum(rankdata(score)[positive]) - hits * (hits + 1) / 2) / pairs)
