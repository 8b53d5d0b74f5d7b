"""From calibrated probabilities of error to a decision: how many, and which.

Shared by every modality: a detector's last step is `P(given label is wrong)` per unit, and everything after it
is here.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_rate, choose

__all__ = ["RULES", "Rule", "decide", "expected_fdr"]

Rule = Literal["expected-f1", "expected-count", "fdr", "top"]
#: Largest ratio of expected false-alarm rates between a part of the data and its best supported part.
FAIR_RATIO = 1.0
#: The decision rules that `decide` knows.
RULES: tuple[Rule, ...] = ("expected-f1", "expected-count", "fdr", "top")


def decide(
    p_wrong: ArrayLike,
    *,
    rule: Rule = "expected-f1",
    fdr: float | None = None,
    top: int | None = None,
    strata: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Flag units by their probability of error.

    Parameters
    ----------
    p_wrong : array_like, shape (n,)
        Probability that the given label is wrong; 0 for units without a label.
    rule : {"expected-f1", "expected-count", "fdr", "top"}
        * ``expected-f1``: the k most suspicious, with k maximising ``2 sum_{top k} p / (k + sum p)``, the
          plug-in expected F1 (Lewis 1995, "Evaluating and optimizing autonomous text classification systems").
        * ``expected-count``: as many as are expected to be wrong, ``round(sum p)``.
        * ``fdr``: the most units such that the expected share of false alarms among them is at most ``fdr``
          (Bayesian false-discovery rate; Newton et al. 2004).
        * ``top``: the ``top`` most suspicious.
    fdr : float, optional
        Allowed share of false alarms, for ``rule="fdr"``.
    top : int, optional
        Number to flag, for ``rule="top"``.
    strata : array_like of int, shape (n,), optional
        Parts of the data. Under ``expected-f1`` and ``fdr`` the expected false-alarm rate of a part may be at
        most `FAIR_RATIO` times that of part 0 (the best supported one); its least likely flags are dropped
        until it is. Without this, units with little evidence (isolated nodes) are flagged out of proportion.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> p = [0.99, 0.9, 0.6, 0.05, 0.01]
    >>> decide(p).tolist()
    [True, True, True, False, False]
    >>> decide(p, rule="fdr", fdr=0.1).tolist()
    [True, True, False, False, False]
    >>> decide(p, rule="top", top=1).sum()
    np.int64(1)
    """
    choose(rule, RULES, "decision rule")
    p = np.asarray(p_wrong, dtype=np.float64)
    if p.ndim != 1:
        raise InputError(f"p_wrong has shape {p.shape}; a vector with one probability per unit is needed.")
    if p.size and not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1 + 1e-9):
        raise InputError(
            "p_wrong holds values outside [0, 1]; only calibrated detectors can be decided on by it."
        )
    if rule == "fdr" and fdr is None:
        raise InputError("rule 'fdr' needs the allowed share of false alarms, for instance fdr=0.1.")
    if rule == "top" and (top is None or top < 0):
        raise InputError(f"rule 'top' needs the number of units to flag (0 or more), got {top}.")
    flagged = np.zeros(len(p), dtype=bool)
    if not p.size:
        return flagged
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    possible = int(np.count_nonzero(ranked > 0))
    if rule == "expected-f1":
        size = np.arange(1, len(p) + 1)
        gain = 2 * np.cumsum(ranked) / (size + ranked.sum())
        k = int(np.argmax(gain)) + 1 if ranked[0] >= 0.5 else _few(ranked, gain)
    elif rule == "expected-count":
        k = round(float(ranked.sum()))
    elif rule == "fdr":
        within = (
            np.cumsum(1 - ranked) / np.arange(1, len(p) + 1) <= as_rate(float(fdr or 0.0), name="fdr") + 1e-12
        )
        k = int(np.flatnonzero(within)[-1]) + 1 if within.any() else 0
    else:
        k = int(top or 0)
    flagged[order[: min(k, possible)]] = True
    if strata is not None and rule in ("expected-f1", "fdr"):
        _keep_in_proportion(flagged, p, np.asarray(strata))
    return flagged


def _keep_in_proportion(flagged: NDArray[np.bool_], p: NDArray[np.float64], strata: NDArray[Any]) -> None:
    """Drop the least likely flags of every part whose expected false-alarm rate is out of proportion."""
    right = 1 - p
    base = strata == 0
    total = float(right[base].sum())
    if total <= 0:
        return
    allowed = FAIR_RATIO * float(right[base & flagged].sum()) / total
    for part in np.unique(strata[strata != 0]):
        member = np.flatnonzero((strata == part) & flagged)
        member = member[np.argsort(-p[member], kind="stable")]
        rate = np.cumsum(right[member]) / max(float(right[strata == part].sum()), 1e-300)
        flagged[member[rate > allowed]] = False


def _few(ranked: NDArray[np.float64], gain: NDArray[Any]) -> int:
    """Size of the answer when no unit is more likely wrong than right: flag only if an error is expected at all.

    With a clean data set the plug-in F1 would still flag someone, since flagging nothing scores 0 by definition;
    below half an expected error the honest answer is none.
    """
    return int(np.argmax(gain)) + 1 if ranked.sum() >= 0.5 else 0


def expected_fdr(p_wrong: ArrayLike, flagged: ArrayLike) -> float:
    """Expected share of right labels among the flagged ones; 0 when nothing is flagged.

    Examples
    --------
    >>> round(expected_fdr([0.9, 0.7, 0.1], [True, True, False]), 2)
    0.2
    """
    chosen = np.asarray(p_wrong, dtype=np.float64)[np.asarray(flagged, dtype=bool)]
    return float(np.mean(1 - chosen)) if chosen.size else 0.0
