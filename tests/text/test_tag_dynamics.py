"""Dynamics of tags: the statistics by hand, and what each rule takes."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import from_sentences
from labelnoise.text.tag_dynamics import TagDynamics, train_dynamics


def test_statistics_are_those_of_the_whole_history():
    draw = np.random.default_rng(0)
    given = np.array([0, 2, -1, 1, 0])
    history = draw.dirichlet(np.ones(3), size=(6, 5))
    seen = TagDynamics(given)
    for probs in history:
        seen.update(probs)
    own = history[:, np.arange(5), np.maximum(given, 0)]
    has = given >= 0
    assert np.allclose(seen.confidence[has], own.mean(axis=0)[has])
    assert np.allclose(seen.variability[has], own.std(axis=0)[has])
    assert seen.confidence[2] == seen.variability[2] == seen.category[2] == 0


def test_the_four_kinds_of_token():
    seen = TagDynamics(np.array([0, 0, 1, 1, -1]))
    seen.update(np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.5, 0.5]]))
    assert seen.category.tolist() == [1, 2, 3, 4, 0]


def some_wrong():
    """A city that is tagged in nine of ten sentences, and a word that is tagged as one in one of ten."""
    words = ["We", "saw", "Rome", "again"]
    tags = [["O", "B-LOC" if i % 10 == 3 else "O", "O" if i % 10 == 7 else "B-LOC", "O"] for i in range(200)]
    return from_sentences([words] * 200, tags, name="rome", true=[["O", "O", "B-LOC", "O"]] * 200)


def test_denied_tags_are_relabelled_or_left_out_and_the_rest_is_kept():
    data = some_wrong()
    relabelled = train_dynamics(data)
    # All ten wrong "O"s and entities of each hundred are denied, and nothing else is; the training part has 4 in 5.
    train = relabelled.info["trained_on"] // 4
    assert 0.05 * train < relabelled.info["rules"]["denied O"] < 0.15 * train
    assert 0.05 * train < relabelled.info["rules"]["denied entity"] < 0.15 * train
    masked = train_dynamics(data, action="mask")
    none = train_dynamics(data, denied_o=0.0, denied_entity=0.0, unsteady=1.0)
    assert set(none.info["rules"].values()) == {0}
    rome, at = np.arange(2, data.n_units, 4), data.class_names.index("B-LOC")
    assert none.probs[rome, at].mean() < masked.probs[rome, at].mean()
    assert none.probs[rome, at].mean() < relabelled.probs[rome, at].mean()


def test_rules_for_later_passes_look_after_the_last_one():
    early = train_dynamics(some_wrong(), watched=1)
    assert early.info["rules"]["denied entity"] > 0


@pytest.mark.parametrize("options", [{"watched": 0}, {"action": "drop"}, {"unsteady": 1.5}, {"epochs": 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InputError):
        train_dynamics(some_wrong(), **options)
