"""From values to a number: the mean over labelled units, and weights that drop the largest losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from labelnoise.core.validation import NO_LABEL, InputError, as_rate

__all__ = ["keep_below_maximum", "keep_inliers", "labelled_mean"]


def labelled_mean(values: Tensor, labels: Any, *, weights: Any = None) -> Tensor:
    """Mean of the values over what has a label, optionally weighted.

    Parameters
    ----------
    values : Tensor of shape (n,), or (n, K) if multi-label
        From a loss.
    labels : Tensor or array_like
        The labels that the loss was given: class ids (n,), class distributions (n, K) or targets (n, K).
    weights : Tensor or array_like of the shape of ``values``, optional
        >= 0. The divisor is their sum, so that dropping units does not shrink the step.

    Returns
    -------
    Tensor, a scalar
        0, with a gradient of 0, if nothing is labelled or all weights are 0.

    Raises
    ------
    InputError
        Shapes that do not fit, negative or NaN weights.

    Examples
    --------
    >>> import torch
    >>> labelled_mean(torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0, -1, 2]))
    tensor(2.)
    >>> labelled_mean(torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0, -1, 2]), weights=[1.0, 1.0, 0.0])
    tensor(1.)
    """
    kept = _labelled(values, labels).to(values.dtype)
    if weights is not None:
        given = torch.as_tensor(weights, dtype=values.dtype, device=values.device)
        if given.shape != values.shape:
            raise InputError(f"weights has shape {tuple(given.shape)}; {tuple(values.shape)} is needed.")
        # Weights of what has no label are not read; they may be NaN.
        given = torch.where(kept > 0, given, 0)
        if not bool((given >= 0).all()):
            raise InputError("weights holds negative values or NaN; weights are >= 0.")
        kept = kept * given
    total = kept.sum()
    return (torch.where(kept > 0, values, 0) * kept).sum() / torch.where(total > 0, total, 1)


def keep_below_maximum(values: Tensor, labels: Any, *, share: float = 0.6) -> Tensor:
    """Weight 0 for losses above a share of the largest in the batch, 1 for the rest.

    Parameters
    ----------
    values, labels
        As for `labelled_mean`.
    share : float
        m in [0, 1]: 0.6 published for FSDnoisy18k from the start, 0.99 after a first stage with Lq.

    Returns
    -------
    Tensor of the shape of ``values``
        Weights for `labelled_mean`; 0 without a label.

    Raises
    ------
    InputError
        A share outside of [0, 1], shapes that do not fit.

    References
    ----------
    Fonseca et al. (2019), Learning sound event classifiers from web audio with noisy labels, ICASSP, CCE max.

    Examples
    --------
    >>> import torch
    >>> keep_below_maximum(torch.tensor([1.0, 2.0, 10.0, 0.0]), torch.tensor([0, 1, 1, -1]))
    tensor([1., 1., 0., 0.])
    """
    fraction = as_rate(share, name="share")
    labelled = _labelled(values, labels)
    seen = values.detach()[labelled]
    bound = (
        fraction * seen.max() if seen.numel() else torch.zeros((), dtype=values.dtype, device=values.device)
    )
    return (labelled & ~(values.detach() > bound)).to(values.dtype)


def keep_inliers(values: Tensor, labels: Any, *, spread: float = 1.9) -> Tensor:
    """Weight 0 for losses more than so many standard deviations above the batch's median, 1 for the rest.

    Parameters
    ----------
    values, labels
        As for `labelled_mean`.
    spread : float
        l >= 0; 1.9 published for FSDnoisy18k.

    Returns
    -------
    Tensor of the shape of ``values``
        Weights for `labelled_mean`; 0 without a label.

    Raises
    ------
    InputError
        A negative spread, shapes that do not fit.

    References
    ----------
    Fonseca et al. (2019), Learning sound event classifiers from web audio with noisy labels, ICASSP, CCE outlier.

    Examples
    --------
    >>> import torch
    >>> keep_inliers(torch.tensor([1.0, 1.2, 0.9, 1.1, 9.0]), torch.tensor([0, 1, 1, 0, 1]))
    tensor([1., 1., 1., 1., 0.])
    """
    if not spread >= 0:
        raise InputError(f"spread is {spread}; a number of standard deviations >= 0 is needed.")
    labelled = _labelled(values, labels)
    seen = values.detach()[labelled]
    if not seen.numel():
        return torch.zeros_like(values)
    # quantile takes the mean of the two middle values, median the lower one
    bound = seen.sort().values[[(len(seen) - 1) // 2, len(seen) // 2]].mean() + spread * seen.std(
        correction=0
    )
    return (labelled & ~(values.detach() > bound)).to(values.dtype)


def _labelled(values: Tensor, labels: Any) -> Tensor:
    marks = torch.as_tensor(labels, device=values.device) != NO_LABEL
    if marks.ndim == values.ndim + 1:
        marks = marks.any(dim=-1)
    if marks.shape != values.shape:
        raise InputError(
            f"values has shape {tuple(values.shape)} but the labels are for {tuple(marks.shape)}; "
            "pass the values and the labels of the same batch."
        )
    return marks
