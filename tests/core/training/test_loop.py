"""The loop: same seed, same weights, through a kill as well; what chose the epoch is said; bad input is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.checkpoint import CHECKPOINT
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import Run, train
from labelnoise.core.training.result import TrainResult, combine, predict
from labelnoise.core.training.task import accuracy, unit_losses
from labelnoise.core.validation import InputError

Make = Callable[..., ArrayTask]


def weights(result: TrainResult) -> torch.Tensor:
    return torch.cat([p.flatten() for model in result.models for p in model.parameters()]).detach()


def config(**options: Any) -> TrainConfig:
    return TrainConfig(**{"epochs": 3, "lr": 5e-3, "device": "cpu", **options})


def test_one_seed_one_answer_and_the_callers_generator_is_left_alone(digits_task: Make) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = train(digits_task(), "plain", config())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    assert torch.equal(weights(first), weights(train(digits_task(), "plain", config())))
    assert not torch.equal(weights(first), weights(train(digits_task(), "plain", config(seed=1))))


def test_plain_training_is_the_loop_one_would_write_by_hand() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 2, 40)
    y[:5] = -1

    def linear() -> torch.nn.Module:
        layer = torch.nn.Linear(3, 2)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        return layer

    task = ArrayTask(x, y, network=linear, batch_size=40)
    result = train(task, "plain", config(epochs=4, optimizer="sgd", lr=0.3, weight_decay=0.01))
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, weight_decay=0.01)
    for _ in range(4):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.tensor(x)), torch.tensor(y), ignore_index=-1).backward()
        optimizer.step()
    assert torch.allclose(weights(result), torch.cat([p.flatten() for p in model.parameters()]), atol=1e-6)


def test_units_without_a_label_change_nothing_in_a_full_batch() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    extra = np.concatenate([x, 100 * rng.normal(size=(10, 3))])
    masked = np.concatenate([y, np.full(10, -1)])
    few = train(ArrayTask(x, y, batch_size=64), "plain", config())
    more = train(ArrayTask(extra, masked, batch_size=64), "plain", config())
    assert torch.allclose(weights(few), weights(more), atol=1e-5)


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_run_goes_on_where_it_stopped(digits_task: Make, tmp_path: Path, stop_after: int) -> None:
    class Stop(Exception):
        pass

    def stop(run: Run) -> None:
        if run.epoch == stop_after:
            raise Stop

    settings = config(epochs=5, ema=0.9, schedule="cosine", folder=tmp_path)
    with pytest.raises(Stop):
        train(digits_task(), "elr", settings, callbacks=[stop])
    resumed = train(digits_task(), "elr", settings)
    whole = train(digits_task(), "elr", config(epochs=5, ema=0.9, schedule="cosine"))
    assert torch.equal(weights(resumed), weights(whole))
    assert [r["epoch"] for r in resumed.history] == [0, 1, 2, 3, 4]
    again = train(digits_task(), "elr", settings)
    assert torch.equal(weights(again), weights(whole)), "a finished run is read, not repeated"


KILLED = """
import sys, time
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.training.arrays import ArrayTask
import numpy as np
x = np.random.default_rng(0).normal(size=(200, 4)); y = (x[:, 0] > 0).astype(int)
train(ArrayTask(x, y, batch_size=20), "co_teaching", TrainConfig(epochs=12, folder=sys.argv[1], device="cpu"),
      callbacks=[lambda run: time.sleep(0.1)], noise_rate=0.2)
