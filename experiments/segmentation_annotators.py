"""Measure masks of three annotators on chest X-rays (JSRT, 64 x 64): consensus, and training on what they drew.

    python experiments/segmentation_annotators.py --json runs.jsonl [--drawn all,one] [--rows plain,...] [--seeds 0,1,2]
        [--epochs 60] [--cpu-minutes 5]

40 training and 50 test images, a quarter of what is published: every fourth label, means of 4 x 4 grey values. Annotator
"wide" draws organs two pixels too wide, "narrow" two too narrow, "careless" moves outlines by a smooth field of two
pixels and takes heart for lung in two images of five. "all": each image is drawn by all three; "one": by one of them,
drawn by the seed. Test masks are the published clean ones; the last epoch counts. Every run is one line of the file;
those already there are not repeated.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

from resumed import resumed

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

#: Row to trainer, options, and the consensus that is given ("clean": the published masks).
ROWS: dict[str, tuple[str, dict[str, Any], str]] = {
    "plain on majority": ("plain", {}, "majority"),
    "plain on STAPLE": ("plain", {}, "staple"),
    "annotators": ("annotators", {}, "majority"),
    "annotators, trace 0.1": ("annotators", {"trace": 0.1}, "majority"),
    "annotators, rank 4": ("annotators", {"rank": 4}, "majority"),
    "clean": ("plain", {}, "clean"),
}


def quartered(n_train: int = 40, n_test: int = 50) -> Any:
    """Training images and images to test on, at 64 x 64, all with published clean masks."""
    import numpy as np

    from labelnoise.segmentation.data import load_masks
    from labelnoise.segmentation.dataset import MaskDataset

    root = Path(os.environ["LABELNOISE_DATA"]) / "segmentation" if "LABELNOISE_DATA" in os.environ else None
    full = load_masks("JSRT", root=root)
    rows = np.flatnonzero(full.splits["train"])[:n_train]
    chosen = full.take(np.concatenate([rows, np.flatnonzero(full.splits["test"])[:n_test]]))
    images = [np.asarray(image, dtype=np.float32) for image in chosen.images]
    images = [image[..., 0] if image.ndim == 3 else image for image in images]
    masks = [chosen.true_mask(i)[::4, ::4] for i in range(chosen.n_images)]
    return MaskDataset.from_masks(
        masks,
        full.class_names,
        name="JSRT",
        true=masks,
        images=[image.reshape(64, 4, 64, 4).mean(axis=(1, 3)) for image in images],
        image_ids=chosen.image_ids,
        splits={"train": np.arange(chosen.n_images) < n_train, "test": np.arange(chosen.n_images) >= n_train},
    )


def drawn_by(data: Any, drawn: str, seed: int) -> Any:
    """Votes (n, 3) of the training images, -1 elsewhere."""
    import numpy as np

    from labelnoise.core.random import generator
    from labelnoise.segmentation.displacement import _grown, displace_boundaries

    names = [name.lower() for name in data.class_names]
    heart = next(i for i, name in enumerate(names) if "heart" in name)
    lung = next(i for i, name in enumerate(names) if "lung" in name)
    votes = np.full((data.n_units, 3), -1, dtype=np.int8)
    rng = generator(seed, "annotators")
    for i in np.flatnonzero(data.splits["train"]):
        mask = np.asarray(data.true_mask(int(i)))
        careless = displace_boundaries(mask, 2.0, seed=seed, image_id=data.image_ids[i], length=8)
        if rng.random() < 0.4:
            careless = np.where(careless == heart, lung, careless)
        made = [_grown(mask, 2.0, 0), _grown(mask, -2.0, 0), careless]
        shown = range(3) if drawn == "all" else [int(rng.integers(3))]
        for a in shown:
            votes[data.window(int(i)), a] = made[a].ravel()
    return votes


def run_once(data: Any, drawn: str, row: str, seed: int, epochs: int) -> dict[str, Any]:
    """One training."""
    from dataclasses import replace

    import numpy as np
    import torch

    from labelnoise.core.truth import blind
    from labelnoise.segmentation.consensus import consensus_masks
    from labelnoise.segmentation.evaluation import ConfusionCounts
    from labelnoise.segmentation.trainers import TRAINERS

    torch.set_num_threads(1)
    trainer, options, how = ROWS[row]
    votes = drawn_by(data, drawn, seed)
    train = np.repeat(data.splits["train"], data.sizes.prod(axis=1))
    if how == "clean":
        given = np.where(train, data.true, -1)
    else:
        given = consensus_masks(votes, data.sizes, data.n_classes, method=how, seed=seed).labels
    noisy = replace(data, given=given.astype(np.int8), votes=votes, annotators=("wide", "narrow", "careless"))

    def iou(labels: Any, part: Any) -> list[float]:
        counts = ConfusionCounts(data.n_classes)
        counts.update(data.true[part], labels[part])
        return [round(float(v), 4) for v in counts.iou]

    started = time.process_time()
    result = TRAINERS[trainer].load()(blind(noisy), seed, epochs=epochs, **options)
    test = iou(np.asarray(result.predicted), ~train)
    return {
        "drawn": drawn,
        "row": row,
        "seed": seed,
        "epochs": epochs,
        "test_iou": test,
        "mean_iou": round(float(np.mean(test)), 4),
        "label_mean_iou": round(float(np.mean(iou(noisy.given, train))), 4),
        "annotators": dict(result.info).get("annotators"),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--drawn", default="all,one")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--cpu-minutes", type=float, default=5)
    chosen = parser.parse_args()
    data = cache(quartered)
    cells = [
        (drawn, row, int(seed), chosen.epochs)
        for seed in chosen.seeds.split(",")
        for drawn in chosen.drawn.split(",")
        for row in chosen.rows.split(",")
    ]
    keys = ("drawn", "row", "seed", "epochs")
    done = resumed(chosen.json, keys, cells, lambda *cell: run_once(data(), *cell), chosen.cpu_minutes)
    for drawn, row in sorted({(line["drawn"], line["row"]) for line in done}):
        lines = [line for line in done if (line["drawn"], line["row"]) == (drawn, row)]
        values = " ".join(f"{line['mean_iou']:.3f}" for line in lines)
        print(f"{drawn:4} {row:24} {values}  labels {lines[0]['label_mean_iou']:.3f}")


if __name__ == "__main__":
    main()
