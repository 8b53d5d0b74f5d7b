"""Wrong objects among the nuclei of the 2018 Data Science Bowl, against the corrections of volunteers.

Run: ``LABELNOISE_DATA=... python experiments/segmentation_instances.py probs FILE.npy`` (trains two small U-Nets, each
for the images that the other learns from), then ``... rank FILE.npy``. One thread, CPU time.

An error is an annotated object that has no corrected object of an IoU of .9 or more, or a corrected object that no
annotated one matches so well. A candidate finds the errors that it is itself, and those which its mask or its repair
meets with an IoU of .5; precision counts candidates that find one that none before it found.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.dsb2018 import read_dsb2018
from labelnoise.segmentation.instance_issues import ObjectIssue, find_object_issues, network_warning
from labelnoise.segmentation.mask_task import MaskTask, Pictures
from labelnoise.segmentation.object_probs import with_gaps
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import intersection_over_union
from labelnoise.segmentation.pixel_calibration import image_quality
from labelnoise.segmentation.pixel_detectors import image_folds
from labelnoise.segmentation.train_methods import fit, pixel_probs

SAME, FOUND, TOP = 0.9, 0.5, 500
SEEDS = (0, 1, 2, 3, 4)
Error = tuple[int, str, MaskObject]


def train_probs(dataset: MaskDataset, path: Path) -> None:
    """Foreground probabilities in steps of 1/255: two thirds judge one third, which judges the two thirds."""
    shown = with_gaps(dataset)
    pictures = Pictures(shown, 256)
    third = image_folds(dataset, 3, 0)[0]
    rest = np.setdiff1d(np.arange(dataset.n_images), third)
    made = np.zeros(dataset.n_units, dtype=np.uint8)
    for number, (learnt, judged, epochs) in enumerate(((rest, third, 8), (third, rest, 12))):
        task = MaskTask(shown, train=learnt, pictures=pictures, network="unet-half")
        result = fit(task, 9 * number, epochs=epochs, parameters={"augment": True})
        for i, part in pixel_probs(result.models, shown, pictures, judged.tolist()):
            made[dataset.window(i)] = np.round(part[:, 1] * 255).astype(np.uint8)
    np.save(path, made)


def errors_of(dataset: MaskDataset) -> list[Error]:
    """What the volunteers changed: ("given", object) and ("true", object) without a close match."""
    assert dataset.objects is not None
    assert dataset.true_objects is not None
    found: list[Error] = []
    for i in range(dataset.n_images):
        given, true = dataset.objects[i], dataset.true_objects[i]
        for name, one, other in (("given", given, true), ("true", true, given)):
            for item in one:
                if best_iou(item, other) < SAME:
                    found.append((i, name, item))
    return found


def best_iou(item: MaskObject, others: Sequence[MaskObject]) -> float:
    near = [o for o in others if meet(item, o)]
    return max((intersection_over_union(item, other) for other in near), default=0.0)


def meet(a: MaskObject, b: MaskObject) -> bool:
    return (
        a.top < b.top + b.shape[0]
        and b.top < a.top + a.shape[0]
        and a.left < b.left + b.shape[1]
        and b.left < a.left + a.shape[1]
    )


def hits(issue: ObjectIssue, errors: Sequence[Error]) -> list[int]:
    """Errors of the issue's image that it finds."""
    made = []
    for k, (_, name, item) in enumerate(errors):
        itself = name == "given" and issue.kind != "missing" and item.object_id == issue.object.object_id
        if itself or best_iou(item, (issue.object, *issue.repair)) >= FOUND:
            made.append(k)
    return made


def judge(order: Sequence[ObjectIssue], errors: Sequence[Error]) -> dict[str, Any]:
    """Average precision, errors among the first 500 candidates, and the precision of the first 50."""
    by_image: dict[int, list[int]] = {}
    for k, (i, _, _) in enumerate(errors):
        by_image.setdefault(i, []).append(k)
    seen: set[int] = set()
    right, recall = [], []
    for issue in order:
        own = by_image.get(issue.image, [])
        new = {own[k] for k in hits(issue, [errors[k] for k in own])} - seen
        seen |= new
        right.append(bool(new))
        recall.append(len(seen) / len(errors))
    hit = np.array(right)
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    gained = np.diff(np.concatenate([[0.0], recall]))
    return {
        "ap": float((precision * gained).sum()),
        "recall_500": recall[min(TOP, len(recall)) - 1],
        "found_500": round(recall[min(TOP, len(recall)) - 1] * len(errors)),
        "precision_50": float(hit[:50].mean()),
        "reachable": recall[-1],
    }


def rank(dataset: MaskDataset, path: Path) -> None:
    errors = errors_of(dataset)
    assert dataset.objects is not None
    print(f"{dataset.n_images} images, {sum(map(len, dataset.objects))} objects, {len(errors)} errors")
    values = np.load(path, allow_pickle=False)
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in SEEDS[: int(sys.argv[3]) if len(sys.argv) > 3 else 5]:
        start = time.process_time()
        issues = find_object_issues(dataset, values, seed)
        seconds = time.process_time() - start
        expected = sum(issue.p_wrong for issue in issues)
        rows.setdefault("calibrated", []).append(judge(issues, errors))
        print(f"seed {seed}: {seconds:.0f} s, {expected:.0f} objects expected wrong", rows["calibrated"][-1])
        if seed == SEEDS[0]:
            print(network_warning(issues) or "no warning")
            for kind in sorted({issue.kind for issue in issues}):
                print(" ", kind, sum(i.kind == kind for i in issues[:TOP]), "of the first 500")
            for name, order in baselines(dataset, values, issues).items():
                rows[name] = [judge(order, errors)]
    for name, found in rows.items():
        means = {key: round(float(np.mean([row[key] for row in found])), 4) for key in found[0]}
        print(name, means, [round(row["ap"], 4) for row in found])


def baselines(
    dataset: MaskDataset, values: np.ndarray, issues: Sequence[ObjectIssue]
) -> dict[str, list[ObjectIssue]]:
    """The same candidates by scores of pixels alone: of their image as cleanlab ranks it, of the object, at random."""
    own = np.where(dataset.given > 0, values, 255 - values) / 255.0
    # The softmin of cleanlab.segmentation.rank.get_label_quality_scores, image by image.
    of_image = image_quality(dataset, own)

    def of_object(issue: ObjectIssue) -> float:
        q = dataset.fold(own, issue.image)[issue.object.window][issue.object.mask]
        weight = np.exp((q.min() - q) / 0.1)
        return float((weight * q).sum() / weight.sum())

    def of_mean(issue: ObjectIssue) -> float:
        return float(dataset.fold(own, issue.image)[issue.object.window][issue.object.mask].mean())

    keys: dict[str, Callable[[ObjectIssue], Any]] = {
        "image score, then object mean": lambda issue: (of_image[issue.image], of_mean(issue)),
        "object softmin": of_object,
        "object mean": of_mean,
    }
    made = {name: sorted(issues, key=key) for name, key in keys.items()}
    made["random"] = [issues[k] for k in np.random.default_rng(0).permutation(len(issues))]
    return made


def main() -> None:
    root = data_root("segmentation")
    if root is None or len(sys.argv) < 3 or sys.argv[1] not in ("probs", "rank"):
        print(__doc__)
        return
    dataset = read_dsb2018(root / "dsb2018_fixes")
    (train_probs if sys.argv[1] == "probs" else rank)(dataset, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
