"""Terms beside the loss that keep a model from believing too much, or from believing in one class only."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from labelnoise.core.losses._units import given, units
from labelnoise.core.validation import InputError

__all__ = ["class_prior", "entropy", "negative_entropy"]


def entropy(logits: Tensor, labels: Any, *, multilabel: bool = False) -> Tensor:
    """Entropy of each prediction; as a penalty it makes the model decide.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`; of the labels only -1 matters (value 0).

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``-sum_k p_k log p_k`` in [0, log K], or [0, log 2] per cell.

    Raises
    ------
    InputError
        As for cross-entropy.

    References
    ----------
    Tanaka et al. (2018), Joint optimization framework for learning with noisy labels, CVPR, the loss L_e; used by Arazo
    et al. (2019), ICML.

    Examples
    --------
    >>> import torch
    >>> entropy(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 0]))
    tensor([0.6931, 0.0012])
    """
    group = given(logits, labels, multilabel)
    return group.close(group.ce_to_own_probs(through_target=True))


def negative_entropy(logits: Tensor, labels: Any, *, multilabel: bool = False) -> Tensor:
    """Minus the entropy of each prediction; as a penalty it holds confidence back.

    Parameters
    ----------
    logits, labels, multilabel
        As for `entropy`.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``sum_k p_k log p_k``.

    Raises
    ------
    InputError
        As for cross-entropy.

    References
    ----------
    Pereyra et al. (2017), Regularizing neural networks by penalizing confident output distributions, ICLR workshop;
    used in the warm-up with asymmetric noise by Li, Socher, Hoi (2020), DivideMix, ICLR.

    Examples
    --------
    >>> import torch
    >>> negative_entropy(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 0]))
    tensor([-0.6931, -0.0012])
    """
    return -entropy(logits, labels, multilabel=multilabel)


def class_prior(logits: Tensor, labels: Any = None, *, prior: Any = None) -> Tensor:
    """How far the batch's mean prediction is from the expected class frequencies.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        Scores before softmax.
    labels : Tensor or array_like, optional
        As for `~labelnoise.core.losses.plain.cross_entropy`; units of label -1 stay out of the mean. By default all
        units enter, since the term needs no labels.
    prior : array_like of shape (K,), optional
        Expected frequencies, >= 0 with sum 1; by default 1 / K each.

    Returns
    -------
    Tensor, a scalar
        ``sum_k prior_k log(prior_k / mean_i p_ik)`` >= 0; 0 for a batch without units.

    Raises
    ------
    InputError
        A prior that is no distribution over the classes; otherwise as for cross-entropy.

    References
    ----------
    Tanaka et al. (2018), Joint optimization framework for learning with noisy labels, CVPR, the loss L_p; used by Arazo
    et al. (2019), ICML, and Li, Socher, Hoi (2020), DivideMix, ICLR.

    Examples
    --------
    >>> import torch
    >>> class_prior(torch.tensor([[2.0, 0.0], [0.0, 2.0]])), class_prior(torch.tensor([[2.0, 0.0], [2.0, 0.0]]))
    (tensor(0.), tensor(0.4338))
    """
    if labels is None:
        if not isinstance(logits, Tensor):
            raise InputError(
                f"logits is {type(logits).__name__}; pass a torch tensor, the model's output before softmax."
            )
        labels = torch.full(logits.shape[:1], 0, dtype=torch.long, device=logits.device)
    group = units(logits, labels)
    k = group.n_classes
    like = group.logits
    expected = torch.as_tensor([1 / k] * k if prior is None else prior, dtype=like.dtype, device=like.device)
    if expected.shape != (k,) or not bool((expected >= 0).all()) or abs(float(expected.sum()) - 1) > 1e-4:
        raise InputError(f"prior must hold {k} frequencies >= 0 with sum 1, one per class.")
    log_probs = group.log_probs
    if group.masked is not None:
        log_probs = log_probs[~group.masked]
    if len(log_probs) == 0:
        return like.sum() * 0
    log_mean = torch.logsumexp(log_probs, dim=0) - math.log(len(log_probs))
    return (torch.xlogy(expected, expected) - expected * log_mean).sum().clamp(min=0)
