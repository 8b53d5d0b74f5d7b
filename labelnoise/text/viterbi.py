"""The most probable tags of whole sentences among those that BIO allows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["best_tags"]

#: Probability that stands for 0 where its logarithm is taken.
_FLOOR = 1e-12


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

    Raises
    ------
    InputError
        Numbers that are no probabilities, an even number of tags, starts that do not span the rows.

    Examples
    --------
    >>> probs = np.array([[0.2, 0.7, 0.1], [0.3, 0.0, 0.7], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]])
    >>> best_tags(probs, np.array([0, 4])), best_tags(probs[1:2], np.array([0, 1]))
    (array([1, 2, 1, 2]), array([0]))
    """
    p = np.asarray(probs, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] % 2 == 0:
        raise InputError(f"probs has shape {p.shape}; BIO has 'O' and two tags for each type, an odd number.")
    if not (np.isfinite(p).all() and (p >= 0).all()):
        raise InputError("probs holds negative numbers, NaN or infinity; give probabilities.")
    n, k = p.shape
    edges = np.asarray(starts, dtype=np.int64)
    sizes = np.diff(edges)
    if edges.ndim != 1 or not len(edges) or edges[0] != 0 or edges[-1] != n or (sizes < 1).any():
        raise InputError(f"starts must rise from 0 to {n}, the number of rows.")
    scores = np.log(np.maximum(p, _FLOOR))
    # Longest sentences first, so that those still running are always a leading part.
    order = np.argsort(-sizes, kind="stable")
    first, sizes = edges[:-1][order], sizes[order]
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
