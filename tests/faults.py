"""Faults of a machine, made on purpose: a disk that fills up, a folder that refuses, a signal at a bad moment."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LABELNOISE = [sys.executable, "-m", "labelnoise"]

#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root write where nobody may.
_OVERRIDING = (1 << 1) | (1 << 2)
_CAPABILITY_VERSION = 0x20080522

needs_posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits differ")


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files below a folder with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Within the block no file grows beyond ``size`` bytes: the start is written, then the system refuses."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Step:
    """Counts the calls of a function and lets one of them fail, as on a full disk."""

    def __init__(self, real: Callable[..., Any], fails_at: int | None) -> None:
        self.real, self.fails_at, self.calls = real, fails_at, 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == self.fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.real(*arguments, **options)


@contextmanager
def failing(function: str, at: int | None) -> Iterator[Step]:
    """Within the block the ``at``-th call of ``os.<function>`` finds the disk full; None only counts."""
    step = Step(getattr(os, function), at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, function, step)
        yield step


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Within the block nothing can be made in the folder, by root neither."""
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        with _powerless():
            probe = folder / "probe"
            try:
                probe.touch()
            except PermissionError:
                yield
            else:
                probe.unlink()
                pytest.skip("this user may write into a folder that is read-only")
    finally:
        folder.chmod(mode)


@contextmanager
def _powerless() -> Iterator[None]:
    """Within the block this thread's root rights do not reach beyond the permissions of files."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable sets, the lower 32 capabilities and then the upper ones.
    old = (ctypes.c_uint32 * 6)()
    if libc.capget(header, old) != 0:
        yield
        return
    new = (ctypes.c_uint32 * 6)(*old)
    new[0] &= ~_OVERRIDING
    libc.capset(header, new)
    try:
        yield
    finally:
        libc.capset(header, old)


def start(
    arguments: Sequence[str], folder: Path, before: Callable[[], None] | None = None, **environment: str
) -> subprocess.Popen[str]:
    """A command in a process of its own, in a folder, which Ctrl-C reaches even where this process ignores it."""

    def prepare() -> None:
        # A test run in a shell's background inherits that the signal is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if before is not None:
            before()

    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(Path.cwd())])
    return subprocess.Popen(
        list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        text=True,
        env={"PYTHONPATH": path, **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **environment},
        preexec_fn=prepare,
        start_new_session=True,
    )


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Return when the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def one_sentence(err: str) -> str:
    """Standard error, which must be one line that begins with what happened, without a traceback."""
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    return err
