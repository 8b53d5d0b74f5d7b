"""Estimating how labels get wrong: the confident joint, and T, its inverse and the class prior from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import Survey, check_units, given_probability, survey, thresholds_of
from labelnoise.core.validation import InputError, as_labels

__all__ = [
    "calibrate_joint",
    "confident_joint",
    "confident_thresholds",
    "inverse_transition_from_joint",
    "prior_from_joint",
    "transition_from_joint",
]

_TINY = 1e-100


def confident_thresholds(labels: ArrayLike, probs: ArrayLike) -> NDArray[np.floating[Any]]:
    """Mean probability that the units given class j have for class j, per class.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1.

    Returns
    -------
    ndarray of float, shape (K,)
        In [2e-6, 1]; 2 for a class that no unit is given, which no probability reaches.

    Raises
    ------
    InputError
        Labels or probabilities that break the shapes and ranges above.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, eq. 2.

    Examples
    --------
    >>> confident_thresholds([0, 0, 1], [[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]])
    array([0.8, 0.6])
    """
    ids, p = check_units(labels, probs)
    thresholds, _ = thresholds_of(ids, given_probability(ids, p), p.shape[1])
    return thresholds


def confident_joint(labels: ArrayLike, probs: ArrayLike, *, calibrate: bool = True) -> NDArray[np.int64]:
    """Count units by given class and by the class that they confidently belong to.

    A unit belongs confidently to class j if its probability reaches the mean probability of the units
    that are given j; with several such classes the most probable class counts, with none the unit is
    left out. Every class keeps at least one correct unit.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are not counted.
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1. A memory map is read block by block.
    calibrate : bool
        Scale the counts so that row i sums to the number of units given class i.

    Returns
    -------
    ndarray of int64, shape (K, K)
        ``C[given, true]``. Note the order: it is the transpose of T's, as in the paper.

    Raises
    ------
    InputError
        Labels or probabilities that break the shapes and ranges above.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, eq. 1-3. Equal to
    ``cleanlab.count.compute_confident_joint`` of cleanlab 2.9 in every entry.

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]]
    >>> confident_joint([0, 0, 0, 1, 1, 1], probs)
    array([[2, 1],
           [0, 3]])
    """
    ids, p = check_units(labels, probs)
    return joint_of(ids, survey(ids, p), p.shape[1], calibrate=calibrate)


def joint_of(labels: NDArray[Any], seen: Survey, k: int, *, calibrate: bool = True) -> NDArray[np.int64]:
    """The confident joint of units that `survey` has looked at."""
    # Counts are gathered as [true, given] and returned transposed: rounding sums in memory order, and
    # the same order as cleanlab's makes the last unit of every row agree too.
    counts = np.zeros(k * k, dtype=np.int64)
    step = max(1 << 16, k * k)
    for start in range(0, len(labels), step):
        own, guess = labels[start : start + step], seen.guess[start : start + step]
        counted = (guess >= 0) & (own >= 0)
        cells = guess[counted].astype(np.int64) * k + own[counted]
        counts += np.bincount(cells, minlength=k * k)
    return joint_of_counts(counts, seen.per_class, calibrate=calibrate)


def joint_of_counts(
    counts: NDArray[np.int64], per_class: NDArray[np.int64], *, calibrate: bool = True
) -> NDArray[np.int64]:
    """The confident joint from its counts in the order [true, given], flat."""
    k = len(per_class)
    joint = counts.reshape(k, k).T
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return scale_joint(joint, per_class) if calibrate else joint


def calibrate_joint(joint: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Scale a confident joint so that row i sums to the number of units given class i, in whole numbers.

    Parameters
    ----------
    joint : array_like, shape (K, K)
        Counts ``C[given, true]``, not negative.
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".

    Returns
    -------
    ndarray of int64, shape (K, K)

    Raises
    ------
    InputError
        ``joint`` is not a square matrix of counts, or labels do not fit it.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, eq. 3. Rounding goes to the nearest
    whole number (halves to even); what is then missing in a row is added where rounding took most,
    and what is too much is taken where it gave most.

    Examples
    --------
    >>> calibrate_joint([[2, 1], [0, 1]], [0, 0, 0, 0, 1, 1])
    array([[3, 1],
           [0, 2]])
    """
    matrix = _as_joint(joint)
    k = len(matrix)
    ids = as_labels(labels, n_classes=k)
    return scale_joint(matrix, np.bincount(ids[ids >= 0], minlength=k))


