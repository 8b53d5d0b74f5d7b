"""Detectors of wrong labels of clips and tags, by name; a target is ``f(dataset, seed, **options) -> Detection``."""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["DETECTORS"]

DETECTORS = Registry("audio detector")
DETECTORS.add(
    Entry(
        "flag-nothing",
        "labelnoise.core.bench.baselines:flag_nothing",
        "Trust every label.",
        "this project: what a metric gives for doing nothing",
        calibrated=False,
    ),
    Entry(
        "random",
        "labelnoise.core.bench.baselines:flag_randomly",
        "Ranks labels at random and flags half of them.",
        "this project: what a metric gives for chance",
        calibrated=False,
    ),
)
