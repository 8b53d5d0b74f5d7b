"""Label quality from probabilities: 0 surely wrong, 1 surely right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import Floats, blocks, check_units, take_column
from labelnoise.core.pooling import POOLS, Pool, group_quality, pool_quality
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError, as_multilabel, as_probs, choose

__all__ = [
    "QUALITY_SCORES",
    "confidence_weighted_entropy",
    "group_quality",
    "multilabel_quality",
    "normalized_margin",
    "pool_quality",
    "self_confidence",
]

QUALITY_SCORES = Registry("label quality score")
QUALITY_SCORES.add(
    Entry(
        "self_confidence",
        "labelnoise.core.quality:self_confidence",
        "Probability of the given class.",
        "Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2",
        formula="p[given]",
        helps="Units that belong to no class of the set: nothing else has to be likely.",
        hurts="Classes that the model finds hard get low quality throughout.",
    ),
    Entry(
        "normalized_margin",
        "labelnoise.core.quality:normalized_margin",
        "Lead of the given class over the most probable other one.",
        "Wei et al. (2018), as used by Northcutt, Jiang, Chuang (2021), JAIR 70, section 3.2",
        formula="(p[given] - max of the other p + 1) / 2",
        helps="Labels swapped with one other class.",
        hurts="Units between two right classes look worse than they are.",
    ),
    Entry(
        "confidence_weighted_entropy",
        "labelnoise.core.quality:confidence_weighted_entropy",
        "Entropy of the prediction over the probability of the given class, mapped to [0, 1].",
        "Kuan, Mueller (2022), Model-agnostic label quality scoring, ICML DataPerf workshop",
        formula="log(1 + e) / e with e = H(p) / log(K) / p[given]",
        helps="Sets apart units that the model is unsure of from those it disagrees with.",
        hurts="With many classes a sure disagreement can look better than an unsure one: of 10 classes a "
        "label of 0.01 against 0.99 scores 0.51, one of 0.12 among nearly equal ones 0.27.",
    ),
)


def self_confidence(labels: ArrayLike, probs: ArrayLike) -> NDArray[np.float64]:
    """Probability of the given class.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1; read block by block.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [0, 1]; 1 for units without a label.

    Raises
    ------
    InputError
        Labels or probabilities that break the shapes and ranges above.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2.

    Examples
    --------
    >>> self_confidence([0, 1, -1], [[0.9, 0.1], [0.7, 0.3], [0.5, 0.5]])
    array([0.9, 0.3, 1. ])
    """
    return _each(labels, probs, take_column)


def normalized_margin(labels: ArrayLike, probs: ArrayLike) -> NDArray[np.float64]:
    """Probability of the given class less that of the most probable other one, mapped to [0, 1].

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1; read block by block.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``(p[given] - max of the others + 1) / 2``; below 1/2 the model prefers another class. 1 for
        units without a label.

    Raises
    ------
    InputError
        Labels or probabilities that break the shapes and ranges above.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2.

    Examples
    --------
    >>> normalized_margin([0, 1, -1], [[0.9, 0.1], [0.7, 0.3], [0.5, 0.5]])
    array([0.9, 0.3, 1. ])
    """
    return _each(labels, probs, margin_of)


def confidence_weighted_entropy(labels: ArrayLike, probs: ArrayLike) -> NDArray[np.float64]:
    """Normalised entropy over the probability of the given class, as ``log(1 + e) / e``.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    probs : array_like of float, shape (n, K)
        Out-of-sample class probabilities, rows sum to 1; read block by block.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [0, 1]: 1 in the limit of a sure prediction of the given class, 0 where its probability is 0.
        1 for units without a label and where there is one class only.

    Raises
    ------
    InputError
        Labels or probabilities that break the shapes and ranges above.

    Notes
    -----
    Equal to cleanlab's score while the given class has at least 1e-6 and e is at least 1e-6. Outside of
    that cleanlab clips both at 1e-6, which turns the score round: it calls a label of probability 1e-9
    good (0.98) and the one of probability 1 - 1e-9 bad (0.03). Here both keep their limits.

    References
    ----------
    Kuan, Mueller (2022), Model-agnostic label quality scoring, ICML DataPerf workshop.

    Examples
    --------
    >>> confidence_weighted_entropy([0, 1, 0], [[0.9, 0.1], [0.7, 0.3], [1.0, 0.0]]).round(3)
    array([0.805, 0.467, 1.   ])
    """
    return _each(labels, probs, _entropy_of)


def multilabel_quality(
    labels: ArrayLike, probs: ArrayLike, *, score: str = "self_confidence", pool: Pool | None = None
) -> NDArray[np.float64]:
    """Quality of every (unit, class) cell of a multi-label problem, or of every unit.

    Each class is a problem of its own with the probabilities 1 - p and p.

    Parameters
    ----------
    labels : array_like of int, shape (n, K)
        1 where the class is given, 0 where not, -1 where unknown.
    probs : array_like of float, shape (n, K)
        Out-of-sample probability of each class, columns independent; read block by block.
    score : str
        A name from `QUALITY_SCORES`.
    pool : {"ema", "min", "softmin"}, optional
        How to make one number of the cells of a unit, see `pool_quality`; None keeps the cells.

    Returns
    -------
    ndarray of float64, shape (n, K), or (n,) with ``pool``
        In [0, 1]; 1 for unknown cells and for units with nothing but such.

    Raises
    ------
    InputError
        Input that breaks the shapes and ranges above.

    References
    ----------
    Thyagarajan et al. (2023), Identifying incorrect annotations in multi-label classification data.

    Examples
    --------
    >>> labels, probs = [[1, 0, 0], [0, 1, -1]], [[0.9, 0.2, 0.6], [0.1, 0.8, 0.5]]
    >>> multilabel_quality(labels, probs)
    array([[0.9, 0.8, 0.4],
           [0.9, 0.8, 1. ]])
    >>> multilabel_quality(labels, probs, pool="ema")
    array([0.484, 0.82 ])
    """
    kernel = _KERNELS[choose(score, _KERNELS, "label quality score")]
    given, p = check_cells(labels, probs)
    n, k = p.shape
    if pool is not None:
        choose(pool, POOLS, "way to pool")
    result = np.ones(n if pool else (n, k))
    for rows in blocks(n, k):
        block, own = p[rows], given[rows]
        pairs = np.stack([1 - block, block], axis=-1).reshape(-1, 2)
        cells = kernel(pairs, np.maximum(own, 0).reshape(-1).astype(np.intp)).reshape(own.shape)
        cells = np.clip(cells.astype(np.float64), 0, 1)
        known = own >= 0
        cells[~known] = 1
        result[rows] = pool_quality(cells, method=pool, mask=known) if pool else cells
    return result


def check_cells(labels: ArrayLike, probs: ArrayLike) -> tuple[NDArray[np.int8], Floats]:
    """Check a multi-label problem: 0/1/-1 cells and independent probabilities of the same shape."""
    p = as_probs(probs, multilabel=True)
    given = as_multilabel(labels)
    if given.shape != p.shape:
        raise InputError(
            f"labels have shape {given.shape} and probs {p.shape}; give one cell of 0, 1 or -1 (unknown) "
            "per probability. Lists of class ids must be made an indicator matrix first."
        )
    return given, p


def margin_of(block: Floats, columns: NDArray[np.intp]) -> Floats:
    """(p of the column - largest other p + 1) / 2 per row, in the type of ``block``."""
    rows = np.arange(len(block))
    mine = block[rows, columns]
    others = block.copy()
    others[rows, columns] = 0 if block.shape[1] == 1 else -1
    margin: Floats = (mine - others.max(axis=1) + 1) / 2
    return margin


def _entropy_of(block: Floats, columns: NDArray[np.intp]) -> Floats:
    k = block.shape[1]
    if k < 2:
        return np.ones(len(block), dtype=block.dtype)
    p = np.clip(block, 0, None)
    mine = take_column(p, columns).astype(np.float64)
    # p log p is 0 at 0; the floor only keeps the logarithm finite there.
    entropy = -(p * np.log(np.maximum(p, np.finfo(p.dtype).tiny))).sum(axis=1, dtype=np.float64) / np.log(k)
    result = np.zeros(len(p))
    possible = mine > 0
    ratio = np.maximum(entropy[possible], 0) / mine[possible]
    result[possible] = np.where(ratio > 0, np.log1p(ratio) / np.where(ratio > 0, ratio, 1), 1)
    return result


_KERNELS: dict[str, Callable[[Floats, NDArray[np.intp]], Floats]] = {
    "self_confidence": take_column,
    "normalized_margin": margin_of,
    "confidence_weighted_entropy": _entropy_of,
}


def _each(
    labels: ArrayLike, probs: ArrayLike, kernel: Callable[[Floats, NDArray[np.intp]], Floats]
) -> NDArray[np.float64]:
    """Apply ``kernel(block, given)`` block by block; 1 for units without a label."""
    ids, p = check_units(labels, probs)
    quality = np.empty(len(ids))
    for rows in blocks(*p.shape):
        own = ids[rows]
        scores = np.clip(kernel(p[rows], np.maximum(own, 0).astype(np.intp)), 0, 1)
        quality[rows] = np.where(own >= 0, scores, 1)
    return quality
