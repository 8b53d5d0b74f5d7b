"""Detectors of wrong labels of clips and tags, by name; a target is ``f(dataset, seed, **options) -> Detection``."""

from __future__ import annotations

from labelnoise.core.bench.baselines import TRIVIAL_DETECTORS
from labelnoise.core.registry import Entry, Registry

__all__ = ["DETECTORS"]

DETECTORS = Registry("audio detector")
DETECTORS.add(
    Entry(
        "calibrated",
        "labelnoise.audio.calibrated:detect_calibrated",
        "Probability that each class or tag is wrong, judged by clips of other recordings.",
        "this project; exact leave-group-out ridge after An, Liu, Venkatesh 2007",
        formula="clips: ridge experts, errors planted among believed labels, refits; tags: P(true | score, given) under "
        "one 2 x 2 T",
        helps="Vectors of a pretrained network, clips of several recordings per class; names wrong, missing and foreign.",
        hurts="Log-mel statistics (the default) are weak: AUROC .84 to .88 on ESC-50 at 40% symmetric noise. Listeners' "
        "mistakes are undercounted by a tenth. Where the only wrong clips are sounds of no class (15%), they are told "
        "from right ones (AUROC .98 of wrong against right, YAMNet vectors), but counted at a third.",
        calibrated=True,
    ),
    Entry(
        "confident-learning",
        "labelnoise.audio.calibrated:detect_confident_learning",
        "Confident learning on the same leave-one-recording-out probabilities.",
        "Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70",
        formula="prune by noise rate, quality = p[given]",
        helps="A ranking without assumptions on the rate: AUROC .961 / .810 at 40% symmetric / listeners' noise "
        "(ESC-50, YAMNet vectors).",
        hurts="Flags too many where classes have few clips: F1 .785 / .682 there.",
        calibrated=False,
    ),
    *TRIVIAL_DETECTORS,
)
