"""Wrong entity tags found on NoisyNER: confident learning and the calibrated detector, on words and with an encoder.

    python experiments/text_detection.py --json text.jsonl [--encoder FOLDER] [--sets 1,4,7] [--sentences 5000]

Needs ``LABELNOISE_DATA``. One JSON line per run is added; runs that are there already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.evaluation import detection_metrics
from labelnoise.text.dataset import TextDataset
from labelnoise.text.domain import TextDomain


def recall_at(precision: float, wrong: Any, suspicion: Any) -> float:
    """Largest recall over thresholds whose precision reaches the wanted one."""
    order = np.argsort(-suspicion, kind="stable")
    hits = np.cumsum(wrong[order])
    enough = hits / np.arange(1, len(order) + 1) >= precision
    return float(hits[enough].max(initial=0) / max(wrong.sum(), 1))


def first_sentences(data: TextDataset, number: int) -> TextDataset:
    """The data set's first sentences."""
    if number >= data.n_sentences:
        return data
    end = int(data.starts[number])
    assert data.true is not None
    return TextDataset(
        name=data.name,
        given=data.given[:end],
        true=data.true[:end],
        class_names=data.class_names,
        tokens=data.tokens[:end],
        starts=data.starts[: number + 1],
    )


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_detection.jsonl"))
    parser.add_argument("--encoder", default="")
    parser.add_argument("--sets", default="1,2,3,4,5,6,7")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--sentences", type=int, default=5000)
    asked = parser.parse_args()
    lines = asked.json.read_text().splitlines() if asked.json.exists() else []
    done = [json.loads(line) for line in lines]
    domain = TextDomain()
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("confident-learning", {}),
        ("calibrated", {}),
        ("calibrated", {"names": 1.0}),
    ]
    if asked.encoder:
        kinds.append(("calibrated", {"encoder": asked.encoder}))
        kinds.append(("calibrated", {"encoder": asked.encoder, "names": 1.0}))
    for number in asked.sets.split(","):
        data = first_sentences(domain.load(f"NoisyNER-{number}"), asked.sentences)
        wrong = data.is_wrong
        assert wrong is not None
        for seed in map(int, asked.seeds.split(",")):
            for method, options in kinds:
                key = {
                    "set": number,
                    "seed": seed,
                    "sentences": data.n_sentences,
                    "method": method + "".join(f"+{name}" for name in options),
                }
                if any(all(row[name] == value for name, value in key.items()) for row in done):
                    continue
                started = time.process_time()
                found = domain.detect(data, method=method, seed=seed, **options)
                metrics = detection_metrics(wrong, 1 - found.quality, flagged=found.flagged)
                row = {
                    **key,
                    "wrong": int(wrong.sum()),
                    **{
                        name: round(float(metrics[name]), 4)
                        for name in ("auroc", "average_precision", "precision", "recall")
                    },
                    "recall_at_precision_75": round(recall_at(0.75, wrong, 1 - found.quality), 4),
                    "expected": None if found.count is None else round(found.count.expected),
                    "repeats": found.info.get("errors_repeat_with_names"),
                    "cpu_seconds": round(time.process_time() - started, 1),
                }
                done.append(row)
                with asked.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
