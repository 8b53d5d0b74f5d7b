"""Plain training under any loss of the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from labelnoise.core.losses import get_loss
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units
from labelnoise.core.validation import NO_LABEL, InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Plain"]

#: Losses that need more per batch than logits and labels have strategies of their own.
_OTHERS = {"elr": "elr", "dynamic_bootstrap": "bootstrapping", "forward": "forward", "backward": "backward"}


@dataclass(kw_only=True)
class Plain(Strategy):
    """Every unit counts alike.

    Parameters
    ----------
    loss : str
        Of `labelnoise.core.losses.LOSSES`, or its multi-label counterpart.
    parameters : dict
        Of the loss.
    augment : bool
        Train on another view of each batch, where the task has views.

    Examples
    --------
    >>> Plain(loss="gce", parameters={"q": 0.5}).options()
    {'loss': 'gce', 'parameters': {'q': 0.5}, 'augment': False}
    """

    loss: str = "ce"
    parameters: dict[str, Any] = field(default_factory=dict)
    augment: bool = False

    def start(self, run: Run) -> None:
        if self.loss in _OTHERS:
            raise InputError(
                f"The loss {self.loss!r} keeps state or needs T; use the strategy {_OTHERS[self.loss]!r}."
            )
        self._loss = get_loss(self.loss, multilabel=run.task.multilabel, **self.parameters)

    def step(self, run: Run, batch: Any) -> None:
        super().step(run, run.task.augment(batch, run.rng("view")) if self.augment else batch)

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        values: Tensor = self._loss(own.logits, own.labels)
        if values.ndim == 1:
            return values
        return values.sum(1) / (own.labels != NO_LABEL).sum(1).clamp(min=1)
