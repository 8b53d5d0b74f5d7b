"""Measure training on chest X-rays (JSRT) whose training masks are wrong: IoU on clean test images, last epoch.

    python experiments/segmentation_jsrt.py --json runs.jsonl [--noises organ-scale,markov] [--rows plain,...]
        [--seeds 0,1,2] [--part report|develop] [--cpu-minutes 5]
    python experiments/segmentation_jsrt.py --json runs.jsonl --cpu-minutes 0        (the table of what is there)

40 training and 50 test images at 128 x 128 (half of what is published: every other label, means of 2 x 2 grey
values). "organ-scale" is the noise of the SegTHOR experiments (Liu et al. 2022), drawn anew for each seed; "markov" the
biased noise published with the data (Yao et al. 2023), one draw. The seed also draws the network. No epoch is chosen:
the last counts. "clean" is plain training on published masks. Settings are tried on --part develop alone: 40 other
training images, tested on the 24 of the published validation split. Every run is one line of the file; those already
there are not repeated, and no run starts once the CPU minutes are spent. CPU time is that of one thread; networks run
in bfloat16 where they may.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

#: Row of the table to trainer and its options; "clean" trains on published masks.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("plain", {}),
    "clean": ("plain", {}),
    "adele": ("adele", {}),
    "gce": ("plain", {"strategy": "plain", "parameters": {"loss": "gce"}}),
    "bootstrapping": (
        "plain",
        {"strategy": "bootstrapping", "parameters": {"alpha": 0.0, "prior_weight": 0.0}},
    ),
    "no offsets": ("signed-distance", {"offsets": False}),
    "signed-distance": ("signed-distance", {}),
    "signed-distance, mean": ("signed-distance", {"centre": "mean"}),
    "signed-distance on clean": ("signed-distance", {}),
    "clean-mask-stacker": ("clean-mask-stacker", {}),
    "clean-mask-stacker, plain": ("clean-mask-stacker", {"method": "plain"}),
    "plain with clean masks": ("plain", {}),
}
#: Clean masks that the stacker's rows get, drawn by the seed.
N_CLEAN = 5
_CLEAN = ("clean", "signed-distance on clean")
_KEYS = ("part", "noise", "row", "seed")


def halved(part: str) -> Any:
    """The 40 training images with published noise, and the images to test on, at 128 x 128."""
    import numpy as np

    from labelnoise.segmentation.data import load_masks
    from labelnoise.segmentation.dataset import MaskDataset

    root = Path(os.environ["LABELNOISE_DATA"]) / "segmentation" if "LABELNOISE_DATA" in os.environ else None
    full = load_masks("JSRT", root=root)
    train = np.flatnonzero(full.splits["train"])
    rows, test = {
        "report": (train[:40], np.flatnonzero(full.splits["test"])[:50]),
        "develop": (train[40:80], np.flatnonzero(full.splits["val"])),
    }[part]
    chosen = full.take(np.concatenate([rows, test]))
    images = [np.asarray(image, dtype=np.float32) for image in chosen.images]
    images = [image[..., 0] if image.ndim == 3 else image for image in images]
    return MaskDataset.from_masks(
        [chosen.mask(i)[::2, ::2] for i in range(chosen.n_images)],
        full.class_names,
        name="JSRT",
        true=[chosen.true_mask(i)[::2, ::2] for i in range(chosen.n_images)],
        images=[image.reshape(128, 2, 128, 2).mean(axis=(1, 3)) for image in images],
        image_ids=chosen.image_ids,
        splits={"train": np.arange(chosen.n_images) < len(rows)},
    )


def corrupted(data: Any, noise: str, seed: int) -> Any:
    """Training masks with noise, none for the others, so that no trainer sees them."""
    import numpy as np

    from labelnoise.segmentation.organ_scale import organ_scale

    given = data.given.copy()
    for i in range(data.n_images):
        window = data.window(i)
        if not data.splits["train"][i]:
            given[window] = -1
        elif noise == "organ-scale":
            mask = data.true_mask(i)
            given[window] = organ_scale(mask, seed=seed, image_id=data.image_ids[i]).ravel()
        elif noise == "none":
            given[window] = data.true[window]
    return data.with_labels(np.asarray(given), true=data.true)


def ious(data: Any, labels: Any, images: Any) -> list[float]:
    """IoU per class of labels with the truth, over the pixels of some images."""
    import numpy as np

    from labelnoise.segmentation.evaluation import ConfusionCounts

    counts = ConfusionCounts(data.n_classes)
    for i in np.flatnonzero(images):
        counts.update(data.true[data.window(i)], labels[data.window(i)])
    return [round(float(value), 4) for value in counts.iou]


def run_once(data: Any, noise: str, row: str, seed: int) -> dict[str, Any]:
    """One training."""
    import numpy as np
    import torch

    from labelnoise.core.truth import blind
    from labelnoise.segmentation.trainers import TRAINERS

    torch.set_num_threads(1)
    noisy = corrupted(data, "none" if row in _CLEAN else noise, seed)
    trainer, options = ROWS[row]
    drawn = np.random.default_rng([seed, 5]).choice(
        np.flatnonzero(noisy.splits["train"]), N_CLEAN, replace=False
    )
    known = {int(i): data.true_mask(int(i)) for i in drawn}
    if trainer == "clean-mask-stacker":
        options = {**options, "clean": known}
    if row == "plain with clean masks":
        given = noisy.given.copy()
        for i, mask in known.items():
            given[noisy.window(i)] = mask.ravel()
        noisy = noisy.with_labels(given, true=noisy.true)
    start = time.process_time()
    made = TRAINERS[trainer].load()(blind(noisy), seed, precision="bf16", **options)
    seconds = time.process_time() - start
    train = noisy.splits["train"]
    test = ious(data, made.predicted, ~train)
    info = json.loads(json.dumps(dict(made.info), default=str))
    info.pop("labels", None)
    return {
        "iou": test,
        "mean_iou": round(float(np.mean(test)), 4),
        "label_mean_iou": round(float(np.mean(ious(data, noisy.given, train))), 4),
        "fitted_mean_iou": round(float(np.mean(ious(data, made.predicted, train))), 4),
        "info": info,
        "cpu_seconds": round(seconds, 1),
    }


def read(store: Path) -> list[dict[str, Any]]:
    """The runs so far."""
    if not store.exists():
        return []
    return [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines() if line]


def show(runs: list[dict[str, Any]]) -> None:
    """Per noise and row: IoU per class, mean IoU and its standard deviation over seeds, less plain on the same draw."""
    import numpy as np

    for part, noise in dict.fromkeys((run["part"], run["noise"]) for run in runs):
        cell = [run for run in runs if (run["part"], run["noise"]) == (part, noise)]
        plain = {run["seed"]: run["mean_iou"] for run in cell if run["row"] == "plain"}
        print(
            f"\n{noise} ({part}): IoU per class; mean IoU, sd, less plain; on the training images; CPU s; runs"
        )
        for row in dict.fromkeys(run["row"] for run in cell):
            mine = [run for run in cell if run["row"] == row]
            values = np.array([run["mean_iou"] for run in mine])
            gain = [run["mean_iou"] - plain[run["seed"]] for run in mine if run["seed"] in plain]
            each = "/".join(f"{value:.3f}" for value in np.mean([run["iou"] for run in mine], axis=0))
            sd = values.std(ddof=1) if len(values) > 1 else 0.0
            fitted = np.mean([run["fitted_mean_iou"] for run in mine])
            print(
                f"{row:26s} {each} {values.mean():.3f} {sd:.3f} {np.mean(gain) if gain else 0:+.3f} {fitted:.3f}"
                f" {np.mean([run['cpu_seconds'] for run in mine]):5.0f} {len(mine)}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--noises", default="organ-scale")
    parser.add_argument("--rows", default="plain,clean,signed-distance")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--part", default="report", choices=("report", "develop"))
    parser.add_argument("--cpu-minutes", type=float, default=5.0)
    asked = parser.parse_args()
    done = {tuple(run[key] for key in _KEYS) for run in read(asked.json)}
    data = None
    # Seeds outermost: when the time is spent, every row has some runs.
    for seed in map(int, asked.seeds.split(",")):
        for noise in asked.noises.split(","):
            for row in asked.rows.split(","):
                key = (asked.part, noise, row, seed)
                if key in done or time.process_time() >= 60 * asked.cpu_minutes:
                    continue
                data = halved(asked.part) if data is None else data
                run = {**dict(zip(_KEYS, key)), **run_once(data, noise, row, seed)}
                with asked.json.open("a", encoding="utf-8") as store:
                    store.write(json.dumps(run) + "\n")
    show(read(asked.json))


if __name__ == "__main__":
    main()
