"""What training on labels that may be wrong returns: predictions for every unit, and what chose the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.files import replacing
from labelnoise.core.validation import InputError, as_labels

__all__ = ["Trained", "save_predictions"]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Predictions for all units and how they came about.

    Attributes
    ----------
    method : str
        Name of the trainer.
    predicted : ndarray of int64, shape (n,)
        The most probable class of every unit, labelled or not.
    probs : ndarray of float64, shape (n, K)
        Rows sum to 1.
    history : tuple of dict
        One per epoch, or per candidate setting of trainers without epochs.
    selected_by : str
        What chose the epoch or setting: "noisy validation accuracy", "last epoch" and the like. "clean" says that
        clean labels were looked at.
    chosen : int
        Which entry of the history that is, from 0.
    warnings : tuple of str
        Sentences that the user must see.
    info : mapping
        Settings, costs and diagnostics, JSON-able.

    Raises
    ------
    InputError
        Probabilities and predictions of different lengths.

    Examples
    --------
    >>> result = Trained(method="m", predicted=np.array([0, 1, 1]), probs=np.eye(2)[[0, 1, 1]],
    ...                  history=({"epoch": 0},), selected_by="last epoch", chosen=0)
    >>> round(result.accuracy([0, 1, 0]), 3), round(result.accuracy([0, -1, 0]), 3)
    (0.667, 0.5)
    """

    method: str
    predicted: NDArray[np.int64]
    probs: NDArray[np.float64]
    history: tuple[Mapping[str, Any], ...]
    selected_by: str
    chosen: int
    warnings: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.probs) != len(self.predicted):
            raise InputError(
                f"probs has {len(self.probs)} rows for {len(self.predicted)} predictions; give one per unit."
            )

    def accuracy(self, labels: ArrayLike, mask: ArrayLike | None = None) -> float:
        """Share of labelled units, under the mask if there is one, that are predicted as labelled.

        Raises
        ------
        InputError
            Labels or mask of another length, or no labelled unit under the mask.
        """
        array = as_labels(labels)
        use = np.ones(len(array), dtype=bool) if mask is None else np.asarray(mask)
        if array.shape != self.predicted.shape or use.shape != array.shape or use.dtype != bool:
            raise InputError(
                f"{len(self.predicted)} labels, and as many booleans as mask, are needed; these have shape "
                f"{array.shape} and {use.shape} ({use.dtype})."
            )
        use = use & (array >= 0)
        if not use.any():
            raise InputError("No labelled unit is under the mask; widen it.")
        return float((self.predicted == array)[use].mean())


def save_predictions(trained: Trained, dataset: Dataset, path: Path) -> None:
    """Write one row per unit: id, given label, predicted label, its probability; .csv, .jsonl or .parquet.

    The file is written whole or not at all.
    """
    import pandas as pd

    names = np.array([*dataset.class_names, ""], dtype=object)
    table = pd.DataFrame(
        {
            "unit": [str(name) for name in dataset.ids],
            "given": names[dataset.given],
            "predicted": names[trained.predicted],
            "confidence": trained.probs[np.arange(len(trained.probs)), trained.predicted],
            "agrees": (dataset.given == trained.predicted) | (dataset.given < 0),
        }
    )
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        elif path.suffix == ".jsonl":
            table.to_json(temporary, orient="records", lines=True, force_ascii=False)
        else:
            table.to_csv(temporary, index=False)
