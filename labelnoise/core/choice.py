"""How many labels to flag: the flags of ``detect`` that name a rule, and what they decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from labelnoise.core.detection import Detection
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = ["OWN_RULE", "Choice", "decision", "not_calibrated"]

#: The value of ``--rule`` for the method's own decision.
OWN_RULE = "own"


@Parameter(name="*")
@dataclass(frozen=True)
class Choice:
    """How many labels `detect` flags; at most one of these."""

    expected_f1: Annotated[
        bool,
        Parameter(help="The number that maximises the expected F1; the default where p_wrong is calibrated."),
    ] = False
    expected_count: Annotated[bool, Parameter(help="As many as are expected to be wrong.")] = False
    fdr: Annotated[
        float | None, Parameter(help="At most this expected share of false alarms, for instance 0.1.")
    ] = None
    top: Annotated[int | None, Parameter(help="The N most probably wrong.")] = None
    rule: Annotated[str | None, Parameter(help="'own', or the method's name: its own published rule.")] = None

    def named(self, method: str) -> tuple[str | None, dict[str, Any]]:
        """The rule's name (None = not chosen) and its number; refuses two rules at once and bad numbers."""
        chosen: list[tuple[str, dict[str, Any]]] = []
        if self.expected_f1:
            chosen.append(("expected-f1", {}))
        if self.expected_count:
            chosen.append(("expected-count", {}))
        if self.fdr is not None:
            chosen.append(("fdr", {"fdr": as_rate(self.fdr, name="--fdr")}))
        if self.top is not None:
            if self.top < 0:
                raise InputError(f"--top is {self.top}; give the number of labels to flag, 0 or more.")
            chosen.append(("top", {"top": self.top}))
        if self.rule is not None:
            rule = choose(self.rule, {OWN_RULE, method, "expected-f1", "expected-count"}, "rule")
            chosen.append((OWN_RULE if rule == method else rule, {}))
        if len(chosen) > 1:
            names = " and ".join("--rule" if name == OWN_RULE else f"--{name}" for name, _ in chosen)
            raise InputError(f"{names} were given together; choose one rule.")
        return chosen[0] if chosen else (None, {})


def decision(
    detection: Detection, choice: Choice, *, calibrated: tuple[str, ...] = ()
) -> tuple[NDArray[np.bool_], str]:
    """Flag by the chosen rule; by default expected F1 where there are probabilities, else the method's own.

    Parameters
    ----------
    detection : Detection
    choice : Choice
    calibrated : tuple of str
        Methods to name when this one has no probabilities.

    Returns
    -------
    flagged : ndarray of bool, shape (n,)
    rule : str
        In words, for the header.

    Raises
    ------
    InputError
        The rule needs probabilities and the method has none.
    """
    rule, numbers = choice.named(detection.method)
    if rule == OWN_RULE or (rule is None and detection.p_wrong is None):
        return np.asarray(detection.flagged, dtype=bool), f"{detection.method}'s own"
    rule = rule or "expected-f1"
    if detection.p_wrong is None:
        raise not_calibrated(rule, detection.method, calibrated)
    from labelnoise.core.decision import decide

    words = " ".join([rule, *(f"{value:g}" for value in numbers.values())])
    flagged = decide(detection.p_wrong, rule=rule, strata=detection.strata, **numbers)  # type: ignore[arg-type]
    return flagged, words


def not_calibrated(rule: str, method: str, calibrated: tuple[str, ...]) -> InputError:
    others = (
        f"choose a calibrated method ({', '.join(calibrated)})"
        if calibrated
        else "choose a calibrated method"
    )
    return InputError(
        f"--{rule} needs the probability that each label is wrong, and {method!r} only ranks; "
        f"{others}, or --rule {OWN_RULE} for its own decision."
    )
