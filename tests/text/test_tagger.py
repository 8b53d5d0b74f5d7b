"""The best valid sequence is the best of all, and the tagger learns from what it is given."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from labelnoise.text.embedded import news
from labelnoise.text.evaluation import entity_f1
from labelnoise.text.schemes import repair
from labelnoise.text.tagger import Tagger, best_tags


def test_best_tags_beat_every_other_valid_sequence():
    rng = np.random.default_rng(0)
    sizes = [3, 1, 4, 2, 4]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    probs = rng.dirichlet(np.full(5, 0.5), size=starts[-1])
    found = best_tags(probs, starts)
    logs = np.log(np.maximum(probs, 1e-12))
    for a, b in pairwise(starts):
        one = np.array([0, b - a])
        valid = [np.array(t) for t in product(range(5), repeat=b - a)]
        valid = [t for t in valid if (repair(t, starts=one) == t).all()]
        best = max(logs[np.arange(a, b), t].sum() for t in valid)
        assert (repair(found[a:b], starts=one) == found[a:b]).all()
        assert logs[np.arange(a, b), found[a:b]].sum() == pytest.approx(best)


def test_valid_tokenwise_tags_stay():
    data = news()
    probs = np.full((data.n_units, data.n_classes), 0.05)
    valid = repair(data.given, starts=data.starts)
    probs[np.arange(data.n_units), valid] = 0.9
    assert (best_tags(probs, data.starts) == valid).all()


def test_held_tokens_teach_nothing():
    data = news()
    targets = np.eye(data.n_classes, dtype=np.float32)[data.true]
    held = np.asarray(data.groups) % 4 == 0
    tagger = Tagger(data, epochs=3)
    probs = tagger.fit(targets, held=held)
    assert not probs[~held].any()
    garbled = targets.copy()
    garbled[held] = targets[held][::-1]
    assert np.array_equal(probs, tagger.fit(garbled, held=held))
    tags = best_tags(np.where(held[:, None], probs, targets), data.starts)
    assert entity_f1(np.where(held, data.true, -1), tags, starts=data.starts) > 0.8
