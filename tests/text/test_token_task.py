"""Sentences as batches of pieces: every token once, at its first piece, whatever the sentence's length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.training.plain import Plain
from labelnoise.core.training.result import predict
from labelnoise.core.training.task import unit_losses
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset, from_sentences
from labelnoise.text.embedded import news
from labelnoise.text.splits import sentence_splits
from labelnoise.text.token_task import TokenTask


@pytest.mark.parametrize("longest", [4, 12, 256])
def test_every_token_comes_once_with_its_label(tiny_model: Path, longest: int) -> None:
    data = news()
    masks = sentence_splits(data)
    task = TokenTask(data, {"train": masks["train"]}, str(tiny_model), longest=longest)
    rows = np.flatnonzero(masks["train"])
    for rng in (None, np.random.default_rng(0)):
        batches = list(task.batches("train", rng))
        ids = torch.cat([batch.ids for batch in batches]).numpy()
        assert sorted(ids.tolist()) == list(range(task.n_units))
        labels = torch.cat([batch.labels for batch in batches]).numpy()
        assert np.array_equal(labels, data.given[rows[ids]])
        assert max(batch.pieces.shape[1] for batch in batches) <= min(longest, 39)
    whole = torch.cat([batch.ids for batch in task.batches("all", None)]).tolist()
    assert sorted(whole) == list(range(data.n_units))


def test_a_token_is_judged_at_its_first_piece(tiny_model: Path) -> None:
    odd = ["Paris", "Parisen", "", "\u200b", "日" * 60, "Oslo"]
    data = from_sentences([odd, ["Oslo"]], [["B-LOC", *["O"] * 4, "B-LOC"], ["B-LOC"]], name="d")
    everything = np.ones(7, dtype=bool)
    task = TokenTask(data, {"train": everything}, str(tiny_model))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    found = {}
    for batch in task.batches("train", None):
        pieces = tokenizer.convert_ids_to_tokens(batch.pieces.flatten()[batch.first].tolist())
        found.update(zip(batch.ids.tolist(), pieces, strict=True))
    assert found[0] == "Paris"
    assert found[1] == "Paris"
    assert [found[at] for at in (2, 3, 4)] == ["[UNK]"] * 3
    assert found[5] == found[6] == "Oslo"


def test_augmented_pieces_are_hidden_and_labels_stay(tiny_model: Path) -> None:
    task = TokenTask(news(), {"train": sentence_splits(news())["train"]}, str(tiny_model))
    batch = next(iter(task.batches("train", None)))
    other = task.augment(batch, np.random.default_rng(0))
    changed = other.pieces != batch.pieces
    assert 0 < changed.float().mean() < 0.2
    assert set(other.pieces[changed].tolist()) == {4}
    assert not changed[:, 0].any()
    assert other.labels is batch.labels


def test_what_cannot_be_loaded_is_said(tiny_model: Path, tmp_path: Path) -> None:
    masks = {"train": np.ones(news().n_units, dtype=bool)}
    with pytest.raises(InputError, match="There is no folder '/nowhere'"):
        TokenTask(news(), masks, "/nowhere")
    with pytest.raises(InputError, match=r"cannot be loaded \(.*as safetensors"):
        TokenTask(news(), masks, str(tmp_path))
    with pytest.raises(InputError, match="batch_size is 0"):
        TokenTask(news(), masks, str(tiny_model), batch_size=0)
    with pytest.raises(InputError, match="longest is 2; windows need at least 3"):
        TokenTask(news(), masks, str(tiny_model), longest=2)
    for file in tiny_model.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="cannot be loaded"):
        TokenTask(news(), masks, str(tmp_path)).build()


def test_own_pieces_give_the_same_answers_and_no_others(tiny_model: Path) -> None:
    data = news()
    rows = slice(0, int(data.starts[40]))
    few = TextDataset(
        name="few",
        given=data.given[rows],
        class_names=data.class_names,
        tokens=data.tokens[rows],
        starts=data.starts[:41],
    )
    everything = np.ones(few.n_units, dtype=bool)
    answers, sizes = [], []
    for own in (False, True):
        task = TokenTask(few, {"train": everything}, str(tiny_model), own_pieces=own)
        config = TrainConfig(epochs=2, lr=3e-3, optimizer="adamw", weight_decay=0.1, clip=1.0, device="cpu")
        result = train(task, Plain(), config)
        units = predict(result, task, "train")
        answers.append(units.logits[units.ids.argsort()])
        sizes.append(sum(p.numel() for p in result.models[0].parameters()))
        batch = next(iter(task.batches("train", None)))
        hidden = task.augment(batch, np.random.default_rng(0))
        assert torch.isfinite(task.forward(result.models[0], hidden).logits).all()
    assert torch.allclose(answers[0], answers[1], atol=1e-4)
    assert sizes[1] < 0.7 * sizes[0]
    with pytest.raises(IndexError):
        result.models[0](input_ids=torch.tensor([[0, 1, *range(5, 30)]]))


def test_a_fitted_head_knows_tags_before_training_and_two_networks_differ(tiny_model: Path) -> None:
    data = news()
    train_rows = sentence_splits(data)["train"]
    losses = []
    for fitted in (False, True):
        task = TokenTask(data, {"train": train_rows}, str(tiny_model), fitted_head=fitted)
        torch.manual_seed(0)
        one, two = task.build().eval(), task.build()
        assert not torch.equal(one.classifier.weight, two.classifier.weight)
        with torch.no_grad():
            units = [task.forward(one, batch) for batch in task.batches("train", None)]
        losses.append(float(torch.cat([unit_losses(u.logits, u.labels) for u in units]).mean()))
    assert losses[1] < 0.6 * losses[0]
