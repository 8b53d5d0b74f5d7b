"""Label-distributionally robust losses: the worst case over a neighbourhood of the uniform label distribution."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from labelnoise.core.losses._units import Units, log_softmax, units
from labelnoise.core.validation import InputError, choose

__all__ = ["adaptive_ldr", "ldr"]

Normalize = Literal["softplus", "l1", "none"]


def ldr(
    logits: Tensor,
    labels: Any,
    *,
    temperature: float = 10.0,
    margin: float = 0.1,
    normalize: Normalize = "softplus",
) -> Tensor:
    """LDR-KL: a softmax loss with a temperature and a margin, derived as a worst case over label distributions.

    Parameters
    ----------
    logits, labels
        As for `~labelnoise.core.losses.plain.cross_entropy`, single-label. For class distributions memory grows as
        n K^2.
    temperature : float
        lambda > 0. 1 without a margin is cross-entropy minus log K; towards 0 it becomes the multi-class hinge loss,
        towards infinity the mean score difference, whose sum over all labels is constant: more is more robust. The
        authors' runs have 10 for normalised scores.
    margin : float
        c >= 0, by how much the given class should lead.
    normalize : {"softplus", "l1", "none"}
        What is done to the logits first: softplus and division by the mean; division by the mean absolute value; or
        nothing. Normalised scores lie in [0, K] (softplus) or [-K, K], and longer logits do not lower the loss.

    Returns
    -------
    Tensor of shape (n,)
        ``lambda log mean_k exp((s_k - s_y + c [k != y]) / lambda)``; can be below 0 (at least ``-lambda log K``).

    Raises
    ------
    InputError
        A temperature <= 0, a negative margin, an unknown normalisation; otherwise as for cross-entropy.

    References
    ----------
    Zhu, Ying, Yang (2023), Label distributionally robust losses for multi-class classification, ICML, PMLR 202, the
    LDR-KL loss.

    Examples
    --------
    >>> import math, torch
    >>> z, y = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    >>> ldr(z, y, temperature=1.0, margin=0.0, normalize="none") + math.log(2)  # cross-entropy
    tensor([2.1269])
    >>> ldr(z, y)
    tensor([0.5740])
    """
    group = units(logits, labels)
    gaps = _gaps(group, margin, normalize)
    heat = _positive(temperature, "temperature")
    values = heat * (torch.logsumexp(gaps / heat, dim=-1) - math.log(group.n_classes))
    return group.close(group.weigh(values))


def adaptive_ldr(
    logits: Tensor,
    labels: Any,
    *,
    temperature: float = 10.0,
    alpha: float = 2.0,
    margin: float = 0.1,
    normalize: Normalize = "softplus",
    steps: int = 5,
) -> Tensor:
    """ALDR-KL: LDR-KL that finds a temperature for each unit; units that are hard to decide get a higher one.

    Parameters
    ----------
    logits, labels, margin, normalize
        As for `ldr`.
    temperature : float
        lambda_0 > 0, the highest temperature.
    alpha : float
        > 1, how strongly temperatures are held at lambda_0, in units of ``log K / lambda_0``; infinity is `ldr`.
        A unit's temperature stays above ``lambda_0 (1 - 1 / alpha)``.
    steps : int
        How often the temperature and the worst distribution are maximised in turn, starting at lambda_0, >= 1.
        Each step raises the value towards the stationary point of the highest temperature. The authors do one
        step at each visit of a unit and remember its temperature; steps within one call need no memory.

    Returns
    -------
    Tensor of shape (n,)
        ``max over l and p of sum_k p_k (s_k - s_y + c [k != y]) - l KL(p, 1/K) - alpha log K / (2 lambda_0) (l -
        lambda_0)^2``. The gradient is that at constant temperature, which is exact at the stationary point.

    Raises
    ------
    InputError
        alpha <= 1, fewer than one step; otherwise as for `ldr`.

    References
    ----------
    Zhu, Ying, Yang (2023), Label distributionally robust losses for multi-class classification, ICML, PMLR 202, the
    ALDR-KL loss; the scale of alpha follows the authors' code, whose temperature step leaves the margin out.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([[8.0, 0.0], [0.2, 0.0]]), torch.tensor([1, 1])
    >>> adaptive_ldr(z, y, temperature=1.0, normalize="none")
    tensor([7.5801, 0.1613])
    >>> ldr(z, y, temperature=1.0, normalize="none")
    tensor([7.4072, 0.1612])
    """
    group = units(logits, labels)
    gaps = _gaps(group, margin, normalize)
    top = _positive(temperature, "temperature")
    if not alpha > 1:
        raise InputError(f"alpha is {alpha}; above 1 is needed, else a unit's temperature can reach 0.")
    if steps < 1:
        raise InputError(f"steps is {steps}; at least one is needed.")
    if group.n_classes == 1:
        return group.close(group.weigh(gaps[..., 0]))
    log_k = math.log(group.n_classes)
    with torch.no_grad():
        heat = torch.full_like(gaps[..., :1], top)
        for _ in range(steps):
            worst = log_softmax(gaps / heat)
            divergence = (worst.exp() * (worst + log_k)).sum(dim=-1, keepdim=True)
            heat = top * (1 - divergence / (alpha * log_k))
        price = (
            alpha * log_k / (2 * top) * (heat - top).square()
            if math.isfinite(alpha)
            else torch.zeros_like(heat)
        )
    values = (heat * (torch.logsumexp(gaps / heat, dim=-1, keepdim=True) - log_k) - price)[..., 0]
    return group.close(group.weigh(values))


def _gaps(group: Units, margin: float, normalize: str) -> Tensor:
    """How far each class's score, raised by the margin, is above the given class's: (n, K), soft (n, K, K)."""
    if not margin >= 0:
        raise InputError(f"margin is {margin}; a number >= 0 is needed.")
    scores = group.logits
    choose(normalize, ("softplus", "l1", "none"), "normalisation")
    if normalize == "softplus":
        scores = torch.nn.functional.softplus(scores)
    if normalize != "none":
        # 1e-7, as in logit_norm: logits that are all 0 have no direction.
        scores = scores / scores.abs().mean(dim=1, keepdim=True).clamp(min=1e-7)
    own = scores[:, :, None] if group.soft is not None else group.pick(scores)[:, None]
    others = 1 - torch.eye(group.n_classes, dtype=scores.dtype, device=scores.device)
    return group.spread(scores) - own + margin * group.rows(others)


def _positive(value: float, name: str) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} is {value}; a number > 0 is needed.")
    return float(value)