def scale_joint(matrix: NDArray[Any], per_class: NDArray[np.int64]) -> NDArray[np.int64]:
    """Scale row i of a joint to ``per_class[i]``, in whole numbers."""
    scaled = (matrix.T / np.clip(matrix.sum(axis=1), _TINY, None) * per_class).T
    scaled /= np.clip(np.sum(scaled), _TINY, None)
    scaled *= int(per_class.sum())
    return round_rows(scaled)


def round_rows(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round a matrix to whole numbers such that every row keeps its (rounded) sum."""
    floats = np.ascontiguousarray(matrix, dtype=np.float64)
    rounded = floats.round()
    wanted = floats.sum(axis=1).round()
    for i in np.flatnonzero(rounded.sum(axis=1) != wanted):
        row = rounded[i]
        while (missing := int(wanted[i] - row.sum())) != 0:
            rest = floats[i] - row
            if abs(missing) == 1:
                # The usual case; a sort is needed only to say which of equal remainders comes first.
                most = rest.max() if missing > 0 else rest.min()
                if np.count_nonzero(rest == most) == 1:
                    row[rest.argmax() if missing > 0 else rest.argmin()] += missing
                    break
            order = np.argsort(rest)
            if missing > 0:
                row[order[::-1][:missing]] += 1
            else:
                row[order[:-missing]] -= 1
    return rounded.astype(np.int64)


def transition_from_joint(joint: ArrayLike) -> NDArray[np.float64]:
    """T from a joint of given and true classes: ``T[i, j] = P(given = j | true = i)``.

    Parameters
    ----------
    joint : array_like, shape (K, K)
        Counts or probabilities ``C[given, true]``, as `confident_joint` returns them.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Row-stochastic. A true class that was never seen keeps its label with probability 1, because
        nothing is known against it.

    Raises
    ------
    InputError
        ``joint`` is not a square matrix of numbers >= 0.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3: the columns of the joint,
    normalised. The transpose of the noise matrix of ``cleanlab.count.estimate_latent``.

    Examples
    --------
    >>> transition_from_joint([[3, 1], [1, 1]])
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    return _stochastic(_as_joint(joint).T)


def inverse_transition_from_joint(joint: ArrayLike) -> NDArray[np.float64]:
    """The inverse of T by Bayes: ``R[i, j] = P(true = j | given = i)``, the rows of the joint normalised.

    Parameters
    ----------
    joint : array_like, shape (K, K)
        Counts or probabilities ``C[given, true]``.

    Returns
    -------
    ndarray of float64, shape (K, K)
        Row-stochastic; a class that was never given is taken as right.

    Raises
    ------
    InputError
        ``joint`` is not a square matrix of numbers >= 0.

    Examples
    --------
    >>> inverse_transition_from_joint([[3, 1], [1, 1]])
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    return _stochastic(_as_joint(joint))


def prior_from_joint(joint: ArrayLike) -> NDArray[np.float64]:
    """P(true = j) from a joint of given and true classes.

    Parameters
    ----------
    joint : array_like, shape (K, K)
        Counts or probabilities ``C[given, true]``; calibrate counts first.

    Returns
    -------
    ndarray of float64, shape (K,)
        Sums to 1.

    Raises
    ------
    InputError
        ``joint`` is not a square matrix of numbers >= 0, or holds only zeros.

    Examples
    --------
    >>> prior_from_joint([[3, 1], [0, 4]])
    array([0.375, 0.625])
    """
    matrix = _as_joint(joint).astype(np.float64)
    total = float(matrix.sum())
    if total <= 0:
        raise InputError("The joint holds only zeros; a prior needs at least one counted unit.")
    prior: NDArray[np.float64] = matrix.sum(axis=0) / total
    return prior


def _as_joint(joint: ArrayLike) -> NDArray[Any]:
    matrix = np.asarray(joint)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(
            f"The joint has shape {matrix.shape}; a square matrix (given class, true class) is needed."
        )
    if matrix.dtype.kind not in "iuf" or not np.isfinite(matrix).all() or (matrix.size and matrix.min() < 0):
        raise InputError("The joint holds entries that are not finite numbers >= 0; it counts units.")
    return matrix


def _stochastic(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Rows divided by their sums; a row of zeros becomes that row of the identity."""
    rows = matrix.astype(np.float64)
    totals = rows.sum(axis=1, keepdims=True)
    return np.where(totals > 0, rows / np.where(totals > 0, totals, 1), np.eye(len(rows)))
