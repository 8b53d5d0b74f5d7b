"""Displaced outlines as a forward layer: the prediction is moved by a smooth field before it meets the label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.mask_task import MaskTask
from labelnoise.segmentation.networks import UNet

if TYPE_CHECKING:
    from labelnoise.core.trained import Trained
    from labelnoise.core.training.loop import Run

__all__ = ["DisplacementForward", "DisplacementTask", "displaced", "train_displacement_forward"]


def displaced(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps read a given number of pixels away, bilinearly, the border repeated.

    Parameters
    ----------
    maps : Tensor of shape (B, K, H, W)
    flow : Tensor of shape (B, 2, H, W)
        Rows and columns away, in pixels: the result at x is the map at x + flow(x).

    Examples
    --------
    >>> row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> flow = torch.zeros(1, 2, 1, 3)
    >>> flow[:, 1] = 1.0
    >>> displaced(row, flow).flatten().tolist(), displaced(row, 0.5 * flow).flatten().tolist()
    ([2.0, 3.0, 3.0], [1.5, 2.5, 3.0])
    """
    height, width = maps.shape[-2:]
    y = torch.arange(height, device=maps.device, dtype=maps.dtype)[:, None] + flow[:, 0]
    x = torch.arange(width, device=maps.device, dtype=maps.dtype) + flow[:, 1]
    # Grid coordinates run from -1 to 1 between the centres of the outermost pixels.
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=True)


class DisplacementNetwork(nn.Module):
    """A segmentation network with a second one for the field; called, it answers what is not displaced.

    Parameters
    ----------
    inner : nn.Module
    channels, n_classes : int
    reach : float
        Longest step along either axis, in pixels of the prepared image.
    coarse : int
        The field is averaged over squares of this side, in pixels, and enlarged bilinearly.
    width : int
        Of the second network.
    """

    def __init__(
        self, inner: nn.Module, channels: int, n_classes: int, *, reach: float, coarse: int, width: int = 8
    ) -> None:
        super().__init__()
        self.inner, self.reach, self.coarse = inner, reach, coarse
        self.field = UNet(channels + 2 * n_classes, 2, width=width, half=True)
        # No displacement at first, whatever the image.
        nn.init.zeros_(self.field.head.weight)
        assert self.field.head.bias is not None
        nn.init.zeros_(self.field.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.inner(images)
        return made

    def flow(self, images: Tensor, probs: Tensor, labels: Tensor) -> Tensor:
        """Field (B, 2, H, W) in pixels from the image, the prediction and the labels as maps (B, K, H, W)."""
        size = images.shape[-2:]
        raw = self.field(torch.cat([images, probs, labels], dim=1))
        if self.coarse > 1:
            raw = F.avg_pool2d(raw, self.coarse, ceil_mode=True, count_include_pad=False)
            raw = F.interpolate(raw, size=size, mode="bilinear", align_corners=False)
        return self.reach * (torch.sigmoid(raw) - 0.5) / 0.5


class DisplacementTask(MaskTask):
    """Masks for a network with a field; ``reach`` and ``coarse`` are its own, other options those of `MaskTask`."""

    def __init__(self, dataset: MaskDataset, *, reach: float = 4.0, coarse: int = 8, **options: Any) -> None:
        if not reach > 0 or coarse < 1:
            raise InputError(
                f"reach is {reach} and coarse {coarse}; a reach above 0 and a coarseness from 1 are needed."
            )
        super().__init__(dataset, **options)
        self.reach, self.coarse = reach, coarse

    def build(self) -> nn.Module:
        inner = super().build()
        return DisplacementNetwork(
            inner, self.pictures.channels, self.n_classes, reach=self.reach, coarse=self.coarse
        )


@dataclass(kw_only=True)
class DisplacementForward(Strategy):
    """The label is explained by the prediction moved along a smooth field of the image; the unmoved one is kept.

    Parameters
    ----------
    warmup : int
        Epochs of plain training.
    field_only : int
        Further epochs in which the field alone learns, from then on both.
    length : float
        Weight of the mean squared step, in units of the reach.
    bias : float
        Weight of the squared mean outward step of all images of a batch: displacements that all images share cannot be
        told from the truth, so they are taken for none.

    References
    ----------
    Zhang et al. 2023, PNT-Edge, ACM Multimedia: edges predicted, moved by ``10 (sigmoid(o) - .5) / .5`` pixels, compared
    with noisy edges in three phases. For classes, with a coarse field, its length and its mean penalised, by this
    project.

    Examples
    --------
    >>> DisplacementForward(warmup=3).options()
    {'warmup': 3, 'field_only': 5, 'length': 0.05, 'bias': 1.0}
    """

    warmup: int = 10
    field_only: int = 5
    length: float = 0.05
    bias: float = 1.0

    def start(self, run: Run) -> None:
        if min(self.warmup, self.field_only, self.length, self.bias) < 0:
            raise InputError("warmup, field_only, length and bias are 0 or more.")
        if not isinstance(run.task, DisplacementTask):
            raise InputError("A network with a field is needed; give a DisplacementTask.")
        if run.accelerator.num_processes > 1:
            raise InputError("Displacements are learnt in one process; start one only.")

    def epoch_start(self, run: Run) -> None:
        self._moved, self._batches = 0.0, 0

    def step(self, run: Run, batch: Any) -> None:
        member, k = run.members[0], run.task.n_classes
        net = member.bare
        assert isinstance(net, DisplacementNetwork)
        ids = batch.ids.cpu()
        labels = torch.where(run.active[ids].to(batch.labels.device), batch.labels, NO_LABEL)
        if not bool((labels >= 0).any()):
            return
        with run.accelerator.autocast():
            maps = net(batch.images)
        maps = maps.float()
        if run.epoch < self.warmup:
            logits = MaskTask.flat(maps, batch)
            member.update(F.cross_entropy(logits, labels, ignore_index=NO_LABEL))
            return
        probs = maps.softmax(1)
        if run.epoch < self.warmup + self.field_only:
            probs = probs.detach()
        shown = label_maps(labels, batch, k)
        with run.accelerator.autocast():
            flow = net.flow(batch.images, probs.detach(), shown)
        flow = flow.float()
        moved = MaskTask.flat(displaced(probs, flow), batch).clamp(min=1e-6).log()
        share = flow / net.reach
        grown = outward(probs.detach(), flow) / net.reach
        objective = (
            F.nll_loss(moved, labels, ignore_index=NO_LABEL)
            + self.length * share.square().mean()
            + self.bias * grown.square()
        )
        member.update(objective)
        self._moved += float(flow.detach().abs().mean())
        self._batches += 1

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"mean_step": round(self._moved / max(self._batches, 1), 4)}


