"""Several annotators, each with a transition matrix of their own, and noise taken from their dissent."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.noise_matrices import symmetric_transition
from labelnoise.core.noise_single import draw_iid
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, as_rate, as_transition, choose

__all__ = ["annotate", "annotator_transitions", "dissenting_labels", "dissenting_workers"]


def annotator_transitions(
    n_annotators: int,
    n_classes: int,
    seed: int,
    *,
    kind: str = "one-coin",
    distribution: str = "normal",
    mean: float = 0.75,
    std: float = 0.12,
) -> NDArray[np.float64]:
    """Draw one transition matrix per annotator.

    Parameters
    ----------
    n_annotators : int
        A, at least 1.
    n_classes : int
        K, at least 2; 2 for ``"two-coin"``.
    seed : int
    kind : {"one-coin", "two-coin"}
        One accuracy per annotator, all wrong classes alike; or, for two classes, one accuracy per class
        (specificity and sensitivity, drawn on their own).
    distribution : {"normal", "beta"}
        Of the accuracies: a normal clipped to [0, 1], or a Beta with this mean and standard deviation.
    mean, std : float
        Of the accuracies (before the clip). A Beta needs ``std < sqrt(mean (1 - mean))``.

    Returns
    -------
    ndarray of shape (A, K, K)
        ``T[a, i, j] = P(vote of a = j | true = i)``.

    References
    ----------
    Dawid and Skene 1979 (per-annotator T); Raykar et al. 2010 (two-coin).

    Examples
    --------
    >>> T = annotator_transitions(3, 4, seed=0)
    >>> T.shape, T[:, 0, 0].round(2)
    ((3, 4, 4), array([0.69, 0.84, 0.84]))
    """
    choose(kind, ("one-coin", "two-coin"), "annotator kind")
    choose(distribution, ("normal", "beta"), "distribution")
    if int(n_annotators) != n_annotators or n_annotators < 1:
        raise InputError(f"n_annotators is {n_annotators}; at least 1 is needed.")
    wrong = symmetric_transition(n_classes, 1.0)
    if kind == "two-coin" and n_classes != 2:
        raise InputError(
            f"two-coin annotators need 2 classes, not {n_classes}; use one-coin, or pass your own T."
        )
    rng = generator(seed, "noise", "annotators", "accuracy")
    shape = (int(n_annotators), n_classes if kind == "two-coin" else 1)
    mean = as_rate(mean, name="mean")
    if distribution == "normal":
        if not np.isfinite(std) or std < 0:
            raise InputError(f"std is {std}; a standard deviation is 0 or more.")
        accuracy = np.clip(rng.normal(mean, std, shape), 0.0, 1.0)
    else:
        if not 0 < std < np.sqrt(mean * (1 - mean)):
            raise InputError(
                f"std is {std}; a Beta of mean {mean} needs one between 0 and sqrt(mean (1 - mean))."
            )
        total = mean * (1 - mean) / std**2 - 1
        accuracy = rng.beta(mean * total, (1 - mean) * total, shape)
    right = accuracy[:, :, None]
    return np.asarray(right * np.eye(n_classes) + (1.0 - right) * wrong)


def annotate(
    labels: ArrayLike,
    transitions: ArrayLike,
    seed: int,
    *,
    n_votes: int | None = None,
    workload: ArrayLike | None = None,
) -> Corruption:
    """Let annotators label the units, each by their own transition matrix.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class ids, -1 for "no label" (nobody votes on those).
    transitions : array_like of shape (A, K, K)
    seed : int
    n_votes : int, optional
        Votes per unit, from 1 to A, by annotators chosen at random; default: everybody votes.
    workload : array_like of shape (A,), optional
        With ``n_votes``: how likely each annotator is to be chosen, relative to the others, > 0.

    Returns
    -------
    Corruption
        ``labels`` are the votes (n, A), -1 for no vote; ``changed`` the wrong votes; ``rate`` the share of
        wrong ones among the votes; ``rates`` that of each annotator by ``"annotator 0"``, ...;
        ``transition`` of shape (A, K, K).

    Examples
    --------
    >>> noise = annotate([0, 1, 2, -1], annotator_transitions(4, 3, seed=0), seed=1, n_votes=2)
    >>> noise.labels
    array([[-1,  1, -1,  0],
           [ 0, -1, -1,  1],
           [-1,  2, -1,  0],
           [-1, -1, -1, -1]])
    """
    matrices = np.asarray(transitions, dtype=np.float64)
    if matrices.ndim != 3 or len(matrices) == 0:
        raise InputError(
            f"transitions have shape {matrices.shape}; (annotators, classes, classes) is needed."
        )
    matrices = np.stack([np.clip(as_transition(matrix), 0.0, None) for matrix in matrices])
    n_annotators, k = matrices.shape[:2]
    true = as_labels(labels, n_classes=k)
    n = len(true)
    uniform = generator(seed, "noise", "annotators", "votes").random((n, n_annotators))
    votes = np.empty((n, n_annotators), dtype=np.int64)
    for a, matrix in enumerate(matrices):
        votes[:, a] = draw_iid(true, matrix * (1.0 - np.eye(k)), uniform[:, a])
    votes[~_who_votes(n, n_annotators, seed, n_votes, workload)] = -1
    changed = (votes >= 0) & (votes != true[:, None])
    n_of = (votes >= 0).sum(axis=0)
    shares = changed.sum(axis=0) / np.maximum(n_of, 1)
    return Corruption(
        labels=votes,
        changed=changed,
        rate=int(changed.sum()) / max(int(n_of.sum()), 1),
        rates={f"annotator {a}": float(share) for a, share in enumerate(shares)},
        transition=matrices,
    )


def _who_votes(
    n: int, n_annotators: int, seed: int, n_votes: int | None, workload: ArrayLike | None
) -> NDArray[np.bool_]:
    """Mask (n, A) of who votes on what, the same number of annotators per unit."""
    if n_votes is None:
        if workload is not None:
            raise InputError(
                "workload says who is chosen more often, but everybody votes; pass n_votes as well."
            )
        return np.ones((n, n_annotators), dtype=bool)
    if int(n_votes) != n_votes or not 1 <= n_votes <= n_annotators:
        raise InputError(
            f"n_votes is {n_votes}; it must be a whole number from 1 to {n_annotators} annotators."
        )
    weights = np.ones(n_annotators) if workload is None else np.asarray(workload, dtype=np.float64)
    if weights.shape != (n_annotators,) or not np.isfinite(weights).all() or (weights <= 0).any():
        raise InputError(f"workload must hold one number > 0 for each of {n_annotators} annotators.")
    # The smallest waiting times: a draw without replacement in proportion to the weights.
    waiting = generator(seed, "noise", "annotators", "turns").exponential(size=(n, n_annotators)) / weights
    mask = np.zeros((n, n_annotators), dtype=bool)
    np.put_along_axis(mask, np.argpartition(waiting, n_votes - 1, axis=1)[:, :n_votes], True, axis=1)
    return mask


def _as_votes(votes: ArrayLike, consensus: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Checked votes (n, A) and labels (n,): passed, or the most frequent vote (ties: lowest id)."""
    table = np.asarray(votes)
    if table.ndim != 2:
        raise InputError(
            f"votes have shape {table.shape}; a matrix (units, annotators) of class ids is needed."
        )
    flat = as_labels(table.ravel(), name="votes")
    table = flat.reshape(table.shape)
    k = int(flat.max(initial=0)) + 1
    if consensus is not None:
        labels = as_labels(consensus, name="consensus")
        if len(labels) != len(table):
            raise InputError(
                f"consensus has {len(labels)} entries for {len(table)} rows of votes; give one each."
            )
        return table, labels
    rows = np.nonzero(table >= 0)[0]
    counts = np.bincount(rows * k + flat[flat >= 0], minlength=len(table) * k).reshape(-1, k)
    return table, np.where(counts.any(axis=1), counts.argmax(axis=1), -1)


