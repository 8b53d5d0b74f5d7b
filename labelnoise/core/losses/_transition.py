"""Transition matrices as the losses need them: logarithms per given class, and checked inverses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelnoise.core.losses._units import Cells, Units
from labelnoise.core.validation import InputError, as_transition

__all__ = ["as_array", "log_given", "log_given_cells", "logs", "unmixing"]


def as_array(transition: Any, group: Units | Cells) -> NDArray[np.float64]:
    """Check T of shape (K, K), or per class (K, 2, 2) for cells, as an array of shape (k, C, C)."""
    array = transition.detach().cpu().numpy() if isinstance(transition, Tensor) else np.asarray(transition)
    k = group.logits.shape[1]
    if isinstance(group, Units):
        matrix = as_transition(array)
        if len(matrix) != k:
            raise InputError(
                f"transition is {len(matrix)} x {len(matrix)} but the logits have {k} classes; give one row per class."
            )
        return matrix[None]
    if array.shape == (2, 2):
        array = np.broadcast_to(array, (k, 2, 2))
    if array.shape != (k, 2, 2):
        raise InputError(
            f"transition has shape {array.shape}; multi-label noise has one 2 x 2 matrix per class, shape {(k, 2, 2)}: "
            "[[1 - added, added], [dropped, 1 - dropped]]."
        )
    return np.stack([as_transition(one) for one in array]) if k else array.astype(np.float64)


def logs(transition: Any, group: Units | Cells) -> Tensor:
    """``log T`` of shape (k, C, C), -inf where T is 0; keeps the gradient of a tensor T (as in VolMinNet).

    A class that T never gives has no logarithm to train on: it is refused where it is given, and made harmless
    (zeros) where it is not.
    """
    array = as_array(transition, group)
    like = group.logits
    if isinstance(transition, Tensor):
        matrix = transition.to(like).expand(array.shape)
    else:
        matrix = torch.as_tensor(array, dtype=like.dtype, device=like.device)
    never = torch.as_tensor(~(array > 0).any(axis=1), device=like.device)
    if bool(never.any()):
        _refuse_given(never, group)
    positive = matrix > 0
    log = torch.where(positive, matrix, 1).log().masked_fill(~positive, -torch.inf)
    return log.masked_fill(never[:, None, :], 0)


def log_given(log_transition: Tensor, group: Units) -> Tensor:
    """``log (T' p)[given]`` of single-label units, (n,) or, for soft targets, of every class (n, K)."""
    columns = group.rows(log_transition[0].T)
    return torch.logsumexp(group.spread(group.log_probs) + columns, dim=-1)


def log_given_cells(log_transition: Tensor, group: Cells) -> Tensor:
    """``log P(given)`` of multi-label cells, (n, K); of soft targets its mean."""
    if group.hard:
        # The transition of each cell's given class, then one log of a sum instead of two.
        from_one = group.choose(log_transition[:, 1, 1], log_transition[:, 1, 0])
        from_zero = group.choose(log_transition[:, 0, 1], log_transition[:, 0, 0])
        return torch.logaddexp(group.log_one + from_one, group.log_zero + from_zero)
    return group.choose(
        torch.logaddexp(group.log_one + log_transition[:, 1, 1], group.log_zero + log_transition[:, 0, 1]),
        torch.logaddexp(group.log_one + log_transition[:, 1, 0], group.log_zero + log_transition[:, 0, 0]),
    )


def unmixing(transition: Any, group: Units | Cells, limit: float) -> Tensor:
    """The inverse of T, shape (k, C, C), refused where it would blow the loss up."""
    array = np.ascontiguousarray(as_array(transition, group))
    inverse = _inverse(array.tobytes(), array.shape, float(limit))
    return torch.as_tensor(inverse, dtype=group.logits.dtype, device=group.logits.device)


@lru_cache(maxsize=4)
def _inverse(content: bytes, shape: tuple[int, ...], limit: float) -> NDArray[np.float64]:
    # The same T comes with every batch; its singular values cost more than the loss.
    stack = np.frombuffer(content, dtype=np.float64).reshape(shape)
    conditions = np.linalg.cond(stack) if stack.size else np.ones(1)
    worst = float(np.max(conditions))
    if not worst <= limit:
        raise InputError(
            f"transition has condition number {worst:.3g}, above the limit of {limit:g}: its inverse would turn "
            "small errors of T into huge losses. Use forward correction, or a T with less noise."
        )
    return np.asarray(np.linalg.inv(stack), dtype=np.float64)


def _refuse_given(never: Tensor, group: Units | Cells) -> None:
    if isinstance(group, Cells):
        hit = torch.where(group.targets > 0, never[:, 1], False) | torch.where(
            group.targets < 1, never[:, 0], False
        )
    elif group.soft is not None:
        hit = (group.soft > 0) & never[0]
    else:
        hit = never[0][group.labels]
    if group.masked is not None:
        hit = hit & ~(group.masked[:, None] if hit.ndim > group.masked.ndim else group.masked)
    if bool(hit.any()):
        raise InputError(
            f"transition gives some class with probability 0 whatever the true class, but {int(hit.sum())} labels "
            "are of that class; give its column a positive entry, or mask those labels with -1."
        )
