"""How long, how fast and on what to train: the settings that no strategy owns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from labelnoise.core.validation import InputError, choose

__all__ = ["TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of the training loop.

    Attributes
    ----------
    epochs : int
        >= 1.
    lr : float
        Learning rate, > 0.
    optimizer : {"adam", "adamw", "sgd"}
        ``sgd`` has Nesterov-free momentum .9.
    weight_decay : float
        >= 0.
    schedule : {"constant", "cosine", "linear"}
        How the learning rate goes down to zero over the epochs, if it does.
    warmup : int
        Epochs of linear increase before that.
    clip : float, optional
        Largest norm of the gradient.
    ema : float, optional
        Decay per step in (0, 1) of an average of the weights; if set, the average is what is evaluated.
    seed : int
        Of initial weights, order of batches, and every draw of a strategy.
    select : {"auto", "validation", "last"}
        Which epoch's network is returned: the best on the validation split, or the last. ``auto`` is validation
        where there is such a split.
    patience : int, optional
        Stop after so many epochs without a better validation score.
    device : {"auto", "cpu"}
        ``auto`` takes what accelerate finds.
    precision : {"no", "bf16", "fp16"}
        Mixed precision.
    folder : str or Path, optional
        Where checkpoints go; a run that finds its own checkpoint there goes on from it.
    checkpoint_every : int
        Epochs between checkpoints, >= 1.

    Raises
    ------
    InputError
        A value outside of its range.

    Examples
    --------
    >>> [round(TrainConfig(epochs=5, schedule="cosine").factor(e), 2) for e in range(5)]
    [1.0, 0.9, 0.65, 0.35, 0.1]
    """

    epochs: int = 20
    lr: float = 1e-3
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    warmup: int = 0
    clip: float | None = None
    ema: float | None = None
    seed: int = 0
    select: Literal["auto", "validation", "last"] = "auto"
    patience: int | None = None
    device: Literal["auto", "cpu"] = "auto"
    precision: Literal["no", "bf16", "fp16"] = "no"
    folder: str | Path | None = None
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        choose(self.optimizer, ("adam", "adamw", "sgd"), "optimizer")
        choose(self.schedule, ("constant", "cosine", "linear"), "schedule")
        choose(self.select, ("auto", "validation", "last"), "selection")
        choose(self.device, ("auto", "cpu"), "device")
        choose(self.precision, ("no", "bf16", "fp16"), "precision")
        for name in ("epochs", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; at least 1 is needed.")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience is {self.patience}; at least 1 epoch is needed.")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise InputError(f"lr is {self.lr}; the learning rate must be above 0.")
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay is {self.weight_decay}; it must be 0 or more.")
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"clip is {self.clip}; the largest norm must be above 0.")
        if self.ema is not None and not 0 < self.ema < 1:
            raise InputError(f"ema is {self.ema}; the decay lies between 0 and 1, for instance 0.99.")
        if not 0 <= self.warmup < self.epochs:
            raise InputError(f"warmup is {self.warmup}; it must be from 0 to epochs - 1 ({self.epochs - 1}).")

    def factor(self, epoch: int) -> float:
        """The learning rate of an epoch (from 0) as a share of `lr`."""
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        done = (epoch - self.warmup) / (self.epochs - self.warmup)
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        return 1 - done if self.schedule == "linear" else 1.0

    def fingerprint(self) -> dict[str, Any]:
        """What determines the result, JSON-able: without folder, device and how often to save."""
        left = ("folder", "device", "checkpoint_every")
        return {key: value for key, value in asdict(self).items() if key not in left}
