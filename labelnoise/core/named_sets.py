"""Data sets by name: forgiving spelling, and a message that helps where a name is unknown or its files are missing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from labelnoise.core.validation import InputError

__all__ = ["check_root", "folded", "unknown_name"]


def folded(name: str) -> str:
    """A name as it is compared: case, spaces and underscores do not matter.

    Examples
    --------
    >>> folded(" Cora_full")
    'cora-full'
    """
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def unknown_name(source: str, what: str, names: Iterable[str], aliases: Mapping[str, str]) -> InputError:
    """The error for a source that is neither a name nor a path; ``aliases`` maps folded names to names.

    Examples
    --------
    >>> print(unknown_name("Corra", "graph", ["Cora", "papers"], {"cora": "Cora", "papers": "papers"}))
    Unknown graph 'Corra'. Choose one of: Cora, papers; or give a path to your own. Did you mean 'Cora'?
    """
    near = difflib.get_close_matches(folded(source), aliases, n=1)
    hint = f" Did you mean {aliases[near[0]]!r}?" if near else ""
    return InputError(
        f"Unknown {what} {source!r}. Choose one of: {', '.join(names)}; or give a path to your own.{hint}"
    )


def check_root(root: Path | None) -> None:
    """Refuse a folder of local data sets that is not there.

    Raises
    ------
    InputError
        It does not exist.
    """
    if root is not None and not Path(root).is_dir():
        raise InputError(f"The folder {str(root)!r} does not exist; name one that holds data sets, or none.")
