"""Errors that repeat within a group: the cells of a group and class, and draws keyed by group.

A cell is one group's units of one true class. The model of a cell: its error probability is Beta
distributed around the class's rate, which may depend on the size of the cell, with intra-cell correlation
``rho``; given an error, the wrong label follows a Dirichlet around the class's wrong labels. (A Dirichlet
over all labels is the special case in which the two correlations are tied to each other.) The error
probabilities of one group's cells are coupled by a Gaussian copula, which leaves each of them as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, expit, gammaincinv, logit, ndtr, ndtri

from labelnoise.core._roots import rising_root
from labelnoise.core.validation import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]

#: Correlations closer to 0 or 1 than this are taken as 0 or 1: the distributions degenerate there.
EDGE = 1e-6


# Numbers keyed by id


def _mix(state: Keys) -> Keys:
    """The finaliser of SplitMix64: every bit of the input moves every bit of the output."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def keyed_uniform(key: int, purpose: str, *ids: ArrayLike) -> Floats:
    """One number in (0, 1) for each tuple of ids, the same wherever and in whatever order it is asked for.

    Parameters
    ----------
    key : int
        From the seed, 64 bits.
    purpose : str
        Numbers for different purposes are independent.
    *ids : array_like of integers
        Broadcast against each other.
    """
    word = hashlib.blake2b(purpose.encode(), digest_size=8).digest()
    start = (key ^ int.from_bytes(word, "little")) & (2**64 - 1)
    with np.errstate(over="ignore"):
        state: Keys = _mix(np.asarray([start], dtype=np.uint64))
        for part in ids:
            whole = np.asarray(part)
            whole = whole if whole.dtype == np.uint64 else whole.astype(np.int64).view(np.uint64)
            state = _mix(
                (state ^ _mix(whole + np.uint64(0x9E3779B97F4A7C15))) + np.uint64(0x9E3779B97F4A7C15)
            )
    return ((state >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


# Cells


@dataclass(frozen=True)
class Cells:
    """The units of each group and true class.

    Attributes
    ----------
    of_unit : ndarray of int64, shape (n,)
        Cell of each unit, -1 for units left out.
    group : ndarray of int64, shape (C,)
        Number of the group, from 0.
    key : ndarray of uint64, shape (C,)
        The group's name as a number that depends on the name only.
    label : ndarray of int64, shape (C,)
    size : ndarray of int64, shape (C,)
    """

    of_unit: Ints
    group: Ints
    key: Keys
    label: Ints
    size: Ints

    @property
    def share(self) -> Floats:
        """Size of each cell relative to all units of its class."""
        return self.size / np.maximum(np.bincount(self.label, weights=self.size), 1)[self.label]


def make_cells(labels: Ints, groups: ArrayLike | None) -> Cells:
    """Sort the labelled units into cells; a missing group (None, or -1) makes a unit a group of its own."""
    n = len(labels)
    names = np.full(n, -1, dtype=np.int64) if groups is None else np.asarray(groups)
    if names.shape != (n,):
        raise InputError(f"groups have shape {names.shape} for {n} labels; give one id per label.")
    kept = np.flatnonzero(labels >= 0)
    group, key = _number_groups(names, kept)
    k = int(labels.max(initial=0)) + 1
    code, inverse, size = np.unique(group * k + labels[kept], return_inverse=True, return_counts=True)
    of_unit = np.full(n, -1, dtype=np.int64)
    of_unit[kept] = inverse.ravel()
    return Cells(
        of_unit=of_unit, group=code // k, key=key[code // k], label=code % k, size=size.astype(np.int64)
    )


def _number_groups(names: NDArray[Any], kept: Ints) -> tuple[Ints, Keys]:
    """Number the groups of the kept units from 0, and give each a key made of its name."""
    if names.dtype.kind == "f" and np.isfinite(names).all() and (names == np.floor(names)).all():
        names = names.astype(np.int64)
    if names.dtype.kind in "iu":
        alone = names[kept] < 0
        found, index = np.unique(names[kept][~alone], return_inverse=True)
        keys = found.astype(np.int64).view(np.uint64)
    elif names.dtype.kind in "OUS":
        text = np.array([str(name) for name in names[kept]], dtype=object)
        found, index = np.unique(text, return_inverse=True)
        alone = np.zeros(len(kept), dtype=bool)
        digests = [
            hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in found
        ]
        keys = np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
    else:
        raise InputError(
            f"groups hold {names.dtype} values; group ids are whole numbers (-1 for none) or strings."
        )
    number = np.empty(len(kept), dtype=np.int64)
    number[~alone] = index.ravel()
    number[alone] = len(found) + np.arange(int(alone.sum()))
    # Units of their own are told apart by position; negative numbers cannot be the id of a group.
    return number, np.concatenate([keys, (-2 - kept[alone]).astype(np.int64).view(np.uint64)])


# How the error depends on the size of the cell


def error_by_size(rate: float, slope: float, size: Ints, share: Floats) -> Floats:
    """Error probability of each cell of one class: log-odds linear in log share, unit mean ``rate``."""
    if slope == 0.0 or rate <= 0.0 or rate >= 1.0 or len(size) == 0:
        return np.full(len(size), rate)
    x = slope * (np.log(share) - np.log(share).max())
    weight = size / size.sum()
    # The mean rises with the intercept; these ends push every cell below, or above, the rate.
    low, high = logit(rate) - x.max(), logit(rate) - x.min()
    intercept = rising_root(lambda a: float(weight @ expit(a + x)) - rate, float(low), float(high))
    return np.asarray(expit(intercept + x))


# Draws


def beta_quantile(u: Floats, mean: Floats, rho: Floats) -> Floats:
    """Quantile of the Beta distribution with this mean and variance ``rho mean (1 - mean)``."""
    free = np.clip(1.0 / np.clip(rho, EDGE, 1.0) - 1.0, EDGE, None)
    inside = np.clip(mean, 1e-12, 1.0 - 1e-12)
    result = betaincinv(free * inside, free * (1.0 - inside), u)
    result = np.where(rho < EDGE, mean, result)
    result = np.where(rho > 1.0 - EDGE, (u > 1.0 - mean).astype(np.float64), result)
    return np.where((mean <= 0.0) | (mean >= 1.0), mean, result)


def draw_errors(cells: Cells, error: Floats, rho: Floats, coupling: float, key: int) -> Floats:
    """Error probability of each cell, drawn by group and class."""
    u = keyed_uniform(key, "cell", cells.key, cells.label)
    if coupling > 0:
        together = ndtri(keyed_uniform(key, "group", cells.key))
        u = ndtr(np.sqrt(coupling) * together + np.sqrt(1.0 - coupling) * ndtri(u))
    return beta_quantile(u, error, rho[cells.label])


def draw_goals(
    cells: Cells, units: Ints, wrong_share: Floats, rho: Floats, uniform: Floats, key: int, block: int = 2**22
) -> Ints:
    """The wrong label of each of the given units, drawn from the habits of its cell.

    Parameters
    ----------
    units : ndarray of int64
        Positions of the units that are wrong.
    wrong_share : ndarray of shape (K, K)
        Per true class, the shares of the wrong labels; diagonal 0.
    rho : ndarray of shape (K,)
        Correlation of the wrong labels of two errors of one cell.
    uniform : ndarray of shape (len(units),)
    block : int
        Numbers held at once.
    """
    goals = np.empty(len(units), dtype=np.int64)
    order = np.argsort(cells.of_unit[units], kind="stable")
    cell_of = cells.of_unit[units[order]]
    for c in np.unique(cells.label[cell_of]):
        columns = np.flatnonzero(wrong_share[c] > 0)
        mine = np.flatnonzero(cells.label[cell_of] == c)
        for part in np.array_split(mine, -(-len(mine) * len(columns) // block)):
            used, inverse = np.unique(cell_of[part], return_inverse=True)
            bounds = _dirichlet(wrong_share[c, columns], float(rho[c]), cells.key[used], int(c), columns, key)
            bounds = bounds.cumsum(axis=1)[inverse.ravel()]
            chosen = (uniform[order[part], None] * bounds[:, -1:] >= bounds).sum(axis=1)
            goals[order[part]] = columns[chosen]
    return goals


def _dirichlet(share: Floats, rho: float, keys: Keys, label: int, columns: Ints, key: int) -> Floats:
    """One row of probabilities per cell from a Dirichlet with this mean and correlation."""
    if rho < EDGE or len(share) == 1:
        return np.broadcast_to(share, (len(keys), len(share)))
    shape = max(1.0 / rho - 1.0, EDGE) * share
    ids = (keys[:, None], np.int64(label), columns)
    # A gamma of shape a is one of shape a + 1 times u^(1/a); in logarithms, tiny shapes do not vanish.
    log_gamma = np.log(gammaincinv(shape + 1.0, keyed_uniform(key, "goal", *ids)))
    log_gamma = log_gamma + np.log(keyed_uniform(key, "goal, small shapes", *ids)) / shape
    weight = np.exp(log_gamma - log_gamma.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
