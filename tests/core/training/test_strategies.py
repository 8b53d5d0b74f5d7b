"""Every strategy: better than plain training on wrong labels, resumable to the bit, strict about its options."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelnoise.core.training import STRATEGIES, get_strategy
from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import Run, train
from labelnoise.core.training.result import TrainResult, predict
from labelnoise.core.training.task import accuracy
from labelnoise.core.validation import InputError

Make = Callable[..., ArrayTask]
#: Options that make the short runs of these tests go through every phase.
SHORT: dict[str, dict[str, Any]] = {
    "small_loss": {"warmup": 2, "ramp": 3},
    "co_teaching": {"warmup": 2, "ramp": 3},
    "adaptive_k": {"warmup": 1},
    "self_distillation": {"generations": 1},
    "cross_split": {"warmup": 2, "stage": 1},
    "divide_mix": {"warmup": 2},
    "bootstrapping": {"warmup": 2},
    "forward": {"warmup": 2},
    "backward": {"warmup": 2},
    "rent": {"warmup": 2},
    "dws": {"warmup": 2},
    "late_stopping": {"runs": (1, 2), "warmup": 0},
    "rescaling": {"warmup": 2},
}
#: Multi-label units are beyond these.
SINGLE = {
    "elr",
    "forward",
    "backward",
    "rent",
    "dws",
    "late_stopping",
    "cross_split",
    "divide_mix",
    "rescaling",
    "bootstrapping",
    "volume",
}


def weights(result: TrainResult) -> torch.Tensor:
    return torch.cat([p.flatten() for model in result.models for p in model.parameters()]).detach()


def config(**options: Any) -> TrainConfig:
    return TrainConfig(**{"epochs": 6, "lr": 5e-3, "device": "cpu", **options})


@pytest.fixture(scope="module")
def plain_accuracy(digits_task: Make) -> float:
    task = digits_task()
    return accuracy([predict(train(task, "plain", config(epochs=60)), task)])


def test_plain_training_memorises_here(digits_task: Make, plain_accuracy: float) -> None:
    curve: list[float] = []
    train(
        digits_task(),
        "plain",
        config(epochs=60),
        callbacks=[lambda run: curve.append(accuracy(run.combined("test")))],  # type: ignore[list-item,func-returns-value]
    )
    assert max(curve) - curve[-1] > 0.1
    assert curve[-1] == pytest.approx(plain_accuracy)


#: What needs more than this short task to pay: measured in benchmarks/core_training.py, told in the entries.
SLOW_TO_PAY = {"plain", "sharpness_aware", "backward"}


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in SLOW_TO_PAY])
def test_better_than_plain_on_wrong_labels(name: str, digits_task: Make, plain_accuracy: float) -> None:
    task = digits_task()
    result = train(task, name, config(epochs=60))
    assert accuracy([predict(result, task)]) > plain_accuracy + 0.03


@pytest.mark.parametrize("name", STRATEGIES)
def test_resumed_equals_uninterrupted(name: str, digits_task: Make, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(run: Run) -> None:
        if run.epoch == 3:
            raise Stop

    options = SHORT.get(name, {})
    settings = config(folder=tmp_path)
    with pytest.raises(Stop):
        train(digits_task(n=200), name, settings, callbacks=[stop], **options)
    resumed = train(digits_task(n=200), name, settings, **options)
    whole = train(digits_task(n=200), name, config(), **options)
    assert torch.equal(weights(resumed), weights(whole))
    assert [r["epoch"] for r in resumed.history] == [r["epoch"] for r in whole.history]


@pytest.mark.parametrize("name", STRATEGIES)
def test_units_without_labels_are_allowed_and_units_are_not_needed_in_order(
    name: str, digits_task: Make
) -> None:
    task = digits_task(n=200)
    task.given[::3] = -1
    task._splits["train"][1][::3] = -1
    result = train(task, name, config(), **SHORT.get(name, {}))
    assert torch.isfinite(weights(result)).all()
    assert all(len(values) == 200 for values in result.units.values())


@pytest.mark.parametrize("name", STRATEGIES)
def test_multilabel_works_or_is_refused_in_a_sentence(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = (x[:, :3] > 0).astype(int)
    y[0, 0] = -1
    task = ArrayTask(x, y, test=(x, y), batch_size=20)
    if name in SINGLE:
        with pytest.raises(InputError, match=r"single-label"):
            train(task, name, config(), **SHORT.get(name, {}))
        return
    result = train(task, name, config(epochs=30), **SHORT.get(name, {}))
    hits = (predict(result, task).logits.numpy() > 0) == (y > 0)
    assert hits[1:].mean() > 0.8


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_unknown_option_names_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=rf"The strategy '{name}' has no option 'nose_rate'"):
        get_strategy(name, nose_rate=0.1)
    assert isinstance(get_strategy(name).options(), dict)


TWO = """
import sys
import numpy as np, torch
from accelerate import PartialState
from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.training.result import predict
from labelnoise.core.training.task import accuracy
torch.set_num_threads(1)
x = np.random.default_rng(0).normal(size=(203, 4)); y = (x[:, 0] > 0).astype(int)
task = ArrayTask(x, y, test=(x, y), batch_size=20)
result = train(task, sys.argv[1], TrainConfig(epochs=8, lr=0.02, device="cpu"))
total = sum(float(p.detach().double().sum()) for m in result.models for p in m.parameters())
memory = result.units["memory"]
state = PartialState()
told = (state.num_processes, round(total, 9), int((memory.sum(1) > 0).sum()), round(float(memory.sum()), 3),
        round(accuracy([predict(result, task)]), 3))
with open(f"{sys.argv[2]}/{state.process_index}.txt", "w") as file:
    print(*told, file=file)
"""


def test_two_processes_share_weights_and_state(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--standalone",
        str(script),
        "elr",
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        check=False,
    )
    lines = [path.read_text() for path in tmp_path.glob("*.txt")]
    assert len(lines) == 2, done.stderr[-2000:]
    assert lines[0] == lines[1], "both processes end with the same weights and the same memory"
    world, _, remembered, _, right = lines[0].split()
    assert (int(world), int(remembered)) == (2, 203)
    assert float(right) > 0.9
