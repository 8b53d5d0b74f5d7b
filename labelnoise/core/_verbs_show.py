"""What the verbs print: text for people by default, one JSON object with ``--json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._issues_view import cell_text, shorten
from labelnoise.core.terminal import path_text, printable, say
from labelnoise.core.truth import realised_transition

if TYPE_CHECKING:
    from labelnoise.core.dataset import Dataset
    from labelnoise.core.domain import Corruption
    from labelnoise.core.issues import IssueTable

#: Transition matrices of more classes are summed up by their largest entries.
MATRIX_CLASSES = 10
#: Number of those.
LARGEST = 8

#: The measures that people see, in this order, with what to say of them here if not the usual; JSON has all.
SHOWN = {
    "n_wrong": "Labels that are wrong.",
    "n_flagged": "Labels that were flagged.",
    "precision": "",
    "recall": "",
    "f1": "Harmonic mean of precision and recall.",
    "auroc": "",
    "average_precision": "",
    "expected": "",
    "ece": "",
    "suggestion_accuracy": "Share of right suggestions among the wrong labels that were flagged.",
}


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output, never with NaN."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    # JSON leaves some control characters as they are; only in strings can there be any.
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def print_grid(head: Sequence[str], rows: Iterable[Sequence[Any]], *, wrap: bool = False) -> None:
    """Columns side by side without lines; numbers to the right. With ``wrap`` long texts continue below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, show_header=any(head))
    for place, title in enumerate(head):
        numeric = bool(rows) and all(type(row[place]) in (int, float) for row in rows)
        grid.add_column(
            Text(printable(title)),
            justify="right" if numeric else "left",
            overflow="fold" if wrap else "ellipsis",
            no_wrap=not wrap,
        )
    for row in rows:
        grid.add_row(*(Text(cell_text(value, 400 if wrap else 60)) for value in row))
    Console(highlight=False).print(grid)


# --------------------------------------------------------------------------------------------- corrupt


def show_corruption(
    clean: Dataset,
    noisy: Dataset,
    corruption: Corruption,
    asked: Mapping[str, Any],
    written: Sequence[Path],
    notes: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Asked and realised rate, T, and where the data set went."""
    drawn = corruption.transition
    # What is under a label can change as well as the label: a clip of another sound.
    now = clean.given if noisy.true is None else noisy.true
    realised = realised_transition(now, noisy.given, noisy.n_classes)
    changed = int(np.count_nonzero(corruption.changed))
    wrong = changed if noisy.is_wrong is None else int(noisy.is_wrong.sum())
    if as_json:
        print_json(
            {
                "dataset": clean.name,
                **asked,
                "realised_rate": float(corruption.rate),
                **({"realised_rates": dict(corruption.rates)} if corruption.rates else {}),
                "n_labelled": int(noisy.labelled.sum()),
                "n_changed": changed,
                "n_wrong": wrong,
                "class_names": list(noisy.class_names),
                "transition_drawn": None if drawn is None else np.asarray(drawn).tolist(),
                "transition_realised": realised.tolist(),
                "data_hash": noisy.content_hash(),
                "notes": list(notes),
                "written": [str(path) for path in written],
            }
        )
        return
    say(
        f"{wrong:,} of {int(noisy.labelled.sum()):,} labels of {printable(clean.name)} are wrong now: "
        f"rate {corruption.rate:.4f}, asked for {asked['rate']:g} ({asked['kind']})"
    )
    if corruption.rates:
        say("realised: " + ", ".join(f"{name} {rate:.4f}" for name, rate in corruption.rates.items()))
    for note in notes:
        say(printable(note))
    if drawn is None or np.ndim(drawn) != 2:
        say("\nT[true, given], realised:")
        _print_matrix(realised, noisy.class_names)
    else:
        say("\nT[true, given] that the labels were drawn from:")
        _print_matrix(np.asarray(drawn), clean.class_names)
    say(f"\nwritten: {path_text(written)}")


def _print_matrix(matrix: NDArray[np.float64], names: Sequence[str]) -> None:
    if len(names) <= MATRIX_CLASSES:
        short = [shorten(name, 12) for name in names]
        print_grid(["", *short], ([name, *map(float, row)] for name, row in zip(short, matrix)))
        return
    diagonal = np.diag(matrix)
    say(
        f"{len(names)} classes, diagonal {diagonal.min():.3f} to {diagonal.max():.3f}; largest other entries:"
    )
    others = matrix - np.diag(diagonal)
    order = np.argsort(-others, axis=None, kind="stable")[:LARGEST]
    pairs = [(int(place // len(names)), int(place % len(names))) for place in order]
    rows = [
        (shorten(names[i], 30), shorten(names[j], 30), float(others[i, j]))
        for i, j in pairs
        if others[i, j] > 0
    ]
    print_grid(["true", "given", "T"], rows)


# ------------------------------------------------------------------------------------ detect, evaluate


def show_detection(
    table: IssueTable,
    truth: Mapping[str, float | None] | None,
    written: Sequence[Path],
    *,
    limit: int,
    as_json: bool,
) -> None:
    """The table, how right it was where that is known, and where it went."""
    if as_json:
        print_json(
            {
                "header": table.header.to_json(),
                "issues": list(table.rows()),
                "evaluation": truth,
                "written": [str(path) for path in written],
            }
        )
        return
    table.print(limit)
    if truth is not None:
        say("\nAgainst the known true labels:")
        print_measures(truth)
    if written:
        say(f"\nwritten: {path_text(written)}")


def show_evaluation(
    table: IssueTable, truth: Mapping[str, float | None], note: str, *, as_json: bool
) -> None:
    """How right a table of issues was."""
    if as_json:
        print_json({"header": table.header.to_json(), "evaluation": truth, "note": note})
        return
    table.print(0)
    say()
    print_measures(truth)
    if note:
        say(f"\n{note}")


def print_measures(found: Mapping[str, float | None]) -> None:
    """One line per measure, with its interval where there is one; what is not defined says so."""
    from labelnoise.core.evaluation import METRICS

    rows = []
    for name, explain in SHOWN.items():
        if name not in found:
            continue
        value = found[name]
        label = METRICS[name].label if name in METRICS else "Suggestions"
        explain = explain or METRICS[name].explain
        if value is None:
            if name in ("expected", "ece"):
                continue  # the method makes no such claim
            text = "not defined"
        elif name in ("n_wrong", "n_flagged", "expected"):
            text = f"{value:,.0f}"
        else:
            text = f"{value:.3f}"
        low, high = found.get(f"{name}_low"), found.get(f"{name}_high")
        if low is not None and high is not None:
            text += f" [{low:.3f}, {high:.3f}]"
        rows.append((label, text, explain))
    print_grid(["", "", ""], rows, wrap=True)
