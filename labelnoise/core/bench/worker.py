"""A process that runs cells, one at a time, asked by lines of JSON; and the handle that starts and stops one.

Cells run behind a pipe and not in the caller's process because only a process can be stopped when its time is
up, and only a process can die without taking the others along.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO, Any

__all__ = ["Worker", "Workers", "main", "run_isolated"]

#: A worker left alone for so long is stopped; foreign executors keep their threads for ever.
IDLE_SECONDS = 30.0
#: Importing the numerical libraries on a slow disk may take long; this is not part of a cell's time.
START_SECONDS = 300.0


class Worker:
    """One child process with one BLAS thread; started when needed, again after a stop or a crash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._errors: IO[bytes] | None = None
        self._idle: threading.Timer | None = None
        self._aborted = False

    def run(self, task: Mapping[str, Any], limit: float | None) -> dict[str, Any]:
        """The record of one cell; ``limit`` seconds after it was asked the process is killed."""
        from labelnoise.core.bench.cell import failed_record

        with self._lock:
            if self._aborted:
                return failed_record(task, "The run was stopped.")
            if self._idle is not None:
                self._idle.cancel()
            try:
                return self._ask(task, limit)
            except TimeoutError:
                self._kill()
                return failed_record(
                    task,
                    f"No result after {limit:g} s; the cell was stopped.",
                    status="timeout",
                    seconds=limit,
                )
            except (EOFError, OSError):
                reason = self._epitaph()
                self._kill()
                return failed_record(task, reason)
            finally:
                self._idle = threading.Timer(IDLE_SECONDS, self.close)
                self._idle.daemon = True
                self._idle.start()

    def _ask(self, task: Mapping[str, Any], limit: float | None) -> dict[str, Any]:
        process = self._started()
        if self._aborted:
            raise EOFError
        assert process.stdin is not None
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        record: dict[str, Any] = json.loads(self._receive(limit))
        return record

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        from labelnoise.core.bench.cost import THREAD_VARIABLES

        # The child must find what this process finds, wherever it was started from.
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONPATH": path}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labelnoise.core.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._answers = queue.Queue()
        threading.Thread(target=_collect, args=(self._process.stdout, self._answers), daemon=True).start()
        try:
            self._receive(START_SECONDS)  # the greeting
        except TimeoutError:
            raise EOFError from None
        return self._process

    def _receive(self, limit: float | None) -> str:
        try:
            answer = self._answers.get(timeout=limit)
        except queue.Empty:
            raise TimeoutError from None
        if answer is None:
            raise EOFError
        return answer

    def _epitaph(self) -> str:
        """Why the process died, as far as it left a word."""
        process = self._process
        if process is None:
            return "The worker process could not be started."
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        code = process.returncode
        if code is None:
            return f"The worker process did not start within {START_SECONDS:g} s."
        how = f"with exit code {code}"
        if code < 0:
            how = f"by signal {signal.Signals(-code).name}"
            if -code == getattr(signal, "SIGKILL", None):
                how += " (out of memory, perhaps)"
        last = ""
        if self._errors is not None:
            self._errors.seek(0)
            lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            last = f" Last words: {lines[-1].strip()}" if lines else ""
        return f"The worker process ended {how}.{last}"

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        if self._errors is not None:
            self._errors.close()
        self._process = self._errors = None

    def close(self) -> None:
        """Stop the process; a later `run` starts another."""
        if self._lock.acquire(blocking=False):  # busy means in use: not idle after all
            try:
                self._kill()
            finally:
                self._lock.release()

    def abort(self) -> None:
        """Stop the process in the middle of its work, for good; a thread that waits gets a failed record."""
        self._aborted = True
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()


def _collect(stream: IO[str], answers: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            answers.put(line)
    answers.put(None)


_here = threading.local()


class Workers:
    """The workers of one pool of threads, to be stopped together."""

    def __init__(self) -> None:
        self._members: list[Worker] = []

    def join(self) -> None:
        """Give the calling thread a worker of this group; a thread pool's initializer."""
        _here.worker = Worker()
        self._members.append(_here.worker)

    def abort(self) -> None:
        """Stop all in the middle of their work."""
        for worker in self._members:
            worker.abort()

    def close(self) -> None:
        """Stop all that are idle."""
        for worker in self._members:
            worker.close()


def run_isolated(task: Mapping[str, Any], limit: float | None = None) -> dict[str, Any]:
    """Run a cell in this thread's own worker process; the function to submit to an executor."""
    if not hasattr(_here, "worker"):
        _here.worker = Worker()
    record: dict[str, Any] = _here.worker.run(task, limit)
    return record


def main() -> None:
    """Answer one line of JSON per line of JSON until the input ends."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of the cell.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a method prints must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from labelnoise.core.bench.cell import run_cell

    tasks: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            tasks.put(line)
        os._exit(0)  # the parent is gone or done; nobody waits for the cell that may be running

    threading.Thread(target=listen, daemon=True).start()
    answers.write("ready\n")
    answers.flush()
    while True:
        record = run_cell(json.loads(tasks.get()))
        answers.write(json.dumps(record) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
