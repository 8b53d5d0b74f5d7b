"""Trainers of text: what each learns from, what it may not see, and that repairing helps where it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError
from labelnoise.text.cli import main
from labelnoise.text.dataset import TextDataset
from labelnoise.text.domain import TextDomain
from labelnoise.text.embedded import news
from labelnoise.text.files import write_text
from labelnoise.text.schemes import repair
from labelnoise.text.splits import sentence_splits, split_scores
from labelnoise.text.train_methods import channel_of, train_oracle, train_plain, type_targets
from labelnoise.text.trainers import TRAINERS

FAST = {
    "crossweigh": {"splits": 1, "folds": 2},
    "self-training": {"rounds": 1},
    "noise-channel": {"rounds": 1},
}


def few(n: int = 300) -> TextDataset:
    data = news()
    end = int(data.starts[n])
    return TextDataset(
        name="few",
        given=data.given[:end],
        true=data.true[:end],
        class_names=data.class_names,
        tokens=data.tokens[:end],
        starts=data.starts[: n + 1],
    )


#: Trainers that need no network; `test_fine_tune` has the other one.
LINEAR = sorted(set(TRAINERS) - {"fine-tune"})


@pytest.mark.parametrize("name", LINEAR)
def test_every_trainer_sees_the_training_split_alone_and_answers_valid_bio(name):
    data = few()
    train = sentence_splits(data, 0)["train"]
    other = data.with_labels(np.where(train, data.given, 0), true=np.where(train, data.true, 0))
    options = {"epochs": 2, **FAST.get(name, {})}
    run = TRAINERS[name].load()
    result, again = run(data, 0, **options), run(other, 0, **options)
    assert np.array_equal(result.probs, again.probs)
    assert np.allclose(result.probs.sum(axis=1), 1.0)
    assert result.probs.shape == (data.n_units, data.n_classes)
    assert np.array_equal(repair(result.predicted, starts=data.starts), result.predicted)
    assert result.method == name


@pytest.mark.parametrize("name", sorted(set(LINEAR) - {"oracle-drop"}))
def test_truth_is_not_looked_at(name):
    data = few()
    options = {"epochs": 1, **FAST.get(name, {})}
    run = TRAINERS[name].load()
    assert np.array_equal(run(data, 1, **options).probs, run(blind(data), 1, **options).probs)


def test_the_oracle_says_so_and_needs_the_truth():
    assert train_oracle(few(), epochs=1).selected_by == "clean"
    with pytest.raises(InputError, match="true tags"):
        train_oracle(blind(few()))


def test_scores_have_entities_and_the_published_split_comes_first():
    data = few()
    masks = {"train": data.groups < 200, "test": data.groups >= 200}
    data = replace(data, masks=masks)
    rows = split_scores(data, train_plain(data, epochs=3))
    assert [(row["split"], row["units"]) for row in rows] == [(k, int(m.sum())) for k, m in masks.items()]
    assert rows[0]["entity_f1"] >= rows[1]["entity_f1"] > 0.3
    assert rows[1]["labels"] == "true"
    assert set(rows[1]["entity_f1_by_type"]) == set(data.types)
    assert TextDomain().training_scores(data, train_plain(data, epochs=3)) == rows


def test_drawn_splits_keep_documents_whole():
    data = news()
    data = replace(data, documents=np.arange(data.n_sentences) // 10)
    train = sentence_splits(data, 3)["train"]
    by = np.asarray(data.documents)[data.groups]
    assert not set(by[train]) & set(by[~train])
    assert 0.75 < train.mean() < 0.85


def test_certain_types_give_the_given_tags_back():
    data = few()
    data = data.with_labels(repair(data.given, starts=data.starts), true=data.true)
    truth = np.eye(len(data.types) + 1)[(data.given + 1) // 2]
    assert (type_targets(data, truth).argmax(axis=1) == data.given).all()


def test_the_channel_is_a_channel():
    transition = np.array([[0.9, 0.07, 0.03], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7]])
    targets = np.eye(5)[[0, 1, 2, 2, 3, 0]]
    channel = channel_of(transition, targets)
    assert np.allclose(channel.sum(axis=1), 1.0)
    assert (channel >= 0).all()
    assert channel[1, 3] == pytest.approx(0.1)
    assert channel[1, 4] == 0.0
    assert channel[0, 1] + channel[0, 2] == pytest.approx(0.07)
    assert channel[0, 2] == 2 * channel[0, 1]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("repaired", {"repair": "magic"}),
        ("repaired", {"drop": 1.0}),
        ("self-training", {"rounds": 0}),
        ("crossweigh", {"splits": 0}),
        ("noise-channel", {"rounds": 0}),
        ("plain", {"epochs": 0}),
        ("plain", {"features": "nowhere.npy"}),
    ],
)
def test_wrong_options_are_refused(name, options):
    with pytest.raises(InputError):
        TRAINERS[name].load()(few(), 0, **options)


def test_pairs_look_at_clean_tags_and_need_them():
    data = few()
    run = TRAINERS["noise-channel"].load()
    assert run(data, 0, epochs=1, rounds=1, pairs=200).info["channel_from"] == "200 clean pairs"
    with pytest.raises(InputError, match="true tags"):
        run(blind(data), 0, epochs=1, rounds=1, pairs=200)


def test_the_command_shows_entities_and_lets_the_bound_see_the_truth(tmp_path, capsys):
    path = tmp_path / "few.conll"
    write_text(few(60), path)
    assert main(["train", "news", "--method", "oracle-drop", "--set", "epochs=1"]) == 0
    shown = capsys.readouterr().out
    assert "chosen by clean" in shown
    assert "warning: oracle-drop looks at the true tags" in shown
    for title in ("entity P", "entity R", "entity F1", "strict F1"):
        assert title in shown
    assert main(["train", str(path), "--method", "oracle-drop", "--set", "epochs=1"]) == 2
    assert "not known for few" in capsys.readouterr().err
