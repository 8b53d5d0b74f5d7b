"""The command ``labelnoise-text``: the text modality's verbs, mounted directly."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App

from labelnoise.core.cli import run

__all__ = ["build", "main"]


def build() -> App:
    """The text verbs under the name of their own script."""
    from labelnoise.core.verbs import build_app
    from labelnoise.text.domain import TextDomain

    return build_app(TextDomain(), name="labelnoise-text")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``labelnoise-text``."""
    return run(build, arguments)
