"""Tables of training: gains over plain training, and where robust training does harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelnoise.core.bench.gains import share_of_gap
from labelnoise.core.bench.training import CEILING, PLAIN
from labelnoise.core.report.tables import NOTHING, Column, Entry, Table, few_of

__all__ = ["gain_table", "loss_table"]


def gain_table(domain: Mapping[str, Any]) -> Table:
    """Gain over plain training in points, with the share of what true labels would have won."""
    trainers = [m["label"] for m in domain["methods"] if m["label"] != PLAIN and not m["trivial"]]
    ceiling = [m["label"] for m in domain["methods"] if m["label"] == CEILING]
    rows = {(row["setting"], row["method"]): row for row in domain["results"]}
    body = []
    for setting in domain["settings"]:
        cells = [Entry(setting["label"])]
        for method in (*trainers, *ceiling):
            row = rows.get((setting["label"], method))
            gain = row["metrics"]["gain"] if row else None
            if gain is None or gain["mean"] is None:
                cells.append(Entry(NOTHING))
                continue
            share = None if method in ceiling else share_of_gap(domain["results"], setting["label"], method)
            half = "" if gain["low"] is None else f" ±{100 * (gain['high'] - gain['mean']):.1f}"
            text = f"{100 * gain['mean']:+.1f}".replace("-", "−")
            cells.append(
                Entry(text, (half + ("" if share is None else f" ({share:.0%})".replace("-", "−"))).strip())
            )
        body.append(tuple(cells))
    return Table(
        caption="Gain over plain training in points (paired by seed, ± half a 95% t interval), and in brackets the share "
        "of the gap to training on true labels that it closes, where that gap is at least one point.",
        columns=(Column("data, noise", numeric=False), *(Column(method) for method in (*trainers, *ceiling))),
        rows=tuple(body),
        quiet_columns=frozenset(range(len(trainers) + 1, len(trainers) + len(ceiling) + 1)),
    )


def loss_table(domain: Mapping[str, Any]) -> Table:
    """Where each trainer loses."""
    rows = []
    for loss in domain["losses"]:
        gap = loss["widest_gap"]
        rows.append(
            (
                Entry(loss["method"]),
                Entry(f"{loss['best_or_tied']} of {loss['settings']}"),
                Entry(f"{loss['clearly_worse']} of {loss['settings']}"),
                Entry(f"−{gap['gap']:.3f} on {gap['setting']}, behind {gap['winner']}" if gap else "none"),
                Entry(NOTHING if loss["method"] == PLAIN else few_of(loss["below_plain"])),
                Entry(NOTHING if loss["method"] == PLAIN else few_of(loss["clearly_below_plain"])),
                Entry(str(loss["failed_cells"])),
            )
        )
    return Table(
        caption="Where each trainer loses. Settings are counted by score.",
        columns=(
            Column("method", numeric=False),
            Column("best or tied"),
            Column("clearly worse"),
            Column("widest gap to the best", numeric=False),
            Column("below plain training", numeric=False, explain="The mean gain is negative."),
            Column(
                "clearly below plain", numeric=False, explain="The whole interval of the gain is negative."
            ),
            Column("failed cells"),
        ),
        rows=tuple(rows),
    )
