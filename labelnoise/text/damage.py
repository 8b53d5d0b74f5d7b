"""Turn given numbers of entities into missing, spurious, mistyped or misplaced ones, whole forms together if asked.

Every draw is keyed by the seed and the surface form (or the single mention), so that what happens to an entity
depends neither on the order of the sentences nor on the other entities, unless they touch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._noise_groups import keyed_uniform
from labelnoise.core.random import seed_sequence
from labelnoise.text.consistency import form_hashes, surface_forms
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import SPAN, tags_of

__all__ = ["SHIFTS", "WORD_CLASSES", "Habits", "Quota", "candidates", "damage"]

#: Moves of the first and the last token: one token more or less on either side.
SHIFTS = ((-1, 0), (0, 1), (1, 0), (0, -1))
#: What a wrongly tagged word looks like; each class has its own plausibility.
WORD_CLASSES = ("capitalised", "capitalised at the beginning", "with letters", "with digits", "other")
_LONGEST = 4


@dataclass(frozen=True)
class Quota:
    """How many entities shall be damaged in one way; of one true type (for spurious ones: given type) or of any."""

    kind: str
    count: int
    type: int | None = None


@dataclass(frozen=True, eq=False)
class Habits:
    """How entities are damaged.

    Attributes
    ----------
    consistency : float
        Probability that all mentions of a form share one fate.
    type_confusion : ndarray, shape (K, K)
        Weight of the wrong type j for the true type i; the diagonal is ignored.
    type_share : ndarray, shape (K,)
        Weights of the types of spurious entities.
    shifts : sequence of (int, int)
        Moves of beginning and end.
    shift_share : ndarray, shape (len(shifts),)
    plausibility : ndarray, shape (5,)
        Relative chance of each of `WORD_CLASSES` to be tagged wrongly.
    """

    consistency: float
    type_confusion: NDArray[np.float64]
    type_share: NDArray[np.float64]
    shifts: Sequence[tuple[int, int]] = SHIFTS
    shift_share: NDArray[np.float64] = field(default_factory=lambda: np.full(len(SHIFTS), 0.25))
    plausibility: NDArray[np.float64] = field(default_factory=lambda: np.array([1.0, 0.1, 0.02, 0.02, 0.0]))


def damage(
    dataset: TextDataset, quotas: Sequence[Quota], seed: int, habits: Habits
) -> tuple[NDArray[np.int64], list[int]]:
    """Damage entities of the given tags.

    Parameters
    ----------
    dataset : TextDataset
    quotas : sequence of Quota
        Spurious entities are placed last, whatever their place in the list.
    seed : int
    habits : Habits

    Returns
    -------
    labels : ndarray of int64, shape (n,)
        Valid BIO tag ids; -1 stays.
    done : list of int
        How many entities were damaged per quota: fewer than asked where there were no more.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "met", "Bob"]], [["B-PER", "O", "B-PER"]], name="d")
    >>> habits = Habits(1.0, np.zeros((1, 1)), np.ones(1))
    >>> damage(data, [Quota("missing", 1), Quota("missing", 4)], 0, habits)
    (array([0, 0, 0]), [1, 1])
    """
    work = _Work(dataset, seed, habits)
    order = sorted(range(len(quotas)), key=lambda place: quotas[place].kind == "spurious")
    done = [0] * len(quotas)
    for place in order:
        quota = quotas[place]
        done[place] = work.spurious(quota) if quota.kind == "spurious" else work.wrong(quota)
    return work.labels(), done


class _Work:
    """Tags under damage."""

    def __init__(self, dataset: TextDataset, seed: int, habits: Habits) -> None:
        self.dataset, self.habits = dataset, habits
        self.key = int(seed_sequence(seed, "text", "damage").generate_state(1, np.uint64)[0])
        self.spans = dataset.spans()
        self.forms = form_hashes(surface_forms(dataset, self.spans))
        self.together, self.rank = self._ranks(self.spans, self.forms)
        self.used = np.zeros(len(self.spans), dtype=bool)
        self.dropped = np.zeros(len(self.spans), dtype=bool)
        self.after = self.spans.copy()
        self.added: list[NDArray[Any]] = []
        # Extents outside of entities, with plausibility and form; made once, since spurious ones come last.
        self.words: tuple[NDArray[Any], NDArray[np.float64], NDArray[np.uint64]] | None = None
        # Who holds a token: an entity (also after it shrank), -1 nobody, -2 a token without a label.
        self.owner = np.where(np.asarray(dataset.given) < 0, -2, -1)
        for place, span in enumerate(self.spans):
            self.owner[span["start"] : span["end"]] = place

    def labels(self) -> NDArray[np.int64]:
        spans = np.concatenate([self.after[~self.dropped], *self.added])
        return tags_of(spans, self.dataset.n_units, labelled=np.asarray(self.dataset.given) >= 0)

    def wrong(self, quota: Quota) -> int:
        eligible = ~self.used if quota.type is None else ~self.used & (self.spans["type"] == quota.type)
        rows = np.flatnonzero(eligible)
        act = {"missing": self._drop, "type": self._retype, "boundary": self._move}[quota.kind]
        return _fill(rows, self.forms, self.together, self.rank, quota.count, act)

    def spurious(self, quota: Quota) -> int:
        if not quota.count:
            return 0
        if self.words is None:
            spans, kinds = candidates(self.dataset, self.owner == -1)
            weight = self.habits.plausibility[kinds]
            spans, weight = spans[weight > 0], weight[weight > 0]
            self.words = spans, weight, form_hashes(surface_forms(self.dataset, spans))
        left = self.owner[self.words[0]["start"]] == -1
        spans, weight, forms = (column[left] for column in self.words)
        together, rank = self._ranks(spans, forms)
        # Order of a weighted draw without replacement (Efraimidis and Spirakis 2006).
        rank = -np.log(rank) / weight
        draw = self._draw("spurious type", spans, forms, together)
        share = np.cumsum(self.habits.type_share) / self.habits.type_share.sum()
        spans["type"] = np.minimum((draw[:, None] >= share).sum(axis=1), len(share) - 1)
        if quota.type is not None:
            spans["type"] = quota.type
        taken: list[int] = []

        def act(place: int) -> bool:
            taken.append(place)
            self.owner[spans[place]["start"] : spans[place]["end"]] = len(self.spans)
            return True

        done = _fill(np.arange(len(spans)), forms, together, rank, quota.count, act)
        self.added.append(spans[taken])
        return done

    def _ranks(
        self, spans: NDArray[Any], forms: NDArray[np.uint64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        together = keyed_uniform(self.key, "together", forms) < self.habits.consistency
        return together, self._draw("rank", spans, forms, together)

    def _draw(
        self, purpose: str, spans: NDArray[Any], forms: NDArray[np.uint64], together: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """One number per form where its mentions go together, else per mention."""
        place = self.dataset.position[spans["start"]]
        alone = keyed_uniform(self.key, purpose, forms, spans["sentence"], place)
        return np.where(together, keyed_uniform(self.key, purpose, forms), alone)

    def _numbers(self, purpose: str, place: int, count: int) -> NDArray[np.float64]:
        form, span = self.forms[place], self.spans[place]
        ids: tuple[Any, ...] = (np.array([form], dtype=np.uint64),)
        if not self.together[place]:
            ids += (span["sentence"], self.dataset.position[span["start"]])
        return keyed_uniform(self.key, purpose, *ids, np.arange(count))

    def _drop(self, place: int) -> bool:
        self.dropped[place] = self.used[place] = True
        return True

    def _retype(self, place: int) -> bool:
        weight = self.habits.type_confusion[self.spans[place]["type"]].copy()
        weight[self.spans[place]["type"]] = 0.0
        if not weight.any():
            return False
        rank = _weighted_order(self._numbers("type", place, len(weight)), weight)
        self.after["type"][place] = rank[0]
        self.used[place] = True
        return True

    def _move(self, place: int) -> bool:
        shifts, share = tuple(self.habits.shifts), self.habits.shift_share
        order = _weighted_order(self._numbers("shift", place, len(shifts)), share)
        spare = _weighted_order(self._numbers("spare shift", place, len(SHIFTS)), np.ones(len(SHIFTS)))
        for left, right in [*(shifts[o] for o in order), *(SHIFTS[o] for o in spare)]:
            span = self.spans[place]
            start, end = int(span["start"] + left), int(span["end"] + right)
            if start >= end or start >= span["end"] or end <= span["start"] or (left == 0 and right == 0):
                continue
            bounds = self.dataset.starts[span["sentence"] : span["sentence"] + 2]
            if start < bounds[0] or end > bounds[1]:
                continue
            holders = self.owner[start:end]
            if not ((holders == place) | (holders == -1)).all():
                continue
            self.owner[start:end] = place
            self.after["start"][place], self.after["end"][place] = start, end
            self.used[place] = True
            return True
        return False


def candidates(dataset: TextDataset, free: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Extents that could be tagged wrongly: runs of capitalised words (up to 4), and other words one by one.

    Parameters
    ----------
    dataset : TextDataset
    free : ndarray of bool, shape (n,)
        Tokens outside of all entities.

    Returns
    -------
    spans : ndarray of SPAN
        Type 0.
    kinds : ndarray of int64
        Place in `WORD_CLASSES`.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["In", "New", "York", "."]], [["O"] * 4], name="d")
    >>> candidates(data, np.array([False, True, True, True]))[0][["start", "end"]].tolist()
    [(1, 3), (3, 4)]
    """
    kind = word_classes(dataset)
    n = dataset.n_units
    capital = free & (kind <= 1)
    same = np.zeros(n, dtype=bool)
    same[1:] = capital[1:] & capital[:-1] & (dataset.position[1:] > 0)
    begins = np.flatnonzero(free & ~same)
    stop = np.ones(n + 1, dtype=bool)
    stop[:n] = ~same
    ends_at = np.flatnonzero(stop)
    ends = ends_at[np.searchsorted(ends_at, begins, side="right")]
    pieces = -(-(ends - begins) // _LONGEST)
    first = np.repeat(begins, pieces) + _LONGEST * (
        np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    )
    spans = np.zeros(len(first), dtype=SPAN)
    spans["start"], spans["end"] = first, np.minimum(first + _LONGEST, np.repeat(ends, pieces))
    spans["sentence"] = np.searchsorted(dataset.starts, first, side="right") - 1
    return spans, kind[first]


def word_classes(dataset: TextDataset) -> NDArray[np.int64]:
    """Place of each word in `WORD_CLASSES`, shape (n,)."""
    known: dict[str, int] = {}
    for word in map(str, dataset.tokens):
        if word not in known:
            known[word] = (
                0
                if word[:1].isupper()
                else 2
                if any(map(str.isalpha, word))
                else 3
                if any(map(str.isdigit, word))
                else 4
            )
    kind = np.array([known[str(word)] for word in dataset.tokens], dtype=np.int64)
    return np.where((kind == 0) & (dataset.position == 0), 1, kind)


def _weighted_order(uniform: NDArray[np.float64], weight: NDArray[np.float64]) -> list[int]:
    rows = np.flatnonzero(weight > 0)
    return [int(row) for row in rows[np.argsort(-np.log(uniform[rows]) / weight[rows], kind="stable")]]


def _fill(
    rows: NDArray[np.int64],
    forms: NDArray[np.uint64],
    together: NDArray[np.bool_],
    rank: NDArray[np.float64],
    count: int,
    act: Any,
) -> int:
    """Damage units in the order of their rank; a form that would overshoot is passed over, and split only at the end."""
    done, later = 0, []
    for unit in _units(rows, forms, together, rank):
        if done == count:
            return done
        if len(unit) > count - done:
            later.append(unit)
            continue
        done += sum(bool(act(int(place))) for place in unit)
    for unit in later:
        for place in unit:
            if done == count:
                return done
            done += bool(act(int(place)))
    return done


def _units(
    rows: NDArray[np.int64],
    forms: NDArray[np.uint64],
    together: NDArray[np.bool_],
    rank: NDArray[np.float64],
) -> Iterator[NDArray[np.int64]]:
    order = rows[np.lexsort((rows, forms[rows], rank[rows]))]
    if not len(order):
        return
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (forms[order][1:] != forms[order][:-1]) | ~together[order][1:]
    yield from np.split(order, np.flatnonzero(fresh)[1:])
