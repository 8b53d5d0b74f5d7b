"""Text for a terminal: whatever a label, a name or a path holds is shown and never steers it."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

__all__ = ["path_text", "printable", "say"]


def printable(text: str) -> str:
    """Text without anything that could steer a terminal or hide from a reader.

    Examples
    --------
    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(
        " "
        if char in "\n\r\t"
        else char
        if char.isprintable() or unicodedata.category(char) == "Zs"
        else _code(char)
        for char in text
    )


def path_text(paths: Path | str | Iterable[Path | str]) -> str:
    """Paths as they can be read and told apart: line breaks become escapes too.

    Examples
    --------
    >>> path_text([Path("a b.csv"), "c\\nd"])
    'a b.csv, c\\\\nd'
    """
    listed = [paths] if isinstance(paths, str | Path) else paths
    return ", ".join(
        "".join(char if char.isprintable() else _code(char) for char in str(path)) for path in listed
    )


def say(text: str = "", *, file: TextIO | None = None) -> None:
    """Print lines, each without control characters.

    Examples
    --------
    >>> say("one\\ntwo\\x1b[2J")
    one
    two\\x1b[2J
    """
    # Bytes that stood for no text, in names of files, cannot be written as text.
    shown = (
        "\n".join(printable(line) for line in text.split("\n")).encode("utf-8", "backslashreplace").decode()
    )
    print(shown, file=sys.stdout if file is None else file)


def _code(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
