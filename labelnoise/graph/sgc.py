"""Simplified graph convolution: logistic regression on features smoothed over edges, out of fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.propagation import gcn_adjacency

__all__ = ["SmoothedLogistic", "sgc_probs"]

#: Inverse L2 penalty, for feature rows of length 1.
_INVERSE_PENALTY = 3.0


def sgc_probs(dataset: GraphDataset, seed: int = 0, *, folds: int = 5) -> NDArray[np.float64]:
    """Class probabilities of each node by a model that has not seen its label.

    Columns of X are divided by their largest absolute value and rows by their length; then a logistic
    regression on S^2 X with S = (D + I)^-1/2 (A + I) (D + I)^-1/2 is fitted on the other folds. Neighbours'
    features play a part, their labels do not, so a node's own label cannot leak back.

    Parameters
    ----------
    dataset : GraphDataset
        With features.
    seed : int
        Deals nodes to folds.
    folds : int
        Number of models.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Rows sum to 1. Nodes without a label get the mean over the models.

    Raises
    ------
    InputError
        No features, or too few labels for the folds.

    References
    ----------
    Wu et al. 2019, Simplifying Graph Convolutional Networks, ICML.

    Examples
    --------
    Two groups of six, all joined within; node 5 carries the other group's label:

    >>> pairs = [(i, j) for g in (0, 6) for i in range(g, g + 6) for j in range(i + 1, g + 6)]
    >>> graph = GraphDataset(name="two groups", given=np.repeat([0, 1], [5, 7]),
    ...     class_names=("a", "b"), x=np.eye(12), edge_index=np.array(pairs).T)
    >>> sgc_probs(graph).argmax(axis=1)
    array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """
    from sklearn.preprocessing import maxabs_scale, normalize

    from labelnoise.core.crossval import out_of_fold

    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; use the detector 'votes', which needs none.")
    features: Any = normalize(maxabs_scale(dataset.x.astype(np.float64)))
    smooth = gcn_adjacency(dataset.adjacency)
    return out_of_fold(
        lambda: SmoothedLogistic(features, smooth, inverse_penalty=_INVERSE_PENALTY),
        np.arange(dataset.n_nodes),
        dataset.given,
        n_folds=folds,
        seed=seed,
        n_classes=dataset.n_classes,
    )


class SmoothedLogistic:
    """Multinomial logistic regression on S ... S X that never forms the product, for rows given by number.

    S^2 X of a sparse X is nearly dense, S (S (X B)) costs three sparse products with K columns. The objective
    is scikit-learn's: mean log loss + |B|^2 / (2 C n), with free intercepts.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n, d)
        X.
    smooth : csr_array of shape (n, n)
        S, symmetric.
    hops : int
        Number of factors S.
    inverse_penalty : float
        C.
    tol : float
        Stop when no entry of the gradient is larger.

    Examples
    --------
    >>> x, smooth = np.array([[0.0], [1], [2], [3]]), sp.eye_array(4, format="csr")
    >>> model = SmoothedLogistic(x, smooth).fit(np.array([0, 1, 3]), np.array([7, 7, 8]))
    >>> model.classes_, model.predict_proba(np.array([0, 2])).round(2)
    (array([7, 8]), array([[0.93, 0.07],
           [0.55, 0.45]]))
    """

    def __init__(
        self,
        features: Any,
        smooth: sp.csr_array,
        *,
        hops: int = 2,
        inverse_penalty: float = 1.0,
        tol: float = 1e-4,
    ) -> None:
        self.features, self.smooth, self.hops = features, smooth, hops
        self.inverse_penalty, self.tol = inverse_penalty, tol

    def fit(self, rows: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> SmoothedLogistic:
        """Fit on the rows with these numbers and labels."""
        from scipy.optimize import minimize

        self.classes_, target = np.unique(labels, return_inverse=True)
        k, n, d = len(self.classes_), len(rows), self.features.shape[1]
        penalty = 1 / (self.inverse_penalty * n)
        transposed = self.features.T
        if sp.issparse(self.features):
            transposed = sp.csr_array(transposed)

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            self.coef_, self.intercept_ = flat[: d * k].reshape(d, k), flat[d * k :]
            logits = self._logits(rows)
            logits -= logits.max(axis=1, keepdims=True)
            share = np.exp(logits)
            total = share.sum(axis=1)
            loss = (np.log(total) - logits[np.arange(n), target]).mean() + penalty / 2 * np.sum(self.coef_**2)
            share /= total[:, None]
            share[np.arange(n), target] -= 1
            share /= n
            back = np.zeros((self.features.shape[0], k))
            np.add.at(back, rows, share)
            for _ in range(self.hops):
                back = self.smooth @ back
            slope = transposed @ back + penalty * self.coef_
            return float(loss), np.concatenate([slope.ravel(), share.sum(axis=0)])

        found = minimize(
            objective,
            np.zeros(d * k + k),
            jac=True,
            method="L-BFGS-B",
            options={"gtol": self.tol, "ftol": 64 * np.finfo(float).eps, "maxiter": 500},
        )
        self.coef_, self.intercept_ = found.x[: d * k].reshape(d, k), found.x[d * k :]
        return self

    def _logits(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        reached = self.features @ self.coef_
        for _ in range(self.hops):
            reached = self.smooth @ reached
        return reached[rows] + self.intercept_  # type: ignore[no-any-return]

    def predict_proba(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Probabilities of the classes in ``classes_``, shape (len(rows), K)."""
        from scipy.special import softmax

        return softmax(self._logits(rows), axis=1)  # type: ignore[no-any-return]
