"""Reading small files whole: what is wrong with one is said in a sentence, whatever it holds."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from labelnoise.core.validation import InputError

__all__ = [
    "check_inside",
    "file_is_there",
    "is_index",
    "leads_outside",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_text",
]

#: In JSON a half of a character, which no file in UTF-8 and no page can hold, hides behind such an escape.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
#: An absolute path of Windows; a file may be called "1:30.wav".
_DRIVE = re.compile(r"[A-Za-z]:/")


def read_bytes(path: str | Path, *, fix: str = "check the path") -> bytes:
    """The content of a file.

    Parameters
    ----------
    path : path
    fix : str
        What to do if it is not there, as the end of a sentence.

    Raises
    ------
    InputError
        No such file, a folder of that name, a name that no file can have, no permission.

    Examples
    --------
    >>> read_bytes("no-such-file")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: There is no file 'no-such-file'; check the path.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {str(path)!r}; {fix}.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{str(path)!r} cannot be read ({said.lower()}); name a file that can.") from error


def read_text(path: str | Path, *, fix: str = "check the path") -> str:
    """The text of a file in UTF-8, with its line ends as they are; a byte order mark is left out.

    Raises
    ------
    InputError
        As `read_bytes`; other bytes than UTF-8, with their line.
    """
    content = read_bytes(path, fix=fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"Line {line} of {str(path)!r} is not UTF-8; convert the file first (iconv -f latin1 -t utf-8)."
        ) from error


def is_index(text: str, n: int) -> bool:
    """Whether a text is a whole number from 0 and below ``n``, in at most 18 plain digits.

    Examples
    --------
    >>> is_index("2", 3), is_index("3", 3), is_index("-1", 3), is_index("\u00b2", 3), is_index("9" * 5000, 3)
    (True, False, False, False, False)
    """
    return text.isascii() and text.isdigit() and len(text) <= 18 and int(text) < n


def read_json(path: str | Path, *, fix: str = "check the path") -> Any:
    """The value in a JSON file; see `parse_json`."""
    return parse_json(read_text(path, fix=fix), repr(str(path)))


def parse_json(text: str, where: str, *, fix: str = "write it anew") -> Any:
    """A JSON value without NaN, infinity and halves of characters.

    Parameters
    ----------
    text : str
    where : str
        How the message calls it.
    fix : str
        What to do, as the end of a sentence.

    Raises
    ------
    InputError
        No JSON, nested too deeply, a number that JSON does not know or that is too long, half a character.

    Examples
    --------
    >>> parse_json('{"a": [1]}', "it")
    {'a': [1]}
    >>> parse_json("[" * 100_000, "The file")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The file is nested too deeply to be read; write it anew.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise InputError(f"{where} is nested too deeply to be read; {fix}.") from None
    except UnicodeEncodeError:
        raise InputError(f"{where} holds half a character (a lone surrogate); {fix}.") from None
    except ValueError as error:
        raise InputError(f"{where} cannot be read as JSON ({str(error)[:200]}); {fix}.") from error
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON knows")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def file_is_there(path: Path) -> bool:
    """Whether there is such a file; no where a name is longer than any file's, or holds what no file's does.

    Examples
    --------
    >>> file_is_there(Path("a" * 5000)), file_is_there(Path("a\\x00b"))
    (False, False)
    """
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def leads_outside(name: str) -> bool:
    """Whether the name of a file is absolute, on this system or another, or passes through ``..``.

    Examples
    --------
    >>> [leads_outside(name) for name in ("a/b.png", "1:30.wav", "/a.png", "a/../../b.png", "C:/a.png")]
    [False, False, True, True, True]
    """
    slashed = name.replace("\\", "/")
    pure = PurePosixPath(slashed)
    return pure.is_absolute() or ".." in pure.parts or _DRIVE.match(slashed) is not None


def check_inside(names: Sequence[str], folder: Path | None, where: str, fix: str) -> None:
    """Refuse names in the file of a stranger that lead to other files of the user than those beside it.

    Parameters
    ----------
    names : sequence of str
        As they are in the file.
    folder : Path, optional
        What they are below. Links in it that lead out of it are refused as well; it may be one itself.
    where : str
        What names them, as the beginning of a sentence.
    fix : str
        The end of that sentence.

    Raises
    ------
    InputError
        With the first such name.

    Examples
    --------
    >>> check_inside(["a.png", "../b.png"], None, "The list", "name pictures below it")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The list names '../b.png', which lies outside of its folder; name pictures ...
    """
    base = None if folder is None else os.path.realpath(folder)
    for name in names:
        if leads_outside(name):
            raise InputError(f"{where} names {name[:200]!r}, which lies outside of its folder; {fix}.")
        if base is not None and not Path(os.path.realpath(os.path.join(base, name))).is_relative_to(base):
            raise InputError(
                f"{where} names {name[:200]!r}, a link that leads out of {str(folder)!r}; {fix}."
            )
