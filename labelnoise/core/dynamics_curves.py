"""Early-learning curves: per epoch, which share of the labels the network follows, and whether it should."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._unit_statistic import UnitStatistic, as_batch, finite
from labelnoise.core.validation import InputError, as_labels

__all__ = ["EarlyLearningCurves"]


class EarlyLearningCurves(UnitStatistic):
    """Shares of units per epoch that are predicted as given; with the truth, of right and wrong labels apart.

    Wrong labels are first overruled and later memorised: the curve of memorised ones says when to stop.

    Parameters
    ----------
    n_units : int
        N.
    true : array_like of int, shape (N,), optional
        True labels, -1 where unknown; for research, where they exist.

    Attributes
    ----------
    epochs : ndarray of int64, shape (E, 6)
        Per ended epoch: units that came, of which predicted as given; units with a right label that came, of which
        predicted as given; units with a wrong label that came, of which predicted as given (memorised). A unit counts
        as often as it comes.
    corrected : ndarray of int64, shape (E,)
        Units with a wrong label that were predicted as their true class.

    References
    ----------
    Liu et al. (2020), Early-learning regularization prevents memorization of noisy labels, NeurIPS, figure 1; Liu et
    al. (2022), Adaptive early-learning correction for segmentation from noisy annotations, CVPR, figure 2.

    Examples
    --------
    >>> curves = EarlyLearningCurves(3, true=[0, 1, 1])
    >>> given = [0, 1, 0]  # the third label is wrong
    >>> for third in ([0.0, 1.0], [1.0, 0.0]):  # overruled at first, memorised then
    ...     curves.update([[1.0, 0.0], [0.0, 1.0], third], given, unit_ids=[0, 1, 2])
    ...     curves.end_epoch()
    >>> shares = curves.values()
    >>> shares["as_given"].round(2), shares["correct"], shares["memorised"]
    (array([0.67, 1.  ]), array([1., 0.]), array([0., 1.]))
    """

    def __init__(self, n_units: int, *, true: ArrayLike | None = None) -> None:
        super().__init__(n_units)
        self.true = None if true is None else as_labels(true, name="true")
        if self.true is not None and len(self.true) != n_units:
            raise InputError(f"true has {len(self.true)} labels for {n_units} units; give one per unit.")
        self.epochs = np.zeros((0, 6), dtype=np.int64)
        self.corrected = np.zeros(0, dtype=np.int64)
        self._now = np.zeros(7, dtype=np.int64)

    def update(self, logits: Any, labels: Any, unit_ids: Any) -> None:
        """Add a batch to the epoch that is under way.

        Parameters
        ----------
        logits : array_like or Tensor of float, shape (m, K)
            Or probabilities; the largest entry is the prediction, the first of equal ones.
        labels : array_like or Tensor of int, shape (m,)
            Given labels; units of label -1 are left out.
        unit_ids : array_like or Tensor of int, shape (m,)
            From 0 to N - 1.

        Raises
        ------
        InputError
            NaN or infinity in the logits of a labelled unit, ids out of range, wrong shapes. Nothing is added then.
        """
        z, y, ids = as_batch(logits, labels, unit_ids, self.n_units)
        predicted = finite(z).argmax(axis=1) if len(y) else y
        follows = predicted == y
        row = [len(y), int(follows.sum()), 0, 0, 0, 0, 0]
        if self.true is not None:
            truth = self.true[ids]
            right, wrong = truth == y, (truth >= 0) & (truth != y)
            row[2:] = [right.sum(), (follows & right).sum(), wrong.sum(), (follows & wrong).sum()] + [
                (wrong & (predicted == truth)).sum()
            ]
        self._now += np.array(row, dtype=np.int64)

    def end_epoch(self) -> None:
        """Close the epoch and begin the next."""
        self.epochs = np.vstack([self.epochs, self._now[:6]])
        self.corrected = np.append(self.corrected, self._now[6])
        self._now[:] = 0

    def values(self) -> dict[str, NDArray[np.float64]]:
        """Shares per ended epoch, arrays of shape (E,).

        Returns
        -------
        dict
            ``as_given``: of all units that came, predicted as given. With the truth also ``right_as_given``, the same of
            units with a right label; and of units with a wrong one ``memorised`` (predicted as given), ``correct``
            (as their true class) and ``wrong`` (as a third one), which sum to 1. 0 in an epoch without such units,
            see `epochs`.
        """
        came, followed, right, right_followed, wrong, memorised = self.epochs.T.astype(np.float64)
        shares = {"as_given": followed / np.maximum(came, 1)}
        if self.true is not None:
            shares["right_as_given"] = right_followed / np.maximum(right, 1)
            shares["memorised"] = memorised / np.maximum(wrong, 1)
            shares["correct"] = self.corrected / np.maximum(wrong, 1)
            shares["wrong"] = (wrong - memorised - self.corrected) / np.maximum(wrong, 1)
        return shares

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all state as plain arrays; the truth is not part of it."""
        return {"epochs": self.epochs.copy(), "corrected": self.corrected.copy(), "_now": self._now.copy()}

    def load_state_dict(self, state: Any) -> None:
        """Take over a saved state, with as many epochs as it holds."""
        if set(state) != set(self.state_dict()):
            raise InputError(f"The state holds {sorted(state)}; it is not one of early-learning curves.")
        epochs, corrected, now = (
            np.asarray(state[key], dtype=np.int64) for key in ("epochs", "corrected", "_now")
        )
        if (
            epochs.ndim != 2
            or epochs.shape[1] != 6
            or corrected.shape != epochs.shape[:1]
            or now.shape != (7,)
        ):
            raise InputError(
                "The state's arrays do not fit each other; it is not one of early-learning curves."
            )
        self.epochs, self.corrected, self._now = epochs.copy(), corrected.copy(), now.copy()
