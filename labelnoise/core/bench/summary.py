"""From a store to one plain dict that every form of the report is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from labelnoise.core.bench.across import across
from labelnoise.core.bench.baselines import TRIVIAL
from labelnoise.core.bench.compare import compare, mark_best, overall
from labelnoise.core.bench.gains import add_gains
from labelnoise.core.bench.grid import MATCHED_NOISE, OWN_NOISE, canonical_json, digest
from labelnoise.core.bench.losses import find_losses, find_training_losses
from labelnoise.core.bench.measures import HEADLINE, LEVEL, MEASURES, TASKS, TRAIN
from labelnoise.core.bench.records import broken_part
from labelnoise.core.bench.store import DamagedCell, Store
from labelnoise.core.bench.training import PLAIN, TRIVIAL_TRAINERS
from labelnoise.core.domain import get_domain
from labelnoise.core.evaluation import mean_interval, wilson_interval
from labelnoise.core.validation import InputError

__all__ = ["SUMMARY_VERSION", "summarise"]

SUMMARY_VERSION = 2

#: Names that do not compete; plain training does.
_APART = {*TRIVIAL, *(name for name in TRIVIAL_TRAINERS if name != PLAIN)}


def summarise(store: Store) -> dict[str, Any]:
    """Sum a store up: what was run, who did how well with what certainty, who lost where, what failed.

    Parameters
    ----------
    store : Store
        Where a cell occurs more than once (run with other code, or on data that changed), the newest counts.

    Returns
    -------
    dict
        JSON-able; its layout is described by ``labelnoise/core/report/schema.json``.

    Raises
    ------
    InputError
        The store is missing or holds no sound record.
    """
    store.must_exist()
    newest: dict[str, dict[str, Any]] = {}
    damaged: list[str] = []
    total = 0
    for key in store.names():
        try:
            record = store.read(key)
        except DamagedCell as damage:
            damaged.append(str(damage))
            continue
        broken = broken_part(record)
        if broken is not None:
            damaged.append(f"{key}.json is not the record of a cell: {broken} is missing or of another kind")
            continue
        total += 1
        name = canonical_json(record["determined_by"]["cell"])
        if name not in newest or _age(record) > _age(newest[name]):
            newest[name] = record
    records = [newest[name] for name in sorted(newest)]
    if not records:
        raise InputError(f"{store.folder} holds no sound benchmark result; run the benchmark again.")
    parts: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        parts[_cell(record)["domain"], TASKS.index(_cell(record)["task"])].append(record)
    domains = [_domain(name, TASKS[task], rows) for (name, task), rows in sorted(parts.items())]
    return {
        "schema_version": SUMMARY_VERSION,
        "kind": "labelnoise-benchmark",
        "level": LEVEL,
        "header": _header(records, superseded=total - len(records), damaged=damaged),
        "metrics": {name: asdict(info) for task in TASKS for name, info in MEASURES[task].items()},
        "across": across(domains),
        "domains": domains,
        "failures": [_failure(record) for record in records if record["status"] != "ok"],
    }


def _cell(record: Mapping[str, Any]) -> dict[str, Any]:
    cell: dict[str, Any] = record["determined_by"]["cell"]
    return cell


def _age(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["finished"], record["checksum"]


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Distinct JSON-able values in a fixed order."""
    found = {canonical_json(value): value for value in values}
    return [found[text] for text in sorted(found)]


def _spell(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(options.items()))


def method_label(cell: Mapping[str, Any]) -> str:
    """A method with its options, as tables call it; the trivial ones by their names, which others are compared with."""
    options = "" if cell["method"] in TRIVIAL_TRAINERS else _spell(cell["method_options"])
    return f"{cell['method']} ({options})" if options else str(cell["method"])


def setting_label(cell: Mapping[str, Any]) -> str:
    """A data set with its noise, as tables call it."""
    if cell["noise"] in (OWN_NOISE, MATCHED_NOISE):
        return f"{cell['dataset']}, {cell['noise']} noise"
    options = f" ({_spell(cell['noise_options'])})" if cell["noise_options"] else ""
    return f"{cell['dataset']}, {cell['noise']}{options} {cell['rate'] * 100:g}%"


def _setting_key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    real_first = (OWN_NOISE, MATCHED_NOISE).index(cell["noise"]) if cell["rate"] is None else 2
    return (
        cell["dataset"],
        real_first,
        cell["noise"],
        canonical_json(cell["noise_options"]),
        cell["rate"] or 0.0,
    )


