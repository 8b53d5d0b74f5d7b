"""The most probable tags of whole sentences among those that BIO allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_probs

__all__ = ["valid_tags"]

#: Log-probability of a tag whose probability is 0.
_FLOOR = 1e-12


def valid_tags(probs: ArrayLike, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tags with the largest product of probabilities in which no ``I-X`` follows anything but ``B-X`` or ``I-X``.

    Parameters
    ----------
    probs : array_like, shape (n, 1 + 2 types)
        Of every tag, in the order of `labelnoise.text.schemes.bio_names`.
    starts : ndarray of int, shape (sentences + 1,)
        The first row of each sentence, and n.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    InputError
        Probabilities that are none, an even number of tags, starts that do not span the rows.

    Notes
    -----
    Viterbi's recursion with forbidden transitions and no other score; all sentences advance together.

    Examples
    --------
    >>> p = np.array([[0.5, 0.1, 0.4], [0.2, 0.1, 0.7], [0.5, 0.1, 0.4]])
    >>> valid_tags(p, np.array([0, 2, 3]))
    array([0, 0, 0])
    >>> valid_tags(np.array([[0.5, 0.3, 0.2], [0.2, 0.1, 0.7]]), np.array([0, 2]))
    array([1, 2])
    """
    p = as_probs(probs)
    n, k = p.shape
    edges = np.asarray(starts, dtype=np.int64)
    if k % 2 == 0:
        raise InputError(f"There are {k} tags; BIO has 'O' and two for each type, an odd number.")
    if edges.ndim != 1 or not len(edges) or edges[0] != 0 or edges[-1] != n or (np.diff(edges) < 0).any():
        raise InputError(f"starts must rise from 0 to {n}, the number of rows.")
    score = np.log(np.maximum(p, _FLOOR))
    inside = np.arange(2, k, 2)
    allowed = np.ones((k, k), dtype=bool)
    allowed[:, inside] = False
    allowed[inside, inside] = allowed[inside - 1, inside] = True
    step = np.where(allowed, 0.0, -np.inf)
    # Longest sentences first, so that those still running are always a leading part.
    sizes = np.diff(edges)
    order = np.argsort(-sizes, kind="stable")
    first, sizes = edges[:-1][order], sizes[order]
    back = np.zeros((n, k), dtype=np.int64)
    last = np.full((len(order), k), -np.inf)
    for place in range(int(sizes.max(initial=0))):
        running = int((sizes > place).sum())
        rows = first[:running] + place
        if place == 0:
            last[:running] = score[rows]
            last[:running, inside] = -np.inf
            continue
        paths = last[:running, :, None] + step
        back[rows] = paths.argmax(axis=1)
        last[:running] = paths.max(axis=1) + score[rows]
    tags = np.zeros(n, dtype=np.int64)
    tag = last.argmax(axis=1)
    for place in range(int(sizes.max(initial=0)) - 1, -1, -1):
        running = int((sizes > place).sum())
        rows = first[:running] + place
        tags[rows] = tag[:running]
        tag[:running] = back[rows, tag[:running]]
    return tags
