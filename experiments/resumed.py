"""Runs kept as lines of a file, so that a second call adds what is missing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["resumed"]


def resumed(
    path: Path,
    keys: Sequence[str],
    cells: Iterable[tuple[Any, ...]],
    run: Callable[..., dict[str, Any]],
    cpu_minutes: float,
) -> list[dict[str, Any]]:
    """All lines of the file, after ``run(*cell)`` for the cells that it lacks; none starts once the minutes are spent.

    ``keys`` names the entries of a line that make up its cell.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    done = [json.loads(line) for line in text.splitlines()]
    there = {tuple(line[key] for key in keys) for line in done}
    for cell in cells:
        if cell in there or time.process_time() > 60 * cpu_minutes:
            continue
        done.append(run(*cell))
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
    return done
