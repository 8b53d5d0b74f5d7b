"""Confident learning over chunks that do not fit in memory together, such as the pixels of many images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import (
    SLACK,
    Floats,
    blocks,
    check_units,
    given_probability,
    id_type,
    most_probable,
    thresholds_of,
)
from labelnoise.core.confident_learning import Ties
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError, choose

__all__ = ["confident_learning_stream"]

Chunk = tuple[ArrayLike, ArrayLike]

#: A unit whose most probable class is another one has less than this for its own: rows sum to 1.01 at most.
_HALF = 0.51


def confident_learning_stream(
    chunks: Callable[[], Iterable[Chunk]],
    *,
    ties: Ties = "numpy",
    description: str = "confident learning",
) -> list[NDArray[np.bool_]]:
    """Flag the least self-confident labels of a stream, as many as are confidently of another class.

    A first pass takes the confident threshold of each class, a second one counts the N units whose most
    probable class is not the given one and reaches its threshold, and keeps what may be among the N
    lowest probabilities of the given class. Of these N, units whose most probable class is the given one
    are left alone.

    Parameters
    ----------
    chunks : callable
        Called without arguments, returns an iterable of ``(labels, probs)`` pairs with shapes (m,) and
        (m, K); called two times (three if the cut falls on a tie), each time with the same chunks. For an
        image with probabilities of shape (K, H, W) pass ``(mask.reshape(-1), probs.reshape(K, -1).T)``:
        nothing is copied. Labels of -1 are never flagged and change nothing.
    ties : {"numpy", "first"}
        Which of several equally bad units to flag when the cut falls among them: ``"numpy"`` takes those
        that ``numpy.argsort`` puts first, as cleanlab does, which needs one number per unit in memory and
        may differ between kinds of processor; ``"first"`` the first disputed ones in the order given.
    description : str
        What the progress bar says.

    Returns
    -------
    list of ndarray of bool, shape (m,)
        One mask per chunk.

    Raises
    ------
    InputError
        Chunks that are not such pairs, that differ in K, or that change between passes.

    Notes
    -----
    Thresholds are running means over chunks, so in the last bits they depend on the chunks. What is held
    are the masks, and one probability for the few units that may matter.

    References
    ----------
    Lad, Mueller (2023), Estimating label quality and errors in semantic segmentation data via any model.
    Equal to ``cleanlab.segmentation.filter.find_label_issues`` of cleanlab 2.9 with one image per chunk
    (its ``batch_size`` no larger than an image).

    Examples
    --------
    >>> masks = [[0, 0, 1, 1], [0, 1, 1, -1]]
    >>> p0 = [[0.9, 0.8, 0.2, 0.1], [0.1, 0.2, 0.1, 0.5]]
    >>> images = [(m, [[p, 1 - p] for p in q]) for m, q in zip(masks, p0)]
    >>> [flags.nonzero()[0].tolist() for flags in confident_learning_stream(lambda: images)]
    [[], [0]]
    """
    choose(ties, ("numpy", "first"), "way to break ties")
    running = _Thresholds()
    for labels, probs in track(chunks(), f"{description}: thresholds"):
        running.add(*check_units(labels, probs))
    if running.values is None:
        return []

    state = _Candidates(running.values - SLACK)
    for labels, probs in track(chunks(), f"{description}: counts", total=len(running.lengths)):
        state.add(*_again(labels, probs, running.lengths, len(state.masks)))
    if len(state.masks) != len(running.lengths):
        raise InputError(
            f"The first pass saw {len(running.lengths)} chunks, the second {len(state.masks)}; "
            "chunks() must return the same chunks every time (a generator that is used up does not)."
        )

    if state.needs_order():
        if ties == "first":
            state.flag_tied_first()
        else:
            state.flag_tied_as_sorted(_own(chunks, running.lengths, description))
    return state.masks


@dataclass
class _Thresholds:
    """Running means of the probability of the given class."""

    values: NDArray[np.float64] | None = None
    per_class: NDArray[np.int64] | None = None
    lengths: list[int] = field(default_factory=list)

    def add(self, ids: NDArray[Any], probs: Floats) -> None:
        k = probs.shape[1]
        self.lengths.append(len(ids))
        if self.values is None or self.per_class is None:
            self.values, self.per_class = np.full(k, 2 * SLACK), np.zeros(k, dtype=np.int64)
        if k != len(self.values):
            raise InputError(
                f"Chunk {len(self.lengths) - 1} has {k} classes, those before it {len(self.values)}; "
                "all chunks need the same classes."
            )
        means, counts = thresholds_of(ids, given_probability(ids, probs), k)
        before = self.per_class.astype(np.float64)
        total = np.clip(before + counts, 1, None)
        self.values = np.clip((before * self.values + counts * means) / total, 2 * SLACK, None)
        self.per_class = self.per_class + counts


class _Candidates:
    """What the second pass keeps: the disputed units, and the probabilities among which the cut must fall.

    A unit whose most probable class is another one has at most `_HALF` for its own, and there are at
    least ``count`` such units; higher probabilities therefore lie above the cut.
    """

    def __init__(self, lowered: NDArray[np.float64]) -> None:
        self.lowered = lowered
        self.count = 0
        self.masks: list[NDArray[np.bool_]] = []
        self.disputed: list[Floats] = []
        self.others: list[Floats] = []
        self.cut: Any = None

    def add(self, ids: NDArray[Any], probs: Floats) -> None:
        own = given_probability(ids, probs)
        mask = np.empty(len(ids), dtype=bool)
        for rows in blocks(*probs.shape):
            best, top = most_probable(probs[rows])
            np.logical_and(best != ids[rows], ids[rows] >= 0, out=mask[rows])
            sure = top >= self.lowered[best]
            self.count += int(np.count_nonzero(mask[rows] & sure))
        self.masks.append(mask)
        self.disputed.append(own[mask])
        self.others.append(own[(own <= _HALF) & ~mask & (ids >= 0)])

    def needs_order(self) -> bool:
        """Cut the masks at the ``count`` lowest probabilities; True if a tie is left to be broken."""
        if self.count == 0:
            for mask in self.masks:
                mask[:] = False
            return False
        values = np.concatenate([*self.disputed, *self.others])
        self.cut = np.partition(values, self.count - 1)[self.count - 1]
        for mask, own in zip(self.masks, self.disputed):
            mask[np.flatnonzero(mask)[own > self.cut]] = False
        tied = sum(int(np.count_nonzero(own == self.cut)) for own in self.disputed)
        return tied > 0 and int(np.count_nonzero(values <= self.cut)) > self.count

    def flag_tied_first(self) -> None:
        """Of the disputed units at the cut keep those that come first."""
        left = self.count - sum(
            int(np.count_nonzero(own < self.cut)) for own in (*self.disputed, *self.others)
        )
        for mask, own in zip(self.masks, self.disputed):
            tied = np.flatnonzero(mask)[own[own <= self.cut] == self.cut]
            mask[tied[max(left, 0) :]] = False
            left -= len(tied)

    def flag_tied_as_sorted(self, own: list[tuple[NDArray[np.bool_], Floats]]) -> None:
        """Of the disputed units keep those among the ``count`` that NumPy's sort puts first."""
        low = np.zeros(sum(len(values) for _, values in own), dtype=bool)
        low[np.concatenate([values for _, values in own]).argsort()[: self.count]] = True
        start = 0
        for mask, (labelled, values) in zip(self.masks, own):
            mask[labelled] &= low[start : start + len(values)]
            start += len(values)


def _again(
    labels: ArrayLike, probs: ArrayLike, lengths: list[int], index: int
) -> tuple[NDArray[Any], Floats]:
    """A chunk seen before: values were checked then, the shape is checked now."""
    p = np.asarray(probs)
    if p.dtype not in (np.float32, np.float64):
        p = p.astype(np.float64)
    ids = np.asarray(labels).astype(id_type(p.shape[1]))
    if index >= len(lengths) or len(ids) != lengths[index] or len(p) != len(ids):
        was = f"{lengths[index]} units" if index < len(lengths) else "no chunk"
        raise InputError(
            f"Chunk {index} has {len(ids)} units after {was} in the first pass; "
            "chunks() must return the same chunks every time (a generator that is used up does not)."
        )
    return ids, p


def _own(
    chunks: Callable[[], Iterable[Chunk]], lengths: list[int], description: str
) -> list[tuple[NDArray[np.bool_], Floats]]:
    """Per chunk which units are labelled, and their probability of the given class."""
    result = []
    for index, chunk in enumerate(track(chunks(), f"{description}: ties", total=len(lengths))):
        ids, p = _again(*chunk, lengths, index)
        labelled = ids >= 0
        result.append((labelled, given_probability(ids, p)[labelled]))
    return result
