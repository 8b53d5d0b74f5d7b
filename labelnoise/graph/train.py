"""What training on a graph with wrong labels returns, and its methods by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NodePrediction"]


@dataclass(frozen=True, kw_only=True)
class NodePrediction:
    """Classes of all nodes as a model says that learned from labels that may be wrong.

    Attributes
    ----------
    method : str
    predicted : ndarray of int64, shape (n,)
        Most probable class of each node, labelled or not.
    probs : ndarray of float64, shape (n, K)
        Rows sum to 1.
    history : tuple of dict
        One per evaluation: ``epoch``, ``loss``, ``validation`` where there is one. Empty without epochs.
    epoch : int
        The epoch (from 0) whose model this is; -1 for a method without epochs.
    selected_by : str
        What chose it: "last epoch", "noisy validation accuracy" and the like. "clean" says that clean labels were
        looked at.
    info : mapping of str to object
        Options and figures worth keeping.
    """

    method: str
    predicted: NDArray[np.int64]
    probs: NDArray[np.float64]
    history: tuple[dict[str, Any], ...] = ()
    epoch: int = -1
    selected_by: str = "no selection"
    info: Mapping[str, Any] = field(default_factory=dict)
