"""Noise of entities learned from real wrong tags, and replayed on the same or on other text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.corruption import Corruption
from labelnoise.core.validation import InputError, as_rate
from labelnoise.text.consistency import FormConsistency, consistency_of, surface_forms
from labelnoise.text.damage import SHIFTS, WORD_CLASSES, Habits, Quota, candidates, damage
from labelnoise.text.dataset import TextDataset
from labelnoise.text.span_noise import TOLERANCE, check_rate, describe_damage
from labelnoise.text.spans import compare_spans
from labelnoise.text.token_noise import bisect_factor, open_pair

__all__ = ["TextNoise", "fit_text_noise", "fitted"]

Floats = NDArray[np.float64]
_WRONG = ("missing", "type", "boundary")


@dataclass(frozen=True, kw_only=True, eq=False)
class TextNoise:
    """How the entities of one text were tagged wrongly.

    Attributes
    ----------
    types : tuple of str
    rates : ndarray, shape (types, 3)
        Shares of each type's true entities that are missing, of another type, of another extent.
    spurious : ndarray, shape (types,)
        Spurious entities of each given type, per true entity of any type.
    type_confusion : ndarray, shape (types, types)
        Counts of the wrong type j for the true type i, at equal extent.
    shifts, shift_share : tuple of (int, int) and ndarray
        How far beginnings and ends moved, and how often.
    plausibility : ndarray, shape (5,)
        Chance of each of `labelnoise.text.damage.WORD_CLASSES` outside of entities to be tagged.
    consistency : float
        Probability that all mentions of a form share one fate, from 0 to 1.
    entities : float
        Share of wrong entities, 1 - micro F1.
    forms : FormConsistency, optional
        What was observed; None where no form has three mentions (``consistency`` is then 0).
    """

    types: tuple[str, ...]
    rates: Floats
    spurious: Floats
    type_confusion: Floats
    shifts: tuple[tuple[int, int], ...]
    shift_share: Floats
    plausibility: Floats
    consistency: float
    entities: float
    forms: FormConsistency | None

    def replay(
        self, dataset: TextDataset, seed: int, rate: float | None = None, *, consistency: float | None = None
    ) -> Corruption:
        """Make the same kind of noise on given tags that are taken as right.

        Parameters
        ----------
        dataset : TextDataset
            Its types must be among those of the fit, by name.
        seed : int
        rate : float, optional
            Another share of wrong entities; the odds of all errors are scaled by one factor.
        consistency : float, optional
            Another one, 0 to 1.

        Returns
        -------
        Corruption
            With the entity-level rates of `labelnoise.text.span_noise.mixed`.

        Raises
        ------
        InputError
            Unknown types, no entity, a rate that cannot be reached.
        """
        place = type_places_of(self, dataset)
        spans = dataset.spans()
        if not len(spans):
            raise InputError(f"{dataset.name!r} has no entity; noise of entities needs one.")
        size = np.bincount(spans["type"], minlength=len(dataset.types)).astype(np.float64)
        rates, extra = self.rates[place], self.spurious[place]
        goal = _expected(rates, extra, size) if rate is None else as_rate(rate)
        habits = Habits(
            consistency=self.consistency if consistency is None else as_rate(consistency, name="consistency"),
            type_confusion=self.type_confusion[np.ix_(place, place)] + 1e-9,
            type_share=extra + 1e-9,
            shifts=self.shifts,
            shift_share=self.shift_share,
            plausibility=self.plausibility,
        )
        aim, best = goal, None
        # Entities that cannot move, and too few words to tag, leave errors out: ask for more of all kinds then.
        for attempt in range(5):
            factor = 1.0
            if rate is not None or attempt:
                factor = _factor(rates, extra, size, min(max(aim, 0.0), 1.0))
            labels, _ = damage(dataset, _quotas(*_scaled(rates, extra, factor), size), seed, habits)
            made = describe_damage(dataset, labels)
            if best is None or abs(made.rates["entities"] - goal) < abs(best.rates["entities"] - goal):
                best = made
            if abs(made.rates["entities"] - goal) < TOLERANCE / 2:
                break
            aim += goal - made.rates["entities"]
        assert best is not None
        return best if rate is None else check_rate(best, goal, 1.0 / len(spans))


def fit_text_noise(clean: TextDataset, noisy: TextDataset) -> TextNoise:
    """Learn which entities are wrong, how, and how far errors repeat per surface form.

    Parameters
    ----------
    clean, noisy : TextDataset
        The same tokens, sentences and types; the given tags of each are used. Tokens without a tag in either
        are left out.

    Returns
    -------
    TextNoise

    Raises
    ------
    InputError
        Different texts or types; no true entity.

    Notes
    -----
    Consistency c is set so that the expected share of uniform forms, c + (1 - c) E, is the observed one, with E
    from the rates per type; then corrected once by what a replay shows.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from labelnoise.text.data import load_text
    >>> news = load_text("news")
    >>> model = fit_text_noise(replace(news, given=news.true, true=None), news)
    >>> again = model.replay(replace(news, given=news.true, true=None), seed=1)
    >>> round(model.entities, 3), round(again.rates["entities"], 3)
    (0.106, 0.106)
    """
    if clean.n_units != noisy.n_units or not np.array_equal(clean.starts, noisy.starts):
        raise InputError(
            f"The clean text has {clean.n_units} tokens in {clean.n_sentences} sentences, the noisy one "
            f"{noisy.n_units} in {noisy.n_sentences}; both must be the same text."
        )
    if clean.types != noisy.types:
        raise InputError(f"The types differ ({clean.types} and {noisy.types}); use the same ones in both.")
    seen = clean.labelled & noisy.labelled
    clean = replace(clean, given=np.where(seen, clean.given, -1), true=None)
    noisy = replace(noisy, given=np.where(seen, noisy.given, -1), true=None)
    before, after, k = clean.spans(), noisy.spans(), len(clean.types)
    if not len(before):
        raise InputError(f"{clean.name!r} has no entity in its clean tags; there is nothing to learn from.")
    kinds, left, right = compare_spans(after, before, clean.n_units)
    size = np.bincount(before["type"], minlength=k)
    counts = np.zeros((k, len(_WRONG)))
    for column, kind in enumerate(_WRONG):
        counts[:, column] = np.bincount(before["type"][right[kinds == kind]], minlength=k)
    retyped, moved, extra = (kinds == kind for kind in ("type", "boundary", "spurious"))
    confusion = np.zeros((k, k))
    np.add.at(confusion, (before["type"][right[retyped]], after["type"][left[retyped]]), 1.0)
    starts = after["start"][left[moved]] - before["start"][right[moved]]
    ends = after["end"][left[moved]] - before["end"][right[moved]]
    pairs, often = np.unique(np.stack([starts, ends], axis=1), axis=0, return_counts=True)
    added = after[left[extra]]
    wrong = ~np.isin(before, after)
    total = len(before) + len(after)
    try:
        forms = consistency_of(clean, before, wrong)
    except InputError:  # No form is repeated: errors cannot be seen to repeat.
        forms = None
    model = TextNoise(
        types=clean.types,
        rates=np.divide(counts, size[:, None], out=np.zeros_like(counts), where=size[:, None] > 0),
        spurious=np.bincount(added["type"], minlength=k) / len(before),
        type_confusion=confusion,
        shifts=tuple((int(a), int(b)) for a, b in pairs) or SHIFTS,
        shift_share=often / often.sum() if len(often) else np.full(len(SHIFTS), 1.0 / len(SHIFTS)),
        plausibility=_plausibility(clean, added),
        consistency=0.0,
        entities=1.0 - 2.0 * int((~wrong).sum()) / total,
        forms=forms,
    )
    return model if forms is None else _with_consistency(model, clean, before, forms)


def fitted(
    dataset: TextDataset,
    rate: float,
    seed: int,
    *,
    pair: TextDataset | str | Path | None = None,
    consistency: float | None = None,
) -> Corruption:
    """The noise of a text with given and true tags, replayed at a rate; see `TextNoise.replay`.

    Parameters
    ----------
    pair : TextDataset, str or path
        Text with given and true tags, or its name or path.
    consistency : float, optional
        Instead of the learned one.
    """
    if pair is None:
        raise InputError(
            "Fitted noise needs an example: pass pair=NAME or PATH of text with given and true tags."
        )
    known = open_pair(pair)
    assert known.true is not None
    model = fit_text_noise(replace(known, given=known.true, true=None), replace(known, true=None))
    return model.replay(dataset, seed, rate, consistency=consistency)


def type_places_of(model: TextNoise, dataset: TextDataset) -> list[int]:
    """Where each type of the text stands in the model."""
    missing = [name for name in dataset.types if name not in model.types]
    if missing:
        raise InputError(
            f"The noise was learned on the types {', '.join(model.types)}; it says nothing about {missing[0]!r}."
        )
    return [model.types.index(name) for name in dataset.types]


def _plausibility(clean: TextDataset, added: NDArray[Any]) -> Floats:
    """Spurious entities per candidate, by what the first word looks like."""
    from labelnoise.text.damage import word_classes

    classes = len(WORD_CLASSES)
    free = np.asarray(clean.given) == 0
    _, kinds = candidates(clean, free)
    there = np.bincount(kinds, minlength=classes)
    starts = added["start"][free[added["start"]]]
    found = np.bincount(word_classes(clean)[starts], minlength=classes)
    if not found.any():
        return np.array([1.0, 0.1, 0.02, 0.02, 0.0])
    return np.asarray(np.minimum((found + 1e-3) / np.maximum(there, 1), 1.0))


def _with_consistency(
    model: TextNoise, clean: TextDataset, before: NDArray[Any], forms: FormConsistency
) -> TextNoise:
    wrong = np.clip(model.rates.sum(axis=1), 0.0, 1.0)[before["type"]]
    _, index, size = np.unique(surface_forms(clean, before), return_inverse=True, return_counts=True)
    with np.errstate(divide="ignore"):
        both = np.exp(np.bincount(index, weights=np.log(wrong))) + np.exp(
            np.bincount(index, weights=np.log1p(-wrong))
        )
    alone = float(both[size >= 3].mean())
    guess = float(np.clip((forms.share - alone) / max(1.0 - alone, 1e-9), 0.0, 1.0))
    # Spurious entities leave the true ones as they are, so this replay does without.
    silent = replace(model, consistency=guess, spurious=np.zeros_like(model.spurious))
    first = silent.replay(clean, 0).rates["form_consistency"]
    better = guess + (forms.share - first) / max(1.0 - alone, 1e-9)
    return replace(model, consistency=float(np.clip(better, 0.0, 1.0)))


def _scaled(rates: Floats, extra: Floats, factor: float) -> tuple[Floats, Floats]:
    total = rates.sum(axis=1, keepdims=True)
    return rates * factor / np.maximum(1.0 - total + factor * total, 1e-300), extra * factor


def _expected(rates: Floats, extra: Floats, size: Floats) -> float:
    """Share of wrong entities for these shares of errors."""
    n = float(size.sum())
    right = float(size @ (1.0 - rates.sum(axis=1)))
    given = n - float(size @ rates[:, 0]) + n * float(extra.sum())
    return 1.0 - 2.0 * right / (n + given)


def _factor(rates: Floats, extra: Floats, size: Floats, goal: float) -> float:
    if goal <= 0.0:
        return 0.0
    if _expected(rates, extra, size) <= 0.0:
        raise InputError(
            "The noise was learned from tags without errors; it cannot be scaled to another rate."
        )
    return bisect_factor(lambda factor: _expected(*_scaled(rates, extra, factor), size), goal)


def _quotas(rates: Floats, extra: Floats, size: Floats) -> list[Quota]:
    """Whole numbers per kind and type; the entities that can be moved are chosen first."""
    quotas = [
        Quota(kind, round(float(rates[t, _WRONG.index(kind)] * size[t])), t)
        for kind in ("boundary", "type", "missing")
        for t in range(len(size))
    ]
    share = extra / extra.sum() if extra.sum() else extra
    quotas += [
        Quota("spurious", round(float(extra.sum() * size.sum() * share[t])), t) for t in range(len(size))
    ]
    return quotas
