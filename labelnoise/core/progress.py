"""Telling how far long work is: silent in a library, a bar on a terminal when a command asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

__all__ = ["Reporter", "show_progress", "track"]

Item = TypeVar("Item")


class Reporter(Protocol):
    """Anything that can follow an iteration; the command line installs one made of rich."""

    def track(self, items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]: ...


_reporter: ContextVar[Reporter | None] = ContextVar("labelnoise_progress", default=None)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over ``items`` and tell the installed reporter, if any, how far it is.

    Examples
    --------
    >>> list(track(range(3), "folds"))
    [0, 1, 2]
    """
    reporter = _reporter.get()
    if reporter is None:
        yield from items
    else:
        yield from reporter.track(items, description, total)


@contextmanager
def show_progress(reporter: Reporter | None = None) -> Iterator[None]:
    """Within the block, `track` draws bars on standard error (rich by default)."""
    if reporter is None:
        from labelnoise.core._bars import RichReporter

        reporter = RichReporter()
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)
