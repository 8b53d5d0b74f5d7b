"""Thousands of inputs against one target, in a process of its own that may be killed and started again."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from fuzz.target import CPU_LIMIT, Tally, Target, attempt, input_of

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
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None, prefix="fuzz \u00fc ") as name:
        home = Path(name)
        # Once here and without a limit: what it imports, all later processes have.
        attempt(target, target.files(), home, Tally(), "example")
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _run(target, mode, start, stop, seed, home, keep)
        progress = home / "progress"
        last, since, status = "", time.monotonic(), None
        while status is None:
            time.sleep(0.02)
            done, code = os.waitpid(child, os.WNOHANG)
            now = progress.read_text() if progress.exists() else ""
            if done:
                status = os.waitstatus_to_exitcode(code)
            elif now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > STUCK:
                os.kill(child, signal.SIGKILL)
        if (home / "tally.json").exists():
            tally.merge(json.loads((home / "tally.json").read_text()))
        if status == 0:
            return stop
        # What the process counted until then is in the tally; the input that ended it is not.
        at = int(now or start)
        why = "hang in compiled code" if status == -signal.SIGKILL else f"crash with {status}"
        said = (home / "errors").read_text(errors="replace").strip().splitlines()
        tally.add(why, said[-1][:200] if said else "", [mode, at])
        return at + 1


def _run(
    target: Target, mode: str, start: int, stop: int, seed: int, folder: Path, keep: Path | None
) -> NoReturn:
    """The process that runs inputs; it writes the number of each before it could be ended by it."""
    try:
        log = os.open(folder / "errors", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _inputs(target, mode, start, stop, seed, folder, keep)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _inputs(
    target: Target, mode: str, start: int, stop: int, seed: int, folder: Path, keep: Path | None
) -> None:
    example = target.files()
    tally = Tally()
    os.chdir(folder)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, used + ADDRESS_SPACE))

    def one(files: dict[str, bytes], number: int) -> None:
        _put(folder / "progress", str(number))
        before = sum(found[0] for found in tally.problems.values())
        attempt(target, files, folder, tally, [mode, number])
        if keep and sum(found[0] for found in tally.problems.values()) > before:
            place = keep / target.name / f"{mode}-{number}"
            if not place.exists():
                shutil.copytree(folder / "in", place)
        # After each input: a crash at the next one must lose none.
        _put(folder / "tally.json", json.dumps(vars(tally)))

    if mode == "mutated":
        for number in range(start, stop):
            one(input_of(target, number, seed, example), number)
    else:
        _structured(target, stop, seed, one)


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
