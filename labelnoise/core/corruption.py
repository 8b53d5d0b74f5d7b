"""What a noise model did to a set of labels, whatever the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["Corruption", "compare_labels"]


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """What a noise model did.

    Attributes
    ----------
    labels : ndarray, shape (n,) or (n, K)
        The labels after the corruption; units without a label keep -1.
    changed : ndarray of bool, same shape
        Where the new label differs from the old one.
    rate : float
        Realised P(given != true) over the labelled units (cells, for multi-label), self-flips excluded.
    transition : ndarray, shape (K, K), optional
        The T that the labels were drawn from, ``T[i, j] = P(given = j | true = i)``; for multi-label noise
        of shape (K, 2, 2), one 2 x 2 T per class.
    posterior : ndarray, shape (n, K), optional
        Per-unit P(given = j | unit) for instance-dependent noise; rows of units without a label are 0.
    status : ndarray of int8, shape (n,), optional
        0 clean, 1 wrong within the label set (closed), 2 outside of it (open set).
    rates : mapping of str to float
        Further realised rates by name, for instance ``"positives"`` and ``"negatives"`` of multi-label noise.
    """

    labels: NDArray[Any]
    changed: NDArray[np.bool_]
    rate: float
    transition: NDArray[np.float64] | None = None
    posterior: NDArray[np.float64] | None = None
    status: NDArray[np.int8] | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


def compare_labels(before: NDArray[Any], after: NDArray[Any], **extra: Any) -> Corruption:
    """Build a `Corruption` from labels before and after, with the mask and the realised rate.

    Parameters
    ----------
    before, after : ndarray of equal shape
        Labels, -1 for "no label"; both must miss the same units.
    **extra
        Further fields of `Corruption`.

    Examples
    --------
    >>> import numpy as np
    >>> compare_labels(np.array([0, 1, -1, 1]), np.array([0, 0, -1, 1])).rate
    0.3333333333333333
    """
    if before.shape != after.shape:
        raise InputError(f"Labels before have shape {before.shape} and after {after.shape}; they must agree.")
    changed = before != after
    labelled = int((before >= 0).sum())
    return Corruption(
        labels=after, changed=changed, rate=int(changed.sum()) / labelled if labelled else 0.0, **extra
    )
