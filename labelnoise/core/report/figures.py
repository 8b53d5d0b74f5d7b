"""The figures of a report, each drawn from one domain of a summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelnoise.core.report.svg import N_COLOURS, Axes, dash_of, linear_ticks, log_ticks, marker, number

__all__ = [
    "Figure",
    "cost_figure",
    "count_figure",
    "rank_figure",
    "rate_figure",
    "reliability_figure",
    "rows_of",
    "series_of",
]

#: More panels than this show only the highest rate of each noise.
MAX_PANELS = 24


@dataclass(frozen=True)
class Figure:
    """Panels that share a caption and a legend.

    Attributes
    ----------
    title, caption : str
    panels : tuple of str
        SVG.
    methods : tuple of str
        Whom the legend names; empty if it needs none.
    """

    title: str
    caption: str
    panels: tuple[str, ...]
    methods: tuple[str, ...] = ()


def series_of(domain: Mapping[str, Any]) -> dict[str, int]:
    """The series number of each method that competes: the same in every figure of a domain."""
    real = [method["label"] for method in domain["methods"] if not method["trivial"]]
    return {label: index for index, label in enumerate(real)}


def rows_of(domain: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The results of a domain by setting and method."""
    return {(row["setting"], row["method"]): row for row in domain["results"]}


def _estimate(metric: Mapping[str, Any]) -> str:
    if metric["mean"] is None:
        return "none"
    if metric["low"] is None:
        return f"{metric['mean']:.3f}"
    return f"{metric['mean']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"


def _error_bar(axes: Axes, x: float, low: float | None, high: float | None, series: int) -> None:
    if low is not None and high is not None and high > low:
        top, bottom = number(axes.py(high)), number(axes.py(low))
        axes.add(f'<path class="error s{series % N_COLOURS}" d="M{number(x)} {bottom}V{top}"/>')


def rate_figure(domain: Mapping[str, Any], metric: str, label: str) -> Figure | None:
    """One measure over the noise rate: a panel per data set and noise, a line per method."""
    series, rows = series_of(domain), rows_of(domain)
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for setting in domain["settings"]:
        if setting["rate"] is not None:
            options = ", ".join(f"{key}={value}" for key, value in sorted(setting["noise_options"].items()))
            groups.setdefault((setting["dataset"], setting["noise"], options), []).append(setting)
    groups = {key: found for key, found in groups.items() if len({setting["rate"] for setting in found}) > 1}
    values = [row["metrics"][metric] for (_, method), row in rows.items() if method in series]
    lowest = [end for value in values for end in (value["mean"], value["low"]) if end is not None]
    if not groups or not lowest:
        return None
    floor = max(0.0, min(0.9, math.floor(min(lowest) * 10) / 10))
    drawn: dict[str, None] = {}
    panels = []
    for (dataset, noise, options), settings in groups.items():
        settings.sort(key=lambda setting: setting["rate"])
        rates = [setting["rate"] for setting in settings]
        margin = 0.12 * (rates[-1] - rates[0])
        axes = Axes(286, 216, x=(rates[0] - margin, rates[-1] + margin), y=(floor, 1.0))
        name = f"{dataset}, {noise}" + (f" ({options})" if options else "")
        axes.title(name)
        axes.x_axis(rates, [f"{rate * 100:g}" for rate in rates], "asked noise rate (%)")
        ticks = linear_ticks(floor, 1.0)
        axes.y_axis(ticks, [f"{tick:g}" for tick in ticks], label)
        if metric == "auroc" and floor < 0.5:
            chance = axes.py(0.5)
            axes.path([(axes.left, chance), (axes.width - axes.right, chance)], cls="reference", dash="3 3")
        for method, index in series.items():
            points = []
            for setting in settings:
                row = rows.get((setting["label"], method))
                if row is None or row["metrics"][metric]["mean"] is None:
                    continue
                value = row["metrics"][metric]
                # Side by side, or the bars of methods that agree would hide each other.
                x = axes.px(setting["rate"]) + 3.0 * (index - (len(series) - 1) / 2)
                points.append((x, axes.py(value["mean"])))
                _error_bar(axes, x, value["low"], value["high"], index)
            axes.path(points, cls=f"line s{index % N_COLOURS}", dash=dash_of(index))
            for (x, y), setting in zip(points, [s for s in settings if (s["label"], method) in rows]):
                value = rows[setting["label"], method]["metrics"][metric]
                axes.add(
                    marker(x, y, index, title=f"{method}, {setting['label']}: {label} {_estimate(value)}")
                )
            if points:
                drawn[method] = None
        panels.append(axes.render(f"{label} over noise rate, {name}"))
    return Figure(
        f"{label} over the noise rate",
        "Mean over seeds; bars are 95% intervals over seeds. Points stand side by side at the same rate.",
        tuple(panels),
        tuple(drawn),
    )


