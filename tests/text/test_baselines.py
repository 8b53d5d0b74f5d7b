from dataclasses import replace

import numpy as np
import pytest

from labelnoise.text.baselines import tag_probs
from labelnoise.text.domain import TextDomain


@pytest.fixture(scope="module")
def partly_tagged():
    """The embedded news; the last 60 sentences carry no tag."""
    news = TextDomain().load("news")
    blank = news.groups >= news.n_sentences - 60
    return replace(news, given=np.where(blank, -1, news.given), layout=None), blank


def test_probabilities_of_sentences_without_tags_come_from_all_the_others(partly_tagged):
    data, blank = partly_tagged
    probs = tag_probs(data, seed=0)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)
    # what no model has seen is still predicted well
    assert (probs[blank].argmax(axis=1) == data.true[blank]).mean() > 0.95


@pytest.mark.parametrize("method", ["confident-learning", "calibrated"])
def test_sentences_without_tags_are_never_flagged_and_change_nothing_but_themselves(partly_tagged, method):
    data, blank = partly_tagged
    found = TextDomain().detect(data, method=method, seed=0)
    assert not found.flagged[blank].any()
    assert found.flagged[~blank].any()
