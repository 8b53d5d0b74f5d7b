"""Bounds, memorisation and seen names: by hand where they can be, and in the right order on generated news."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import entity_noise, from_sentences
from labelnoise.text.embedded import news
from labelnoise.text.noise_study import (
    SEEN,
    memorisation,
    noise_bounds,
    seen_groups,
    seen_recall,
    simulated_like,
)
from labelnoise.text.splits import learning_part, sentence_splits

LOC, PER, O = ["B-LOC"], ["B-PER"], ["O"]


def small():
    """One-word sentences: what was given for each form in training, and the test's true tags."""
    train = [
        ("Rome", LOC, LOC),
        ("Rome", O, LOC),
        ("Oslo", O, LOC),
        ("Bonn", PER, LOC),
        ("Club", PER, O),
    ]
    test = [("Rome", LOC), ("Oslo", LOC), ("Bonn", PER), ("Club", LOC), ("Kyiv", LOC), ("the", O)]
    words = [[word] for word, *_ in train + test]
    given = [tag for _, tag, _ in train] + [tag for _, tag in test]
    true = [tag for *_, tag in train] + [tag for _, tag in test]
    first = np.arange(len(words)) < len(train)
    return from_sentences(words, given, true=true, name="small", masks={"train": first, "test": ~first})


def test_groups_by_hand():
    spans, group = seen_groups(small())
    named = dict(zip(small().tokens[spans["start"]], (SEEN[g] for g in group)))
    assert named == {
        "Rome": "seen clean",
        "Oslo": "seen noisy",
        "Bonn": "seen noisy",
        "Club": "seen noisy",
        "Kyiv": "unseen",
    }


def test_recall_by_group():
    data = small()
    predicted = data.true.copy()
    predicted[data.tokens == "Oslo"] = 0
    rows = seen_recall(data, predicted)
    assert rows["seen clean"] == {"entities": 1, "recall": 1.0}
    assert rows["seen noisy"]["recall"] == pytest.approx(2 / 3)
    assert rows["unseen"]["recall"] == 1.0
    short = replace(data, masks={"train": data.masks["train"], "test": data.tokens == "Kyiv"})
    assert "recall" not in seen_recall(short, predicted)["seen clean"]


def test_the_simulation_keeps_text_test_and_level_but_not_the_tags():
    data = news(n_sentences=400, noise_rate=0.3)
    made = simulated_like(data, seed=1)
    train = sentence_splits(data, 1)["train"]
    assert (made.given[~train] == data.given[~train]).all()
    assert (made.given[train] != data.given[train]).any()
    levels = [
        entity_noise(replace(learning_part(one, train), true=np.where(train, one.true, -1)))
        for one in (data, made)
    ]
    assert levels[0] == pytest.approx(levels[1], abs=0.01)
    with pytest.raises(InputError, match="wrong"):
        simulated_like(data.with_labels(data.true, true=data.true))


def test_bounds_come_in_order_and_clean_does_not_see_the_noise():
    data = news(n_sentences=400, noise_rate=0.4)
    scores, tags = noise_bounds(data, options={"epochs": 3})
    assert scores["plain"] < scores["oracle-drop"]
    assert scores["plain"] < scores["clean"]
    assert set(tags) == set(scores)
    other = news(n_sentences=400, noise_rate=0.1)
    assert noise_bounds(other, trainers=["clean"], options={"epochs": 3})[0]["clean"] == scores["clean"]


def test_wrong_tags_are_memorised_pass_by_pass():
    curve = memorisation(news(n_sentences=200, noise_rate=0.4), epochs=12)
    assert curve[-1]["memorised"] > curve[0]["memorised"]
    assert curve[-1]["given_f1"] > curve[0]["given_f1"]
    assert all(0.0 <= value <= 1.0 for row in curve for name, value in row.items() if name != "epoch")


@pytest.mark.parametrize("function", [noise_bounds, memorisation, seen_groups, simulated_like])
def test_truth_is_needed(function):
    with pytest.raises(InputError, match="true tags"):
        function(blind(news(n_sentences=30)))


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match="splits: train, test"):
        seen_groups(news(n_sentences=30), split="dev")
