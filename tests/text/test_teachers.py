"""BOND and SCDL: who teaches, from when, and what becomes of names without a tag."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset, from_sentences
from labelnoise.text.embedded import news
from labelnoise.text.span_noise import missing
from labelnoise.text.teachers import kept_by_teacher, moved_average, train_bond, train_scdl


def half_missing(share: float = 0.3) -> TextDataset:
    """A hundred mentions of one city, of which some have no tag, with other words around them."""
    words = ["We", "saw", "Rome", "again"]
    tags = [["O", "O", "O" if i < 100 * share else "B-LOC", "O"] for i in range(100)]
    right = [["O", "O", "B-LOC", "O"]] * 100
    return from_sentences([words] * 100, tags, name="rome", true=right)


@pytest.mark.parametrize("train", [train_bond, train_scdl])
def test_a_minority_of_missing_tags_is_overruled(train):
    data = half_missing()
    result = train(data, epochs=6, confident=0.6)
    assert (result.predicted == data.true).all()


def test_only_confident_tokens_teach_and_the_teacher_is_renewed():
    data = missing(news(n_sentences=150), 0.3, seed=0)
    data = news(n_sentences=150).with_labels(data.labels)
    strict, loose = train_bond(data, confident=0.99), train_bond(data, confident=0.5)
    assert all(a["taught"] < b["taught"] for a, b in zip(strict.history, loose.history))
    kept = train_bond(data, epochs=4, renewed=4)
    assert len({entry["taught"] for entry in kept.history}) == 1, "one teacher throughout"
    moved = train_bond(data, epochs=4, renewed=1)
    assert len({entry["taught"] for entry in moved.history}) > 1


def test_a_sure_teacher_of_another_tag_does_not_teach():
    aims = np.array([[0.95, 0.05], [0.95, 0.05], [0.89, 0.11], [0.05, 0.95]])
    assert kept_by_teacher(aims, np.array([0, 1, 0, 1])).tolist() == [True, False, False, True]
    assert kept_by_teacher(aims, np.array([0, 1, 0, 1]), 0.85).tolist() == [True, False, True, True]


def test_the_teacher_follows_slowly():
    teacher, student = (np.zeros((2, 2)), np.zeros(2)), (np.ones((2, 2)), np.full(2, 2.0))
    for _ in range(10):
        moved_average(teacher, student, 0.9)
    assert np.allclose(teacher[0], 1 - 0.9**10)
    assert np.allclose(teacher[1], 2 * (1 - 0.9**10))


def test_denied_tags_do_not_teach_until_the_other_pair_replaces_them():
    data = half_missing()
    before = train_scdl(data, epochs=3, renewed=2, confident=0.6, masked=0.0)
    after = train_scdl(data, epochs=5, renewed=2, confident=0.6, masked=0.0)
    assert before.info["pseudo_tags_changed"] == 0
    assert after.info["pseudo_tags_changed"] > 0
    assert after.history[4]["taught"][0] > before.history[2]["taught"][0]
    assert after.history[3]["taught"][0] >= after.history[2]["taught"][0]


@pytest.mark.parametrize(
    ("train", "options"),
    [
        (train_bond, {"early": 0}),
        (train_bond, {"renewed": 0}),
        (train_bond, {"confident": 1.0}),
        (train_bond, {"epochs": 0}),
        (train_scdl, {"decay": 1.0}),
        (train_scdl, {"masked": -0.1}),
        (train_scdl, {"hide": 1.0}),
        (train_scdl, {"renewed": 0}),
    ],
)
def test_wrong_options_are_refused(train, options):
    with pytest.raises(InputError):
        train(half_missing(), **options)
