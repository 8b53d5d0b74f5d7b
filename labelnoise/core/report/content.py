"""What a report says, in order; each form of it writes the same sections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelnoise.core.bench.measures import DETECT, TRAIN
from labelnoise.core.report import figures, tables, training_tables
from labelnoise.core.report.across_tables import real_tables, standing_tables
from labelnoise.core.report.figures import Figure
from labelnoise.core.report.heatmaps import transition_figures
from labelnoise.core.report.tables import Table

__all__ = [
    "DomainPart",
    "Section",
    "closing_sections",
    "domain_parts",
    "facts",
    "headline_sentence",
    "opening_sections",
]


@dataclass(frozen=True)
class Section:
    """A heading, sentences, tables, and figures that are drawn only when asked for."""

    slug: str
    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: Callable[[], Sequence[Figure | None]] = field(default=tuple)


@dataclass(frozen=True)
class DomainPart:
    """All sections of one modality's detection or training, and its methods with their series numbers."""

    name: str
    title: str
    sections: tuple[Section, ...]
    series: Mapping[str, int]


def facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what a reader needs to know before the first number."""
    header = summary["header"]
    cells, cost = header["cells"], header["cost"]
    counted = f"{cells['ok']} finished, {cells['failed']} failed, {cells['timeout']} out of time"
    if cells["superseded"]:
        counted += f"; {cells['superseded']} older runs of the same cells left out"
    if cells["damaged"]:
        counted += f"; {len(cells['damaged'])} damaged files left out"
    machines = []
    for machine in header["hardware"]:
        memory = f", {machine['memory_gib']:g} GiB" if machine["memory_gib"] else ""
        gpu = f", {machine['gpu']}" if machine["gpu"] else ""
        machines.append(f"{machine['cpu']}, {machine['cores']} cores{memory}{gpu} ({machine['system']})")
    return [
        ("Cells", counted),
        ("Seeds", ", ".join(map(str, header["seeds"]))),
        (
            "Cost",
            f"{cost['cpu_seconds']:,.0f} CPU seconds in methods, {cost['peak_rss_mib']:,.0f} MiB at most",
        ),
        ("Machine", "; ".join(machines)),
        (
            "Versions",
            ", ".join(f"{name} {' and '.join(found)}" for name, found in header["versions"].items()),
        ),
        ("Configuration", header["config_hash"]),
        ("Code", ", ".join(f"{row['domain']} {row['hash']}" for row in header["code"])),
        ("Finished", f"{header['first_finished']} to {header['last_finished']}"),
    ]


def headline_sentence(domain: Mapping[str, Any]) -> str:
    """Who is ahead, in words that claim no more than the data sets allow."""
    comparison = domain["comparisons"][0]
    result = comparison["result"]
    losses = {row["method"]: row for row in domain["losses"] if row["settings"]}
    if not losses:
        return "No method finished a cell."
    leader = max(losses, key=lambda method: losses[method]["best_or_tied"] / losses[method]["settings"])
    lead = losses[leader]
    label = "score" if domain["task"] == TRAIN else "AUROC"
    first = (
        f"{leader} has the best {label}, or one not clearly below it, in {lead['best_or_tied']} of the "
        f"{lead['settings']} settings it ran in."
    )
    if result is None or result["underpowered"]:
        reason = result["underpowered"] if result else "fewer than two methods ran in every setting"
        return f"{first} Over data sets nothing is claimed: {reason}."
    top, *others = result["methods"]
    behind = [other for other in others if _differ(result, top, other)]
    level = [other for other in others if other not in behind]
    ahead = f"significantly ahead of {', '.join(behind)}" if behind else "significantly ahead of none"
    rest = f" and not of {', '.join(level)}" if behind and level else ""
    return f"{first} Over {result['n_datasets']} data sets {top} has the best mean rank, {ahead}{rest}."


def _differ(result: Mapping[str, Any], first: str, second: str) -> bool:
    return any(
        {pair["first"], pair["second"]} == {first, second} and pair["p_holm"] <= 0.05
        for pair in result["pairs"]
    )


def domain_parts(summary: Mapping[str, Any]) -> list[DomainPart]:
    """The sections of each modality."""
    return [
        DomainPart(
            f"{domain['domain']}-{domain['task']}",
            f"{domain['domain']}: {_TITLES[domain['task']]}",
            tuple(_SECTIONS[domain["task"]](domain, summary)),
            figures.series_of(domain),
        )
        for domain in summary["domains"]
    ]


def _detection(domain: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Section]:
    name, metrics = f"{domain['domain']}-{domain['task']}", summary["metrics"]
    most = max((len(setting["seeds"]) for setting in domain["settings"]), default=0)
    found = transition_figures(domain)
    return [
        Section(
            f"{name}-headline",
            "Headline",
            (
                headline_sentence(domain),
                f"Mean over up to {most} seeds with a 95% t interval over seeds: how far redrawn noise and "
                "training move the number on this data set, and nothing about others. ★ best mean; ≈ not "
                "clearly worse than the best (one-sided paired t tests over seeds, Holm, 5%; few seeds leave "
                "much undecided). flag-nothing, random and oracle are floor and ceiling and do not compete.",
                "The last row averages data sets, with a 95% interval from redrawing data sets, then seeds, "
                f"for methods that finished every setting. {_bootstrap_caution(domain)}".strip(),
            ),
            tuple(tables.headline_table(domain, summary, metric) for metric in ("auroc", "f1")),
        ),
        Section(
            f"{name}-losses",
            "Where methods lose",
            (),
            (tables.loss_table(domain),),
        ),
        Section(
            f"{name}-rates",
            "Over the noise rate",
            figures=lambda: [
                figures.rate_figure(domain, metric, metrics[metric]["label"]) for metric in ("auroc", "f1")
            ],
        ),
        Section(
            f"{name}-calibration",
            "Probabilities and counts",
            figures=lambda: [figures.count_figure(domain), figures.reliability_figure(domain)],
        ),
        Section(
            f"{name}-transition",
            "Estimated transition",
            (
                "Share of each true class (row) that carries each given label (column), at the highest "
                "rate of each noise, first seed. Shades grow with the square root of the share. Error: total "
                "variation from the realised matrix, mean over units.",
            )
            if found
            else (),
            figures=lambda: found,
        ),
        Section(f"{name}-cost", "Cost", figures=lambda: [figures.cost_figure(domain)]),
        _ranks(domain, summary),
        Section(
            f"{name}-detail",
            "Every data set",
            ("Means over seeds; ± is half a 95% t interval over seeds.",),
            tuple(tables.detail_tables(domain, summary)),
        ),
        Section(f"{name}-methods", "Methods", (), (tables.method_table(domain),)),
    ]


def _training(domain: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Section]:
    name = f"{domain['domain']}-{domain['task']}"
    measures = sorted({setting["measure"] for setting in domain["settings"] if setting["measure"]})
    said = " or ".join(_MEASURE_NAMES.get(measure, measure) for measure in measures) or "score"
    most = max((len(setting["seeds"]) for setting in domain["settings"]), default=0)
    return [
        Section(
            f"{name}-headline",
            "Headline",
            (
                headline_sentence(domain),
                f"Score: {said} on test units with their true labels, which no trainer saw. Mean over up to {most} "
                "seeds with a 95% t interval. plain takes every label for right and competes; most-frequent and "
                "clean-labels (plain training on true labels) are floor and ceiling.",
            ),
            (
                tables.headline_table(domain, summary, "score"),
                training_tables.gain_table(domain),
            ),
        ),
        Section(f"{name}-losses", "Where methods lose", (), (training_tables.loss_table(domain),)),
        Section(
            f"{name}-rates",
            "Over the noise rate",
            figures=lambda: [figures.rate_figure(domain, "score", "Score")],
        ),
        Section(f"{name}-cost", "Cost", figures=lambda: [figures.cost_figure(domain, "score", "Score")]),
        _ranks(domain, summary),
        Section(f"{name}-methods", "Methods", (), (tables.method_table(domain),)),
    ]


_TITLES = {DETECT: "finding wrong labels", TRAIN: "training with wrong labels"}
_SECTIONS = {DETECT: _detection, TRAIN: _training}
_MEASURE_NAMES = {"entity_f1": "F1 of entities", "mean_iou": "mean IoU"}


def opening_sections(summary: Mapping[str, Any]) -> list[Section]:
    """What can be said over all modalities."""
    standing, real = standing_tables(summary), real_tables(summary)
    rows, sections = summary["across"]["standing"], []
    if standing:
        sections.append(
            Section(
                "across",
                "Across modalities" if len({row["domain"] for row in rows}) > 1 else "All methods",
                (
                    "Each row averages the settings that all competing methods of its part finished, with the lowest "
                    "and the highest of them. Rank 1 is best.",
                ),
                tuple(standing),
            )
        )
    if real:
        sections.append(
            Section(
                "real",
                "Real against simulated noise",
                (
                    "The same data with the wrong labels that they came with (own), and with simulated ones in the same "
                    "number and between the same classes (matched). Where own noise is harder, the difference is "
                    "negative: wrong labels are found less well, or models trained on them are worse. The own noise of "
                    "generated data is generated too and answers nothing about the world.",
                ),
                tuple(real),
            )
        )
    return sections


def _bootstrap_caution(domain: Mapping[str, Any]) -> str:
    count = len({setting["dataset"] for setting in domain["settings"]})
    return f"With {count} data sets that interval is too narrow to lean on." if 1 < count < 6 else ""


def _ranks(domain: Mapping[str, Any], summary: Mapping[str, Any]) -> Section:
    said: dict[str, list[str]] = {}
    found: list[Table] = []
    for comparison in domain["comparisons"]:
        label = summary["metrics"][comparison["metric"]]["label"]
        if comparison["left_out"]:
            names = ", ".join(comparison["left_out"])
            said.setdefault(f"not ranked for lack of a result in some setting: {names}.", []).append(label)
        if comparison["result"] is None:
            said.setdefault("no ranks, fewer than two methods have all results.", []).append(label)
        elif comparison["result"]["underpowered"]:
            said.setdefault(f"underpowered, {comparison['result']['underpowered']}.", []).append(label)
        found += tables.comparison_tables(comparison, summary)
    text = [f"{' and '.join(labels)}: {sentence}" for sentence, labels in said.items()]
    return Section(
        f"{domain['domain']}-{domain['task']}-ranks",
        "Ranks over data sets",
        (
            "A data set is one observation: its settings and seeds are averaged first.",
            *text,
        ),
        tuple(found),
        lambda: [
            figures.rank_figure(comparison, domain, summary["metrics"][comparison["metric"]]["label"])
            for comparison in domain["comparisons"]
        ],
    )


def closing_sections(summary: Mapping[str, Any]) -> list[Section]:
    """What concerns all modalities: failures, data, measures."""
    damaged = summary["header"]["cells"]["damaged"]
    return [
        Section(
            "failures",
            "Failures",
            (
                "Nothing is dropped: a cell that failed or ran out of time is in no mean and is listed here.",
                *(() if summary["failures"] else ("None.",)),
                *(f"Damaged file: {sentence}." for sentence in damaged),
            ),
            (tables.failure_table(summary),) if summary["failures"] else (),
        ),
        Section("data", "Data", (), (tables.data_table(summary),)),
        Section("measures", "Measures", (), (tables.metric_table(summary),)),
    ]
