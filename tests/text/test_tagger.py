"""The tagger learns from what it is given."""

from __future__ import annotations

import numpy as np

from labelnoise.text.embedded import news
from labelnoise.text.evaluation import entity_f1
from labelnoise.text.tagger import Tagger
from labelnoise.text.viterbi import best_tags


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
