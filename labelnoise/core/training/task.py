"""What a modality tells the training loop: its batches, its network, and how one becomes logits of units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.validation import NO_LABEL, InputError

__all__ = ["Mixed", "Split", "Task", "Units", "accuracy", "has_label", "one_hot", "unit_losses"]

Split = Literal["train", "validation", "test"]


class Units(NamedTuple):
    """What the network says about the units of a batch.

    Attributes
    ----------
    logits : Tensor of shape (u, K)
    labels : Tensor of int64, shape (u,), or (u, K) if multi-label
        Given labels, -1 for "no label".
    ids : Tensor of int64, shape (u,)
        Ids of the units within their split, from 0. The loop keeps its state by them.
    """

    logits: Tensor
    labels: Tensor
    ids: Tensor


class Mixed(NamedTuple):
    """Logits of inputs that are mixtures of two.

    Attributes
    ----------
    logits : Tensor of shape (u, K)
    partner : Tensor of int64, shape (u,)
        For each unit the position in the batch of the unit that it was mixed with.
    share : Tensor of shape (u,)
        The unit's own share in [0, 1].
    """

    logits: Tensor
    partner: Tensor
    share: Tensor


class Task(ABC):
    """Training data of one modality.

    A subclass sets ``n_units`` (of the training split), ``n_classes`` and ``given``, and says how to build a
    network, how to make batches and how to run the one on the other. `augment` and `mixed` are needed by the
    strategies that name them only.

    Attributes
    ----------
    n_units, n_classes : int
    given : ndarray of int64, shape (n_units,), or (n_units, K) if multi-label
        Given labels of the training units, -1 for "no label".
    multilabel : bool
    validation_labels : {"noisy", "clean"} or None
        What the labels of the validation split are; None if there is none. The result says which it was.
    """

    n_units: int
    n_classes: int
    given: NDArray[np.int64]
    multilabel: bool = False
    validation_labels: Literal["noisy", "clean"] | None = None
    #: What `score` returns, higher is better.
    metric: ClassVar[str] = "accuracy"

    @abstractmethod
    def build(self) -> nn.Module:
        """A fresh network; the loop seeds torch's generator before it asks."""

    @abstractmethod
    def batches(self, split: Split, rng: np.random.Generator | None) -> Iterable[Any]:
        """Batches of a split, shuffled by ``rng``; in a fixed order if it is None.

        A batch is whatever `forward` understands; tensors within it are moved to the device.
        """

    @abstractmethod
    def forward(self, model: nn.Module, batch: Any) -> Units:
        """Run the network on a batch."""

    def augment(self, batch: Any, rng: np.random.Generator) -> Any:
        """Another view of a batch that keeps the labels; the batch itself where there is no such thing."""
        return batch

    def mixed(self, model: nn.Module, batch: Any, alpha: float, rng: np.random.Generator) -> Mixed:
        """Run the network on inputs mixed in pairs, shares drawn from Beta(alpha, alpha) (Zhang et al. 2018)."""
        raise InputError(
            f"{type(self).__name__} cannot mix inputs; choose a strategy without mixup, or set mixup to 0."
        )

    def score(self, outputs: Iterable[Units]) -> float:
        """How good these outputs are against their labels, higher is better; accuracy unless overridden."""
        return accuracy(outputs)


def accuracy(outputs: Iterable[Units]) -> float:
    """Share of labelled units whose most probable class is the label; minus the mean BCE if multi-label.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    >>> accuracy([Units(logits, torch.tensor([0, 0, -1]), torch.arange(3))])
    0.5
    """
    total, count = 0.0, 0
    for logits, labels, _ in outputs:
        known = labels != NO_LABEL
        if labels.ndim == 2:
            total -= float(cross_entropy(logits, labels, multilabel=True).sum())
        else:
            total += float((logits.argmax(1) == labels)[known].sum())
        count += int(known.sum())
    return total / max(count, 1)


def unit_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per unit (n,); for multi-label the mean over the unit's known cells. 0 without a label."""
    if labels.ndim == 1:
        return cross_entropy(logits, labels)
    values = cross_entropy(logits, labels, multilabel=True)
    return values.sum(1) / (labels != NO_LABEL).sum(1).clamp(min=1)


def has_label(labels: Tensor) -> Tensor:
    """Which units have a label, (n,); for multi-label at least one known cell."""
    known = labels != NO_LABEL
    return known.any(1) if known.ndim == 2 else known


def one_hot(labels: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """(n, K) targets of class ids; rows of zeros without a label."""
    targets = torch.zeros(len(labels), n_classes, dtype=dtype, device=labels.device)
    known = labels != NO_LABEL
    targets[known, labels[known]] = 1.0
    return targets
