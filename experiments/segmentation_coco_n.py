"""Compare our COCO-N with the operations of the published script (Kimhi et al. 2024), object by object, and by size.

    pip install opencv-python-headless
    LABELNOISE_DATA=... python experiments/segmentation_coco_n.py [--draws 40]

The objects are those of COCO-mini's training images. Outlines and what simplification leaves of them are compared
point by point, fillings of shaken outlines pixel by pixel; then mean IoU of each operation at level hard by COCO's
sizes, ours beside theirs, and of whole draws at each level (hard ``--draws`` times, the others 8).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

OPERATIONS = ("approximation", "localisation", "wider", "tighter")
#: Shakes of each outline whose mean IoU is taken.
SHAKES = 6


def theirs(mask: Any, level: Any, tally: dict[str, int], rng: np.random.Generator) -> list[float]:
    """IoU that the published operations leave of a mask; what differs from ours on the way is counted."""
    import cv2
    from shapely.geometry import Polygon

    from labelnoise.segmentation.outlines import fill_outlines, simplify_ring, trace_outlines

    pixels = np.ascontiguousarray(mask, dtype=np.uint8)
    found = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    rings = sorted((ring[:, 0, ::-1] for ring in found), key=lambda ring: ring[0].tolist())
    ours = sorted(trace_outlines(mask), key=lambda ring: ring[0].tolist())
    tally["outlines"] += len(rings)
    tally["outlines that differ"] += sum(not np.array_equal(a, b) for a, b in zip(rings, ours, strict=True))

    def filled(parts: list[Any]) -> Any:
        made = np.zeros(pixels.shape, np.uint8)
        for part in parts:
            one = np.zeros(pixels.shape, np.uint8)
            cv2.fillPoly(one, [np.rint(part).astype(np.int32)[:, ::-1]], 1)
            made |= one
        tally["pixels filled"] += int(made.sum())
        tally["pixels that differ"] += int((fill_outlines(parts, pixels.shape) != (made > 0)).sum())
        return made > 0

    simple = []
    for ring in rings:
        if len(ring) < 4:
            continue
        kept = Polygon(ring).simplify(level.tolerance, preserve_topology=True)
        simple.append(np.array(kept.exterior.coords)[:-1])
        tally["simplified"] += 1
        tally["simplified otherwise"] += not np.array_equal(simple[-1], simplify_ring(ring, level.tolerance))
    kernel = np.ones((2 * int(level.radius) + 1,) * 2, np.uint8)
    shaken = [
        iou(mask, filled([ring + rng.normal(0, level.sigma, ring.shape) for ring in rings]))
        for _ in range(SHAKES)
    ]
    wider, tighter = cv2.dilate(pixels, kernel) > 0, cv2.erode(pixels, kernel) > 0
    return [iou(mask, filled(simple)), float(np.mean(shaken)), iou(mask, wider), iou(mask, tighter)]


def ours(mask: Any, level: Any, rng: np.random.Generator) -> list[float]:
    """The same of this package."""
    from labelnoise.segmentation.coco_n import approximation, localisation, scale

    shaken = [iou(mask, localisation(mask, level.sigma, rng)) for _ in range(SHAKES)]
    radius = int(level.radius)
    rest = [iou(mask, scale(mask, radius, grow=grow)) for grow in (True, False)]
    return [iou(mask, approximation(mask, level.tolerance)), float(np.mean(shaken)), *rest]


def iou(a: Any, b: Any) -> float:
    """1 for two empty masks."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=40)
    asked = parser.parse_args()
    try:
        import cv2  # noqa: F401
    except ImportError:
        parser.error("OpenCV is missing, which no extra brings: pip install opencv-python-headless")
    if "LABELNOISE_DATA" not in os.environ:
        parser.error("set LABELNOISE_DATA to the folder that holds segmentation/coco_mini")

    from labelnoise.segmentation.coco import read_coco
    from labelnoise.segmentation.coco_n import LEVELS
    from labelnoise.segmentation.published import coco_n_iou

    root = Path(os.environ["LABELNOISE_DATA"]) / "segmentation" / "coco_mini" / "annotations"
    data = read_coco(root / "instances_train2017.json")
    tally = dict.fromkeys(
        (
            "outlines",
            "outlines that differ",
            "simplified",
            "simplified otherwise",
            "pixels filled",
            "pixels that differ",
        ),
        0,
    )
    rng, sizes, rows = np.random.default_rng(0), [], []
    for i, objects in enumerate(data.objects or ()):
        for item in objects:
            mask = item.full(data.size(i))
            sizes.append(int(np.digitize(item.area, (32**2, 96**2))))
            rows.append([ours(mask, LEVELS["hard"], rng), theirs(mask, LEVELS["hard"], tally, rng)])
    found, of = np.array(rows), np.array(sizes)
    print(", ".join(f"{count:,} {what}" for what, count in tally.items()))
    for k, operation in enumerate(OPERATIONS):
        means = [[f"{found[of == s, who, k].mean():.4f}" for s in range(3)] for who in range(2)]
        print(f"{operation:15} ours {' / '.join(means[0])}   published {' / '.join(means[1])}", flush=True)
    # One of the three kinds is drawn; wider and tighter share theirs.
    whole = (found[:, 1, :2].sum(axis=1) + found[:, 1, 2:].mean(axis=1)) / 3
    print("published, expected of a draw", [round(float(whole[of == s].mean()), 4) for s in range(3)])
    for level in LEVELS:
        for split in ("train", "val"):
            options = {"files": [f"instances_{split}2017.json"], "n_classes": 81}
            seeds = range(asked.draws if (level, split) == ("hard", "train") else 8)
            draws = [list(coco_n_iou({"level": level}, options, seed).values()) for seed in seeds]
            print(
                level,
                split,
                np.mean(draws, axis=0).round(3),
                "sd",
                np.std(draws, axis=0, ddof=1).round(4),
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
