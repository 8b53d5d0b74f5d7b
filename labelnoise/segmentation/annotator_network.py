"""A network beside the confusions of each annotator, learnt from all their masks at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.segmentation.consensus import votes_of
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.mask_task import MaskTask
from labelnoise.segmentation.networks import build_network

if TYPE_CHECKING:
    from labelnoise.core.trained import Trained
    from labelnoise.core.training.loop import Run

__all__ = ["AnnotatorNetwork", "AnnotatorTask", "Annotators", "train_annotators"]

#: Confusions move so many times as fast as a weight would: Adam's steps are as long as the learning rate, and a
#: training of a few hundred of them would leave them where they start.
_SPEED = 20.0


class AnnotatorNetwork(nn.Module):
    """A segmentation network whose further outputs say how the annotators' confusions vary over the image.

    Parameters
    ----------
    inner : nn.Module
        Images to K + rank maps.
    n_classes, n_annotators : int
    rank : int
        Numbers per pixel on which confusions depend; 0 for confusions that are the same everywhere.
    diagonal : float
        P(an annotator is right) at the start, above 1 / K.

    Examples
    --------
    >>> net = AnnotatorNetwork(nn.Conv2d(1, 2, 1), 2, 3, rank=0, diagonal=0.9)
    >>> net(torch.zeros(1, 1, 4, 4)).shape, net.confusions(torch.zeros(5, 0))[2, 4].tolist()
    (torch.Size([1, 2, 4, 4]), [[0.8999999761581421, 0.09999999403953552], [0.09999999403953552, 0.8999999761581421]])
    """

    def __init__(
        self, inner: nn.Module, n_classes: int, n_annotators: int, *, rank: int = 0, diagonal: float = 0.9
    ) -> None:
        super().__init__()
        if rank < 0 or not 1 / n_classes < diagonal < 1 or n_classes < 2:
            raise InputError(
                f"rank is {rank} and diagonal {diagonal} for {n_classes} classes; a rank from 0, a diagonal between 1 / K "
                "and 1, and two classes or more are needed."
            )
        self.inner, self.n_classes = inner, n_classes
        off = (1 - diagonal) / (n_classes - 1)
        start = torch.full((n_classes, n_classes), float(np.log(off)))
        start.fill_diagonal_(float(np.log(diagonal)))
        self.start: Tensor
        self.register_buffer("start", start)
        self.moved = nn.Parameter(torch.zeros(n_annotators, n_classes, n_classes))
        # Zero, so that confusions are the same everywhere until images say otherwise.
        self.varying = nn.Parameter(torch.zeros(rank, n_annotators, n_classes, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Class logits (B, K, H, W)."""
        return self.maps(images)[:, : self.n_classes]

    def maps(self, images: Tensor) -> Tensor:
        """Class logits and what confusions depend on, (B, K + rank, H, W)."""
        made: Tensor = self.inner(images)
        return made

    def confusions(self, place: Tensor) -> Tensor:
        """P(annotator says j | class i) at some pixels, (A, u, K, K), from their numbers (u, rank)."""
        raw = self.raw[:, None] + torch.einsum("ur,raij->auij", place, self.varying)
        return raw.softmax(dim=-1)

    @property
    def raw(self) -> Tensor:
        """What all pixels share of the confusions, before the softmax, (A, K, K)."""
        return self.start + _SPEED * self.moved

    def right(self) -> list[list[float]]:
        """P(annotator is right | class), (A, K), of what all pixels share."""
        rows = self.raw.detach().softmax(-1).diagonal(dim1=-2, dim2=-1)
        return [[round(float(v), 4) for v in row] for row in rows]


class AnnotatorTask(MaskTask):
    """Masks with the votes of every training pixel.

    Parameters
    ----------
    dataset : MaskDataset
        With votes.
    rank, diagonal
        Of `AnnotatorNetwork`.
    **options
        Of `labelnoise.segmentation.mask_task.MaskTask`.
    """

    def __init__(self, dataset: MaskDataset, *, rank: int = 0, diagonal: float = 0.9, **options: Any) -> None:
        super().__init__(dataset, **options)
        votes = votes_of(dataset)
        self.votes: NDArray[Any] = np.concatenate([votes[dataset.window(int(i))] for i in self.rows["train"]])
        self.rank, self.diagonal = rank, diagonal

    def build(self) -> nn.Module:
        inner = build_network(
            self.network, self.pictures.channels, self.n_classes + self.rank, **self.network_options
        )
        return AnnotatorNetwork(
            inner, self.n_classes, self.votes.shape[1], rank=self.rank, diagonal=self.diagonal
        )


