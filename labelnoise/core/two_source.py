"""Selection by two sources: labels count as far as two models of different views believe in them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import by_class, check_units
from labelnoise.core.validation import InputError, as_probs, as_rate, check_same_length, choose

__all__ = ["CERTAINTIES", "TwoSource", "certainty", "keep_ratio", "two_source", "two_source_selected"]

Array = NDArray[np.float64]

#: Measures of how sure a prediction is.
CERTAINTIES = ("entropy", "squares")


@dataclass(frozen=True)
class TwoSource:
    """How far each label is believed, by each source after hearing the other.

    Attributes
    ----------
    selected : ndarray of bool, shape (n,)
        Units in the most believed fraction of their class by both sources.
    weights : ndarray of float64, shape (2, n)
        Weight of each unit's label in the training of each source's model, in [0, 1]; 0 without a label.
    confidence : ndarray of float64, shape (2, n)
        Confidence in the label after entangling; 0 without a label.
    certainty : ndarray of float64, shape (2, n)
        How sure each prediction is, after entangling: the weight of a consistency loss, labels or not.
    """

    selected: NDArray[np.bool_]
    weights: Array
    confidence: Array
    certainty: Array


def two_source(
    given: ArrayLike,
    probs: ArrayLike,
    other_probs: ArrayLike,
    *,
    keep: float = 0.5,
    entangle: bool = True,
    measure: str = "entropy",
) -> TwoSource:
    """Weigh labels by the confidence of two models that see different views of the same units.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label".
    probs, other_probs : array_like of float, shape (n, K)
        Probabilities from the two sources (modalities, views, networks).
    keep : float
        Fraction of each class whose labels count in full, in (0, 1]; `keep_ratio` ramps it down in training.
    entangle : bool
        Let each source's confidence be raised or lowered by the other's.
    measure : {"entropy", "squares"}
        See `certainty`.

    Returns
    -------
    TwoSource

    Raises
    ------
    InputError
        Shapes, ranges or lengths that do not fit; NaN; a fraction outside (0, 1].

    Notes
    -----
    With l_m the probability of the given class by source m, ``l_m <- (l_m + l_1 l_2) / 2``; per source and
    given class, t is the lowest confidence among the ``ceil(keep * size)`` most confident, and the weight
    ``min(l_m / t, 1)``; certainties are entangled alike. The threshold goes by class, so that no class loses
    its labels to an easier one. Of a batch in training; here of all units that are passed.

    References
    ----------
    Liu, Albrecht, Wang, Zhu (2025), CromSS: Cross-modal pretraining with noisy labels for remote sensing image
    segmentation, IEEE TGRS.

    Examples
    --------
    >>> a = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]]
    >>> b = [[0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.6, 0.4]]
    >>> found = two_source([0, 0, 1, 1], a, b)
    >>> found.selected.tolist(), found.weights[0].round(2).tolist()
    ([True, False, True, False], [1.0, 0.44, 1.0, 0.28])
    """
    ids, p = check_units(given, probs)
    q = as_probs(other_probs, name="other_probs")
    check_same_length(given=ids, probs=p, other_probs=q)
    if p.shape != q.shape:
        raise InputError(f"probs has shape {p.shape} and other_probs {q.shape}; both need the same classes.")
    fraction = as_rate(keep, name="keep")
    if fraction == 0:
        raise InputError("keep is 0; a fraction above 0 of each class must count.")
    has = ids >= 0
    own = np.maximum(ids, 0).astype(np.intp)
    believed = np.stack([np.clip(part[np.arange(len(ids)), own], 0, 1) for part in (p, q)]) * has
    sure = np.stack([certainty(part, measure=measure) for part in (p, q)])
    if entangle:
        believed, sure = ((part + part[0] * part[1]) / 2 for part in (believed, sure))
    weights = np.zeros(believed.shape)
    top = np.zeros(believed.shape, dtype=bool)
    for member in by_class(ids, p.shape[1]):
        if not len(member):
            continue
        # the tolerance keeps .2 of 5 units one unit, whatever rounding makes of it
        size = max(1, int(np.ceil(fraction * len(member) - 1e-9)))
        for source in range(2):
            values = believed[source, member]
            threshold = np.partition(values, len(member) - size)[len(member) - size]
            top[source, member] = values >= threshold
            weights[source, member] = np.minimum(values / threshold, 1.0) if threshold > 0 else 1.0
    return TwoSource(top.all(axis=0) & has, weights, believed.astype(np.float64), sure)


def two_source_selected(
    given: ArrayLike, probs: ArrayLike, other_probs: ArrayLike, **options: Any
) -> NDArray[np.bool_]:
    """The units that `two_source` selects, shape (n,); options are its own.

    Examples
    --------
    >>> two_source_selected([0, 0], [[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.3, 0.7]]).tolist()
    [True, False]
    """
    return two_source(given, probs, other_probs, **options).selected


def certainty(probs: ArrayLike, *, measure: str = "entropy") -> Array:
    """How sure each prediction is, from 0 (uniform; 1/K by squares) to 1 (one class only), shape (n,).

    Parameters
    ----------
    probs : array_like of float, shape (n, K)
    measure : {"entropy", "squares"}
        ``1 - H(p) / log K``, or ``sum p^2``.

    Examples
    --------
    >>> certainty([[1.0, 0.0], [0.5, 0.5]]).tolist()
    [1.0, 0.0]
    >>> certainty([[1.0, 0.0], [0.5, 0.5]], measure="squares").tolist()
    [1.0, 0.5]
    """
    choose(measure, CERTAINTIES, "measure")
    p = np.clip(np.asarray(as_probs(probs), dtype=np.float64), 0.0, 1.0)
    if measure == "squares":
        return np.asarray((p * p).sum(axis=1), dtype=np.float64)
    if p.shape[1] < 2:
        return np.ones(len(p))
    entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)
    return np.clip(1.0 - entropy / np.log(p.shape[1]), 0.0, 1.0)


def keep_ratio(epoch: int, keep: float, *, ramp: int = 10) -> float:
    """Fraction to keep at an epoch: from 1 down to ``keep`` in equal steps over ``ramp`` epochs.

    Parameters
    ----------
    epoch : int
        From 0.
    keep : float
        Final fraction.
    ramp : int
        Number of epochs until it is reached, 0 for at once.

    Examples
    --------
    >>> [round(keep_ratio(epoch, 0.5, ramp=5), 2) for epoch in (0, 1, 5, 9)]
    [1.0, 0.9, 0.5, 0.5]
    """
    if epoch < 0 or ramp < 0:
        raise InputError(f"epoch ({epoch}) and ramp ({ramp}) must be 0 or more.")
    done = 1.0 if ramp == 0 else min(epoch / ramp, 1.0)
    return 1.0 - (1.0 - as_rate(keep, name="keep")) * done
