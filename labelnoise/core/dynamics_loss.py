"""Losses over time: a running mean per unit, and a threshold that follows the batches' mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._unit_statistic import ONE, UnitStatistic, as_ids, as_numbers, finite, to_numpy
from labelnoise.core.validation import NO_LABEL, InputError, as_labels, as_rate, check_same_length

__all__ = ["AdaptiveThreshold", "MeanLoss"]


class MeanLoss(UnitStatistic):
    """Exponential moving average of each unit's loss over the epochs, without a bias towards 0: high means suspicious.

    Call `update` for every batch and `end_epoch` after every epoch. A unit that comes several times in an epoch counts
    once, with its mean loss; one that does not come keeps its average.

    Parameters
    ----------
    n_units : int
        N.
    beta : float
        Weight of the past, in [0, 1); 0 is the last epoch alone.

    Attributes
    ----------
    memory : ndarray of float64, shape (N,)
        ``beta * memory + (1 - beta) * loss``, from 0.
    epochs : ndarray of int32, shape (N,)
        Epochs in which the unit came.

    References
    ----------
    Laine, Aila (2017), Temporal ensembling for semi-supervised learning, ICLR, algorithm 1, applied to the loss.

    Examples
    --------
    >>> mean = MeanLoss(3, beta=0.5)
    >>> for losses in ([1.0, 4.0], [2.0, 4.0]):
    ...     mean.update(losses, unit_ids=[2, 0])
    ...     mean.end_epoch()
    >>> mean.values().round(3), mean.seen
    (array([4.   , 0.   , 1.667]), array([ True, False,  True]))
    """

    _FIELDS = ("memory", "epochs", "_sums", "_counts")
    _SETTINGS = ("beta",)

    def __init__(self, n_units: int, *, beta: float = 0.9) -> None:
        super().__init__(n_units)
        self.beta = as_rate(beta, name="beta")
        if self.beta == 1:
            raise InputError("beta is 1, which never takes up a loss; choose one below 1.")
        self.memory = np.zeros(n_units)
        self.epochs = np.zeros(n_units, dtype=np.int32)
        self._sums = np.zeros(n_units)
        self._counts = np.zeros(n_units, dtype=np.int32)

    def update(self, losses: Any, unit_ids: Any, labels: Any = None) -> None:
        """Add a batch to the epoch that is under way.

        Parameters
        ----------
        losses : array_like or Tensor of float, shape (m,)
            One loss per unit, any scale.
        unit_ids : array_like or Tensor of int, shape (m,)
            From 0 to N - 1.
        labels : array_like of int, shape (m,), optional
            Given labels; units of label -1 are left out.

        Raises
        ------
        InputError
            NaN or infinity in the loss of a labelled unit, ids out of range, wrong shapes. Nothing is added then.
        """
        values = as_numbers(losses, "losses", 1)
        ids = as_ids(unit_ids, len(values), self.n_units)
        values, ids = _labelled(values, labels, ids)
        finite(values, "losses")
        np.add.at(self._sums, ids, values.astype(np.float64))
        np.add.at(self._counts, ids, ONE)

    def end_epoch(self) -> None:
        """Take the epoch's losses into the averages. Units that did not come in it stay as they are."""
        came = self._counts > 0
        losses = self._sums[came] / self._counts[came]
        self.memory[came] = self.beta * self.memory[came] + (1 - self.beta) * losses
        self.epochs += came
        self._sums[:] = 0
        self._counts[:] = 0

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Units that came in an epoch that has ended."""
        return self.epochs > 0

    def values(self) -> NDArray[np.float64]:
        """Average loss per unit; 0 for units never seen."""
        weight = 1 - self.beta**self.epochs
        return np.divide(self.memory, weight, out=np.zeros(self.n_units), where=self.seen)


class AdaptiveThreshold:
    """Adaptive-k: train on the units of a batch whose loss is at most a threshold that follows the batches' mean.

    ``threshold = m / (sqrt(v) + 1e-8)`` with m and v the moving averages of the batch mean and of its square. It has no
    unit although it is compared with losses: published for cross-entropy in nats after 30 epochs on all units.

    Parameters
    ----------
    bias_correction : bool
        The averages start at 0, so that the published threshold (False) of constant losses is 3.2 in the first batch,
        6.6 in the twelfth and above 2 until the 287th, whatever the losses are. True divides both by the weight that
        they have gathered: it is 1 from the start.
    betas : tuple of float
        Weights of the past for m and v, in [0, 1); (0.9, 0.999) published.

    Attributes
    ----------
    steps : int
        Batches so far.
    threshold : float
        The present one; infinity before the first batch.

    References
    ----------
    Dedeoglu, Kesgin, Amasyali (2022), A robust optimization method for label noisy datasets based on adaptive
    threshold: Adaptive-k, arXiv 2203.14165.

    Examples
    --------
    >>> adaptive = AdaptiveThreshold(bias_correction=True)
    >>> adaptive.select([0.1, 0.4, 2.5]), round(adaptive.threshold, 3)
    (array([ True,  True, False]), 1.0)
    >>> adaptive.select([5.0, 7.0, 9.0]).any()  # nobody: skip this step
    np.False_
    """

    def __init__(self, *, bias_correction: bool = False, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.betas = as_rate(betas[0], name="betas[0]"), as_rate(betas[1], name="betas[1]")
        if 1.0 in self.betas:
            raise InputError(f"betas are {betas}; with 1 no loss is ever taken up, choose numbers below 1.")
        self.bias_correction = bool(bias_correction)
        self.steps, self.mean, self.square = 0, 0.0, 0.0

    @property
    def threshold(self) -> float:
        if not self.steps:
            return math.inf
        mean, square = self.mean, self.square
        if self.bias_correction:
            mean /= 1 - self.betas[0] ** self.steps
            square /= 1 - self.betas[1] ** self.steps
        return mean / (math.sqrt(square) + 1e-8)

    def select(self, losses: ArrayLike, *, labels: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Take up a batch and select the units to train on.

        Parameters
        ----------
        losses : array_like or Tensor of float, shape (m,)
            Losses of the batch, in nats.
        labels : array_like of int, shape (m,), optional
            Given labels; units of label -1 neither count nor are selected.

        Returns
        -------
        ndarray of bool, shape (m,)
            True for the units to train on. Where none is, the step is to be skipped. A batch without labelled units
            changes nothing.

        Raises
        ------
        InputError
            NaN or infinity in the loss of a labelled unit, wrong shapes.
        """
        values = as_numbers(losses, "losses", 1).astype(np.float64)
        known, ids = _labelled(values, labels, np.arange(len(values)))
        selected = np.zeros(len(values), dtype=bool)
        if not len(known):
            return selected
        mean = float(finite(known, "losses").mean())
        self.mean = self.betas[0] * self.mean + (1 - self.betas[0]) * mean
        self.square = self.betas[1] * self.square + (1 - self.betas[1]) * mean**2
        self.steps += 1
        selected[ids] = known <= self.threshold
        return selected

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """All state as plain arrays."""
        names = ("steps", "mean", "square", "betas", "bias_correction")
        return {name: np.asarray(getattr(self, name)) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state; settings must agree."""
        if set(state) != set(self.state_dict()):
            raise InputError(f"The state holds {sorted(state)}; it is of another kind.")
        for name in ("betas", "bias_correction"):
            if not np.array_equal(state[name], np.asarray(getattr(self, name))):
                raise InputError(
                    f"The state was made with {name} {state[name]} but it is {getattr(self, name)} here."
                )
        self.steps = int(state["steps"])
        self.mean, self.square = float(state["mean"]), float(state["square"])


def _labelled(
    values: NDArray[np.floating[Any]], labels: Any, ids: NDArray[np.int64]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.int64]]:
    if labels is None:
        return values, ids
    given = as_labels(to_numpy(labels))
    check_same_length(losses=values, labels=given)
    known = given != NO_LABEL
    return values[known], ids[known]
