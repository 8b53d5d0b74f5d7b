"""Loss rescaling without a clean set and without meta-gradients: how much a label looks like a planted error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelnoise.core.flips import logistic_fit, to_mean
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units
from labelnoise.core.transition import confident_joint, transition_from_joint
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Rescaling", "planted_error_scores"]

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class Rescaling(Strategy):
    """Losses weighted by how far a label looks right, learnt anew each epoch from errors planted on purpose.

    Each unit's predictions are averaged over the epochs so far. After the warm-up their confident joint gives the
    noise rate and T, once; later, when labels are memorised, it would say that there are no errors. From then on a
    logistic regression learns every epoch to tell the given labels from labels drawn by T, and a unit's weight is
    ``max(P(right) - P(wrong), 0)``.

    Parameters
    ----------
    warmup : int
        Epochs of plain training first, >= 1.
    """

    warmup: int = 10

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "Rescaling is for single-label units; choose another strategy for multi-label data."
            )
        if self.warmup < 1:
            raise InputError(
                f"warmup is {self.warmup}; at least 1 epoch is needed before labels can be judged."
            )
        self._total = run.units.new("total", width=run.task.n_classes)
        self._weight = run.units.new("weight", fill=1.0)
        self._joint: NDArray[np.int64] | None = None

    def epoch_start(self, run: Run) -> None:
        if run.epoch < self.warmup:
            return
        mean = self._total.numpy().astype(np.float64)
        sums = mean.sum(axis=1, keepdims=True)
        given = np.where(sums[:, 0] > 0, run.task.given, -1)
        mean = np.where(sums > 0, mean / np.where(sums > 0, sums, 1), 1 / run.task.n_classes)
        if self._joint is None:
            self._joint = confident_joint(given, mean)
        has = given >= 0
        if np.count_nonzero(np.bincount(given[has], minlength=1)) < 2:
            return
        scores = planted_error_scores(
            given[has], mean[has], transition_from_joint(self._joint), rng=run.rng("planted")
        )
        p_wrong = to_mean(scores, self._rate())
        self._weight[torch.from_numpy(has)] = torch.from_numpy(np.maximum(1 - 2 * p_wrong, 0)).float()

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        self._total[own.ids.cpu()] += own.logits.detach().softmax(1).cpu()
        return super().losses(run, index, own)

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        return self._weight[own.ids.cpu()].to(own.logits) if run.epoch >= self.warmup else None

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"noise_rate": round(self._rate(), 4), "weight": round(float(self._weight.mean()), 4)}

    def state_dict(self) -> dict[str, Any]:
        return {"joint": None if self._joint is None else torch.from_numpy(self._joint)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._joint = None if state["joint"] is None else state["joint"].numpy()

    def _rate(self) -> float:
        return 0.0 if self._joint is None else float(1 - np.trace(self._joint) / self._joint.sum())


def planted_error_scores(
    given: NDArray[np.int64], probs: Array, transition: Array, *, rng: np.random.Generator
) -> Array:
    """Log-odds that a label is a planted error rather than a given one.

    Parameters
    ----------
    given : ndarray of int, shape (n,)
        All labelled.
    probs : ndarray, shape (n, K)
        Formed before the labels were memorised; rows sum to 1.
    transition : ndarray, shape (K, K)
        Its off-diagonal rows say which errors are planted; a row without any plants all alike.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,)
        Higher for labels that look wrong; a ranking until `labelnoise.core.flips.to_mean` gives it a level.

    References
    ----------
    This project, after Heck et al. (2025), Learning from noisy labels via self-taught on-the-fly meta loss
    rescaling, AAAI, whose rescaler is trained by meta-gradients instead.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 4, 400)
    >>> probs = np.full((400, 4), 0.05) + 0.8 * np.eye(4)[true]
    >>> given = np.where(np.arange(400) < 100, (true + 1) % 4, true)
    >>> scores = planted_error_scores(given, probs, np.full((4, 4), 0.25), rng=rng)
    >>> bool(scores[:100].min() > scores[100:].max())
    True
    """
    chances = transition + 1e-6
    np.fill_diagonal(chances, 0.0)
    chances = chances[given].cumsum(axis=1)
    planted = (rng.random(len(given))[:, None] * chances[:, -1:] > chances).sum(axis=1)
    means, rows = probs.mean(axis=0), np.arange(len(probs))

    def columns(ids: NDArray[np.int64]) -> Array:
        rest = probs.copy()
        rest[rows, ids] = 0.0
        return np.log(np.stack([probs[rows, ids], rest.max(axis=1), means[ids]], axis=1) + 1e-4)

    both = np.concatenate([columns(given), columns(planted)])
    both = (both - both.mean(axis=0)) / (both.std(axis=0) + 1e-9)
    fit = logistic_fit(both, np.repeat([0.0, 1.0], len(given)), penalty=0.3)
    scores: Array = both[: len(given)] @ fit[:-1] + fit[-1]
    return scores
