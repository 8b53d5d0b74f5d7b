"""Losses that know the noise: forward and backward correction with a transition matrix, importance reweighting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from labelnoise.core.losses._transition import as_array, log_given, log_given_cells, logs, unmixing
from labelnoise.core.losses._units import Cells, Units, given
from labelnoise.core.validation import InputError

__all__ = ["backward_corrected", "forward_corrected", "importance_reweighted", "importance_weights"]


def forward_corrected(logits: Tensor, labels: Any, *, transition: Any, multilabel: bool = False) -> Tensor:
    """Cross-entropy of the noisy labels under the prediction passed through the noise.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`. For class distributions memory grows as n K^2.
    transition : array_like or Tensor of shape (K, K); (2, 2) or (K, 2, 2) if multi-label
        ``T[i, j] = P(given = j | true = i)``, rows sum to 1. For tags, one matrix for all or one for each:
        ``[[1 - added, added], [dropped, 1 - dropped]]``. A tensor that requires a gradient receives it.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``-log sum_k T[k, given] p_k``, >= 0. Its minimiser over all predictions is the clean posterior.

    Raises
    ------
    InputError
        T that is not row-stochastic or does not fit the logits; a label of a class that T never gives;
        otherwise as for cross-entropy.

    References
    ----------
    Patrini et al. (2017), Making deep neural networks robust to label noise, CVPR, theorem 2.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    >>> forward_corrected(z, y, transition=[[0.8, 0.2], [0.0, 1.0]])
    tensor([1.2196])
    >>> forward_corrected(z, y, transition=torch.eye(2))  # cross-entropy
    tensor([2.1269])
    """
    group = given(logits, labels, multilabel)
    log_transition = logs(transition, group)
    if isinstance(group, Cells):
        return group.close(-log_given_cells(log_transition, group))
    return group.close(-group.weigh(log_given(log_transition, group)))


def backward_corrected(
    logits: Tensor, labels: Any, *, transition: Any, limit: float = 1e3, multilabel: bool = False
) -> Tensor:
    """Cross-entropies combined by the inverse of T, so that the mean over the noise is the clean cross-entropy.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    transition : array_like or Tensor of shape (K, K); (2, 2) or (K, 2, 2) if multi-label
        As for `forward_corrected`; no gradient flows into it.
    limit : float
        Largest condition number of T (of any T) that is accepted.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``sum_j inv(T)[given, j] CE_j``. Unbiased, but single values can be negative and are not bounded below.

    Raises
    ------
    InputError
        T whose condition number is above ``limit``, not row-stochastic or of another size; otherwise as for
        cross-entropy.

    References
    ----------
    Natarajan et al. (2013), Learning with noisy labels, NeurIPS, lemma 1; Patrini et al. (2017), Making deep neural
    networks robust to label noise, CVPR, theorem 1.

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    >>> noisy = backward_corrected(z, torch.tensor([0, 1]), transition=[[0.8, 0.2], [0.0, 1.0]])
    >>> noisy, 0.8 * noisy[0] + 0.2 * noisy[1]  # the second is the cross-entropy of class 0
    (tensor([-0.3731,  2.1269]), tensor(0.1269))
    >>> backward_corrected(z, torch.tensor([0, 1]), transition=[[0.5, 0.5], [0.5, 0.5]])
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: transition has condition number ..., above the limit of 1000: its inverse
    would turn small errors of T into huge losses. Use forward correction, or a T with less noise.
    """
    group = given(logits, labels, multilabel)
    inverse = unmixing(transition, group, limit)
    if isinstance(group, Cells):
        of_one = group.choose(inverse[:, 1, 1], inverse[:, 0, 1])
        of_zero = group.choose(inverse[:, 1, 0], inverse[:, 0, 0])
        return group.close(-(of_one * group.log_one + of_zero * group.log_zero))
    # Elementwise, not as a matrix product: under autocast a product would be rounded to half precision.
    return group.close(group.weigh((group.rows(inverse[0]) * group.spread(-group.log_probs)).sum(dim=-1)))


def importance_weights(logits: Tensor, labels: Any, *, transition: Any, multilabel: bool = False) -> Tensor:
    """How much more probable the given label is under the clean posterior than under the noisy one.

    Parameters
    ----------
    logits, labels, multilabel
        As for `~labelnoise.core.losses.plain.cross_entropy`.
    transition : array_like or Tensor of shape (K, K); (2, 2) or (K, 2, 2) if multi-label
        As for `forward_corrected`, with a positive diagonal.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        ``p[given] / (T' p)[given]``, in [0, 1 / T[given, given]], without a gradient; 0 without a label.

    Raises
    ------
    InputError
        T with a zero on its diagonal; otherwise as for `forward_corrected`.

    References
    ----------
    Liu, Tao (2016), Classification with noisy labels by importance reweighting, TPAMI 38(3), the weight
    beta.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    >>> importance_weights(z, y, transition=[[0.8, 0.2], [0.2, 0.8]])
    tensor([1.2091, 0.4390])
    """
    group = given(logits.detach() if isinstance(logits, Tensor) else logits, labels, multilabel)
    if isinstance(group, Cells):
        return group.close(group.choose(*_ratios_of_cells(group, transition)))
    return group.close(group.weigh(_ratios(group, transition)))


def importance_reweighted(
    logits: Tensor, labels: Any, *, transition: Any, multilabel: bool = False
) -> Tensor:
    """Cross-entropy times `importance_weights`, through which no gradient flows.

    Parameters
    ----------
    logits, labels, multilabel, transition
        As for `importance_weights`.

    Returns
    -------
    Tensor of shape (n,), or (n, K) if multi-label
        >= 0. Average it over the units: the weights are not to be normalised away.

    Raises
    ------
    InputError
        As for `importance_weights`.

    References
    ----------
    Liu, Tao (2016), Classification with noisy labels by importance reweighting, TPAMI 38(3), the weight
    beta.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    >>> importance_reweighted(z, y, transition=[[0.8, 0.2], [0.2, 0.8]])
    tensor([0.1535, 0.9338])
    """
    group = given(logits, labels, multilabel)
    if isinstance(group, Cells):
        one, zero = _ratios_of_cells(group, transition)
        return group.close(-group.choose(one * group.log_one, zero * group.log_zero))
    ratios = _ratios(group, transition)
    return group.close(-group.weigh(ratios * group.log_right))


def _ratios(group: Units, transition: Any) -> Tensor:
    """p / (T' p) of the given class, (n,), or for soft targets of every class, (n, K); constant."""
    log_transition = _log_transition(group, transition)
    # Made outside of no_grad: it is kept for the loss.
    log_probs = group.log_probs
    with torch.no_grad():
        own = log_probs if group.soft is not None else group.pick(log_probs)
        return (own - log_given(log_transition, group)).exp()


def _ratios_of_cells(group: Cells, transition: Any) -> tuple[Tensor, Tensor]:
    """p / (T' p) if 1 is given, and if 0 is, (n, K) each; constant."""
    log_transition = _log_transition(group, transition)
    log_one, log_zero = group.log_one, group.log_zero
    with torch.no_grad():
        given_one = torch.logaddexp(log_one + log_transition[:, 1, 1], log_zero + log_transition[:, 0, 1])
        given_zero = torch.logaddexp(log_one + log_transition[:, 1, 0], log_zero + log_transition[:, 0, 0])
        return (log_one - given_one).exp(), (log_zero - given_zero).exp()


def _log_transition(group: Units | Cells, transition: Any) -> Tensor:
    if not (as_array(transition, group).diagonal(axis1=1, axis2=2) > 0).all():
        raise InputError(
            "transition has a zero on its diagonal: a class that is never given its own label cannot be reweighted. "
            "Use forward correction."
        )
    return logs(transition, group)
