"""The tables of a report, made once and written by every form of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelnoise.core.statistics import MIN_DATASETS

__all__ = [
    "NOTHING",
    "Column",
    "Entry",
    "Table",
    "comparison_tables",
    "data_table",
    "detail_tables",
    "failure_table",
    "few_of",
    "headline_table",
    "loss_table",
    "method_table",
    "metric_table",
]

#: What a cell without a value shows.
NOTHING = "–"

#: The measures of a data set's own table, in order.
DETAIL = (
    *("auroc", "average_precision", "precision_at_true_count", "f1", "fdr", "flagged_ratio", "count_ratio"),
    *("count_covered", "ece", "suggestion_accuracy", "transition_error"),
)


#: Those of them that are printed with an interval; the JSON has them all.
SPREAD = ("auroc", "average_precision", "precision_at_true_count", "f1")


@dataclass(frozen=True)
class Entry:
    """One table cell; its mark is "best", "tied", "significant" or None."""

    text: str
    more: str = ""
    mark: str | None = None


@dataclass(frozen=True)
class Column:
    """A column's head; ``explain`` is shown where the form of the report allows it."""

    label: str
    numeric: bool = True
    explain: str = ""


@dataclass(frozen=True)
class Table:
    """A caption, columns, and rows of entries.

    Rows in ``quiet`` and columns in ``quiet_columns`` are set back, as they do not compete; with ``total``
    the last row sums the others up.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    quiet: frozenset[int] = field(default_factory=frozenset)
    quiet_columns: frozenset[int] = field(default_factory=frozenset)
    total: bool = False
    starts: frozenset[int] = field(default_factory=frozenset)
    dense: bool = False


def _fixed(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _entry(metric: Mapping[str, Any] | None) -> Entry:
    if metric is None or metric["mean"] is None:
        return Entry(NOTHING)
    half = None if metric["low"] is None else metric["high"] - metric["mean"]
    return Entry(_fixed(metric["mean"]), "" if half is None else f"±{half:.3f}", metric.get("mark"))


def _span(metric: Mapping[str, Any] | None) -> Entry:
    if metric is None or metric["mean"] is None:
        return Entry(NOTHING)
    more = "" if metric["low"] is None else f"{metric['low']:.3f}–{metric['high']:.3f}"
    return Entry(_fixed(metric["mean"]), more)


def _columns(names: Sequence[str], summary: Mapping[str, Any]) -> tuple[Column, ...]:
    return tuple(
        Column(summary["metrics"][name]["label"], explain=summary["metrics"][name]["explain"])
        for name in names
    )


def headline_table(domain: Mapping[str, Any], summary: Mapping[str, Any], metric: str) -> Table:
    """One measure: a row per setting, a column per method, the mean over data sets at the end."""
    methods = [method["label"] for method in domain["methods"]]
    trivial = {method["label"] for method in domain["methods"] if method["trivial"]}
    rows = {(row["setting"], row["method"]): row for row in domain["results"]}
    body = []
    for setting in domain["settings"]:
        cells = [Entry(setting["label"])]
        for method in methods:
            row = rows.get((setting["label"], method))
            if row is not None and not row["seeds"]:
                cells.append(Entry("failed"))
            else:
                cell = _entry(row["metrics"][metric] if row else None)
                cells.append(Entry(cell.text) if method in trivial else cell)
        body.append(tuple(cells))
    overall = {row["method"]: row["metrics"][metric] for row in domain["overall"]}
    means = [_span(overall[method]) for method in methods]
    means = [Entry(cell.text) if method in trivial else cell for method, cell in zip(methods, means)]
    body.append((Entry("mean over data sets"), *means))
    info = summary["metrics"][metric]
    datasets = [setting["dataset"] for setting in domain["settings"]]
    return Table(
        caption=f"{info['label']}. {info['explain']}",
        columns=(Column("data, noise", numeric=False), *(Column(method) for method in methods)),
        rows=tuple(body),
        quiet_columns=frozenset(i + 1 for i, method in enumerate(methods) if method in trivial),
        starts=frozenset(i for i in range(1, len(datasets)) if datasets[i] != datasets[i - 1]),
        total=True,
    )


def detail_tables(domain: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Table]:
    """A table per data set with all measures, cost and failures."""
    trivial = {method["label"] for method in domain["methods"] if method["trivial"]}
    tables = []
    failed_column = Column("Failed", explain="Cells that failed or ran out of time.")
    for dataset in dict.fromkeys(setting["dataset"] for setting in domain["settings"]):
        settings = {s["label"]: s for s in domain["settings"] if s["dataset"] == dataset}
        rows: list[tuple[Entry, ...]] = []
        quiet = set()
        any_failed = any(row["failed"] for row in domain["results"] if row["setting"] in settings)
        for row in domain["results"]:
            if row["setting"] not in settings:
                continue
            if row["method"] in trivial:
                quiet.add(len(rows))
            short = row["setting"].removeprefix(f"{dataset}, ")
            cells = [Entry(short), Entry(row["method"])]
            for name in DETAIL:
                cell = _entry(row["metrics"][name])
                spread = name in SPREAD and row["method"] not in trivial
                cells.append(cell if spread else Entry(cell.text, mark=cell.mark))
            cells += [
                Entry(_fixed(row["cost"]["cpu_seconds"], 2)),
                Entry(_fixed(row["cost"]["peak_rss_mib"], 0)),
            ]
            if any_failed:
                cells.append(Entry(str(row["failed"])))
            rows.append(tuple(cells))
        rates = [
            f"{label.removeprefix(f'{dataset}, ')} {_percent(s['realised_rate'])}"
            for label, s in settings.items()
        ]
        facts = next(iter(settings.values()))
        size = (
            f" {facts['n_scored']} {domain['unit']}s scored, {facts['n_classes']} classes."
            if facts["n_scored"]
            else ""
        )
        tables.append(
            Table(
                caption=f"{dataset}.{size} Realised rate: {'; '.join(rates)}.",
                columns=(
                    Column("noise", numeric=False),
                    Column("method", numeric=False),
                    *_columns(DETAIL, summary),
                    Column("CPU s", explain="Median CPU seconds of the method, one thread."),
                    Column("MiB", explain="Highest resident memory of the process."),
                    *((failed_column,) if any_failed else ()),
                ),
                rows=tuple(rows),
                quiet=frozenset(quiet),
                starts=frozenset(i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0]),
                dense=True,
            )
        )
    return tables


def _percent(rate: Mapping[str, Any]) -> str:
    if rate["mean"] is None:
        return "unknown"
    spread = f" ({rate['low']:.1%} to {rate['high']:.1%})" if rate["high"] > rate["low"] else ""
    return f"{rate['mean']:.1%}{spread}"


def few_of(settings: Sequence[str]) -> str:
    """All settings where they are few, else their number and the first of them."""
    if len(settings) <= 3:
        return "; ".join(settings) or "none"
    return f"{len(settings)}: {'; '.join(settings[:2])} …"


def loss_table(domain: Mapping[str, Any]) -> Table:
    """Where each method loses."""
    rows = []
    for loss in domain["losses"]:
        gap, counts = loss["widest_gap"], loss["counts"]
        rows.append(
            (
                Entry(loss["method"]),
                Entry(f"{loss['best_or_tied']} of {loss['settings']}"),
                Entry(f"{loss['clearly_worse']} of {loss['settings']}"),
                Entry(f"−{gap['gap']:.3f} on {gap['setting']}, behind {gap['winner']}" if gap else "none"),
                Entry(few_of(loss["not_above_chance"])),
                Entry(few_of(loss["f1_not_above_random"])),
                Entry(f"{counts['off']} of {counts['settings']}" if counts["settings"] else "no count"),
                Entry(
                    f"{counts['intervals_missed']} of {counts['intervals']}"
                    if counts["intervals"]
                    else "no interval"
                ),
                Entry(str(loss["failed_cells"])),
            )
        )
    return Table(
        caption="Where each method loses. Settings are counted by AUROC.",
        columns=(
            Column("method", numeric=False),
            Column("best or tied"),
            Column("clearly worse"),
            Column("widest gap to the best", numeric=False),
            Column("ranking not above chance", numeric=False, explain="The AUROC interval reaches 0.5."),
            Column(
                "F1 not above random",
                numeric=False,
                explain="Flagging labels at random does as well or better.",
            ),
            Column("count off > 25%", explain="Settings whose expected count is off by more than a quarter."),
            Column("intervals that miss", explain="Intervals of the count that do not hold the true count."),
            Column("failed cells"),
        ),
        rows=tuple(rows),
    )


def comparison_tables(comparison: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Table]:
    """Mean ranks, and all pairs with their adjusted p values."""
    result = comparison["result"]
    if not result:
        return []
    label = summary["metrics"][comparison["metric"]]["label"]
    omnibus = "".join(
        f" {name}: p {_p(result[key], equals=True)}."
        for name, key in (("Friedman", "p_friedman"), ("Iman–Davenport", "p_iman_davenport"))
        if result[key] is not None
    )
    ranks = Table(
        caption=f"Mean ranks in {label} over {result['n_datasets']} data set(s): "
        f"{', '.join(comparison['datasets'])}.{omnibus}",
        columns=(Column("method", numeric=False), Column("mean rank")),
        rows=tuple(
            (Entry(method), Entry(f"{rank:.2f}"))
            for method, rank in zip(result["methods"], result["mean_ranks"])
        ),
    )
    if result["n_datasets"] < MIN_DATASETS:
        return [ranks]
    pairs = Table(
        caption=f"All pairs in {label}: exact Wilcoxon signed-rank tests over data sets, adjusted for their "
        "number (Holm).",
        columns=(
            Column("better rank", numeric=False),
            Column("against", numeric=False),
            Column("median difference"),
            Column("won / tied / lost"),
            Column("p"),
            Column("p (Holm)"),
        ),
        rows=tuple(
            (
                Entry(pair["first"]),
                Entry(pair["second"]),
                Entry(f"{pair['median_difference']:+.3f}"),
                Entry(f"{pair['wins']} / {pair['ties']} / {pair['losses']}"),
                Entry(_p(pair["p"])),
                Entry(
                    _p(pair["p_holm"]), mark="significant" if pair["p_holm"] <= 1 - summary["level"] else None
                ),
            )
            for pair in result["pairs"]
        ),
    )
    return [ranks, pairs]


def _p(value: float, *, equals: bool = False) -> str:
    return "< 0.001" if value < 0.001 else f"{'= ' if equals else ''}{value:.3f}"


def method_table(domain: Mapping[str, Any]) -> Table:
    """What each method is, and where it comes from."""
    return Table(
        caption="Methods.",
        columns=tuple(Column(label, numeric=False) for label in ("method", "what it does", "source")),
        rows=tuple(
            (Entry(method["label"]), Entry(method["summary"] or NOTHING), Entry(method["source"] or NOTHING))
            for method in domain["methods"]
        ),
    )


def metric_table(summary: Mapping[str, Any]) -> Table:
    """What each measure says."""
    better = {"high": "higher is better", "low": "lower is better", "one": "1 is right", "": NOTHING}
    used = ("n", "n_wrong", "n_flagged", "expected")
    return Table(
        caption="Measures. Wrong labels are the positive class.",
        columns=tuple(Column(label, numeric=False) for label in ("measure", "reads", "meaning")),
        rows=tuple(
            (Entry(info["label"]), Entry(better[info["better"]]), Entry(info["explain"]))
            for name, info in summary["metrics"].items()
            if name not in used
        ),
    )


def data_table(summary: Mapping[str, Any]) -> Table:
    """The data sets with their content hashes."""
    return Table(
        caption="Data sets.",
        columns=(
            Column("domain", numeric=False),
            Column("data set", numeric=False),
            Column("units"),
            Column("labelled"),
            Column("classes"),
            Column("content hash", numeric=False),
        ),
        rows=tuple(
            (
                Entry(row["domain"]),
                Entry(row["dataset"]),
                *(
                    Entry(NOTHING if row[key] is None else str(row[key]))
                    for key in ("n_units", "n_labelled", "n_classes")
                ),
                Entry(row["hash"] or "could not be loaded"),
            )
            for row in summary["header"]["data"]
        ),
    )


def failure_table(summary: Mapping[str, Any]) -> Table:
    """Every cell without a result; equal failures of several seeds share a row."""
    grouped: dict[tuple[str, ...], list[int]] = {}
    for failure in summary["failures"]:
        key = tuple(
            str(failure[name] or "")
            for name in ("domain", "task", "setting", "method", "status", "error", "where")
        )
        grouped.setdefault(key, []).append(failure["seed"])
    return Table(
        caption="Cells without a result.",
        columns=tuple(
            Column(label, numeric=False)
            for label in ("domain", "task", "data, noise", "method", "seeds", "status", "reason", "where")
        ),
        rows=tuple(
            (
                Entry(key[0]),
                Entry(key[1]),
                Entry(key[2]),
                Entry(key[3]),
                Entry(", ".join(map(str, seeds))),
                Entry(key[4]),
                Entry(key[5]),
                Entry(key[6] or NOTHING),
            )
            for key, seeds in grouped.items()
        ),
    )
