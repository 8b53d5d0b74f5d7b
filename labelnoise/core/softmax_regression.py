"""Multinomial logistic regression on sparse or dense features, with soft targets and a weight per unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize

from labelnoise.core.validation import InputError

__all__ = ["SoftmaxRegression", "fit_softmax"]

Single = NDArray[np.float32]
Features: TypeAlias = Any  # a sparse array or an ndarray


@dataclass(frozen=True)
class SoftmaxRegression:
    """A fitted linear classifier.

    Attributes
    ----------
    weights : ndarray of float32, shape (D, K)
    bias : ndarray of float32, shape (K,)
    """

    weights: Single
    bias: Single

    def predict(self, features: Features) -> Single:
        """P(class | features), shape (n, K)."""
        return _softmax(np.asarray(features @ self.weights) + self.bias)


def fit_softmax(
    features: Features,
    targets: NDArray[Any],
    *,
    weights: NDArray[Any] | None = None,
    l2: float = 1.0,
    iterations: int = 60,
    tolerance: float = 1e-5,
) -> SoftmaxRegression:
    """Minimise the weighted cross-entropy to soft targets plus ``l2 / 2`` times the squared weights.

    Parameters
    ----------
    features : sparse array or ndarray, shape (n, D)
    targets : ndarray of float, shape (n, K)
        Rows of probabilities; a row's sum counts as a weight of its own (0 leaves the unit out).
    weights : ndarray of float, shape (n,), optional
        Non-negative; 1 by default.
    l2 : float
        Strength of the penalty, > 0; the bias is free. The loss is a sum over units, not a mean.
    iterations : int
        Limit of the L-BFGS iterations.
    tolerance : float
        Relative decrease of the objective at which the fit ends.

    Returns
    -------
    SoftmaxRegression

    Raises
    ------
    InputError
        Shapes that do not match, negative or NaN numbers, a penalty that is not positive.

    Notes
    -----
    scikit-learn's LogisticRegression takes hard labels only; with those the two agree (tested).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [0.8, 0.1], [0.0, 1.0], [0.2, 0.9]])
    >>> fit_softmax(X, np.eye(2)[[0, 0, 1, 1]], l2=0.1).predict(X).argmax(axis=1)
    array([0, 0, 1, 1])
    """
    n, d = features.shape
    wanted = np.asarray(targets, dtype=np.float32)
    if wanted.ndim != 2 or len(wanted) != n:
        raise InputError(f"targets have shape {wanted.shape} for {n} rows of features; give (n, K).")
    if weights is not None:
        factor = np.asarray(weights, dtype=np.float32)
        if factor.shape != (n,):
            raise InputError(f"weights have shape {factor.shape} for {n} rows of features; give one per row.")
        wanted = wanted * factor[:, None]
    if n and not (np.isfinite(wanted).all() and wanted.min() >= 0):
        raise InputError("targets or weights hold negative numbers or NaN; give probabilities.")
    if not l2 > 0:
        raise InputError(f"l2 is {l2}; a penalty above 0 is needed.")
    k = wanted.shape[1]
    used = wanted.sum(axis=1) > 0
    X = features if used.all() else features[used]
    Y = wanted if used.all() else wanted[used]
    if sp.issparse(X):
        X = sp.csr_array(X, dtype=np.float32)
        back: Features = sp.csr_array(X.T)
    else:
        X = np.asarray(X, dtype=np.float32)
        back = X.T
    mass = Y.sum(axis=1)

    def objective(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        W = theta[: d * k].reshape(d, k).astype(np.float32)
        b = theta[d * k :].astype(np.float32)
        logits = np.asarray(X @ W) + b
        top = logits.max(axis=1, keepdims=True)
        logits -= top
        p = np.exp(logits)
        total = p.sum(axis=1)
        value = float(mass @ np.log(total)) - float(np.vdot(Y, logits)) + 0.5 * l2 * float(np.vdot(W, W))
        p *= (mass / total)[:, None]
        p -= Y
        slope = np.empty_like(theta)
        slope[: d * k] = (np.asarray(back @ p) + l2 * W).ravel()
        slope[d * k :] = p.sum(axis=0)
        return value, slope

    start = np.zeros(d * k + k)
    share = (Y.sum(axis=0) + 0.5) / (mass.sum() + 0.5 * k)
    start[d * k :] = np.log(share)
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 5, "ftol": tolerance, "gtol": 1e-6},
    )
    theta = found.x.astype(np.float32)
    return SoftmaxRegression(theta[: d * k].reshape(d, k), theta[d * k :])


def _softmax(logits: NDArray[Any]) -> Single:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return np.asarray(p, dtype=np.float32)
