"""Loss correction within the loop: T known, or estimated after a warm-up, then training anew under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from labelnoise.core.losses.correction import backward_corrected, forward_corrected
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units
from labelnoise.core.transition import confident_joint, transition_from_joint
from labelnoise.core.validation import InputError, as_transition

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["BackwardCorrection", "ForwardCorrection", "TransitionAware"]


@dataclass(kw_only=True)
class TransitionAware(Strategy):
    """Plain training until T is known.

    Parameters
    ----------
    transition : array_like of shape (K, K), optional
        ``T[i, j] = P(given = j | true = i)``. If left out, the confident joint of the training units estimates it
        after ``warmup`` epochs, before wrong labels are memorised.
    warmup : int
        Epochs of plain training before the estimate; none if T is given.
    restart : bool
        Begin with fresh weights once T is estimated.
    """

    transition: ArrayLike | None = None
    warmup: int = 5
    restart: bool = True

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "Corrections by T are for single-label units here; multi-label data take the losses 'forward' and "
                "'backward' with a 2 x 2 matrix per class in a strategy of your own."
            )
        self._transition: NDArray[np.float64] | None = None
        if self.transition is not None:
            self._transition = as_transition(self.transition)
            if len(self._transition) != run.task.n_classes:
                raise InputError(
                    f"transition is for {len(self._transition)} classes, the task has {run.task.n_classes}."
                )
        elif not 1 <= self.warmup < run.config.epochs:
            raise InputError(
                f"warmup is {self.warmup}; estimating T takes from 1 to {run.config.epochs - 1} of the epochs. "
                "Or pass transition=T."
            )

    def epoch_start(self, run: Run) -> None:
        if self._transition is None and run.epoch >= self.warmup:
            probs = np.mean(
                [
                    run.per_unit(
                        member, lambda units: units.logits.softmax(1), width=run.task.n_classes
                    ).numpy()
                    for member in run.members
                ],
                axis=0,
                dtype=np.float64,
            )
            probs /= probs.sum(axis=1, keepdims=True)
            self._transition = transition_from_joint(confident_joint(run.task.given, probs))
            if self.restart:
                for index in range(len(run.members)):
                    run.restart(index)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        known = self._transition
        return {} if known is None else {"diagonal": [round(float(d), 4) for d in np.diag(known)]}

    def state_dict(self) -> dict[str, Any]:
        return {"transition": None if self._transition is None else torch.from_numpy(self._transition)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        saved = state["transition"]
        self._transition = None if saved is None else saved.numpy()


@dataclass(kw_only=True)
class ForwardCorrection(TransitionAware):
    """Cross-entropy of the probabilities sent through T (Patrini et al. 2017, theorem 2).

    Examples
    --------
    >>> ForwardCorrection(transition=[[0.9, 0.1], [0.2, 0.8]]).options()["transition"]
    [[0.9, 0.1], [0.2, 0.8]]
    """

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        if self._transition is None:
            return super().losses(run, index, own)
        return forward_corrected(own.logits, own.labels, transition=self._transition)


@dataclass(kw_only=True)
class BackwardCorrection(TransitionAware):
    """Losses of all labels weighted by the inverse of T (Patrini et al. 2017, theorem 1)."""

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        if self._transition is None:
            return super().losses(run, index, own)
        return backward_corrected(own.logits, own.labels, transition=self._transition)
