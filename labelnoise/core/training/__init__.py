"""Training that survives wrong labels: one loop, strategies by name. Needs torch and accelerate when used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.strategy import Strategy

__all__ = ["STRATEGIES", "get_strategy"]

_HERE = "labelnoise.core.training."

#: Ways to train, by name.
STRATEGIES = Registry("strategy")


def get_strategy(name: str, **options: Any) -> Strategy:
    """A strategy by name with its options set.

    Raises
    ------
    InputError
        An unknown strategy or option.

    Examples
    --------
    >>> get_strategy("plain", loss="gce").options()
    {'loss': 'gce', 'parameters': {}, 'augment': False}
    >>> get_strategy("plain", los="gce")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The strategy 'plain' has no option 'los'. It takes: loss, parameters, augment.
    """
    entry = STRATEGIES[name]
    target = entry.load()
    known = [field.name for field in dataclasses.fields(target) if field.name not in entry.options]  # type: ignore[arg-type]
    for key in options:
        if key not in known:
            raise InputError(
                f"The strategy {name!r} has no option {key!r}. It takes: {', '.join(known) or 'none'}."
            )
    made: Strategy = target(**{**entry.options, **options})
    return made


STRATEGIES.add(
    Entry(
        "plain",
        _HERE + "plain:Plain",
        "All units alike, under any loss.",
        "Robbins, Monro (1951), A stochastic approximation method, Annals of Mathematical Statistics",
        formula="mean over units of loss(z, y)",
        helps="Clean labels, and the row that every other strategy has to beat.",
        hurts="Memorises wrong labels.",
    ),
    Entry("small_loss", _HERE + "small_loss:SmallLoss", "S.", "2018"),
    Entry("co_teaching", _HERE + "small_loss:CoTeaching", "S.", "2018"),
    Entry("elr", _HERE + "elr:ELR", "S.", "2018"),
    Entry("adaptive_k", _HERE + "adaptive_k:AdaptiveK", "S.", "2018"),
    Entry("self_distillation", _HERE + "distillation:SelfDistillation", "S.", "2018"),
    Entry("sharpness_aware", _HERE + "sharpness:SharpnessAware", "S.", "2018"),
    Entry("cross_split", _HERE + "cross_split:CrossSplit", "S.", "2018"),
    Entry("divide_mix", _HERE + "divide_mix:DivideMix", "S.", "2018"),
    Entry("forward", _HERE + "correction:ForwardCorrection", "S.", "2018"),
    Entry("backward", _HERE + "correction:BackwardCorrection", "S.", "2018"),
    Entry("rent", _HERE + "resampling:Resampling", "S.", "2018"),
    Entry("dws", _HERE + "resampling:DirichletWeights", "S.", "2018"),
    Entry("late_stopping", _HERE + "late_stopping:LateStopping", "S.", "2018"),
    Entry("rescaling", _HERE + "rescaling:Rescaling", "S.", "2018"),
    Entry("bootstrapping", _HERE + "bootstrapping:Bootstrapping", "S.", "2018"),
    Entry("volume", _HERE + "volume:VolumeMinimisation", "S.", "2018"),
)
