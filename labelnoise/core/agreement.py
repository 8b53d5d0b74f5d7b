"""Selection by agreement: several classifiers or detectors vote on which labels are wrong."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_labels, choose

__all__ = ["consensus_filter", "majority_filter", "vote"]


def vote(
    flags: ArrayLike, *, agreement: Literal["any", "majority", "consensus"] = "majority"
) -> NDArray[np.bool_]:
    """Flag the units that enough of several detectors flag.

    Parameters
    ----------
    flags : array_like of bool, shape (m, n)
        One row of flags per detector.
    agreement : {"any", "majority", "consensus"}
        At least one, more than half, or all of the m detectors.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    InputError
        ``flags`` is not a matrix of booleans with a row, unknown ``agreement``.

    References
    ----------
    Brodley, Friedl (1999), Identifying mislabeled training data, JAIR 11, section 3.

    Examples
    --------
    >>> vote([[True, True, False], [True, False, False], [True, True, True]])
    array([ True,  True, False])
    >>> vote([[True, True, False], [True, False, False]], agreement="consensus")
    array([ True, False, False])
    """
    choose(agreement, ("any", "majority", "consensus"), "agreement")
    rows = np.asarray(flags)
    if rows.ndim != 2 or not len(rows) or rows.dtype != bool:
        raise InputError(
            f"flags has shape {rows.shape} and type {rows.dtype}; booleans of shape (detectors, units) "
            "with at least one detector are needed."
        )
    return _enough(np.count_nonzero(rows, axis=0), len(rows), agreement)


def majority_filter(labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.bool_]:
    """Flag the labels that more than half of several classifiers predict otherwise.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are never flagged.
    predictions : array_like of int, shape (m, n)
        Out-of-sample predictions of m classifiers; -1 where a classifier made none, which then has no
        vote on that unit.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    InputError
        Wrong shapes or values.

    References
    ----------
    Brodley, Friedl (1999), Identifying mislabeled training data, JAIR 11, section 3.2.

    Examples
    --------
    >>> majority_filter([0, 0, 1, -1], [[0, 1, 1, 1], [0, 1, 0, 1], [1, 0, 1, 1]])
    array([False,  True, False, False])
    """
    return _misclassified(labels, predictions, "majority")


def consensus_filter(labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.bool_]:
    """Flag the labels that all of several classifiers predict otherwise.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are never flagged.
    predictions : array_like of int, shape (m, n)
        Out-of-sample predictions of m classifiers; -1 where a classifier made none, which then has no
        vote on that unit. A unit without any vote is not flagged.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    InputError
        Wrong shapes or values.

    References
    ----------
    Brodley, Friedl (1999), Identifying mislabeled training data, JAIR 11, section 3.2.

    Examples
    --------
    >>> consensus_filter([0, 0, 1, -1], [[0, 1, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]])
    array([False,  True, False, False])
    """
    return _misclassified(labels, predictions, "consensus")


def _misclassified(labels: ArrayLike, predictions: ArrayLike, agreement: str) -> NDArray[np.bool_]:
    ids = as_labels(labels)
    rows = np.asarray(predictions)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != len(ids):
        raise InputError(
            f"predictions has shape {rows.shape} for {len(ids)} units; one row per classifier "
            "with one class id per unit is needed."
        )
    voters = np.zeros(len(ids), dtype=np.int64)
    against = np.zeros(len(ids), dtype=np.int64)
    for index, row in enumerate(rows):
        predicted = as_labels(row, name=f"predictions of classifier {index}")
        voters += predicted >= 0
        against += (predicted >= 0) & (predicted != ids)
    return _enough(against, voters, agreement) & (ids >= 0)


def _enough(votes: NDArray[Any], voters: Any, agreement: str) -> NDArray[np.bool_]:
    if agreement == "any":
        return np.asarray(votes > 0)
    if agreement == "majority":
        return np.asarray(2 * votes > voters)
    return np.asarray((votes == voters) & (votes > 0))
