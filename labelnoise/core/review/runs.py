"""Row numbers written as runs of neighbours, since the units of one decision often follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError

__all__ = ["Runs", "as_runs", "overlap", "rows_of", "runs_of"]

#: ``(first, count)`` of each run, ascending.
Runs = tuple[tuple[int, int], ...]


def runs_of(rows: ArrayLike) -> Runs:
    """The runs of ascending row numbers.

    Examples
    --------
    >>> runs_of([3, 4, 5, 9]), runs_of([])
    (((3, 3), (9, 1)), ())
    """
    array = np.asarray(rows, dtype=np.int64)
    if not len(array):
        return ()
    starts = np.flatnonzero(np.diff(array, prepend=array[0] - 2) != 1)
    lengths = np.diff(starts, append=len(array))
    return tuple(zip(array[starts].tolist(), lengths.tolist(), strict=True))


def rows_of(runs: Runs) -> NDArray[np.int64]:
    """The row numbers of runs.

    Examples
    --------
    >>> rows_of(((3, 3), (9, 1))).tolist()
    [3, 4, 5, 9]
    """
    parts = [np.arange(first, first + count) for first, count in runs]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def as_runs(value: Any) -> Runs:
    """Runs as a file holds them, checked; nothing is as long as their counts say.

    Raises
    ------
    InputError
        Something else than pairs of a row from 0 and a number of rows from 1, ascending and apart.

    Examples
    --------
    >>> as_runs([[3, 3], [9, 1]])
    ((3, 3), (9, 1))
    """
    if not isinstance(value, list) or not all(map(_is_run, value)):
        raise InputError("a run of rows is [first row, number of rows], from 0 and from 1")
    if any(a[0] + a[1] > b[0] for a, b in pairwise(value)):
        raise InputError("runs of rows ascend and do not overlap")
    return tuple((first, count) for first, count in value)


def overlap(runs: Iterable[Sequence[int]]) -> int | None:
    """A row that lies in two of these runs, in whatever order they come; None if there is none.

    Examples
    --------
    >>> overlap([(9, 1), (3, 3), (5, 2)]), overlap([(9, 1), (3, 3)])
    (5, None)
    """
    end = 0
    for first, count in sorted((first, count) for first, count in runs):
        if first < end:
            return first
        end = first + count
    return None


def _is_run(run: Any) -> bool:
    return (
        isinstance(run, list)
        and len(run) == 2
        and all(isinstance(value, int) and not isinstance(value, bool) for value in run)
        and 0 <= run[0] < 2**62
        and 1 <= run[1] < 2**62
    )
