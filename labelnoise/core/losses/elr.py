"""Early-learning regularisation: hold each unit near what the model said of it before it memorised wrong labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from labelnoise.core.losses._units import units
from labelnoise.core.validation import InputError, as_rate

__all__ = ["EarlyLearning", "early_learning", "update_memory"]

#: Predictions are kept this far from 0 and 1, so that log(1 - <t, p>) stays finite.
_EDGE = 1e-4


def early_learning(logits: Tensor, labels: Any, *, memory: Any, weight: float = 3.0) -> Tensor:
    """Cross-entropy plus ``weight * log(1 - <memory, p>)``, which rewards agreement with the memory.

    Parameters
    ----------
    logits, labels
        As for `~labelnoise.core.losses.plain.cross_entropy`, single-label.
    memory : Tensor or array_like of shape (n, K)
        t, the running mean of each unit's own predictions, see `update_memory`; constant.
    weight : float
        lambda >= 0: 3 published for CIFAR-10 with symmetric noise, 1 with asymmetric, 7 for CIFAR-100.

    Returns
    -------
    Tensor of shape (n,)
        Can be below 0.

    Raises
    ------
    InputError
        A memory of another shape or outside of [0, 1], a negative weight; otherwise as for cross-entropy.

    References
    ----------
    Liu et al. (2020), Early-learning regularization prevents memorization of noisy labels, NeurIPS, the ELR loss.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    >>> early_learning(z, y, memory=[[0.0, 0.0]])  # nothing remembered yet: cross-entropy
    tensor([2.1269])
    >>> early_learning(z, y, memory=[[0.9, 0.1]])
    tensor([-2.7718])
    """
    if not weight >= 0:
        raise InputError(f"weight is {weight}; a number >= 0 is needed.")
    group = units(logits, labels)
    target = torch.as_tensor(memory, device=group.logits.device).detach().to(group.logits.dtype)
    if target.shape != group.logits.shape:
        raise InputError(
            f"memory has shape {tuple(target.shape)} for logits of shape {tuple(group.logits.shape)}; "
            "give one row per unit of the batch."
        )
    if group.masked is not None:
        target = target.masked_fill(group.masked[:, None], 0)
    if target.numel() and not bool(((target >= 0) & (target <= 1)).all()):
        raise InputError(
            "memory holds values outside of [0, 1] or NaN; it is a mean of predicted probabilities."
        )
    probs = group.log_probs.exp().clamp(_EDGE, 1 - _EDGE)
    # Exact arithmetic stays above this floor; a memory in half precision can round to a row sum above 1.
    room = (1 - (target * probs).sum(dim=1)).clamp(min=_EDGE)
    return group.close(group.expect(torch.neg) + weight * room.log())


def update_memory(memory: Tensor, probs: Tensor, *, beta: float = 0.7) -> Tensor:
    """The next memory ``beta t + (1 - beta) p`` of some units.

    Parameters
    ----------
    memory, probs : Tensor of shape (n, K)
        Last memory (0 at the start) and this epoch's predicted probabilities.
    beta : float
        In [0, 1]: 0.7 published for CIFAR-10 with symmetric noise, 0.9 for CIFAR-100 and asymmetric noise.

    Returns
    -------
    Tensor of shape (n, K)
        Without a gradient. Predictions are clamped to [1e-4, 1 - 1e-4] and normalised first.

    Raises
    ------
    InputError
        beta outside of [0, 1].

    References
    ----------
    Liu et al. (2020), Early-learning regularization prevents memorization of noisy labels, NeurIPS, temporal ensembling
    of the targets.

    Examples
    --------
    >>> import torch
    >>> update_memory(torch.zeros(1, 2), torch.tensor([[0.9, 0.1]]))
    tensor([[0.2700, 0.0300]])
    """
    keep = as_rate(beta, name="beta")
    with torch.no_grad():
        clamped = probs.clamp(_EDGE, 1 - _EDGE)
        clamped = clamped / clamped.sum(dim=1, keepdim=True)
        return keep * memory.to(clamped.dtype) + (1 - keep) * clamped


class EarlyLearning:
    """`early_learning` with its memory, kept per unit id.

    The order of units within and across batches does not matter; a unit that comes twice in one batch is remembered
    once, with its mean prediction. Units without a label are neither scored nor remembered.

    Parameters
    ----------
    n_units, n_classes : int
        N and K.
    beta, weight : float
        As in `update_memory` and `early_learning`. Assign to `weight` to ramp it.
    memory : ndarray or Tensor of shape (N, K), optional
        Where to keep the memory, for instance a ``numpy.memmap`` of float16 for the pixels of a data set: it is
        written in place. By default float32 zeros on ``device``.
    device : str
        Of the memory; batches may be elsewhere.

    Raises
    ------
    InputError
        Sizes below 1, a memory of another shape or not of floats.

    References
    ----------
    Liu et al. (2020), Early-learning regularization prevents memorization of noisy labels, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> elr = EarlyLearning(n_units=3, n_classes=2)
    >>> z, y = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    >>> elr(z, y, unit_ids=[2])
    tensor([1.3154])
    >>> elr.memory
    tensor([[0.0000, 0.0000],
            [0.0000, 0.0000],
            [0.2642, 0.0358]])
    """

    def __init__(
        self,
        n_units: int,
        n_classes: int,
        *,
        beta: float = 0.7,
        weight: float = 3.0,
        memory: np.ndarray[Any, Any] | Tensor | None = None,
        device: str = "cpu",
    ) -> None:
        if n_units < 1 or n_classes < 1:
            raise InputError(f"n_units is {n_units} and n_classes {n_classes}; both must be at least 1.")
        self.beta = as_rate(beta, name="beta")
        self.weight = weight
        if memory is None:
            self.memory = torch.zeros(n_units, n_classes, device=device)
        else:
            if isinstance(memory, np.ndarray) and not memory.flags.writeable:
                raise InputError(
                    "memory is a read-only array; open it for writing (numpy.memmap with mode='r+')."
                )
            self.memory = torch.from_numpy(memory) if isinstance(memory, np.ndarray) else memory
        if tuple(self.memory.shape) != (n_units, n_classes) or not self.memory.is_floating_point():
            raise InputError(
                f"memory is {self.memory.dtype} of shape {tuple(self.memory.shape)}; "
                f"floats of shape {(n_units, n_classes)} are needed."
            )

    def __call__(
        self, logits: Tensor, labels: Any, unit_ids: ArrayLike | Tensor, *, update: bool = True
    ) -> Tensor:
        """Remember the batch, then score it: values of shape (n,).

        Parameters
        ----------
        logits, labels
            As in `early_learning`.
        unit_ids : array_like of int, shape (n,)
            Ids from 0 to N - 1.
        update : bool
            False only scores, for evaluation.
        """
        group = units(logits, labels)
        ids = self._ids(unit_ids, len(group.logits))
        if update:
            labelled = slice(None) if group.masked is None else ~group.masked.to(ids.device)
            probs = group.log_probs.detach().exp().to(ids.device)
            if bool(probs.isnan().any()):
                raise InputError(
                    "logits holds NaN in labelled units: the model diverged, nothing was remembered."
                )
            self._remember(ids[labelled], probs[labelled])
        rows = self.memory[ids].to(group.logits.device)
        return early_learning(logits, labels, memory=rows, weight=self.weight)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"memory": self.memory, "beta": self.beta, "weight": self.weight}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint's state, into the present memory's place and precision."""
        memory = state["memory"]
        if memory.shape != self.memory.shape:
            raise InputError(
                f"The saved memory has shape {tuple(memory.shape)} but {tuple(self.memory.shape)} is needed; "
                "the checkpoint is of another data set."
            )
        self.memory.copy_(memory)
        self.beta, self.weight = as_rate(state["beta"], name="beta"), float(state["weight"])

    def _ids(self, unit_ids: Any, n: int) -> Tensor:
        ids = torch.as_tensor(unit_ids).to(self.memory.device)
        if ids.shape != (n,) or ids.is_floating_point():
            raise InputError(
                f"unit_ids is {ids.dtype} of shape {tuple(ids.shape)}; {n} whole numbers are needed."
            )
        if n and (int(ids.min()) < 0 or int(ids.max()) >= len(self.memory)):
            raise InputError(
                f"unit_ids run from {int(ids.min())} to {int(ids.max())}; ids lie from 0 to {len(self.memory) - 1}."
            )
        return ids.long()

    def _remember(self, ids: Tensor, probs: Tensor) -> None:
        distinct, place = ids.unique(return_inverse=True)
        if len(distinct) < len(ids):
            # Summed in double precision: the order of a unit's copies is lost in the rounding to single.
            sums = torch.zeros(len(distinct), probs.shape[1], dtype=torch.float64, device=probs.device)
            sums.index_add_(0, place, probs.double())
            ids, probs = distinct, (sums / torch.bincount(place)[:, None]).to(probs.dtype)
        self.memory[ids] = update_memory(self.memory[ids], probs, beta=self.beta).to(self.memory.dtype)
