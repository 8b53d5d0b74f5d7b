"""Loss rescaling without a clean set and without meta-gradients: how much a label looks like a planted error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelnoise.core.flips import logistic_fit, model_confusions, sigmoid
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Rescaling", "label_weights"]

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class Rescaling(Strategy):
    """Losses weighted by P(label is right), learnt anew each epoch from errors planted on purpose.

    Each unit's predictions are averaged over the epochs so far; a logistic regression learns to tell the given
    labels from labels drawn by the model's own confusions, and the density ratio gives the weight.

    Parameters
    ----------
    warmup : int
        Epochs of plain training first.
    """

    warmup: int = 5

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError("Rescaling is for single-label units; choose another strategy for multi-label data.")
        if self.warmup < 1:
            raise InputError(f"warmup is {self.warmup}; at least 1 epoch is needed before labels can be judged.")
        self._total = run.units.new("total", width=run.task.n_classes)
        self._weight = run.units.new("weight", fill=1.0)
        self._rate = 0.0

    def epoch_start(self, run: Run) -> None:
        if run.epoch < self.warmup:
            return
        mean = self._total.numpy().astype(np.float64)
        mean /= np.maximum(mean.sum(axis=1, keepdims=True), 1e-12)
        given = np.where(run.active.numpy() & (mean.sum(axis=1) > 0), run.task.given, -1)
        weights, self._rate = label_weights(given, mean, rng=run.rng("planted"))
        self._weight.copy_(torch.from_numpy(weights.astype(np.float32)))

    def losses(self, run: Run, index: int, own: Units) -> Tensor:
        self._total[own.ids.cpu()] += own.logits.detach().softmax(1).cpu()
        return super().losses(run, index, own)

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        own = outputs[index]
        return self._weight[own.ids.cpu()].to(own.logits) if run.epoch >= self.warmup else None

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"noise_rate": round(self._rate, 4)}


def label_weights(given: NDArray[np.int64], probs: Array, *, rng: np.random.Generator) -> tuple[Array, float]:
    """P(label is right) per unit from probabilities that were formed before labels were memorised.

    Given labels are a mixture, ``f_given = (1 - r) f_right + r f_wrong``. A regression of given against planted
    labels estimates ``s = f_given / (f_given + f_wrong)``, so ``P(wrong) = r (1 - s) / s``; and since ``f_right >= 0``,
    r is at most the smallest ``s / (1 - s)``, here its 5% quantile among the planted.

    Parameters
    ----------
    given : ndarray of int, shape (n,)
        -1 for "no label".
    probs : ndarray, shape (n, K)
        Rows sum to 1.
    rng : numpy.random.Generator

    Returns
    -------
    weights : ndarray, shape (n,)
        In [0, 1]; 1 for units without a label.
    rate : float
        The estimated noise rate.

    References
    ----------
    The mixture argument of Elkan, Noto (2008), Learning classifiers from only positive and unlabeled data, KDD, with
    planted labels as the known class. This project's answer to Heck et al. (2025), Self-taught loss rescaling, AAAI.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 4, 400)
    >>> probs = np.full((400, 4), 0.05) + 0.8 * np.eye(4)[true]
    >>> given = np.where(np.arange(400) < 100, (true + 1) % 4, true)
    >>> weights, rate = label_weights(given, probs, rng=rng)
    >>> round(rate, 2), weights[:100].max() < 0.2, weights[100:].min() > 0.8
    (0.28, np.True_, np.True_)
    """
    has = given >= 0
    weights = np.ones(len(given))
    if np.count_nonzero(np.bincount(given[has], minlength=1)) < 2:
        return weights, 0.0
    labels, p = given[has], probs[has]
    chances = model_confusions(labels, p)[labels].cumsum(axis=1)
    planted = (rng.random(len(labels))[:, None] * chances[:, -1:] > chances).sum(axis=1)
    means = p.mean(axis=0)

    def columns(ids: NDArray[np.int64]) -> Array:
        own = p[np.arange(len(p)), ids]
        rest = p.copy()
        rest[np.arange(len(p)), ids] = 0.0
        return np.log(np.stack([own, rest.max(axis=1), means[ids]], axis=1) + 1e-4)

    real, false = columns(labels), columns(planted)
    both = np.concatenate([real, false])
    centre, spread = both.mean(axis=0), both.std(axis=0) + 1e-9
    design = np.column_stack([(both - centre) / spread, np.ones(len(both))])
    target = np.repeat([1.0, 0.0], len(labels))
    s = sigmoid(design @ logistic_fit(design[:, :-1], target, penalty=0.3)).clip(1e-6, 1 - 1e-6)
    odds = s / (1 - s)
    rate = float(min(np.quantile(odds[len(labels) :], 0.05), 0.95))
    weights[has] = np.clip(1 - rate / odds[: len(labels)], 0.0, 1.0)
    return weights, rate