def _header(records: Sequence[Mapping[str, Any]], *, superseded: int, damaged: list[str]) -> dict[str, Any]:
    costs = [record["cost"] for record in records]
    statuses = [record["status"] for record in records]
    data = {}
    for record in records:
        cell, result = _cell(record), record["result"]
        key = (cell["domain"], cell["dataset"], record["determined_by"]["data"])
        facts = result["data"] if result else {}
        if key not in data or facts:
            data[key] = {
                "domain": cell["domain"],
                "dataset": cell["dataset"],
                "hash": record["determined_by"]["data"],
                "n_units": facts.get("n_units"),
                "n_labelled": facts.get("n_labelled"),
                "n_classes": facts.get("n_classes"),
            }
    return {
        "config_hash": digest(sorted(canonical_json(_cell(record)) for record in records)),
        "code": _distinct(
            {"domain": _cell(record)["domain"], "hash": record["determined_by"]["code"]} for record in records
        ),
        "versions": {
            name: sorted({record["versions"][name] for record in records if name in record["versions"]})
            for name in sorted({name for record in records for name in record["versions"]})
        },
        "hardware": _distinct(record["hardware"] for record in records),
        "data": [data[key] for key in sorted(data, key=str)],
        "seeds": sorted({_cell(record)["seed"] for record in records}),
        "cells": {
            "ok": statuses.count("ok"),
            "failed": statuses.count("failed"),
            "timeout": statuses.count("timeout"),
            "superseded": superseded,
            "damaged": damaged,
        },
        "cost": {
            "cpu_seconds": round(sum(cost["cpu_seconds"] or 0 for cost in costs), 1),
            "wall_seconds": round(sum(cost["wall_seconds"] or 0 for cost in costs), 1),
            "peak_rss_mib": max((cost["peak_rss_mib"] or 0 for cost in costs), default=0),
        },
        "first_finished": min(record["finished"] for record in records),
        "last_finished": max(record["finished"] for record in records),
    }


def _failure(record: Mapping[str, Any]) -> dict[str, Any]:
    cell = _cell(record)
    return {
        "domain": cell["domain"],
        "task": cell["task"],
        "setting": setting_label(cell),
        "method": method_label(cell),
        "seed": cell["seed"],
        "status": record["status"],
        "error": record["error"],
        "where": record["where"],
    }


def _domain(name: str, task: str, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    settings: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]] = {}
    table: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in sorted(records, key=lambda record: _cell(record)["seed"]):
        cell = _cell(record)
        settings.setdefault(setting_label(cell), cell)
        methods.setdefault(method_label(cell), cell)
        table[setting_label(cell), method_label(cell)].append(record)
    ordered = sorted(settings, key=lambda label: _setting_key(settings[label]))
    results = [
        _result(setting, method, table[setting, method], task)
        for setting in ordered
        for method in methods
        if (setting, method) in table
    ]
    if task == TRAIN:
        add_gains(results)
    measures, first = MEASURES[task], HEADLINE[task][0]
    unit, entries, sees_truth = _registered(name, task)
    apart = {*_APART, *sees_truth}
    order = _method_order(methods, results, first, apart)
    results.sort(key=lambda row: (ordered.index(row["setting"]), order.index(row["method"])))
    real = [method for method in order if methods[method]["method"] not in apart]
    mark_best(results, real, measures)
    return {
        "domain": name,
        "task": task,
        "unit": unit,
        "methods": [
            {
                "label": method,
                "trivial": methods[method]["method"] in apart,
                **entries.get(methods[method]["method"], {"summary": "", "source": ""}),
            }
            for method in order
        ],
        "settings": [
            _setting(label, settings[label], [row for row in records if setting_label(_cell(row)) == label])
            for label in ordered
        ],
        "results": results,
        "overall": [overall(method, ordered, settings, results, measures) for method in order],
        "comparisons": [
            compare(metric, real, ordered, settings, results, measures) for metric in HEADLINE[task]
        ],
        "losses": [
            find_training_losses(method, real, results, PLAIN)
            if task == TRAIN
            else find_losses(method, real, results)
            for method in real
        ],
    }


def _registered(name: str, task: str) -> tuple[str, dict[str, dict[str, str]], list[str]]:
    """What the domain says of its methods, and which of them look at the truth.

    A report can be made where the domain is not installed.
    """
    trivial = TRIVIAL_TRAINERS if task == TRAIN else TRIVIAL
    try:
        domain = get_domain(name)
        unit, registered = (
            domain.unit,
            {**(domain.trainers if task == TRAIN else domain.detectors), **trivial},
        )
    except InputError:
        unit, registered = "unit", dict(trivial)
    facts = {key: {"summary": entry.summary, "source": entry.source} for key, entry in registered.items()}
    return unit, facts, [key for key, entry in registered.items() if entry.sees_truth]


