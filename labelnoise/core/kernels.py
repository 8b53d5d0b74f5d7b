"""Kernel ridge experts whose leave-one-out and leave-group-out predictions are exact.

One decomposition serves every set of labels; each further set costs one product with an (n, n) matrix, or with an
(n, r) one where the kernel is approximated from landmarks (Nystroem).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.neighbours import as_features
from labelnoise.core.random import generator
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError, check_same_length

__all__ = ["DENSE_LIMIT", "KERNELS", "LANDMARKS", "KernelExpert", "laplacian", "linear", "median_distance"]

Array = NDArray[np.float64]

#: Up to this many units the kernel matrix is kept whole (its square in float64: 128 mebibytes).
DENSE_LIMIT = 4_000
#: Landmarks beyond that.
LANDMARKS = 1_000
#: Sharpness of the Laplacian kernel in median distances.
LAPLACIAN_SHARPNESS = 3.0
#: Units that the median distance is taken over.
_MEDIAN_SAMPLE = 1_000
#: Units whose rows are computed at a time where there are landmarks: a few megabytes for each array on the way.
_ROWS = 2_048

KERNELS = Registry("kernel")
KERNELS.add(
    Entry(
        "linear",
        "labelnoise.core.kernels:linear",
        "Inner products.",
        "Saunders, Gammerman, Vovk (1998), Ridge regression learning algorithm in dual variables",
        formula="a'b",
        helps="Embeddings of a trained network, whose classes are linearly separable already.",
        hurts="Raw features whose classes are not: a class that lies between two others is lost.",
    ),
    Entry(
        "laplacian",
        "labelnoise.core.kernels:laplacian",
        "Falls exponentially with the Euclidean distance, in units of the median distance.",
        "Rasmussen, Williams (2006), Gaussian Processes for Machine Learning, section 4.2.1",
        formula="exp(-3 |a - b| / median |a - b|)",
        helps="Classes of any shape; follows close neighbours.",
        hurts="Few units in many dimensions, where all distances are alike.",
    ),
)


def linear(a: Array, b: Array, scale: float = 1.0) -> Array:
    """Inner products of the rows of ``a`` and ``b``; the scale is ignored.

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]))
    array([[5.]])
    """
    return a @ b.T


def laplacian(a: Array, b: Array, scale: float = 1.0) -> Array:
    """``exp(-3 |a - b| / scale)`` of the rows of ``a`` and ``b``.

    Examples
    --------
    >>> import numpy as np
    >>> laplacian(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), 5.0).round(4)
    array([[0.0498]])
    """
    return np.exp(-LAPLACIAN_SHARPNESS / max(scale, 1e-300) * _distances(a, b))


def _distances(a: Array, b: Array) -> Array:
    # in single precision equal rows would be 1e-3 apart
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
    # what rounding leaves between equal rows counts as no distance
    squares[squares < 1e-12 * max(float(squares.max(initial=0.0)), 1e-300)] = 0.0
    return np.sqrt(squares)


def median_distance(features: Array, *, seed: int = 0) -> float:
    """Median Euclidean distance between distinct rows, over at most a thousand of them.

    Examples
    --------
    >>> import numpy as np
    >>> median_distance(np.array([[0.0], [1.0], [3.0]]))
    2.0
    """
    n = len(features)
    if n < 2:
        return 1.0
    rows = np.arange(n)
    if n > _MEDIAN_SAMPLE:
        rows = generator(seed, "median distance").permutation(n)[:_MEDIAN_SAMPLE]
    near = _distances(features[rows], features[rows])
    value = float(np.median(near[~np.eye(len(rows), dtype=bool)]))
    return value if value > 0 else 1.0


class KernelExpert:
    """Least-squares classification in a kernel's space, with exact leave-group-out predictions.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
        Label-free features of the units, finite.
    kernel : {"linear", "laplacian"}
        A name from `KERNELS`.
    lam : float
        Regularisation, > 0; the centred kernel matrix is scaled to a mean diagonal of 1.
    groups : array_like, shape (n,), optional
        The source of each unit. A unit is predicted from units of other groups; by default every unit is its
        own group (leave-one-out).
    dense_limit : int
        With more units the kernel is approximated from ``landmarks`` of them (Nystroem).
    landmarks : int
        At least 2.
    seed : int
        Of the landmarks and of the sample for the median distance (only drawn where there are more units).

    Raises
    ------
    InputError
        Features that are no finite matrix, fewer than 2 units or groups, options out of range.

    Notes
    -----
    With G the doubly centred kernel matrix, ``H = (G + lam I)^-1``, targets Y and the mean m_g of the targets
    outside of group g, the prediction for the units of g is ``Y_g - H_gg^-1 (H (Y - m_g))_g``: the value a fit
    without g would give (An, Liu, Venkatesh 2007). It does not depend on the targets of g at all, the
    mean included. Centring uses the features of all units, not their targets.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> KernelExpert(X, lam=0.1).leave_group_out(np.eye(2)[[0, 0, 1, 1]]).argmax(axis=1)
    array([0, 0, 1, 1])
    """

    def __init__(
        self,
        features: ArrayLike,
        *,
        kernel: str = "linear",
        lam: float = 0.3,
        groups: ArrayLike | None = None,
        dense_limit: int = DENSE_LIMIT,
        landmarks: int = LANDMARKS,
        seed: int = 0,
    ) -> None:
        self._kernel: Callable[..., Array] = KERNELS[kernel].load()
        X = np.asarray(features, dtype=np.float64)
        X = as_features(X).astype(np.float64, copy=False)
        if not (np.isfinite(lam) and lam > 0):
            raise InputError(f"lam is {lam}; the regularisation must be above 0.")
        if landmarks < 2:
            raise InputError(f"landmarks is {landmarks}; at least 2 are needed.")
        source = np.arange(len(X)) if groups is None else np.asarray(groups)
        check_same_length(features=X, groups=source)
        self._members = _members(source)
        if sum(len(block) for block in self._members) < 2:
            raise InputError(
                "All units are of one group, or there is only one; there is nothing to predict them from."
            )
        self._X, self._lam = X, float(lam)
        self._scale = median_distance(X, seed=seed) if kernel == "laplacian" else 1.0
        self.exact = len(X) <= dense_limit
        if self.exact:
            self._fit_dense()
        else:
            rows = generator(seed, "landmarks").permutation(len(X))[:landmarks]
            self._fit_landmarks(X[np.sort(rows)])
        ones = self._apply(np.ones((len(X), 1)))
        self._inverse_blocks = [_inverse(self._block(rows)) for rows in self._members]
        #: what a unit of target in the mean adds to a group's residual: H_gg^-1 (H 1)_g
        self._of_mean = self._leave(ones)

    def _fit_dense(self) -> None:
        G = self._kernel(self._X, self._X, self._scale)
        column = G.mean(axis=0)
        self._column, self._total = column, float(column.mean())
        G = G - column[:, None] - column + self._total
        self._size = max(float(np.trace(G)) / len(G), 1e-300)
        G /= self._size
        G[np.diag_indices_from(G)] += self._lam
        self._H = np.linalg.inv(G)

    def _fit_landmarks(self, landmarks: Array) -> None:
        self._landmarks = landmarks
        values, vectors = np.linalg.eigh(self._kernel(landmarks, landmarks, self._scale))
        keep = values > max(float(values.max()), 1e-300) * 1e-10
        self._whiten = vectors[:, keep] / np.sqrt(values[keep])
        # One array of n rows, filled and changed block by block: what stands per unit is a row of it.
        n, width = len(self._X), self._whiten.shape[1]
        F = np.empty((n, width))
        for part in _slices(n):
            F[part] = self._kernel(self._X[part], landmarks, self._scale) @ self._whiten
        self._centre = F.mean(axis=0)
        F -= self._centre
        total = sum(float(np.square(F[part]).sum()) for part in _slices(n))
        self._size = max(total / n, 1e-300)
        F /= np.sqrt(self._size)
        values, vectors = np.linalg.eigh(F.T @ F)
        keep = values > max(float(values.max()), 1e-300) * 1e-12
        self._values, self._turn = values[keep], vectors[:, keep]
        kept = len(self._values)
        U = F[:, :kept] if 2 * kept > width else np.empty((n, kept))
        for part in _slices(n):
            U[part] = F[part] @ self._turn
        self._U = U

    def _apply(self, targets: Array) -> Array:
        """H times targets."""
        if self.exact:
            result: Array = self._H @ targets
            return result
        inner = (self._U.T @ targets) / (self._values + self._lam)[:, None]
        return (targets - self._U @ inner) / self._lam

    def _block(self, rows: NDArray[np.int64]) -> Array:
        """Diagonal blocks of H for groups of one size, (groups, size, size)."""
        if self.exact:
            block: Array = self._H[rows[:, :, None], rows[:, None, :]]
            return block
        size = rows.shape[1]
        made = np.empty((len(rows), size, size))
        for some in _slices(len(rows), size):
            part = self._U[rows[some]]
            shrunk = part / (self._values + self._lam)
            made[some] = (np.eye(size) - shrunk @ part.transpose(0, 2, 1)) / self._lam
        return made

    def _leave(self, residual: Array) -> Array:
        """H_gg^-1 residual_g for every group g."""
        result = np.empty_like(residual)
        for rows, inverse in zip(self._members, self._inverse_blocks, strict=True):
            result[rows] = inverse @ residual[rows]
        return result

    def leave_group_out(self, targets: Array) -> Array:
        """Prediction for every unit from the targets of all other groups, shape (n, K).

        Parameters
        ----------
        targets : ndarray, shape (n, K)
            One-hot or soft.
        """
        Y = self._targets(targets)
        n = len(Y)
        mean = Y.mean(axis=0)
        result: Array = Y - self._leave(self._apply(Y - mean))
        for rows in self._members:
            size = rows.shape[1]
            outside = (n * mean - Y[rows].sum(axis=1)) / (n - size)
            result[rows] += self._of_mean[rows] * (outside - mean)[:, None, :]
        return result

    def predict(self, features: ArrayLike, targets: Array) -> Array:
        """Prediction for other units from the targets of all units, shape (m, K).

        Parameters
        ----------
        features : array_like of float, shape (m, d)
        targets : ndarray, shape (n, K)
        """
        Y = self._targets(targets)
        Z = np.asarray(features, dtype=np.float64)
        Z = as_features(Z).astype(np.float64, copy=False)
        if Z.shape[1] != self._X.shape[1]:
            raise InputError(
                f"features has {Z.shape[1]} columns; the expert was made with {self._X.shape[1]}."
            )
        mean = Y.mean(axis=0)
        if self.exact:
            cross = self._kernel(Z, self._X, self._scale)
            cross = (cross - cross.mean(axis=1, keepdims=True) - self._column + self._total) / self._size
            return cross @ (self._H @ (Y - mean)) + mean
        inner = (self._U.T @ (Y - mean)) / (self._values + self._lam)[:, None]
        result = np.empty((len(Z), Y.shape[1]))
        for part in _slices(len(Z)):
            F = self._kernel(Z[part], self._landmarks, self._scale) @ self._whiten
            result[part] = ((F - self._centre) / np.sqrt(self._size) @ self._turn) @ inner + mean
        return result

    def _targets(self, targets: Array) -> Array:
        Y = np.asarray(targets, dtype=np.float64)
        if Y.ndim != 2 or len(Y) != len(self._X):
            raise InputError(
                f"targets has shape {Y.shape} for {len(self._X)} units; one row per unit is needed."
            )
        if not np.isfinite(Y).all():
            raise InputError("targets holds NaN or infinity; they are shares of classes.")
        return Y


def _slices(n: int, size: int = 1) -> Iterator[slice]:
    """Slices of ``n`` groups of ``size`` units."""
    step = max(1, _ROWS // size)
    return (slice(start, start + step) for start in range(0, n, step))


def _members(source: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Positions of the units of every group, groups of one size in one (groups, size) array."""
    _, member = np.unique(source, return_inverse=True)
    member = member.ravel()
    order = np.argsort(member, kind="stable")
    sizes = np.bincount(member)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    found = []
    for size in np.unique(sizes):
        found.append(order[starts[sizes == size][:, None] + np.arange(size)])
    return found


def _inverse(blocks: Array) -> Array:
    return np.asarray(1.0 / blocks if blocks.shape[-1] == 1 else np.linalg.inv(blocks), dtype=np.float64)
