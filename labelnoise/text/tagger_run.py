"""What every trainer of the linear tagger needs: the tags that may be seen, features, and the result."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.text.calibrated import token_columns
from labelnoise.text.dataset import TextDataset
from labelnoise.text.splits import learning_part, sentence_splits
from labelnoise.text.tagger import Tagger
from labelnoise.text.viterbi import best_tags

__all__ = ["TaggerRun"]


class TaggerRun:
    """What every trainer needs: the tags that may be seen, as targets too, and the tagger."""

    def __init__(
        self, dataset: TextDataset, seed: int, encoder: str | None, features: str | None, epochs: int
    ) -> None:
        if epochs < 1:
            raise InputError(f"epochs is {epochs}; at least 1 pass is needed.")
        self._started = time.process_time()
        self._seed, self._passed = seed, "train" in dataset.masks
        self.seen = learning_part(dataset, sentence_splits(dataset, seed)["train"])
        self.has = np.asarray(self.seen.given) >= 0
        self.encoded = token_columns(dataset, encoder, features)
        self.targets = np.zeros((dataset.n_units, dataset.n_classes), dtype=np.float32)
        self.targets[self.has, np.asarray(self.seen.given)[self.has]] = 1.0
        self.tagger = Tagger(dataset, self.encoded, epochs=epochs)

    def result(
        self,
        method: str,
        probs: NDArray[np.float64],
        *,
        selected_by: str = "last epoch",
        history: tuple[dict[str, Any], ...] = ({"epoch": 0},),
        **info: Any,
    ) -> Trained:
        sums = probs.sum(axis=1, keepdims=True)
        return Trained(
            method=method,
            predicted=best_tags(probs, self.seen.starts),
            probs=probs / sums,
            history=history,
            selected_by=selected_by,
            chosen=len(history) - 1,
            info={
                "split_seed": self._seed,
                "trained_on": int(self.has.sum()),
                "features": "words" if self.encoded is None else "encoder",
                "cpu_seconds": round(time.process_time() - self._started, 3),
                **info,
            },
        )
