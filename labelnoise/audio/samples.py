"""Clips as the tools of others show them: a sound with one class, or with the tags that are present."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labelnoise.audio.dataset import AudioDataset
from labelnoise.core.review.cards import Card
from labelnoise.core.review.samples import Mark, MediaFile, Sample, SampleSet, Suggestions, class_samples

__all__ = ["clip_samples"]


def clip_samples(dataset: AudioDataset, found: Suggestions) -> SampleSet:
    """One sample per clip that has an issue.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> found = Suggestions(np.array([3]), np.array([0]), np.array([0.9]), np.array([0.8]))
    >>> sample = clip_samples(events(per_class=1), found).samples[0]
    >>> sample.name, sample.suggested[0].label, sample.media.ending
    ('event-0003.wav', 'tone', '.wav')
    """
    if dataset.audio is None:  # labels alone: the clip's name is all there is to show
        from labelnoise.audio.review import clip_cards

        if not dataset.multilabel:
            cards = clip_cards(dataset, found.units.tolist())
            return class_samples(dataset, found, kind="card", cards=cards)
    elif not dataset.multilabel:
        return class_samples(dataset, found, kind="audio", media=lambda clip: _sound(dataset, clip))
    names, given = dataset.tag_names, dataset.tags
    wanted = found.labels(dataset).reshape(given.shape)
    doubts = found.doubts(dataset).reshape(given.shape)
    clips, tags = dataset.clip_of(found.units), dataset.tag_of(found.units)
    samples = []
    for clip, rows in found.groups(clips):
        sure = dict(zip(tags[rows].tolist(), found.confidence[rows].tolist(), strict=True))
        samples.append(
            Sample(
                name=dataset.files[clip],
                kind="card" if dataset.audio is None else "audio",
                units=found.units[rows].tolist(),
                given=[
                    Mark(names[k], doubt=float(doubts[clip, k])) for k in np.flatnonzero(given[clip] == 1)
                ],
                suggested=[Mark(names[k], score=sure.get(int(k))) for k in np.flatnonzero(wanted[clip] == 1)],
                doubt=float(found.doubt[rows].max()),
                card=Card(f"clip {dataset.files[clip]}") if dataset.audio is None else None,
                media=None if dataset.audio is None else _sound(dataset, clip),
                several=True,
            )
        )
    return SampleSet("card" if dataset.audio is None else "audio", names, samples)


def _sound(dataset: AudioDataset, clip: int) -> MediaFile:
    assert dataset.audio is not None
    audio, source = dataset.audio, dataset.audio.sources[clip]
    if isinstance(source, Path):
        return MediaFile(source)

    def rendered() -> bytes:
        from labelnoise.audio.review import RATE, wav_of

        return wav_of(audio.at(RATE)[clip])

    return MediaFile(ending=".wav", content=rendered)
