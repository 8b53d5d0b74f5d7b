"""A tagger that is linear in features of words, or in those of a frozen encoder, and the best valid BIO sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.softmax_regression import fit_softmax
from labelnoise.core.sparse_softmax import fit_sparse_softmax
from labelnoise.text.dataset import TextDataset
from labelnoise.text.features import token_features

__all__ = ["Tagger", "best_tags"]

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


def best_tags(probs: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most probable BIO tags of each sentence among those where each ``I-X`` follows ``B-X`` or ``I-X``.

    Tokens are independent but for that rule (Viterbi's algorithm over log-probabilities, all sentences at a time).

    Parameters
    ----------
    probs : ndarray, shape (n, 1 + 2 types)
        Of the tags in the order of `labelnoise.text.schemes.bio_names`.
    starts : ndarray of int, shape (s + 1,)

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> probs = np.array([[0.2, 0.7, 0.1], [0.3, 0.0, 0.7], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]])
    >>> best_tags(probs, np.array([0, 4])), best_tags(probs[1:2], np.array([0, 1]))
    (array([1, 2, 1, 2]), array([0]))
    """
    scores = np.log(np.maximum(np.asarray(probs, dtype=np.float64), 1e-12))
    n, k = scores.shape
    sizes = np.diff(starts)
    order = np.argsort(-sizes, kind="stable")
    first, sizes = np.asarray(starts)[:-1][order], sizes[order]
    inside, begin = np.arange(2, k, 2), np.arange(1, k, 2)
    free = np.concatenate([[0], begin])  # tags that may follow any
    back = np.zeros((n, k), dtype=np.int64)
    total = np.full((len(order), k), -np.inf)
    if len(order):
        total[:, free] = scores[first][:, free]
    longest = int(sizes.max(initial=0))
    for place in range(1, longest):
        alive = int(np.searchsorted(-sizes, -place, side="left"))  # sentences longer than place
        rows, before = first[:alive] + place, total[:alive]
        best = before.argmax(axis=1)
        step = np.empty_like(before)
        step[:, free] = before.max(axis=1)[:, None]
        back[rows[:, None], free] = best[:, None]
        goes_on = before[:, inside] >= before[:, begin]
        step[:, inside] = np.where(goes_on, before[:, inside], before[:, begin])
        back[rows[:, None], inside] = np.where(goes_on, inside, begin)
        total[:alive] = step + scores[rows]
    tags = np.zeros(n, dtype=np.int64)
    last = first + sizes - 1
    tags[last] = total.argmax(axis=1)
    for place in range(longest - 1, 0, -1):
        alive = int(np.searchsorted(-sizes, -place, side="left"))
        rows = first[:alive] + place
        tags[rows - 1] = back[rows, tags[rows]]
    return tags
