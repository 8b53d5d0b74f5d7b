"""Sentences as the tools of others show them: text with entities by character."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.samples import Mark, Sample, SampleSet, Suggestions
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import spans_of

__all__ = ["sentence_samples"]


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
        first, last = int(dataset.starts[sentence]), int(dataset.starts[sentence + 1])
        words = dataset.sentence(sentence)
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        starts = ends - [len(word) for word in words]

        def marks(tags: NDArray[Any], *, suggested: bool) -> list[Mark]:
            made = []
            for span in spans_of(tags[first:last], starts=np.array([0, last - first])):
                start, end = int(span["start"]), int(span["end"])
                scores = sure[first + start : first + end]
                made.append(
                    Mark(
                        dataset.types[span["type"]],
                        score=float(np.nanmin(scores)) if suggested and not np.isnan(scores).all() else None,
                        doubt=None if suggested else float(doubts[first + start : first + end].max()),
                        span=(int(starts[start]), int(ends[end - 1])),
                    )
                )
            return made

        samples.append(
            Sample(
                name=f"sentence {sentence}",
                kind="text",
                units=found.units[rows].tolist(),
                given=marks(dataset.given, suggested=False),
                suggested=marks(wanted, suggested=True),
                doubt=float(found.doubt[rows].max()),
                text=" ".join(words),
            )
        )
    return SampleSet("text", dataset.types, samples)
