"""The command ``labelnoise-audio``: the audio modality's verbs, mounted directly."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App

from labelnoise.core.cli import run

__all__ = ["build", "main"]


def build() -> App:
    """The audio verbs under the name of their own script."""
    from labelnoise.audio.domain import AudioDomain
    from labelnoise.core.verbs import build_app

    return build_app(AudioDomain(), name="labelnoise-audio")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``labelnoise-audio``."""
    return run(build, arguments)
