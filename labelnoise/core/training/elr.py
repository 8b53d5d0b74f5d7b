"""Early-learning regularisation within the loop: a memory of early predictions holds the network back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from labelnoise.core.losses.elr import EarlyLearning
from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["ELR"]


@dataclass(kw_only=True)
class ELR(Strategy):
    """Cross-entropy plus a pull towards the running mean of each unit's predictions.

    With ``TrainConfig.ema`` set the predictions remembered are those of the averaged network, as in ELR+.

    Parameters
    ----------
    beta : float
        Decay of the memory.
    weight : float
        Of the pull; the paper has 3 for CIFAR-10 (1 for asymmetric noise) and 7 for CIFAR-100.
    ramp : int
        Epochs over which the weight grows to its full size.

    Examples
    --------
    >>> ELR(weight=1.0).options()
    {'beta': 0.7, 'weight': 1.0, 'ramp': 0}
    """

    beta: float = 0.7
    weight: float = 3.0
    ramp: int = 0

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError("ELR is for single-label units; choose another strategy for multi-label data.")
        memory = run.units.new("memory", width=run.task.n_classes)
        self._elr = EarlyLearning(
            run.task.n_units, run.task.n_classes, beta=self.beta, weight=self.weight, memory=memory
        )

    def epoch_start(self, run: Run) -> None:
        self._elr.weight = self.weight * min((run.epoch + 1) / (self.ramp + 1), 1.0)

    def step(self, run: Run, batch: Any) -> None:
        member = run.members[0]
        own = run.forward(member, batch)
        ids = own.ids.cpu()
        objective: Tensor
        if member.average is None:
            objective = labelled_mean(self._elr(own.logits, own.labels, ids), own.labels)
        else:
            with torch.no_grad():
                seen = run.task.forward(member.average, batch)
            self._elr(seen.logits.float(), own.labels, ids)
            objective = labelled_mean(self._elr(own.logits, own.labels, ids, update=False), own.labels)
        member.update(objective)
