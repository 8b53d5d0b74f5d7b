"""Checkpoints under faults: a full disk is told as such and leaves the old one, a bad folder is refused at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.checkpoint import CHECKPOINT
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import Run, train
from labelnoise.core.validation import InputError
from tests.faults import failing, largest_file, needs_posix, read_only

pytestmark = needs_posix


def config(folder: Path | None) -> TrainConfig:
    return TrainConfig(epochs=3, device="cpu", folder=folder)


@pytest.mark.parametrize("fault", ["fsync", "replace", "size"])
def test_a_full_disk_keeps_the_old_checkpoint_and_the_run_goes_on_from_it(
    digits_task: Callable[..., ArrayTask], tmp_path: Path, fault: str
) -> None:
    epochs: list[int] = []

    def note(run: Run) -> None:
        epochs.append(run.epoch)

    def go() -> torch.Tensor:
        result = train(digits_task(n=200), "plain", config(tmp_path), callbacks=[note])
        return torch.cat([p.detach().ravel() for p in result.models[0].parameters()])

    def until_second(run: Run) -> None:
        if run.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(digits_task(n=200), "plain", config(tmp_path), callbacks=[until_second])
    before = (tmp_path / CHECKPOINT).read_bytes()
    with largest_file(len(before) // 2) if fault == "size" else failing(fault, 1), pytest.raises(OSError):
        go()
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    epochs.clear()
    resumed = go()
    assert epochs == [1, 2]
    whole = train(digits_task(n=200), "plain", config(None)).models[0]
    assert torch.equal(resumed, torch.cat([p.detach().ravel() for p in whole.parameters()]))


def test_folders_that_refuse_are_refused_before_the_first_epoch(
    digits_task: Callable[..., ArrayTask], tmp_path: Path
) -> None:
    def never(run: Run) -> None:
        pytest.fail("an epoch was run")

    (tmp_path / "file").touch()
    for folder, words in ((tmp_path / "file", "is a file"), (tmp_path / "file" / "run", "cannot be made")):
        with pytest.raises(InputError, match=words):
            train(digits_task(n=200), "plain", config(folder), callbacks=[never])
    locked = tmp_path / "locked"
    locked.mkdir()
    with read_only(locked), pytest.raises((InputError, PermissionError)):
        train(digits_task(n=200), "plain", config(locked / "run"))


def test_time_that_goes_back_makes_no_negative_duration(
    digits_task: Callable[..., ArrayTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    clock = [time.time()]

    def back() -> float:
        clock[0] -= 60.0
        return clock[0]

    monkeypatch.setattr(time, "time", back)
    result = train(digits_task(n=200), "plain", config(None))
    assert all(record["seconds"] >= 0 for record in result.history)
