"""Transition matrices: which wrong label each class gets, and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = [
    "class_transition",
    "confusion_transition",
    "pair_transition",
    "random_map_transition",
    "random_transition",
    "symmetric_transition",
]


def _as_n_classes(n_classes: int) -> int:
    if int(n_classes) != n_classes or n_classes < 2:
        raise InputError(
            f"n_classes is {n_classes}; label noise needs at least 2 classes, or no label can be wrong."
        )
    return int(n_classes)


def _from_mapping(target: NDArray[np.int64], rate: float) -> NDArray[np.float64]:
    """Each class i goes to ``target[i]`` with probability ``rate``; classes that map to themselves stay."""
    k = len(target)
    transition = np.eye(k)
    mapped = np.flatnonzero(target != np.arange(k))
    transition[mapped, mapped] = 1.0 - rate
    transition[mapped, target[mapped]] = rate
    return transition


def symmetric_transition(
    n_classes: int, rate: float, *, convention: str = "exclude-self"
) -> NDArray[np.float64]:
    """Uniform noise: every wrong class is equally likely.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    rate : float
        From 0 to 1; what it means depends on the convention.
    convention : {"exclude-self", "include-self"}
        ``"exclude-self"``: ``rate`` is P(given != true), ``T = (1 - r) I + r / (K - 1) (1 1' - I)``.
        ``"include-self"``: with probability ``rate`` the label is replaced by a uniform draw over all K
        classes, its own included, so that P(given != true) is only ``rate (K - 1) / K``.

    Returns
    -------
    ndarray of shape (K, K)

    References
    ----------
    van Rooyen, Menon and Williamson 2015 (exclude-self); the "replace by a uniform draw" habit of the
    DivideMix and ELR experiments is include-self.

    Examples
    --------
    >>> symmetric_transition(3, 0.2)
    array([[0.8, 0.1, 0.1],
           [0.1, 0.8, 0.1],
           [0.1, 0.1, 0.8]])
    >>> T = symmetric_transition(10, 0.5, convention="include-self")
    >>> round(float(1 - T[0, 0]), 6)
    0.45
    """
    k, rate = _as_n_classes(n_classes), as_rate(rate)
    choose(convention, ("exclude-self", "include-self"), "convention")
    wrong = rate if convention == "exclude-self" else rate * (k - 1) / k
    transition = np.full((k, k), wrong / (k - 1))
    np.fill_diagonal(transition, 1.0 - wrong)
    return transition


def pair_transition(n_classes: int, rate: float, *, step: int = 1) -> NDArray[np.float64]:
    """Pair flip: each class is mistaken for one neighbour, ``T[i, (i + step) mod K] = rate``.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    rate : float
        P(given != true), from 0 to 1; the true class stays the most likely one only below 0.5.
    step : int
        Which neighbour: 1 is Co-teaching's next class, -1 the previous one. Not a multiple of K.

    References
    ----------
    Han et al. 2018 (Co-teaching), section 4.

    Examples
    --------
    >>> pair_transition(3, 0.25)
    array([[0.75, 0.25, 0.  ],
           [0.  , 0.75, 0.25],
           [0.25, 0.  , 0.75]])
    """
    k, rate = _as_n_classes(n_classes), as_rate(rate)
    if int(step) != step or step % k == 0:
        raise InputError(
            f"step is {step} with {k} classes; give a whole number that is not a multiple of {k}."
        )
    return _from_mapping((np.arange(k) + int(step)) % k, rate)


def class_transition(
    mapping: Mapping[int, int] | Sequence[int], rate: float, *, n_classes: int
) -> NDArray[np.float64]:
    """Asymmetric noise: class i becomes ``mapping[i]`` with probability ``rate``.

    Parameters
    ----------
    mapping : mapping of int to int, or sequence of K ints
        Classes left out of a mapping, or mapped to themselves, are never wrong, so the rate over all
        labels is ``rate`` times the share of the mapped classes.
    rate : float
        P(given != true) within the mapped classes, from 0 to 1.
    n_classes : int
        K, at least 2.

    References
    ----------
    Patrini et al. 2017, section 5 (on CIFAR-10: ``{9: 1, 2: 0, 4: 7, 3: 5, 5: 3}``).

    Examples
    --------
    >>> class_transition({0: 2}, 0.4, n_classes=3)
    array([[0.6, 0. , 0.4],
           [0. , 1. , 0. ],
           [0. , 0. , 1. ]])
    """
    k, rate = _as_n_classes(n_classes), as_rate(rate)
    if isinstance(mapping, Mapping):
        pairs = dict(mapping)
    else:
        if len(mapping) != k:
            raise InputError(
                f"mapping has {len(mapping)} entries for {k} classes; give one per class, or a dict."
            )
        pairs = dict(enumerate(mapping))
    target = np.arange(k)
    for source, goal in pairs.items():
        for end in (source, goal):
            if int(end) != end or not 0 <= end < k:
                raise InputError(f"mapping holds class id {end}; ids are whole numbers from 0 to {k - 1}.")
        target[int(source)] = int(goal)
    return _from_mapping(target, rate)


def random_transition(n_classes: int, rate: float, seed: int) -> NDArray[np.float64]:
    """Random class-dependent noise: off-diagonals drawn from U(0, 1), each row scaled to ``rate``.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    rate : float
        P(given != true), equal for all classes, from 0 to 1.
    seed : int

    References
    ----------
    Wang et al. 2024 (NoisyGL), "random" noise.

    Examples
    --------
    >>> random_transition(3, 0.3, 0).round(3)
    array([[0.7  , 0.19 , 0.11 ],
           [0.13 , 0.7  , 0.17 ],
           [0.244, 0.056, 0.7  ]])
    """
    k, rate = _as_n_classes(n_classes), as_rate(rate)
    # 1 - U lies in (0, 1], so no row can be all zero.
    weights = 1.0 - generator(seed, "transition", "random").random((k, k))
    np.fill_diagonal(weights, 0.0)
    transition = rate * weights / weights.sum(axis=1, keepdims=True)
    np.fill_diagonal(transition, 1.0 - rate)
    return transition


def random_map_transition(n_classes: int, rate: float, seed: int) -> NDArray[np.float64]:
    """Each class is mistaken for one other class, chosen at random; two classes may share a target.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    rate : float
        P(given != true), from 0 to 1.
    seed : int

    Examples
    --------
    >>> random_map_transition(3, 0.5, 0)
    array([[0.5, 0.5, 0. ],
           [0.5, 0.5, 0. ],
           [0.5, 0. , 0.5]])
    """
    k, rate = _as_n_classes(n_classes), as_rate(rate)
    shift = generator(seed, "transition", "random-map").integers(1, k, size=k)
    return _from_mapping((np.arange(k) + shift) % k, rate)


def confusion_transition(
    confusion: ArrayLike, rate: float | None = None, *, prior: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Noise that makes the mistakes of a confusion matrix, at its own rate or at another one.

    Parameters
    ----------
    confusion : array_like of shape (K, K)
        Counts or probabilities, rows = true classes; not negative. A row of zeros (a class never seen)
        becomes a class that is never wrong.
    rate : float, optional
        P(given != true) over all labels, from 0 to 1. Every row's off-diagonals are multiplied by one common
        factor, which keeps what is confused with what and which classes are hard; a row whose error would
        pass 1 stops there and the others carry the rest. A row without off-diagonal mass stays clean.
    prior : array_like of shape (K,), optional
        How often each class is the true one, as counts or shares, for the rate; default: the row sums of
        ``confusion``. Pass the class counts of the labels to be corrupted when the rows are normalised.

    Returns
    -------
    ndarray of shape (K, K)

    Raises
    ------
    InputError
        Not a square matrix of numbers >= 0; a rate that the rows with errors cannot carry.

    Examples
    --------
    >>> confusion_transition([[8, 2, 0], [1, 9, 0], [0, 0, 10]])
    array([[0.8, 0.2, 0. ],
           [0.1, 0.9, 0. ],
           [0. , 0. , 1. ]])
    >>> confusion_transition([[8, 2, 0], [1, 9, 0], [0, 0, 10]], 0.2)
    array([[0.6, 0.4, 0. ],
           [0.2, 0.8, 0. ],
           [0. , 0. , 1. ]])
    """
    counts = np.array(confusion, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise InputError(f"confusion has shape {counts.shape}; a square matrix (true, given) is needed.")
    k = _as_n_classes(counts.shape[0])
    if not np.isfinite(counts).all() or counts.min() < 0:
        raise InputError("confusion holds negative or non-finite entries; give counts or probabilities.")
    totals = counts.sum(axis=1)
    transition = np.eye(k)
    seen = totals > 0
    transition[seen] = counts[seen] / totals[seen, None]
    if rate is None:
        return transition
    rate = as_rate(rate)
    weights = totals if prior is None else np.asarray(prior, dtype=np.float64)
    if weights.shape != (k,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
        raise InputError(f"prior must hold {k} class counts or shares >= 0 that are not all zero.")
    weights = weights / weights.sum()
    off = transition * (1.0 - np.eye(k))
    error = off.sum(axis=1)
    reach = float(weights[error > 0].sum())
    if rate > reach + 1e-12:
        raise InputError(
            f"rate is {rate}, but the rows of confusion with any error cover only {reach:.3g} of the labels; "
            "lower the rate, or add a count to the off-diagonals."
        )
    wanted = _scale_errors(error, weights, rate)
    scale = np.divide(wanted, error, out=np.zeros(k), where=error > 0)
    transition = off * scale[:, None]
    np.fill_diagonal(transition, 1.0 - wanted)
    return transition


def _scale_errors(
    error: NDArray[np.float64], weights: NDArray[np.float64], rate: float
) -> NDArray[np.float64]:
    """``min(1, s * error)`` with the one s for which the weighted mean is ``rate``."""
    full = np.zeros(len(error), dtype=bool)
    for _ in range(len(error) + 1):
        free = (error > 0) & ~full & (weights > 0)
        rest = rate - float(weights[full].sum())
        mass = float(weights[free] @ error[free])
        factor = rest / mass if mass > 0 else 0.0
        over = free & (error * factor > 1.0)
        if not over.any():
            break
        full |= over
    return np.where(full, 1.0, np.clip(error * factor, 0.0, 1.0))
