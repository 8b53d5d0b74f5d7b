"""What every estimator of T answers: the matrix, how sure each entry is, and whether it can be inverted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError, as_transition

__all__ = ["TransitionEstimate"]


@dataclass(frozen=True, kw_only=True)
class TransitionEstimate:
    """An estimated transition matrix with its standard errors.

    Attributes
    ----------
    matrix : ndarray of float64, shape (K, K)
        Row-stochastic, ``T[i, j] = P(given = j | true = i)``.
    standard_error : ndarray of float64, shape (K, K)
        Standard error of each entry; infinite in the row of a true class that nothing was learnt about.
    method : str
        How it was estimated.
    n_units : int
        Number of labelled units behind it.
    prior : ndarray of float64, shape (K,), optional
        Estimated ``P(true = i)``.
    warnings : tuple of str
        Sentences that the user must see.

    Raises
    ------
    InputError
        A matrix that is not row-stochastic, errors of another shape or below 0.

    Examples
    --------
    >>> import numpy as np
    >>> estimate = TransitionEstimate(
    ...     matrix=np.array([[0.9, 0.1], [0.3, 0.7]]), standard_error=np.full((2, 2), 0.02), method="pairs", n_units=500
    ... )
    >>> round(estimate.condition, 3)
    1.768
    >>> print(estimate)
    T by pairs from 500 units, condition number 1.8
      0.900±0.020 0.100±0.020
      0.300±0.020 0.700±0.020
    """

    matrix: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    method: str
    n_units: int
    prior: NDArray[np.float64] | None = None
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        as_transition(self.matrix)
        if self.standard_error.shape != self.matrix.shape:
            raise InputError(
                f"standard_error has shape {self.standard_error.shape} for a matrix of {self.matrix.shape}; "
                "give one error per entry."
            )
        if np.isnan(self.standard_error).any() or (self.standard_error < 0).any():
            raise InputError("standard_error holds NaN or negative entries; use infinity for 'unknown'.")

    @property
    def condition(self) -> float:
        """Condition number of the matrix (2-norm): how much inverting T amplifies errors; infinite if singular."""
        return float(np.linalg.cond(self.matrix)) if self.matrix.size else 1.0

    @property
    def rate(self) -> float | None:
        """``P(given != true)`` under the estimated prior; None without one."""
        return None if self.prior is None else float(1.0 - self.prior @ np.diag(self.matrix))

    def __str__(self) -> str:
        lines = [
            f"T by {self.method} from {self.n_units} units, condition number {self.condition:.2g}",
            *(
                "  " + " ".join(f"{value:.3f}±{error:.3f}" for value, error in zip(row, errors, strict=True))
                for row, errors in zip(self.matrix, self.standard_error, strict=True)
            ),
            *self.warnings,
        ]
        return "\n".join(lines)
