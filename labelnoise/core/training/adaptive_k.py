"""Adaptive-k: train on the losses under a threshold that follows the running mean and spread of batch losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from labelnoise.core.dynamics_loss import AdaptiveThreshold
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, unit_losses
from labelnoise.core.validation import choose

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
    threshold : {"mean", "published", "corrected"}
        The running mean m of batch losses (default), in the unit of losses; the published ``m / (sqrt(v) + eps)`` with
        v the mean square of batch losses, a pure number that is compared with losses all the same; or that with both
        averages corrected for starting at zero.

    Examples
    --------
    >>> AdaptiveK(threshold="published").options()
    {'warmup': 5, 'threshold': 'published'}
    """

    warmup: int = 5
    threshold: Literal["mean", "published", "corrected"] = "mean"

    def start(self, run: Run) -> None:
        choose(self.threshold, ("mean", "published", "corrected"), "threshold")
        self._adaptive = AdaptiveThreshold(bias_correction=self.threshold != "published")
        self._kept, self._seen = 0, 0

    def epoch_start(self, run: Run) -> None:
        self._kept = self._seen = 0

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        losses = unit_losses(own.logits.detach(), own.labels)
        marks = self.marks(own.labels)
        selected = torch.from_numpy(self._adaptive.select(losses, labels=marks)).to(losses.device)
        if run.epoch < self.warmup or not self._adaptive.steps:
            return None
        if self.threshold == "mean":
            adaptive = self._adaptive
            bound = adaptive.mean / (1 - adaptive.betas[0] ** adaptive.steps)
            selected = (losses <= bound) & (marks >= 0)
        self._kept += int(selected.sum())
        self._seen += int((marks >= 0).sum())
        # Where nobody is selected the objective is 0 and the step moves nothing.
        return selected.to(losses)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"kept": self._kept / self._seen} if self._seen else {}

    def state_dict(self) -> dict[str, Any]:
        return {key: torch.as_tensor(value) for key, value in self._adaptive.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._adaptive.load_state_dict({key: value.numpy() for key, value in state.items()})
