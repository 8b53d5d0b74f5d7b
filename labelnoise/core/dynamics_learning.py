"""When a unit is learnt and forgotten: first k-epoch learning, streaks and forgetting events."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._unit_statistic import UnitStatistic, as_batch, finite
from labelnoise.core.validation import InputError

__all__ = ["CorrectStreak", "FirstLearning", "ForgettingEvents", "first_learned"]

_RIGHT, _WRONG = np.uint8(1), np.uint8(2)


class _Correctness(UnitStatistic):
    """Per epoch and unit, whether the given label was predicted each time that the unit came."""

    _FIELDS: ClassVar[tuple[str, ...]] = ("epoch", "_now")

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.epoch = 0
        self._now = np.zeros(n_units, dtype=np.uint8)

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
        right = finite(z).argmax(axis=1) == y if len(y) else np.zeros(0, dtype=bool)
        # Bits, so that the order of a unit's copies does not matter, in a batch or across batches.
        self._now[ids[right]] |= _RIGHT
        self._now[ids[~right]] |= _WRONG

    def end_epoch(self) -> None:
        """Count the epoch. Units that did not come in it stay as they are."""
        self._count(self._now > 0, self._now == _RIGHT)
        self._now[:] = 0
        self.epoch += 1

    def _count(self, came: NDArray[np.bool_], right: NDArray[np.bool_]) -> None:
        raise NotImplementedError


class FirstLearning(_Correctness):
    """First epoch in which a unit had been predicted as given k times in a row: late means suspicious.

    Call `update` for every batch and `end_epoch` after every epoch. A unit that comes several times in an epoch counts
    as right if it was right each time; one that does not come keeps its streak. The epoch that has just ended counts.

    Parameters
    ----------
    n_units : int
        N.
    k : int
        >= 1; 1, 2 and 3 published, in turn.
    warmup : int
        Epochs at the start that do not count, >= 0; 6 published.

    Attributes
    ----------
    run : ndarray of int32, shape (N,)
        Length of the present streak.
    first : ndarray of int32, shape (N,)
        The epoch, from 0, in which it reached k for the first time; -1 before.
    epoch : int
        Epochs that have ended.

    References
    ----------
    Yuan, Feng, Liu (2023), Late Stopping: avoiding confidently learning from mislabeled examples, ICCV, section 3.

    Examples
    --------
    >>> learning = FirstLearning(2, k=2)
    >>> for logits in ([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]):
    ...     learning.update(logits, [0, 1], unit_ids=[0, 1])
    ...     learning.end_epoch()
    >>> learning.first, learning.learned, learning.run
    (array([1, 2], dtype=int32), array([ True,  True]), array([0, 2], dtype=int32))
    """

    _FIELDS = (*_Correctness._FIELDS, "run", "first", "came")
    _SETTINGS = ("k", "warmup")

    def __init__(self, n_units: int, *, k: int = 1, warmup: int = 0) -> None:
        super().__init__(n_units)
        if k < 1 or warmup < 0:
            raise InputError(f"k is {k} and warmup {warmup}; k must be at least 1 and warmup at least 0.")
        self.k, self.warmup = int(k), int(warmup)
        self.run = np.zeros(n_units, dtype=np.int32)
        self.first = np.full(n_units, -1, dtype=np.int32)
        self.came = np.zeros(n_units, dtype=bool)

    def _count(self, came: NDArray[np.bool_], right: NDArray[np.bool_]) -> None:
        self.came |= came
        if self.epoch < self.warmup:
            return
        self.run[right] += 1
        self.run[came & ~right] = 0
        self.first[(self.first < 0) & (self.run >= self.k)] = self.epoch

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Units that came in an epoch that has ended."""
        return self.came.copy()

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Units that have been predicted as given k times in a row."""
        return self.first >= 0

    def values(self) -> NDArray[np.float64]:
        """First epoch per unit; for units not learnt, or never seen, the number of ended epochs."""
        return np.where(self.learned, self.first, self.epoch).astype(np.float64)


def first_learned(first: ArrayLike, target: int) -> NDArray[np.bool_]:
    """Select the units that were learnt first, until at least so many are selected.

    The rule of late stopping: train until the target number is learnt, then go on with these units. Its targets are
    98% of the units, 98% of those, and so on, one per round.

    Parameters
    ----------
    first : array_like of int, shape (n,)
        `FirstLearning.first`, -1 for units not learnt.
    target : int
        >= 0.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the units to keep. Units learnt in the same epoch are selected together, so there can be more than
        ``target``; there are fewer if not that many are learnt yet.

    Raises
    ------
    InputError
        Epochs that are no whole numbers from -1, a target below 0.

    References
    ----------
    Yuan, Feng, Liu (2023), Late Stopping: avoiding confidently learning from mislabeled examples, ICCV, algorithm 1.

    Examples
    --------
    >>> first_learned([3, -1, 0, 5, 3], target=2)
    array([ True, False,  True, False,  True])
    """
    epochs = np.asarray(first)
    if epochs.ndim != 1 or (epochs.size and (epochs.dtype.kind not in "iu" or epochs.min() < -1)):
        raise InputError("first must be a vector of epochs, whole numbers from 0, with -1 for 'not learnt'.")
    if target < 0:
        raise InputError(f"target is {target}; a number of units >= 0 is needed.")
    learned = epochs >= 0
    if target == 0 or not learned.any():
        return np.zeros(len(epochs), dtype=bool)
    ranked = np.sort(epochs[learned])
    return np.asarray(learned & (epochs <= ranked[min(target, len(ranked)) - 1]))


class CorrectStreak(_Correctness):
    """How many epochs in a row a unit has been predicted as given, now and at best.

    Call `update` for every batch and `end_epoch` after every epoch; several visits in an epoch count as right if all
    were, none leave the streak as it is.

    Parameters
    ----------
    n_units : int
        N.

    Attributes
    ----------
    run, longest : ndarray of int32, shape (N,)
        Present and longest streak.

    References
    ----------
    Yuan, Feng, Liu (2023), Late Stopping: avoiding confidently learning from mislabeled examples, ICCV, section 3.

    Examples
    --------
    >>> streak = CorrectStreak(1)
    >>> for right in (True, True, False, True):
    ...     streak.update([[right, not right]], [0], unit_ids=[0])
    ...     streak.end_epoch()
    >>> streak.run, streak.longest
    (array([1], dtype=int32), array([2], dtype=int32))
    """

    _FIELDS = (*_Correctness._FIELDS, "run", "longest", "came")

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.run = np.zeros(n_units, dtype=np.int32)
        self.longest = np.zeros(n_units, dtype=np.int32)
        self.came = np.zeros(n_units, dtype=bool)

    def _count(self, came: NDArray[np.bool_], right: NDArray[np.bool_]) -> None:
        self.came |= came
        self.run[right] += 1
        self.run[came & ~right] = 0
        np.maximum(self.longest, self.run, out=self.longest)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Units that came in an epoch that has ended."""
        return self.came.copy()

    def values(self) -> NDArray[np.float64]:
        """Longest streak in epochs per unit; 0 for units never right or never seen."""
        return self.longest.astype(np.float64)


