"""What training returns, and what a trained model says about units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labelnoise.core.training.task import Split, Task, Units
from labelnoise.core.validation import InputError

__all__ = ["TrainResult", "combine", "outputs_of", "predict"]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """A trained model and how it came about.

    Attributes
    ----------
    models : tuple of nn.Module
        One, or as many as the strategy trains side by side; `predict` averages them. On the CPU, in eval mode.
    history : tuple of dict
        One per epoch: ``epoch``, ``loss``, ``lr``, ``validation`` if there is such a split, what the strategy and
        the callbacks added.
    epoch : int
        The epoch whose weights these are, from 0.
    selected_by : str
        What chose it: "last epoch", or "noisy validation accuracy" and the like. "clean" says that clean labels
        were looked at.
    strategy : str
    units : mapping of str to Tensor
        The strategy's last state per training unit.
    """

    models: tuple[nn.Module, ...]
    history: tuple[dict[str, Any], ...]
    epoch: int
    selected_by: str
    strategy: str
    units: Mapping[str, Tensor]


def predict(result: TrainResult, task: Task, split: Split = "test") -> Units:
    """Logits of all units of a split, those of several models combined, on the CPU.

    Returns
    -------
    Units
        Logits (n, K) whose softmax (sigmoid for multi-label) is the mean probability of the models.
    """
    scans = [outputs_of(task, model, split, torch.device("cpu")) for model in result.models]
    parts = [
        Units(combine([units.logits for units in outputs], task.multilabel), *outputs[0][1:])
        for outputs in zip(*scans, strict=True)
    ]
    if not parts:
        raise InputError(f"The {split} split is empty; there is nothing to predict.")
    return Units(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def combine(logits: Sequence[Tensor], multilabel: bool) -> Tensor:
    """Logits of the mean probabilities of several networks.

    Examples
    --------
    >>> pair = [torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])]
    >>> combine(pair, False).softmax(1)
    tensor([[0.6904, 0.3096]])
    """
    if len(logits) == 1:
        return logits[0]
    stacked = torch.stack(list(logits))
    if multilabel:
        return torch.logit(stacked.sigmoid().mean(0), eps=1e-7)
    return stacked.log_softmax(2).logsumexp(0) - float(np.log(len(logits)))


def outputs_of(task: Task, model: nn.Module, split: Split, device: torch.device) -> Iterator[Units]:
    """Outputs of a bare network over a whole split in a fixed order."""
    from accelerate.utils import send_to_device

    was_training = model.training
    model.eval()
    try:
        for batch in task.batches(split, None):
            with torch.no_grad():
                logits, labels, ids = task.forward(model, send_to_device(batch, device))
            yield Units(logits.float().cpu(), labels.cpu(), ids.cpu())
    finally:
        model.train(was_training)
