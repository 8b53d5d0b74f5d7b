"""Realised and estimated transition matrices, drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labelnoise.core.report.figures import MAX_PANELS, Figure, rows_of, series_of
from labelnoise.core.report.svg import Axes, number

__all__ = ["transition_figures"]

#: Matrices of more classes carry no class names; of more than `MAX_PRINTED` no numbers.
MAX_NAMED, MAX_PRINTED = 12, 5
SIDE = 150.0
TOP = 40.0


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _heat_map(matrix: Sequence[Sequence[float]], names: Sequence[str], title: str, under: str) -> str:
    k = len(matrix)
    labels = [_short(name, 10) for name in names] if k <= MAX_NAMED else []
    longest = max((len(label) for label in labels), default=0)
    left = 26 + 6.0 * longest
    foot = 34 + 5.4 * longest  # the names below are turned, so that long ones do not run into each other
    width = max(left + SIDE + 12, 196)
    axes = Axes(width, TOP + SIDE + foot, x=(0, k), y=(k, 0), left=left, top=TOP, bottom=foot)
    axes.text(left, 14, _short(title, 24), anchor="start", cls="panel")
    axes.text(left, 30, under, anchor="start")
    size = SIDE / k
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            x, y = left + j * size, TOP + i * size
            # Square root: a rate of one per cent must not look like zero.
            shade = math.sqrt(min(1.0, max(0.0, value)))
            tip = f"true {names[i]}, given {names[j]}: {value:.3f}" if names else f"{value:.3f}"
            axes.rectangle(x, y, size, shade, tip)
            if k <= MAX_PRINTED:
                axes.text(
                    x + size / 2, y + size / 2 + 4, f"{value:.2f}" if value >= 0.005 else "0", cls="cell"
                )
    for i, label in enumerate(labels):
        axes.text(left - 5, TOP + (i + 0.5) * size + 3.5, label, anchor="end")
        axes.text(left + (i + 0.5) * size + 4, TOP + SIDE + 10, label, anchor="end", turn=-60)
    side = number(SIDE)
    axes.add(f'<rect class="frame" x="{number(left)}" y="{number(TOP)}" width="{side}" height="{side}"/>')
    axes.text(left + SIDE / 2, TOP + SIDE + foot - 6, "given class", cls="name")
    axes.text(12, TOP + SIDE / 2, "true class", cls="name", turn=-90)
    return axes.render(f"Transition matrix, {title}, {under}")


def transition_figures(domain: Mapping[str, Any]) -> list[Figure]:
    """Realised and estimated T: per data set and noise, at the highest rate, from the first seed."""
    rows = rows_of(domain)
    chosen: dict[tuple[str, str], Mapping[str, Any]] = {}
    for setting in domain["settings"]:
        key = (setting["dataset"], setting["noise"])
        if key not in chosen or (setting["rate"] or 0) > (chosen[key]["rate"] or 0):
            chosen[key] = setting
    figures = []
    for setting in chosen.values():
        names = setting["class_names"] or []
        estimates, realised = [], None
        for method in series_of(domain):
            row = rows.get((setting["label"], method))
            if row is None or not row["transition"] or not row["transition"]["realised"]:
                continue
            realised = row["transition"]["realised"]
            if row["transition"]["estimated"]:
                error = row["metrics"]["transition_error"]["values"][0]
                under = "" if error is None else f"error {error:.3f}"
                estimates.append(_heat_map(row["transition"]["estimated"], names, method, under))
        if realised and estimates:
            figures.append(
                Figure(
                    setting["label"],
                    "",
                    (_heat_map(realised, names, "realised", "counted"), *estimates),
                )
            )
    return figures[:MAX_PANELS]
