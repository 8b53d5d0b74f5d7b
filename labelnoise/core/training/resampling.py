"""Resampling each batch by how likely its labels are right: RENT, and the Dirichlet weights between it and reweighting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from labelnoise.core.losses.correction import importance_weights
from labelnoise.core.training.correction import TransitionAware
from labelnoise.core.training.task import Units
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Resampling"]


@dataclass(kw_only=True)
class Resampling(TransitionAware):
    """Weights of a batch drawn anew each step around ``p[y] / (T' p)[y]``.

    Parameters
    ----------
    concentration : float, optional
        Draw weights from a Dirichlet with this concentration (DWS); infinitely large is importance reweighting.
        None (default) draws units with replacement (RENT).
    share : float
        RENT's number of draws, as a share of the batch.
    """

    concentration: float | None = None
    share: float = 1.0

    def start(self, run: Run) -> None:
        super().start(run)
        if self.concentration is not None and not self.concentration > 0:
            raise InputError(f"concentration is {self.concentration}; it must be above 0.")
        if not self.share > 0:
            raise InputError(f"share is {self.share}; it must be above 0.")

    def weights(self, run: Run, index: int, outputs: list[Units]) -> Tensor | None:
        if self._transition is None:
            return None
        own = outputs[index]
        ratios = importance_weights(own.logits.detach(), own.labels, transition=self._transition)
        ratios = torch.where(own.labels >= 0, ratios, 0.0)
        total = ratios.sum()
        if not bool(total > 0):
            return None
        mean = (ratios / total).double().cpu()
        rng = run.rng("resample", index)
        labelled = (own.labels >= 0).cpu().numpy()
        drawn = torch.zeros(len(mean), dtype=torch.float64)
        if self.concentration is None:
            n_draws = max(int(self.share * labelled.sum()), 1)
            drawn += torch.from_numpy(rng.multinomial(n_draws, (mean / mean.sum()).numpy())).double()
        else:
            gammas = rng.gamma(self.concentration * mean.numpy()[labelled].clip(1e-12))
            drawn[torch.from_numpy(labelled)] = torch.from_numpy(gammas)
        return drawn.to(ratios)
