"""VolMinNet: T learnt together with the network, as the one of least volume that explains the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import NO_LABEL, InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["VolumeMinimisation", "VolumeTransition"]


class VolumeTransition(nn.Module):
    """A learnable transition matrix with a dominant diagonal.

    Rows of ``I + sigmoid(w)`` off the diagonal, divided by their sums: every diagonal entry is the largest of its row,
    so classes cannot be exchanged.

    Parameters
    ----------
    n_classes : int
        At least 2.
    start : float
        Of all w; -2 as published for ten classes.

    References
    ----------
    Li et al. (2021), Provably end-to-end label-noise learning without anchor points, ICML, section 3.

    Examples
    --------
    >>> VolumeTransition(3)()
    tensor([[0.8075, 0.0963, 0.0963],
            [0.0963, 0.8075, 0.0963],
            [0.0963, 0.0963, 0.8075]], grad_fn=<DivBackward0>)
    """

    def __init__(self, n_classes: int, *, start: float = -2.0) -> None:
        super().__init__()
        if n_classes < 2:
            raise InputError(f"n_classes is {n_classes}; T needs at least 2 classes.")
        self.weight = nn.Parameter(torch.full((n_classes, n_classes), float(start)))

    def forward(self) -> Tensor:
        """The matrix, (K, K), rows sum to 1."""
        eye = torch.eye(len(self.weight), device=self.weight.device)
        raw = eye + torch.sigmoid(self.weight) * (1 - eye)
        return raw / raw.sum(dim=1, keepdim=True)

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``-log (T' p)[y]`` per unit; 0 without a label."""
        through = torch.logsumexp(logits.log_softmax(1)[:, :, None] + self().log()[None], dim=1)
        known = labels != NO_LABEL
        values = -through.gather(1, labels.clamp(min=0)[:, None])[:, 0]
        return torch.where(known, values, 0.0)

    def log_volume(self) -> Tensor:
        """``log |det T|``, at most 0."""
        return torch.linalg.slogdet(self())[1]


@dataclass(kw_only=True)
class VolumeMinimisation(Strategy):
    """Forward correction under a T that is learnt beside the network.

    Parameters
    ----------
    volume_weight : float
        Of ``log |det T|``; 1e-4 as published.
    first : float
        Where T starts, see `VolumeTransition`.
    lr_factor : float
        Learning rate of T as a share of the network's; 1 as published.
    """

    volume_weight: float = 1e-4
    first: float = -2.0
    lr_factor: float = 1.0

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "VolMinNet is for single-label units; choose another strategy for multi-label data."
            )
        self._volume = VolumeTransition(run.task.n_classes, start=self.first).to(run.accelerator.device)
        # Adam whatever the network has: one matrix needs no other.
        self._optimizer = torch.optim.Adam(self._volume.parameters(), lr=run.config.lr * self.lr_factor)

    def step(self, run: Run, batch: Any) -> None:
        own = run.forward(run.members[0], batch)
        values = self._volume.losses(own.logits, own.labels)
        objective = labelled_mean(values, own.labels) + self.volume_weight * self._volume.log_volume()
        self._optimizer.zero_grad()
        run.members[0].update(objective)
        if run.accelerator.num_processes > 1:
            self._volume.weight.grad = run.accelerator.reduce(self._volume.weight.grad, reduction="mean")
        self._optimizer.step()

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"diagonal": [round(float(d), 4) for d in torch.diag(self._volume().detach())]}

    def matrix(self) -> Tensor:
        """The present T, (K, K), on the CPU."""
        return self._volume().detach().cpu().double()

    def state_dict(self) -> dict[str, Any]:
        return {"volume": self._volume.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._volume.load_state_dict(state["volume"])
        self._optimizer.load_state_dict(state["optimizer"])
