"""Which trainer of tags should be the default: plain training, self-training and BOND where tags are right and wrong.

    python experiments/text_default.py --json default.jsonl [--seeds 20,21] [--cases noisyner-2,...]
    python experiments/text_default.py --json default.jsonl --seeds ""      (the table of what is there)

Words alone. NoisyNER sets 2, 3 and 5 (sets 1, 4 and 7 are for reporting) and their clean tags; other texts with right
tags; the package's news in two languages, with right tags and with simulated noise of every kind (30% of the entities
wrong). A seed draws the sentences, of which one in five is held out with true tags. Needs ``LABELNOISE_DATA``. Runs that are
in the file already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.core.random import generator
from labelnoise.text.data import load_text
from labelnoise.text.dataset import TextDataset
from labelnoise.text.domain import TextDomain
from labelnoise.text.evaluation import entity_report
from labelnoise.text.trainers import TRAINERS

COMPARED = ("plain", "self-training", "bond")
REAL = ("noisyner-2", "noisyner-3", "noisyner-5")
RIGHT = ("noisyner-2", "uner-ewt", "wikiann-en", "wikiann-de", "news", "news-de")
KINDS = ("missing", "spurious", "type", "boundary", "mixed", "class-dependent")
RATE = 0.3


def cases() -> list[tuple[str, str]]:
    """Text and noise."""
    simulated = [(name, kind) for name in ("news", "news-de") for kind in KINDS]
    return [*((name, "real") for name in REAL), *((name, "none") for name in RIGHT), *simulated]


def drawn(name: str, noise: str, seed: int, sentences: int) -> TextDataset:
    """Sentences of a text drawn by the seed, one in five of them for testing with true tags."""
    whole = load_text(name, root=data_root("text"))
    train = whole.masks.get("train", np.ones(whole.n_units, dtype=bool))
    learnt = np.flatnonzero(train[whole.starts[:-1]])  # the other splits of NoisyNER have right tags
    chosen = generator(seed, "sentences").permutation(learnt)[:sentences]
    rows = np.concatenate([np.arange(whole.starts[i], whole.starts[i + 1]) for i in chosen])
    true = np.asarray(whole.given if whole.true is None else whole.true)[rows]
    sizes = np.diff(whole.starts)[chosen]
    train = np.arange(len(rows)) < int(sizes[: len(chosen) * 4 // 5].sum())
    data = TextDataset(
        name=name,
        given=np.where(train, np.asarray(whole.given)[rows], true) if noise == "real" else true,
        true=true,
        class_names=whole.class_names,
        tokens=whole.tokens[rows],
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        masks={"train": train, "test": ~train},
    )
    if noise in ("real", "none"):
        return data
    noisy, _ = TextDomain().corrupt(data, kind=noise, rate=RATE, seed=seed)
    return data.with_labels(np.where(train, noisy.given, true), true=true)


def table(runs: list[dict[str, Any]]) -> None:
    """Test F1, mean and spread over seeds."""
    for text, noise in dict.fromkeys((run["text"], run["noise"]) for run in runs):
        cells = []
        for trainer in COMPARED:
            scores = [
                100 * r["f1"] for r in runs if (r["text"], r["noise"], r["trainer"]) == (text, noise, trainer)
            ]
            spread = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
            cells.append(f"{np.mean(scores):5.1f} ± {spread:.1f}, {len(scores)}" if scores else "-")
        print(f"{text:<14}{noise:<18}", *(f"{cell:>18}" for cell in cells))


def main() -> None:
    """Run what is missing, then print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_default.jsonl"))
    parser.add_argument("--seeds", default="20,21")
    parser.add_argument("--sentences", type=int, default=2500)
    parser.add_argument("--cases", default="", help="text:noise, comma separated; by default all")
    asked = parser.parse_args()
    runs = [json.loads(line) for line in asked.json.read_text().splitlines()] if asked.json.exists() else []
    wanted = [tuple(case.split(":")) for case in asked.cases.split(",")] if asked.cases else cases()
    for seed in map(int, filter(None, asked.seeds.split(","))):
        for text, noise in wanted:
            data = None
            for trainer in COMPARED:
                key = {"text": text, "noise": noise, "seed": seed, "sentences": asked.sentences}
                key["trainer"] = trainer
                if any(all(run[field] == value for field, value in key.items()) for run in runs):
                    continue
                data = drawn(text, noise, seed, asked.sentences) if data is None else data
                started = time.process_time()
                result = TRAINERS[trainer].load()(data, seed)
                true = np.where(data.masks["test"], data.true, -1)
                report = entity_report(true, result.predicted, types=data.types, starts=data.starts)
                row = {**key, "f1": round(report["lenient"]["all"]["f1"], 5)}
                row["cpu_seconds"] = round(time.process_time() - started, 1)
                runs.append(row)
                with asked.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    table(runs)


if __name__ == "__main__":
    main()
