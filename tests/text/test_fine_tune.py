"""Fine-tuning learns, sees the training split alone, and takes the strategies of the loop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.training.plain import Plain
from labelnoise.core.training.result import predict
from labelnoise.core.training.task import unit_losses
from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError
from labelnoise.text.cli import main
from labelnoise.text.dataset import TextDataset
from labelnoise.text.embedded import news
from labelnoise.text.evaluation import entity_f1
from labelnoise.text.fine_tune import train_fine_tuned
from labelnoise.text.schemes import repair
from labelnoise.text.splits import sentence_splits
from labelnoise.text.token_task import TokenTask


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


def test_the_loss_falls(tiny_model: Path) -> None:
    data = few(100)
    everything = np.ones(data.n_units, dtype=bool)
    losses = []
    for epochs in (1, 3, 6):
        task = TokenTask(data, {"train": everything}, str(tiny_model))
        result = train(task, Plain(), TrainConfig(epochs=epochs, lr=3e-3, optimizer="adamw"))
        units = predict(result, task, "train")
        losses.append(float(unit_losses(units.logits, units.labels).mean()))
    assert losses[0] > 1.2 * losses[1] > 1.2 * losses[2]


def test_unseen_sentences_are_tagged_better_than_by_the_majority(tiny_model: Path) -> None:
    data = news()
    result = train_fine_tuned(blind(data), model=str(tiny_model), epochs=4, lr=3e-3, freeze_embeddings=False)
    test = sentence_splits(data)["test"]
    majority = float((data.true[test] == 0).mean())
    assert result.accuracy(data.true, test) > majority + 0.1
    assert entity_f1(np.where(test, data.true, -1), result.predicted, starts=data.starts) > 0.5
    assert np.allclose(result.probs.sum(axis=1), 1.0)
    assert np.array_equal(repair(result.predicted, starts=data.starts), result.predicted)
    assert (result.method, result.selected_by) == ("fine-tune", "last epoch")


def test_only_the_training_split_teaches_and_val_chooses(tiny_model: Path) -> None:
    data = few(120)
    masks = {
        "train": data.groups < 60,
        "val": (data.groups >= 60) & (data.groups < 90),
        "test": data.groups >= 90,
    }
    data = replace(data, masks=masks)
    options = {"model": str(tiny_model), "epochs": 2, "lr": 3e-3}
    result = train_fine_tuned(data, **options)
    other = data.with_labels(np.where(masks["test"], 0, data.given))
    assert np.array_equal(result.probs, train_fine_tuned(other, **options).probs)
    assert result.selected_by == "noisy validation entity F1"
    hidden = data.with_labels(np.where(masks["train"], data.given, -1))
    assert train_fine_tuned(hidden, **options).selected_by == "last epoch"


@pytest.mark.parametrize(
    "strategy", ["elr", "co_teaching", "forward", "rescaling", "divide_mix", "bootstrapping"]
)
def test_strategies_apply(tiny_model: Path, strategy: str) -> None:
    data = few(40)
    result = train_fine_tuned(data, model=str(tiny_model), strategy=strategy, epochs=3, lr=3e-3)
    assert result.method == f"fine-tune+{strategy}"
    assert np.isfinite(result.probs).all()


def test_the_command_trains_and_refuses(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["train", "news", "--method", "fine-tune"]
    chosen = ["--set", f"model={tiny_model}", "--set", "epochs=1"]
    assert (
        main([*call, *chosen, "--set", "strategy=plain", "--set", 'parameters={"loss": "gce"}', "--json"])
        == 0
    )
    shown, errors = capsys.readouterr()
    assert json.loads(shown)["scores"][1]["entity_f1"] is not None
    assert "newly initialized" not in errors
    for arguments, words in (
        ([], "needs the option 'model'"),
        (["--set", "model=/nowhere"], "There is no folder '/nowhere'"),
        ([*chosen, "--set", "strategy=el"], "Did you mean 'elr'"),
        ([*chosen, "--set", 'parameters={"los": 1}'], "no option 'los'"),
        ([*chosen, "--set", "batch=4"], "Did you mean 'batch_size'"),
    ):
        assert main([*call, *arguments]) == 2
        assert words in capsys.readouterr().err


def test_a_model_is_needed() -> None:
    with pytest.raises(InputError, match="There is no folder"):
        train_fine_tuned(few(10), model="./gone")
