"""Entity F1 agrees with seqeval, strict and lenient."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.embedded import news
from labelnoise.text.evaluation import (
    entity_f1,
    entity_report,
    exclusive_kinds,
    overlapping_kinds,
    seqeval_report,
)


@pytest.mark.parametrize("seed", range(6))
def test_the_report_is_that_of_seqeval(seed):
    pytest.importorskip("seqeval")
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, 120)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    gold = rng.integers(0, 7, starts[-1])
    guess = np.where(rng.random(starts[-1]) < 0.4, rng.integers(0, 7, starts[-1]), gold)
    types = ("LOC", "ORG", "PER")
    own = entity_report(gold, guess, types=types, starts=starts)
    theirs = seqeval_report(gold, guess, types=types, starts=starts)
    for mode in ("lenient", "strict"):
        for label in ("all", *types):
            for key, value in theirs[mode][label].items():
                assert own[mode][label][key] == pytest.approx(value), (mode, label, key)
    assert own["lenient"]["all"]["f1"] > own["strict"]["all"]["f1"] > 0
    assert entity_f1(gold, guess, starts=starts) == own["lenient"]["all"]["f1"]
    assert entity_f1(gold, guess, starts=starts, strict=True) == own["strict"]["all"]["f1"]


def test_tokens_without_a_tag_count_for_nothing():
    starts = np.array([0, 4])
    assert entity_f1(np.array([1, 2, -1, -1]), np.array([1, 2, 3, 4]), starts=starts) == 1.0


def test_nothing_there_gives_zero_and_other_lengths_are_refused():
    starts = np.array([0, 2])
    assert entity_f1(np.zeros(2, int), np.zeros(2, int), starts=starts) == 0.0
    with pytest.raises(InputError, match="3 predicted tags for 2"):
        entity_f1(np.zeros(2, int), np.zeros(3, int), starts=starts)


def test_kinds_add_up_both_ways():
    data = news()
    given, true = data.spans(), data.spans("true")
    exclusive, overlapping = exclusive_kinds(given, true, data.n_units), overlapping_kinds(given, true)
    assert sum(exclusive.values()) == pytest.approx(1.0) == sum(overlapping.values())
    assert exclusive["boundary"] > 0
    assert overlapping["type"] <= exclusive["type"] + 1e-12


def test_noisebench_shares_are_the_published_ones(real_data):
    from labelnoise.text.domain import TextDomain

    data = TextDomain().load("noisebench-crowd", root=real_data / "text")
    found = overlapping_kinds(data.spans(), data.spans("true"))
    assert [round(100 * share, 1) for share in found.values()] == [66.0, 19.7, 14.3]
