"""Self-distillation: a network learns from the averaged early predictions of its predecessor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, has_label, one_hot, unit_losses
from labelnoise.core.validation import NO_LABEL, InputError, as_rate

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["SelfDistillation"]


@dataclass(kw_only=True)
class SelfDistillation(Strategy):
    """Generations of the same network, each taught by the labels mixed with what the one before used to predict.

    A generation's predictions are averaged over its epochs, so that what it believed before it memorised counts.

    Parameters
    ----------
    generations : int
        Students after the first network, >= 1; the epochs are divided evenly.
    trust : float
        Share of the teacher in the targets, in [0, 1].
    decay : float
        Of the average of predictions over epochs, in [0, 1).

    Examples
    --------
    >>> SelfDistillation(generations=1).options()
    {'generations': 1, 'trust': 0.8, 'decay': 0.9}
    """

    generations: int = 2
    trust: float = 0.8
    decay: float = 0.9

    def start(self, run: Run) -> None:
        as_rate(self.trust, name="trust")
        as_rate(self.decay, name="decay")
        if self.generations < 1 or run.config.epochs < self.generations + 1:
            raise InputError(
                f"generations is {self.generations} with {run.config.epochs} epochs; at least 1 student is needed "
                "and each generation trains for at least one epoch."
            )
        self._seen = run.units.new("seen", width=run.task.n_classes)
        self._taught = run.units.new("taught", width=run.task.n_classes)
        self._generation, self._age = 0, 0

    def epoch_start(self, run: Run) -> None:
        due = run.epoch * (self.generations + 1) // run.config.epochs
        if due > self._generation:
            # An average over few epochs starts from zero; divided by its weight it is a mean again.
            self._taught.copy_(self._seen / (1 - self.decay**self._age))
            self._seen.zero_()
            self._generation, self._age = due, 0
            for index in range(len(run.members)):
                run.restart(index, purpose="student")
        self._age += 1

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        ids = own.ids.cpu()
        probs = own.logits.detach().sigmoid() if run.task.multilabel else own.logits.detach().softmax(1)
        self._seen[ids] = self.decay * self._seen[ids] + (1 - self.decay) * probs.cpu()
        if self._generation == 0:
            return unit_losses(own.logits, own.labels)
        teacher = self._taught[ids].to(own.logits)
        if run.task.multilabel:
            known = own.labels != NO_LABEL
            target = torch.where(known, (1 - self.trust) * own.labels + self.trust * teacher, NO_LABEL)
            return cross_entropy(own.logits, target, multilabel=True).sum(1) / known.sum(1).clamp(min=1)
        target = (1 - self.trust) * one_hot(
            own.labels, run.task.n_classes, own.logits.dtype
        ) + self.trust * teacher
        return torch.where(has_label(own.labels), -(target * own.logits.log_softmax(1)).sum(1), 0.0)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"generation": self._generation}

    def state_dict(self) -> dict[str, Any]:
        return {"generation": self._generation, "age": self._age}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._generation, self._age = state["generation"], state["age"]
