"""Individual risk under label noise: for whom a model would decide otherwise, had other labels gone wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    as_probs,
    as_transition,
    check_same_length,
)

__all__ = ["Ambiguity", "ambiguity", "draw_true_labels", "posterior_true", "regret"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Entries of uniform numbers held at a time.
_BLOCK = 1 << 21


@dataclass(frozen=True, kw_only=True, eq=False)
class Ambiguity:
    """How often models of plausible true labels disagree with these labels, per unit.

    Attributes
    ----------
    ambiguity : ndarray of float64, shape (n,)
        Share of draws, from 0 to 1, in which the model's prediction is not the drawn true label; high = do not rely
        on a prediction here. 0 for units without a label.
    instability : ndarray of float64, shape (n,)
        Share of draws whose prediction is not the most frequent one, for every unit: how much predictions hang on
        which labels are wrong.
    consensus : ndarray of int64, shape (n,)
        The most frequent prediction.
    draws : int
    """

    ambiguity: Floats
    instability: Floats
    consensus: Labels
    draws: int


def posterior_true(
    labels: ArrayLike, transition: ArrayLike | TransitionEstimate, prior: ArrayLike | None = None
) -> Floats:
    """``P(true = k | given)`` of every unit, by Bayes.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    transition : array_like of shape (K, K) or TransitionEstimate
        ``T[i, j] = P(given = j | true = i)``.
    prior : array_like of shape (K,) or (n, K), optional
        ``P(true = k)``, or ``P(true = k | x)`` of every unit (from a model that has not seen its label); by default
        the estimate's.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Rows sum to 1; the prior itself for units without a label. Where T and prior rule a given label out, all
        mass is on the given class.

    Raises
    ------
    InputError
        No prior, labels or prior that do not fit T.

    References
    ----------
    Nagaraj, Gerstgrasser, Ali, Ustun (2025), Regretful decisions under label noise, ICLR, section 3.

    Examples
    --------
    >>> posterior_true([0, 1], [[0.9, 0.1], [0.3, 0.7]], [0.8, 0.2]).round(3)
    array([[0.923, 0.077],
           [0.364, 0.636]])
    """
    matrix = as_transition(transition.matrix if isinstance(transition, TransitionEstimate) else transition)
    k = len(matrix)
    ids = as_labels(labels, n_classes=k)
    if prior is None and isinstance(transition, TransitionEstimate):
        prior = transition.prior
    if prior is None:
        raise InputError("prior is missing; give P(true = k) per class, or per unit and class.")
    shares = np.asarray(prior, dtype=np.float64)
    shares = np.asarray(
        as_probs(shares[None] if shares.ndim == 1 else shares, name="prior"), dtype=np.float64
    )
    if shares.shape[1] != k or shares.shape[0] not in (1, len(ids)):
        raise InputError(f"prior has shape {np.shape(prior)}; ({k},) or ({len(ids)}, {k}) is needed.")
    # Column -1 (appended last) is for units without a label, which any class would leave as likely.
    likelihood = np.column_stack([matrix, np.ones(k)]).T[ids]
    joint = likelihood * shares
    total = joint.sum(axis=1, keepdims=True)
    impossible = total[:, 0] <= 0
    result = joint / np.where(total > 0, total, 1.0)
    result[impossible] = np.eye(k)[ids[impossible]]
    return result


def draw_true_labels(
    labels: ArrayLike,
    transition: ArrayLike | TransitionEstimate,
    prior: ArrayLike | None = None,
    *,
    draws: int = 100,
    tolerance: float = 0.1,
    max_tries: int = 10_000,
    seed: int = 0,
) -> Labels:
    """Draw true labels that are plausible given the noisy ones.

    Parameters
    ----------
    labels, transition, prior :
        See `posterior_true`.
    draws : int
        At least 1.
    tolerance : float
        A draw is accepted if in every given class the number of changed labels is within this share of its
        expectation (or within half a label, so that there is always one); at least 0. Infinite accepts all.
    max_tries : int
        Rejected draws of a class in a row before giving up.
    seed : int

    Returns
    -------
    ndarray of int64, shape (draws, n)
        -1 for units without a label.

    Raises
    ------
    InputError
        As `posterior_true`; a class that no draw was accepted of within ``max_tries``.

    Notes
    -----
    Units are independent, so classes are accepted on their own: the same law as accepting all together, without
    throwing a good class away with a bad one.

    References
    ----------
    Nagaraj et al. (2025), ICLR, algorithm 1 (two classes, tolerance 0.1).

    Examples
    --------
    >>> drawn = draw_true_labels([0] * 50 + [1] * 50, [[0.8, 0.2], [0.2, 0.8]], [0.5, 0.5], draws=3)
    >>> (drawn != np.repeat([0, 1], 50)).reshape(3, 2, 50).sum(axis=2).tolist()
    [[10, 10], [10, 11], [10, 9]]
    """
    posterior = posterior_true(labels, transition, prior)
    ids = as_labels(labels)
    if draws < 1 or int(draws) != draws:
        raise InputError(f"draws is {draws}; a whole number of at least 1 is needed.")
    if not tolerance >= 0 or max_tries < 1:
        raise InputError(f"tolerance is {tolerance} and max_tries {max_tries}; they must be >= 0 and >= 1.")
    result = np.full((draws, len(ids)), NO_LABEL, dtype=np.int64)
    for c in range(posterior.shape[1]):
        members = np.flatnonzero(ids == c)
        if members.size:
            law = posterior[members]
            expected = float((1 - law[:, c]).sum())
            allowed = max(tolerance * expected, 0.5) + 1e-9
            rng = generator(seed, "true labels", c)
            result[:, members] = _accepted(law, c, draws, expected, allowed, max_tries, rng)
    return result


def ambiguity(
    fit: Any,
    features: Any,
    labels: ArrayLike,
    transition: ArrayLike | TransitionEstimate,
    prior: ArrayLike | None = None,
    *,
    draws: int = 100,
    tolerance: float = 0.1,
    seed: int = 0,
) -> Ambiguity:
    """Retrain on plausible true labels, and count how often each unit is predicted otherwise than drawn.

    Parameters
    ----------
    fit : scikit-learn classifier, or callable
        A classifier is cloned for every draw. A callable ``fit(features, labels)`` trains on the labelled units and
        returns a function from features to class ids.
    features : array, sparse matrix, data frame or list, n rows
    labels, transition, prior, tolerance :
        See `draw_true_labels`.
    draws : int
        Models to train.
    seed : int

    Returns
    -------
    Ambiguity

    Raises
    ------
    InputError
        As `draw_true_labels`; lengths that differ; predictions that are not one class id per unit.

    Notes
    -----
    A model that memorises its training labels agrees with any draw, and no unit is ambiguous to it: use one that
    generalises (regularised, or of few parameters). Ambiguity holds two things, the chance that the given label is
    wrong and how far the model is from following it; `Ambiguity.instability` is the second alone.

    References
    ----------
    Nagaraj et al. (2025), ICLR, section 4: 100 draws; abstaining on the most ambiguous leaves fewer regretted
    decisions.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> x = np.linspace(-2, 2, 200)[:, None]
    >>> true = (x[:, 0] > 0).astype(int)
    >>> given = np.where(np.random.default_rng(0).random(200) < 0.2, 1 - true, true)
    >>> answer = ambiguity(LogisticRegression(), x, given, [[0.8, 0.2], [0.2, 0.8]], [0.5, 0.5], draws=30)
    >>> wrong = given != true
    >>> bool(answer.ambiguity[wrong].mean() > answer.ambiguity[~wrong].mean() + 0.3)
    True
    >>> middle = np.abs(x[:, 0]) < 0.3
    >>> bool(answer.instability[middle].mean() > 10 * answer.instability[~middle].mean())
    True
    """
    ids = as_labels(labels)
    rows = _n_rows(features)
    if rows != len(ids):
        raise InputError(f"Lengths differ: features {rows}, labels {len(ids)}; give one row per unit.")
    drawn = draw_true_labels(ids, transition, prior, draws=draws, tolerance=tolerance, seed=seed)
    size = transition.matrix if isinstance(transition, TransitionEstimate) else np.asarray(transition)
    k = len(size)
    has = np.flatnonzero(ids >= 0)
    if not has.size:
        raise InputError("No unit is labelled; there is nothing to train on.")
    training = _selector(features)(has)
    missed = np.zeros(len(ids))
    votes = np.zeros((len(ids), k), dtype=np.int64)
    at = np.arange(len(ids))
    for number, predicted in _predictions(fit, features, training, drawn[:, has], k, seed):
        votes[at, predicted] += 1
        missed += predicted != drawn[number]
    consensus = votes.argmax(axis=1)
    return Ambiguity(
        ambiguity=np.where(ids >= 0, missed / draws, 0.0),
        instability=1 - votes[at, consensus] / draws,
        consensus=consensus,
        draws=draws,
    )


def regret(predictions: ArrayLike, given: ArrayLike, true: ArrayLike) -> NDArray[np.bool_]:
    """Where a model is judged wrongly: right by the given label and wrong by the true one, or the reverse.

    Parameters
    ----------
    predictions, given, true : array_like of int, shape (n,)
        Class ids, -1 for "no label".

    Returns
    -------
    ndarray of bool, shape (n,)
        ``|1[prediction != true] - 1[prediction != given]|``; False where a label is missing. For evaluation: it needs
        the truth.

    Raises
    ------
    InputError
        Lengths that differ, no class ids.

    References
    ----------
    Nagaraj et al. (2025), ICLR, definition of regret.

    Examples
    --------
    >>> regret([0, 0, 1], [0, 1, 1], [1, 1, 1]).tolist()
    [True, False, False]
    """
    f, g, y = (
        as_labels(a, name=name)
        for a, name in ((predictions, "predictions"), (given, "given"), (true, "true"))
    )
    check_same_length(predictions=f, given=g, true=y)
    return np.asarray(((f != y) != (f != g)) & (g >= 0) & (y >= 0) & (f >= 0))


def _accepted(
    law: Floats, c: int, draws: int, expected: float, allowed: float, max_tries: int, rng: np.random.Generator
) -> Labels:
    """``draws`` rows of labels drawn from ``law`` whose number of labels other than c is near its expectation."""
    n = len(law)
    edges = np.cumsum(law, axis=1)[:, :-1].T
    result = np.empty((draws, n), dtype=np.int64)
    filled, rejected = 0, 0
    while filled < draws:
        batch = max(1, min(2 * (draws - filled), _BLOCK // max(n, 1)))
        uniform = rng.random((batch, n))
        labels = np.zeros((batch, n), dtype=np.int64)
        for edge in edges:
            labels += uniform >= edge
        good = np.flatnonzero(np.abs((labels != c).sum(axis=1) - expected) <= allowed)[: draws - filled]
        result[filled : filled + len(good)] = labels[good]
        filled += len(good)
        rejected = 0 if len(good) else rejected + batch
        if rejected >= max_tries and filled < draws:
            raise InputError(
                f"No draw of class {c} came within {allowed:.3g} of {expected:.3g} wrong labels in {rejected} tries; "
                "raise tolerance or max_tries."
            )
    return result


def _predictions(
    fit: Any, features: Any, training: Any, drawn: Labels, k: int, seed: int
) -> Iterator[tuple[int, Labels]]:
    """The predictions for all units of a model trained on each draw."""
    n = _n_rows(features)
    for number in track(range(len(drawn)), "models of plausible labels", total=len(drawn)):
        labels = drawn[number]
        if labels.min() == labels.max():
            yield number, np.full(n, labels[0])  # one class only: nothing to fit
            continue
        yield number, _checked_ids(_predict(fit, features, training, labels, seed, number), n, k)


def _predict(fit: Any, features: Any, training: Any, labels: Labels, seed: int, number: int) -> Any:
    if hasattr(fit, "fit") and not isinstance(fit, type):
        model = _seeded(fit, int(generator(seed, "model", number).integers(2**31)))
        return model.fit(training, labels).predict(features)
    if not isinstance(fit, Callable):  # type: ignore[arg-type]
        raise InputError(f"fit is {type(fit).__name__}; a scikit-learn classifier or a callable is needed.")
    trained = fit(training, labels)
    if not isinstance(trained, Callable):  # type: ignore[arg-type]
        raise InputError(
            f"fit(features, labels) returned {type(trained).__name__}; a function from features to class ids is needed."
        )
    return trained(features)


def _checked_ids(answer: Any, n: int, k: int) -> Labels:
    ids = as_labels(np.asarray(answer), n_classes=k, name="predictions")
    if len(ids) != n or (ids < 0).any():
        raise InputError(
            f"{len(ids)} predictions for {n} units, or some below 0; one class id per unit is needed."
        )
    return ids


def _seeded(estimator: Any, seed: int) -> Any:
    """An unfitted copy with its unset random states set; `predict` is enough here."""
    from sklearn.base import clone

    model = clone(estimator)
    unset = {
        name: seed
        for name, value in model.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }
    return model.set_params(**unset)
