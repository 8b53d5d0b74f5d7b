"""Noise token by token, from a matrix, in tags that stay valid BIO, at a given share of wrong entities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.corruption import Corruption
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import repair, spans_of
from labelnoise.text.span_noise import TOLERANCE, describe_damage

__all__ = ["class_dependent", "confusion_of", "open_pair", "uniform", "walk"]

Floats = NDArray[np.float64]


def uniform(dataset: TextDataset, rate: float, seed: int) -> Corruption:
    """Every token errs alike, to any other tag that may stand there; see `class_dependent`.

    Examples
    --------
    >>> from labelnoise.text.data import load_text
    >>> abs(uniform(load_text("news"), 0.3, seed=0).rates["entities"] - 0.3) < 0.005
    True
    """
    return _calibrated(dataset, rate, seed, np.ones((dataset.n_classes, dataset.n_classes)))


def class_dependent(
    dataset: TextDataset,
    rate: float,
    seed: int,
    *,
    confusion: ArrayLike | None = None,
    pair: TextDataset | str | Path | None = None,
) -> Corruption:
    """Tags drawn left to right from the true tag's row of a confusion matrix.

    Parameters
    ----------
    dataset : TextDataset
        Its given tags are taken as right.
    rate : float
        Share of wrong entities, 1 - micro F1, 0 to 1.
    seed : int
    confusion : array_like, shape (K, K), optional
        Weight of the new tag j for the true tag i, over the classes of ``dataset``.
    pair : TextDataset, str or path, optional
        Real noise to take the matrix from: text with given and true tags, or its name or path.

    Returns
    -------
    Corruption
        ``transition`` is the tempered matrix before tags were ruled out.

    Raises
    ------
    InputError
        Neither or both sources, a matrix of another shape, or a rate it cannot reach.

    Notes
    -----
    After a new tag "O" no I-X may follow, after B-X or I-X no I-Y; the row is renormalised over the rest. That
    makes more errors than the matrix holds (published: 41.3 % of the entities for a set with 36.6 %), so all wrong
    weights are scaled by one factor, found by bisection, until the asked share of entities is wrong. Where the
    row leaves no weight, an entity begins anew.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP: class-dependent noise.
    """
    if (confusion is None) == (pair is None):
        raise InputError("Class-dependent noise needs a matrix: pass either confusion, or pair=NAME or PATH.")
    matrix = (
        confusion_of(open_pair(pair), dataset.types) if pair is not None else np.asarray(confusion, float)
    )
    return _calibrated(dataset, rate, seed, matrix)


def open_pair(pair: TextDataset | str | Path) -> TextDataset:
    """Text with given and true tags, loaded if it is named.

    Raises
    ------
    InputError
        It has no true tags.
    """
    if not isinstance(pair, TextDataset):
        from labelnoise.core.domain import data_root
        from labelnoise.text.data import load_text

        pair = load_text(str(pair), root=data_root("text"))
    if pair.true is None:
        raise InputError(f"{pair.name!r} has no true tags; a pair of given and true tags is needed.")
    return pair


def type_places(pair: TextDataset, types: tuple[str, ...]) -> list[int]:
    """Where each entity type stands in the pair.

    Raises
    ------
    InputError
        The pair does not know a type.
    """
    unknown = [name for name in types if name not in pair.types]
    if unknown:
        raise InputError(
            f"{pair.name!r} has no type {unknown[0]!r} (only {', '.join(pair.types)}); "
            "rename the types, or learn from a text with the same ones."
        )
    return [pair.types.index(name) for name in types]


def confusion_of(pair: TextDataset, types: tuple[str, ...]) -> Floats:
    """Counts of given tags (columns) per true tag (rows), for these entity types by name.

    Examples
    --------
    >>> from labelnoise.text.data import load_text
    >>> news = load_text("news")
    >>> confusion_of(news, ("PER",)).shape
    (3, 3)
    """
    assert pair.true is not None
    place = np.array([0, *(at for t in type_places(pair, types) for at in (1 + 2 * t, 2 + 2 * t))])
    seen = pair.labelled & (np.asarray(pair.true) >= 0)
    true = repair(np.where(seen, pair.true, -1), starts=pair.starts)[seen]
    given = repair(np.where(seen, pair.given, -1), starts=pair.starts)[seen]
    k = pair.n_classes
    counts = np.bincount(true * k + given, minlength=k * k).reshape(k, k).astype(np.float64)
    return np.asarray(counts[np.ix_(place, place)])


def walk(dataset: TextDataset, weights: Floats, draws: Floats) -> NDArray[np.int64]:
    """Draw each tag from its true tag's row, without tags that may not follow the tag drawn before.

    Parameters
    ----------
    dataset : TextDataset
        Valid BIO tags are read from ``given``.
    weights : ndarray, shape (K, K)
    draws : ndarray, shape (n,)
        From 0 to 1; the true tag takes the lower end of the range.

    Returns
    -------
    ndarray of int64, shape (n,)
        Valid BIO; -1 stays.
    """
    true = repair(dataset.given, starts=dataset.starts)
    k = weights.shape[0]
    allowed = np.ones((k, k), dtype=bool)
    for tag in range(2, k, 2):
        allowed[:, tag] = False
        allowed[[tag - 1, tag], tag] = True
    result = true.copy()
    lengths = np.diff(dataset.starts)
    order = np.argsort(-lengths, kind="stable")
    first, length = dataset.starts[:-1][order], lengths[order]
    before = np.zeros(len(first), dtype=np.int64)
    for step in range(int(lengths.max(initial=0))):
        rows = first[: np.searchsorted(-length, -step, side="left")] + step
        was = true[rows]
        weight = weights[was] * allowed[before[: len(rows)]]
        here = np.arange(len(rows))
        keep = weight[here, was]
        weight[here, was] = 0.0
        total = keep + weight.sum(axis=1)
        goal = draws[rows] * total - keep
        new = np.minimum((np.cumsum(weight, axis=1) <= goal[:, None]).sum(axis=1), k - 1)
        new = np.where(goal < 0, was, new)
        new = np.where(total > 0, new, np.where(allowed[before[: len(rows)], was], was, was - 1))
        new = np.where(was < 0, -1, new)
        result[rows] = new
        before = np.maximum(new, 0)
    return result


def tempered(matrix: Floats, factor: float) -> Floats:
    """The row-stochastic matrix with all wrong weights times ``factor``; a row without weights stays right."""
    weights = matrix * factor
    weights[np.diag_indices(len(matrix))] = np.diag(matrix)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.eye(len(matrix)), where=total > 0)


def bisect_factor(measure: Callable[[float], float], goal: float, *, steps: int = 40) -> float:
    """The factor, between e^-16 and e^16, at which a rising, slightly rough measure is nearest to the goal."""
    low, high, best = -16.0, 16.0, (np.inf, 0.0)
    for _ in range(steps):
        middle = (low + high) / 2.0
        value = measure(float(np.exp(middle)))
        best = min(best, (abs(value - goal), middle))
        if best[0] < TOLERANCE / 20:
            break
        low, high = (middle, high) if value < goal else (low, middle)
    return float(np.exp(best[1]))


def _calibrated(dataset: TextDataset, rate: float, seed: int, matrix: Floats) -> Corruption:
    rate, k = as_rate(rate), dataset.n_classes
    if matrix.shape != (k, k) or not np.isfinite(matrix).all() or matrix.min(initial=0.0) < 0:
        raise InputError(
            f"The confusion matrix has shape {matrix.shape}, or negative weights; "
            f"{k} x {k} weights, 0 or more, are needed for the tags {', '.join(dataset.class_names[:3])} ..."
        )
    spans = dataset.spans()
    if not len(spans):
        raise InputError(f"{dataset.name!r} has no entity; a share of wrong entities needs one.")
    draws = generator(seed, "text", "token noise").random(dataset.n_units)

    def made(factor: float) -> NDArray[np.int64]:
        return walk(dataset, tempered(matrix, factor), draws)

    def measure(factor: float) -> float:
        after = spans_of(made(factor), starts=dataset.starts)
        return 1.0 - 2.0 * len(np.intersect1d(spans, after)) / (len(spans) + len(after))

    factor = 0.0 if rate == 0 else bisect_factor(measure, rate)
    found = describe_damage(dataset, made(factor), transition=tempered(matrix, factor))
    reached: Any = found.rates["entities"]
    if abs(reached - rate) > max(TOLERANCE, 1.0 / len(spans)):
        raise InputError(
            f"A rate of {rate:g} cannot be reached with this matrix in this text (nearest: {reached:.3f}); "
            "ask for another rate, or pass a matrix with more kinds of errors."
        )
    return found
