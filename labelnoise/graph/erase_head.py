"""The classifier on top of ERASE's embeddings, refitted after each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

__all__ = ["classify"]

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


def classify(network: Any, labels: Labels, train: Labels, rows: Labels, k: int) -> Matrix:
    """Probabilities of ``rows``, by a logistic regression on the embeddings of the training rows.

    With fewer training rows than columns the coefficients lie in the span of those rows. The regression is then
    fitted in coordinates of that span: same objective, same path from zero, fewer numbers.

    Parameters
    ----------
    network : callable
        Embeddings of the nodes with the given numbers, a Tensor of shape (nodes, width).
    labels : ndarray of int, shape (m,)
        Targets of the training rows.
    train, rows : ndarray of int
        Node numbers.
    k : int
        Number of classes; one that is no target gets the probability 0.

    Returns
    -------
    ndarray of float64, shape (len(rows), k)
    """
    probs = np.zeros((len(rows), k))
    classes, target = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        probs[:, classes[0]] = 1.0
        return probs
    with torch.no_grad():
        unit = torch.nn.functional.normalize(
            network(torch.from_numpy(np.concatenate([train, rows]))), dim=1
        ).numpy()
    seen, others = unit[: len(train)].astype(np.float64), unit[len(train) :]
    basis = None
    if len(train) < seen.shape[1]:
        basis, triangle = (part.numpy() for part in torch.linalg.qr(torch.from_numpy(seen.T.copy())))
        seen = triangle.T.copy()
    coefficients, intercepts = _logistic(seen, target, len(classes))
    if basis is not None:
        coefficients = basis @ coefficients
    probs[:, classes] = softmax(others @ coefficients + intercepts, axis=1)
    return probs


def _logistic(x: Matrix, target: Labels, k: int) -> tuple[Matrix, Matrix]:
    """Coefficients (d, k) and intercepts (k,) of scikit-learn's default: mean log loss + |B|^2 / (2 m).

    Of two classes scikit-learn fits one logit, the difference w of the columns of B: |w|^2 is 2 |B|^2 then.
    """
    m, d = x.shape
    truth = np.zeros((m, k))
    truth[np.arange(m), target] = 1.0
    truth /= m
    ridge = (2 if k == 2 else 1) / m

    def objective(flat: Matrix) -> tuple[float, Matrix]:
        b = flat.reshape(d + 1, k)
        logits = x @ b[:d] + b[d]
        logits -= logits.max(axis=1, keepdims=True)
        share = np.exp(logits)
        total = share.sum(axis=1, keepdims=True)
        loss = np.log(total).sum() / m - np.vdot(truth, logits) + ridge / 2 * np.vdot(b[:d], b[:d])
        share /= total * m
        share -= truth
        slope = np.empty_like(b)
        np.matmul(x.T, share, out=slope[:d])
        slope[:d] += ridge * b[:d]
        slope[d] = share.sum(axis=0)
        return float(loss), slope.ravel()

    found = minimize(
        objective,
        np.zeros((d + 1) * k),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "maxls": 50, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps},
    ).x.reshape(d + 1, k)
    return found[:d], found[d]
