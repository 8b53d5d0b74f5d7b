"""One pass over (labels, probs) that keeps O(n) numbers, so that probabilities are never copied.

Everything that confident learning asks of the (n, K) probabilities is, per unit, the probability of the
given class, the largest probability and its class. They are read block by block (a memory map stays on
disk) and the (n, K) matrix is looked at again only for the few rows where that is not enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import as_labels, as_probs, check_same_length

#: Entries of ``probs`` looked at together: half a mebibyte of float64, which stays in a core's cache.
BLOCK_ENTRIES = 1 << 16

#: Rows looked at together if they hold up to four times as many entries: with fewer, calls cost more than entries.
_BLOCK_ROWS = 256

#: Comparisons of probabilities give way by this much (the value that cleanlab uses).
SLACK = 1e-6

#: Up to this many classes, units are grouped by comparing with each class, above it by sorting.
_FEW_CLASSES = 32

Floats = NDArray[np.floating[Any]]


def blocks(n: int, k: int) -> Iterator[slice]:
    """Slices of rows that hold about `BLOCK_ENTRIES` entries of an (n, k) matrix each, more if k is large."""
    k = max(k, 1)
    rows = max(1, BLOCK_ENTRIES // k, min(_BLOCK_ROWS, 4 * BLOCK_ENTRIES // k))
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


def take_column(block: Floats, columns: NDArray[np.intp]) -> Floats:
    """``block[i, columns[i]]`` for every row i."""
    m, k = block.shape
    picked: Floats
    if block.flags.c_contiguous:
        picked = block.reshape(-1).take(np.arange(0, m * k, k) + columns)
    else:
        picked = block[np.arange(m), columns]
    return picked


def most_probable(block: Floats) -> tuple[NDArray[Any], Floats]:
    """The first most probable class of every row, and its probability."""
    m, k = block.shape
    if k > 1 << 7 or not by_columns(block):
        arg = block.argmax(axis=1)
        return arg, take_column(block, arg)
    columns = block.T
    top = columns.max(axis=0)
    # The first class that reaches the top, counted from the last so that it is a maximum of small integers.
    from_last = np.zeros(m, dtype=np.int8)
    for j in range(k - 1):
        np.maximum(from_last, (columns[j] == top).view(np.int8) * np.int8(k - 1 - j), out=from_last)
    return np.int8(k - 1) - from_last, top


def by_columns(block: Floats) -> bool:
    """Entries of one class lie side by side, as in an image's (K, H, W) seen as (H W, K)."""
    return block.shape[1] > 1 and block.strides[0] == block.itemsize


def check_units(labels: ArrayLike, probs: ArrayLike) -> tuple[NDArray[Any], Floats]:
    """Check single-label units and return labels in the narrowest integer type that holds them."""
    probabilities = as_probs(probs)
    k = probabilities.shape[1]
    ids = as_labels(labels, n_classes=k)
    check_same_length(labels=ids, probs=probabilities)
    return ids.astype(id_type(k)), probabilities


def id_type(k: int) -> type[np.signedinteger[Any]]:
    """The narrowest signed integer type for class ids from -1 to k - 1."""
    if k <= 1 << 7:
        return np.int8
    return np.int16 if k <= 1 << 15 else np.int32


def given_probability(labels: NDArray[Any], probs: Floats) -> Floats:
    """Probability of the given class per unit, in the type of ``probs``; arbitrary where the label is -1."""
    n, k = probs.shape
    result = np.empty(n, dtype=probs.dtype)
    flat = probs.T.reshape(-1) if probs.flags.f_contiguous else None
    for rows in blocks(n, k):
        own = np.maximum(labels[rows], 0).astype(np.intp)
        if flat is None:
            result[rows] = take_column(probs[rows], own)
        else:
            result[rows] = flat.take(own * n + np.arange(rows.start, rows.stop))
    return result


def by_class(labels: NDArray[Any], k: int) -> Iterator[NDArray[np.intp]]:
    """Positions of the units of class 0, 1, ..., k - 1, ascending; units without a label are in none."""
    if k <= _FEW_CLASSES:
        for c in range(k):
            yield np.flatnonzero(labels == c)
        return
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels, np.arange(-1, k), side="right", sorter=order)
    for c in range(k):
        yield order[ends[c] : ends[c + 1]]


