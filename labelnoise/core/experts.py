"""Ridge experts whose leave-one-out, leave-group-out and held-out predictions are exact and cheap.

One eigendecomposition of the features serves every regularisation and every set of labels, so that a model can
be refitted on denoised or resampled labels at the price of two matrix products.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["BlockedRidge", "RidgeExpert", "choose_lambda", "choose_ridge"]

Matrix = NDArray[np.float64]

#: Restricted fits kept in memory (r x r numbers each), so that other labels on the same folds are cheap.
CACHED_FITS = 40
#: Regularisations and softmax temperatures tried by `choose_ridge`.
LAMBDAS = (1.0, 3.0, 10.0, 30.0)
#: Units per block of a `BlockedRidge`.
BLOCK = 16_384
SHARPNESS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0)


class RidgeExpert:
    """Least-squares classification on fixed features, with exact held-out predictions.

    Parameters
    ----------
    features : ndarray of float, shape (n, r)
        Label-free features of the units; r is at most a few hundred.

    Notes
    -----
    Predictions are ``f = F (F'F + lam I)^-1 F' (Y - m) + m`` with m the mean target. With
    ``h_i = F_i (F'F + lam I)^-1 F_i'`` the prediction without unit i's own target is
    ``(f_i - h_i Y_i) / (1 - h_i)`` (centred; Allen 1974, PRESS), and without a group g of units
    ``Y_g - (I - H_gg)^-1 (Y_g - f_g)``. The mean m is kept when targets are removed.

    Examples
    --------
    >>> import numpy as np
    >>> F = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> Y = np.eye(2)[[0, 0, 1, 1]]
    >>> RidgeExpert(F).leave_one_out(Y, lam=0.1).argmax(axis=1)
    array([0, 0, 1, 1])
    """

    def __init__(self, features: NDArray[np.floating[Any]]) -> None:
        F = np.asarray(features, dtype=np.float64)
        if F.ndim != 2:
            raise InputError(f"features has shape {F.shape}; a matrix (units, features) is needed.")
        values, vectors = np.linalg.eigh(F.T @ F)
        keep = values > max(values.max(initial=0.0), 1e-300) * 1e-10
        self._values = values[keep]
        self._rotated = F @ vectors[:, keep]
        self._squares = self._rotated**2
        self._cache: dict[tuple[float, bytes], tuple[Matrix, NDArray[np.float64]]] = {}

    def leverage(self, lam: float) -> NDArray[np.float64]:
        """Diagonal of the hat matrix, shape (n,)."""
        result: NDArray[np.float64] = self._squares @ (1.0 / (self._values + lam))
        return result

    def leave_one_out(
        self, targets: Matrix, *, lam: float, used: NDArray[np.bool_] | None = None, own: bool = False
    ) -> Matrix:
        """Prediction for every unit from the targets of all other units, shape (n, K).

        Parameters
        ----------
        targets : ndarray, shape (n, K)
            One-hot or soft targets.
        lam : float
            Regularisation, > 0.
        used : ndarray of bool, shape (n,), optional
            Units whose targets may be used; the others (unlabelled ones, a held-out fold) are predicted from
            them. All by default.
        own : bool
            Let a unit's own target count too (an ordinary fit instead of leave-one-out).
        """
        U = self._rotated
        if used is None or used.all():
            mean = targets.mean(axis=0)
            centred = targets - mean
            fitted = U @ ((U.T @ centred) / (self._values + lam)[:, None])
            if own:
                return fitted + mean
            h = self.leverage(lam)[:, None]
            return (fitted - h * centred) / (1.0 - h) + mean
        rows = np.flatnonzero(used)
        if not rows.size:
            raise InputError("No unit has a target that may be used; label at least a few units.")
        mean = targets[rows].mean(axis=0)
        inverse, h = self._restricted(used, rows, lam)
        # zero rows instead of a copy of the used ones: U is by far the largest array here
        centred = np.where(used[:, None], targets - mean, 0.0)
        fitted = U @ (inverse @ (U.T @ centred))
        if not own:
            share = np.where(used, h, 0.0)[:, None]
            fitted = (fitted - share * centred) / (1.0 - share)
        return fitted + mean

    def leave_group_out(self, targets: Matrix, groups: NDArray[np.integer[Any]], *, lam: float) -> Matrix:
        """Prediction for every unit from the units of all other groups, shape (n, K).

        Groups are the sets of units that share a source (a recording, a sentence, a surface form).
        """
        U = self._rotated
        mean = targets.mean(axis=0)
        centred = targets - mean
        scaled = U / (self._values + lam)
        residual = centred - scaled @ (U.T @ centred)
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0, True])
        result = np.empty_like(centred)
        for begin, end in pairwise(starts):
            member = order[begin:end]
            if len(member) == 1:
                h = float(scaled[member[0]] @ U[member[0]])
                result[member] = centred[member] - residual[member] / (1.0 - h)
            else:
                block = np.eye(len(member)) - scaled[member] @ U[member].T
                result[member] = centred[member] - np.linalg.solve(block, residual[member])
        return result + mean

    def _restricted(
        self, used: NDArray[np.bool_], rows: NDArray[np.integer[Any]], lam: float
    ) -> tuple[Matrix, NDArray[np.float64]]:
        """Inverse of the regularised Gram of the used rows, and leverages under it; kept for the next labels."""
        key = (lam, hashlib.blake2b(np.packbits(used).tobytes(), digest_size=16).digest())
        if key not in self._cache:
            if len(self._cache) >= CACHED_FITS:
                self._cache.pop(next(iter(self._cache)))
            # the rotated features have a diagonal Gram matrix, so only the smaller side is multiplied out
            few = 2 * len(rows) <= len(used)
            side = self._rotated[rows] if few else self._rotated[~used]
            gram = side.T @ side if few else np.diag(self._values) - side.T @ side
            gram[np.diag_indices_from(gram)] += lam
            inverse = np.linalg.inv(gram)
            self._cache[key] = (inverse, np.einsum("ij,ij->i", self._rotated @ inverse, self._rotated))
        return self._cache[key]


class BlockedRidge:
    """`RidgeExpert` in single precision for many units: one copy of the features, predictions for asked units only.

    Parameters
    ----------
    features : ndarray of float32, shape (n, r)
        Overwritten by its rotation to principal axes.

    Notes
    -----
    The same formulas; Gram matrices are summed in double precision over blocks of `BLOCK` units. Beside the
    features, memory is O(r^2) per restricted fit, and predictions are formed for the units asked about.

    Examples
    --------
    >>> F = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], dtype=np.float32)
    >>> Y = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    >>> BlockedRidge(F).leave_one_out(Y, lam=0.1)(np.array([0, 3])).argmax(axis=1)
    array([0, 1])
    """

    def __init__(self, features: NDArray[np.float32]) -> None:
        if features.ndim != 2 or features.dtype != np.float32:
            raise InputError(
                f"features has shape {features.shape} and type {features.dtype}; "
                "a float32 matrix (units, features) is needed."
            )
        r = features.shape[1]
        gram = np.zeros((r, r))
        for part in _blocks(len(features)):
            gram += features[part].T @ features[part]
        values, vectors = np.linalg.eigh(gram)
        # single precision knows eigenvalues to about 1e-6 of the largest
        keep = values > max(values.max(initial=0.0), 1e-300) * 1e-6
        turn = (vectors * keep).astype(np.float32)
        for part in _blocks(len(features)):
            features[part] = features[part] @ turn
        self._values = np.where(keep, values, 0.0)
        self._rotated = features
        self._cache: dict[tuple[float, bytes], Matrix] = {}

    def leave_one_out(
        self,
        targets: NDArray[np.float32],
        *,
        lam: float,
        used: NDArray[np.bool_] | None = None,
        own: bool = False,
    ) -> Callable[[NDArray[np.integer[Any]]], NDArray[np.float32]]:
        """As `RidgeExpert.leave_one_out`, with predictions as a function of the rows asked about.

        ``targets`` must stay as it is while the function is in use.
        """
        U = self._rotated
        used = np.ones(len(U), dtype=bool) if used is None else used
        count = np.count_nonzero(used)
        if not count:
            raise InputError("No unit has a target that may be used; label at least a few units.")
        total = np.zeros(targets.shape[1])
        side = np.zeros(U.shape[1])
        cross = np.zeros((U.shape[1], targets.shape[1]))
        for part in _blocks(len(U)):
            rows = used[part]
            kept = targets[part] * rows[:, None]
            total += kept.sum(axis=0, dtype=np.float64)
            side += rows.astype(np.float32) @ U[part]
            cross += U[part].T @ kept
        mean = total / count
        inverse = self._inverse(used, lam)
        coefficients = (inverse @ (cross - np.outer(side, mean))).astype(np.float32)
        metric, level = inverse.astype(np.float32), mean.astype(np.float32)

        def predict(rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
            features = U[rows]
            fitted: NDArray[np.float32] = features @ coefficients
            if not own:
                counted = used[rows][:, None]
                share = np.einsum("ij,ij->i", features @ metric, features)[:, None] * counted
                fitted = (fitted - share * ((targets[rows] - level) * counted)) / (1 - share)
            return fitted + level

        return predict

    def _inverse(self, used: NDArray[np.bool_], lam: float) -> Matrix:
        """Inverse of the regularised Gram of the used rows, kept for the next labels."""
        key = (lam, hashlib.blake2b(np.packbits(used).tobytes(), digest_size=16).digest())
        if key not in self._cache:
            if len(self._cache) >= CACHED_FITS:
                self._cache.pop(next(iter(self._cache)))
            few = 2 * np.count_nonzero(used) <= len(used)
            gram: Matrix = np.zeros((len(self._values), len(self._values)))
            for part in _blocks(len(used)):
                rows = self._rotated[part][used[part] if few else ~used[part]]
                gram += rows.T @ rows
            if not few:
                gram = np.diag(self._values) - gram
            gram[np.diag_indices_from(gram)] += lam
            self._cache[key] = np.asarray(np.linalg.inv(gram), dtype=np.float64)
        return self._cache[key]


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def choose_ridge(
    expert: RidgeExpert,
    targets: Matrix,
    given: NDArray[np.integer[Any]],
    *,
    lambdas: Sequence[float] = LAMBDAS,
    used: NDArray[np.bool_] | None = None,
) -> float:
    """Pick the regularisation whose leave-one-out predictions explain the given labels best.

    Predictions are scaled by their standard deviation, sharpened by the best of a few temperatures, mixed with
    10% uniform so that wrong labels cannot dominate, and scored by log-likelihood.

    Parameters
    ----------
    expert : RidgeExpert
    targets : ndarray, shape (n, K)
        One-hot given labels.
    given : ndarray of int, shape (n,)
        The same labels as ids; units with -1 are not scored.
    lambdas : sequence of float
        Candidates.
    used : ndarray of bool, shape (n,), optional
        As in `RidgeExpert.leave_one_out`.

    Returns
    -------
    float
    """
    rows = np.flatnonzero(given >= 0)
    return choose_lambda(
        lambda lam: expert.leave_one_out(targets, lam=lam, used=used)[rows], given[rows], lambdas=lambdas
    )


def choose_lambda(
    predicted_at: Callable[[float], NDArray[Any]],
    given: NDArray[np.integer[Any]],
    *,
    lambdas: Sequence[float] = LAMBDAS,
) -> float:
    """`choose_ridge` from leave-one-out predictions, shape (n, K), as a function of the regularisation.

    Parameters
    ----------
    predicted_at : callable
    given : ndarray of int, shape (n,)
        All >= 0.
    lambdas : sequence of float

    Returns
    -------
    float
    """
    best = (np.inf, float(lambdas[0]))
    for lam in lambdas:
        predicted = predicted_at(lam)
        predicted = predicted / max(float(predicted.std()), 1e-12)
        shifted = predicted - predicted.max(axis=1, keepdims=True)
        for sharp in SHARPNESS:
            e = np.exp(sharp * shifted)
            share = e[np.arange(len(given)), given] / e.sum(axis=1)
            loss = -float(np.log(0.9 * share + 0.1 / predicted.shape[1]).mean())
            if loss < best[0]:
                best = (loss, float(lam))
    return best[1]
