"""The share of wrong labels that a strategy needs: told by the user, or read off the losses after a warm-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelnoise.core.mixture import fit_gaussian_mixture

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run
    from labelnoise.core.training.member import Member

__all__ = ["RateEstimate", "clean_probabilities"]


class RateEstimate:
    """A noise rate that is known, or estimated once.

    The estimate is the mean probability of the high-loss component of a two-Gaussian mixture, over all networks,
    after ``warmup`` epochs: wrong labels have not been memorised yet and their losses lie apart.

    Parameters
    ----------
    known : float, optional
    warmup : int
    """

    def __init__(self, known: float | None, warmup: int) -> None:
        self._rate, self._warmup = known, warmup

    def after_warmup(self, run: Run) -> float:
        """The rate, 0 while still warming up."""
        if run.epoch < self._warmup:
            return 0.0
        if self._rate is None:
            has = labelled_units(run.task.given)
            clean = [clean_probabilities(run, member).numpy()[has].mean() for member in run.members]
            self._rate = float(1 - np.mean(clean))
        return self._rate

    def state_dict(self) -> dict[str, Any]:
        return {"rate": self._rate}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rate = state["rate"]


def clean_probabilities(run: Run, member: Member) -> Tensor:
    """P(clean) per training unit (n,): the low-loss component of a two-Gaussian mixture of its losses.

    Units without a label have 0.
    """
    losses = run.per_unit(member).numpy().astype(np.float64)
    labelled = labelled_units(run.task.given)
    # Units without a label are left out of the fit and stay out of the clean ones.
    known = np.where(labelled, 0, -1)
    clean = fit_gaussian_mixture(losses, labels=known).posterior(losses, labels=known)
    return torch.from_numpy(np.where(labelled, clean, 0).astype(np.float32))


def labelled_units(given: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Units with a label, (n,); for multi-label with at least one known cell."""
    known = given >= 0
    return np.asarray(known.any(axis=1)) if known.ndim == 2 else known
