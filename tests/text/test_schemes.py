"""Tests of the tagging schemes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.schemes import (
    SCHEMES,
    SPAN,
    bio_names,
    convert,
    decode,
    encode,
    entity_types,
    invalid,
    repair,
    sniff_scheme,
    spans_of,
    tags_of,
)


def random_tags(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.sort(rng.choice(np.arange(1, n), 40, replace=False)), [n]])
    ids = repair(rng.integers(0, 5, n), starts=starts)
    return ids, starts


def slow_spans(ids: np.ndarray, starts: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Token by token, as one would on paper."""
    found = []
    for sentence, (first, last) in enumerate(pairwise(starts)):
        open_at, kind = None, -1
        for row in range(first, last):
            now = (ids[row] - 1) // 2 if ids[row] > 0 else -1
            if open_at is not None and (now != kind or ids[row] % 2 == 1):
                found.append((sentence, open_at, row, kind))
                open_at = None
            if now >= 0 and open_at is None:
                open_at, kind = row, now
        if open_at is not None:
            found.append((sentence, open_at, last, kind))
    return [tuple(int(x) for x in span) for span in found]


@pytest.mark.parametrize("seed", range(5))
def test_spans_are_those_found_by_hand_and_go_back_to_the_tags(seed: int) -> None:
    ids, starts = random_tags(seed)
    spans = spans_of(ids, starts=starts)
    assert spans.tolist() == slow_spans(ids, starts)
    assert (tags_of(spans, len(ids)) == ids).all()


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "IO"])
def test_every_scheme_says_the_same_and_is_recognised(scheme: str) -> None:
    ids, starts = random_tags(1)
    ids[7] = -1
    ids = repair(ids, starts=starts)
    texts = encode(ids, ("A", "B"), starts=starts, scheme=scheme)
    assert sniff_scheme(texts, starts=starts) == scheme
    assert len(invalid(texts, starts=starts, scheme=scheme)) == 0
    assert (decode(texts, starts=starts, types=("A", "B"))[0] == ids).all()


def test_a_stray_inside_tag_is_kept_found_and_repaired_only_on_request() -> None:
    tags = ["B-A", "I-A", "O", "I-A", "B-A"]
    starts = np.array([0, 5])
    ids, _ = decode(tags, starts=starts)
    assert list(encode(ids, ("A",), starts=starts)) == tags
    assert invalid(tags, starts=starts).tolist() == [3]
    assert list(encode(repair(ids, starts=starts), ("A",), starts=starts)) == [
        "B-A",
        "I-A",
        "O",
        "B-A",
        "B-A",
    ]
    assert (spans_of(ids, starts=starts) == spans_of(repair(ids, starts=starts), starts=starts)).all()


def test_io_cannot_part_neighbours_of_one_type() -> None:
    assert list(convert(["B-A", "B-A", "B-B"], "IO")) == ["I-A", "I-A", "I-B"]


def test_an_unlabelled_token_ends_an_entity() -> None:
    assert spans_of(np.array([1, -1, 2]), starts=np.array([0, 3])).tolist() == [(0, 0, 1, 0), (0, 2, 3, 0)]


def test_a_new_sentence_ends_an_entity() -> None:
    assert len(spans_of(np.array([1, 2, 2]), starts=np.array([0, 1, 3]))) == 2


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([(0, 0, 2, 0), (0, 1, 3, 0)], "overlap at token 1"),
        ([(0, 2, 9, 0)], "outside"),
        ([(0, 2, 2, 0)], "empty"),
    ],
)
def test_spans_that_tags_cannot_hold_are_refused(spans: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tags_of(np.array(spans, SPAN), 5)


def test_names_and_texts_that_are_no_tags_are_refused() -> None:
    assert entity_types(bio_names(("X", "Y"))) == ("X", "Y")
    with pytest.raises(InputError, match="use bio_names"):
        entity_types(("O", "B-X"))
    with pytest.raises(InputError, match="'PER' at token 1 is not a tag"):
        decode(["O", "PER"], starts=np.array([0, 2]))
    with pytest.raises(InputError, match="type 'X'"):
        decode(["B-X"], starts=np.array([0, 1]), types=["Y"])
