"""One network in training with its optimiser and, if asked for, the running average of its weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from labelnoise.core.training.config import TrainConfig

__all__ = ["Member"]


class Member:
    """A network, its optimiser and its average.

    Parameters
    ----------
    model : nn.Module
    config : TrainConfig
    accelerator : accelerate.Accelerator
    """

    def __init__(self, model: nn.Module, config: TrainConfig, accelerator: Any) -> None:
        self._config = config
        self._accelerator = accelerator
        self.average: nn.Module | None = None
        self.install(model)

    def install(self, model: nn.Module) -> None:
        """Start over with this network: new optimiser, new average."""
        optimizer = _optimizer(model, self._config)
        self.model, self.optimizer = self._accelerator.prepare(model, optimizer)
        if self._config.ema is not None:
            self.average = copy.deepcopy(self.bare).requires_grad_(False)

    @property
    def bare(self) -> nn.Module:
        """The network itself, without what wraps it for several processes."""
        bare: nn.Module = self._accelerator.unwrap_model(self.model)
        return bare

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated: the average if there is one."""
        return self.bare if self.average is None else self.average

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of all parameters."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def update(self, objective: Tensor) -> None:
        """One whole step: gradient of the objective, then `apply`."""
        self.backward(objective)
        self.apply()

    def backward(self, objective: Tensor) -> None:
        """Replace the gradients by those of the objective."""
        self.optimizer.zero_grad(set_to_none=True)
        self._accelerator.backward(objective)

    def apply(self) -> None:
        """Step along the present gradients and move the average."""
        if self._config.clip is not None:
            self._accelerator.clip_grad_norm_(self.model.parameters(), self._config.clip)
        self.optimizer.step()
        if self.average is not None and self._config.ema is not None:
            move_average(self.average, self.bare, self._config.ema)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        state = {"model": self.bare.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint's state."""
        self.bare.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


@torch.no_grad()
def move_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of weights and floating-point buffers; counters are copied.

    Examples
    --------
    >>> a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> _ = a.weight.data.fill_(0.0), b.weight.data.fill_(1.0)
    >>> move_average(a, b, 0.9)
    >>> round(a.weight.item(), 3)
    0.1
    """
    new = model.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(new[name].to(value.dtype), 1 - decay)
        else:
            value.copy_(new[name])


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, momentum=0.9, weight_decay=config.weight_decay)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=config.lr, weight_decay=config.weight_decay)
