"""Drawing each batch's weights anew by how likely its labels are right: RENT and its Dirichlet relative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelnoise.core.losses.correction import importance_weights
from labelnoise.core.training.correction import TransitionAware
from labelnoise.core.training.task import Units
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["DirichletWeights", "Resampling"]


@dataclass(kw_only=True)
class Resampling(TransitionAware):
    """RENT: every step trains on units of the batch drawn with replacement, by ``p[y] / (T' p)[y]``.

    Parameters
    ----------
    share : float
        Number of draws as a share of the batch; 1 as published.

    Examples
    --------
    >>> drawn = Resampling().draw(np.array([0.5, 0.5, 0.0]), np.random.default_rng(0))
    >>> drawn.sum(), drawn[2]
    (np.float64(3.0), np.float64(0.0))
    """

    share: float = 1.0

    def start(self, run: Run) -> None:
        super().start(run)
        if not self.share > 0:
            raise InputError(f"share is {self.share}; it must be above 0.")

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        if self._transition is None:
            return None
        own = outputs[index]
        labelled = own.labels >= 0
        ratios = importance_weights(own.logits.detach(), own.labels, transition=self._transition)
        mean = ratios[labelled].double().cpu().numpy()
        weights = torch.zeros_like(ratios)
        if mean.sum() > 0:
            drawn = self.draw(mean / mean.sum(), run.rng("resample", index))
            weights[labelled] = torch.from_numpy(drawn).to(weights)
        return weights

    def draw(self, mean: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """How often each of the m units is drawn, (m,), given their probabilities."""
        return rng.multinomial(max(int(self.share * len(mean)), 1), mean).astype(np.float64)


@dataclass(kw_only=True)
class DirichletWeights(Resampling):
    """DWS: the weights are a draw from a Dirichlet around ``p[y] / (T' p)[y]``.

    Parameters
    ----------
    concentration : float
        Per unit of the batch; the larger, the closer to plain importance reweighting.
    """

    concentration: float = 1.0

    def start(self, run: Run) -> None:
        super().start(run)
        if not self.concentration > 0:
            raise InputError(f"concentration is {self.concentration}; it must be above 0.")

    def draw(self, mean: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        # Gammas are a Dirichlet before it is normalised, which the mean over the batch does.
        return rng.gamma(np.maximum(self.concentration * len(mean) * mean, 1e-12))
