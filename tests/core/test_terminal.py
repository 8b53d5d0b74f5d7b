"""Nothing that data hold reaches a terminal as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelnoise.core.terminal import path_text, printable, say


@pytest.mark.parametrize("bad", ["\x1b[31m", "\x9b2J", "\x07", "\x00", "\u202e", "\x7f", "\udc80"])
def test_control_characters_are_shown(bad: str, capsys: Any) -> None:
    say(f"a{bad}b\nsecond")
    out = capsys.readouterr().out
    assert bad[0] not in out
    assert out.startswith("a\\")
    assert out.endswith("b\nsecond\n")
    assert bad[0] not in path_text(Path(f"x{bad}"))


@pytest.mark.parametrize("text", ["[red]a[/red]", "[/]", "🙂 é", "a b"])
def test_what_is_harmless_stays(text: str, capsys: Any) -> None:
    say(text)
    assert capsys.readouterr().out == f"{text}\n"
    assert printable(text) == text


def test_paths_can_be_told_apart() -> None:
    assert path_text(["a\nb", Path("c d")]) == "a\\nb, c d"
