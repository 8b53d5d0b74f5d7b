"""Tags that are probably missing: negatives which a teacher scores highest are taken out of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from labelnoise.core.losses._units import cells, numbers_per_class
from labelnoise.core.validation import InputError, as_multilabel, as_rate

__all__ = ["mask_likely_missing", "negative_thresholds", "partial_cross_entropy"]


def mask_likely_missing(targets: ArrayLike, scores: ArrayLike, *, share: float = 0.02) -> NDArray[np.int8]:
    """Turn each tag's highest-scored negatives into "no label".

    Parameters
    ----------
    targets : array_like of shape (n, K)
        0, 1, or -1 for "no label".
    scores : array_like of shape (n, K)
        A teacher's probabilities or logits, higher = more likely present; those of cells that are not 0 are not read.
    share : float
        Fraction in [0, 1] of each tag's negatives, rounded down.

    Returns
    -------
    ndarray of int8, shape (n, K)
        A copy of the targets with -1 in those cells. Of equal scores the first are masked.

    Raises
    ------
    InputError
        Other targets, another shape, NaN among the scores of negatives, a share outside of [0, 1].

    References
    ----------
    Fonseca et al. (2020), Addressing missing labels in large-scale sound event recognition using a teacher-student
    framework with loss masking, IEEE Signal Processing Letters 27.

    Examples
    --------
    >>> mask_likely_missing([[1, 0], [0, 0], [0, 1], [0, 0]], [[0.9, 0.1], [0.8, 0.7], [0.1, 0.9], [0.2, 0.3]], share=0.4)
    array([[ 1,  0],
           [-1, -1],
           [ 0,  1],
           [ 0,  0]], dtype=int8)
    """
    result = as_multilabel(targets, name="targets").copy()
    values, fraction = _scores(scores, result), as_rate(share, name="share")
    for k in range(result.shape[1]):
        negatives = np.flatnonzero(result[:, k] == 0)
        count = _count(fraction, len(negatives))
        order = np.argsort(-values[negatives, k], kind="stable")
        result[negatives[order[:count]], k] = -1
    return result


def negative_thresholds(targets: ArrayLike, scores: ArrayLike, *, share: float = 0.02) -> NDArray[np.float64]:
    """For each tag, the score above which the given share of its negatives lies.

    Parameters
    ----------
    targets, scores, share
        As in `mask_likely_missing`.

    Returns
    -------
    ndarray of float64, shape (K,)
        For `partial_cross_entropy` if the scores are probabilities. Infinity where nothing is to be masked.

    Raises
    ------
    InputError
        As in `mask_likely_missing`.

    References
    ----------
    Fonseca et al. (2020), Addressing missing labels in large-scale sound event recognition using a teacher-student
    framework with loss masking, IEEE Signal Processing Letters 27.

    Examples
    --------
    >>> negative_thresholds([[1, 0], [0, 0], [0, 1], [0, 0]], [[0.9, 0.1], [0.8, 0.7], [0.1, 0.9], [0.2, 0.3]], share=0.4)
    array([0.2, 0.3])
    """
    marks = as_multilabel(targets, name="targets")
    values, fraction = _scores(scores, marks), as_rate(share, name="share")
    result = np.full(marks.shape[1], np.inf)
    for k in range(marks.shape[1]):
        negatives = values[marks[:, k] == 0, k]
        count = _count(fraction, len(negatives))
        if count == len(negatives) > 0:
            result[k] = -np.inf
        elif count:
            result[k] = np.partition(negatives, len(negatives) - count - 1)[len(negatives) - count - 1]
    return result


def partial_cross_entropy(logits: Tensor, targets: Any, *, thresholds: Any, scores: Any = None) -> Tensor:
    """Binary cross-entropy without the negatives that are scored above their tag's threshold.

    Parameters
    ----------
    logits, targets
        As for `~labelnoise.core.losses.plain.cross_entropy`, multi-label.
    thresholds : float or array_like of shape (K,)
        Probabilities, see `negative_thresholds`; infinity masks nothing.
    scores : Tensor or array_like of shape (n, K), optional
        The teacher's probabilities. By default the model's own, which moves the mask along with the training and
        needs a warm-up.

    Returns
    -------
    Tensor of shape (n, K)
        0 where masked. The mean over labelled cells counts them; to leave them out, set the targets themselves to -1
        with `mask_likely_missing`.

    Raises
    ------
    InputError
        Thresholds that are NaN or not one per tag, scores of another shape; otherwise as for cross-entropy.

    References
    ----------
    Fonseca et al. (2020), Addressing missing labels in large-scale sound event recognition using a teacher-student
    framework with loss masking, IEEE Signal Processing Letters 27; with the model's own scores: Kim et al. (2022),
    Large loss matters in weakly supervised multi-label classification, CVPR.

    Examples
    --------
    >>> import torch
    >>> z, t = torch.tensor([[3.0, -1.0]]), torch.tensor([[0, 0]])
    >>> partial_cross_entropy(z, t, thresholds=0.9)
    tensor([[0.0000, 0.3133]])
    """
    group = cells(logits, targets)
    bounds = numbers_per_class(thresholds, group.logits, "thresholds")
    if bool(bounds.isnan().any()):
        raise InputError("thresholds holds NaN; use infinity where nothing is to be masked.")
    if scores is None:
        seen = group.logits.detach().sigmoid()
    else:
        seen = torch.as_tensor(scores, device=group.logits.device).to(group.logits.dtype)
        if seen.shape != group.logits.shape:
            raise InputError(
                f"scores has shape {tuple(seen.shape)}; one per cell is needed, {tuple(group.logits.shape)}."
            )
        seen = group.fill(seen)
    suspect = seen > bounds
    if group.hard:
        return group.close((-group.log_right).masked_fill(suspect & (group.targets == 0), 0))
    return group.close(group.choose(-group.log_one, (-group.log_zero).masked_fill(suspect, 0)))


def _scores(scores: ArrayLike, targets: NDArray[np.int8]) -> NDArray[np.floating[Any]]:
    values = np.asarray(scores)
    if values.shape != targets.shape:
        raise InputError(
            f"scores has shape {values.shape} for targets of shape {targets.shape}; give one per cell."
        )
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    if np.isnan(values[targets == 0]).any():
        raise InputError("scores holds NaN; every negative needs a score, or set its target to -1.")
    return values


def _count(share: float, n: int) -> int:
    # 0.7 * 10 is 6.999...: a hair keeps whole products whole.
    return int(share * n + 1e-9)
