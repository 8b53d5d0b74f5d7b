"""The coding-rate loss of ERASE, with one Gram matrix per class and a gradient in closed form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["coding_rate_loss"]


def coding_rate_loss(z: Tensor, labels: Tensor, *, n_classes: int, eps: float, expansion: float) -> Tensor:
    """Spread all units out, draw those of one class together: ``Rc(Z | labels) - expansion * R(Z)``.

    ``R = 1/2 logdet(I + d / (n eps) Z'Z)`` and ``Rc = sum_c n_c / (2 n) logdet(I + d / (n_c eps) Z_c'Z_c)``.

    Parameters
    ----------
    z : Tensor of float, shape (n, d)
        Embeddings.
    labels : Tensor of int64, shape (n,)
        Class of each row; a class without rows adds 0.
    n_classes : int
    eps : float
        Squared distortion, > 0.
    expansion : float
        Weight of R.

    Returns
    -------
    Tensor
        One number, differentiable once by ``z``.

    Notes
    -----
    Time O(n d^2 + K d^3), memory O(K d^2). The overall Gram matrix is the sum of those of the classes; a class of
    fewer than d rows has the determinant of the matrix of its rows' products (Sylvester) where it is the smaller.
    The gradient ``a Z (I + a Z'Z)^-1`` of a term ``1/2 logdet(I + a Z'Z)`` needs one product per row for both terms.

    References
    ----------
    Chen et al. 2024, ERASE (arXiv 2312.08852); Yu et al. 2020, Maximal coding rate reduction.

    Examples
    --------
    >>> z = torch.eye(4)[[0, 0, 1, 1]]
    >>> right, wrong = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    >>> loss = [coding_rate_loss(z, y, n_classes=3, eps=0.5, expansion=1.0).item() for y in (right, wrong)]
    >>> [round(v, 4) for v in loss]
    [-0.5108, 0.0]
    """
    return _CodingRate.apply(z, labels, n_classes, eps, expansion)  # type: ignore[no-any-return]


class _CodingRate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, labels: Tensor, n_classes: int, eps: float, expansion: float
    ) -> Tensor:
        n, d = z.shape
        counts = torch.bincount(labels, minlength=n_classes).tolist()
        order = torch.argsort(labels, stable=True)
        parts = z[order].split(counts)
        identity = torch.eye(d, dtype=z.dtype, device=z.device)
        overall = torch.zeros_like(identity)
        value = z.new_zeros(())
        #: Per class: the part of the gradient that is linear in its rows, as a d x d matrix, or (for few rows)
        #: the finished n_c x d rows.
        inverses: list[Tensor | None] = []
        small: list[Tensor | None] = []
        for part, count in zip(parts, counts, strict=True):
            scale, weight = d / ((count + 1e-8) * eps), count / n
            if count == 0:
                inverses.append(None)
                small.append(None)
            elif count < d:
                overall.addmm_(part.T, part)
                inner = torch.linalg.cholesky(
                    torch.eye(count, dtype=z.dtype, device=z.device) + scale * part @ part.T
                )
                value = value + weight * inner.diagonal().log().sum()
                small.append(weight * scale * torch.cholesky_solve(part, inner))
                inverses.append(None)
            else:
                gram = part.T @ part
                overall += gram
                factor = torch.linalg.cholesky(identity + scale * gram)
                value = value + weight * factor.diagonal().log().sum()
                inverses.append(weight * scale * torch.cholesky_inverse(factor))
                small.append(None)
        scale = d / (n * eps)
        factor = torch.linalg.cholesky(identity + scale * overall)
        value = value - expansion * factor.diagonal().log().sum()
        spread = -expansion * scale * torch.cholesky_inverse(factor)
        gradient = torch.empty_like(z)
        rows = []
        for part, inverse, own in zip(parts, inverses, small, strict=True):
            rows.append(part @ (spread if inverse is None else spread + inverse))
            if own is not None:
                rows[-1] += own
        gradient[order] = torch.cat(rows)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        return outer[0] * ctx.saved_tensors[0], None, None, None, None
