"""Progress bars made of rich, drawn on standard error and removed when the work is done."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")

#: Work shorter than this shows no bar.
PATIENCE_SECONDS = 0.5


class RichReporter:
    """Draws a bar for each tracked iteration that lasts longer than half a second, nested ones below."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._depth = 0

    def track(self, items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
        if total is None and isinstance(items, Sized):
            total = len(items)
        task = None
        started = time.monotonic()
        self._depth += 1
        try:
            for done, item in enumerate(items):
                if task is None and time.monotonic() - started > PATIENCE_SECONDS:
                    task = self._start().add_task(description, total=total, completed=done)
                elif task is not None and self._progress is not None:
                    self._progress.update(task, completed=done)
                yield item
        finally:
            self._depth -= 1
            if task is not None and self._progress is not None:
                self._progress.remove_task(task)
            if self._depth == 0:
                self.stop()

    def stop(self) -> None:
        """Take the bars off the terminal, for instance before an error is printed."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start(self) -> Progress:
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
        return self._progress
