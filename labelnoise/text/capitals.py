"""Words written with a capital inside sentences: what is known of names from outside of the tags.

Where names without a tag are missing for a reason that shows in the words (a gazetteer knows base forms only), they
look to every model like words that are no names. How many are missing is then not identified from the tags: clean
English web text (UNER-EWT, 51% of such words tagged) and Estonian gazetteers (NoisyNER-5, 55% tagged, 92% names)
agree in all that can be measured. Spelling gives a bound, and the share of names among such words the answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.detection import CountEstimate
from labelnoise.core.validation import InputError

__all__ = ["capitalised", "raise_to_share", "told_count", "widened"]

#: A word belongs to the group if more than this share of its mentions inside sentences has a capital.
MOSTLY = 0.5
#: Probabilities are kept this far from 0 and 1 before they are shifted.
EDGE = 1e-4
#: Errors that show in no word and no spelling: on NoisyNER-2, 3, 5 and 6, 3 to 26% more than were counted.
UNSEEN = 1.3


def capitalised(tokens: NDArray[Any], starts: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which tokens are capitalised words that are mostly so inside sentences too, shape (n,).

    Words that only ever begin sentences are not among them, and neither are small-letter mentions.

    Parameters
    ----------
    tokens : ndarray of str, shape (n,)
    starts : ndarray of int, shape (sentences + 1,)

    Examples
    --------
    >>> words = np.array(["Rome", "fell", "The", "fall", "of", "Rome", "the"], dtype=object)
    >>> capitalised(words, np.array([0, 2, 7])).tolist()
    [True, False, False, False, False, True, False]
    """
    words = [str(token) for token in tokens]
    capital = np.array([word[:1].isupper() for word in words], dtype=bool)
    _, form = np.unique(np.array([word.lower() for word in words], dtype=object), return_inverse=True)
    first = np.zeros(len(words), dtype=bool)
    first[np.asarray(starts, dtype=np.int64)[:-1]] = True
    inside = np.bincount(form, weights=capital & ~first)
    small = np.bincount(form, weights=~capital)
    return capital & (inside > MOSTLY * np.maximum(inside + small, 1))[form]


def raise_to_share(
    truth: NDArray[np.float64], given: NDArray[np.int64], group: NDArray[np.bool_], share: float
) -> NDArray[np.float64]:
    """P(type) of a group of tokens, raised until a known share of them are names.

    Parameters
    ----------
    truth : ndarray, shape (n, K)
        P(type), "O" first.
    given : ndarray of int, shape (n,)
        0 for "O", above 0 types, -1 none.
    group : ndarray of bool, shape (n,)
    share : float
        Of names in the group, 0 to 1.

    Returns
    -------
    ndarray, shape (n, K)
        Only tokens of the group that are given as "O" change: all by the same log-odds of "no name"; their types
        keep their proportions. Nothing changes where the share is reached already.

    Raises
    ------
    InputError
        A share outside 0 to 1.

    Examples
    --------
    >>> truth = np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0], [0.9, 0.1]])
    >>> raised = raise_to_share(truth, np.array([0, 0, 1, 0]), np.array([True, True, True, False]), 0.8)
    >>> raised.round(2).tolist(), round(float(raised[:3, 1].sum()), 2)
    ([[0.5, 0.5], [0.1, 0.9], [0.0, 1.0], [0.9, 0.1]], 2.4)
    """
    if not 0.0 <= share <= 1.0:
        raise InputError(f"The share of names is {share}; give a number from 0 to 1.")
    rows = np.flatnonzero(group & (given == 0))
    tagged = group & (given > 0)
    wanted = share * (len(rows) + tagged.sum()) - float((1.0 - truth[tagged, 0]).sum())
    name = np.clip(1.0 - truth[rows, 0], EDGE, 1.0 - EDGE)
    if not len(rows) or name.sum() >= wanted:
        return truth
    odds = np.log(name / (1.0 - name))
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (1.0 / (1.0 + np.exp(-odds - middle))).sum() < wanted:
            low = middle
        else:
            high = middle
    raised = truth.copy()
    new = 1.0 / (1.0 + np.exp(-odds - high))
    types = np.maximum(truth[rows, 1:], 1e-12)
    raised[rows, 1:] = types / types.sum(axis=1, keepdims=True) * new[:, None]
    raised[rows, 0] = 1.0 - new
    return raised


def told_count(total: float) -> CountEstimate:
    """The number of wrong tags once the share of names among capitalised words is told, with an interval.

    Examples
    --------
    >>> found = told_count(130.0)
    >>> round(found.low), round(found.high)
    (100, 169)
    """
    return CountEstimate(
        total, total / UNSEEN, total * UNSEEN, 0.95, "names among capitalised words told, within a factor"
    )


def widened(count: CountEstimate, most: float) -> CountEstimate:
    """The interval opened to the number of wrong tags if the words are right and every capitalised one is a name.

    Examples
    --------
    >>> widened(CountEstimate(10.0, 8.0, 12.0, 0.95, "simulated"), 100.0).high
    130.0
    """
    method = f"{count.method}; upper end: every capitalised word a name"
    return replace(count, high=max(count.high, most * UNSEEN), method=method)
