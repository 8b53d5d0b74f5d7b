"""Entities ranked by kind of error."""

import numpy as np

from labelnoise.text.dataset import from_sentences
from labelnoise.text.schemes import spans_of
from labelnoise.text.span_ranking import RankedSpans, rank_spans, span_average_precision

WORDS = [["Ada", "met", "New", "York", "Bank", "of", "May"]]
TRUE = [["B-PER", "O", "B-ORG", "I-ORG", "I-ORG", "O", "O"]]


def of_type(rows: list[int], k: int = 4) -> np.ndarray:
    return np.eye(k)[rows] * 0.9 + 0.1 / k


def test_each_kind_is_scored_where_it_belongs():
    given = [["O", "O", "B-LOC", "I-LOC", "O", "O", "B-PER"]]
    data = from_sentences(WORDS, given, name="d", true=TRUE)
    org, per = (1 + data.types.index(name) for name in ("ORG", "PER"))
    found = rank_spans(data, of_type([per, 0, org, org, org, 0, 0], 1 + len(data.types)))
    assert found.missing[["start", "end"]].tolist() == [(0, 1), (4, 5)]
    assert found.missing["type"].tolist() == [per - 1, org - 1]
    assert found.spurious[1] > 0.9 > 0.1 > found.spurious[0]
    assert found.type[0] > 0.9 > found.type[1]


def test_a_neighbour_of_the_same_type_is_a_boundary_error():
    data = from_sentences(WORDS, [["O", "O", "B-ORG", "I-ORG", "O", "O", "O"]], name="d", true=TRUE)
    org = 1 + data.types.index("ORG")
    k = 1 + len(data.types)
    whole = rank_spans(data, of_type([0, 0, org, org, org, 0, 0], k)).boundary[0]
    right = rank_spans(data, of_type([0, 0, org, org, 0, 0, 0], k)).boundary[0]
    assert whole > 0.9 > 0.2 > right


def test_missing_ones_may_come_from_other_probabilities():
    data = from_sentences([["Ada", "ran"]], [["O", "O"]], name="d", true=[["B-PER", "O"]])
    sure, open_minded = np.array([[1.0, 0], [1, 0]]), np.array([[0.5, 0.5], [1, 0]])
    assert not len(rank_spans(data, sure).missing)
    assert rank_spans(data, sure, open_minded).missing_score.tolist() == [0.5]


def test_a_missing_entity_is_found_once_and_what_is_never_proposed_costs():
    data = from_sentences(
        [["New", "York", "x", "Ada"]], [["O"] * 4], name="d", true=[["B-A", "I-A", "O", "B-A"]]
    )
    proposed = spans_of(np.array([1, 1, 0, 0]), starts=data.starts)
    none = np.zeros(0)
    found = span_average_precision(data, RankedSpans(none, none, none, proposed, np.array([0.9, 0.8])))
    assert found["missing"] == {"ap": 0.5, "n": 2, "chance": 1.0}
    assert found["type"]["ap"] == 1.0
