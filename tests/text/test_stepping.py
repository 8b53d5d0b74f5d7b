"""Passes in steps: every token once, nothing hidden shows, and sharpening as published."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from labelnoise.text.stepping import BATCH, Learner, one_pass, sharpened


def test_a_pass_takes_every_token_once_and_all_learners_the_same_ones():
    rows = np.arange(5, 5 + 2 * BATCH + 3)
    learners = [Learner(sp.csr_array(np.eye(200, 4, dtype=np.float32)), 3, seed) for seed in (0, 1)]
    seen = []

    def slopes(batch, probs):
        assert len(probs) == 2
        assert all(p.shape == (len(batch), 3) for p in probs)
        seen.append(batch)
        return [np.zeros_like(p) for p in probs]

    assert list(one_pass(learners, rows, np.random.default_rng(0), slopes)) == [1, 2, 3]
    assert sorted(np.concatenate(seen)) == rows.tolist()
    assert [len(batch) for batch in seen] == [BATCH, BATCH, 3]


def test_learning_moves_towards_the_aims_and_hidden_columns_stay_untouched():
    x = sp.csr_array(np.repeat(np.eye(10, dtype=np.float32), 20, axis=0))
    aims = np.eye(2, dtype=np.float32)[np.repeat(np.arange(10) % 2, 20)]
    learner = Learner(x, 2, 3, hide=0.5)
    hidden = np.asarray(learner.features.sum(axis=0)).ravel() == 0
    assert 0 < hidden.sum() < 10
    for epoch in range(5):
        list(one_pass([learner], np.arange(200), np.random.default_rng(epoch), lambda b, p: [p[0] - aims[b]]))
    assert (learner.model.weights[hidden] == 0).all()
    right = learner.predict().argmax(axis=1) == aims.argmax(axis=1)
    assert right[~np.repeat(hidden, 20)].all()


def test_sharpening_lifts_rare_tags_and_keeps_equal_shares():
    q = sharpened(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([9.0, 1.0]))
    assert np.allclose(q, [[0.1, 0.9], [0.1, 0.9]])
    assert np.allclose(sharpened(np.array([[0.8, 0.2]]), np.ones(2)), [[0.64 / 0.68, 0.04 / 0.68]])