def _setting(label: str, cell: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    done = {_cell(record)["seed"]: record["result"]["data"] for record in records if record["result"]}
    rates = [facts["realised_rate"] for facts in done.values()]
    measures = {record["result"]["measure"] for record in records if (record["result"] or {}).get("measure")}
    any_facts: dict[str, Any] = next(iter(done.values()), {})
    return {
        "label": label,
        "dataset": cell["dataset"],
        "noise": cell["noise"],
        "noise_options": dict(cell["noise_options"]),
        "rate": cell["rate"],
        "measure": " / ".join(sorted(measures)) or None,
        "seeds": sorted({_cell(record)["seed"] for record in records}),
        "n_scored": any_facts.get("n_scored"),
        "n_classes": any_facts.get("n_classes"),
        "class_names": any_facts.get("class_names"),
        "realised_rate": {
            "mean": float(np.mean(rates)) if rates else None,
            "low": min(rates, default=None),
            "high": max(rates, default=None),
        },
    }


def _result(setting: str, method: str, records: Sequence[Mapping[str, Any]], task: str) -> dict[str, Any]:
    done = [record for record in records if record["status"] == "ok"]
    metrics = {}
    for name in MEASURES[task]:
        values = [record["result"]["metrics"].get(name) for record in done]
        mean, low, high, n = mean_interval(values, LEVEL)
        metrics[name] = {"mean": mean, "low": low, "high": high, "n": n, "values": values, "mark": None}
    cpu = [record["cost"]["cpu_seconds"] for record in done]
    peaks = [record["cost"]["peak_rss_mib"] for record in done if record["cost"]["peak_rss_mib"] is not None]
    transitions = [record["result"].get("transition") for record in done]
    return {
        "setting": setting,
        "method": method,
        "seeds": [_cell(record)["seed"] for record in done],
        "failed": len(records) - len(done),
        "metrics": metrics,
        # The median: the first cell of a process pays for imports that the others find done.
        "cost": {
            "cpu_seconds": float(np.median(cpu)) if cpu else None,
            "peak_rss_mib": max(peaks, default=None),
        },
        "reliability": _pool([record["result"].get("reliability") for record in done]),
        "transition": transitions[0] if transitions else None,
        "warnings": sorted({warning for record in done for warning in record["result"]["warnings"]}),
    }


def _pool(bins_of_seeds: Sequence[list[dict[str, float]] | None]) -> list[dict[str, float]] | None:
    """Bins of all seeds, put in order of their claim and merged to ten of nearly equal mass."""
    bins = sorted((row for bins in bins_of_seeds if bins for row in bins), key=lambda row: row["claimed"])
    if not bins:
        return None
    total = sum(row["count"] for row in bins)
    merged: dict[int, list[dict[str, float]]] = defaultdict(list)
    before = 0.0
    for row in bins:
        merged[int(10 * (before + row["count"] / 2) / total)].append(row)
        before += row["count"]
    pooled = []
    for rows in merged.values():
        count, wrong = sum(row["count"] for row in rows), sum(row["wrong"] for row in rows)
        low, high = wilson_interval(int(wrong), int(count))
        claimed = sum(row["claimed"] * row["count"] for row in rows) / count
        pooled.append(
            {
                "claimed": claimed,
                "realised": wrong / count,
                "low": low,
                "high": high,
                "wrong": wrong,
                "count": count,
            }
        )
    return pooled


def _method_order(
    methods: Mapping[str, Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    measure: str,
    apart: set[str],
) -> list[str]:
    """Methods by mean rank in one measure within the settings they ran in, trivial ones last."""
    trivial = [name for name in (*TRIVIAL, *TRIVIAL_TRAINERS) if name in _APART]
    places: dict[str, list[float]] = defaultdict(list)
    # In a fixed order: sums of floats, and with them ties, depend on it.
    for setting in dict.fromkeys(row["setting"] for row in results):
        means = {
            row["method"]: row["metrics"][measure]["mean"]
            for row in results
            if row["setting"] == setting and methods[row["method"]]["method"] not in apart
        }
        known = [value for value in means.values() if value is not None]
        for method, value in means.items():
            if value is not None:
                places[method].append(sum(other > value for other in known) / max(1, len(known) - 1))

    def key(method: str) -> tuple[Any, ...]:
        name = methods[method]["method"]
        if name in apart:
            return 1, trivial.index(name) if name in trivial else len(trivial), method
        return 0, float(np.mean(places[method])) if places[method] else 2.0, method

    return sorted(methods, key=key)
