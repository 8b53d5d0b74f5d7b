"""Tests of the data set of tagged sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset, from_sentences


def small() -> TextDataset:
    return from_sentences(
        [["Ada", "Lovelace", "sang"], ["Rome"]],
        [["B-PER", "I-PER", "O"], ["B-PER"]],
        name="small",
        true=[["B-PER", "I-PER", "O"], ["B-LOC"]],
    )


def test_types_of_the_truth_count_too_and_wrong_tags_are_seen() -> None:
    data = small()
    assert data.class_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert data.is_wrong.tolist() == [False, False, False, True]
    assert data.spans("true").tolist() == [(0, 0, 2, 1), (1, 3, 4, 0)]
    assert data.position.tolist() == [0, 1, 2, 0]
    assert data.sentence(0) == ["Ada", "Lovelace", "sang"]


def test_the_hash_knows_words_and_boundaries_but_not_the_truth() -> None:
    data = small()
    assert replace(data, true=None).content_hash() == data.content_hash()
    other = np.array(["Ada", "Lovelace", "sang", "Roma"], dtype=object)
    assert replace(data, tokens=other).content_hash() != data.content_hash()
    assert replace(data, starts=np.array([0, 2, 4])).content_hash() != data.content_hash()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"starts": np.array([0, 3])}, "starts must go from 0"),
        ({"starts": np.array([0, 3, 3, 4])}, "Sentence 1 is empty"),
        ({"tokens": np.array(["a"], dtype=object)}, "tokens for 4 tags"),
        ({"class_names": ("O", "A", "B", "C", "D")}, "use bio_names"),
        ({"documents": np.array([0])}, "documents has 1 entries for 2 sentences"),
        ({"masks": {"train": np.array([True])}}, "The split 'train'"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(small(), **change)


def test_no_truth_no_true_spans() -> None:
    with pytest.raises(InputError, match="No true tags"):
        replace(small(), true=None).spans("true")
    with pytest.raises(InputError, match="has 1 words but not as many tags"):
        from_sentences([["a"]], [["O", "O"]], name="x")