def dissenting_labels(
    votes: ArrayLike, rate: float, seed: int, *, consensus: ArrayLike | None = None
) -> Corruption:
    """Realistic noise from real votes: some units get one of the votes that disagree with their label.

    Parameters
    ----------
    votes : array_like of int, shape (n, A)
        Class ids, -1 for no vote.
    rate : float
        Share of the labelled units to change, met to the nearest whole number of units.
    seed : int
    consensus : array_like of int, shape (n,), optional
        The labels held to be true; default: the most frequent vote, ties to the lowest id.

    Returns
    -------
    Corruption
        ``posterior`` is the chance of each label before the draw.

    Raises
    ------
    InputError
        Fewer units have a dissenting vote than ``rate`` asks for; the message says how many do.

    References
    ----------
    Goswami et al. 2023 (AQuA), "dissenting label".

    Examples
    --------
    >>> dissenting_labels([[0, 0, 1], [1, 1, 1], [2, 2, 0], [1, 1, -1]], 0.25, seed=0).labels
    array([1, 1, 2, 1])
    """
    table, true = _as_votes(votes, consensus)
    dissent = (table >= 0) & (true[:, None] >= 0) & (table != true[:, None])
    candidates = np.flatnonzero(dissent.any(axis=1))
    n_wrong = _affordable(rate, true, len(candidates))
    when = generator(seed, "noise", "dissent", "units").random(len(true))
    which = generator(seed, "noise", "dissent", "votes").random(table.shape)
    chosen = candidates[np.argsort(when[candidates], kind="stable")[:n_wrong]]
    given = true.copy()
    if n_wrong:
        given[chosen] = table[chosen, np.where(dissent[chosen], which[chosen], -1.0).argmax(axis=1)]
    k = int(max(table.max(initial=0), true.max(initial=0))) + 1
    posterior = np.zeros((len(true), k))
    posterior[true >= 0, true[true >= 0]] = 1.0
    if len(candidates):
        chance = n_wrong / len(candidates)
        rows, columns = np.nonzero(dissent)
        posterior[candidates, true[candidates]] = 1.0 - chance
        np.add.at(posterior, (rows, table[rows, columns]), chance / dissent.sum(axis=1)[rows])
    return compare_labels(true, given, posterior=posterior)


