"""What the two mixtures of losses share: their result, checked losses, the histogram, and when there is no mixture.

Losses are counted in a fine histogram first, so that a fit costs two passes over the units instead of two per step;
up to as many units as bins, every unit is its own bin and nothing is rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._unit_statistic import to_numpy
from labelnoise.core.validation import InputError, as_labels, check_same_length

Floats = NDArray[np.float64]

#: Means that are further apart than this, in root mean variances, belong to two groups (Ashman, Bird, Zepf 1994).
SEPARATED = 2.0

#: A component with a smaller share than this is made of outliers.
OUTLIERS = 1e-3

#: Units looked at together; small enough for a core's cache.
BLOCK = 1 << 16

#: Scaled losses stop here, so that their squares are numbers.
FAR = 1e100


@dataclass(frozen=True)
class Mixture:
    """What both mixtures have in common.

    Attributes
    ----------
    weights : ndarray of float, shape (2,)
        Shares of the units, the component with the lower mean first; they sum to 1. (1, 0) where nothing was fitted.
    means : ndarray of float, shape (2,)
        In the units of the losses, ascending.
    log_likelihood : float
        Mean over the fitted units, of the density of the losses in their own units; 0 where nothing was fitted.
    n_fitted : int
        Units behind the fit.
    n_steps : int
        Steps of expectation-maximisation that were made.
    converged : bool
        Whether they stopped by the tolerance and not by their number.
    separation : float
        Ashman's D, the distance of the means in root mean variances, of two Gaussians; 0 where nothing was fitted.
    warning : str
        Empty if there are two groups (D above 2, neither below 0.1% of the units), else a sentence that says why not.
    low, span : float
        The losses were scaled as ``(loss - low) / span``.
    """

    weights: Floats
    means: Floats
    log_likelihood: float
    n_fitted: int
    n_steps: int
    converged: bool
    separation: float
    warning: str
    low: float
    span: float

    @property
    def separated(self) -> bool:
        """Whether there are two groups of losses rather than one."""
        return not self.warning

    @property
    def fitted(self) -> bool:
        """False when the losses hold no two different values, so that every posterior is 1."""
        return bool(self.weights[1] > 0)


def as_losses(losses: ArrayLike, labels: ArrayLike | None) -> tuple[Floats, NDArray[np.bool_] | None]:
    """Losses as float64 and, if labels are given, which units have one; the others' losses become 0."""
    values = to_numpy(losses).astype(np.float64, copy=False)
    if values.ndim != 1:
        raise InputError(f"losses has shape {values.shape}; a vector with one loss per unit is needed.")
    known = None
    if labels is not None:
        ids = as_labels(to_numpy(labels))
        check_same_length(losses=values, labels=ids)
        known = ids >= 0
        values = np.where(known, values, 0.0)
    if not np.isfinite(values).all():
        raise InputError(
            "losses holds NaN or infinity in labelled units; find out where it comes from, or give these units "
            "the label -1."
        )
    return values, known


def labelled_losses(losses: ArrayLike, labels: ArrayLike | None) -> Floats:
    values, known = as_losses(losses, labels)
    return values if known is None else values[known]


def value_range(values: Floats) -> tuple[float, float]:
    if not len(values):
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(high - low):
        raise InputError(f"losses run from {low:g} to {high:g}; their range must be a finite number.")
    return low, high - low


def blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def scaled(values: Floats, low: float, span: float) -> Floats:
    # Other losses than the fitted ones can lie any number of ranges away.
    with np.errstate(over="ignore"):
        x: Floats = (values - low) / span
    return np.clip(x, -FAR, FAR, out=x)


def points_of(values: Floats, low: float, span: float, bins: int) -> tuple[Floats, Floats]:
    """Ascending scaled values and how often each occurs; above ``bins`` values, the mean of each filled bin."""
    if len(values) <= bins:
        return np.sort((values - low) / span), np.ones(len(values))
    counts, sums = np.zeros(bins), np.zeros(bins)
    for rows in blocks(len(values)):
        x = (values[rows] - low) / span
        # Scaled losses are never below 0; the largest one is 1 and belongs to the last bin.
        place = np.minimum((x * bins).astype(np.intp), bins - 1)
        counts += np.bincount(place, minlength=bins)
        sums += np.bincount(place, weights=x, minlength=bins)
    filled = counts > 0
    return sums[filled] / counts[filled], counts[filled]


def why_unseparated(separation: float, smaller: float) -> str:
    if not separation > SEPARATED:
        return (
            f"Two Gaussians of the losses lie {separation:.2f} root mean variances apart, not more than "
            f"{SEPARATED:g}; the losses look like one group, and a split of it says little about the labels."
        )
    if smaller < OUTLIERS:
        return (
            f"One of the two Gaussians holds {smaller:.2%} of the units; outliers set the scale of the losses and "
            "the rest is not split. Clip the losses first, or use the beta mixture, which leaves 5% out at each end."
        )
    return ""


def nothing_fitted(values: Floats, low: float) -> dict[str, Any]:
    n = len(values)
    if n < 2:
        why = (
            f"{n} labelled unit{'' if n == 1 else 's'}; at least 2 with different losses are needed to split."
        )
    elif values.min() == values.max():
        why = f"All {n} losses are equal; there is nothing to split."
    else:
        why = (
            "No two different losses lie between the 5th and the 95th percentile; there is nothing to split."
        )
    return {
        "weights": np.array([1.0, 0.0]),
        "log_likelihood": 0.0,
        "n_fitted": n,
        "n_steps": 0,
        "separation": 0.0,
        "warning": why,
        "low": low,
        "span": 0.0,
    }
