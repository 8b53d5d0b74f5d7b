"""Adaptive-k: train on the losses under a threshold that follows the running mean and spread of batch losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, unit_losses

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["AdaptiveK"]


@dataclass(kw_only=True)
class AdaptiveK(Strategy):
    """No number to choose: a unit takes part while its loss is at most the running mean of losses.

    Parameters
    ----------
    warmup : int
        Epochs on everything (30 of 100 as published).
    published : bool
        True takes the published threshold ``m / (sqrt(v) + eps)`` with v the mean square of batch losses, a pure
        number that is compared with losses all the same; False (default) takes m itself, corrected for starting
        at zero.
    beta_mean, beta_square : float
        Decays of m and v.
    """

    warmup: int = 5
    published: bool = False
    beta_mean: float = 0.9
    beta_square: float = 0.999

    def start(self, run: Run) -> None:
        self._mean = self._square = 0.0
        self._steps, self._kept, self._seen = 0, 0, 0

    def epoch_start(self, run: Run) -> None:
        self._kept = self._seen = 0

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        losses = unit_losses(own.logits.detach(), own.labels)
        labelled = self.marks(own.labels) >= 0
        if not bool(labelled.any()):
            return None
        batch = float(losses[labelled].mean())
        self._steps += 1
        self._mean = self.beta_mean * self._mean + (1 - self.beta_mean) * batch
        self._square = self.beta_square * self._square + (1 - self.beta_square) * batch**2
        if run.epoch < self.warmup:
            return None
        if self.published:
            bound = self._mean / (self._square**0.5 + 1e-8)
        else:
            bound = self._mean / (1 - self.beta_mean**self._steps)
        kept = (losses <= bound) & labelled
        self._kept += int(kept.sum())
        self._seen += int(labelled.sum())
        # Where nobody is selected the objective is 0 and the step moves nothing.
        return kept.to(losses)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"kept": self._kept / self._seen} if self._seen else {}

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self._mean, "square": self._square, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._mean, self._square, self._steps = state["mean"], state["square"], state["steps"]
