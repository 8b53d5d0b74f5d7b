"""Losses that let the model answer back: part of the target is its own prediction."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from labelnoise.core.losses._units import Cells, Units, given
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = ["dynamic_bootstrap", "dynamic_mixup_weight", "hard_bootstrap", "soft_bootstrap"]


def soft_bootstrap(
    logits: Tensor, labels: Any, *, beta: float = 0.95, through_target: bool = False, multilabel: bool = False
) -> Tensor:
    """Cross-entropy to a mixture of the label and the predicted distribution.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    beta : float
        Weight of the label, in [0, 1]: 0.95 in the paper, 0.3 in FSDnoisy18k's baseline.
    through_target : bool
        Let the gradient flow through the predicted target too. Then the second term is the entropy itself, which is
        always lowered by more confidence; without it, the target is constant.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``-sum_k (beta y_k + (1 - beta) p_k) log p_k``.

    Raises
    ------
    InputError
        beta outside of [0, 1]; otherwise as for cross-entropy.

    References
    ----------
    Reed et al. (2015), Training deep neural networks on noisy labels with bootstrapping, ICLR workshop,
    soft bootstrapping.

    Examples
    --------
    >>> import torch
    >>> soft_bootstrap(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), beta=0.5)
    tensor([1.2461])
    """
    share = as_rate(beta, name="beta")
    group = given(logits, labels, multilabel)
    own = group.ce_to_own_probs(through_target=through_target)
    return group.close(share * group.expect(torch.neg) + (1 - share) * own)


def hard_bootstrap(logits: Tensor, labels: Any, *, beta: float = 0.8, multilabel: bool = False) -> Tensor:
    """Cross-entropy to a mixture of the label and the predicted class.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    beta : float
        Weight of the label, in [0, 1]; 0.8 in the paper.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``beta CE(label) + (1 - beta) CE(argmax p)``.

    Raises
    ------
    InputError
        beta outside of [0, 1]; otherwise as for cross-entropy.

    References
    ----------
    Reed et al. (2015), Training deep neural networks on noisy labels with bootstrapping, ICLR workshop,
    hard bootstrapping.

    Examples
    --------
    >>> import torch
    >>> hard_bootstrap(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), beta=0.5)
    tensor([1.1269])
    """
    share = as_rate(beta, name="beta")
    group = given(logits, labels, multilabel)
    return group.close(share * group.expect(torch.neg) + (1 - share) * group.ce_to_own_guess())


def dynamic_bootstrap(
    logits: Tensor,
    labels: Any,
    *,
    noise_probs: Any,
    kind: Literal["hard", "soft"] = "hard",
    through_target: bool = False,
    multilabel: bool = False,
) -> Tensor:
    """Bootstrapping in which each unit's label counts as far as it is believed.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    noise_probs : Tensor or array_like of shape (n,), or (n, K) if multi-label
        B, the probability that the given label is wrong, for instance from a two-component mixture of the
        last epoch's losses. No gradient flows through it; entries without a label are not read.
    kind : {"hard", "soft"}
        Replace the label by the predicted class or by the predicted distribution.
    through_target : bool
        As in `soft_bootstrap`; only used by "soft".

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``(1 - B) CE(label) + B CE(own prediction)``.

    Raises
    ------
    InputError
        Probabilities outside of [0, 1] or of another shape, an unknown kind; otherwise as for cross-entropy.

    References
    ----------
    Arazo et al. (2019), Unsupervised label noise modeling and loss correction, ICML, dynamic
    bootstrapping.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([1, 1])
    >>> dynamic_bootstrap(z, y, noise_probs=[0.0, 0.9])
    tensor([2.1269, 0.3269])
    """
    hard = choose(kind, ("hard", "soft"), "kind of bootstrapping") == "hard"
    group = given(logits, labels, multilabel)
    doubt = _doubt(noise_probs, group)
    own = group.ce_to_own_guess() if hard else group.ce_to_own_probs(through_target=through_target)
    return group.close((1 - doubt) * group.expect(torch.neg) + doubt * own)


def dynamic_mixup_weight(noise_a: Any, noise_b: Any) -> Tensor:
    """Mixup weight of the first of two units, so that the more believed label leads the mixture.

    Parameters
    ----------
    noise_a, noise_b : Tensor or array_like of the same shape
        Probabilities that the labels of the two are wrong.

    Returns
    -------
    Tensor
        ``(1 - B_a) / ((1 - B_a) + (1 - B_b))``; 1/2 where both are surely wrong.

    Raises
    ------
    InputError
        Probabilities outside of [0, 1].

    References
    ----------
    Arazo et al. (2019), Unsupervised label noise modeling and loss correction, ICML, M-DYR.

    Examples
    --------
    >>> dynamic_mixup_weight([0.0, 1.0], [0.5, 1.0])
    tensor([0.6667, 0.5000])
    """
    trust_a, trust_b = (1 - _probabilities(torch.as_tensor(p)) for p in (noise_a, noise_b))
    total = trust_a + trust_b
    return torch.where(total > 0, trust_a / total.clamp(min=torch.finfo(total.dtype).tiny), 0.5)


def _doubt(noise_probs: Any, group: Units | Cells) -> Tensor:
    values = torch.as_tensor(noise_probs, device=group.logits.device).to(group.logits.dtype).detach()
    expected = tuple(group.logits.shape) if isinstance(group, Cells) else (len(group.logits),)
    if tuple(values.shape) != expected:
        raise InputError(
            f"noise_probs has shape {tuple(values.shape)}; one probability per label is needed, shape {expected}."
        )
    return _probabilities(group.fill(values))


def _probabilities(values: Tensor) -> Tensor:
    if values.numel() and not bool(((values >= 0) & (values <= 1)).all()):
        raise InputError(
            "noise_probs holds values outside of [0, 1] or NaN; they are probabilities of a wrong label."
        )
    return values
