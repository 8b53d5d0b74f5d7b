"""NumPy's mean of values that arrive in pieces, to the last bit.

``numpy.mean`` adds in a binary tree whose shape depends on the number of values alone. With the number known, the tree
is walked while the values come in: its lower branches are summed by NumPy itself, the upper ones here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from labelnoise.core._survey import Floats

__all__ = ["ReadingsDiffer", "StreamedMean", "leaves", "mean_of_leaves"]

#: Branches of at most as many values are left to NumPy. It splits down to 128, so this may not be less.
_BRANCH = 1 << 10

#: Splits fall on multiples of this, the number of sums that NumPy runs side by side.
_UNROLLED = 8


class ReadingsDiffer(ValueError):
    """What is read now is not what was read before."""


class StreamedMean:
    """The mean of exactly ``n`` values, added piece by piece; equal to ``numpy.mean`` of them all.

    Examples
    --------
    >>> values = np.random.default_rng(0).random(5000).astype(np.float32)
    >>> mean = StreamedMean(5000)
    >>> mean.add(values[:1234])
    >>> mean.add(values[1234:])
    >>> bool(mean.value() == np.mean(values))
    True
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._total: Any = None
        self._pieces: list[Floats] = []
        self._held = 0
        self._missing = n
        self._tree = _tree(n)
        self._wanted = next(self._tree)

    def add(self, values: Floats) -> None:
        """The next values, in order."""
        self._missing -= len(values)
        if self._missing < 0:
            raise ReadingsDiffer("more values than announced")
        self._pieces.append(values)
        self._held += len(values)
        if self._held < self._wanted or self._total is not None:
            return
        joined = np.concatenate(self._pieces)
        start = 0
        while self._total is None and len(joined) - start >= self._wanted:
            branch = joined[start : start + self._wanted]
            start += self._wanted
            try:
                self._wanted = self._tree.send(branch)
            except StopIteration as end:
                self._total = end.value
        self._pieces, self._held = [joined[start:].copy()], len(joined) - start

    def value(self) -> Any:
        """The mean, in the type of the values."""
        if self._missing:
            raise ReadingsDiffer("fewer values than announced")
        # In double precision and rounded once more, as NumPy does for float32.
        return self._total.dtype.type(self._total / np.intp(self._n))


def leaves(n: int, low: int, high: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """The branches of `numpy.add.reduce` of n values that are summed in one go: start and size of those within a range.

    Examples
    --------
    >>> list(leaves(3000, 0, 3000)), list(leaves(3000, 800, 1000))
    ([(0, 744), (744, 752), (1496, 752), (2248, 752)], [(744, 752)])
    """
    if low >= high or start >= high or start + n <= low:
        return
    if n <= _BRANCH:
        yield start, n
        return
    half = n // 2
    half -= half % _UNROLLED
    yield from leaves(half, low, high, start)
    yield from leaves(n - half, low, high, start + half)


def mean_of_leaves(n: int, sums: Iterator[Any]) -> Any:
    """NumPy's mean of n values from the sums of all their `leaves`, in order."""
    total = _sum_of_leaves(n, sums)
    return total.dtype.type(total / np.intp(n))


def _sum_of_leaves(n: int, sums: Iterator[Any]) -> Any:
    if n <= _BRANCH:
        return next(sums)
    half = n // 2
    half -= half % _UNROLLED
    left = _sum_of_leaves(half, sums)
    return left + _sum_of_leaves(n - half, sums)


def _tree(n: int) -> Generator[int, Floats, Any]:
    """Sum of the next n values: yields how many are wanted, is sent them, returns the sum."""
    if n <= _BRANCH:
        values = yield n
        return np.add.reduce(values)
    half = n // 2
    half -= half % _UNROLLED
    left = yield from _tree(half)
    right = yield from _tree(n - half)
    return left + right
