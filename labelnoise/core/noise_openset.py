"""Open-set noise: units whose true class is none of the known ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.corruption import Corruption
from labelnoise.core.noise_matrices import symmetric_transition
from labelnoise.core.noise_single import corrupt
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, as_rate, as_transition

__all__ = ["CLEAN", "CLOSED", "OPEN", "OpenSetCorruption", "drop_classes", "open_set"]

#: Values of `Corruption.status`.
CLEAN, CLOSED, OPEN = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class OpenSetCorruption(Corruption):
    """A `Corruption` that also says which outside item takes a unit's place.

    Attributes
    ----------
    replacement : ndarray of int64, shape (n,)
        Index of the outside item whose features replace the unit's own, -1 where they stay.
    """

    replacement: NDArray[np.int64]


def open_set(
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    n_classes: int,
    n_outside: int,
    closed_share: float = 0.0,
    transition: ArrayLike | None = None,
    exact: bool = False,
) -> OpenSetCorruption:
    """Replace the features of some units by outside items and keep their labels; mislabel others, if asked.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class ids, -1 for "no label".
    rate : float
        Share of wrong labels, open and closed together, from 0 to 1.
    seed : int
    n_classes : int
        K, at least 2.
    n_outside : int
        Number of outside items (of other classes or another data set) to take features from, at least 1.
        No item is taken twice while there are as many of them as units.
    closed_share : float
        Share of the wrong labels that are wrong within the label set.
    transition : array_like of shape (K, K), optional
        Which wrong class the closed ones get, by its off-diagonals; default: all alike.
    exact : bool
        False: every unit on its own. True: the numbers of open and closed units are met, rounded to the
        nearest whole.

    Returns
    -------
    OpenSetCorruption
        ``status`` is 0 clean, 1 closed, 2 open; ``rate`` counts both kinds of wrong labels while ``changed``
        marks the closed ones only, since an open unit keeps its label; ``rates`` has ``"open"`` and
        ``"closed"``. ``transition`` is that of the units that keep their features.

    References
    ----------
    Wang et al. 2018 (open-set noise); Sachdeva et al. 2021 (EvidentialMix) for the mix by a closed share.

    Examples
    --------
    >>> noise = open_set([0, 1] * 500, 0.3, seed=0, n_classes=2, n_outside=5000, closed_share=0.5, exact=True)
    >>> noise.rates, noise.rate, int((noise.replacement >= 0).sum())
    ({'open': 0.15, 'closed': 0.15}, 0.3, 150)
    """
    rate, closed_share = as_rate(rate), as_rate(closed_share, name="closed_share")
    if int(n_outside) != n_outside or n_outside < 1:
        raise InputError(
            f"n_outside is {n_outside}; at least 1 outside item is needed to take features from."
        )
    goals = _only_wrong(symmetric_transition(n_classes, 1.0) if transition is None else transition, n_classes)
    true = as_labels(labels, n_classes=n_classes)
    n, labelled = len(true), true >= 0
    uniform = np.where(labelled, generator(seed, "noise", "open-set", "status").random(n), 1.0)
    open_rate = rate * (1.0 - closed_share)
    if exact:
        # The k-th smallest number of n plays the part of k / n.
        order = np.argsort(uniform, kind="stable")
        uniform[order] = (np.arange(n) + 0.5) / max(int(labelled.sum()), 1)
        uniform[~labelled] = 1.0
    status = np.where(uniform < open_rate, OPEN, np.where(uniform < rate, CLOSED, CLEAN)).astype(np.int8)
    status[~labelled] = CLEAN
    wrong = corrupt(true, goals, seed).labels
    # A class without wrong goals cannot be mislabelled.
    status[(status == CLOSED) & (wrong == true)] = CLEAN
    given = np.where(status == CLOSED, wrong, true)
    copies = -(-n // int(n_outside))
    donors = generator(seed, "noise", "open-set", "donors").permutation(copies * int(n_outside))[:n] % int(
        n_outside
    )
    closed_rate = rate * closed_share / (1.0 - open_rate) if open_rate < 1 else 0.0
    return OpenSetCorruption(
        **_counts(true, given, status),
        transition=(1.0 - closed_rate) * np.eye(n_classes) + closed_rate * goals,
        replacement=np.where(status == OPEN, donors, -1),
    )


def drop_classes(
    labels: ArrayLike,
    dropped: Iterable[int],
    seed: int,
    *,
    n_classes: int,
    transition: ArrayLike | None = None,
) -> Corruption:
    """Open-set noise from inside: some classes leave the label set and their units get labels of the rest.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class ids, -1 for "no label".
    dropped : iterable of int
        The classes that leave; at least one must stay.
    seed : int
    n_classes : int
        K before the drop.
    transition : array_like of shape (K, K), optional
        Where the units of dropped classes go (columns of dropped classes are left out and the rest is
        rescaled) and how the others are mislabelled; default: all remaining classes alike, others clean.

    Returns
    -------
    Corruption
        Labels keep their ids (no dropped id occurs any more); ``status`` 2 marks units of dropped classes.

    Examples
    --------
    >>> noise = drop_classes([0, 1, 2, 2, -1], [2], seed=0, n_classes=3)
    >>> noise.labels, noise.status, noise.rate
    (array([ 0,  1,  1,  0, -1]), array([0, 0, 2, 2, 0], dtype=int8), 0.5)
    """
    leaving = np.unique(as_labels(list(dropped), n_classes=n_classes, name="dropped"))
    if len(leaving) == 0 or leaving.min(initial=0) < 0 or len(leaving) >= n_classes:
        raise InputError(
            f"dropped holds {len(leaving)} of {n_classes} classes; at least one must go and one stay."
        )
    stays = ~np.isin(np.arange(n_classes), leaving)
    if transition is None:
        matrix = np.where(stays[:, None], np.eye(n_classes), 1.0)
    else:
        matrix = as_transition(transition)
        if len(matrix) != n_classes:
            raise InputError(
                f"transition covers {len(matrix)} classes, not {n_classes}; give a row for each."
            )
    matrix = matrix * stays
    reach = matrix.sum(axis=1, keepdims=True)
    if (reach == 0).any():
        row = int(np.argmin(reach))
        raise InputError(f"transition sends class {row} to dropped classes only; give it a class that stays.")
    noise = corrupt(as_labels(labels, n_classes=n_classes), matrix / reach, seed)
    true = as_labels(labels)
    status = np.where(noise.changed, CLOSED, CLEAN).astype(np.int8)
    status[np.isin(true, leaving)] = OPEN
    return Corruption(**_counts(true, noise.labels, status), transition=noise.transition)


def _only_wrong(transition: ArrayLike, n_classes: int) -> NDArray[np.float64]:
    """Rows of the off-diagonals alone; a class without any keeps itself."""
    matrix = as_transition(transition)
    if len(matrix) != n_classes:
        raise InputError(f"transition covers {len(matrix)} classes, not {n_classes}; give a row for each.")
    off = matrix * (1.0 - np.eye(n_classes))
    mass = off.sum(axis=1, keepdims=True)
    return np.where(mass > 0, off / np.where(mass > 0, mass, 1.0), np.eye(n_classes))


def _counts(true: NDArray[np.int64], given: NDArray[np.int64], status: NDArray[np.int8]) -> dict[str, Any]:
    """The fields of a corruption whose wrong labels are those with a status."""
    labelled = max(int((true >= 0).sum()), 1)
    shares = {
        "open": int((status == OPEN).sum()) / labelled,
        "closed": int((status == CLOSED).sum()) / labelled,
    }
    return {
        "labels": given,
        "changed": given != true,
        "rate": int((status > CLEAN).sum()) / labelled,
        "rates": shares,
        "status": status,
    }
