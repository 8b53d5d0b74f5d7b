"""Reading small files whole: what is wrong with one is said in a sentence, whatever it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from labelnoise.core.validation import InputError

__all__ = ["parse_json", "read_bytes", "read_json", "read_text"]

#: In JSON a half of a character, which no file in UTF-8 and no page can hold, hides behind such an escape.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


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
