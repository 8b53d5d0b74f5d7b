"""Measure whether the trainer "auto" is ever worse than plain training: other data, other noise, clean test labels.

    python experiments/segmentation_auto.py --json runs.jsonl [--cases jsrt-displaced,...] [--seeds 0,1,2]
        [--cpu-minutes 4.5] [--all]
    python experiments/segmentation_auto.py --json runs.jsonl --cpu-minutes 0        (the table of what is there)

Cases, 40 training and 40 to 50 test images (COCO-mini 50 and 30), longer side 128 pixels, networks in bfloat16:
jsrt-displaced: outlines of chest X-rays moved by a smooth random field, a tenth of the pixels wrong; dsb: nuclei as
released, whose masks are nearly right; dsb-displaced: with a twentieth wrong; coco: COCO-mini under the published noise
"hard", classes merged into background, person and object. "auto" trains its candidates on three quarters of the images
and the chosen one on all; as that is the same network as the candidate's own row, it is not trained again. With --all
the candidate that was not chosen is trained on all images, too, to see what was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

CANDIDATES = ("plain", "signed-distance")
CASES = ("jsrt-displaced", "dsb", "dsb-displaced", "coco")
SIDE = 128
#: Wrong pixels of the cases with displaced outlines; nuclei are small, and no displacement alters a tenth there.
RATES = {"jsrt-displaced": 0.1, "dsb-displaced": 0.05}


def case(name: str, seed: int) -> Any:
    """Training masks with noise, none for the test images; all with true masks."""
    import numpy as np

    from labelnoise.segmentation.spatial_noise import displacement

    data, n_train = {"jsrt": _jsrt, "dsb": _nuclei, "coco": _coco}[name.split("-")[0]](seed)
    train = np.arange(data.n_images) < n_train
    rate = RATES.get(name)
    if rate is not None:
        clean = data.with_labels(data.true, true=None)
        drawn = displacement(clean.take(np.flatnonzero(train)), rate, seed)
        data = data.with_labels(
            np.concatenate([drawn.labels, data.true[len(drawn.labels) :]]), true=data.true
        )
    given = data.given.copy()
    for i in np.flatnonzero(~train):
        given[data.window(i)] = -1
    return replace(data.with_labels(given, true=data.true), splits={"train": train})


def _root() -> Path | None:
    return Path(os.environ["LABELNOISE_DATA"]) / "segmentation" if "LABELNOISE_DATA" in os.environ else None


def _jsrt(seed: int) -> tuple[Any, int]:
    from segmentation_jsrt import halved

    return halved("report"), 40


def _nuclei(seed: int) -> tuple[Any, int]:
    """Images of 256 x 256, the commonest size, drawn by the seed."""
    import numpy as np

    from labelnoise.segmentation.data import load_masks

    full = load_masks("DSB2018", root=_root())
    square = np.flatnonzero((full.sizes == 256).all(axis=1))
    rows = np.random.default_rng(seed).choice(square, 80, replace=False)
    return _smaller(full, rows, [full.mask(i) for i in rows], full.class_names), 40


def _coco(seed: int) -> tuple[Any, int]:
    import numpy as np

    from labelnoise.segmentation.coco_n import LEVELS, coco_n
    from labelnoise.segmentation.data import load_masks
    from labelnoise.segmentation.repaint import repaint

    full = load_masks("COCO-mini", root=_root())
    merged = np.full(full.n_classes + 1, 2, dtype=np.int8)
    merged[0], merged[full.class_names.index("person")], merged[-1] = 0, 1, -1
    masks = []
    for i in range(full.n_images):
        objects = full.objects[i]
        made = coco_n(
            objects,
            full.size(i),
            LEVELS["hard"],
            seed=seed,
            image_id=full.image_ids[i],
            n_classes=full.n_classes,
        )
        masks.append(repaint(full.mask(i), objects, made))
    names = ("background", "person", "object")
    rows = np.random.default_rng(seed).permutation(full.n_images)
    return _smaller(full, rows, [masks[i] for i in rows], names, merged), 50


def _smaller(full: Any, rows: Any, masks: list[Any], names: Any, merged: Any = None) -> Any:
    """The nearest pixel of each mask on a grid whose longer side is 128; images follow when they are looked at."""
    import numpy as np

    from labelnoise.segmentation.dataset import MaskDataset
    from labelnoise.segmentation.mask_task import Pictures

    pictures = Pictures(full.take(rows), SIDE)

    def reduced(mask: Any, size: Any) -> Any:
        y, x = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, mask.shape))
        small = mask[np.ix_(y, x)]
        return small if merged is None else merged[small]

    truth = [full.mask(i) if full.true is None else full.true_mask(i) for i in rows]
    return MaskDataset.from_masks(
        [reduced(mask, size) for mask, size in zip(masks, pictures.sizes)],
        names,
        name=full.name,
        true=[reduced(mask, size) for mask, size in zip(truth, pictures.sizes)],
        images=[np.moveaxis(pictures[i].numpy(), 0, -1) for i in range(len(rows))],
        image_ids=tuple(full.image_ids[i] for i in rows),
    )


def run_once(name: str, seed: int, everything: bool) -> dict[str, Any]:
    """Which candidate held-out noisy labels choose, and it and plain training, or every candidate, on all images."""
    import numpy as np
    import torch
    from segmentation_jsrt import ious

    from labelnoise.core.truth import blind
    from labelnoise.segmentation.auto import try_candidates
    from labelnoise.segmentation.trainers import TRAINERS

    torch.set_num_threads(1)
    data = case(name, seed)
    train, seen = data.splits["train"], blind(data)
    options = {"precision": "bf16", "longest": SIDE}
    start = time.process_time()
    chosen, info = try_candidates(seen, seed, candidates=CANDIDATES, background=0, **options)
    scores = {}
    for candidate in CANDIDATES if everything else dict.fromkeys(("plain", chosen)):
        made = TRAINERS[candidate].load()(seen, seed, **options)
        scores[candidate] = round(float(np.nanmean(ious(data, made.predicted, ~train))), 4)
    known = data.given >= 0
    return {
        "mean_iou": {**scores, "auto": scores[chosen]},
        "chosen": chosen,
        **info,
        "wrong": round(float((data.given != data.true)[known].mean()), 4),
        "cpu_seconds": round(time.process_time() - start, 1),
    }


def show(runs: list[dict[str, Any]]) -> None:
    """Per case: mean IoU of each trainer, and what auto gains over plain."""
    import numpy as np

    print("case: wrong labels, mean IoU per trainer, auto less plain (worst), what was chosen, runs")
    gains = []
    for name in dict.fromkeys(run["case"] for run in runs):
        mine = [run for run in runs if run["case"] == name]
        own = [run["mean_iou"]["auto"] - run["mean_iou"]["plain"] for run in mine]
        gains += own
        means = {
            key: round(float(np.mean([run["mean_iou"][key] for run in mine if key in run["mean_iou"]])), 3)
            for key in dict.fromkeys(key for run in mine for key in run["mean_iou"])
        }
        wrong = np.mean([run["wrong"] for run in mine])
        chosen = [run["chosen"] for run in mine]
        print(f"{name:16s} {wrong:.3f} {means} {np.mean(own):+.3f} ({min(own):+.3f}) {chosen} {len(mine)}")
    if gains:
        print(f"mean gain {np.mean(gains):+.4f}, worst {min(gains):+.4f}, {len(gains)} runs")


def main() -> None:
    from segmentation_jsrt import read

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--cpu-minutes", type=float, default=4.5)
    parser.add_argument("--all", action="store_true", help="train the candidate that was not chosen, too")
    asked = parser.parse_args()
    done = {(run["case"], run["seed"]) for run in read(asked.json)}
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.cases.split(","):
            if (name, seed) in done or time.process_time() >= 60 * asked.cpu_minutes:
                continue
            run = {"case": name, "seed": seed, **run_once(name, seed, asked.all)}
            with asked.json.open("a", encoding="utf-8") as store:
                store.write(json.dumps(run) + "\n")
    show(read(asked.json))


if __name__ == "__main__":
    main()
