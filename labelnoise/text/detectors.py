"""Detectors of wrong entity tags, by name; a target is ``f(dataset, seed, **options) -> Detection``."""

from __future__ import annotations

from labelnoise.core.bench.baselines import TRIVIAL_DETECTORS
from labelnoise.core.registry import Entry, Registry

__all__ = ["DETECTORS"]

DETECTORS = Registry("text detector")
DETECTORS.add(
    Entry(
        "calibrated",
        "labelnoise.text.calibrated:detect_calibrated",
        "Probability that each tag is wrong, each name judged by models that never saw its labels.",
        "this project, after the entity-disjoint folds of Wang et al. 2019, CrossWeigh, EMNLP",
        formula="P(true t | x, given s) ~ T[t, s] softmax(sum_m w_m e_m(x))_t, T and w fitted together",
        helps="Names that are missing everywhere, as from gazetteers; says how many tags are wrong, and of which kind.",
        hurts="Where most names of a type are missing alike, the count is not identified unless names is told.",
        calibrated=True,
    ),
    Entry(
        "confident-learning",
        "labelnoise.text.baselines:detect_confident_learning",
        "Confident learning on out-of-fold probabilities of tags, from words or from any model.",
        "Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70",
        formula="prune by noise rate, quality = p[given]",
        helps="Spurious tags spread at random; takes the probabilities of any model.",
        hurts="Errors that repeat with a name are agreed with: recall .02 on NoisyNER sets 1, 4 and 7.",
        calibrated=False,
    ),
    *TRIVIAL_DETECTORS,
)
