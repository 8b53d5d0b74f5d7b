"""What a strategy may say to the loop: losses of units, weights, targets, which units take part, when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor

from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.training.task import Units, unit_losses

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Strategy"]


@dataclass(kw_only=True)
class Strategy:
    """Plain training; a subclass overrides what it does differently.

    Its fields are its options. Whatever it learns is kept in `labelnoise.core.training.unit_state.UnitState`
    (per unit, made in `start`) or returned by `state_dict`, so that a run can be resumed.
    """

    #: Networks trained side by side.
    n_models: ClassVar[int] = 1

    def start(self, run: Run) -> None:
        """Check the options against the task and make the state per unit."""

    def epoch_start(self, run: Run) -> None:
        """Called before the first batch of an epoch."""

    def step(self, run: Run, batch: Any) -> None:
        """One optimisation step on a batch: by default every network on its own objective."""
        outputs = [run.forward(member, batch) for member in run.members]
        objectives = [self.objective(run, index, outputs) for index in range(len(outputs))]
        for member, objective in zip(run.members, objectives, strict=True):
            member.update(objective)

    def objective(self, run: Run, index: int, outputs: list[Units]) -> Tensor:
        """The scalar that network ``index`` minimises; the outputs of all networks are given."""
        own = outputs[index]
        weights = self.weights(run, index, outputs)
        return labelled_mean(self.losses(run, index, own), self.marks(own.labels), weights=weights)

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        """Loss per unit (u,); cross-entropy by default."""
        return unit_losses(own.logits, own.labels)

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        """Weight per unit (u,), >= 0; all alike by default."""
        return None

    @staticmethod
    def marks(labels: Tensor) -> Tensor:
        """Labels (u,) with -1 where a unit has none, for reductions: known cells of multi-label do not matter."""
        return labels if labels.ndim == 1 else labels.amax(dim=1)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        """Called after the last batch of an epoch; what it returns goes into the history."""
        return {}

    def finished(self, run: Run) -> bool:
        """Whether to stop after this epoch."""
        return False

    def factor(self, run: Run) -> float:
        """The learning rate of this epoch as a share of the configured one."""
        return run.config.factor(run.epoch)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs: tensors, numbers, strings, and lists and dicts of these."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint's state."""

    def options(self) -> dict[str, Any]:
        """The fields, JSON-able."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in asdict(self).items()
        }
