"""Tables over all modalities: methods by modality, and real noise beside simulated noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelnoise.core.bench.measures import DETECT, TASKS, TRAIN
from labelnoise.core.report.tables import NOTHING, Column, Entry, Table

__all__ = ["real_tables", "standing_tables"]

_CAPTIONS = {
    DETECT: "Finding wrong labels: AUROC, and rank among the methods of the modality.",
    TRAIN: "Training with wrong labels: score (each modality's own measure), rank, and the share of the gap between plain "
    "training and true labels that is closed.",
}


def standing_tables(summary: Mapping[str, Any]) -> list[Table]:
    """One table per task: a row per modality and method."""
    tables = []
    for task in TASKS:
        found = [row for row in summary["across"]["standing"] if row["task"] == task]
        if not found:
            continue
        rows = [
            (
                Entry(row["domain"]),
                Entry(row["method"]),
                Entry(
                    f"{row['mean']:.3f}", f"{row['low']:.3f}–{row['high']:.3f}" if row["settings"] > 1 else ""
                ),
                Entry(
                    NOTHING if row["trivial"] or row["rank"] is None else f"{row['rank']:.1f} of {row['of']}"
                ),
                Entry(str(row["settings"])),
                *((Entry(_percent(row["share_of_gap"])),) if task == TRAIN else ()),
            )
            for row in found
        ]
        tables.append(
            Table(
                caption=_CAPTIONS[task],
                columns=(
                    Column("modality", numeric=False),
                    Column("method", numeric=False),
                    Column("AUROC" if task == DETECT else "score"),
                    Column("mean rank"),
                    Column("settings"),
                    *((Column("gap closed"),) if task == TRAIN else ()),
                ),
                rows=tuple(rows),
                quiet=frozenset(i for i, row in enumerate(found) if row["trivial"]),
                starts=frozenset(i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0]),
            )
        )
    return tables


def real_tables(summary: Mapping[str, Any]) -> list[Table]:
    """One table per task: own noise beside simulated noise of the same size."""
    tables = []
    for task in TASKS:
        found = [row for row in summary["across"]["real"] if row["task"] == task]
        if not found:
            continue
        names = list(found[0]["measures"])
        labels = [summary["metrics"][name]["label"] for name in names]
        heads = tuple(
            Column(f"{label} {side}") for label in labels for side in ("own", "matched", "difference")
        )
        rows = []
        for row in found:
            origin = {True: "real", False: "generated", None: NOTHING}[row["people"]]
            cells = [Entry(row["domain"]), Entry(row["dataset"]), Entry(origin), Entry(row["method"])]
            cells.append(
                Entry(" / ".join(NOTHING if rate is None else f"{rate:.1%}" for rate in row["rates"]))
            )
            for name in names:
                measure = row["measures"][name]
                cells += [_value(measure["real"]), _value(measure["simulated"])]
                gap = measure["difference"]
                cells.append(Entry(NOTHING if gap is None else f"{gap:+.3f}".replace("-", "−")))
            rows.append(tuple(cells))
        tables.append(
            Table(
                caption="Finding wrong labels."
                if task == DETECT
                else "Training on them: score on true test labels.",
                columns=(
                    *(Column(label, numeric=False) for label in ("modality", "data", "own noise", "method")),
                    Column("rate own / matched"),
                    *heads,
                ),
                rows=tuple(rows),
                starts=frozenset(i for i in range(1, len(rows)) if rows[i][:2] != rows[i - 1][:2]),
                dense=True,
            )
        )
    return tables


def _value(metric: Mapping[str, Any]) -> Entry:
    if metric["mean"] is None:
        return Entry(NOTHING)
    return Entry(
        f"{metric['mean']:.3f}", "" if metric["low"] is None else f"±{metric['high'] - metric['mean']:.3f}"
    )


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.0%}".replace("-", "−")
