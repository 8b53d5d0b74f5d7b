"""Training on trusted and on guessed targets together, inputs mixed in pairs (MixMatch)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from labelnoise.core.losses.regularizers import class_prior
from labelnoise.core.training.member import Member
from labelnoise.core.training.task import Mixed

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["guess", "mixmatch", "sharpen"]


def sharpen(probs: Tensor, temperature: float = 0.5) -> Tensor:
    """``p^(1/T)``, rows normalised (Berthelot et al. 2019, equation 7).

    Examples
    --------
    >>> sharpen(torch.tensor([[0.6, 0.4]]))
    tensor([[0.6923, 0.3077]])
    """
    powered = probs.clamp(min=1e-12) ** (1 / temperature)
    return powered / powered.sum(dim=1, keepdim=True)


@torch.no_grad()
def guess(run: Run, members: Sequence[Member], views: Sequence[Any]) -> Tensor:
    """Mean probability (u, K) of the networks over the views."""
    outputs = [run.forward(member, view).logits.softmax(1) for member in members for view in views]
    return torch.stack(outputs).mean(0)


def mixmatch(
    run: Run,
    index: int,
    batch: Any,
    targets: Tensor,
    trusted: Tensor,
    *,
    alpha: float,
    unlabelled_weight: float,
) -> Tensor:
    """Cross-entropy on trusted units, squared error on the others, and a pull of the mean towards all classes.

    Parameters
    ----------
    run : Run
    index : int
        Of the network to train.
    batch
        One view.
    targets : Tensor of shape (u, K)
        Rows sum to 1; rows of zeros are left out.
    trusted : Tensor of bool, shape (u,)
    alpha : float
        Of the Beta distribution that shares are drawn from; 0 does not mix.
    unlabelled_weight : float
        Of the squared error.

    Returns
    -------
    Tensor, a scalar

    References
    ----------
    Berthelot et al. (2019), MixMatch, NeurIPS; the prior term as in Li et al. (2020), DivideMix, ICLR, equation 11.
    """
    member = run.members[index]
    if alpha > 0:
        rng = run.rng("mixup", index)
        logits, partner, share = run.task.mixed(member.model, batch, alpha, rng)
    else:
        logits = run.forward(member, batch).logits
        partner, share = torch.arange(len(logits), device=logits.device), torch.ones_like(logits[:, 0])
    mixed = Mixed(logits.float(), partner, share)
    has = targets.sum(1) > 0
    # A unit mixed with one that has no target is no use to either.
    used = has & has[mixed.partner]
    blend = mixed.share[:, None] * targets + (1 - mixed.share[:, None]) * targets[mixed.partner]
    log_probs = mixed.logits.log_softmax(1)
    labelled, guessed = used & trusted, used & ~trusted
    objective = -(blend * log_probs).sum(1)[labelled].sum() / labelled.sum().clamp(min=1)
    squares = (log_probs.exp() - blend).square().mean(1)[guessed].sum() / guessed.sum().clamp(min=1)
    if bool(used.any()):
        objective = objective + class_prior(mixed.logits[used])
    return objective + unlabelled_weight * squares
