"""What is fuzzed, and what may come of one input: read, refused in a sentence, or a problem."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.mutate import Files, mutated
from labelnoise.core.validation import InputError

#: CPU seconds that one input may take.
CPU_LIMIT = 2.0
#: Bytes by which one input, which is a few kilobytes, may raise the peak of the resident memory.
MEMORY_LIMIT = 256 << 20
#: Characters of a message that are still a sentence.
LONGEST_MESSAGE = 1500


@dataclass(frozen=True)
class Target:
    """A reader and a valid example of what it reads.

    Attributes
    ----------
    name : str
    files : callable
        The example: contents by relative path, made anew at every call.
    read : callable
        ``read(folder)`` on the folder that holds the files.
    covers : tuple of str
        ``module:function`` of the readers that it runs; a test holds the list against the package.
    datasets : tuple of str
        ``domain:name`` of the public data sets that are read so.
    use : callable, optional
        ``use(result, folder)`` does what follows a read (hash, describe, save, read back) in an empty folder.
    strategy : callable, optional
        A hypothesis strategy of whole ``Files``, beside the mutations.
    single : str
        The file whose bytes coverage-guided fuzzing makes up; empty where there is none of our own parsing.
    needs : str
        A package that is not among the extras; without it the target is left out.
    """

    name: str
    files: Callable[[], Files]
    read: Callable[[Path], Any]
    covers: tuple[str, ...]
    datasets: tuple[str, ...] = ()
    use: Callable[[Any, Path], None] | None = None
    strategy: Callable[[], Any] | None = None
    single: str = ""
    needs: str = ""


@dataclass
class Tally:
    """What came of the inputs so far."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    problems: dict[str, list[Any]] = field(default_factory=dict)
    slowest: float = 0.0
    widest: int = 0

    def add(self, outcome: str, detail: str, which: Any) -> None:
        """Count one input; of each kind of problem the first inputs are kept."""
        self.inputs += 1
        if outcome == "read":
            self.read += 1
        elif outcome == "refused":
            self.refused += 1
        else:
            found = self.problems.setdefault(f"{outcome}: {detail}", [0])
            found[0] += 1
            if len(found) < 5:
                found.append(which)

    def merge(self, other: dict[str, Any]) -> None:
        """Add what another process counted."""
        for name in ("inputs", "read", "refused"):
            setattr(self, name, getattr(self, name) + other[name])
        self.slowest, self.widest = max(self.slowest, other["slowest"]), max(self.widest, other["widest"])
        for what, (count, *which) in other["problems"].items():
            found = self.problems.setdefault(what, [0])
            found[0] += count
            found += which[: 5 - len(found)]


class Hang(BaseException):
    """An input used up its CPU seconds; no reader may catch this."""


def input_of(target: Target, number: int, seed: int, example: Files | None = None) -> Files:
    """The input of a number: the same for the same seed on any machine."""
    rng = random.Random(f"{seed}/{target.name}/{number}")
    return mutated(target.files() if example is None else example, rng)


def attempt(target: Target, files: Files, home: Path, tally: Tally, which: Any) -> str:
    """Let the reader have one input, and count what came of it."""
    inside, after = home / "in", home / "out"
    _lay(files, inside)
    _empty(after)
    before = _listing(inside)
    start, peak = time.process_time(), _peak()
    outcome, detail = "read", ""
    try:
        with _cpu_limit(CPU_LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = target.read(inside)
            if target.use is not None:
                outcome = "used"
                target.use(result, after)
            outcome = "read"
    except InputError as error:
        outcome, detail = _sentence(error, after if outcome == "used" else None)
    except Hang as error:
        outcome, detail = "hang", _place(error)
    except MemoryError as error:
        outcome, detail = "memory", _place(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        outcome, detail = "traceback", f"{type(error).__name__} at {_place(error)}"
    spent, grown = time.process_time() - start, _peak() - peak
    tally.slowest, tally.widest = max(tally.slowest, spent), max(tally.widest, grown)
    if outcome in ("read", "refused"):
        if grown > MEMORY_LIMIT:
            outcome, detail = "memory", "the peak of the resident memory rose"
        elif _listing(inside) != before:
            outcome, detail = "written", "the reader changed the folder that it read"
    tally.add(outcome, detail, which)
    return outcome


def _sentence(error: InputError, after: Path | None) -> tuple[str, str]:
    """Whether a refusal is one: a sentence, not after a try to take all memory, with nothing half-written."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError):
            return "memory", _place(seen)
        seen = seen.__cause__ or seen.__context__
    text = str(error)
    if not 20 <= len(text) <= LONGEST_MESSAGE or "Traceback" in text:
        return "message", f"{len(text)} characters at {_place(error)}"
    if after is not None and any(after.iterdir()):
        return "written", f"half of the output is there after a refusal at {_place(error)}"
    return "refused", ""


def _place(error: BaseException) -> str:
    """The innermost line of the package that an exception passed."""
    frames = [
        f"{frame.filename.rpartition('labelnoise/')[2]}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "/labelnoise/" in frame.filename and "site-packages" not in frame.filename
    ]
    return frames[-1] if frames else "outside of the package"


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    old = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _lay(files: Files, folder: Path) -> None:
    _empty(folder)
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (OSError, ValueError):
            continue  # a name that no file can have


def _empty(folder: Path) -> None:
    if folder.exists():
        for item in os.scandir(folder):
            if item.is_dir(follow_symlinks=False):
                shutil.rmtree(item.path)
            else:
                os.unlink(item.path)
    else:
        folder.mkdir(parents=True)


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    for base, _, names in os.walk(folder):
        for name in names:
            state = os.lstat(os.path.join(base, name))
            found.append((os.path.join(base, name), state.st_size, state.st_mtime_ns))
    return sorted(found)


@cache
def _domain(name: str) -> Any:
    from labelnoise.core.domain import get_domain

    return get_domain(name)  # which looks through the metadata of all that is installed


def use_dataset(domain_name: str, ending: str, *, copy: bool = True) -> Callable[[Any, Path], None]:
    """What the verbs do with data that were read: hash, describe, write, read back, compare.

    Without ``copy`` nothing is written: public sets are read with settings that a copy does not carry.
    """

    def use(dataset: Any, folder: Path) -> None:
        import numpy as np

        domain = _domain(domain_name)
        dataset.content_hash()
        json.dumps(domain.describe(dataset), allow_nan=False)
        units = np.flatnonzero(dataset.labelled)[:3].tolist()
        domain.unit_context(dataset, units)
        if not copy:
            return
        target = folder / f"copy{ending}"
        domain.save(dataset, target)
        try:
            again = domain.load(str(target))
        except InputError as error:
            raise AssertionError(f"what was written is refused: {error}") from error
        names = [np.array([*data.class_names, ""], dtype=object)[data.given] for data in (dataset, again)]
        if len(names[0]) != len(names[1]) or (names[0] != names[1]).any():
            raise AssertionError("what was written is read back as something else")

    return use
