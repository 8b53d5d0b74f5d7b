"""Late stopping: units that a fresh network learns late, round after round, are dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from labelnoise.core.dynamics_learning import FirstLearning
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import InputError, as_rate

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["LateStopping"]


@dataclass(kw_only=True)
class LateStopping(Strategy):
    """Rounds with fresh weights, each until enough units were predicted right k evaluations in a row.

    What was not learnt by then takes no part in later rounds; after the last round a fresh network trains on the
    rest until the epochs are over.

    Parameters
    ----------
    runs : tuple of int
        Consecutive right predictions asked for, one number per round.
    keep : float
        Share of the remaining units that a round must learn; .98 as published.
    warmup : int
        Epochs of a round that do not count.
    patience : int
        Longest round in epochs.

    Examples
    --------
    >>> LateStopping(runs=(1, 2)).options()["runs"]
    (1, 2)
    """

    runs: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
    keep: float = 0.98
    warmup: int = 2
    patience: int = 20

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "Late stopping is for single-label units; choose another strategy for multi-label data."
            )
        as_rate(self.keep, name="keep")
        self._round, self._target = 0, float((run.task.given >= 0).sum())
        self._learning = self._fresh(run)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        if self._round < len(self.runs):
            for units in run.whole(run.members[0], "train"):
                self._learning.update(units.logits, units.labels, unit_ids=units.ids)
            self._learning.end_epoch()
            learnt = torch.from_numpy(self._learning.learned)
            goal = self._target * self.keep
            enough = int((learnt & run.active).sum()) >= goal
            if enough or self._learning.epoch >= self.patience:
                run.active &= learnt
                left = float(run.active.sum())
                self._target = min(goal, left) if enough else left
                self._round += 1
                self._learning = self._fresh(run)
                run.restart(0)
        return {"round": self._round, "kept": float(run.active.float().mean())}

    def _fresh(self, run: Run) -> FirstLearning:
        k = self.runs[min(self._round, len(self.runs) - 1)] if self.runs else 1
        return FirstLearning(run.task.n_units, k=k, warmup=self.warmup)

    def state_dict(self) -> dict[str, Any]:
        learning = {key: torch.as_tensor(value) for key, value in self._learning.state_dict().items()}
        return {"round": self._round, "target": self._target, "learning": learning}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._round, self._target = state["round"], state["target"]
        saved = {key: value.numpy() for key, value in state["learning"].items()}
        k = int(saved["k"])
        self._learning = FirstLearning(len(saved["first"]), k=k, warmup=self.warmup)
        self._learning.load_state_dict(saved)
