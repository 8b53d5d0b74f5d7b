"""Thousands of inputs against one target, in a process of its own that may be killed and started again."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz.target import CPU_LIMIT, Tally, Target, attempt, input_of
from fuzz.targets import TARGETS

#: Bytes of address space beyond what a process holds when it starts: larger requests fail at once.
ADDRESS_SPACE = 1 << 30
#: Seconds without a sign of life after which a process counts as stuck in compiled code.
STUCK = 15 * CPU_LIMIT
#: Share of inputs that hypothesis makes where a target has a strategy.
STRUCTURED = 0.2


def fuzz(target: Target, count: int, seed: int, keep: Path | None = None) -> Tally:
    """Run all inputs of a target; a crash or a hang costs one input and a new process.

    Parameters
    ----------
    target : Target
    count : int
        Inputs from 0 to ``count``; the share `STRUCTURED` of them from the target's strategy.
    seed : int
    keep : Path, optional
        Folder for the inputs that ended in a problem.
    """
    tally = Tally()
    structured = int(count * STRUCTURED) if target.strategy is not None else 0
    plain = count - structured
    start = 0
    while start < plain:
        start = _child(target, "mutated", start, plain, seed, keep, tally)
    if structured:
        _child(target, "structured", 0, structured, seed, keep, tally)
    return tally


def _child(
    target: Target, mode: str, start: int, stop: int, seed: int, keep: Path | None, tally: Tally
) -> int:
    """One process; returns the number of the next input."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None, prefix="fuzz ü ") as home:
        command = [sys.executable, str(Path(__file__).parent), "--child", target.name, mode, str(start)]
        command += [str(stop), str(seed), home, str(keep or "")]
        log = Path(home) / "errors"
        with open(log, "wb") as errors:
            child = subprocess.Popen(command, stdout=errors, stderr=errors)
        progress = Path(home) / "progress"
        last, since = "", time.monotonic()
        while child.poll() is None:
            time.sleep(0.05)
            now = progress.read_text() if progress.exists() else ""
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > STUCK * (4 if not now else 1):
                child.kill()
                child.wait()
        done = Path(home) / "tally.json"
        if done.exists():
            tally.merge(json.loads(done.read_text()))
        if child.returncode == 0:
            return stop
        # What the process counted until then is in the tally; the input that ended it is not.
        at = int(last or start)
        why = "hang in compiled code" if child.returncode == -9 else f"crash with {child.returncode}"
        said = log.read_text(errors="replace").strip().splitlines()
        tally.add(why, said[-1][:200] if said else "", [mode, at])
        return at + 1


def child(arguments: list[str]) -> int:
    """The process that runs inputs; it writes its count before each input that could end it."""
    name, mode, start, stop, seed, home, keep = arguments
    target, folder = TARGETS[name], Path(home)
    example = target.files()
    tally = Tally()
    os.chdir(folder)
    # Once without a limit: imports and caches are not the input's.
    attempt(target, example, folder, Tally(), "example")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, used + ADDRESS_SPACE))

    def one(files: dict[str, bytes], number: int) -> None:
        _put(folder / "progress", str(number))
        before = sum(found[0] for found in tally.problems.values())
        attempt(target, files, folder, tally, [mode, number])
        if keep and sum(found[0] for found in tally.problems.values()) > before:
            place = Path(keep) / target.name / f"{mode}-{number}"
            if not place.exists():
                shutil.copytree(folder / "in", place)
        if number % 20 == 0:
            _put(folder / "tally.json", json.dumps(vars(tally)))

    if mode == "mutated":
        for number in range(int(start), int(stop)):
            one(input_of(target, number, int(seed), example), number)
    else:
        _structured(target, int(stop), int(seed), one)
    _put(folder / "tally.json", json.dumps(vars(tally)))
    return 0


def _structured(target: Target, count: int, seed: int, one: Any) -> None:
    import hypothesis
    from hypothesis import HealthCheck, Phase

    assert target.strategy is not None
    numbers = iter(range(10 * count))

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(target.strategy())
    def each(files: dict[str, bytes]) -> None:
        one(files, next(numbers))

    each()


def _put(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)
