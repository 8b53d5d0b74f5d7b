"""Noise on whole entities: missing, spurious, wrong type, wrong boundary, at an exact share of wrong entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.text.consistency import consistency_of
from labelnoise.text.damage import Habits, Quota, damage
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import spans_of
from labelnoise.text.spans import KINDS, compare_spans

__all__ = ["SHARES", "TOLERANCE", "boundary", "describe_damage", "missing", "mixed", "spurious", "wrong_type"]

#: The realised share of wrong entities lies this close to the asked one, or as close as one entity allows.
TOLERANCE = 0.005
#: Default shares of the kinds among the errors of `mixed`: the mean of the six real sets of NoiseBench.
SHARES = {"missing": 0.373, "spurious": 0.133, "type": 0.323, "boundary": 0.171}


def missing(dataset: TextDataset, rate: float, seed: int, *, consistency: float = 0.0) -> Corruption:
    """Entities without their tags; see `mixed`.

    Examples
    --------
    >>> from labelnoise.text.data import load_text
    >>> made = missing(load_text("news"), 0.3, seed=0)
    >>> round(made.rates["entities"], 4), round(made.rates["missing"], 4)
    (0.2998, 0.4613)
    """
    return mixed(dataset, rate, seed, shares={"missing": 1.0}, consistency=consistency)


def spurious(dataset: TextDataset, rate: float, seed: int, *, consistency: float = 0.0) -> Corruption:
    """Tagged words that are no entities; with consistency 1 a word is tagged wherever it stands alone; see `mixed`."""
    return mixed(dataset, rate, seed, shares={"spurious": 1.0}, consistency=consistency)


def wrong_type(
    dataset: TextDataset,
    rate: float,
    seed: int,
    *,
    consistency: float = 0.0,
    confusion: ArrayLike | None = None,
) -> Corruption:
    """Entities of the right extent under another type; see `mixed`."""
    return mixed(dataset, rate, seed, shares={"type": 1.0}, consistency=consistency, confusion=confusion)


def boundary(dataset: TextDataset, rate: float, seed: int, *, consistency: float = 0.0) -> Corruption:
    """Entities that begin or end one token too early or too late; see `mixed`."""
    return mixed(dataset, rate, seed, shares={"boundary": 1.0}, consistency=consistency)


def mixed(
    dataset: TextDataset,
    rate: float,
    seed: int,
    *,
    shares: Mapping[str, float] | Sequence[float] | None = None,
    consistency: float = 0.0,
    confusion: ArrayLike | None = None,
) -> Corruption:
    """Wrong entities of all kinds at an exact overall share; the tags stay valid BIO.

    Parameters
    ----------
    dataset : TextDataset
        Its given tags are taken as right.
    rate : float
        Share of wrong entities, 1 - micro F1 of entities, 0 to 1 (not the share of wrong tokens).
    seed : int
    shares : mapping of str to float, or four floats in the order of `labelnoise.text.spans.KINDS`, optional
        Share of each kind among the errors; scaled to sum 1. Default `SHARES`.
    consistency : float
        Probability that all mentions of a surface form share the same fate, 0 to 1. Real errors repeat:
        0.8 of the mentions in sets made from a gazetteer belong to forms that are always right or always wrong.
    confusion : array_like, shape (types, types), optional
        Weight of the wrong type j for the true type i; uniform by default.

    Returns
    -------
    Corruption
        ``rate`` counts tokens; ``rates`` has "entities" (the calibrated one), each kind per true entity, and
        "form_consistency" with "form_consistency_if_independent" where a form has three mentions.

    Raises
    ------
    InputError
        Shares or consistency out of range; no entity; a rate that these kinds cannot reach in this text.

    Notes
    -----
    With N entities, D errors, and m, s the shares of missing and spurious among them, the share of wrong entities is
    1 - 2 (N - (1 - s) D) / (2 N + (s - m) D), which gives D.

    Examples
    --------
    >>> from labelnoise.text.data import load_text
    >>> made = mixed(load_text("news"), 0.3, seed=0, consistency=0.8)
    >>> round(made.rates["entities"], 4)
    0.3
    """
    rate, consistency = as_rate(rate), as_rate(consistency, name="consistency")
    share = _as_shares(shares)
    spans = dataset.spans()
    if not len(spans):
        raise InputError(f"{dataset.name!r} has no entity; noise of entities needs one.")
    k = len(dataset.types)
    if share["type"] and k < 2 and rate:
        raise InputError("There is only one entity type, so none can be wrong; leave out the kind 'type'.")
    weight = np.ones((k, k)) if confusion is None else np.asarray(confusion, dtype=np.float64)
    if weight.shape != (k, k) or not np.isfinite(weight).all() or weight.min() < 0:
        raise InputError(
            f"confusion has shape {weight.shape}; a matrix of {k} x {k} weights, 0 or more, is needed."
        )
    habits = Habits(
        consistency=consistency,
        type_confusion=weight,
        type_share=np.bincount(spans["type"], minlength=k).astype(np.float64),
    )
    counts = _counts(rate, share, len(spans))
    labels, done = damage(dataset, [Quota(kind, count) for kind, count in counts.items()], seed, habits)
    # Where all errors were made, one entity more or less is all that can be amiss in a short text.
    slack = 1.0 / len(spans) if done == list(counts.values()) else 0.0
    return check_rate(describe_damage(dataset, labels), rate, slack)


def check_rate(made: Corruption, rate: float, slack: float = 0.0) -> Corruption:
    """The corruption, if its share of wrong entities is the asked one."""
    reached = made.rates["entities"]
    if abs(reached - rate) > max(TOLERANCE, slack):
        raise InputError(
            f"A rate of {rate:g} cannot be reached in this text (these kinds got to {reached:.3f}); "
            "ask for less, or mix in other kinds."
        )
    return made


def describe_damage(dataset: TextDataset, labels: NDArray[np.int64], **extra: Any) -> Corruption:
    """A `Corruption` with the entity-level rates of new tags against the given ones."""
    before, after = dataset.spans(), spans_of(labels, starts=dataset.starts)
    wrong = ~np.isin(before, after)
    total = len(before) + len(after)
    rates = {"entities": 1.0 - 2.0 * int((~wrong).sum()) / total if total else 0.0}
    kinds, _, _ = compare_spans(after, before, dataset.n_units)
    rates |= {kind: int((kinds == kind).sum()) / max(len(before), 1) for kind in KINDS}
    try:
        found = consistency_of(dataset, before, wrong)
    except InputError:  # No form is repeated: there is nothing to tell.
        found = None
    if found is not None:
        rates |= {"form_consistency": found.share, "form_consistency_if_independent": found.expected}
    return compare_labels(np.asarray(dataset.given, dtype=np.int64), labels, rates=rates, **extra)


def _as_shares(shares: Mapping[str, float] | Sequence[float] | None) -> dict[str, float]:
    if shares is None:
        return dict(SHARES)
    if not isinstance(shares, Mapping):
        if len(shares) != len(KINDS):
            raise InputError(f"shares has {len(shares)} numbers; give one each for {', '.join(KINDS)}.")
        shares = dict(zip(KINDS, shares, strict=True))
    for name in shares:
        choose(name, KINDS, "kind of wrong entity")
    values = {kind: float(shares.get(kind, 0.0)) for kind in KINDS}
    total = sum(values.values())
    if not np.isfinite(total) or total <= 0 or min(values.values()) < 0:
        raise InputError(f"shares are {values}; they must be 0 or more, and not all 0.")
    return {kind: value / total for kind, value in values.items()}


def _counts(rate: float, share: Mapping[str, float], entities: int) -> dict[str, int]:
    """Whole numbers of errors per kind whose share of wrong entities is nearest to the rate."""
    hit, tilt = 1.0 - share["spurious"], share["spurious"] - share["missing"]
    unit = tilt * (1.0 - rate) + 2.0 * hit
    if unit <= 0:
        raise InputError("Spurious entities alone never make all entities wrong; ask for a rate below 1.")
    total = 2.0 * entities * rate / unit
    exact = {kind: total * value for kind, value in share.items()}
    counts = {kind: int(value) for kind, value in exact.items()}
    spare = round(total) - sum(counts.values())
    for kind in sorted(exact, key=lambda kind: counts[kind] - exact[kind])[:spare]:
        counts[kind] += 1
    return counts