def _panel_settings(domain: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str]:
    """The settings that get a panel each: all, or of each noise the highest rate where there are too many."""
    settings = list(domain["settings"])
    if len(settings) <= MAX_PANELS:
        return settings, ""
    top: dict[tuple[str, str], Mapping[str, Any]] = {}
    for setting in settings:
        key = (setting["dataset"], setting["noise"])
        if key not in top or (setting["rate"] or 0) > (top[key]["rate"] or 0):
            top[key] = setting
    return list(top.values())[
        :MAX_PANELS
    ], " Only the highest rate of each noise is drawn; the JSON holds the rest."


def reliability_figure(domain: Mapping[str, Any]) -> Figure | None:
    """Claimed against realised share of wrong labels."""
    series, rows = series_of(domain), rows_of(domain)
    settings, note = _panel_settings(domain)
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    drawn: dict[str, None] = {}
    panels = []
    for setting in settings:
        found = {
            method: rows[setting["label"], method]["reliability"]
            for method in series
            if (setting["label"], method) in rows and rows[setting["label"], method]["reliability"]
        }
        if not found:
            continue
        axes = Axes(286, 262, x=(0, 1), y=(0, 1))
        axes.title(setting["label"])
        axes.x_axis(ticks, [f"{tick:g}" for tick in ticks], "claimed P(label is wrong)")
        axes.y_axis(ticks, [f"{tick:g}" for tick in ticks], "realised share wrong")
        axes.path([(axes.px(0), axes.py(0)), (axes.px(1), axes.py(1))], cls="reference", dash="3 3")
        for method, bins in found.items():
            index = series[method]
            drawn[method] = None
            points = [(axes.px(row["claimed"]), axes.py(row["realised"])) for row in bins]
            for (x, _), row in zip(points, bins):
                _error_bar(axes, x, row["low"], row["high"], index)
            axes.path(points, cls=f"line thin s{index % N_COLOURS}", dash=dash_of(index))
            for (x, y), row in zip(points, bins):
                tip = (
                    f"{method}: claimed {row['claimed']:.3f}, realised {row['realised']:.3f} "
                    f"({row['wrong']:.0f} of {row['count']:.0f})"
                )
                axes.add(marker(x, y, index, size=3.2, title=tip))
        panels.append(axes.render(f"Reliability, {setting['label']}"))
    if not panels:
        return None
    return Figure(
        "Claimed against realised",
        "Ten bins of equal mass, all seeds together, with 95% Wilson intervals (too short where seeds judge "
        "the same units). On the dashed line a method is as sure as it should be; below it claims too much."
        + note,
        tuple(panels),
        tuple(drawn),
    )


