"""Methods against each other: who is best on a data set, and who over data sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from labelnoise.core.bench.measures import LEVEL
from labelnoise.core.evaluation import MetricInfo
from labelnoise.core.statistics import compare_methods, hierarchical_bootstrap, not_clearly_worse

__all__ = ["compare", "mark_best", "overall"]


def mark_best(
    results: Sequence[dict[str, Any]], real: Sequence[str], measures: Mapping[str, MetricInfo]
) -> None:
    """Mark the best method of each setting, and all that its seeds cannot tell from it."""
    by_setting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in results:
        if row["method"] in real and row["seeds"]:
            by_setting[row["setting"]].append(row)
    for rows in by_setting.values():
        shared = sorted(set.intersection(*(set(row["seeds"]) for row in rows)))
        for name, info in measures.items():
            if info.better not in ("high", "low") or name == "count_covered":
                continue
            values = {}
            for row in rows:
                runs = dict(zip(row["seeds"], row["metrics"][name]["values"]))
                if shared and all(runs[seed] is not None for seed in shared):
                    values[row["method"]] = [runs[seed] for seed in shared]
            if not values:
                continue
            sign = 1 if info.better == "high" else -1
            tied = not_clearly_worse(values, higher_is_better=sign > 0, alpha=1 - LEVEL)
            best = max(values, key=lambda method: sign * float(np.mean(values[method])))
            for row in rows:
                if row["method"] in tied:
                    row["metrics"][name]["mark"] = "best" if row["method"] == best else "tied"


def _per_dataset(
    metric: str,
    method: str,
    wanted: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
) -> dict[str, list[float]] | None:
    """Per data set one number per seed, the mean over its settings; None unless the method has them all."""
    per_dataset: dict[str, list[dict[int, float]]] = defaultdict(list)
    rows = {row["setting"]: row for row in results if row["method"] == method}
    for setting in wanted:
        if setting not in rows:
            return None
        row = rows[setting]
        runs = {
            seed: value
            for seed, value in zip(row["seeds"], row["metrics"][metric]["values"])
            if value is not None
        }
        if not runs:
            return None
        per_dataset[settings[setting]["dataset"]].append(runs)
    values = {}
    for dataset, runs_of_settings in per_dataset.items():
        shared = sorted(set.intersection(*(set(runs) for runs in runs_of_settings)))
        if not shared:
            return None
        values[dataset] = [float(np.mean([runs[seed] for runs in runs_of_settings])) for seed in shared]
    return values


def overall(
    method: str,
    ordered: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    measures: Mapping[str, MetricInfo],
) -> dict[str, Any]:
    """Means over data sets of all measures, for a method that ran in every setting."""
    ran = sum(1 for row in results if row["method"] == method and row["seeds"])
    metrics: dict[str, Any] = {}
    for metric in measures:
        values = _per_dataset(metric, method, ordered, settings, results)
        if values is None:
            metrics[metric] = None
            continue
        mean, low, high, n = hierarchical_bootstrap(list(values.values()), LEVEL)
        metrics[metric] = {"mean": mean, "low": low, "high": high, "n_datasets": n}
    return {"method": method, "settings": ran, "of_settings": len(ordered), "metrics": metrics}


def compare(
    metric: str,
    real: Sequence[str],
    ordered: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    measures: Mapping[str, MetricInfo],
) -> dict[str, Any]:
    """Methods over data sets, each averaged over noise and seeds; only methods that ran everywhere."""
    higher = measures[metric].better == "high"
    tables = {method: _per_dataset(metric, method, ordered, settings, results) for method in real}
    complete = {method: values for method, values in tables.items() if values}
    left_out = [method for method in real if method not in complete]
    base: dict[str, Any] = {"metric": metric, "left_out": left_out, "datasets": [], "result": None}
    if len(complete) < 2:
        return base
    datasets = sorted(next(iter(complete.values())))
    scores = [[float(np.mean(values[dataset])) for values in complete.values()] for dataset in datasets]
    found = compare_methods(scores, list(complete), higher_is_better=higher, alpha=1 - LEVEL)
    return {**base, "datasets": datasets, "result": _plain(asdict(found))}


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
