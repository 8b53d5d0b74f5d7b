"""Single-label noise by name: ``f(labels, rate, seed, *, n_classes, ...) -> Corruption`` for every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from labelnoise.core.corruption import Corruption
from labelnoise.core.noise_fit import NoiseModel
from labelnoise.core.noise_matrices import (
    class_transition,
    confusion_transition,
    pair_transition,
    random_map_transition,
    random_transition,
    symmetric_transition,
)
from labelnoise.core.noise_single import corrupt, instance_dependent
from labelnoise.core.validation import as_labels, as_rate

__all__ = ["asymmetric", "confusion", "fitted", "instance", "pair", "random", "random_map", "symmetric"]


def symmetric(
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    n_classes: int,
    convention: str = "exclude-self",
    exact: bool = False,
) -> Corruption:
    """Every wrong class is equally likely; see `symmetric_transition` and `corrupt`.

    Examples
    --------
    >>> symmetric([0, 1, 2, 0], 0.5, 0, n_classes=3, exact=True).rate
    0.5
    """
    return corrupt(labels, symmetric_transition(n_classes, rate, convention=convention), seed, exact=exact)


def pair(
    labels: ArrayLike, rate: float, seed: int, *, n_classes: int, step: int = 1, exact: bool = False
) -> Corruption:
    """Each class is mistaken for one neighbour; see `pair_transition` and `corrupt`.

    Examples
    --------
    >>> pair([0, 1, 2], 1.0, 0, n_classes=3).labels
    array([1, 2, 0])
    """
    return corrupt(labels, pair_transition(n_classes, rate, step=step), seed, exact=exact)


def asymmetric(
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    n_classes: int,
    mapping: Mapping[int, int] | Sequence[int],
    exact: bool = False,
) -> Corruption:
    """Named classes are mistaken for named others; see `class_transition` and `corrupt`.

    Examples
    --------
    >>> asymmetric([0, 1, 2], 1.0, 0, n_classes=3, mapping={1: 0}).labels
    array([0, 0, 2])
    """
    return corrupt(labels, class_transition(mapping, rate, n_classes=n_classes), seed, exact=exact)


def random(
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    n_classes: int,
    matrix_seed: int | None = None,
    exact: bool = False,
) -> Corruption:
    """A random matrix, then labels drawn from it; see `random_transition` and `corrupt`.

    ``matrix_seed`` fixes the matrix over several draws; by default both come from ``seed``.

    Examples
    --------
    >>> random([0, 1, 2] * 100, 0.2, 0, n_classes=3, exact=True).rate
    0.2
    """
    matrix = random_transition(n_classes, rate, seed if matrix_seed is None else matrix_seed)
    return corrupt(labels, matrix, seed, exact=exact)


def random_map(
    labels: ArrayLike,
    rate: float,
    seed: int,
    *,
    n_classes: int,
    matrix_seed: int | None = None,
    exact: bool = False,
) -> Corruption:
    """Each class is mistaken for one other, chosen at random; see `random_map_transition` and `corrupt`.

    ``matrix_seed`` fixes the map over several draws; by default both come from ``seed``.

    Examples
    --------
    >>> random_map([0, 1, 2] * 100, 0.2, 0, n_classes=3, exact=True).rate
    0.2
    """
    matrix = random_map_transition(n_classes, rate, seed if matrix_seed is None else matrix_seed)
    return corrupt(labels, matrix, seed, exact=exact)


def confusion(
    labels: ArrayLike,
    rate: float | None,
    seed: int,
    *,
    n_classes: int,
    matrix: ArrayLike,
    exact: bool = False,
) -> Corruption:
    """The mistakes of a confusion matrix, scaled to the rate on these labels; see `confusion_transition`.

    Examples
    --------
    >>> confusion([0, 0, 0, 1], 0.25, 0, n_classes=2, matrix=[[9, 1], [4, 6]]).transition.round(3)
    array([[0.857, 0.143],
           [0.571, 0.429]])
    """
    true = as_labels(labels, n_classes=n_classes)
    counts = [int((true == c).sum()) for c in range(n_classes)]
    prior = counts if rate is not None and any(counts) else None
    return corrupt(true, confusion_transition(matrix, rate, prior=prior), seed, exact=exact)


def instance(
    labels: ArrayLike, rate: float, seed: int, *, n_classes: int, features: Any, std: float = 0.1
) -> Corruption:
    """Which unit is wrong, and how, depends on its features; see `instance_dependent`.

    Examples
    --------
    >>> instance([0, 1, -1], 1.0, 0, n_classes=2, features=[[0.1], [0.7], [0.2]]).labels
    array([ 1,  0, -1])
    """
    return instance_dependent(labels, features, rate, seed, n_classes=n_classes, std=std)


def fitted(
    labels: ArrayLike,
    rate: float | None,
    seed: int,
    *,
    model: NoiseModel,
    groups: ArrayLike | None = None,
) -> Corruption:
    """The noise of a fitted `NoiseModel`, at its own rate (None) or at another one; see `NoiseModel.replay`.

    Examples
    --------
    >>> model = NoiseModel.fit([0, 1] * 50, [0] * 10 + [0, 1] * 45)
    >>> fitted([0, 1] * 5000, 0.2, 0, model=model).rate
    0.1974
    """
    return model.replay(labels, seed, groups=groups, rate=None if rate is None else as_rate(rate))