"""


def test_a_killed_process_loses_at_most_the_epoch_it_was_in(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], env={**os.environ})
    deadline = time.monotonic() + 240
    while not (tmp_path / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    x = np.random.default_rng(0).normal(size=(200, 4))
    task = ArrayTask(x, (x[:, 0] > 0).astype(int), batch_size=20)
    settings = TrainConfig(epochs=12, device="cpu")
    started: list[int] = []
    resumed = train(
        task,
        "co_teaching",
        TrainConfig(epochs=12, folder=tmp_path, device="cpu"),
        callbacks=[lambda run: started.append(run.epoch)],  # type: ignore[list-item,func-returns-value]
        noise_rate=0.2,
    )
    assert 0 < len(started) < 12, "it went on, it did not begin again"
    assert torch.equal(weights(resumed), weights(train(task, "co_teaching", settings, noise_rate=0.2)))


def test_a_checkpoint_of_another_run_is_refused_by_name(digits_task: Make, tmp_path: Path) -> None:
    train(digits_task(), "plain", config(folder=tmp_path))
    with pytest.raises(InputError, match="lr was 0.005, now it is 0.1"):
        train(digits_task(), "plain", config(folder=tmp_path, lr=0.1))
    with pytest.raises(InputError, match="labels was"):
        train(digits_task(seed=3), "plain", config(folder=tmp_path))
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        train(digits_task(), "plain", config(folder=tmp_path))


def test_the_best_epoch_by_noisy_validation_is_returned_and_named(digits_task: Make) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 64)), rng.integers(0, 10, 80)
    task = digits_task(validation=(x, y))
    result = train(task, "plain", config(epochs=6))
    scores = [record["validation"] for record in result.history]
    assert result.epoch == int(np.argmax(scores))
    assert result.selected_by == "noisy validation accuracy"
    assert accuracy([predict(result, task, "validation")]) == pytest.approx(max(scores))
    assert train(task, "plain", config(select="last")).selected_by == "last epoch"
    clean = digits_task(validation=(x, y), validation_labels="clean")
    assert train(clean, "plain", config()).selected_by.startswith("clean")


def test_patience_ends_a_run_early(digits_task: Make) -> None:
    # Labels that never match: no epoch is better than the first.
    task = digits_task(validation=(np.zeros((4, 64)), [-1, -1, -1, -1]))
    assert len(train(task, "plain", config(epochs=9, patience=2)).history) == 3
    with pytest.raises(InputError, match="patience needs a validation split"):
        train(digits_task(), "plain", config(patience=2))


def test_weights_averaged_over_steps_are_what_is_returned(digits_task: Make) -> None:
    plain, average = (train(digits_task(), "plain", config(ema=ema)) for ema in (None, 0.99))
    assert not torch.equal(weights(plain), weights(average))


def test_divergence_is_an_error_and_not_a_nan(digits_task: Make) -> None:
    with pytest.raises(InputError, match="diverged in epoch 0"):
        train(digits_task(), "plain", config(optimizer="sgd", lr=1e20))


def test_per_unit_values_are_by_id_and_inactive_units_are_hidden(digits_task: Make) -> None:
    task = digits_task(n=230)
    seen: list[torch.Tensor] = []

    def look(run: Run) -> None:
        losses = run.per_unit(run.members[0])
        logits = run.members[0].bare(torch.as_tensor(task._splits["train"][0]))
        expected = unit_losses(logits, torch.as_tensor(task.given)).detach()
        assert torch.allclose(losses, expected, atol=1e-5)
        run.active[:100] = False
        for batch in task.batches("train", run.rng("order")):
            seen.append(run.forward(run.members[0], batch).labels)

    train(task, "plain", config(epochs=1), callbacks=[look])
    assert int((torch.cat(seen) == -1).sum()) == 100


def test_mean_probabilities_of_several_networks() -> None:
    a, b = torch.randn(5, 4), torch.randn(5, 4)
    assert torch.allclose(combine([a, b], False).softmax(1), (a.softmax(1) + b.softmax(1)) / 2, atol=1e-6)
    assert torch.allclose(combine([a, b], True).sigmoid(), (a.sigmoid() + b.sigmoid()) / 2, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"optimizer": "sdg"}, "Did you mean 'sgd'"),
        ({"ema": 1.5}, "between 0 and 1"),
        ({"warmup": 3}, "warmup is 3"),
        ({"select": "best"}, "Unknown selection"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**options)


def test_data_that_cannot_be_trained_on(digits_task: Make) -> None:
    with pytest.raises(InputError, match="No training unit has a label"):
        train(ArrayTask(np.zeros((3, 2)), [-1, -1, -1], n_classes=2), "plain", config())
    with pytest.raises(InputError, match="no rows"):
        ArrayTask(np.zeros((0, 2)), np.zeros(0, dtype=int))
    with pytest.raises(InputError, match="NaN"):
        ArrayTask([[np.nan]], [0])
    task = ArrayTask(np.zeros((3, 2)), [0, 1, 0])
    trained = train(task, "plain", config(epochs=1))
    with pytest.raises(InputError, match="no test split"):
        predict(trained, task)
    with pytest.raises(InputError, match="select is 'validation'"):
        train(digits_task(), "plain", config(select="validation"))
