"""Sentences as the tools of others show them: text with entities by character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.samples import Mark, Sample, SampleSet, Suggestions
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import spans_of

__all__ = ["sentence_samples", "tags_of_marks"]


def sentence_samples(dataset: TextDataset, found: Suggestions) -> SampleSet:
    """One sample per sentence that has an issue: its words joined by one space.

    A suggested entity is as sure as the least sure of the suggested tags in it; one that no suggestion touches
    has no score. Doubt about a given entity is that of its most doubtful tag.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "saw", "Rome"]], [["B-PER", "O", "O"]], name="d")
    >>> found = Suggestions(np.array([2]), np.array([1]), np.array([0.9]), np.array([0.8]))
    >>> sample = sentence_samples(data, found).samples[0]
    >>> [(mark.label, mark.span, mark.score) for mark in sample.suggested]
    [('PER', (0, 3), None), ('PER', (8, 12), 0.8)]
    """
    assert dataset.groups is not None
    wanted, doubts = found.labels(dataset), found.doubts(dataset)
    sure = np.full(dataset.n_units, np.nan)
    some = found.suggested >= 0
    sure[found.units[some]] = found.confidence[some]
    samples = []
    for sentence, rows in found.groups(dataset.groups[found.units]):
        samples.append(
            Sample(
                name=f"sentence {sentence}",
                kind="text",
                units=found.units[rows].tolist(),
                given=_marks(dataset, sentence, dataset.given, doubts=doubts),
                suggested=_marks(dataset, sentence, wanted, sure=sure),
                doubt=float(found.doubt[rows].max()),
                text=" ".join(dataset.sentence(sentence)),
            )
        )
    return SampleSet("text", dataset.types, samples)


def tags_of_marks(dataset: TextDataset, unit: int, marks: Sequence[Mark]) -> dict[int, str]:
    """The tag of every token of a sentence whose entities are marked, a token counting if a mark touches it.

    Parameters
    ----------
    dataset : TextDataset
    unit : int
        A token of the sentence.
    marks : sequence of Mark
        With spans in the sentence's words joined by one space.

    Raises
    ------
    InputError
        Marks that overlap, or touch no token.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "saw", "New", "York"]], [["B-PER", "O", "O", "O"]], name="d")
    >>> tags_of_marks(data, 0, [Mark("PER", span=(8, 16))])
    {0: 'O', 1: 'O', 2: 'B-PER', 3: 'I-PER'}
    """
    assert dataset.groups is not None
    sentence = int(dataset.groups[unit])
    first = int(dataset.starts[sentence])
    starts, ends = _characters(dataset, sentence)
    tags = ["O"] * len(starts)
    for mark in marks:
        if mark.span is None:
            raise InputError(f"{mark.label!r} is no part of the text")
        touched = np.flatnonzero((starts < mark.span[1]) & (ends > mark.span[0])).tolist()
        if not touched or any(tags[i] != "O" for i in touched):
            what = "overlaps another entity" if touched else "holds no word"
            raise InputError(f"the {mark.label!r} at character {mark.span[0]} {what}")
        for place, i in enumerate(touched):
            tags[i] = f"{'I' if place else 'B'}-{mark.label}"
    # A given tag that means the same, as an entity that begins with I, is kept as it is.
    given = spans_of(dataset.given[first : first + len(tags)], starts=np.array([0, len(tags)]))
    same = {int(span["start"]): dataset.types[span["type"]] for span in given}
    for i, name in same.items():
        if tags[i] == f"B-{name}":
            tags[i] = dataset.class_names[dataset.given[first + i]]
    return {first + i: tag for i, tag in enumerate(tags) if tag != "O" or dataset.given[first + i] >= 0}


def _characters(dataset: TextDataset, sentence: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First character of each word and the one after its last, in words joined by one space."""
    lengths = np.array([len(word) for word in dataset.sentence(sentence)], dtype=np.int64)
    ends = np.cumsum(lengths + 1) - 1
    return ends - lengths, ends


def _marks(
    dataset: TextDataset,
    sentence: int,
    tags: NDArray[Any],
    *,
    sure: NDArray[Any] | None = None,
    doubts: NDArray[Any] | None = None,
) -> list[Mark]:
    first, last = int(dataset.starts[sentence]), int(dataset.starts[sentence + 1])
    starts, ends = _characters(dataset, sentence)
    made = []
    for span in spans_of(tags[first:last], starts=np.array([0, last - first])):
        start, end = int(span["start"]), int(span["end"])
        rows = slice(first + start, first + end)
        scores = None if sure is None or np.isnan(sure[rows]).all() else float(np.nanmin(sure[rows]))
        made.append(
            Mark(
                dataset.types[span["type"]],
                score=scores,
                doubt=None if doubts is None else float(doubts[rows].max()),
                span=(int(starts[start]), int(ends[end - 1])),
            )
        )
    return made