def outward(probs: Tensor, flow: Tensor) -> Tensor:
    """Mean step across outlines, in pixels, positive where labels are wider than the prediction; a scalar.

    Every class but the first counts; a pixel counts as far as the class probability changes there.

    Examples
    --------
    >>> p = torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]).expand(1, 1, 3, 5)
    >>> flow = torch.zeros(1, 2, 3, 5)
    >>> flow[:, 1] = 1.0
    >>> float(outward(torch.cat([1 - p, p], dim=1), flow))
    1.0
    """
    front = probs[:, 1:]
    down = F.pad((front[..., 2:, :] - front[..., :-2, :]) / 2, (0, 0, 1, 1))
    across = F.pad((front[..., 2:] - front[..., :-2]) / 2, (1, 1))
    size = (down.square() + across.square()).sqrt()
    along = down * flow[:, :1] + across * flow[:, 1:]
    return along.sum() / size.sum().clamp(min=1e-6)


def label_maps(labels: Tensor, batch: Any, k: int) -> Tensor:
    """Labels of a batch's pixels (u,) as maps of classes (B, K, H, W) at the prepared size; 0 without a label."""
    height, width = batch.images.shape[-2:]
    made = batch.images.new_zeros(len(batch.images), k, height, width)
    first = 0
    for i, (shape, size) in enumerate(zip(batch.shapes.tolist(), batch.sizes.tolist())):
        count = shape[0] * shape[1]
        own = labels[first : first + count].reshape(shape)
        first += count
        hot = F.one_hot(own.clamp(min=0), k).permute(2, 0, 1).to(made) * (own >= 0)
        if shape != size:
            hot = F.interpolate(hot[None], size=tuple(size), mode="bilinear", align_corners=False)[0]
        made[i, :, : size[0], : size[1]] = hot
    return made


def train_displacement_forward(
    dataset: MaskDataset,
    seed: int,
    *,
    reach: float = 4.0,
    coarse: int = 8,
    warmup: int = 10,
    field_only: int = 5,
    length: float = 0.05,
    bias: float = 1.0,
    longest: int | None = 256,
    epochs: int = 60,
    network: str = "unet-half",
    **options: Any,
) -> Trained:
    """A network whose prediction is displaced before the loss by a field that a second network learns.

    Parameters
    ----------
    dataset : MaskDataset
        With images; class 0 is what surrounds the others.
    seed : int
    reach : float
        Longest step along either axis, in pixels of the prepared image.
    coarse : int
        Side of the squares over which the field is averaged, in pixels.
    warmup, field_only, length, bias
        Of `DisplacementForward`.
    longest, network
        Of `labelnoise.segmentation.mask_task.MaskTask`.
    epochs : int
    **options
        Of `labelnoise.segmentation.train_methods.fit`.

    Returns
    -------
    Trained
        Each epoch of the history with the mean step in pixels.

    Raises
    ------
    InputError
        No images, fewer epochs than both first phases take, options that do not fit.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_displacement_forward(scenes(4, 32), 0, warmup=1, field_only=1, epochs=3)
    >>> result.probs.shape, result.history[0]["mean_step"]
    ((4096, 5), 0.0)
    """
    from labelnoise.segmentation.train_methods import fit, trained_of

    if epochs <= warmup + field_only:
        raise InputError(
            f"epochs is {epochs}; the first phases take {warmup + field_only}, so give more, or shorten them."
        )
    names = ("network_options", "batch_size", "validation_labels")
    task_options = {key: options.pop(key) for key in names if key in options}
    task = DisplacementTask(
        dataset, reach=reach, coarse=coarse, longest=longest, network=network, **task_options
    )
    made = DisplacementForward(warmup=warmup, field_only=field_only, length=length, bias=bias)
    result = fit(task, seed, strategy=made, epochs=epochs, **options)
    return replace(trained_of(result, dataset, task.pictures), method="displacement-forward")
