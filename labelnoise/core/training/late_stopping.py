"""Late stopping: units that a fresh network learns late, round after round, are dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units
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
    keep : float, optional
        Share of the remaining units that a round must learn; .98 as published. If ``noise_rate`` is given it is
        set such that the last round leaves the share of right labels.
    noise_rate : float, optional
    warmup : int
        Epochs of a round that do not count.
    patience : int
        Longest round in epochs.
    """

    runs: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
    keep: float | None = None
    noise_rate: float | None = None
    warmup: int = 2
    patience: int = 20

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "Late stopping is for single-label units; choose another strategy for multi-label data."
            )
        if self.keep is not None and self.noise_rate is not None:
            raise InputError("Pass keep or noise_rate, not both: one follows from the other.")
        self._share = self.keep if self.keep is not None else 0.98
        if self.noise_rate is not None:
            right = 1 - as_rate(self.noise_rate, name="noise_rate")
            self._share = right ** (1 / max(len(self.runs), 1))
        as_rate(self._share, name="keep")
        self._streak = run.units.new("streak", dtype=torch.int32)
        self._learnt = run.units.new("learnt", dtype=torch.bool)
        self._round, self._age, self._target = 0, 0, float((run.task.given >= 0).sum())

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        if self._round >= len(self.runs):
            return {"round": self._round, "kept": float(run.active.float().mean())}
        self._age += 1
        self.observe(run.per_unit(run.members[0], _right).bool(), self.runs[self._round])
        goal = self._target * self._share
        enough = int((self._learnt & run.active).sum()) >= goal
        if enough or self._age >= self.patience:
            run.active &= self._learnt
            self._target = min(goal, float(run.active.sum())) if enough else float(run.active.sum())
            self._streak.zero_()
            self._learnt.zero_()
            self._round, self._age = self._round + 1, 0
            run.restart(0)
        return {"round": self._round, "kept": float(run.active.float().mean())}

    def observe(self, right: torch.Tensor, k: int) -> None:
        """Count runs of right predictions; a unit is learnt at its first run of ``k`` after the warm-up."""
        self._streak.copy_(torch.where(right, self._streak + 1, 0))
        if self._age > self.warmup:
            self._learnt |= self._streak >= k

    def state_dict(self) -> dict[str, Any]:
        return {"round": self._round, "age": self._age, "target": self._target}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._round, self._age, self._target = state["round"], state["age"], state["target"]


def _right(units: Units) -> torch.Tensor:
    return units.logits.argmax(1) == units.labels
