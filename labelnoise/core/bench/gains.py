"""What a robust trainer wins over plain training, in points and as a share of what could be won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelnoise.core.bench.measures import LEVEL
from labelnoise.core.bench.training import CEILING, PLAIN
from labelnoise.core.evaluation import mean_interval

__all__ = ["add_gains", "share_of_gap"]


def add_gains(results: Sequence[dict[str, Any]]) -> None:
    """Fill the measure ``gain`` of each row: score minus plain training's score with the same seed."""
    plain = {row["setting"]: _runs(row) for row in results if row["method"] == PLAIN}
    for row in results:
        base = plain.get(row["setting"], {})
        values = [
            None if value is None or base.get(seed) is None else value - base[seed]
            for seed, value in _runs(row).items()
        ]
        mean, low, high, n = mean_interval(values, LEVEL)
        row["metrics"]["gain"] = {
            "mean": mean,
            "low": low,
            "high": high,
            "n": n,
            "values": values,
            "mark": None,
        }


def _runs(row: Mapping[str, Any]) -> dict[int, float]:
    return dict(zip(row["seeds"], row["metrics"]["score"]["values"]))


def share_of_gap(results: Sequence[Mapping[str, Any]], setting: str, method: str) -> float | None:
    """The share of the gap between plain training and training on true labels that a method closes.

    A ratio of means over the seeds that all three finished. None where there is no gap to close: true labels do not
    help by at least one point, so that any share would be noise.

    Examples
    --------
    >>> rows = [{"setting": "s", "method": name, "seeds": [0, 1], "metrics": {"score": {"values": values}}}
    ...         for name, values in (("plain", [0.5, 0.6]), ("clean-labels", [0.9, 0.8]), ("elr", [0.7, 0.7]))]
    >>> round(share_of_gap(rows, "s", "elr"), 3)
    0.5
    """
    runs = {row["method"]: _runs(row) for row in results if row["setting"] == setting}
    if not {PLAIN, CEILING, method} <= set(runs):
        return None
    shared = set.intersection(*(set(runs[name]) for name in (PLAIN, CEILING, method)))
    means = {
        name: float(np.mean([runs[name][seed] for seed in sorted(shared)])) if shared else 0.0
        for name in (PLAIN, CEILING, method)
    }
    gap = means[CEILING] - means[PLAIN]
    return (means[method] - means[PLAIN]) / gap if gap >= 0.01 else None
