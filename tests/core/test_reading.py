"""What is wrong with a small file is said in a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from labelnoise.core.reading import parse_json, read_bytes, read_json, read_text
from labelnoise.core.validation import LONGEST_MESSAGE, InputError


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[NaN]", "NaN is not a number"),
        ("[-Infinity]", "Infinity is not a number"),
        ("[1e999]", "too large"),
        ("9" * 5000, "cannot be read as JSON"),
        ('["\\ud800"]', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("", "cannot be read as JSON"),
        ("{'a': 1}", "cannot be read as JSON"),
    ],
)
def test_json_that_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=f"^It .*{why}"):
        parse_json(text, "It")


@pytest.mark.parametrize(
    ("text", "value"),
    [('"\\ud83d\\ude42"', "🙂"), ("1e308", 1e308), ('{"a": null}', {"a": None}), ('"\\\\ud800"', "\\ud800")],
)
def test_json_that_is_read(text: str, value: Any) -> None:
    assert parse_json(text, "It") == value


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a b\nü.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(path) == [1]
    assert read_text(path) == "[1]"
    path.write_bytes(b"one\n\xff")
    with pytest.raises(InputError, match="^Line 2 of .* is not UTF-8"):
        read_text(path)
    with pytest.raises(InputError, match=r"There is no file .*; write it\."):
        read_text(tmp_path / "none", fix="write it")
    with pytest.raises(InputError, match="is a directory"):
        read_bytes(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes("a\x00b")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(tmp_path / "loop")


def test_a_message_stays_a_sentence() -> None:
    long = str(InputError("a" * 10_000 + "; do this."))
    assert len(long) <= LONGEST_MESSAGE
    assert long.endswith("; do this.")
    assert str(InputError("short")) == "short"
