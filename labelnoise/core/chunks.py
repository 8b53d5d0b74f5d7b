"""Units in chunks that are read again and again: cut from memory maps, checked once."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import Floats, check_units, id_type
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError

__all__ = ["Chunk", "Passes", "row_chunks"]

Chunk = tuple[ArrayLike, ArrayLike]

#: Entries of probabilities per chunk by default: 16 MiB of float32.
_ENTRIES = 1 << 22


def row_chunks(
    labels: NDArray[Any], probs: NDArray[Any], *, units: int | None = None
) -> Callable[[], Iterator[Chunk]]:
    """Cut labels and probabilities into chunks of rows, every time the result is called.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        For instance a memory map.
    probs : ndarray, shape (n, K)
        For instance a memory map; in C order, or every chunk reads from all over the file.
    units : int, optional
        Rows per chunk; by default as many as hold some four million probabilities.

    Returns
    -------
    callable
        Returns an iterator over ``(labels, probs)`` of each chunk; views, not copies. The pages of memory maps opened
        with mode "r" are handed back to the system after each chunk, so that they do not pile up in this process.

    Raises
    ------
    InputError
        Arrays of other shapes, or ``units`` below 1.

    Examples
    --------
    >>> read = row_chunks(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), units=2)
    >>> [labels.tolist() for labels, probs in read()]
    [[0, 1], [1]]
    """
    if getattr(labels, "ndim", None) != 1 or getattr(probs, "ndim", None) != 2 or len(labels) != len(probs):
        shapes = f"{getattr(labels, 'shape', type(labels).__name__)} and {getattr(probs, 'shape', type(probs).__name__)}"
        raise InputError(
            f"labels and probs have shapes {shapes}; arrays of shapes (n,) and (n, K) are needed."
        )
    if units is not None and (units < 1 or units != int(units)):
        raise InputError(f"units is {units}; a chunk has a whole number of rows, at least 1.")
    step = int(units) if units is not None else max(1, _ENTRIES // max(probs.shape[1], 1))

    def read() -> Iterator[Chunk]:
        for start in range(0, len(labels), step):
            yield labels[start : start + step], probs[start : start + step]
            _forget(labels)
            _forget(probs)

    return read


def _forget(array: NDArray[Any]) -> None:
    """Hand the pages of a read-only memory map back; they are read from the file if needed again."""
    # Only mode "r": pages that were written to in a private copy (mode "c") would be lost.
    if not (isinstance(array, np.memmap) and array.mode == "r" and hasattr(mmap, "MADV_DONTNEED")):
        return
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


class Passes:
    """Reads the same chunks several times: checked in full the first time, for their lengths after that.

    Attributes
    ----------
    n, k : int
        Units and classes, after `check`.
    per_class : ndarray of int, shape (K,)
        Units given each class.
    """

    def __init__(self, chunks: Callable[[], Iterable[Chunk]] | Iterable[Chunk], description: str) -> None:
        if callable(chunks):
            self._read = chunks
        elif isinstance(chunks, Iterator) or not isinstance(chunks, Iterable):
            raise InputError(
                f"chunks is {type(chunks).__name__}, which cannot be read several times; pass a list of "
                "(labels, probs), or a function that returns a new iterator each time."
            )
        else:
            self._read = lambda: chunks
        self._description = description
        self._lengths: list[int] = []
        self._dtype: Any = None
        self.k = 0
        self.per_class = np.zeros(0, dtype=np.int64)

    @property
    def n(self) -> int:
        return sum(self._lengths)

    def check(self) -> None:
        """Read and check every unit."""
        for labels, probs in track(self._read(), f"{self._description}: check"):
            ids, p = check_units(labels, probs)
            if not self._lengths:
                self.k, self._dtype = p.shape[1], p.dtype
                self.per_class = np.zeros(self.k, dtype=np.int64)
            place = len(self._lengths)
            if p.shape[1] != self.k:
                raise InputError(
                    f"Chunk {place} has {p.shape[1]} classes, those before it {self.k}; "
                    "all chunks need the same classes."
                )
            if p.dtype != self._dtype:
                raise InputError(
                    f"Chunk {place} holds {p.dtype} probabilities, those before it {self._dtype}; "
                    "all chunks need the same type."
                )
            self.per_class += np.bincount(ids[ids >= 0], minlength=self.k)
            self._lengths.append(len(ids))

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(self._lengths)

    @property
    def dtype(self) -> Any:
        """Type of the probabilities, None before `check`."""
        return self._dtype

    def known(self, lengths: tuple[int, ...], k: int, dtype: Any, per_class: NDArray[np.int64]) -> None:
        """Instead of `check`: what it found in another process."""
        self._lengths, self.k, self._dtype, self.per_class = list(lengths), k, dtype, per_class

    def again(self, what: str) -> Iterator[tuple[slice, NDArray[Any], Floats]]:
        """The place, labels and probabilities of every chunk, once more."""
        start = index = 0
        bar = track(self._read(), f"{self._description}: {what}", total=len(self._lengths))
        for index, (labels, probs) in enumerate(bar, 1):
            p = np.asarray(probs)
            if p.dtype not in (np.float32, np.float64):
                p = p.astype(np.float64)
            given = np.asarray(labels)
            same = index <= len(self._lengths) and len(given) == len(p) == self._lengths[index - 1]
            if not same or p.shape[1:] != (self.k,) or p.dtype != self._dtype:
                raise self.changed()
            yield slice(start, start + len(p)), given.astype(id_type(self.k)), p
            start += len(p)
        if index != len(self._lengths):
            raise self.changed()

    def changed(self) -> InputError:
        """What to say when a reading is not like the first."""
        return InputError(
            "chunks are not the same at every reading; a function must return the same chunks every time "
            "(a generator that is used up does not)."
        )
