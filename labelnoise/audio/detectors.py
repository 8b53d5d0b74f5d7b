"""Detectors of wrong labels of clips and tags, by name; a target is ``f(dataset, seed, **options) -> Detection``."""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["DETECTORS"]

DETECTORS = Registry("audio detector")
DETECTORS.add(
    Entry(
        "calibrated",
        "labelnoise.audio.calibrated:detect_calibrated",
        "Probability that each class or tag is wrong, judged by clips of other recordings.",
        "this project; exact leave-group-out ridge after An, Liu, Venkatesh 2007",
        formula="clips: ridge experts, planted errors, one refit; tags: P(true | score, given) under one 2 x 2 T",
        helps="HELPS",
        hurts="HURTS",
        calibrated=True,
    ),
    Entry(
        "confident-learning",
        "labelnoise.audio.calibrated:detect_confident_learning",
        "Confident learning on the same leave-one-recording-out probabilities.",
        "Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70",
        formula="prune by noise rate, quality = p[given]",
        helps="HELPS2",
        hurts="HURTS2",
        calibrated=False,
    ),
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
