"""Two networks on two views of the images; a pixel's label counts as far as both believe in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, unit_losses
from labelnoise.core.two_source import CERTAINTIES, keep_ratio, two_source
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.mask_task import MaskTask

if TYPE_CHECKING:
    from labelnoise.core.trained import Trained
    from labelnoise.core.training.loop import Run

__all__ = ["ChannelView", "TwoViewTask", "TwoViews", "train_two_views"]


class ChannelView(nn.Module):
    """A network that sees some channels; the others are zero, the mean of standardised images.

    Parameters
    ----------
    inner : nn.Module
    channels : int

    Examples
    --------
    >>> view = ChannelView(nn.Identity(), 3)
    >>> view.look_at([0, 2])
    >>> view(torch.ones(1, 3, 1, 1)).flatten().tolist()
    [1.0, 0.0, 1.0]
    """

    seen: Tensor

    def __init__(self, inner: nn.Module, channels: int) -> None:
        super().__init__()
        self.inner = inner
        # A buffer, so that copies, averages and checkpoints look at the same channels.
        self.register_buffer("seen", torch.ones(1, channels, 1, 1))

    def look_at(self, channels: Sequence[int]) -> None:
        """Choose the channels."""
        self.seen.zero_()
        self.seen[:, list(channels)] = 1.0

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.inner(images * self.seen)
        return made


class TwoViewTask(MaskTask):
    """Masks for networks that may each see some channels; options are those of `MaskTask`."""

    def build(self) -> nn.Module:
        return ChannelView(super().build(), self.pictures.channels)


@dataclass(kw_only=True)
class TwoViews(Strategy):
    """Each network's loss is weighted by the confidence of both in the label; unlabelled pixels by agreement alone.

    Parameters
    ----------
    keep : float
        Share of each class of a batch whose labels count in full in the end, in (0, 1].
    ramp : int
        Epochs in which the share falls from 1 to ``keep``.
    consistency : float
        Weight of the divergence between both predictions, itself weighted by how sure they are.
    measure : {"entropy", "squares"}
        Of `labelnoise.core.two_source.certainty`.
    channels : tuple of two tuples of int, optional
        The channels of either network. By default both see all, each under other brightness, contrast and noise.

    References
    ----------
    Liu et al. 2025, CromSS, IEEE TGRS.

    Examples
    --------
    >>> TwoViews(keep=0.7).options()["consistency"]
    1.0
    """

    n_models: ClassVar[int] = 2
    keep: float = 0.5
    ramp: int = 10
    consistency: float = 1.0
    measure: str = "entropy"
    channels: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def start(self, run: Run) -> None:
        choose(self.measure, CERTAINTIES, "measure")
        if as_rate(self.keep, name="keep") == 0 or self.ramp < 0 or not self.consistency >= 0:
            raise InputError(
                f"keep is {self.keep}, ramp {self.ramp} and consistency {self.consistency}; keep lies above 0, the "
                "others from 0."
            )
        if not isinstance(run.task, TwoViewTask):
            raise InputError("Two views of images are needed; give a TwoViewTask.")
        if self.channels is None:
            return
        c = run.task.pictures.channels
        groups = [list(group) for group in self.channels]
        if len(groups) != 2 or not all(groups) or any(not 0 <= i < c for group in groups for i in group):
            raise InputError(
                f"channels is {self.channels}; name two groups of one channel or more, from 0 to {c - 1}."
            )
        for member, group in zip(run.members, groups):
            for model in (member.bare, member.average):
                if model is not None:
                    assert isinstance(model, ChannelView)
                    model.look_at(group)

    def step(self, run: Run, batch: Any) -> None:
        views = [
            batch if self.channels else run.task.augment(batch, run.rng("view", index)) for index in range(2)
        ]
        outputs = [run.forward(member, view) for member, view in zip(run.members, views)]
        weights, sure = self._judged(run, outputs)
        logs = [out.logits.log_softmax(1) for out in outputs]
        # Both predict the mean of both, which is held fixed.
        together = torch.stack([log.detach().exp() for log in logs]).mean(0)
        for index, (member, out) in enumerate(zip(run.members, outputs)):
            fit = labelled_mean(unit_losses(out.logits, out.labels), out.labels, weights=weights[index])
            gap = (together * (together.clamp(min=1e-12).log() - logs[index])).sum(1)
            member.update(fit + self.consistency * (sure[index] * gap).mean())

    def _judged(self, run: Run, outputs: list[Units]) -> tuple[Tensor, Tensor]:
        given = outputs[0].labels
        probs = [out.logits.detach().softmax(1).double().cpu().numpy() for out in outputs]
        probs = [p / p.sum(axis=1, keepdims=True) for p in probs]
        share = keep_ratio(run.epoch, self.keep, ramp=self.ramp)
        found = two_source(given.cpu().numpy(), *probs, keep=share, measure=self.measure)
        known = max(int((given >= 0).sum()), 1)
        self._believed += float(found.weights.sum()) / (2 * known)
        self._batches += 1
        make = outputs[0].logits.new_tensor
        return make(found.weights), make(found.certainty)

    def epoch_start(self, run: Run) -> None:
        self._believed, self._batches = 0.0, 0

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"believed": round(self._believed / max(self._batches, 1), 4)}


def train_two_views(
    dataset: MaskDataset,
    seed: int,
    *,
    channels: Sequence[Sequence[int]] | None = None,
    keep: float = 0.5,
    ramp: int = 10,
    consistency: float = 1.0,
    measure: str = "entropy",
    longest: int | None = 256,
    epochs: int = 60,
    network: str = "unet-half",
    **options: Any,
) -> Trained:
    """Two networks, on two groups of channels or two views, that weigh the labels of each class for each other.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    channels, keep, ramp, consistency, measure
        Of `TwoViews`.
    longest, network
        Of `labelnoise.segmentation.mask_task.MaskTask`.
    epochs : int
    **options
        Of `labelnoise.segmentation.train_methods.fit`.

    Returns
    -------
    Trained
        Probabilities are the mean of both networks; the history says how far labels were believed on average.

    Raises
    ------
    InputError
        No images, channels that they do not have, numbers out of range.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_two_views(scenes(4, 32), 0, channels=[[0], [1, 2]], epochs=2)
    >>> result.probs.shape, 0 < result.history[-1]["believed"] <= 1
    ((4096, 5), True)
    """
    from labelnoise.segmentation.train_methods import fit, trained_of

    names = ("network_options", "batch_size", "validation_labels")
    task_options = {key: options.pop(key) for key in names if key in options}
    groups: Any = None if channels is None else tuple(tuple(int(i) for i in group) for group in channels)
    made = TwoViews(keep=keep, ramp=ramp, consistency=consistency, measure=measure, channels=groups)
    task = TwoViewTask(dataset, longest=longest, network=network, **task_options)
    result = fit(task, seed, strategy=made, epochs=epochs, **options)
    return replace(trained_of(result, dataset, task.pictures), method="two-views")
