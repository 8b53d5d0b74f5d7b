"""DivideMix: two networks split the data by their losses for each other and treat the rest as unlabelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from labelnoise.core.losses.regularizers import negative_entropy
from labelnoise.core.training.mixmatch import guess, mixmatch, sharpen
from labelnoise.core.training.noise_rate import clean_probabilities
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, has_label, one_hot
from labelnoise.core.validation import InputError, as_rate

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["DivideMix"]


@dataclass(kw_only=True)
class DivideMix(Strategy):
    """Split by a mixture of losses, refine labels that look clean, guess the others, mix both.

    Parameters
    ----------
    warmup : int
        Epochs of cross-entropy (10 for CIFAR-10, 30 for CIFAR-100 as published).
    threshold : float
        Least probability of being clean to keep the label, in (0, 1).
    alpha : float
        Of mixup; 0 for tasks that cannot mix inputs.
    unlabelled_weight : float
        Of the squared error to guessed targets, reached over ``ramp`` epochs.
    ramp : int
    temperature : float
        Of `labelnoise.core.training.mixmatch.sharpen`.
    confidence_penalty : bool
        Minus the entropy during the warm-up, for class-dependent noise.

    Examples
    --------
    >>> DivideMix(alpha=0).n_models, DivideMix(alpha=0).options()["alpha"]
    (2, 0)
    """

    warmup: int = 10
    threshold: float = 0.5
    alpha: float = 4.0
    unlabelled_weight: float = 25.0
    ramp: int = 16
    temperature: float = 0.5
    confidence_penalty: bool = False
    n_models: ClassVar[int] = 2

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "DivideMix is for single-label units; choose another strategy for multi-label data."
            )
        as_rate(self.threshold, name="threshold")
        self._clean = run.units.new("clean", fill=1.0, width=2)

    def epoch_start(self, run: Run) -> None:
        if run.epoch >= self.warmup:
            for index, member in enumerate(run.members):
                # What network i finds clean is what its peer trains on.
                self._clean[:, 1 - index] = clean_probabilities(run, member)

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        plain = super().losses(run, index, own)
        return plain + negative_entropy(own.logits, own.labels) if self.confidence_penalty else plain

    def step(self, run: Run, batch: Any) -> None:
        if run.epoch < self.warmup:
            super().step(run, batch)
            return
        views = [run.task.augment(batch, run.rng("view", v)) for v in range(2)]
        objectives = [self._divided(run, index, views) for index in range(2)]
        for member, objective in zip(run.members, objectives, strict=True):
            member.update(objective)

    def _divided(self, run: Run, index: int, views: list[Any]) -> Tensor:
        member = run.members[index]
        with torch.no_grad():
            units = run.forward(member, views[0])
        w = self._clean[units.ids.cpu(), index].to(units.logits)[:, None]
        labelled = (w[:, 0] > self.threshold) & has_label(units.labels)
        labels = one_hot(units.labels, run.task.n_classes, units.logits.dtype)
        refined = sharpen(w * labels + (1 - w) * guess(run, [member], views), self.temperature)
        guessed = sharpen(guess(run, run.members, views), self.temperature)
        growing = min(max((run.epoch - self.warmup + 1) / self.ramp, 0.0), 1.0)
        return mixmatch(
            run,
            index,
            views[0],
            torch.where(labelled[:, None], refined, guessed),
            labelled,
            alpha=self.alpha,
            unlabelled_weight=self.unlabelled_weight * growing,
        )

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"kept": float((self._clean > self.threshold).float().mean())}
