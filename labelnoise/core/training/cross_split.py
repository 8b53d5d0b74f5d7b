"""CrossSplit: two networks see the labels of one half each and correct the other's labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from labelnoise.core.random import generator
from labelnoise.core.training.mixmatch import guess, mixmatch, sharpen
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import has_label, one_hot
from labelnoise.core.validation import NO_LABEL, InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["CrossSplit", "jensen_shannon"]


@dataclass(kw_only=True)
class CrossSplit(Strategy):
    """Each network trains on the labels of its half, softened by how much the peer, who never saw them, disagrees.

    Parameters
    ----------
    warmup : int
        Epochs of cross-entropy on the own half.
    gammas : tuple of float
        How far from one half the peer's weight may go, in three stages: up to 2 and 3 times ``stage`` epochs after
        the warm-up, and then.
    stage : int
        10 as published.
    alpha : float
        Of mixup; 0 for tasks that cannot mix inputs.
    unlabelled_weight : float
        Of the other half's guessed targets, reached over ``ramp`` epochs.
    ramp : int
    temperature : float
        Of `labelnoise.core.training.mixmatch.sharpen`.
    """

    warmup: int = 10
    gammas: tuple[float, float, float] = (0.6, 0.8, 1.0)
    stage: int = 10
    alpha: float = 4.0
    unlabelled_weight: float = 30.0
    ramp: int = 16
    temperature: float = 0.5
    n_models: ClassVar[int] = 2

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "CrossSplit is for single-label units; choose another strategy for multi-label data."
            )
        self._half = run.units.new("half", dtype=torch.int64)
        order = generator(run.config.seed, "halves").permutation(run.task.n_units)
        self._half[torch.from_numpy(order[: run.task.n_units // 2])] = 1
        self._peer_weight = run.units.new("peer_weight", fill=0.5)

    def epoch_start(self, run: Run) -> None:
        """Weigh every unit's label against the peer's prediction, by class-wise normalised divergence."""
        since = run.epoch - self.warmup
        if since < 0:
            return
        gamma = self.gammas[0 if since < 2 * self.stage else 1 if since < 3 * self.stage else 2]
        given = torch.from_numpy(np.asarray(run.task.given))
        for index in range(2):
            # Network 1 - index has not seen the labels of half `index`.
            apart = run.per_unit(
                run.members[1 - index],
                lambda units: jensen_shannon(
                    one_hot(units.labels, run.task.n_classes, torch.float32), units.logits.softmax(1)
                ),
            )
            for c in range(run.task.n_classes):
                own = (self._half == index) & (given == c)
                if own.any():
                    low, high = apart[own].min(), apart[own].max()
                    share = (apart[own] - low) / (high - low).clamp(min=1e-12)
                    self._peer_weight[own] = gamma * (share - 0.5) + 0.5

    def step(self, run: Run, batch: Any) -> None:
        if run.epoch < self.warmup:
            self._warm_up(run, batch)
            return
        views = [run.task.augment(batch, run.rng("view", v)) for v in range(2)]
        objectives = [self._half_objective(run, index, views) for index in range(2)]
        for member, objective in zip(run.members, objectives, strict=True):
            member.update(objective)

    def _warm_up(self, run: Run, batch: Any) -> None:
        outputs = [run.forward(member, batch) for member in run.members]
        half = self._half[outputs[0].ids.cpu()].to(outputs[0].labels.device)
        for index, (member, own) in enumerate(zip(run.members, outputs, strict=True)):
            mine = own._replace(labels=torch.where(half == index, own.labels, NO_LABEL))
            member.update(super().objective(run, 0, [mine]))

    def _half_objective(self, run: Run, index: int, views: list[Any]) -> Tensor:
        own, peer = run.members[index], run.members[1 - index]
        with torch.no_grad():
            units = run.forward(own, views[0])
        ids = units.ids.cpu()
        own_half = (self._half[ids] == index).to(units.labels.device)
        w = self._peer_weight[ids].to(units.logits)[:, None]
        labels = one_hot(units.labels, run.task.n_classes, units.logits.dtype)
        corrected = sharpen(w * guess(run, [peer], views) + (1 - w) * labels, self.temperature)
        guessed = sharpen(guess(run, [own], views), self.temperature)
        labelled = own_half & has_label(units.labels)
        targets = torch.where(labelled[:, None], corrected, guessed)
        growing = min(max((run.epoch - self.warmup + 1) / self.ramp, 0.0), 1.0)
        return mixmatch(
            run,
            index,
            views[0],
            targets,
            labelled,
            alpha=self.alpha,
            unlabelled_weight=self.unlabelled_weight * growing,
        )


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Divergence per row in bits, from 0 to 1.

    Examples
    --------
    >>> jensen_shannon(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([0., 1.])
    """
    middle = ((p + q) / 2).clamp(min=1e-12).log2()

    def part(x: Tensor) -> Tensor:
        return (x * (x.clamp(min=1e-12).log2() - middle)).sum(1)

    return (part(p) + part(q)) / 2
