"""Dynamic bootstrapping: a beta mixture of the losses says how far to believe the label, the rest is own opinion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from labelnoise.core.losses.bootstrap import dynamic_bootstrap
from labelnoise.core.losses.regularizers import class_prior
from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.mixture import fit_beta_mixture, fit_gaussian_mixture
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, has_label, one_hot
from labelnoise.core.validation import InputError, choose

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["Bootstrapping"]


@dataclass(kw_only=True)
class Bootstrapping(Strategy):
    """Targets mix the given label and the network's own guess, weighted per unit by P(label is wrong).

    Parameters
    ----------
    warmup : int
        Epochs of cross-entropy before the first mixture is fitted.
    mixture : {"beta", "gaussian"}
        Of the losses; beta as published.
    kind : {"hard", "soft"}
        The guess is the most probable class, or the probabilities.
    alpha : float
        Of mixup, on labels and guesses alike; 32 as published, 0 for tasks that cannot mix inputs.
    prior_weight : float
        Of the divergence of the mean prediction from the uniform distribution; 1 as published with mixup.

    Examples
    --------
    >>> Bootstrapping(alpha=0).options()["mixture"]
    'beta'
    """

    warmup: int = 10
    mixture: Literal["beta", "gaussian"] = "beta"
    kind: Literal["hard", "soft"] = "hard"
    alpha: float = 32.0
    prior_weight: float = 1.0

    def start(self, run: Run) -> None:
        if run.task.multilabel:
            raise InputError(
                "Bootstrapping is for single-label units; multi-label data take plain training with the loss "
                "'soft_bootstrap' or 'hard_bootstrap'."
            )
        choose(self.mixture, ("beta", "gaussian"), "mixture")
        choose(self.kind, ("hard", "soft"), "kind")
        self._noisy = run.units.new("p_wrong")

    def epoch_start(self, run: Run) -> None:
        if run.epoch < self.warmup:
            return
        losses = run.per_unit(run.members[0]).numpy()
        fit = fit_beta_mixture if self.mixture == "beta" else fit_gaussian_mixture
        found = fit(losses, labels=run.task.given)
        clean = torch.from_numpy(found.posterior(losses, labels=run.task.given))
        # The ends are kept open, as published: no label is beyond doubt, and none without any say.
        self._noisy.copy_((1 - clean).clamp(1e-4, 1 - 1e-4))

    def step(self, run: Run, batch: Any) -> None:
        member = run.members[0]
        if self.alpha <= 0:
            own = run.forward(member, batch)
            values = dynamic_bootstrap(own.logits, own.labels, noise_probs=self._doubt(own), kind=self.kind)
            objective = labelled_mean(values, own.labels)
            if self.prior_weight and run.epoch >= self.warmup:
                objective = objective + self.prior_weight * class_prior(own.logits, own.labels)
            member.update(objective)
            return
        with torch.no_grad():
            own = run.forward(member, batch)
        mixed = run.task.mixed(member.model, batch, self.alpha, run.rng("mixup"))
        logits = mixed.logits.float()
        target = self._target(run, own)
        share = mixed.share[:, None]
        blend = share * target + (1 - share) * target[mixed.partner]
        has = has_label(own.labels) & has_label(own.labels)[mixed.partner]
        values = -(blend * logits.log_softmax(1)).sum(1)
        objective = torch.where(has, values, 0.0).sum() / has.sum().clamp(min=1)
        if self.prior_weight and bool(has.any()) and run.epoch >= self.warmup:
            objective = objective + self.prior_weight * class_prior(logits[has])
        member.update(objective)

    def _doubt(self, own: Units) -> Tensor:
        return self._noisy[own.ids.cpu()].to(own.logits)

    def _target(self, run: Run, own: Units) -> Tensor:
        """(u, K): label and guess, weighted."""
        doubt = self._doubt(own)[:, None]
        probs = own.logits.softmax(1)
        guess = one_hot(probs.argmax(1), run.task.n_classes, probs.dtype) if self.kind == "hard" else probs
        return (1 - doubt) * one_hot(own.labels, run.task.n_classes, probs.dtype) + doubt * guess

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        return {"noise_rate": round(float(self._noisy.mean()), 4)}
