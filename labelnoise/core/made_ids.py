"""Names of units that are made when they are read: millions of pixels or tags need no list of text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MadeIds"]


class MadeIds(ABC):
    """Behaves as an array of text, one name per unit, whose entries are made when they are read.

    A subclass says how many there are and how some are called. Reading takes an integer, a slice, an array of
    integers or a mask, as of a NumPy array.

    Examples
    --------
    >>> class Squares(MadeIds):
    ...     def __len__(self):
    ...         return 1000
    ...     def named(self, units):
    ...         return [f"square {unit ** 2}" for unit in units.tolist()]
    >>> Squares()[-1], Squares()[[1, 3]]
    ('square 998001', array(['square 1', 'square 9'], dtype=object))
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def named(self, units: NDArray[np.int64]) -> list[str]:
        """The names of these units, each from 0 to ``len(self) - 1``."""

    def __getitem__(self, index: Any) -> Any:
        one = np.ndim(index) == 0 and not isinstance(index, slice)
        key = np.asarray(index) if isinstance(index, list | tuple) else index
        if isinstance(key, slice):
            units = np.arange(*key.indices(len(self)))
        elif isinstance(key, np.ndarray) and key.dtype == bool:
            units = np.flatnonzero(key)
        else:
            units = np.atleast_1d(np.asarray(key, dtype=np.int64))
        if units.size and (units.min() < -len(self) or units.max() >= len(self)):
            raise IndexError(f"Unit {int(units.max())} is beyond the last, {len(self) - 1}.")
        made = self.named(units % len(self) if len(self) else units)
        return made[0] if one else np.array(made, dtype=object)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)