class ForgettingEvents(_Correctness):
    """How often a unit was predicted as given in one epoch and otherwise in the next: often means hard or wrong.

    Call `update` for every batch and `end_epoch` after every epoch. A unit that is absent from an epoch is compared
    with the last one in which it came.

    Parameters
    ----------
    n_units : int
        N.

    Attributes
    ----------
    events, visits : ndarray of int32, shape (N,)
        Forgetting events, and epochs in which the unit came.
    ever : ndarray of bool, shape (N,)
        Whether it was ever predicted as given.

    References
    ----------
    Toneva et al. (2019), An empirical study of example forgetting during deep neural network learning, ICLR, section 3.

    Examples
    --------
    >>> forgetting = ForgettingEvents(2)
    >>> for right in (True, False, True, False):
    ...     forgetting.update([[right, not right], [0.0, 1.0]], [0, 0], unit_ids=[0, 1])
    ...     forgetting.end_epoch()
    >>> forgetting.events, forgetting.ever, forgetting.values()
    (array([2, 0], dtype=int32), array([ True, False]), array([2., 4.]))
    """

    _FIELDS = (*_Correctness._FIELDS, "events", "visits", "ever", "last")

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.events = np.zeros(n_units, dtype=np.int32)
        self.visits = np.zeros(n_units, dtype=np.int32)
        self.ever = np.zeros(n_units, dtype=bool)
        self.last = np.zeros(n_units, dtype=bool)

    def _count(self, came: NDArray[np.bool_], right: NDArray[np.bool_]) -> None:
        self.events += came & self.last & ~right
        self.visits += came
        self.ever |= right
        self.last[came] = right[came]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Units that came in an epoch that has ended."""
        return self.visits > 0

    def values(self) -> NDArray[np.float64]:
        """Events per unit; for units never predicted as given, all their epochs; 0 for units never seen."""
        return np.where(self.ever, self.events, self.visits).astype(np.float64)
