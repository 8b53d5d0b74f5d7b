"""Clips with a class, clips with tags."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.core.validation import InputError

FILES = ("x/a.wav", "x/b.wav", "c.wav")
TAGS = [[1, 0], [-1, 1], [0, 0]]


@pytest.fixture
def tagged() -> AudioDataset:
    return AudioDataset.from_tags(
        TAGS,
        ("dog", "rain"),
        files=FILES,
        true=[[1, 1], [0, 1], [0, 0]],
        origin=np.array(["good", "bad", "bad"], dtype=object),
        verified=np.array([True, False, False]),
        splits={"test": np.array([False, True, False])},
    )


def test_units_are_pairs_clip_after_clip(tagged: AudioDataset) -> None:
    assert tagged.class_names == ("absent", "present")
    assert tagged.given.dtype == np.int8
    assert tagged.given.tolist() == [1, 0, -1, 1, 0, 0]
    assert tagged.tags.tolist() == TAGS
    assert tagged.groups is not None
    assert tagged.groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert tagged.is_wrong is not None
    assert np.flatnonzero(tagged.is_wrong).tolist() == [1]
    assert tagged.clip_of([0, 3, 5]).tolist() == [0, 1, 2]
    assert tagged.tag_of([0, 3, 5]).tolist() == [0, 1, 1]


def test_names_of_pairs_are_made_when_they_are_read(tagged: AudioDataset) -> None:
    assert tagged.ids[3] == "x/b.wav#rain"
    assert tagged.ids[-1] == "c.wav#rain"
    assert tagged.ids[1:3].tolist() == ["x/a.wav#rain", "x/b.wav#dog"]
    assert tagged.ids[np.array([True, *[False] * 5])].tolist() == ["x/a.wav#dog"]
    assert len(np.asarray(tagged.ids)) == len(tagged.ids) == 6
    with pytest.raises(IndexError):
        tagged.ids[6]


def test_tags_follow_new_labels(tagged: AudioDataset) -> None:
    flipped = tagged.with_labels(1 - np.maximum(tagged.given, 0))
    assert flipped.tags.tolist() == [[0, 1], [1, 0], [1, 1]]


def test_take_keeps_every_column(tagged: AudioDataset) -> None:
    part = tagged.take([2, 0])
    assert part.files == ("c.wav", "x/a.wav")
    assert part.tags.tolist() == [[0, 0], [1, 0]]
    assert part.true_tags is not None
    assert part.true_tags.tolist() == [[0, 0], [1, 1]]
    assert part.origin is not None
    assert part.origin.tolist() == ["bad", "good"]
    assert part.groups is not None
    assert part.groups.tolist() == [0, 0, 1, 1]
    assert tagged.take(np.array([False, True, False])).splits["test"].tolist() == [True]
    with pytest.raises(InputError, match="No clip was chosen"):
        tagged.take([])


def test_clips_with_a_class() -> None:
    data = AudioDataset.single(
        [0, 2, -1], "abc", files=FILES, recordings=np.array(["r2", "r1", "r2"], dtype=object)
    )
    assert data.ids.tolist() == list(FILES)
    assert data.tags.tolist() == [[1, 0, 0], [0, 0, 1], [-1, -1, -1]]
    assert data.groups is not None
    assert data.groups.tolist() == [1, 0, 1]
    with pytest.raises(InputError, match="no tags"):
        data.tag_of([0])


def test_the_hash_follows_labels_and_sound_but_not_the_truth(tagged: AudioDataset) -> None:
    from dataclasses import replace

    assert replace(tagged, true=None).content_hash() == tagged.content_hash()
    assert tagged.with_labels(np.zeros(6, dtype=np.int8)).content_hash() != tagged.content_hash()

    def sound(level: float) -> LazyAudio:
        return LazyAudio([level] * 3, 8, lambda value, rate: (np.full(rate, value, np.float32), rate))

    first, second = (replace(tagged, audio=sound(level)).content_hash() for level in (0.1, 0.2))
    assert len({first, second, tagged.content_hash()}) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": ("a", "a", "b")}, "listed twice"),
        ({"files": ("a", "b")}, "is needed"),
        ({"tag_names": ("dog", "dog")}, "same name"),
        ({"tag_names": ()}, "no tag"),
        ({"tags": [[2, 0], [0, 0], [0, 0]]}, "values other than 0, 1"),
        ({"verified": np.array([True])}, "verified has 1 entries for 3"),
        ({"splits": {"s": np.array([True])}}, "'s' has 1 entries for 3"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"tags": TAGS, "tag_names": ("dog", "rain"), "files": FILES, **change}
    with pytest.raises(InputError, match=message):
        AudioDataset.from_tags(fields.pop("tags"), fields.pop("tag_names"), **fields)
