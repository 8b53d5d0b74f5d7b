"""Folds in which a name is never judged by a model that has seen the label of the same name elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

__all__ = ["form_folds"]

#: Above this share of small-letter mentions, and below that share of labelled ones, a word is no name.
SMALL, RARELY = 0.5, 0.2


def form_folds(
    tokens: NDArray[Any],
    starts: NDArray[np.int64],
    given: NDArray[np.integer[Any]],
    n_folds: int = 3,
    *,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Deal tokens to folds: all mentions of a possible name to one fold, other words by sentence.

    Real errors repeat with the surface form (a name that a gazetteer lacks is missing everywhere), so a model
    that has seen the form agrees with its errors. Folds that share no form break that.

    Parameters
    ----------
    tokens : ndarray of str, shape (n,)
    starts : ndarray of int, shape (sentences + 1,)
    given : ndarray of int, shape (n,)
        0 is "O", above 0 an entity's tag, -1 no label.
    n_folds : int
        At least 2.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        From 0 to ``n_folds - 1``. A possible name is a word that is labelled somewhere or capitalised inside a
        sentence, unless it is mostly written small and rarely labelled.

    Raises
    ------
    InputError
        Fewer than 2 folds.

    Notes
    -----
    After the entity-disjoint folds of CrossWeigh (Wang et al. 2019, EMNLP), by token instead of by sentence: with
    features that are fixed, no sentence has to be dropped.

    Examples
    --------
    >>> words = np.array(["Rome", "fell", "to", "Rome"], dtype=object)
    >>> folds = form_folds(words, np.array([0, 3, 4]), np.array([1, 0, 0, 0]))
    >>> bool(folds[0] == folds[3]), bool(folds[1] == folds[2])
    (True, True)
    """
    if n_folds < 2:
        raise InputError(f"n_folds is {n_folds}; it must be a whole number of at least 2.")
    words = [str(token) for token in tokens]
    forms, form = np.unique(np.array([word.lower() for word in words], dtype=object), return_inverse=True)
    capital = np.array([word[:1].isupper() for word in words], dtype=bool)
    inside = np.ones(len(words), dtype=bool)
    inside[np.asarray(starts[:-1], dtype=np.int64)] = False
    mentions = np.maximum(np.bincount(form, minlength=len(forms)), 1)
    labelled = np.bincount(form, weights=np.asarray(given) > 0, minlength=len(forms)) / mentions
    small = np.bincount(form, weights=~capital, minlength=len(forms)) / mentions
    name = (labelled > 0) | (np.bincount(form, weights=capital & inside, minlength=len(forms)) > 0)
    name &= ~((small > SMALL) & (labelled < RARELY))
    rng = generator(seed, "folds of forms")
    of_form = rng.permutation(len(forms)) % n_folds
    sentence = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    of_sentence = rng.permutation(len(starts) - 1) % n_folds
    return np.where(name[form], of_form[form], of_sentence[sentence]).astype(np.int64)
