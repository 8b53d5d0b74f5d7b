"""Sharpness-aware minimisation: the gradient at the worst point nearby, applied here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["SharpnessAware"]


@dataclass(kw_only=True)
class SharpnessAware(Strategy):
    """Two passes a step: up to the worst point within ``radius``, then the gradient from there.

    Parameters
    ----------
    radius : float
        rho; .05 as published, .1 and more where labels are noisy (Foret et al. 2021, section 3.2); 2 is usual if
        adaptive.
    adaptive : bool
        Scale the ball by the weights (Kwon et al. 2021).
    """

    radius: float = 0.1
    adaptive: bool = False

    def start(self, run: Run) -> None:
        if not self.radius > 0:
            raise InputError(f"radius is {self.radius}; it must be above 0.")

    def step(self, run: Run, batch: Any) -> None:
        for index, member in enumerate(run.members):
            outputs = [run.forward(each, batch) for each in run.members]
            member.backward(self.objective(run, index, outputs))
            moved = climb(member.bare, self.radius, adaptive=self.adaptive)
            with _frozen_statistics(member.bare):
                outputs = [run.forward(each, batch) for each in run.members]
                member.backward(self.objective(run, index, outputs))
            for parameter, step in moved:
                parameter.data.sub_(step)
            member.apply()


@torch.no_grad()
def climb(model: nn.Module, radius: float, *, adaptive: bool = False) -> list[tuple[Tensor, Tensor]]:
    """Move the weights by ``radius`` along the gradient; returns the steps, to take them back.

    References
    ----------
    Foret et al. (2021), Sharpness-aware minimization for efficiently improving generalization, ICLR, equation 2.

    Examples
    --------
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> (3 * layer(torch.ones(1, 1))).sum().backward()
    >>> _ = climb(layer, 0.5)
    >>> layer.weight.item()
    1.5
    """
    having = [p for p in model.parameters() if p.grad is not None]
    scales = [p.abs() if adaptive else torch.ones(()).to(p) for p in having]
    norm = torch.stack([(s * p.grad).norm() for s, p in zip(scales, having, strict=True)]).norm()
    steps = [s.square() * p.grad * (radius / (norm + 1e-12)) for s, p in zip(scales, having, strict=True)]
    for parameter, step in zip(having, steps, strict=True):
        parameter.add_(step)
    return list(zip(having, steps, strict=True))


class _frozen_statistics:
    """Within the block, batch normalisation does not update its running statistics."""

    def __init__(self, model: nn.Module) -> None:
        self._layers = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

    def __enter__(self) -> None:
        self._momenta = [layer.momentum for layer in self._layers]
        for layer in self._layers:
            layer.momentum = 0.0

    def __exit__(self, *error: object) -> None:
        for layer, momentum in zip(self._layers, self._momenta, strict=True):
            layer.momentum = momentum
