"""Wrong labels planted among the given ones, and what telling them apart teaches about the real ones.

A share of the current labels is replaced by what the model itself confuses them with. A small logistic
regression learns from a few columns of evidence which labels were replaced; applied to the labels as they are,
it scores how much each looks like a planted error. Nothing here knows what a unit is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._roots import rising_root
from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, as_probs, as_rate, check_same_length

__all__ = [
    "DRAWS",
    "SHARE",
    "FlipScores",
    "confusion_flips",
    "flip_scores",
    "model_confusions",
    "refit_targets",
    "to_mean",
]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Added to every confusion, so that none is impossible.
CONFUSION_FLOOR = 0.002
#: Share of the labels that are replaced in a draw, and the number of draws.
SHARE, DRAWS = 0.2, 12
#: Inverse strength of the penalty on the weights of standardised columns (scikit-learn's C).
PENALTY = 0.3


def model_confusions(given: ArrayLike, probs: ArrayLike, *, floor: float = CONFUSION_FLOOR) -> Array:
    """What the model takes units of each given class for, the class itself left out.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample probabilities.
    floor : float
        Added to every mean, > 0.

    Returns
    -------
    ndarray, shape (K, K)
        ``B[g, k]`` proportional to (mean of ``p[k]`` over units given g) + floor for k != g, 0 for k = g; rows
        sum to 1. Columns of classes that no unit is given are 0: nobody is labelled so here.

    Raises
    ------
    InputError
        Shapes or ranges that do not fit, fewer than two classes given, a floor that is not above 0.

    Examples
    --------
    >>> model_confusions([0, 0, 1, 2], [[0.7, 0.3, 0], [0.6, 0.3, 0.1], [0, 1, 0], [0, 0.5, 0.5]]).round(2)
    array([[0.  , 0.85, 0.15],
           [0.5 , 0.  , 0.5 ],
           [0.  , 1.  , 0.  ]])
    """
    p, ids = _checked(given, probs)
    if not floor > 0:
        raise InputError(f"floor is {floor}; it must be above 0 so that every confusion stays possible.")
    k = p.shape[1]
    size = np.bincount(ids[ids >= 0], minlength=k)
    if np.count_nonzero(size) < 2:
        raise InputError("The labels hold fewer than two classes; there is nothing to confuse.")
    totals = np.zeros((k, k))
    np.add.at(totals, ids[ids >= 0], p[ids >= 0])
    confusions = totals / np.maximum(size, 1)[:, None] + floor
    confusions[:, size == 0] = 0.0
    np.fill_diagonal(confusions, 0.0)
    result: Array = confusions / confusions.sum(axis=1, keepdims=True)
    return result


def confusion_flips(
    given: ArrayLike, probs: ArrayLike, *, share: float = SHARE, seed: int = 0, draw: int = 0
) -> Corruption:
    """Replace a share of the labels by what the model confuses their classes with.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label"; those stay -1.
    probs : array_like of float, shape (n, K)
        Out-of-sample probabilities; see `model_confusions`.
    share : float
        In [0, 1]; ``round(share m)`` of the m labels are replaced, each by another class.
    seed, draw : int
        Two draws of one seed are independent.

    Returns
    -------
    Corruption
        ``changed`` tells which; ``rate`` is the share to the nearest unit.

    Notes
    -----
    Errors drawn uniformly would be easy to spot and teach little about classes that are alike.

    Examples
    --------
    >>> flips = confusion_flips([0, 0, 1, 1, -1], [[0.9, 0.1]] * 5, share=0.5)
    >>> flips.labels.tolist(), flips.rate
    ([1, 0, 0, 1, -1], 0.5)
    """
    p, ids = _checked(given, probs)
    confusions = model_confusions(ids, p)
    has = np.flatnonzero(ids >= 0)
    rng = generator(seed, "confusion flips", draw)
    chosen = has[rng.permutation(len(has))[: round(as_rate(share, name="share") * len(has))]]
    cumulative = np.cumsum(confusions, axis=1)
    cumulative /= cumulative[:, -1:]
    labels = ids.copy()
    # a number on a step belongs to the class above it, so that a class of probability 0 is never drawn
    labels[chosen] = (rng.random(len(chosen))[:, None] >= cumulative[ids[chosen]]).sum(axis=1)
    return compare_labels(ids, labels)


@dataclass(frozen=True)
class FlipScores:
    """How much each label looks like a planted error.

    Attributes
    ----------
    score : ndarray, shape (n,)
        Log-odds of "was planted", high = suspicious; -inf never occurs, units without a label have 0.
    probs : ndarray, shape (n, K)
        Probabilities under the labels as they are.
    weights : ndarray, shape (m,)
        Weight of each standardised column.
    intercept : float
    held_out_auroc : float
        AUROC for the planted errors of the last draw by weights learnt on the others: how well planted
        errors are told from the rest, real ones included. 0.5 with a single draw.
    """

    score: Array
    probs: Array
    weights: Array
    intercept: float
    held_out_auroc: float


def flip_scores(
    given: ArrayLike,
    evidence: Callable[[Labels], tuple[Array, Array]],
    *,
    draws: int = DRAWS,
    share: float = SHARE,
    penalty: float = PENALTY,
    seed: int = 0,
) -> FlipScores:
    """Learn from planted errors which labels look wrong.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label".
    evidence : callable
        Maps labels (n,) to ``(columns (n, m), probs (n, K))``; called once for the labels as they are and once
        per draw, so it should be cheap (exact leave-one-out ridge). No unit's ``probs`` may depend on its own
        label.
    draws : int
        At least 1; more draws make the weights steadier.
    share : float
        Share of labels that are replaced in a draw, in (0, 1).
    penalty : float
        Inverse strength of the penalty on the weights, > 0.
    seed : int

    Returns
    -------
    FlipScores

    Raises
    ------
    InputError
        Options out of range, labels of one class, columns that are no finite matrix.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 200)
    >>> given = np.where(rng.random(200) < 0.1, 1 - true, true)
    >>> probs = np.where(np.eye(2)[true] > 0, 0.8, 0.2)
    >>> found = flip_scores(given, lambda y: (np.log(probs[np.arange(200), y])[:, None], probs), draws=3)
    >>> bool(found.score[given != true].min() > found.score[given == true].max())
    True
    """
    ids = as_labels(given)
    has = ids >= 0
    if draws < 1 or draws != int(draws):
        raise InputError(f"draws is {draws}; a whole number of at least 1 is needed.")
    if not 0 < share < 1:
        raise InputError(f"share is {share}; it must lie above 0 and below 1 (0.2 plants 20% errors).")
    if not penalty > 0:
        raise InputError(f"penalty is {penalty}; it must be above 0.")
    real, probs = _evidence_of(evidence, ids)
    planted = []
    for draw in track(range(draws), "planting errors"):
        flips = confusion_flips(ids, probs, share=share, seed=seed, draw=draw)
        columns, _ = _evidence_of(evidence, flips.labels)
        planted.append((columns[has], flips.changed[has]))
    stacked = np.concatenate([columns for columns, _ in planted])
    target = np.concatenate([changed for _, changed in planted]).astype(np.float64)
    if target.min() == target.max():
        raise InputError(
            f"A share of {share} of {has.sum()} labels plants none or all; label more units or change it."
        )
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    weights = logistic_fit((stacked - mean) / scale, target, penalty=penalty)
    score = np.zeros(len(ids))
    score[has] = (real[has] - mean) / scale @ weights[:-1] + weights[-1]
    m = int(has.sum())
    check = 0.5
    if draws > 1:
        others = logistic_fit((stacked[:-m] - mean) / scale, target[:-m], penalty=penalty)
        check = _auroc((stacked[-m:] - mean) / scale @ others[:-1], target[-m:] > 0)
    return FlipScores(score, probs, weights[:-1], float(weights[-1]), check)


def logistic_fit(
    columns: Array, target: Array, *, penalty: float, weight: Array | None = None, iterations: int = 50
) -> Array:
    """Weights and intercept of a ridge-penalised logistic regression, by Newton's method.

    Minimises ``sum log-loss + |w|^2 / (2 penalty)``, the intercept free, as scikit-learn's
    ``LogisticRegression(C=penalty)`` does; ``weight`` is its ``sample_weight``.
    """
    X = np.column_stack([columns, np.ones(len(columns))])
    ridge = np.full(X.shape[1], 1.0 / penalty)
    ridge[-1] = 0.0
    u = np.ones(len(X)) if weight is None else weight

    def loss(w: Array) -> float:
        z = X @ w
        return float(u @ (np.logaddexp(0, z) - target * z) + 0.5 * (ridge * w * w).sum())

    w = np.zeros(X.shape[1])
    share = float(np.clip(np.average(target, weights=u), 1e-6, 1 - 1e-6))
    w[-1] = np.log(share / (1 - share))
    current = loss(w)
    for _ in range(iterations):
        p = sigmoid(X @ w)
        gradient = X.T @ (u * (p - target)) + ridge * w
        hessian = (X * (u * p * (1 - p))[:, None]).T @ X
        hessian[np.diag_indices_from(hessian)] += ridge + 1e-9
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (trial := loss(w - size * step)) > current and size > 1e-6:
            size /= 2
        w = w - size * step
        if current - trial < 1e-9 * max(abs(current), 1.0):
            break
        current = trial
    return w


def refit_targets(given: ArrayLike, probs: ArrayLike, p_wrong: ArrayLike) -> Array:
    """Soft targets for the one refit: the given class as far as it is believed, the model's others for the rest.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample probabilities.
    p_wrong : array_like of float, shape (n,)
        Probability that the given label is wrong.

    Returns
    -------
    ndarray, shape (n, K)
        ``(1 - e) onehot(g) + e q`` with q the probabilities without g, renormalised (even over the others
        where nothing is left); rows sum to 1. Units without a label get ``probs``.

    Notes
    -----
    To be used once: repeated on its own outcome the refit confirms its own mistakes.

    Examples
    --------
    >>> refit_targets([0, -1], [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]], [0.5, 0.0])
    array([[0.5, 0.3, 0.2],
           [0.2, 0.2, 0.6]])
    """
    p, ids = _checked(given, probs)
    doubt = np.asarray(p_wrong, dtype=np.float64)
    if doubt.shape != ids.shape or not (np.isfinite(doubt).all() and ((doubt >= 0) & (doubt <= 1)).all()):
        raise InputError(
            f"p_wrong has shape {doubt.shape} for {len(ids)} units or values outside [0, 1]; give one probability each."
        )
    return blend(ids, p, doubt)


def blend(given: Labels, probs: Array, doubt: Array) -> Array:
    """`refit_targets` without the checks."""
    has = np.flatnonzero(given >= 0)
    result = probs / probs.sum(axis=1, keepdims=True)
    others = result[has]
    rows, g = np.arange(len(has)), given[has]
    others[rows, g] = 0.0
    left = others.sum(axis=1)
    empty = left <= 1e-12
    others[empty] = 1.0
    others[rows, g] = 0.0
    others /= np.maximum(others.sum(axis=1, keepdims=True), 1e-300)
    others *= doubt[has, None]
    others[rows, g] = 1.0 - doubt[has]
    result[has] = others
    return result


def to_mean(logits: ArrayLike, mean: float) -> Array:
    """Probabilities ``sigmoid(logits + b)`` with b such that their mean is ``mean``.

    Parameters
    ----------
    logits : array_like of float, shape (n,)
        Finite.
    mean : float
        In [0, 1].

    Examples
    --------
    >>> to_mean([-1.0, 0.0, 1.0], 0.5).round(3).tolist()
    [0.269, 0.5, 0.731]
    """
    z = np.asarray(logits, dtype=np.float64)
    share = as_rate(mean, name="mean")
    if not np.isfinite(z).all():
        raise InputError("logits holds NaN or infinity; they must be finite.")
    if not z.size or share in (0.0, 1.0):
        return np.full(z.shape, share)
    bound = 40.0 + float(np.abs(z).max())
    shift = rising_root(lambda b: float(sigmoid(z + b).mean()) - share, -bound, bound)
    return sigmoid(z + shift)


def sigmoid(z: Array) -> Array:
    """Logistic function without overflow."""
    result: Array = 0.5 * (1.0 + np.tanh(0.5 * z))
    return result


def _auroc(score: Array, positive: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    ranks, n = rankdata(score), int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def _evidence_of(evidence: Callable[[Labels], tuple[Array, Array]], labels: Labels) -> tuple[Array, Array]:
    columns, probs = evidence(labels)
    columns = np.asarray(columns, dtype=np.float64)
    if columns.ndim != 2 or len(columns) != len(labels) or not np.isfinite(columns).all():
        raise InputError(
            f"evidence returned columns of shape {columns.shape} for {len(labels)} units, or NaN; "
            "a finite matrix with one row per unit is needed."
        )
    return columns, np.asarray(as_probs(probs, n=len(labels)), dtype=np.float64)


def _checked(given: ArrayLike, probs: ArrayLike) -> tuple[Array, Labels]:
    p = np.asarray(as_probs(probs), dtype=np.float64)
    ids = as_labels(given, n_classes=p.shape[1])
    check_same_length(given=ids, probs=p)
    return p, ids
