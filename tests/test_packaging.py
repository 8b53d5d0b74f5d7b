"""What is said about the package: every dependency between two bounds, the Pythons that are tried, both commands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
REQUIREMENTS = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["project"]["dependencies"],
    *(item for items in EXTRAS.values() for item in items if not item.startswith("labelnoise[")),
]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_dependency_has_a_lower_and_an_upper_bound(requirement: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[0-9.]+,<[0-9.]+", requirement)


def test_the_pythons_that_are_named_are_those_that_are_tried() -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    tried = re.search(r"for version in ([\d. ]+);", script)
    assert tried
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert named == [oldest, *tried.group(1).split()]


def test_every_command_starts_where_ctrl_c_is_listened_to() -> None:
    commands = PROJECT["project"]["scripts"]
    rooms = PROJECT["project"]["entry-points"]["labelnoise.domains"]
    assert set(commands) == {"labelnoise", *(f"labelnoise-{room}" for room in rooms)}
    for target in commands.values():
        assert target.endswith("__main__:main")
