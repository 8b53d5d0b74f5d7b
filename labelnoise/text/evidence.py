"""Experts that judge a token without having seen its name's label: linear models on words and on an encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.softmax_regression import fit_softmax
from labelnoise.core.sparse_softmax import fit_sparse_softmax
from labelnoise.text.dataset import TextDataset
from labelnoise.text.features import token_features

__all__ = ["TokenExperts", "type_ids"]

#: Penalties of the ridge and of the softmax regression on an encoder's columns, which have a mean square of 1.
RIDGE, PENALTY = 10.0, 1.0
#: Words seen less often than this teach nothing about others.
RARE = 2


def type_ids(tags: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """0 for "O", 1 + t for a token of an entity of type t, whether it begins or goes on; -1 stays.

    Examples
    --------
    >>> type_ids(np.array([0, 1, 2, 3, -1]))
    array([ 0,  1,  1,  2, -1])
    """
    ids = np.asarray(tags, dtype=np.int64)
    return np.where(ids < 0, -1, (ids + 1) // 2)


class TokenExperts:
    """Held-out class scores of tokens for any labels: what does not depend on labels is computed once.

    Parameters
    ----------
    dataset : TextDataset
    folds : ndarray of int, shape (n,)
        See `labelnoise.text.folds.form_folds`.
    encoded : ndarray of float, shape (n, d), optional
        Features of an encoder (`labelnoise.text.encoder.encode_tokens`).
    epochs : int
        Passes of the model on words.
    seed : int
    """

    def __init__(
        self,
        dataset: TextDataset,
        folds: NDArray[np.int64],
        *,
        encoded: NDArray[Any] | None = None,
        epochs: int = 3,
        seed: int = 0,
    ) -> None:
        words = token_features(dataset.tokens, dataset.starts)
        often = np.flatnonzero(np.bincount(words.indices, minlength=words.shape[1]) >= RARE)
        self._words = sp.csr_array(words[:, often])
        self._folds, self._epochs, self._seed = folds, epochs, seed
        self._dense: NDArray[np.float32] | None = None
        if encoded is not None:
            ones = np.ones((len(encoded), 1), dtype=np.float32)
            self._dense = np.hstack([np.asarray(encoded, dtype=np.float32), ones])

    def scores(self, targets: NDArray[Any]) -> NDArray[np.float64]:
        """Scores of every class, each token's by models that were not fitted on its fold.

        Parameters
        ----------
        targets : ndarray of float, shape (n, K)
            One-hot or soft; rows of zeros are tokens without a label.

        Returns
        -------
        ndarray, shape (M, n, K)
            Log-odds against the class's share, per expert; the ridge's are least-squares scores.
        """
        n, k = targets.shape
        used = targets.sum(axis=1) > 0
        share = targets[used].mean(axis=0) + 1e-4
        parts = np.zeros((1 if self._dense is None else 3, n, k))
        for fold in track(range(int(self._folds.max()) + 1), "judging tokens by other names"):
            held = self._folds == fold
            rows = np.flatnonzero(~held & used)
            seen = fit_sparse_softmax(
                self._words, targets, seed=self._seed + fold, epochs=self._epochs, rate=0.3, rows=rows
            ).predict(self._words[np.flatnonzero(held)])
            parts[0, held] = np.log(seen + 1e-4) - np.log(share)
            if self._dense is None:
                continue
            X, Y = self._dense[rows], np.asarray(targets[rows], dtype=np.float32)
            gram = (X.T @ X).astype(np.float64) + RIDGE * np.eye(X.shape[1])
            parts[1, held] = self._dense[held] @ np.linalg.solve(gram, (X.T @ Y).astype(np.float64))
            soft = fit_softmax(X, Y, l2=PENALTY, iterations=40).predict(self._dense[held])
            parts[2, held] = np.log(soft + 1e-5) - np.log(share)
        return parts
