"""Cross-entropy and what is done to it without asking which labels are wrong: smoothing, MaxSup, normalised logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from labelnoise.core.losses._units import Units, given, numbers_per_class, units
from labelnoise.core.validation import InputError

__all__ = ["cross_entropy", "label_smoothing", "logit_norm", "max_suppression", "max_suppression_weight"]


def cross_entropy(logits: Tensor, labels: Any, *, multilabel: bool = False) -> Tensor:
    """Cross-entropy of every unit; of every cell if multi-label (binary cross-entropy).

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        Scores before softmax (or sigmoid). Half precision is computed in float32.
    labels : Tensor or array_like
        Class ids (n,), or class distributions (n, K) with rows that sum to 1; if multi-label, targets (n, K) in
        [0, 1]. -1 means "no label": value 0, gradient 0, no effect on any other unit.
    multilabel : bool
        Columns are independent tags.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        Values >= 0 in nats, float32 or float64.

    Raises
    ------
    InputError
        Shapes or class ids that do not fit, distributions that do not sum to 1.

    References
    ----------
    ``-log p[y]``, the negative log-likelihood.

    Examples
    --------
    >>> import torch
    >>> cross_entropy(torch.tensor([[2.0, 0.0], [0.0, 0.0], [1.0, 5.0]]), torch.tensor([0, 1, -1]))
    tensor([0.1269, 0.6931, 0.0000])
    >>> cross_entropy(torch.tensor([[2.0, 0.0]]), torch.tensor([[1, -1]]), multilabel=True)
    tensor([[0.1269, 0.0000]])
    """
    group = given(logits, labels, multilabel)
    return group.close(group.expect(torch.neg))


def label_smoothing(logits: Tensor, labels: Any, *, epsilon: Any = 0.1, multilabel: bool = False) -> Tensor:
    """Cross-entropy to a target that gives a share epsilon to all classes alike.

    Parameters
    ----------
    logits, labels, multilabel
        As for `cross_entropy`.
    epsilon : float or array_like of shape (K,)
        Share <= 1; below 0 it takes from the other classes (negative label smoothing). One number per class
        smooths noisier classes more.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        Not bounded below for negative epsilon.

    Raises
    ------
    InputError
        Epsilon above 1 or not finite; otherwise as for `cross_entropy`.

    References
    ----------
    Szegedy et al. (2016), Rethinking the Inception architecture, CVPR, section 7; negative shares: Wei et al. (2022),
    To smooth or not?, ICML; one share per class: Fonseca, Font, Serra (2019), Model-agnostic approaches to
    handling noisy labels, WASPAA. For one class label it equals
    ``CE + epsilon * (z[y] - mean(z))``.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    >>> label_smoothing(z, y), cross_entropy(z, y) + 0.1 * (z[0, 0] - z.mean())
    (tensor([0.2269]), tensor([0.2269]))
    """
    group = given(logits, labels, multilabel)
    shares = numbers_per_class(epsilon, group.logits, "epsilon")
    if not bool(((shares <= 1) & shares.isfinite()).all()):
        raise InputError(
            f"epsilon is {epsilon}; a share of at most 1 is needed, below 0 for negative smoothing."
        )
    kept = 1 - group.by_class(shares)
    spread = group.average(shares) / group.n_classes
    return group.close(group.expect(lambda log_p: -kept * log_p) + spread * group.ce_to_all())


def max_suppression(logits: Tensor, labels: Any, *, weight: float = 0.1) -> Tensor:
    """Cross-entropy plus a penalty on how far the highest logit stands above the mean one.

    Label smoothing penalises the logit of the given class, even where the model disagrees with it; this penalises
    the logit of the model's own guess.

    Parameters
    ----------
    logits, labels
        As for `cross_entropy`, single-label.
    weight : float
        lambda >= 0; published: from 0.1 to 0.2 over training, see `max_suppression_weight`.

    Returns
    -------
    Tensor of shape (n,)
        ``CE + weight * (max(z) - mean(z))``.

    Raises
    ------
    InputError
        A negative weight; otherwise as for `cross_entropy`.

    References
    ----------
    Zhou et al. (2025), MaxSup: overcoming representation collapse in label smoothing, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> max_suppression(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([2.2269])
    """
    if not weight >= 0:
        raise InputError(f"weight is {weight}; a number >= 0 is needed.")
    group = units(logits, labels)
    z = group.logits
    return group.close(group.expect(torch.neg) + weight * (z.amax(dim=1) - z.mean(dim=1)))


def max_suppression_weight(epoch: int, epochs: int, *, first: float = 0.1, last: float = 0.2) -> float:
    """Weight of `max_suppression` in an epoch counted from 0: a straight line from ``first`` to ``last``.

    Examples
    --------
    >>> [round(max_suppression_weight(e, 101), 2) for e in (0, 50, 100)]
    [0.1, 0.15, 0.2]
    """
    if not 0 <= epoch < epochs:
        raise InputError(f"epoch is {epoch} of {epochs}; epochs count from 0 to {epochs - 1}.")
    return first + (last - first) * epoch / max(epochs - 1, 1)


def logit_norm(logits: Tensor, labels: Any, *, temperature: float = 0.04) -> Tensor:
    """Cross-entropy of logits divided by their own length, so that confidence cannot grow with it.

    Parameters
    ----------
    logits, labels
        As for `cross_entropy`, single-label.
    temperature : float
        tau > 0; 0.04 is published for CIFAR-10. It bounds the confidence: the loss of a unit cannot go below
        ``log(1 + (K - 1) exp(-sqrt(K / (K - 1)) / tau))``.

    Returns
    -------
    Tensor of shape (n,)
        ``CE(z / (tau * (|z| + 1e-7)))``; unchanged when the logits are scaled.

    Raises
    ------
    InputError
        A temperature that is not positive; otherwise as for `cross_entropy`.

    References
    ----------
    Wei et al. (2022), Mitigating neural network overconfidence with logit normalization, ICML, the LogitNorm
    loss.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[3.0, 1.0]]), torch.tensor([1])
    >>> logit_norm(z, y, temperature=1.0), logit_norm(100 * z, y, temperature=1.0)
    (tensor([1.0586]), tensor([1.0586]))
    """
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}; a number > 0 is needed.")
    group = units(logits, labels)
    length = torch.linalg.vector_norm(group.logits, dim=1, keepdim=True)
    scaled = group.logits / (temperature * (length + 1e-7))
    return group.close(Units(scaled, group.labels, group.soft, group.masked).expect(torch.neg))
