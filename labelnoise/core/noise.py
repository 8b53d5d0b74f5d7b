"""Noise models: transition matrices, and how labels get corrupted by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Corruption"]


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
        The T that the labels were drawn from, ``T[i, j] = P(given = j | true = i)``.
    posterior : ndarray, shape (n, K), optional
        Per-unit P(given = j | unit) for instance-dependent noise.
    status : ndarray of int8, shape (n,), optional
        0 clean, 1 wrong within the label set (closed), 2 outside of it (open set).
    """

    labels: NDArray[Any]
    changed: NDArray[np.bool_]
    rate: float
    transition: NDArray[np.float64] | None = None
    posterior: NDArray[np.float64] | None = None
    status: NDArray[np.int8] | None = None
