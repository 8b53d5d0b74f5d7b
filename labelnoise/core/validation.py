"""Checking input once, at the edge, with one sentence that says what was passed, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "NO_LABEL",
    "InputError",
    "as_labels",
    "as_multilabel",
    "as_probs",
    "as_rate",
    "as_transition",
    "check_same_length",
    "choose",
]

#: The label of a unit that has none. Every modality translates its own sentinel (-100, 255, ...) to this.
NO_LABEL = -1

#: Characters of an `InputError` that are shown.
LONGEST_MESSAGE = 1200
#: Entries of a matrix checked at a time: half a mebibyte of float64.
_BLOCK_ENTRIES = 1 << 16


class InputError(ValueError):
    """Input that cannot be used; the message names what was passed, what is allowed and the fix.

    The command line prints the message as one sentence and exits with code 2. What a file holds may be quoted in it,
    so that a message of more than `LONGEST_MESSAGE` characters loses its middle.
    """

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE - 400]} [...] {message[-390:]}"
        super().__init__(message)


def choose(value: str, allowed: Iterable[str], what: str) -> str:
    """Return ``value`` if it is one of ``allowed``, else refuse it and name the nearest allowed one.

    Examples
    --------
    >>> choose("symmetric", ["symmetric", "pair"], "noise kind")
    'symmetric'
    >>> choose("symetric", ["symmetric", "pair"], "kind")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown kind 'symetric'. Choose one of: pair, symmetric. Did you mean 'symmetric'?
    """
    names = sorted(allowed)
    if value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(f"Unknown {what} {value!r}. Choose one of: {', '.join(names)}.{hint}")


def as_labels(
    labels: ArrayLike, *, n_classes: int | None = None, name: str = "labels", keep_narrow: bool = False
) -> NDArray[Any]:
    """Check single-label class ids of shape (n,), integers from 0 to K - 1, with -1 for "no label".

    Parameters
    ----------
    labels : array_like of shape (n,)
        Class ids. Floats are accepted only when they are whole numbers.
    n_classes : int, optional
        K; larger ids are refused.
    name : str
        What the caller calls them, for the message.
    keep_narrow : bool
        Leave int8, int16 and int32 as they are, without a copy: an eighth of the memory for pixels.

    Returns
    -------
    ndarray of int64, shape (n,)
        Or of the narrower signed type that was passed, with ``keep_narrow``.

    Raises
    ------
    InputError
        Wrong dimension, fractions, NaN, ids below -1 or above K - 1.

    Examples
    --------
    >>> as_labels([0, 2, -1], n_classes=3)
    array([ 0,  2, -1])
    """
    array = np.asarray(labels)
    if array.ndim != 1:
        raise InputError(
            f"{name} has shape {array.shape}; a vector with one class id per unit is needed. "
            "For a 0/1 indicator matrix use the multi-label functions."
        )
    if array.dtype == bool:
        array = array.astype(np.int64)
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
            raise InputError(
                f"{name} holds fractions or NaN; class ids are whole numbers, -1 for 'no label'."
            )
    elif array.size and array.dtype.kind not in "iu":
        raise InputError(
            f"{name} holds {array.dtype} values; class ids are whole numbers from 0, -1 for 'no label'. "
            "Map names to ids first, for instance with numpy.unique(names, return_inverse=True)."
        )
    narrow = keep_narrow and array.dtype in (np.int8, np.int16, np.int32)
    result = array if narrow else array.astype(np.int64)
    if result.size:
        low, high = int(result.min()), int(result.max())
        if low < NO_LABEL:
            raise InputError(
                f"{name} holds {low}; class ids start at 0 and only -1 means 'no label'. "
                "Translate other sentinels (such as -100) to -1 first."
            )
        if n_classes is not None and high >= n_classes:
            raise InputError(
                f"{name} holds class id {high} but there are {n_classes} classes (ids 0 to {n_classes - 1})."
            )
    return result


def as_multilabel(labels: ArrayLike, *, name: str = "labels") -> NDArray[np.int8]:
    """Check a multi-label indicator matrix of shape (n, K) in {0, 1}, with -1 for an unknown cell.

    Examples
    --------
    >>> as_multilabel([[0, 1], [1, -1]]).tolist()
    [[0, 1], [1, -1]]
    """
    array = np.asarray(labels)
    if array.ndim != 2:
        raise InputError(
            f"{name} has shape {array.shape}; a matrix (units, classes) of 0, 1 or -1 is needed."
        )
    # For whole numbers the range says it all, at a tenth of the cost of comparing every entry.
    known = _within(array, -1, 1) if array.dtype.kind in "biu" else bool(np.isin(array, (-1, 0, 1)).all())
    if array.size and not known:
        raise InputError(
            f"{name} holds values other than 0, 1 and -1 (unknown); convert it to an indicator matrix."
        )
    return array.astype(np.int8)


def _within(array: NDArray[Any], low: int, high: int) -> bool:
    return array.size == 0 or bool(array.min() >= low and array.max() <= high)


def as_probs(
    probs: ArrayLike, *, n: int | None = None, multilabel: bool = False, name: str = "probs"
) -> NDArray[np.floating[Any]]:
    """Check class probabilities of shape (n, K), float32 or float64, each row summing to 1.

    Parameters
    ----------
    probs : array_like of shape (n, K)
    n : int, optional
        The number of units that must be covered.
    multilabel : bool
        Columns are independent probabilities; rows need not sum to 1.
    name : str
        What the caller calls them, for the message.

    Raises
    ------
    InputError
        Wrong shape, NaN or infinity, values outside [0, 1], rows that do not sum to 1.

    Examples
    --------
    >>> as_probs([[0.2, 0.8], [0.5, 0.5]]).shape
    (2, 2)
    """
    array = np.asarray(probs)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2:
        raise InputError(f"{name} has shape {array.shape}; a matrix (units, classes) is needed.")
    if n is not None and array.shape[0] != n:
        raise InputError(
            f"{name} has {array.shape[0]} rows for {n} units; give one row per unit, in their order."
        )
    # Block by block, so that a memory map is read once and nothing of its size is made.
    ones = np.ones(array.shape[1], dtype=array.dtype)
    step = max(1, _BLOCK_ENTRIES // max(array.shape[1], 1))
    for start in range(0, len(array) if array.size else 0, step):
        block = array[start : start + step]
        low, high = float(block.min()), float(block.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError(
                f"{name} holds NaN or infinity; check the model that made it, nothing was guessed."
            )
        if low < -1e-6 or high > 1 + 1e-6:
            raise InputError(
                f"{name} has values from {float(array.min()):.3g} to {float(array.max()):.3g}; "
                "probabilities lie in [0, 1]. Apply softmax (or sigmoid for multi-label) to logits first."
            )
        if not multilabel:
            sums = block @ ones
            worst = int(np.argmax(np.abs(sums - 1)))
            if abs(float(sums[worst]) - 1) > 1e-2:
                raise InputError(
                    f"{name} row {start + worst} sums to {float(sums[worst]):.4g}; single-label rows sum to 1. "
                    "Normalise the rows, or use the multi-label functions for independent columns."
                )
    return array


def as_rate(rate: float, *, name: str = "rate", upper: float = 1.0) -> float:
    """Check a rate in [0, upper].

    Examples
    --------
    >>> as_rate(0.1)
    0.1
    """
    value = float(rate)
    if not 0.0 <= value <= upper:
        raise InputError(f"{name} is {rate}; it must lie from 0 to {upper:g} (0.1 means ten per cent).")
    return value


def as_transition(transition: ArrayLike, *, name: str = "transition") -> NDArray[np.float64]:
    """Check a row-stochastic transition matrix T of shape (K, K), ``T[i, j] = P(given = j | true = i)``.

    Examples
    --------
    >>> as_transition([[0.9, 0.1], [0.2, 0.8]]).sum(axis=1)
    array([1., 1.])
    """
    matrix = np.asarray(transition, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"{name} has shape {matrix.shape}; a square matrix (classes, classes) is needed.")
    if matrix.size and (not np.isfinite(matrix).all() or matrix.min() < -1e-9):
        raise InputError(f"{name} holds negative or non-finite entries; they are probabilities.")
    if matrix.size and np.abs(matrix.sum(axis=1) - 1).max() > 1e-6:
        raise InputError(
            f"{name} has rows that do not sum to 1; T[i, j] = P(given = j | true = i), so rows are true classes. "
            "Transpose a column-stochastic matrix first."
        )
    return matrix


def check_same_length(**arrays: Any) -> int:
    """Return the common first length of the named arrays, or refuse them with all lengths named.

    Examples
    --------
    >>> check_same_length(labels=[0, 1], probs=[[1, 0], [0, 1]])
    2
    """
    lengths = {name: len(value) for name, value in arrays.items() if value is not None}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"Lengths differ: {listed}; give one entry per unit in each.")
    return next(iter(lengths.values()), 0)
