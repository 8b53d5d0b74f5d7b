"""Features of a token that need no trained weights: its form, its shape, its affixes and its neighbours'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["token_features", "word_shape"]

#: Hashed columns of each block (a block is a position relative to the token).
WIDTH = 2**17
_RUNS = re.compile(r"(.)\1+")


def word_shape(word: str) -> str:
    """Capitals as X, small letters as x, digits as 9, everything else as itself; runs collapsed.

    Examples
    --------
    >>> [word_shape(word) for word in ("Tallinna", "EU-27", "iPhone", "3.14")]
    ['Xx', 'X-9', 'xXx', '9.9']
    """
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "9" if c.isdigit() else c for c in word)
    return _RUNS.sub(r"\1", kinds)


def token_features(
    tokens: Sequence[str] | NDArray[Any], starts: NDArray[np.integer[Any]], *, window: int = 2
) -> sp.csr_array:
    """Sparse indicator features of every token, hashed, so that new text has the same columns.

    Parameters
    ----------
    tokens : sequence of str
        Tokens of all sentences, one after the other.
    starts : ndarray of int, shape (sentences + 1,)
        Row of each sentence's first token, and the number of tokens at the end.
    window : int
        How many neighbours on each side are described, >= 0. Their forms, shapes and affixes enter; beyond the
        sentence's ends a boundary mark does.

    Returns
    -------
    csr_array of float32, shape (len(tokens), (2 * window + 2) * WIDTH)
        Rows of unit length. The last block holds pairs of neighbouring forms.

    Examples
    --------
    >>> X = token_features(["Anna", "lives", "in", "Bern"], np.array([0, 4]))
    >>> X.shape[0], bool(abs((X.power(2)).sum(axis=1) - 1).max() < 1e-6)
    (4, True)
    """
    words = np.asarray(tokens, dtype=object)
    n = len(words)
    if window < 0:
        raise InputError(f"window is {window}; it counts neighbours, so 0 or more.")
    edges = np.asarray(starts, dtype=np.int64)
    if edges.ndim != 1 or not len(edges) or edges[0] != 0 or edges[-1] != n or (np.diff(edges) < 0).any():
        raise InputError(f"starts must rise from 0 to {n}, the number of tokens.")
    sentence = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    forms, form = np.unique(words.astype(str), return_inverse=True)
    own = _hashed([_own(word) for word in forms])
    beside = _hashed([["edge"]] + [_beside(word) for word in forms])
    blocks = [own[form]]
    at: dict[int, NDArray[np.int64]] = {0: form + 1}
    for step in range(1, window + 1):
        for shift in (-step, step):
            place = np.arange(n) + shift
            inside = (place >= 0) & (place < n)
            inside[inside] &= sentence[place[inside]] == sentence[inside]
            neighbour = np.zeros(n, dtype=np.int64)
            neighbour[inside] = form[place[inside]] + 1
            at[shift] = neighbour
            blocks.append(beside[neighbour])
    if window:
        blocks.append(_pairs(forms, at))
    features = sp.csr_array(sp.hstack(blocks, format="csr"), dtype=np.float32)
    length = np.sqrt(np.maximum(np.diff(features.indptr), 1)).astype(np.float32)
    features.data = (1 / np.repeat(length, np.diff(features.indptr))).astype(np.float32)
    return features


def _own(word: str) -> list[str]:
    """What is said of the token itself."""
    lower = word.lower()
    shape = word_shape(word)
    found = ["any", f"w={lower}", f"c={word}", f"s={shape}", f"n={min(len(word), 12)}"]
    found += [f"p{size}={lower[:size]}" for size in (1, 2, 3, 4, 5) if size < len(lower)]
    found += [f"e{size}={lower[-size:]}" for size in (1, 2, 3, 4, 5) if size < len(lower)]
    padded = f"<{lower}>"
    found += [f"g={padded[i : i + 4]}" for i in range(len(padded) - 3)]
    return found


def _beside(word: str) -> list[str]:
    """What is said of a neighbour."""
    lower = word.lower()
    return [f"w={lower}", f"s={word_shape(word)}", f"p={lower[:3]}", f"e={lower[-3:]}"]


def _pairs(forms: NDArray[Any], at: dict[int, NDArray[np.int64]]) -> sp.csr_array:
    """The token with its left and right neighbour, and the two neighbours together."""
    lower = np.array(["|", *(str(form).lower() for form in forms)], dtype=object)
    shape = np.array(["|", *(word_shape(str(form)) for form in forms)], dtype=object)
    kinds: list[tuple[str, NDArray[Any], int, NDArray[Any], int]] = [
        ("l", lower, -1, lower, 0),
        ("r", lower, 0, lower, 1),
        ("b", lower, -1, lower, 1),
        ("x", shape, -1, shape, 1),
        ("y", shape, 0, lower, 1),
        ("z", lower, -1, shape, 0),
    ]
    columns = []
    for name, first, left, second, right in kinds:
        both = at[left] * (len(forms) + 1) + at[right]
        which, place = np.unique(both, return_inverse=True)
        a, b = np.divmod(which, len(forms) + 1)
        columns.append(
            _hashed([[f"{name}={first[i]} {second[j]}"] for i, j in zip(a, b, strict=True)])[place]
        )
    return sp.csr_array(sum(columns[1:], start=columns[0]))


def _hashed(rows: list[list[str]]) -> sp.csr_array:
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(WIDTH, input_type="string", alternate_sign=False, dtype=np.float32)
    return sp.csr_array(hasher.transform(rows)) if rows else sp.csr_array((0, WIDTH), dtype=np.float32)
