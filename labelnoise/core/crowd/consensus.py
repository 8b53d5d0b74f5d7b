"""Consensus of few votes per unit: confusions shared by all annotators, abilities, and units that are hard for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit, logsumexp

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.validation import InputError, as_rate

__all__ = ["consensus"]

Array = NDArray[np.float64]

#: Curvature of the logistic at a typical ability: turns a number of pseudo-votes into a precision on the logit.
_PER_VOTE = 0.16
_ABILITY_RANGE = (-3.0, 5.0)
_CLASS_RANGE = (-3.0, 3.0)
#: Largest number of entries for which one transition matrix per annotator is written out.
_MOST_TRANSITIONS = 1 << 24
#: Entries that are held at a time where a table (votes, classes, grades) is summed up.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Data:
    """The voted units alone, with what every round needs."""

    votes: Votes
    unit: NDArray[np.int64]
    by_unit: csr_matrix
    counts: Array
    per_annotator: Array

    @classmethod
    def of(cls, votes: Votes, voted: NDArray[np.bool_]) -> _Data:
        unit = (np.cumsum(voted) - 1)[votes.unit]
        shape = (int(voted.sum()), votes.n_annotators)
        by_unit = csr_matrix((np.ones(len(votes)), (unit, votes.annotator)), shape=shape)
        counts = votes.counts()[voted].astype(np.float64)
        return cls(votes, unit, by_unit, counts, votes.per_annotator().astype(np.float64))


@dataclass
class _Model:
    ability: Array  # (A,)
    ease: Array  # (K,), of the true class
    offset: Array  # (2,), easy and hard
    chance: float  # logit of a guess
    confusion: Array  # (K, K), zero diagonal

    def right(self) -> Array:
        """P(vote is right), (A, K, 2)."""
        return np.asarray(expit(self.logit()[0]), dtype=np.float64)

    def logit(self) -> tuple[Array, NDArray[np.bool_]]:
        """Logit of being right, and where it moves with ability and ease.

        On a hard unit nobody falls below chance who is above it on an easy one: it makes votes guesses, not lies.
        """
        logit = self.ability[:, None, None] + self.ease[None, :, None] + self.offset
        floor = np.minimum(logit[:, :, :1], self.chance)
        free = logit >= floor
        # Below the floor, where the easy logit is the floor, it moves with that.
        moves = free | (logit[:, :, :1] <= self.chance)
        return np.where(free, logit, floor), moves


def consensus(
    votes: Votes,
    *,
    strength: float = 16.0,
    class_strength: float = 10.0,
    confusion_strength: float = 200.0,
    hard_share: float = 0.35,
    offsets: tuple[float, float] = (0.8, -2.5),
    shared_error: float = 0.03,
    max_iter: int = 40,
    tol: float = 1e-3,
) -> CrowdResult:
    """One label of few votes: shared confusions, ability per annotator, ease per class, two grades of difficulty.

    A vote of annotator w on a unit of class y is right with probability ``a = sigmoid(t_w + d_y + o_h)`` and else
    falls on class l with probability ``B[y, l]``, which all annotators share. Classes are equally frequent a priori.
    An estimated prior, a learnt share of hard units and weakly held confusions all do worse where most units
    have two votes, hence the fixed ones.

    Parameters
    ----------
    votes : Votes
    strength, class_strength : float
        Pseudo-votes that pull an ability to the mean ability, and the ease of a class to 0.
    confusion_strength : float
        Pseudo-errors per class that pull its confusions to uniform.
    hard_share : float
        Share of hard units, in [0, 1).
    offsets : (float, float)
        What an easy and a hard unit add to the logit. Nobody falls below chance on a hard unit
        who is above it on an easy one: a hard unit makes votes guesses, not lies.
    shared_error : float
        Probability, in [0, 1), that all annotators make one and the same mistake.
    max_iter : int
    tol : float
        Stops once no posterior moves by more.

    Returns
    -------
    CrowdResult
        ``difficulty`` is P(hard | votes). ``accuracy`` averages over the units that the annotator saw; its error
        follows from the curvature of the likelihood less what is unknown of the labels (Louis 1982), with the
        confusions held. Accuracies lean high, by .025 on ESC-50 and by .07 to .10 on votes simulated with hard units and
        three votes per unit, which the error does not show. ``transitions`` is None for more than 2**24 entries.

    Raises
    ------
    InputError
        Negative strengths, shares outside [0, 1), a hard offset above the easy one, fewer than one round.

    Notes
    -----
    This project's model, in the line of Dawid & Skene (1979) and Whitehill et al. (2009). Cost per round:
    O(votes + (units + annotators) * classes).

    Examples
    --------
    >>> from labelnoise.core.crowd import Votes
    >>> result = consensus(Votes.from_matrix([[0, 0, 1], [1, 1, 1], [2, 2, -1], [-1, -1, -1]]))
    >>> result.labels.tolist(), result.posterior[3].round(2).tolist()
    ([0, 1, 2, -1], [0.33, 0.33, 0.33])
    """
    _check(strength, class_strength, confusion_strength, offsets, max_iter)
    for name, share in (("hard_share", hard_share), ("shared_error", shared_error)):
        if as_rate(share, name=name) == 1:
            raise InputError(f"{name} is 1; it must be below 1.")
    n, k = votes.n_units, votes.n_classes
    voted = votes.per_unit() > 0
    prior = np.full(k, 1 / k) if k else np.zeros(0)
    labels = np.full(n, -1, dtype=np.int64)
    posterior = np.tile(prior, (n, 1))
    difficulty = np.full(n, hard_share)
    ability = np.full(votes.n_annotators, 1.5)
    model = _Model(
        ability,
        np.zeros(k),
        np.asarray(offsets, dtype=np.float64),
        -float(np.log(max(k - 1, 1))),
        _uniform_confusion(k),
    )
    moved, rounds, joint = 0.0, 0, np.zeros((0, k, 2))
    data = _Data.of(votes, voted)
    if len(votes):
        shares = data.counts + 1e-3
        now = shares / shares.sum(1, keepdims=True)
        grades = np.array([1 - hard_share, hard_share])
        joint = now[:, :, None] * grades
        while rounds < max_iter:
            rounds += 1
            _maximise(model, data, joint, strength, class_strength, confusion_strength)
            joint = _expect(model, data, grades)
            before, now = now, joint.sum(2)
            moved = float(np.abs(now - before).max())
            if moved <= tol:
                break
        now = _with_shared_errors(now, shared_error)
        posterior[voted] = now
        labels[voted] = now.argmax(1)
        difficulty[voted] = joint[:, :, 1].sum(1)
    accuracy, error = _accuracy(model, data, joint, strength)
    converged = moved <= tol
    warnings = () if converged else (_slow(rounds, moved),)
    return CrowdResult(
        method="consensus",
        posterior=posterior,
        labels=labels,
        accuracy=accuracy,
        accuracy_error=error,
        prior=prior,
        transitions=_transitions(model, hard_share),
        difficulty=difficulty,
        iterations=rounds,
        converged=converged,
        warnings=warnings,
    )


def _check(
    strength: float,
    class_strength: float,
    confusion_strength: float,
    offsets: tuple[float, float],
    rounds: int,
) -> None:
    given = {
        "strength": strength,
        "class_strength": class_strength,
        "confusion_strength": confusion_strength,
    }
    for name, value in given.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; a positive number of pseudo-votes is needed, such as 16.")
    if len(offsets) != 2 or not np.isfinite(offsets).all() or offsets[1] > offsets[0]:
        raise InputError(f"offsets is {offsets}; two numbers are needed, the easy one first and not below.")
    if rounds < 1:
        raise InputError(f"max_iter is {rounds}; at least one round is needed.")


def _slow(rounds: int, moved: float) -> str:
    return f"After {rounds} rounds a posterior still moved by {moved:.2g}; raise max_iter to go on."


def _uniform_confusion(k: int) -> Array:
    return (1 - np.eye(k)) / max(k - 1, 1)


def _with_grades(matrix: csr_matrix, joint: Array) -> Array:
    """The product of a sparse (a, b) and a (b, K, 2), as (a, K, 2)."""
    product = matrix @ joint.reshape(joint.shape[0], -1)
    return np.asarray(product, dtype=np.float64).reshape(matrix.shape[0], *joint.shape[1:])


def _maximise(
    model: _Model,
    data: _Data,
    joint: Array,
    strength: float,
    class_strength: float,
    confusion_strength: float,
) -> None:
    votes = data.votes
    k = votes.n_classes
    wrong = joint.sum(2).T @ data.counts
    np.fill_diagonal(wrong, 0)
    pulled = wrong + confusion_strength * _uniform_confusion(k)
    model.confusion = pulled / (wrong.sum(1, keepdims=True) + confusion_strength)
    seen = _with_grades(data.by_unit.T.tocsr(), joint)
    # Expected right votes: of each vote, the mass on the class that it names.
    cell, size = votes.annotator * k + votes.label, votes.n_annotators * k
    named = joint[data.unit, votes.label]
    hits = np.empty((votes.n_annotators, k, 2))
    for grade in range(2):
        counts = np.bincount(cell, named[:, grade], minlength=size)
        hits[:, :, grade] = counts.reshape(votes.n_annotators, k)
    weight = data.per_annotator / data.per_annotator.sum()
    pull, class_pull = _PER_VOTE * strength, _PER_VOTE * class_strength
    # One after the other: a shift of all abilities is one of all classes, and both at once would make it twice.
    for _ in range(2):
        slope, curve = _slope_and_curve(model, seen, hits, (1, 2))
        slope -= pull * (model.ability - float(weight @ model.ability))
        model.ability = np.clip(model.ability + slope / (curve + pull), *_ABILITY_RANGE)
        slope, curve = _slope_and_curve(model, seen, hits, (0, 2))
        slope -= class_pull * model.ease
        model.ease = np.clip(model.ease + slope / (curve + class_pull), *_CLASS_RANGE)


def _slope_and_curve(model: _Model, seen: Array, hits: Array, axes: tuple[int, int]) -> tuple[Array, Array]:
    """First and minus second derivative of the expected log-likelihood by the logit, summed over two axes."""
    logit, moves = model.logit()
    right = expit(logit)
    slope = np.where(moves, hits - seen * right, 0).sum(axes)
    curve = np.where(moves, seen * right * (1 - right), 0).sum(axes)
    return np.asarray(slope), np.asarray(curve)


def _expect(model: _Model, data: _Data, grades: Array) -> Array:
    """Q(class, grade) per voted unit, (units, K, 2)."""
    votes = data.votes
    k = votes.n_classes
    right = np.clip(model.right(), 1e-12, 1 - 1e-12)
    off, on = np.log1p(-right), np.log(right)
    where = np.log(np.where(np.eye(k, dtype=bool), 1.0, np.maximum(model.confusion, 1e-300)))
    log_joint = _with_grades(data.by_unit, off) + (data.counts @ where.T)[:, :, None]
    cell = data.unit * k + votes.label
    gain = (on - off)[votes.annotator, votes.label]
    for grade in range(2):
        named = np.bincount(cell, gain[:, grade], minlength=len(data.counts) * k)
        log_joint[:, :, grade] += named.reshape(-1, k)
    with np.errstate(divide="ignore"):
        log_joint += np.log(grades)
    return np.asarray(np.exp(log_joint - logsumexp(log_joint, axis=(1, 2), keepdims=True)))


def _with_shared_errors(posterior: Array, share: float) -> Array:
    """Lets a mistake that all make alike go the way of the classes that the posterior itself mixes up."""
    k = posterior.shape[1]
    if k < 2 or share == 0:
        return posterior
    mixed = posterior.T @ posterior
    np.fill_diagonal(mixed, 0)
    mixed += 0.3 * mixed.sum() / (k * (k - 1)) + 1e-12
    np.fill_diagonal(mixed, 0)
    mixed /= mixed.sum(1, keepdims=True)
    return np.asarray((1 - share) * posterior + share * posterior @ mixed)


def _accuracy(model: _Model, data: _Data, joint: Array, strength: float) -> tuple[Array, Array]:
    n = data.per_annotator
    voting = n > 0
    accuracy, error = np.full(len(n), 0.5), np.full(len(n), np.inf)
    if voting.any():
        seen = _with_grades(data.by_unit.T.tocsr(), joint)[voting]
        right = model.right()[voting]
        curve = (seen * right * (1 - right)).sum((1, 2))
        accuracy[voting] = (seen * right).sum((1, 2)) / n[voting]
        accuracy[~voting] = np.average(accuracy[voting], weights=n[voting])
        # Louis (1982): what is not known of the labels is missing from the curvature.
        known = np.maximum(curve - _missing(model, data, joint)[voting], 0)
        error[voting] = curve / n[voting] / np.sqrt(known + _PER_VOTE * strength)
    return accuracy, error


def _missing(model: _Model, data: _Data, joint: Array) -> Array:
    """Posterior variance of each annotator's score, summed over the votes, (A,)."""
    votes, right = data.votes, model.right()
    variance = np.zeros(len(votes))
    step = max(1, _CHUNK // joint[0].size)
    for start in range(0, len(votes), step):
        part = slice(start, start + step)
        mass, label = joint[data.unit[part]], votes.label[part]
        score = -right[votes.annotator[part]]
        score[np.arange(len(label)), label] += 1
        variance[part] = (mass * score**2).sum((1, 2)) - (mass * score).sum((1, 2)) ** 2
    total = np.bincount(votes.annotator, variance, minlength=votes.n_annotators)
    return np.asarray(total, dtype=np.float64)


def _transitions(model: _Model, hard_share: float) -> Array | None:
    k = len(model.ease)
    if len(model.ability) * k * k > _MOST_TRANSITIONS:
        return None
    right = model.right() @ np.array([1 - hard_share, hard_share])
    if k == 1:
        return np.ones((len(right), 1, 1))
    return np.asarray((1 - right)[:, :, None] * model.confusion + right[:, :, None] * np.eye(k))
