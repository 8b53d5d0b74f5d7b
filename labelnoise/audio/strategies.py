"""What training on sounds adds to the core's strategies: losses by origin, late selection, unequal tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from labelnoise.core.losses.plain import cross_entropy, label_smoothing
from labelnoise.core.losses.weights import keep_below_maximum, keep_inliers, labelled_mean
from labelnoise.core.small_loss import small_loss
from labelnoise.core.training.plain import Plain
from labelnoise.core.training.small_loss import SmallLoss
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, unit_losses
from labelnoise.core.validation import NO_LABEL, InputError, as_rate, choose

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = [
    "ByOrigin",
    "ClassSmoothing",
    "LateSelection",
    "Mixup",
    "OrGate",
    "OutlierRejection",
    "UnequalTags",
]


def _noisy(run: Run) -> Tensor:
    """Which training units have labels of the noisy origin, (n_units,)."""
    found = getattr(run.task, "is_noisy", None)
    if found is None:
        raise InputError(
            "The clips have no column 'origin', so that none can be told to be of noisy origin; "
            "add the column, or leave this option out."
        )
    return torch.from_numpy(np.asarray(found, dtype=bool))


def _cell_mean(values: Tensor, labels: Tensor) -> Tensor:
    """One value per unit: the mean over its known tags where there are several."""
    return values if values.ndim == 1 else values.sum(1) / (labels != NO_LABEL).sum(1).clamp(min=1)


@dataclass(kw_only=True)
class ByOrigin(Plain):
    """A robust loss, for all clips or for those of noisy origin only, with cross-entropy for the curated.

    Parameters
    ----------
    noisy_only : bool

    Examples
    --------
    >>> ByOrigin(loss="gce", noisy_only=True).options()["noisy_only"]
    True
    """

    noisy_only: bool = False

    def start(self, run: Run) -> None:
        super().start(run)
        self._noisy = _noisy(run) if self.noisy_only else None

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        robust = super().losses(run, index, own)
        if self._noisy is None:
            return robust
        noisy = self._noisy[own.ids.cpu()].to(robust.device)
        return torch.where(noisy, robust, unit_losses(own.logits, own.labels))


@dataclass(kw_only=True)
class OutlierRejection(ByOrigin):
    """Lq at first; later clips whose loss is an outlier of its batch count for nothing.

    The weight of such a clip falls from 1 to 0 over ``ramp`` epochs after ``warmup``.

    Parameters
    ----------
    warmup, ramp : int
    rule : {"maximum", "spread"}
        An outlier lies above ``share`` of the batch's maximum, or ``spread`` deviations above its median.
    share, spread : float

    Examples
    --------
    >>> OutlierRejection().options()["rule"]
    'spread'
    """

    loss: str = "gce"
    warmup: int = 25
    ramp: int = 5
    rule: Literal["maximum", "spread"] = "spread"
    share: float = 0.99
    spread: float = 1.9

    def start(self, run: Run) -> None:
        super().start(run)
        choose(self.rule, ("maximum", "spread"), "rule for outliers")
        _check_epochs(self.warmup, self.ramp)
        self._dropped = self._seen = 0.0

    def epoch_start(self, run: Run) -> None:
        self._dropped = self._seen = 0.0

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        rejection = min(max((run.epoch - self.warmup + 1) / max(self.ramp, 1), 0.0), 1.0)
        if not rejection:
            return None
        own = outputs[index]
        values = self.losses(run, index, own).detach()
        marks = self.marks(own.labels)
        if self.rule == "maximum":
            kept = keep_below_maximum(values, marks, share=self.share)
        else:
            kept = keep_inliers(values, marks, spread=self.spread)
        if self._noisy is not None:
            kept = torch.where(self._noisy[own.ids.cpu()].to(kept.device), kept, torch.ones_like(kept))
        self._seen += float((marks >= 0).sum())
        self._dropped += float(((kept == 0) & (marks >= 0)).sum())
        return 1 - rejection * (1 - kept)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"outliers": round(self._dropped / max(self._seen, 1), 4)}


@dataclass(kw_only=True)
class LateSelection(SmallLoss):
    """Small-loss selection over the whole training split once per epoch, from late on, with a quota per class.

    Over the whole split, since a batch of many classes has one or two clips of each, of which no share can be kept.

    Examples
    --------
    >>> LateSelection(noise_rate=0.2, warmup=15).options()["per_class"]
    True
    """

    per_class: bool = True

    def start(self, run: Run) -> None:
        super().start(run)
        _check_epochs(self.warmup, self.ramp)
        self._kept = run.units.new("kept", fill=1)

    def epoch_start(self, run: Run) -> None:
        super().epoch_start(run)
        if self._keep < 1:
            losses = run.per_unit(run.members[0]).numpy()
            marks = self.marks(torch.from_numpy(run.task.given)).numpy()
            # Tags have no class of which to keep a share.
            quota = self.per_class and not run.task.multilabel
            self._kept.copy_(
                torch.from_numpy(small_loss(losses, keep=self._keep, labels=marks, per_class=quota))
            )

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        return self._kept[own.ids.cpu()].to(own.logits)


@dataclass(kw_only=True)
class OrGate(Strategy):
    """After a warm-up only clips take part whose label has been among the top k outputs in some epoch so far.

    Parameters
    ----------
    warmup : int
        Epochs on everything, in which hits are counted too.
    top_k : int, optional
        By default 7% of the classes, at least 1, as published for 1,211 speakers.
    hits : int
        Epochs with a hit that let a clip in; 1 as published. Once in, it stays.

    Examples
    --------
    >>> OrGate(warmup=8).options()
    {'warmup': 8, 'top_k': None, 'hits': 1}
    """

    warmup: int = 5
    top_k: int | None = None
    hits: int = 1

    def start(self, run: Run) -> None:
        _check_epochs(self.warmup, 1)
        k = run.task.n_classes
        self._k = max(round(0.07 * k), 1) if self.top_k is None else self.top_k
        if not 1 <= self._k <= k or self.hits < 1:
            raise InputError(
                f"top_k is {self._k} and hits {self.hits}; top_k lies from 1 to {k} classes, hits from 1."
            )
        self._count = run.units.new("hits")

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        if run.epoch < self.warmup:
            return None
        return (self._count[own.ids.cpu()] >= self.hits).to(own.logits)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        # Judged without dropout: a clip that is out must not come in by chance.
        self._count += run.per_unit(run.members[0], self._hit)
        return {"kept": round(float((self._count >= self.hits).float().mean()), 4)}

    def _hit(self, units: Units) -> Tensor:
        top = torch.zeros_like(units.logits, dtype=torch.bool).scatter_(
            1, units.logits.topk(self._k).indices, True
        )
        if units.labels.ndim == 2:
            return (top & (units.labels == 1)).any(1)
        found = top.gather(1, units.labels.clamp(min=0)[:, None])[:, 0]
        return found & (units.labels >= 0)


@dataclass(kw_only=True)
class ClassSmoothing(Strategy):
    """Label smoothing, more of it for the noisier half of the classes.

    A class is as noisy as the mean loss of its clips is high after the warm-up.

    Parameters
    ----------
    epsilon : float
        Share that all classes together get.
    delta : float
        Added for the noisier classes, taken off for the others, at most ``epsilon``.
    warmup : int
        Epochs with ``epsilon`` for all.

    Examples
    --------
    >>> ClassSmoothing().options()
    {'epsilon': 0.15, 'delta': 0.05, 'warmup': 5}
    """

    epsilon: float = 0.15
    delta: float = 0.05
    warmup: int = 5

    def start(self, run: Run) -> None:
        _check_epochs(self.warmup, 1)
        if not 0 <= self.delta <= self.epsilon or self.epsilon + self.delta > 1:
            raise InputError(
                f"epsilon is {self.epsilon} and delta {self.delta}; 0 <= delta <= epsilon and a sum of at most 1 go."
            )
        self._shares = np.full(run.task.n_classes, self.epsilon)

    def epoch_start(self, run: Run) -> None:
        if run.epoch != self.warmup:
            return
        given, multilabel = run.task.given, run.task.multilabel
        if multilabel:
            cells = run.per_unit(
                run.members[0],
                lambda units: cross_entropy(units.logits, units.labels, multilabel=True),
                width=run.task.n_classes,
            ).numpy()
            noise = (cells * (given == 1)).sum(0) / np.maximum((given == 1).sum(0), 1)
        else:
            known = given >= 0
            losses = run.per_unit(run.members[0]).numpy()
            count = np.bincount(given[known], minlength=run.task.n_classes)
            noise = np.bincount(given[known], losses[known], run.task.n_classes) / np.maximum(count, 1)
        self._shares = self.epsilon + np.where(noise > np.median(noise), self.delta, -self.delta)

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        values = label_smoothing(own.logits, own.labels, epsilon=self._shares, multilabel=run.task.multilabel)
        return _cell_mean(values, own.labels)

    def state_dict(self) -> dict[str, Any]:
        return {"shares": self._shares.tolist()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._shares = np.array(state["shares"])


@dataclass(kw_only=True)
class Mixup(Strategy):
    """Clips mixed in pairs, and their losses with the same shares.

    Parameters
    ----------
    alpha : float
        Shares are drawn from Beta(alpha, alpha).
    warmup : int
        Epochs without mixing.
    noisy_weight : float
        Weight of a clip of noisy origin, curated ones have 1; a mixture has its parents' weights by their shares.
        Below 1 needs the column ``origin``.

    Examples
    --------
    >>> Mixup(alpha=0.4).options()
    {'alpha': 0.4, 'warmup': 5, 'noisy_weight': 1.0}
    """

    alpha: float = 0.3
    warmup: int = 5
    noisy_weight: float = 1.0

    def start(self, run: Run) -> None:
        _check_epochs(self.warmup, 1)
        as_rate(self.noisy_weight, name="noisy_weight")
        if not self.alpha > 0:
            raise InputError(f"alpha is {self.alpha}; it must be above 0.")
        self._trust = torch.ones(run.task.n_units)
        if self.noisy_weight < 1:
            self._trust[_noisy(run)] = self.noisy_weight

    def step(self, run: Run, batch: Any) -> None:
        if run.epoch < self.warmup:
            super().step(run, batch)
            return
        member = run.members[0]
        mixed = run.task.mixed(member.model, batch, self.alpha, run.rng("mixup"))
        logits, share, trust = mixed.logits.float(), mixed.share, self._trust[batch.ids.cpu()].to(mixed.share)
        total, weight = logits.new_zeros(()), logits.new_zeros(())
        for labels, part, own in (
            (batch.labels, share, trust),
            (batch.labels[mixed.partner], 1 - share, trust[mixed.partner]),
        ):
            counted = part * own * (self.marks(labels) >= 0)
            total = total + (counted * unit_losses(logits, labels)).sum()
            weight = weight + counted.sum()
        member.update(total / weight.clamp(min=1e-6))

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        return self._trust[own.ids.cpu()].to(own.logits) if self.noisy_weight < 1 else None


@dataclass(kw_only=True)
class UnequalTags(Strategy):
    """Absent tags are believed less than present ones, since tags are forgotten more often than invented.

    Parameters
    ----------
    weight : float
        Of an absent tag's loss, above 0 to 1.
    target : float
        What an absent tag's output should be, from 0 to below 0.5.

    Examples
    --------
    >>> UnequalTags(weight=0.25).options()
    {'weight': 0.25, 'target': 0.0}
    """

    weight: float = 1.0
    target: float = 0.0

    def start(self, run: Run) -> None:
        if not run.task.multilabel:
            raise InputError("Every clip has one class here; absent tags are for clips with tags.")
        if not 0 < self.weight <= 1 or not 0 <= self.target < 0.5:
            raise InputError(
                f"weight is {self.weight} and target {self.target}; weight lies in (0, 1], target in [0, 0.5)."
            )

    def objective(self, run: Run, index: int, outputs: list[Units]) -> Tensor:
        own = outputs[index]
        targets = torch.where(own.labels == 0, self.target, own.labels.to(own.logits.dtype))
        values = cross_entropy(own.logits, targets, multilabel=True)
        weights = torch.where(own.labels == 0, self.weight, 1.0).to(values)
        return labelled_mean(values, own.labels, weights=weights)


def _check_epochs(warmup: int, ramp: int) -> None:
    if warmup < 0 or ramp < 1:
        raise InputError(f"warmup is {warmup} and ramp {ramp}; warmup is 0 or more, ramp 1 or more.")
