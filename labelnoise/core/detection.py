"""What every detector answers: a quality per unit, a decision, a suggestion, and, if calibrated, probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["CountEstimate", "Detection"]


@dataclass(frozen=True)
class CountEstimate:
    """How many labels are expected to be wrong, with an interval.

    Attributes
    ----------
    expected : float
    low, high : float
        Ends of the interval.
    level : float
        Its nominal coverage, for instance 0.95.
    method : str
        How the interval was made.
    """

    expected: float
    low: float
    high: float
    level: float = 0.95
    method: str = ""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The result of looking for wrong labels in one data set.

    Attributes
    ----------
    method : str
        The registered name of the detector, for instance ``"graphcleaner"``.
    quality : ndarray of float, shape (n,)
        Label quality from 0 (surely wrong) to 1 (surely right); 1 for units without a label.
    flagged : ndarray of bool, shape (n,)
        The method's own decision. `labelnoise.core.decision.decide` makes another from ``p_wrong``.
    suggested : ndarray of int64, shape (n,)
        The label that the method would give, also for units without one; -1 where it has no opinion.
    confidence : ndarray of float, shape (n,)
        Probability of the suggestion, as the method sees it.
    p_wrong : ndarray of float, shape (n,), optional
        Calibrated probability that the given label is wrong; None for methods that only rank.
    count : CountEstimate, optional
        Expected number of wrong labels.
    strata : ndarray of int, shape (n,), optional
        Parts of the data with evidence of different strength (0 is the best part), among which
        `labelnoise.core.decision.decide` keeps false alarms in proportion.
    transition : ndarray of float, shape (K, K), optional
        Estimated ``T[i, j] = P(given = j | true = i)``.
    evidence : mapping of str to ndarray of shape (n,)
        Named columns behind the decision.
    warnings : tuple of str
        Sentences that the user must see.
    info : mapping
        Chosen settings, costs and diagnostics, JSON-able.
    """

    method: str
    quality: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    suggested: NDArray[np.int64]
    confidence: NDArray[np.float64]
    p_wrong: NDArray[np.float64] | None = None
    count: CountEstimate | None = None
    strata: NDArray[np.int64] | None = None
    transition: NDArray[np.float64] | None = None
    evidence: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.quality)
        columns = {
            "flagged": self.flagged,
            "suggested": self.suggested,
            "confidence": self.confidence,
            "p_wrong": self.p_wrong,
            "strata": self.strata,
            **self.evidence,
        }
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise InputError(
                    f"{name} has {len(column)} entries for {n} units; a detector returns one per unit."
                )
        for name in ("quality", "confidence", "p_wrong"):
            column = getattr(self, name)
            if column is not None and not np.isfinite(column).all():
                raise InputError(
                    f"{name} of {self.method!r} holds NaN or infinity; a detector must not return any."
                )
