"""How often the given class was among the k most probable: a unit is clean once it has been."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._unit_statistic import ONE, UnitStatistic, as_batch, finite
from labelnoise.core.validation import InputError

__all__ = ["TopKCounts", "default_k"]


def default_k(n_classes: int) -> int:
    """The published k = 90 of 1211 classes, scaled to another number of classes and at least 1.

    Examples
    --------
    >>> [default_k(n) for n in (2, 10, 100, 1211)]
    [1, 1, 7, 90]
    """
    return max(1, round(90 * n_classes / 1211))


class TopKCounts(UnitStatistic):
    """Passes in which the given class was among the k largest logits; the OR-gate keeps a unit from its first one on.

    Published with 5 epochs on all units before counting begins, and with every unit scored in each epoch, so that one
    that was left out can come back. Of equal logits the class with the lower id comes first, so that a network that
    says nothing puts nobody into the top.

    Parameters
    ----------
    n_units, n_classes : int
        N and K.
    k : int, optional
        From 1 to K; `default_k` of K by default.

    Attributes
    ----------
    counts, visits : ndarray of int32, shape (N,)
        Passes with the given class among the top k, and all passes.

    References
    ----------
    Fang, He, Ma, Guo, Li (2023), Robust training for speaker verification against noisy labels, Interspeech: the
    OR-Gate with top-k.

    Examples
    --------
    >>> top = TopKCounts(3, 3, k=2)
    >>> top.update([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], unit_ids=[0, 2])
    >>> top.counts, top.selected(), top.seen
    (array([1, 0, 0], dtype=int32), array([ True, False, False]), array([ True, False,  True]))
    """

    _FIELDS = ("counts", "visits")
    _SETTINGS = ("k", "n_classes")

    def __init__(self, n_units: int, n_classes: int, *, k: int | None = None) -> None:
        super().__init__(n_units)
        if n_classes < 1:
            raise InputError(f"n_classes is {n_classes}; at least one class is needed.")
        self.n_classes, self.k = int(n_classes), default_k(n_classes) if k is None else int(k)
        if not 1 <= self.k <= n_classes:
            raise InputError(f"k is {k}; it must lie from 1 to the number of classes, {n_classes}.")
        self.counts = np.zeros(n_units, dtype=np.int32)
        self.visits = np.zeros(n_units, dtype=np.int32)

    def update(self, logits: Any, labels: Any, unit_ids: Any) -> None:
        """Add a batch.

        Parameters
        ----------
        logits : array_like or Tensor of float, shape (m, K)
            Or probabilities.
        labels : array_like or Tensor of int, shape (m,)
            Given labels; units of label -1 are left out.
        unit_ids : array_like or Tensor of int, shape (m,)
            From 0 to N - 1.

        Raises
        ------
        InputError
            NaN or infinity in the logits of a labelled unit, ids out of range, another K. Nothing is added then.
        """
        z, y, ids = as_batch(logits, labels, unit_ids, self.n_units)
        if z.shape[1] != self.n_classes:
            raise InputError(
                f"logits has {z.shape[1]} columns for {self.n_classes} classes; give one per class."
            )
        own = finite(z)[np.arange(len(y)), y][:, None]
        before = (z > own) | ((z == own) & (np.arange(self.n_classes) < y[:, None]))
        np.add.at(self.counts, ids, (before.sum(axis=1) < self.k).astype(np.int32))
        np.add.at(self.visits, ids, ONE)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Units that came at least once."""
        return self.visits > 0

    def values(self) -> NDArray[np.float64]:
        """Share of the passes with the given class among the top k, from 0 to 1; 0 for units never seen."""
        return np.asarray(self.counts / np.maximum(self.visits, 1))

    def selected(self, at_least: int = 1) -> NDArray[np.bool_]:
        """Units to keep as clean: in the top k at least so often; 1 published. Units never seen are not kept."""
        if at_least < 1:
            raise InputError(f"at_least is {at_least}; a number of passes >= 1 is needed.")
        return self.counts >= at_least
