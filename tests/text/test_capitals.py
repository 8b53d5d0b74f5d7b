"""Capitalised words: who is among them, and probabilities raised to a told share."""

import numpy as np
import pytest

from labelnoise.core.detection import CountEstimate
from labelnoise.core.validation import InputError
from labelnoise.text.capitals import capitalised, raise_to_share, told_count, widened


def test_only_words_that_are_mostly_capitalised_inside_sentences_count():
    sentences = [["Rome", "and", "Rome"], ["The", "May", "of", "May"], ["the", "may", "may"], ["Never", "x"]]
    words = np.array([word for sentence in sentences for word in sentence], dtype=object)
    found = capitalised(words, np.cumsum([0] + [len(s) for s in sentences]))
    assert set(words[found]) == {"Rome"}  # May is written small as often, Never only begins a sentence
    assert found.sum() == 2


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_a_told_share_is_reached_and_nothing_else_moves(share):
    rng = np.random.default_rng(0)
    truth = rng.dirichlet([8, 1, 1], 500)
    given = (rng.random(500) < 0.2) * 1
    group = rng.random(500) < 0.4
    raised = raise_to_share(truth, given, group, share)
    moved = group & (given == 0)
    assert np.array_equal(raised[~moved], truth[~moved])
    assert np.allclose(raised.sum(axis=1), 1.0)
    wanted = min(share * group.sum() - (1 - truth[group & (given > 0), 0]).sum(), moved.sum())
    assert abs((1 - raised[moved, 0]).sum() - wanted) < 1.0
    types = truth[moved, 1] / truth[moved, 1:].sum(axis=1)
    assert np.allclose(raised[moved, 1] / raised[moved, 1:].sum(axis=1), types)
    assert (np.diff((1 - raised[moved, 0])[np.argsort(1 - truth[moved, 0])]) > -1e-9).all()


def test_a_share_that_is_reached_already_changes_nothing():
    truth = np.array([[0.2, 0.8], [0.3, 0.7]])
    assert raise_to_share(truth, np.zeros(2, dtype=int), np.ones(2, dtype=bool), 0.5) is truth


@pytest.mark.parametrize("share", [-0.1, 1.2, float("nan")])
def test_refuses_a_share_out_of_range(share):
    with pytest.raises(InputError, match="share of names"):
        raise_to_share(np.ones((1, 2)) / 2, np.zeros(1, dtype=int), np.ones(1, dtype=bool), share)


def test_intervals_only_widen():
    count = CountEstimate(10.0, 8.0, 12.0, 0.95, "x")
    assert widened(count, 1.0).high == 12.0
    assert widened(count, 50.0).high > 50.0
    assert widened(count, 50.0).low == 8.0
    assert told_count(10.0).low < 10.0 < told_count(10.0).high