def thresholds_of(labels: NDArray[Any], given: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Mean probability of the given class per class, and how many units are given it.

    An absent class gets the threshold 2, which no probability reaches.

    The mean is taken over the units in their order and in their own precision, and an absent class makes
    the vector float64: float32 results then agree with cleanlab to the last bit.
    """
    means: list[Any] = []
    per_class = np.zeros(k, dtype=np.int64)
    # Positions of all classes come cheaper than k comparisons where there are many classes, not where few.
    members = by_class(labels, k) if k > _FEW_CLASSES else (labels == c for c in range(k))
    for c, chosen in enumerate(members):
        values = given[chosen]
        per_class[c] = len(values)
        means.append(np.mean(values) if len(values) else 2)
    return clip_thresholds(means), per_class


def clip_thresholds(means: list[Any]) -> Floats:
    """Thresholds from the mean of every class, where a class without units has the Python number 2."""
    return np.clip(means, 2 * SLACK, None)


@dataclass(frozen=True)
class Survey:
    """What one pass over the probabilities leaves behind.

    Attributes
    ----------
    given : ndarray, shape (n,)
        Probability of the given class.
    thresholds : ndarray, shape (K,)
        Confident threshold of each class.
    per_class : ndarray of int, shape (K,)
        Units given each class.
    guess : ndarray of int, shape (n,)
        The class that the unit confidently belongs to, -1 where there is none.
    disputed : ndarray of bool, shape (n,)
        The most probable class is not the given one, and would not be if the given one had `SLACK` more.
    mismatch : ndarray of bool, shape (n,)
        The most probable class is not the given one.
    """

    given: Floats
    thresholds: Floats
    per_class: NDArray[np.int64]
    guess: NDArray[Any]
    disputed: NDArray[np.bool_]
    mismatch: NDArray[np.bool_]


def survey(labels: NDArray[Any], probs: Floats) -> Survey:
    """Look at every unit once; labels must come from `check_units`."""
    n, k = probs.shape
    given = np.empty(n, dtype=probs.dtype)
    top = np.empty(n, dtype=probs.dtype)
    best = np.empty(n, dtype=labels.dtype)
    mismatch = np.empty(n, dtype=bool)
    disputed = np.empty(n, dtype=bool)
    for rows in blocks(n, k):
        block, own = probs[rows], labels[rows]
        arg, highest = most_probable(block)
        best[rows], top[rows] = arg, highest
        given[rows] = mine = take_column(block, np.maximum(own, 0).astype(np.intp))
        np.logical_and(arg != own, own >= 0, out=mismatch[rows])
        disputed[rows] = mismatch[rows] & prefers_another(own, mine, arg, highest)

    thresholds, per_class = thresholds_of(labels, given, k)
    lowered = thresholds - SLACK
    guess = best
    for rows in blocks(n, k):
        # Where the most probable class is itself confident it is the guess, however many others are too.
        unsure = np.flatnonzero(top[rows] < lowered[best[rows]]) + rows.start
        if len(unsure):
            guess[unsure] = guess_of_unsure(probs, unsure, best[unsure], top[unsure], lowered)
    return Survey(given, thresholds, per_class, guess, disputed, mismatch)


def prefers_another(own: NDArray[Any], mine: Floats, best: NDArray[Any], top: Floats) -> NDArray[np.bool_]:
    """The most probable class stays ahead of the given one if that one gets `SLACK` more."""
    raised = mine + mine.dtype.type(SLACK)
    # The first of equal maxima wins, so a raised label that draws level wins only from the left.
    ahead: NDArray[np.bool_] = (raised < top) | ((raised == top) & (best < own))
    return ahead


def guess_of_unsure(
    probs: Floats, rows: NDArray[np.intp], best: NDArray[Any], top: Floats, lowered: Floats
) -> NDArray[Any]:
    """The class of rows whose most probable class ``best``, of probability ``top``, is not confident; -1 for none."""
    guess = np.full(len(rows), -1, dtype=best.dtype)
    # What reaches not even the lowest threshold needs no second look at its probabilities.
    some = np.flatnonzero(top >= lowered.min())
    confident = probs[rows[some]] >= lowered
    how_many = confident.sum(axis=1)
    only = confident.argmax(axis=1)
    guess[some] = np.where(how_many == 0, -1, np.where(how_many == 1, only, best[some]))
    return guess
