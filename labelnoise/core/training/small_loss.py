"""Training on the units with small losses, chosen by the network itself or by its peer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from labelnoise.core.small_loss import keep_schedule, small_loss
from labelnoise.core.training.noise_rate import RateEstimate
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, unit_losses
from labelnoise.core.validation import as_rate

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["CoTeaching", "SmallLoss"]


@dataclass(kw_only=True)
class SmallLoss(Strategy):
    """Every batch trains on its units with the smallest losses.

    Parameters
    ----------
    noise_rate : float, optional
        Share of wrong labels; estimated from a mixture of the losses after ``warmup`` epochs if left out.
    warmup : int
        Epochs on everything; then the share kept falls over ``ramp`` epochs.
    ramp : int
    exponent : float
        As in `labelnoise.core.small_loss.keep_schedule`.
    per_class : bool
        Take the share within each given class, so that hard classes keep theirs.

    Examples
    --------
    >>> SmallLoss(noise_rate=0.2, per_class=True).options()
    {'noise_rate': 0.2, 'warmup': 5, 'ramp': 10, 'exponent': 1.0, 'per_class': True}
    """

    noise_rate: float | None = None
    warmup: int = 5
    ramp: int = 10
    exponent: float = 1.0
    per_class: bool = False

    def start(self, run: Run) -> None:
        self._rate = RateEstimate(self.noise_rate, self.warmup)
        if self.noise_rate is not None:
            as_rate(self.noise_rate, name="noise_rate")

    def epoch_start(self, run: Run) -> None:
        rate = self._rate.after_warmup(run)
        after = max(run.epoch - self.warmup + 1, 0)
        self._keep = keep_schedule(after, rate, ramp=self.ramp, exponent=self.exponent)

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        return self._chosen(outputs[index])

    def _chosen(self, judge: Units) -> Tensor:
        """Weight 1 for the units that this network finds easy."""
        losses = unit_losses(judge.logits.detach(), judge.labels)
        marks = self.marks(judge.labels)
        kept = small_loss(
            losses.cpu().numpy(), keep=self._keep, labels=marks.cpu().numpy(), per_class=self.per_class
        )
        return torch.from_numpy(kept).to(losses)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"kept": self._keep}

    def state_dict(self) -> dict[str, Any]:
        return self._rate.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rate.load_state_dict(state)


@dataclass(kw_only=True)
class CoTeaching(SmallLoss):
    """Two networks, each trained on what its peer finds easy (Han et al. 2018, algorithm 1)."""

    n_models: ClassVar[int] = 2

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        return self._chosen(outputs[1 - index])