def dissenting_workers(
    votes: ArrayLike, rate: float, seed: int, *, consensus: ArrayLike | None = None
) -> Corruption:
    """Realistic noise from real workers: take workers in random order and let their dissent stand.

    Every vote of a worker that disagrees with the label replaces it, unless an earlier worker did so already,
    until the rate is reached (the last worker's dissent is used in part). Errors thus come from few people,
    with all their habits.

    Parameters
    ----------
    votes, rate, seed, consensus
        As of `dissenting_labels`.

    Returns
    -------
    Corruption
        ``transition`` is the realised one (no closed form).

    Examples
    --------
    >>> dissenting_workers([[0, 0, 1], [1, 1, 0], [2, 2, 0], [1, 1, -1]], 0.5, seed=0).labels
    array([1, 0, 2, 1])
    """
    table, true = _as_votes(votes, consensus)
    dissent = (table >= 0) & (true[:, None] >= 0) & (table != true[:, None])
    n_wrong = _affordable(rate, true, int(dissent.any(axis=1).sum()))
    when = generator(seed, "noise", "dissent", "units").random(len(true))
    given, changed = true.copy(), np.zeros(len(true), dtype=bool)
    for worker in generator(seed, "noise", "dissent", "workers").permutation(table.shape[1]):
        units = np.flatnonzero(dissent[:, worker] & ~changed)
        units = units[np.argsort(when[units], kind="stable")][: n_wrong - int(changed.sum())]
        given[units] = table[units, worker]
        changed[units] = True
    k = int(max(table.max(initial=0), true.max(initial=0))) + 1
    counts = np.zeros((k, k))
    np.add.at(counts, (true[true >= 0], given[true >= 0]), 1.0)
    total = counts.sum(axis=1, keepdims=True)
    transition = np.where(total > 0, counts / np.maximum(total, 1), np.eye(k))
    return compare_labels(true, given, transition=transition)


def _affordable(rate: float, true: NDArray[np.int64], n_dissent: int) -> int:
    """The number of units to change, refused where there is too little dissent."""
    n_wrong = round(as_rate(rate) * int((true >= 0).sum()))
    if n_wrong > n_dissent:
        raise InputError(
            f"rate {rate} asks for {n_wrong} wrong labels, but only {n_dissent} units have a vote that "
            f"disagrees with their label; ask for at most {n_dissent / max(int((true >= 0).sum()), 1):.3g}."
        )
    return n_wrong