def count_figure(domain: Mapping[str, Any]) -> Figure | None:
    """Expected over true number of wrong labels, a row per setting."""
    series = series_of(domain)
    ratios = {
        key: row["metrics"]["count_ratio"]
        for key, row in rows_of(domain).items()
        if key[1] in series and row["metrics"]["count_ratio"]["mean"] is not None
    }
    methods = [method for method in series if any(method == name for _, name in ratios)]
    settings = [
        setting["label"]
        for setting in domain["settings"]
        if any(setting["label"] == label for label, _ in ratios)
    ]
    if not ratios:
        return None
    low, high = _powers_around(
        [value[end] for value in ratios.values() for end in ("mean", "low", "high") if value[end] is not None]
    )

    def place_of(value: float) -> float:
        return axes.px(min(high, max(low, value)))

    left = 24 + 6.4 * max(len(setting) for setting in settings)
    height = max(26.0, 9.0 * len(methods) + 10) * len(settings) + 64
    rows = (len(settings), 0)
    axes = Axes(left + 460, height, x=(low, high), y=rows, log_x=True, left=left, top=12, bottom=52)
    powers = [2.0**power for power in range(-4, 5) if low <= 2.0**power <= high]
    labels = [f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}" for tick in powers]
    axes.x_axis(powers, labels, "expected / true count (logarithmic)")
    axes.path([(axes.px(1), axes.top), (axes.px(1), height - axes.bottom)], cls="reference")
    for place, setting in enumerate(settings):
        middle = axes.py(place + 0.5)
        axes.text(left - 10, middle + 4, setting, anchor="end", cls="row")
        if place:
            axes.path([(left, axes.py(place)), (axes.width - axes.right, axes.py(place))], cls="grid")
        for position, method in enumerate(methods):
            value = ratios.get((setting, method))
            if value is None:
                continue
            y = middle + 9.0 * (position - (len(methods) - 1) / 2)
            if value["low"] is not None and value["high"] > value["low"]:
                ends = [(place_of(value[end]), y) for end in ("low", "high")]
                axes.path(ends, cls=f"error s{series[method] % N_COLOURS}")
            tip = f"{method}, {setting}: {_estimate(value)}"
            axes.add(marker(place_of(value["mean"]), y, series[method], title=tip))
    return Figure(
        "How many wrong labels are expected",
        "Expected over true number, mean and 95% interval over seeds; on the line the count is right. "
        "Values beyond the axis stand at its end.",
        (axes.render("Expected over true number of wrong labels"),),
        tuple(methods),
    )


def _powers_around(values: Sequence[float]) -> tuple[float, float]:
    """Half powers of two that enclose the values and 1 with some room, from 1/16 to 16."""
    logs = [math.log2(min(16.0, max(1 / 16, value))) for value in values]
    low = math.floor(2 * min(-0.6, min(logs) - 0.1)) / 2
    high = math.ceil(2 * max(0.6, max(logs) + 0.1)) / 2
    return 2.0 ** max(-4.0, low), 2.0 ** min(4.0, high)


