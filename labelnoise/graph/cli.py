"""The command ``labelnoise-graph``: the graph modality's verbs, mounted directly."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App

from labelnoise.core.cli import run

__all__ = ["build", "main"]


def build() -> App:
    """The graph verbs under the name of their own script."""
    from labelnoise.core.verbs import build_app
    from labelnoise.graph.domain import GraphDomain

    return build_app(GraphDomain(), name="labelnoise-graph")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``labelnoise-graph``."""
    return run(build, arguments)
