"""Measure when a test on two halves of the images says that chest X-ray masks (JSRT) are memorised.

    python experiments/segmentation_onset.py --json runs.jsonl [--noises none,organ-scale] [--seeds 0,1,2]
        [--part report|develop] [--every 6] [--cpu-minutes 4.5]
    python experiments/segmentation_onset.py --json runs.jsonl --cpu-minutes 0        (what is there)

40 images at 128 x 128, two networks on 20 each ("unet-half", width 8, bfloat16), 42 epochs, measured every 6 (--every).
"none" are published masks, on which nothing should fire; "organ-scale" the noise of the SegTHOR experiments, drawn by
the seed. A peak is the measurement at which agreement with unseen labels, as given and as they truly are (a mean of
three), was highest.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread


EPOCHS = 42


def run_once(part: str, noise: str, seed: int, every: int) -> dict[str, Any]:
    """One pair of networks."""
    import torch
    from segmentation_jsrt import corrupted, halved

    from labelnoise.segmentation.onset import cross_fit_curves, memorisation_onsets, onsets_of

    torch.set_num_threads(1)
    data = corrupted(halved(part), noise, seed)
    start = time.process_time()
    options: dict[str, Any] = {
        "epochs": EPOCHS,
        "points": EPOCHS // every,
        "precision": "bf16",
        "task_options": {"network_options": {"width": 8}},
    }
    found, curves = memorisation_onsets(data, seed, **options)
    return {
        "fired": dict(zip(curves.class_names, found.epoch)),
        "peak": dict(zip(curves.class_names, found.peak)),
        "ahead": dict(zip(curves.class_names, found.ahead.max(axis=0).round(3).tolist())),
        "cpu_seconds": round(time.process_time() - start, 1),
        # The same trainings once more, judged by the truth.
        "true_peak": dict(
            zip(
                curves.class_names,
                onsets_of(cross_fit_curves(data, seed, unseen_against="true", **options)).peak,
            )
        ),
    }


def main() -> None:
    from segmentation_jsrt import read

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--noises", default="none,organ-scale")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--part", default="report", choices=("report", "develop"))
    parser.add_argument("--every", type=int, default=6, help="epochs between measurements")
    parser.add_argument("--cpu-minutes", type=float, default=4.5)
    asked = parser.parse_args()
    done = {(run["part"], run["noise"], run["seed"], run.get("every", 6)) for run in read(asked.json)}
    for seed in map(int, asked.seeds.split(",")):
        for noise in asked.noises.split(","):
            if (
                asked.part,
                noise,
                seed,
                asked.every,
            ) in done or time.process_time() >= 60 * asked.cpu_minutes:
                continue
            made = run_once(asked.part, noise, seed, asked.every)
            run = {"part": asked.part, "noise": noise, "seed": seed, "every": asked.every, **made}
            with asked.json.open("a", encoding="utf-8") as store:
                store.write(json.dumps(run) + "\n")
    for run in read(asked.json):
        print(
            run["part"],
            run["noise"],
            run["seed"],
            "fired",
            run["fired"],
            "peak",
            run["peak"],
            "of the truth",
            run.get("true_peak"),
            "ahead",
            run["ahead"],
        )


if __name__ == "__main__":
    main()
