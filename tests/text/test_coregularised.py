"""Taggers that agree: the penalty's slope, and that it does what a penalty for disagreement should."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.coregularised import agreement_slopes, train_coregularised
from labelnoise.text.embedded import news


def softmax(z):
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def test_the_slope_is_that_of_the_mean_divergence_from_the_mean():
    z = np.random.default_rng(0).normal(size=(3, 4, 5))

    def value(logits):
        p = softmax(logits)
        q = p.mean(axis=0)
        return (q * np.log(q / p)).sum() / len(p)

    slope, total = agreement_slopes(softmax(z))
    assert total == pytest.approx(value(z))
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = 1e-5
        assert slope[place] == pytest.approx((value(z + step) - value(z - step)) / 2e-5, abs=1e-7)


def test_models_that_agree_are_left_in_peace():
    p = softmax(np.random.default_rng(1).normal(size=(1, 6, 3))).repeat(2, axis=0)
    slope, total = agreement_slopes(p)
    assert np.allclose(slope, 0.0)
    assert total == pytest.approx(0.0, abs=1e-12)


def test_the_penalty_brings_them_together_and_waits_for_its_share_of_steps():
    data = news(n_sentences=150)
    free = train_coregularised(data, epochs=4, agree=0.0)
    bound = train_coregularised(data, epochs=4, agree=5.0, alone=0.0)
    late = train_coregularised(data, epochs=4, agree=5.0, alone=1.0)
    assert bound.history[-1]["disagreement"] < 0.6 * free.history[-1]["disagreement"]
    assert np.array_equal(late.probs, free.probs)


@pytest.mark.parametrize("options", [{"models": 1}, {"agree": -1.0}, {"alone": 1.2}, {"hide": 1.0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InputError):
        train_coregularised(news(n_sentences=20), **options)