@dataclass(kw_only=True)
class Annotators(Strategy):
    """Each annotator's label is explained by the true class sent through the annotator's confusions.

    Parameters
    ----------
    trace : float
        Weight of the mean diagonal of all confusions, which is made small: of all that explain the votes, the
        confusions that blame the annotators most leave the class to the network.
    warmup : int
        Epochs in which the confusions stay as they start and have no trace term, so that the classes of the network keep
        their names.

    References
    ----------
    Zhang et al. 2020, Disentangling human error from ground truth in segmentation of medical images, NeurIPS,
    equation 4; Tanno et al. 2019, CVPR, for confusions that are the same everywhere. The logarithm is taken of the
    annotators' probabilities (the published code passes them through a second softmax).

    Examples
    --------
    >>> Annotators().options()
    {'trace': 0.01, 'warmup': 5}
    """

    trace: float = 0.01
    warmup: int = 5

    def start(self, run: Run) -> None:
        if not isinstance(run.task, AnnotatorTask):
            raise InputError("Masks of several annotators are needed; give an AnnotatorTask.")
        if run.accelerator.num_processes > 1:
            raise InputError("Confusions of annotators are learnt in one process; start one only.")
        if not (np.isfinite(self.trace) and self.trace >= 0) or self.warmup < 0:
            raise InputError(f"trace is {self.trace} and warmup {self.warmup}; both are 0 or more.")
        self._votes = torch.from_numpy(run.task.votes)

    def step(self, run: Run, batch: Any) -> None:
        member, task = run.members[0], run.task
        net = member.bare
        assert isinstance(net, AnnotatorNetwork)
        with run.accelerator.autocast():
            maps = net.maps(batch.images)
        flat = MaskTask.flat(maps.float(), batch)
        logits, place = flat[:, : task.n_classes], flat[:, task.n_classes :]
        ids = batch.ids.cpu()
        votes = self._votes[ids].to(device=logits.device, dtype=torch.long)
        votes[~run.active[ids].to(votes.device)] = NO_LABEL
        # Without a given label a pixel takes no part, whoever drew it.
        votes[batch.labels < 0] = NO_LABEL
        if not bool((votes >= 0).any()):
            return
        early = run.epoch < self.warmup
        confusions = net.confusions(place.detach() * 0 if early else place)
        if early:
            confusions = confusions.detach()
        values, seen = vote_losses(logits, votes, confusions)
        objective = values.sum() / seen.sum()
        if not early:
            objective = objective + self.trace * confusions.diagonal(dim1=-2, dim2=-1).mean()
        member.update(objective)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        net = run.members[0].bare
        assert isinstance(net, AnnotatorNetwork)
        return {"diagonal": net.right()}


def vote_losses(logits: Tensor, votes: Tensor, confusions: Tensor) -> tuple[Tensor, Tensor]:
    """``-log (A_r' p)[vote of r]`` of every pixel and annotator, 0 without a vote; and which have one; (u, A) each.

    Parameters
    ----------
    logits : Tensor of shape (u, K)
    votes : Tensor of int64, shape (u, A)
    confusions : Tensor of shape (A, u, K, K), or (A, 1, K, K)

    Examples
    --------
    >>> sure = torch.tensor([[[[0.9, 0.1], [0.2, 0.8]]]])
    >>> values, seen = vote_losses(torch.tensor([[0.0, 0.0]]), torch.tensor([[1]]), sure)
    >>> round(float(values.exp()), 3), seen.tolist()
    (2.222, [[True]])
    """
    p = logits.softmax(dim=1)
    made, seen = [], votes >= 0
    for a in range(votes.shape[1]):
        column = votes[:, a].clamp(min=0)
        own = confusions[a].expand(len(p), -1, -1)
        said = own.gather(2, column[:, None, None].expand(-1, p.shape[1], 1))[..., 0]
        made.append(-(p * said).sum(dim=1).clamp(min=1e-12).log())
    return torch.stack(made, dim=1) * seen, seen


def train_annotators(
    dataset: MaskDataset,
    seed: int,
    *,
    trace: float = 0.01,
    warmup: int = 5,
    rank: int = 0,
    diagonal: float = 0.9,
    longest: int | None = 256,
    epochs: int = 60,
    network: str = "unet-half",
    **options: Any,
) -> Trained:
    """A network and the confusions of each annotator, trained on all masks of all annotators.

    Parameters
    ----------
    dataset : MaskDataset
        With images and votes.
    seed : int
    trace, warmup
        Of `Annotators`.
    rank, diagonal
        Of `AnnotatorNetwork`; with a rank above 0 confusions vary over the image, at A K K numbers per pixel of a
        batch.
    longest, network
        Of `labelnoise.segmentation.mask_task.MaskTask`.
    epochs : int
    **options
        Of `labelnoise.segmentation.train_methods.fit`.

    Returns
    -------
    Trained
        ``info["annotators"]`` holds each annotator's P(right | class), the part of it that all pixels share.

    Raises
    ------
    InputError
        One mask per image only, no images, options that do not fit.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(4, 32)
    >>> two = replace(data, votes=np.stack([data.given, data.true], axis=1), annotators=("ann", "bob"))
    >>> result = train_annotators(two, 0, epochs=2)
    >>> result.probs.shape, list(result.info["annotators"])
    ((4096, 5), ['ann', 'bob'])
    """
    from labelnoise.segmentation.train_methods import fit, trained_of

    names = ("network_options", "batch_size", "validation_labels")
    task_options = {key: options.pop(key) for key in names if key in options}
    task = AnnotatorTask(
        dataset, rank=rank, diagonal=diagonal, longest=longest, network=network, **task_options
    )
    result = fit(task, seed, strategy=Annotators(trace=trace, warmup=warmup), epochs=epochs, **options)
    net = result.models[0]
    assert isinstance(net, AnnotatorNetwork)
    info = {name: dict(zip(dataset.class_names, row)) for name, row in zip(dataset.annotators, net.right())}
    return replace(trained_of(result, dataset, task.pictures, annotators=info), method="annotators")
