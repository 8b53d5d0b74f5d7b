"""T from the confident joint, with standard errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import check_units, survey
from labelnoise.core.random import generator
from labelnoise.core.transition import joint_of, prior_from_joint, transition_from_joint
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError

__all__ = ["transition_confident"]


def transition_confident(
    labels: ArrayLike, probs: ArrayLike, *, n_bootstrap: int = 200, seed: int = 0
) -> TransitionEstimate:
    """Estimate T and the class prior from the confident joint, with how much another sample would change them.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are left out.
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1. A memory map is read block by block.
    n_bootstrap : int
        Multinomial resamples of the joint's counts, at least 2.
    seed : int

    Returns
    -------
    TransitionEstimate
        The matrix is ``transition_from_joint(confident_joint(labels, probs))``. A class that nobody is given, or to
        which no unit confidently belongs, has infinite errors and a warning.

    Raises
    ------
    InputError
        Labels or probabilities of the wrong kind, no labelled unit.

    Notes
    -----
    Counting units by (given, confident) class is one multinomial draw; it is drawn again from the shares found,
    scaled as the joint is, and the spread is the error, at least that of one unit of the true class. Thresholds and
    probabilities are held fixed. What the errors do not hold is bias: units near the border of two classes are
    confidently counted on the wrong side, and no spread shows it.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, eq. 1-3; the resampling is this project's.

    Examples
    --------
    >>> probs = np.repeat([[0.9, 0.1], [0.2, 0.8]], [60, 40], axis=0)
    >>> print(transition_confident([0] * 54 + [1] * 6 + [1] * 40, probs))
    T by confident joint from 100 units, condition number 1.2
      0.900±0.039 0.100±0.039
      0.000±0.025 1.000±0.025
    """
    ids, p = check_units(labels, probs)
    k = p.shape[1]
    if n_bootstrap < 2:
        raise InputError(f"n_bootstrap is {n_bootstrap}; at least 2 are needed for a standard error.")
    if k < 2 or not (ids >= 0).any():
        raise InputError(
            "No labelled unit, or fewer than two classes; T needs labels of at least two classes."
        )
    seen = survey(ids, p)
    joint = joint_of(ids, seen, k)
    prior = prior_from_joint(joint)
    counted = (ids >= 0) & (seen.guess >= 0)
    cells = ids[counted].astype(np.int64) * k + seen.guess[counted]
    where, counts = np.unique(cells, return_counts=True)
    n = int(seen.per_class.sum())
    error = _spread(where, counts, seen.per_class, n_bootstrap, generator(seed, "confident joint"))
    # A share found at 0 or 1 is still open to one unit.
    error = np.maximum(error, np.minimum(1.0, 1.0 / np.maximum(prior * n, 1.0))[:, None])
    unknown = (np.bincount(where % k, weights=counts, minlength=k) == 0) | (seen.per_class == 0)
    error[unknown] = np.inf
    warnings: tuple[str, ...] = ()
    if unknown.any():
        warnings = (
            f"No unit is given, or none confidently belongs to, class {', '.join(map(str, np.flatnonzero(unknown)))}; "
            "its row says nothing.",
        )
    return TransitionEstimate(
        matrix=transition_from_joint(joint),
        standard_error=error,
        method="confident joint",
        n_units=n,
        prior=prior,
        warnings=warnings,
    )


def _spread(
    where: NDArray[np.int64],
    counts: NDArray[np.int64],
    per_class: NDArray[np.int64],
    n_bootstrap: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Standard deviation of T over multinomial draws of the counts at ``where = given * K + true``."""
    k, n = len(per_class), int(per_class.sum())
    unsure = n - int(counts.sum())
    law = np.append(counts, unsure) / n
    given = where // k
    target = (where % k) * k + given
    mean, squares = np.zeros((k, k)), np.zeros((k, k))
    for number in range(1, n_bootstrap + 1):
        drawn = rng.multinomial(n, law)[:-1].astype(np.float64)
        rows = np.bincount(given, weights=drawn, minlength=k)
        # Row sums of the joint are the given counts, which vary between samples too.
        wanted = rng.multinomial(n, per_class / n)
        scaled = drawn * (wanted / np.maximum(rows, 1.0))[given]
        matrix = np.bincount(target, weights=scaled, minlength=k * k).reshape(k, k)
        totals = matrix.sum(axis=1, keepdims=True)
        matrix = np.where(totals > 0, matrix / np.where(totals > 0, totals, 1.0), np.eye(k))
        off = matrix - mean
        mean += off / number
        squares += off * (matrix - mean)
    return np.sqrt(squares / (n_bootstrap - 1))
