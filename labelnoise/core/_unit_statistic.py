"""What every statistic of training keeps to: checked batches, arrays by unit id, state as plain arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import NO_LABEL, InputError, as_labels

__all__ = ["ONE", "Batch", "UnitStatistic", "as_batch", "as_ids", "as_numbers", "finite", "to_numpy"]

#: What counters of int32 add: numpy.add.at is ten times slower where it has to convert.
ONE = np.int32(1)

Batch = tuple[NDArray[np.floating[Any]], NDArray[np.int64], NDArray[np.int64]]


def to_numpy(values: Any) -> NDArray[Any]:
    """An array of array-likes, of tensors on any device and of those with a gradient or in bfloat16."""
    if not hasattr(values, "detach"):
        return np.asarray(values)
    tensor = values.detach()
    if tensor.device.type != "cpu":
        tensor = tensor.cpu()
    try:
        array: NDArray[Any] = tensor.numpy()
    except TypeError:
        array = tensor.float().numpy()
    return array


def as_ids(unit_ids: Any, m: int, n_units: int) -> NDArray[np.int64]:
    """Check unit ids of a batch of m: whole numbers from 0 to n_units - 1."""
    ids = to_numpy(unit_ids)
    if ids.dtype != np.int64:
        if ids.size and ids.dtype.kind not in "iu":
            raise InputError(
                f"unit_ids holds {ids.dtype} values; whole numbers from 0 to {n_units - 1} are needed."
            )
        ids = ids.astype(np.int64)
    if ids.shape != (m,):
        raise InputError(f"unit_ids has shape {ids.shape} for a batch of {m}; give one id per unit.")
    # Seen as unsigned, an id below 0 is too large: one pass instead of two.
    if m and int(ids.view(np.uint64).max()) >= n_units:
        raise InputError(
            f"unit_ids run from {int(ids.min())} to {int(ids.max())}; ids of {n_units} units lie from 0 to "
            f"{n_units - 1}."
        )
    return ids


def as_numbers(values: Any, name: str, ndim: int) -> NDArray[np.floating[Any]]:
    """Floats of single or double precision with so many dimensions; what they hold is not looked at."""
    array = to_numpy(values)
    if array.dtype != np.float32 and array.dtype != np.float64:
        array = array.astype(np.float64)
    if array.ndim != ndim:
        shape = "one number per unit" if ndim == 1 else "(units, classes)"
        raise InputError(f"{name} has shape {array.shape}; {shape} is needed.")
    return array


def as_batch(logits: Any, labels: Any, unit_ids: Any, n_units: int) -> Batch:
    """Check a batch and leave out its units of label -1: logits (m, K), labels (m,), ids (m,).

    Whoever uses the logits makes sure that they are numbers, see `finite`.
    """
    z = as_numbers(logits, "logits", 2)
    m, k = z.shape
    y = to_numpy(labels)
    if y.dtype != np.int64 or y.ndim != 1:
        y = as_labels(y)
    if len(y) != m:
        raise InputError(f"labels has {len(y)} entries for {m} rows of logits; give one per row.")
    ids = as_ids(unit_ids, m, n_units)
    if m and int(y.view(np.uint64).max()) >= k:
        known = as_labels(y, n_classes=k) != NO_LABEL
        return z[known], y[known], ids[known]
    return z, y, ids


def finite(values: NDArray[np.floating[Any]], name: str = "logits") -> NDArray[np.floating[Any]]:
    """The values themselves if all are numbers; else nothing was updated and an error says so."""
    flat = values.reshape(-1)
    # A sum of squares is a number only if all summands are; it is seldom too large although they are.
    if not math.isfinite(flat.dot(flat)) and not np.isfinite(flat).all():
        raise InputError(
            f"{name} holds NaN or infinity in labelled units: the model diverged, nothing was updated."
        )
    return values


class UnitStatistic:
    """Base of the statistics: a few arrays of shape (n_units,), and their state.

    Subclasses name their arrays and counters in `_FIELDS` and what must agree on loading in `_SETTINGS`.
    """

    _FIELDS: ClassVar[tuple[str, ...]] = ()
    _SETTINGS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, n_units: int) -> None:
        if n_units < 0:
            raise InputError(f"n_units is {n_units}; a number of units >= 0 is needed.")
        self.n_units = int(n_units)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all state as plain arrays: ``numpy.savez(file, **statistic.state_dict())`` saves it."""
        return {name: np.array(getattr(self, name)) for name in (*self._FIELDS, *self._SETTINGS)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state, in place; an open ``numpy.load(file)`` is one.

        Raises
        ------
        InputError
            A state of another statistic, another data set or other settings; nothing is changed then.
        """
        names = (*self._FIELDS, *self._SETTINGS)
        if set(state) != set(names):
            raise InputError(
                f"The state holds {sorted(state)} but {sorted(names)} are needed; it is of another kind."
            )
        loaded = {name: np.asarray(state[name]) for name in names}
        for name in self._SETTINGS:
            mine = np.asarray(getattr(self, name))
            if not np.array_equal(loaded[name], mine):
                raise InputError(
                    f"The state was made with {name} {loaded[name]} but it is {mine} here; make them agree."
                )
        for name in self._FIELDS:
            mine = getattr(self, name)
            if loaded[name].shape != np.shape(mine):
                raise InputError(
                    f"The saved {name} has shape {loaded[name].shape} but {np.shape(mine)} is needed; "
                    "the state is of another data set."
                )
        for name in self._FIELDS:
            mine = getattr(self, name)
            if isinstance(mine, np.ndarray):
                np.copyto(mine, loaded[name])
            else:
                setattr(self, name, type(mine)(loaded[name]))
