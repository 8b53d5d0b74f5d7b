"""Columns of evidence for "is this label wrong?" that units of any kind have: tokens, nodes, clips, pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_labels, as_probs, check_same_length

__all__ = ["evidence_columns", "evidence_matrix"]

Array = NDArray[np.float64]

#: The probability below which nothing is told apart any more.
FLOOR = 1e-12


def evidence_columns(
    given: ArrayLike,
    probs: ArrayLike,
    *,
    votes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> dict[str, Array]:
    """Named columns of evidence about each given label, from probabilities that have not seen it.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample probabilities (out-of-fold, leave-one-out).
    votes : array_like of float, shape (n, K), optional
        Shares of the classes among each unit's neighbours, own label left out; adds ``vote_given`` and
        ``vote_mean``.
    groups : array_like, shape (n,), optional
        The source of each unit; adds ``support_outside``.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
        All 0 for units without a label, which change no other unit's numbers either. With g the given class:

        * ``p_given``: log p[g]; ``best_other``: log of the largest other p;
        * ``mean_given``: log of the mean p[g] over all units; ``class_mean``: the same over units given g;
        * ``rank``: log(1 + number of classes with a larger p);
        * ``entropy``: of p, in nats;
        * ``ratio_given``, ``ratio_best_other``: the same as the first two for p over its mean per class,
          rows normalised: how much more than usual the model says this class;
        * ``class_size``: log of the number of units given g;
        * ``vote_given``: log(share of votes for g + .02); ``vote_mean``: log(mean share + .001);
        * ``support_outside``: log(1 + units given g in other groups).

    Raises
    ------
    InputError
        Shapes, ranges or lengths that do not fit; NaN.

    Examples
    --------
    >>> columns = evidence_columns([0, 1, -1], [[0.9, 0.1], [0.8, 0.2], [0.5, 0.5]])
    >>> list(columns)[:4]
    ['p_given', 'mean_given', 'class_mean', 'best_other']
    >>> columns["rank"].round(3).tolist()
    [0.0, 0.693, 0.0]
    """
    p = np.asarray(as_probs(probs), dtype=np.float64)
    k = p.shape[1]
    ids = as_labels(given, n_classes=k)
    check_same_length(given=ids, probs=p)
    if k < 2:
        raise InputError("probs has one column; a wrong label can only be told with at least 2 classes.")
    has = np.flatnonzero(ids >= 0)
    columns = _of_probabilities(ids[has], np.clip(p[has], FLOOR, 1.0))
    if votes is not None:
        share = np.asarray(as_probs(votes, n=len(ids), multilabel=True, name="votes"), dtype=np.float64)
        if share.shape != p.shape:
            raise InputError(f"votes has shape {share.shape} and probs {p.shape}; give one share per class.")
        columns["vote_given"] = np.log(share[has, ids[has]] + 0.02)
        columns["vote_mean"] = np.log(share[has].mean(axis=0) + 0.001)[ids[has]] if has.size else np.zeros(0)
    if groups is not None:
        source = np.asarray(groups)
        check_same_length(given=ids, groups=source)
        columns["support_outside"] = _support_outside(ids[has], source[has])
    full = {}
    for name, values in columns.items():
        full[name] = np.zeros(len(ids))
        full[name][has] = values
    return full


def _of_probabilities(g: NDArray[np.int64], p: Array) -> dict[str, Array]:
    """The columns that need labels and probabilities only, all units labelled."""
    m, k = p.shape
    rows = np.arange(m)
    size = np.bincount(g, minlength=k)
    usual = np.maximum(p.mean(axis=0), FLOOR) if m else np.ones(k)
    within = np.bincount(g, weights=p[rows, g], minlength=k) / np.maximum(size, 1)
    ratio = p / usual
    ratio /= ratio.sum(axis=1, keepdims=True)

    def best_other(q: Array) -> Array:
        others = q.copy()
        others[rows, g] = 0.0
        return np.log(np.maximum(others.max(axis=1), FLOOR)) if m else np.zeros(0)

    return {
        "p_given": np.log(p[rows, g]),
        "mean_given": np.log(usual[g]),
        "class_mean": np.log(np.maximum(within[g], FLOOR)),
        "best_other": best_other(p),
        "rank": np.log1p((p > p[rows, g][:, None]).sum(axis=1)),
        "entropy": -(p * np.log(p)).sum(axis=1),
        "ratio_given": np.log(np.maximum(ratio[rows, g], FLOOR)),
        "ratio_best_other": best_other(ratio),
        "class_size": np.log(size[g]),
    }


def _support_outside(g: NDArray[np.int64], source: NDArray[Any]) -> Array:
    """log(1 + number of units with the same label in other groups)."""
    if not len(g):
        return np.zeros(0)
    _, member = np.unique(source, return_inverse=True)
    k = int(g.max()) + 1
    _, cell, count = np.unique(member.ravel() * k + g, return_inverse=True, return_counts=True)
    outside: Array = np.log1p(np.bincount(g, minlength=k)[g] - count[cell.ravel()])
    return outside


def evidence_matrix(columns: Mapping[str, Array]) -> Array:
    """The columns side by side, shape (n, number of columns), in the order of their names' first mention.

    Examples
    --------
    >>> import numpy as np
    >>> evidence_matrix({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    return np.stack(list(columns.values()), axis=1)
