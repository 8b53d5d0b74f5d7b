"""A record with a right checksum may still hold anything; the report believes only what is one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from labelnoise.core.bench.records import broken_part

RECORD: dict[str, Any] = {
    "determined_by": {
        "schema": 2,
        "cell": {
            "domain": "graph",
            "dataset": "d",
            "noise": "pair",
            "rate": 0.1,
            "method": "votes",
            "seed": 0,
            "noise_options": {},
            "method_options": {},
            "task": "detect",
        },
        "data": "ab",
        "code": "cd",
    },
    "status": "ok",
    "error": None,
    "where": None,
    "result": {
        "metrics": {"f1": 0.5, "auroc": None},
        "warnings": [],
        "reliability": [{"claimed": 0.5, "wrong": 1, "count": 2}],
        "transition": {"realised": [[1.0]], "drawn": None, "estimated": None},
        "data": {
            "n_units": 3,
            "n_labelled": 3,
            "n_scored": 3,
            "n_classes": 1,
            "class_names": ["a"],
            "realised_rate": 0.1,
        },
    },
    "cost": {"cpu_seconds": 1.0, "wall_seconds": 1, "peak_rss_mib": None},
    "versions": {"numpy": "2"},
    "hardware": {"cpu": "x", "cores": 2, "memory_gib": 8.0, "gpu": None, "system": "Linux"},
    "finished": "2026-01-01",
}


def test_a_whole_record() -> None:
    assert broken_part(RECORD) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "fine"),
        ("result", None),
        ("result.metrics.f1", "0.5"),
        ("result.metrics.f1", float("nan")),
        ("result.reliability", [{"claimed": 0.5, "wrong": 1, "count": 0}]),
        ("result.transition", {"realised": [[1.0], [2.0]]}),
        ("result.transition", {"drawn": None, "estimated": None}),
        ("result.data.realised_rate", None),
        ("cost.cpu_seconds", None),
        ("determined_by.cell.rate", None),
        ("determined_by.cell.seed", -1),
        ("determined_by.cell.task", ["detect"]),
        ("determined_by.cell", []),
        ("hardware", {}),
        ("versions", {"numpy": 2}),
    ],
)
def test_what_is_broken_is_named(path: str, value: Any) -> None:
    record = copy.deepcopy(RECORD)
    *above, last = path.split(".")
    place = record
    for part in above:
        place = place[part]
    place[last] = value
    assert broken_part(record) is not None
    assert path.startswith(str(broken_part(record)).split(".")[0])


@pytest.mark.parametrize("part", RECORD)
def test_what_is_missing_is_named(part: str) -> None:
    assert broken_part({name: value for name, value in RECORD.items() if name != part}) == part
