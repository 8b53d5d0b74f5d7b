"""Entities as issues: exclusive kinds, suggestions in BIO, the worst first."""

import numpy as np
import pytest

from labelnoise.text.dataset import from_sentences
from labelnoise.text.schemes import spans_of
from labelnoise.text.spans import KINDS, compare_spans, rank_sentences, span_issues, suggest_tags, token_kinds

WORDS = [["Ada", "Bell", "left", "New", "York", "."]]


def two(given, true):
    return from_sentences(WORDS, [given.split()], name="d", true=[true.split()])


@pytest.mark.parametrize(
    ("given", "true", "kinds"),
    [
        ("O O O O O O", "B-P I-P O O O O", ["missing"]),
        ("B-P I-P O O O O", "O O O O O O", ["spurious"]),
        ("B-P I-P O O O O", "B-L I-L O O O O", ["type"]),
        ("B-P O O O O O", "B-P I-P O O O O", ["boundary"]),
        ("B-P B-P O O O O", "B-P I-P O O O O", ["boundary", "spurious"]),
        ("B-P I-P O O O O", "B-P B-P O O O O", ["boundary", "missing"]),
        ("B-P I-P O B-L I-L O", "B-P I-P O B-L I-L O", []),
        ("B-P I-P I-P I-P I-P O", "B-P I-P O B-L I-L O", ["boundary", "missing"]),
    ],
)
def test_kinds_are_exclusive(given, true, kinds):
    data = two(given, true)
    found = compare_spans(data.spans(), data.spans("true"), data.n_units)
    assert found[0].tolist() == kinds
    assert set(kinds) <= set(KINDS)


def test_suggested_tags_are_valid_and_keep_given_beginnings():
    data = two("B-P B-P O O O O", "B-P B-P O O O O")
    probs = np.eye(2)[[1, 1, 0, 1, 1, 0]]
    tags = suggest_tags(data, probs)
    assert tags.tolist() == [1, 1, 0, 1, 2, 0]
    assert len(spans_of(tags, starts=data.starts)) == 3


def test_issues_name_both_entities_and_come_worst_first():
    data = two("B-P I-P O O O O", "B-P I-P O B-L I-L O")
    suggested = np.array([3, 4, 0, 1, 2, 0]) if data.types == ("L", "P") else None
    assert suggested is not None
    suggested[:2] = 0
    quality = np.array([0.9, 0.8, 1, 0.3, 0.1, 1])
    issues = span_issues(data, suggested, quality)
    assert [(i.kind, i.text, round(i.score, 6)) for i in issues] == [
        ("missing", "New York", 0.9),
        ("spurious", "Ada Bell", 0.2),
    ]
    assert issues[0].suggested == (3, 5, "L")
    assert issues[0].given is None
    assert span_issues(data, suggested, quality, chosen=np.arange(6) < 2)[0].kind == "spurious"
    assert token_kinds(data, suggested).tolist() == ["spurious", "spurious", "", "missing", "missing", ""]
    assert rank_sentences(data, quality).tolist() == [0.1]
