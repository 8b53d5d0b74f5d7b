"""Region voting as a detector of wrong pixels, and what taking its suggestions does to the labels.

    LABELNOISE_DATA=... python experiments/segmentation_regions.py [--spacings 8] [--seed 0]

60 images of nuclei and 40 chest X-rays under displaced outlines, the X-rays under organ-scaled outlines, and the embedded
scenes with their own noise. Nothing is trained. AUROC and average precision of the share of other classes in a pixel's
region (of at most 400,000 pixels drawn at random), precision and recall of the flags, mean IoU of the labels before and
after.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

#: Data set, images, noise, its rate.
CASES = (
    ("DSB2018", 60, "displacement", 0.05),
    ("JSRT", 40, "displacement", 0.1),
    ("JSRT", 40, "organ-scale", 0.2),
    ("scenes", 0, "own", 0.0),
)
PIXELS = 400_000


def scored(data: Any, spacing: int) -> str:
    """One row for data with known truth."""
    import numpy as np
    from sklearn.metrics import average_precision_score, roc_auc_score

    from labelnoise.core.domain import get_domain
    from labelnoise.core.truth import blind

    started = time.process_time()
    found = get_domain("segmentation").detect(blind(data), method="region-votes", spacing=spacing)
    seconds = time.process_time() - started
    wrong = (data.given != data.true) & (data.given >= 0) & (data.true >= 0)
    some = np.random.default_rng(0).permutation(len(wrong))[:PIXELS]
    doubt = 1 - found.quality[some]
    taken = np.where(found.flagged, found.suggested, data.given)

    def iou(labels: Any) -> float:
        parts = [((labels == c) & (data.true == c)).sum() for c in range(data.n_classes)]
        wholes = [((labels == c) | (data.true == c)).sum() for c in range(data.n_classes)]
        return float(np.mean([part / max(whole, 1) for part, whole in zip(parts, wholes)]))

    right = (found.flagged & wrong).sum()
    return (
        f"{wrong.mean():.3f} wrong, AUROC {roc_auc_score(wrong[some], doubt):.3f}, "
        f"AP {average_precision_score(wrong[some], doubt):.3f}, flags {right / max(found.flagged.sum(), 1):.2f} / "
        f"{right / wrong.sum():.2f}, mean IoU {iou(data.given):.3f} to {iou(taken):.3f}, {seconds:.1f} CPU s"
    )


def main() -> None:
    """Print a row for each case and spacing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spacings", default="8", help="pixels between seeds of regions")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    asked = parser.parse_args()

    import numpy as np

    from labelnoise.core.domain import get_domain

    domain = get_domain("segmentation")
    for name, images, kind, rate in CASES:
        data = domain.load(name)
        if kind != "own":
            data = data.take(np.arange(images))
            clean = data if data.true is None else replace(data, given=data.true, true=None)
            data, _ = domain.corrupt(clean, kind=kind, rate=rate, seed=asked.seed)
        for spacing in map(int, asked.spacings.split(",")):
            print(f"{name}, {kind}, spacing {spacing}: {scored(data, spacing)}", flush=True)


if __name__ == "__main__":
    main()