def cost_figure(domain: Mapping[str, Any], metric: str = "auroc", label: str = "AUROC") -> Figure | None:
    """CPU time against one measure, a panel per data set, over the settings that all its methods share."""
    series, rows = series_of(domain), rows_of(domain)
    datasets = list(dict.fromkeys(setting["dataset"] for setting in domain["settings"]))
    points: dict[str, list[tuple[str, float, float]]] = {}
    shared_count = {}
    for dataset in datasets:
        labels = [setting["label"] for setting in domain["settings"] if setting["dataset"] == dataset]
        ran = {
            method: {name for name in labels if (name, method) in rows and _known(rows[name, method], metric)}
            for method in series
        }
        ran = {method: found for method, found in ran.items() if found}
        shared = sorted(set.intersection(*ran.values())) if ran else []
        if not shared:
            continue
        shared_count[dataset] = (len(shared), len(labels))
        points[dataset] = [
            (
                method,
                sum(rows[name, method]["cost"]["cpu_seconds"] for name in shared) / len(shared),
                sum(rows[name, method]["metrics"][metric]["mean"] for name in shared) / len(shared),
            )
            for method in ran
        ]
    everything = [point for found in points.values() for point in found]
    if not everything:
        return None
    seconds = [max(0.001, cpu) for _, cpu, _ in everything]
    ends = min(seconds) / 1.6, max(seconds) * 1.6
    floor = max(0.0, min(0.9, math.floor(min(quality for _, _, quality in everything) * 20) / 20))
    drawn: dict[str, None] = {}
    panels = []
    for dataset, found in points.items():
        axes = Axes(330, 250, x=ends, y=(floor, 1.0), log_x=True)
        axes.title(f"{dataset} ({shared_count[dataset][0]} of {shared_count[dataset][1]} settings)")
        ticks = log_ticks(*ends)
        if len(ticks) > 6:
            ticks = [tick for tick in ticks if math.log10(tick) == round(math.log10(tick))]
        axes.x_axis(ticks, [f"{tick:g}" for tick in ticks], "CPU time per cell (s)")
        quality_ticks = linear_ticks(floor, 1.0)
        axes.y_axis(quality_ticks, [f"{tick:g}" for tick in quality_ticks], label)
        for method, cpu, quality in found:
            drawn[method] = None
            tip = f"{method}: {cpu:.2f} s, {label} {quality:.3f}"
            axes.add(marker(axes.px(max(0.001, cpu)), axes.py(quality), series[method], size=5.5, title=tip))
        panels.append(axes.render(f"Cost and quality, {dataset}"))
    return Figure(
        "Cost and quality",
        "One thread; median CPU seconds over seeds, then the mean over the settings that all methods of the "
        "panel have finished. Up and to the left is better.",
        tuple(panels),
        tuple(method for method in series if method in drawn),
    )


def _known(row: Mapping[str, Any], metric: str) -> bool:
    return row["metrics"][metric]["mean"] is not None and row["cost"]["cpu_seconds"] is not None


def rank_figure(comparison: Mapping[str, Any], domain: Mapping[str, Any], label: str) -> Figure | None:
    """Mean ranks over data sets; bars join methods that no pair test tells apart."""
    result = comparison["result"]
    if not result:
        return None
    series = series_of(domain)
    methods, ranks, groups = result["methods"], result["mean_ranks"], result["groups"]
    joined = [group for group in groups if len(group) > 1]
    left = 24 + 6.6 * max(len(method) for method in methods)
    height = 26.0 * len(methods) + 60
    axes = Axes(
        left + 380 + 14 * len(joined),
        height,
        x=(1, max(2, len(methods))),
        y=(len(methods), 0),
        left=left,
        right=20 + 14 * len(joined),
        top=10,
        bottom=46,
    )
    ticks = list(range(1, max(2, len(methods)) + 1))
    axes.x_axis(
        ticks, [str(tick) for tick in ticks], f"mean rank in {label} over {result['n_datasets']} data sets"
    )
    for place, (method, rank) in enumerate(zip(methods, ranks)):
        y = axes.py(place + 0.5)
        axes.text(left - 12, y + 4, method, anchor="end", cls="row")
        axes.path([(axes.px(1), y), (axes.px(rank), y)], cls=f"line thin s{series[method] % N_COLOURS}")
        axes.add(marker(axes.px(rank), y, series[method], size=5, title=f"{method}: mean rank {rank:.2f}"))
    for number_of_group, group in enumerate(joined):
        x = axes.width - axes.right + 16 + 14 * number_of_group
        first, last = methods.index(group[0]), methods.index(group[-1])
        axes.path([(x, axes.py(first + 0.3)), (x, axes.py(last + 0.7))], cls="group")
    caption = "1 is best."
    if joined:
        caption += " Bars at the right join methods between which no pair differs significantly."
    if result["underpowered"]:
        caption += f" Underpowered: {result['underpowered']}."
    return Figure(f"Ranks in {label}", caption, (axes.render(f"Mean ranks in {label}"),))
