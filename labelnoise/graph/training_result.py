"""What training on a graph with wrong labels returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_labels

__all__ = ["GraphTraining"]


@dataclass(frozen=True, kw_only=True)
class GraphTraining:
    """Predictions for all nodes and how they came about.

    Attributes
    ----------
    method : str
        Name of the trainer.
    predicted : ndarray of int64, shape (n,)
        The most probable class of every node, labelled or not.
    probs : ndarray of float64, shape (n, K)
        Rows sum to 1.
    history : tuple of dict
        One per epoch, or per candidate setting of trainers without epochs; "validation" is the accuracy there.
    selected_by : str
        What chose the epoch or setting: "noisy validation accuracy", "last epoch" and the like. "clean" says that
        clean labels were looked at.
    chosen : int
        Which entry of the history that is, from 0.

    Examples
    --------
    >>> result = GraphTraining(method="label-propagation", predicted=np.array([0, 1, 1]), probs=np.eye(2)[[0, 1, 1]],
    ...     history=({"alpha": 0.5},), selected_by="the only setting", chosen=0)
    >>> result.accuracy([0, 1, 0])
    0.6666666666666666
    """

    method: str
    predicted: NDArray[np.int64]
    probs: NDArray[np.float64]
    history: tuple[dict[str, Any], ...]
    selected_by: str
    chosen: int

    def accuracy(self, labels: ArrayLike, mask: ArrayLike | None = None) -> float:
        """Share of labelled nodes, under the mask if there is one, that are predicted as labelled.

        Raises
        ------
        InputError
            Labels or mask of another length, or no labelled node under the mask.
        """
        array = as_labels(labels)
        use = np.ones(len(array), dtype=bool) if mask is None else np.asarray(mask)
        if array.shape != self.predicted.shape or use.shape != array.shape or use.dtype != bool:
            raise InputError(
                f"{len(self.predicted)} labels, and as many booleans as mask, are needed; "
                f"these have shape {array.shape} and {use.shape} ({use.dtype})."
            )
        use = use & (array >= 0)
        if not use.any():
            raise InputError("No labelled node is under the mask; widen it.")
        return float((self.predicted == array)[use].mean())
