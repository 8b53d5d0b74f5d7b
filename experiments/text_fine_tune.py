"""Fine-tuning an encoder on wrong tags, beside its frozen features and beside words: test entity F1 on NoisyNER.

    python experiments/text_fine_tune.py --encoder FOLDER --json fine_tune.jsonl [--sets 4,7] [--seeds 0,1,2]
        [--methods words,encoder,fine-tune] [--tags given,true] [--lr 5e-5] [--epochs 2] [--cpu-minutes 60]
    python experiments/text_fine_tune.py --encoder FOLDER --json fine_tune.jsonl --cpu-minutes 0     (what is there)

Needs ``LABELNOISE_DATA``. A seed draws sentences of NoisyNER's training file; the last ``--tail`` of them are the test,
with true tags, and teach nothing. "given" are the set's wrong tags, "true" the right ones of the same sentences: the
bound. Runs that are in the file already are not repeated. CPU seconds are of one thread, features from their cache.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

KEYS = ("set", "seed", "method", "tags", "lr", "epochs", "sentences", "tail")
METHODS = ("words", "encoder", "fine-tune")


def measured(asked: argparse.Namespace, *cell: Any) -> dict[str, Any]:
    """One training and its entity F1 (lenient) on the test sentences."""
    import time

    import numpy as np
    import torch
    from text_repair import with_test

    from labelnoise.text.encoder import encode_tokens
    from labelnoise.text.evaluation import entity_report
    from labelnoise.text.fine_tune import train_fine_tuned
    from labelnoise.text.trainers import TRAINERS

    torch.set_num_threads(1)
    key = dict(zip(KEYS, cell, strict=True))
    data, _ = with_test(key["set"], key["sentences"], key["tail"], key["seed"])
    assert data.true is not None
    test = data.masks["test"]
    shown = data.true if key["tags"] == "true" else data.given
    seen = data.with_labels(np.where(test, -1, shown), true=None)
    family, _, extra = key["method"].partition("+")
    if family == "encoder":
        encode_tokens(seen, asked.encoder)
    started = time.process_time()
    if family == "fine-tune":
        options = {"strategy": extra or "plain", "lr": key["lr"], "epochs": key["epochs"], "device": "cpu"}
        made = train_fine_tuned(seen, key["seed"], model=asked.encoder, **options)
    else:
        options = {"encoder": asked.encoder} if family == "encoder" else {}
        made = TRAINERS[extra or "plain"].load()(seen, key["seed"], **options)
    report = entity_report(
        np.where(test, data.true, -1), made.predicted, types=data.types, starts=data.starts
    )
    found = {name: round(report["lenient"]["all"][name], 4) for name in ("f1", "precision", "recall")}
    row = {**key, **found, "cpu_seconds": round(time.process_time() - started, 1)}
    print(row, flush=True)
    return row


def table(rows: list[dict[str, Any]]) -> None:
    """Mean and spread over seeds of test F1 in %, and the mean CPU seconds."""
    import numpy as np

    settings = list(dict.fromkeys((r["set"], r["method"], r["lr"], r["epochs"]) for r in rows))
    print(
        "| set | method | lr | passes | given tags | true tags | recall, given | CPU s |\n|---|---|---|---|---|---|---|---|"
    )
    for setting in sorted(settings, key=str):
        mine = [r for r in rows if (r["set"], r["method"], r["lr"], r["epochs"]) == setting]
        cells = []
        for tags, name in (("given", "f1"), ("true", "f1"), ("given", "recall")):
            values = [100 * r[name] for r in mine if r["tags"] == tags]
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            cells.append(f"{np.mean(values):.1f} ± {spread:.1f} ({len(values)})" if values else "-")
        seconds = np.mean([r["cpu_seconds"] for r in mine])
        print("|", " | ".join(map(str, (*setting, *cells, f"{seconds:.0f}"))), "|")


def main() -> None:
    """Run what is missing, then print the table."""
    from resumed import resumed

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_fine_tune.jsonl"))
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--sets", default="4")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--tags", default="given,true")
    parser.add_argument("--lr", type=float, default=5e-5, help="of fine-tuning")
    parser.add_argument("--epochs", type=int, default=2, help="of fine-tuning")
    parser.add_argument("--sentences", type=int, default=900)
    parser.add_argument("--tail", type=int, default=300)
    parser.add_argument("--cpu-minutes", type=float, default=60.0)
    asked = parser.parse_args()
    cells = []
    for seed in map(int, filter(None, asked.seeds.split(","))):
        for number in map(int, asked.sets.split(",")):
            for method in asked.methods.split(","):
                tuned = (asked.lr, asked.epochs) if method.startswith("fine-tune") else (None, None)
                for tags in asked.tags.split(","):
                    cells.append((number, seed, method, tags, *tuned, asked.sentences, asked.tail))
    table(resumed(asked.json, KEYS, cells, lambda *cell: measured(asked, *cell), asked.cpu_minutes))


if __name__ == "__main__":
    main()
