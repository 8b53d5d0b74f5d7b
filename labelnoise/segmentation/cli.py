"""The command ``labelnoise-segmentation``: the segmentation modality's verbs, mounted directly."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App

from labelnoise.core.cli import run

__all__ = ["build", "main"]


def build() -> App:
    """The segmentation verbs under the name of their own script."""
    from labelnoise.core.verbs import build_app
    from labelnoise.segmentation.domain import SegmentationDomain

    return build_app(SegmentationDomain(), name="labelnoise-segmentation")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``labelnoise-segmentation``."""
    return run(build, arguments)
