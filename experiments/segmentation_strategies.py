"""Measure ways to train on chest X-rays (JSRT, 64 x 64) under mask noise: IoU on clean test images, last epoch.

    python experiments/segmentation_strategies.py --json runs.jsonl [--noises organ-scale,displacement] [--rows plain,...]
        [--seeds 0,1,2] [--epochs 60] [--cpu-minutes 5]
    python experiments/segmentation_strategies.py --affinity 3        (detection on scenes, seeds 0 to 2)

40 training and 50 test images as in segmentation_annotators.py. "organ-scale" is the noise of the SegTHOR experiments (Liu
et al. 2022), "displacement" a smooth field of two pixels, "swap" takes heart for lung in two training images of five.
Every run is one line of the file; those already there are not repeated.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

from resumed import resumed
from segmentation_annotators import quartered

ROWS = (
    "plain",
    "clean",
    "displacement-forward",
    "two-views",
    "signed-distance",
    "unet+elr",
    "unet+small_loss",
    "unet+bootstrapping",
    "unet+forward",
)
NOISES = ("organ-scale", "displacement", "swap")


def corrupted(data: Any, noise: str, seed: int) -> Any:
    """Noisy labels of training images, -1 elsewhere."""
    import numpy as np

    from labelnoise.core.random import generator
    from labelnoise.segmentation.displacement import displace_boundaries
    from labelnoise.segmentation.organ_scale import organ_scale

    names = [name.lower() for name in data.class_names]
    heart = next(i for i, name in enumerate(names) if "heart" in name)
    lung = next(i for i, name in enumerate(names) if "lung" in name)
    given = np.full(data.n_units, -1, dtype=np.int8)
    rng = generator(seed, "swapped organs")
    for i in np.flatnonzero(data.splits["train"]).tolist():
        mask, name = data.true_mask(i), data.image_ids[i]
        if noise == "organ-scale":
            mask = organ_scale(mask, seed=seed, image_id=name)
        elif noise == "displacement":
            mask = displace_boundaries(mask, 2.0, seed=seed, image_id=name, length=8)
        elif rng.random() < 0.4:
            mask = np.where(mask == heart, lung, mask)
        given[data.window(i)] = mask.ravel()
    return given


def run_once(data: Any, noise: str, row: str, seed: int, epochs: int) -> dict[str, Any]:
    """One training."""
    import numpy as np
    import torch

    from labelnoise.core.truth import blind
    from labelnoise.segmentation.evaluation import ConfusionCounts
    from labelnoise.segmentation.trainers import TRAINERS

    torch.set_num_threads(1)
    train = np.repeat(data.splits["train"], data.sizes.prod(axis=1))
    given = np.where(train, data.true, -1) if row == "clean" else corrupted(data, noise, seed)
    entry = TRAINERS["plain" if row == "clean" else row]
    started = time.process_time()
    options = {**entry.options, "epochs": epochs}
    result = entry.load()(blind(data.with_labels(given.astype(np.int8))), seed, **options)
    counts = ConfusionCounts(data.n_classes)
    counts.update(data.true[~train], np.asarray(result.predicted)[~train])
    return {
        "noise": noise,
        "row": row,
        "seed": seed,
        "epochs": epochs,
        "wrong": round(float((given != data.true)[train].mean()), 4),
        "test_iou": [round(float(v), 4) for v in counts.iou],
        "mean_iou": round(float(np.mean(counts.iou)), 4),
        "last": {key: value for key, value in result.history[-1].items() if key in ("mean_step", "believed")},
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def affinity(seeds: int) -> None:
    """Detection of objects in a wrong class, and of displaced outlines, beside confident learning."""
    import torch

    from labelnoise.core.evaluation import detection_metrics
    from labelnoise.core.truth import blind
    from labelnoise.segmentation.detectors import DETECTORS
    from labelnoise.segmentation.domain import SegmentationDomain
    from labelnoise.segmentation.embedded import scenes

    torch.set_num_threads(1)
    for seed in range(seeds):
        swapped = scenes(seed=seed)
        moved, _ = SegmentationDomain().corrupt(
            scenes(seed=seed, wrong_objects=0.0), kind="displacement", rate=0.05, seed=seed
        )
        for kind, data in (("objects", swapped), ("displacement", moved)):
            for name in ("affinity", "confident-learning"):
                started = time.process_time()
                found = DETECTORS[name].load()(blind(data), seed)
                scores = detection_metrics(data.is_wrong, 1 - found.quality, flagged=found.flagged)
                chosen = {key: round(float(scores[key]), 3) for key in ("auroc", "average_precision", "f1")}
                print(kind, name, seed, chosen, round(time.process_time() - started, 1), flush=True)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--noises", default=",".join(NOISES))
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--cpu-minutes", type=float, default=5)
    parser.add_argument("--affinity", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.affinity:
        affinity(chosen.affinity)
    if chosen.json is None:
        return
    data = cache(quartered)
    cells = [
        (noise, row, int(seed), chosen.epochs)
        for seed in chosen.seeds.split(",")
        for noise in chosen.noises.split(",")
        for row in chosen.rows.split(",")
    ]
    keys = ("noise", "row", "seed", "epochs")
    done = resumed(chosen.json, keys, cells, lambda *cell: run_once(data(), *cell), chosen.cpu_minutes)
    for noise, row in sorted({(line["noise"], line["row"]) for line in done}):
        lines = [line for line in done if (line["noise"], line["row"]) == (noise, row)]
        values = " ".join(f"{line['mean_iou']:.3f}" for line in lines)
        print(f"{noise:14} {row:22} {values}  wrong {lines[0]['wrong']:.3f}")


if __name__ == "__main__":
    main()
