"""Exact order statistics of many groups of numbers that are read several times and never held together.

Floats are turned into whole numbers of the same order. Each reading counts, per group, how many numbers begin with
which digits and so fixes the next digits of the one sought; as soon as few enough numbers share the digits that are
known, the next reading holds those and sorts them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._streamed_mean import ReadingsDiffer
from labelnoise.core._survey import Floats

__all__ = ["GroupCuts", "float_of_key", "ordered_key"]

#: Counters held together: 32 MiB.
_COUNTERS = 1 << 22

#: Numbers held together by the last reading.
_HELD = 1 << 20

#: Digits fixed by one reading, at least (however many groups there are) and at most, in bits.
_BITS = (4, 16)

_TOP = np.uint64(1 << 63)


def ordered_key(values: Floats) -> NDArray[np.uint64]:
    """Whole numbers in the order of the floats; both zeros get the same.

    Examples
    --------
    >>> keys = ordered_key(np.array([-1.0, -0.0, 0.0, 1e-300, 0.5]))
    >>> bool((np.diff(keys.astype(object)) >= 0).all()), int(keys[1]) == int(keys[2])
    (True, True)
    """
    kind = _whole_numbers(values.dtype)
    signed: NDArray[Any] = (values + values.dtype.type(0)).view(kind)  # -0.0 becomes 0.0
    return _turned(signed, kind).astype(np.int64).view(np.uint64) ^ _TOP


def float_of_key(keys: NDArray[np.uint64], dtype: Any) -> Floats:
    """The floats of `ordered_key`."""
    kind = _whole_numbers(dtype)
    floats: Floats = _turned((keys ^ _TOP).view(np.int64).astype(kind), kind).view(dtype)
    return floats


def _whole_numbers(dtype: Any) -> Any:
    return np.int32 if np.dtype(dtype) == np.float32 else np.int64


def _turned(signed: NDArray[Any], kind: Any) -> NDArray[Any]:
    """Negative floats run backwards in their bits below the sign; turned once they run on, twice back again."""
    return np.where(signed < 0, signed ^ kind(np.iinfo(kind).max), signed)


class GroupCuts:
    """For every group g the ``ranks[g]``-th lowest of its numbers.

    While `open`, call `begin`, then `add` with all numbers of all groups in pieces, then `end`.

    Parameters
    ----------
    ranks : ndarray of int, shape (G,)
        From 1 to the size of the group.
    sizes : ndarray of int, shape (G,)
        How many numbers each group has.
    dtype : dtype
        float32 or float64.
    low, high : float
        Bounds of all numbers.
    counters, held : int
        How many counters and numbers to hold together.

    Attributes
    ----------
    left : ndarray of int, shape (G,)
        When no longer open: how many of the numbers equal to the cut are among the lowest.
    inside : ndarray of int, shape (G,)
        When no longer open: how many numbers equal the cut.

    Examples
    --------
    >>> cuts = GroupCuts(np.array([2, 1]), np.array([3, 2]), np.float64, 0, 9)
    >>> while cuts.open:
    ...     cuts.begin()
    ...     cuts.add(np.array([0, 0, 1]), np.array([5.0, 2.0, 7.0]))
    ...     cuts.add(np.array([1, 0]), np.array([8.0, 5.0]))
    ...     cuts.end()
    >>> cuts.cuts().tolist(), cuts.left.tolist(), cuts.inside.tolist()
    ([5.0, 7.0], [1, 1], [2, 1])
    """

    def __init__(
        self,
        ranks: NDArray[np.int64],
        sizes: NDArray[np.int64],
        dtype: Any,
        low: float,
        high: float,
        *,
        counters: int = _COUNTERS,
        held: int = _HELD,
    ) -> None:
        self.left = ranks.astype(np.int64)
        self.inside = sizes.astype(np.int64)
        self.dtype = np.dtype(dtype)
        self._base, last = ordered_key(np.array([low, high], dtype=self.dtype))
        self._span = last - self._base
        self._unknown = int(self._span).bit_length() if len(ranks) else 0
        self._prefix = np.zeros(len(ranks), dtype=np.uint64)
        self._counters, self._most_held = counters, held
        self._digits = 0
        self._counts: NDArray[np.int64] | None = None
        self._held: list[tuple[NDArray[Any], NDArray[np.uint64]]] = []

    @property
    def open(self) -> bool:
        """Another reading is needed."""
        return self._unknown > 0

    def begin(self) -> None:
        """Start a reading."""
        groups = len(self.left)
        self._held, self._counts = [], None
        if int(self.inside.sum()) > self._most_held:
            least, most = _BITS
            affordable = max(self._counters // groups, 1).bit_length() - 1
            self._digits = min(max(affordable, least), most, self._unknown)
            self._counts = np.zeros(groups << self._digits, dtype=np.int64)

    def add(self, groups: NDArray[Any], values: Floats) -> None:
        """Numbers of the groups given beside them."""
        keys = ordered_key(values)
        # Bounds hold for what was checked; what changes between readings must not lead out of the counters.
        keys = np.minimum(np.maximum(keys, self._base) - self._base, self._span)
        if (above := np.uint64(self._unknown)) < int(self._span).bit_length():
            near = np.flatnonzero(keys >> above == self._prefix[groups])
            groups, keys = groups[near], keys[near]
        if self._counts is None:
            self._held.append((groups, keys))
            return
        below = np.uint64(self._unknown - self._digits)
        digits = (keys >> below) & np.uint64((1 << self._digits) - 1)
        cells = (groups.astype(np.int64) << self._digits) + digits.astype(np.int64)
        np.add.at(self._counts, cells, 1)

    def partial(self) -> tuple[NDArray[Any], ...]:
        """What was added since `begin`, for the search of another process; this one forgets it."""
        if self._counts is None:
            groups = np.concatenate([np.empty(0, np.int64), *(g for g, _ in self._held)])
            keys = np.concatenate([np.empty(0, np.uint64), *(key for _, key in self._held)])
            self._held = []
            return groups, keys
        cells = np.flatnonzero(self._counts)
        counted = self._counts[cells]
        self._counts[cells] = 0
        return cells, counted

    def merge(self, partial: tuple[NDArray[Any], ...]) -> None:
        """Add what another process found with a copy of this search; order does not matter."""
        first, second = partial
        if self._counts is None:
            self._held.append((first, second))
        else:
            self._counts[first] += second

    def end(self) -> None:
        """Finish a reading.

        Raises
        ------
        ReadingsDiffer
            The numbers are not those of the readings before.
        """
        if self._counts is None:
            self._sort()
        else:
            self._descend(self._counts.reshape(len(self.left), -1))
            self._counts = None

    def cuts(self) -> Floats:
        """The number sought of every group."""
        return float_of_key(self._prefix + self._base, self.dtype)

    def _descend(self, counts: NDArray[np.int64]) -> None:
        """Fix the digits that were counted."""
        self._same(counts.sum(axis=1))
        up_to = np.cumsum(counts, axis=1, out=counts)
        digit = (up_to < self.left[:, None]).sum(axis=1)
        group = np.arange(len(digit))
        before = np.where(digit > 0, up_to[group, digit - 1], 0)
        self.inside = up_to[group, digit] - before
        self.left = self.left - before
        self._prefix = (self._prefix << np.uint64(self._digits)) | digit.astype(np.uint64)
        self._unknown -= self._digits

    def _sort(self) -> None:
        """Find the cuts among the numbers held, which are all that begin as the ones sought do."""
        groups = np.concatenate([np.empty(0, np.int64), *(g for g, _ in self._held)])
        keys = np.concatenate([np.empty(0, np.uint64), *(key for _, key in self._held)])
        self._held = []
        self._same(np.bincount(groups, minlength=len(self.left)))
        order = np.lexsort((keys, groups))
        keys = keys[order]
        ends = np.cumsum(self.inside)
        cut = keys[ends - self.inside + self.left - 1]
        equal = keys == np.repeat(cut, self.inside)
        lower = keys < np.repeat(cut, self.inside)
        starts = ends - self.inside
        self.left = self.left - np.add.reduceat(lower, starts, dtype=np.int64)
        self.inside = np.add.reduceat(equal, starts, dtype=np.int64)
        self._prefix = cut
        self._unknown = 0

    def _same(self, sizes: NDArray[np.int64]) -> None:
        if not np.array_equal(sizes, self.inside):
            raise ReadingsDiffer("the numbers differ from those of the reading before")
