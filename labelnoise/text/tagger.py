"""A tagger that is linear in features of words, or in those of a frozen encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.softmax_regression import fit_softmax
from labelnoise.core.sparse_softmax import fit_sparse_softmax
from labelnoise.text.dataset import TextDataset
from labelnoise.text.features import token_features

__all__ = ["Tagger"]

#: Words seen less often than this teach nothing about others.
RARE = 2


class Tagger:
    """Fits class probabilities of all tokens to any targets; what does not depend on targets is computed once.

    Parameters
    ----------
    dataset : TextDataset
    encoded : ndarray of float, shape (n, d), optional
        Features of an encoder, which are then used instead of the words.
    epochs : int
        Passes over the words' features.
    l2 : float
        Penalty of the regression on an encoder's features.
    """

    def __init__(
        self, dataset: TextDataset, encoded: NDArray[Any] | None = None, *, epochs: int = 5, l2: float = 1.0
    ) -> None:
        self._epochs, self._l2 = epochs, l2
        self._dense = None if encoded is None else np.asarray(encoded, dtype=np.float32)
        if encoded is None:
            words = token_features(dataset.tokens, dataset.starts)
            often = np.flatnonzero(np.bincount(words.indices, minlength=words.shape[1]) >= RARE)
            self._words = sp.csr_array(words[:, often])

    def fit(
        self, targets: NDArray[Any], seed: int = 0, *, held: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Probabilities of every token, shape (n, K).

        Parameters
        ----------
        targets : ndarray of float, shape (n, K)
            Rows of probabilities; a row's sum is its weight, 0 leaves the token out.
        seed : int
            Of the order of tokens in training.
        held : ndarray of bool, shape (n,), optional
            Only these tokens are predicted, by a model that does not learn from them; the others get zeros.
        """
        n, k = targets.shape
        used = targets.sum(axis=1) > 0
        rows = np.flatnonzero(used if held is None else used & ~held)
        wanted = np.arange(n) if held is None else np.flatnonzero(held)
        probs = np.zeros((n, k))
        if self._dense is None:
            model = fit_sparse_softmax(
                self._words, targets, seed=seed, epochs=self._epochs, rate=0.3, rows=rows
            )
            probs[wanted] = model.predict(self._words[wanted])
        else:
            model = fit_softmax(self._dense[rows], targets[rows], l2=self._l2, iterations=60)
            probs[wanted] = model.predict(self._dense[wanted])
        return probs
