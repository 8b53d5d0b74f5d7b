"""Losses that a wrong label can only raise so far: GCE, SCE, MAE, normalised CE and their sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from labelnoise.core.losses._units import Cells, Units, given
from labelnoise.core.validation import InputError, choose

__all__ = [
    "active_passive",
    "generalized_cross_entropy",
    "mean_absolute_error",
    "normalized_cross_entropy",
    "symmetric_cross_entropy",
]


def generalized_cross_entropy(
    logits: Tensor, labels: Any, *, q: float = 0.7, truncate: float = 0.0, multilabel: bool = False
) -> Tensor:
    """The Lq loss ``(1 - p[y]^q) / q``, between cross-entropy (q = 0) and half the MAE (q = 1).

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`. Of a multi-label cell, p[y] is the probability of
        the given 0 or 1, so that negatives keep their gradient.
    q : float
        In [0, 1]; more is more robust and slower to learn.
    truncate : float
        k in [0, 1): units with p[y] <= k have the constant value ``(1 - k^q) / q`` and no gradient. 0 turns it
        off. Switch it on when the model has learnt something (published: k = 0.5 from epoch 40): at the start it
        silences most units.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        In [0, 1 / q].

    Raises
    ------
    InputError
        q or truncate outside of their ranges; otherwise as for cross-entropy.

    References
    ----------
    Zhang, Sabuncu (2018), Generalized cross entropy loss, NeurIPS, the Lq loss and the truncated Lq loss (there
    truncation is refreshed every 10 epochs; here it follows the current prediction).

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    >>> generalized_cross_entropy(z, y)
    tensor([0.1215, 1.1062])
    >>> generalized_cross_entropy(z, y, truncate=0.5)
    tensor([0.1215, 0.5492])
    """
    if not 0 <= q <= 1:
        raise InputError(f"q is {q}; it must lie from 0 (cross-entropy) to 1 (half the mean absolute error).")
    if not 0 <= truncate < 1:
        raise InputError(f"truncate is {truncate}; a probability in [0, 1) is needed, 0 for no truncation.")

    def lq(log_p: Tensor) -> Tensor:
        if truncate:
            # The bound is reached before the power, so that a cut unit has no gradient at all.
            log_p = log_p.clamp(min=math.log(truncate))
        return -torch.expm1(q * log_p) / q if q else -log_p

    group = given(logits, labels, multilabel)
    return group.close(group.expect(lq))


def symmetric_cross_entropy(
    logits: Tensor,
    labels: Any,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    multilabel: bool = False,
) -> Tensor:
    """Cross-entropy plus reverse cross-entropy, in which the target is the prediction's probability.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    alpha, beta : float
        Weights >= 0 of CE and of reverse CE: (0.1, 1) published for CIFAR-10, (6, 0.1) for CIFAR-100.
    log_zero : float
        A < 0, what stands for log 0 in the one-hot target; -4 in the paper. Code that clamps the one-hot at
        1e-4 has -9.21.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``alpha * CE - beta * A * (1 - p[y])``.

    Raises
    ------
    InputError
        A negative weight, ``log_zero`` >= 0; otherwise as for cross-entropy.

    References
    ----------
    Wang et al. (2019), Symmetric cross entropy for robust learning with noisy labels, ICCV, the SCE loss.

    Examples
    --------
    >>> import torch
    >>> symmetric_cross_entropy(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([3.7359])
    """
    _weights(alpha=alpha, beta=beta)
    group = given(logits, labels, multilabel)
    reverse = _reverse(log_zero)
    return group.close(group.expect(lambda log_p: -alpha * log_p + beta * reverse(log_p)))


def mean_absolute_error(logits: Tensor, labels: Any, *, multilabel: bool = False) -> Tensor:
    """The L1 distance between the one-hot label and the prediction, ``2 (1 - p[y])``.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`. The value for a class distribution is the expectation
        over its classes.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        In [0, 2]. Over all K labels of a unit it sums to 2 (K - 1), whatever the prediction: symmetric noise below
        (K - 1) / K leaves its minimum in place.

    Raises
    ------
    InputError
        As for cross-entropy.

    References
    ----------
    Ghosh, Kumar, Sastry (2017), Robust loss functions under label noise for deep neural networks, AAAI, theorem 1.

    Examples
    --------
    >>> import torch
    >>> mean_absolute_error(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.7616])
    """
    group = given(logits, labels, multilabel)
    return group.close(group.expect(lambda log_p: -2 * torch.expm1(log_p)))


def normalized_cross_entropy(logits: Tensor, labels: Any, *, multilabel: bool = False) -> Tensor:
    """Cross-entropy to the given class as a share of the cross-entropies to all classes.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        In [0, 1]; over all labels of a unit it sums to 1. With one class only it is 0.

    Raises
    ------
    InputError
        As for cross-entropy.

    References
    ----------
    Ma et al. (2020), Normalized loss functions for deep learning with noisy labels, ICML, the normalised
    cross-entropy.

    Examples
    --------
    >>> import torch
    >>> normalized_cross_entropy(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.0563, 0.9437])
    """
    group = given(logits, labels, multilabel)
    return group.close(_nce(group))


def active_passive(
    logits: Tensor,
    labels: Any,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    passive: Literal["rce", "mae"] = "rce",
    log_zero: float = -4.0,
    multilabel: bool = False,
) -> Tensor:
    """Normalised cross-entropy, which raises the given class, plus a bounded loss that lowers the others.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    alpha, beta : float
        Weights >= 0 of the active and of the passive part: (1, 1) published for CIFAR-10, (10, 0.1) for CIFAR-100.
    passive : {"rce", "mae"}
        Reverse cross-entropy or mean absolute error.
    log_zero : float
        A < 0 of reverse cross-entropy, as in `symmetric_cross_entropy`.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        In [0, alpha + beta * bound of the passive part].

    Raises
    ------
    InputError
        A negative weight, ``log_zero`` >= 0, an unknown passive loss; otherwise as for cross-entropy.

    References
    ----------
    Ma et al. (2020), Normalized loss functions for deep learning with noisy labels, ICML, the active
    passive loss.

    Examples
    --------
    >>> import torch
    >>> active_passive(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([4.4669])
    """
    _weights(alpha=alpha, beta=beta)
    # MAE is reverse cross-entropy with A = -2.
    bounded = _reverse(log_zero if choose(passive, ("rce", "mae"), "passive loss") == "rce" else -2.0)
    group = given(logits, labels, multilabel)
    return group.close(alpha * _nce(group) + beta * group.expect(bounded))


def _reverse(log_zero: float) -> Callable[[Tensor], Tensor]:
    """``-A (1 - p)`` as a function of ``log p``."""
    if not log_zero < 0:
        raise InputError(
            f"log_zero is {log_zero}; it stands for log 0 and must be below 0 (-4 in the paper)."
        )
    return lambda log_p: log_zero * torch.expm1(log_p)


def _nce(group: Units | Cells) -> Tensor:
    right = group.expect(torch.neg)
    # One class: p = 1, and 0 / 0 would follow. For two and more the sum is at least K log K.
    return right / group.ce_to_all() if group.n_classes > 1 else right


def _weights(**weights: float) -> None:
    for name, value in weights.items():
        if not value >= 0:
            raise InputError(f"{name} is {value}; a weight >= 0 is needed.")
