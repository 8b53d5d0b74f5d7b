"""What wrong tags cost: bounds, memorisation of real beside simulated noise, and recall of names seen wrong.

    python experiments/text_noisebench.py --json study.jsonl [--sets noisyner-1,noisyner-4,noisyner-7,news]
        [--sentences 2000] [--test 1500] [--seeds 0,1,2] [--trainers plain,oracle-sentences,oracle-drop,clean,...]
        [--epochs 20] [--encoder FOLDER] [--cpu-minutes 4]
    python experiments/text_noisebench.py --json study.jsonl --cpu-minutes 0        (the tables of what is there)

The protocol of Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP, on a linear tagger. A set is any name or path that
``labelnoise text`` reads and whose true tags are known; sets other than embedded ones need ``LABELNOISE_DATA``. A seed draws
training sentences, the order of tokens, and the simulated noise, which has the share of wrong entities of the real one.
Every run is a line of the file; those already there are not repeated, and no run starts once the CPU minutes are spent.
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
from labelnoise.text.dataset import TextDataset, entity_noise
from labelnoise.text.noise_study import (
    BOUNDS,
    SEEN,
    memorisation,
    noise_bounds,
    seen_recall,
    simulated_like,
)
from labelnoise.text.splits import learning_part, sentence_splits

#: Passes whose memorisation the table shows.
SHOWN = (1, 2, 5, 10, 20)


def drawn(name: str, sentences: int, test: int, seed: int) -> TextDataset:
    """Training sentences drawn by the seed, and the first test sentences, as a data set of their own."""
    whole = load_text(name, root=data_root("text"))
    masks = sentence_splits(whole, seed)
    first = whole.starts[:-1]
    train = np.flatnonzero(masks["train"][first])
    train = generator(seed, "sentences").permutation(train)[:sentences]
    chosen = np.concatenate([train, np.flatnonzero(masks["test"][first])[:test]])
    rows = np.concatenate([np.arange(whole.starts[i], whole.starts[i + 1]) for i in chosen])
    sizes = np.diff(whole.starts)[chosen]
    taught = np.arange(len(rows)) < int(sizes[: len(train)].sum())
    return TextDataset(
        name=whole.name,
        given=whole.given[rows],
        true=None if whole.true is None else whole.true[rows],
        class_names=whole.class_names,
        tokens=whole.tokens[rows],
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        masks={"train": taught, "test": ~taught},
    )


def level(data: TextDataset) -> float:
    """Share of wrong entities in the training split."""
    return entity_noise(learning_part_with_truth(data))


def learning_part_with_truth(data: TextDataset) -> TextDataset:
    """Given and true tags in the training split alone."""
    train = data.masks["train"]
    part = learning_part(data, train)
    assert data.true is not None
    return part.with_labels(part.given, true=np.where(train, data.true, -1))


def tables(runs: list[dict[str, Any]]) -> None:
    """Mean and spread over seeds: bounds, recall by what was seen, memorisation."""

    def cell(values: list[float]) -> str:
        if not values:
            return f"{'-':>12}"
        spread = f" ±{100 * np.std(values, ddof=1):4.1f}" if len(values) > 1 else ""
        return f"{100 * np.mean(values):6.1f}{spread}"

    keys = list(dict.fromkeys((run["set"], run["features"], run["noise"]) for run in runs))
    trainers = list(dict.fromkeys(run["trainer"] for run in runs if run["task"] == "bound"))
    print("entity F1 on test sentences, %; wrong entities of the training sentences")
    print(f"{'set':<16}{'noise':<11}{'wrong':>12}", *(f"{name:>18}" for name in trainers))
    for name, features, noise in keys:
        mine = [r for r in runs if (r["set"], r["features"], r["noise"]) == (name, features, noise)]
        cells = [cell([r["f1"] for r in mine if r.get("trainer") == trainer]) for trainer in trainers]
        wrong = cell([r["wrong_entities"] for r in mine])
        print(f"{name:<16}{noise:<11}{wrong:>12}", *(f"{text:>18}" for text in cells))
    print("\nrecall of test entities by their form, %; in brackets the number of entities, mean over seeds")
    for name, features, noise in keys:
        for trainer in trainers:
            mine = [
                r
                for r in runs
                if (r["set"], r["features"], r["noise"], r.get("trainer")) == (name, features, noise, trainer)
            ]
            if mine:
                cells = []
                for group in SEEN:
                    rows = [r["seen"][group] for r in mine]
                    recall = cell([row["recall"] for row in rows if "recall" in row])
                    cells.append(f"{group} {recall} ({np.mean([row['entities'] for row in rows]):.0f})")
                print(f"{name:<16}{noise:<11}{trainer:<18}", "   ".join(cells))
    print(
        "\nafter pass: F1 on training sentences against given / true tags, test F1, wrong tags predicted, %"
    )
    for name, features, noise in keys:
        for epoch in SHOWN:
            rows = [
                row
                for r in runs
                if r["task"] == "memorisation"
                and (r["set"], r["features"], r["noise"]) == (name, features, noise)
                for row in r["curve"]
                if row["epoch"] == epoch
            ]
            if rows:
                cells = [
                    cell([row[key] for row in rows])
                    for key in ("given_f1", "true_f1", "test_f1", "memorised")
                ]
                print(f"{name:<16}{noise:<11}{epoch:>4}  ", "  ".join(cells))


def main() -> None:
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_noisebench.jsonl"))
    parser.add_argument("--sets", default="noisyner-1,noisyner-4,noisyner-7,news")
    parser.add_argument("--trainers", default=",".join(BOUNDS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--test", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=20, help="passes of the memorisation curve; 0: none")
    parser.add_argument("--noises", default="real,simulated")
    parser.add_argument("--encoder")
    parser.add_argument("--cpu-minutes", type=float, default=4.0)
    asked = parser.parse_args()
    lines = asked.json.read_text(encoding="utf-8").splitlines() if asked.json.exists() else []
    runs = [json.loads(line) for line in lines]
    options = {"encoder": asked.encoder} if asked.encoder else {}
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.sets.split(","):
            made: dict[str, TextDataset] = {}
            for noise in asked.noises.split(","):
                key = {
                    "set": name,
                    "noise": noise,
                    "seed": seed,
                    "sentences": asked.sentences,
                    "test": asked.test,
                    "features": "encoder" if asked.encoder else "words",
                }
                todo: list[dict[str, Any]] = [
                    {**key, "task": "bound", "trainer": trainer}
                    for trainer in asked.trainers.split(",")
                    if trainer != "clean" or noise == "real"
                ]
                if asked.epochs:
                    todo.append({**key, "task": "memorisation", "epochs": asked.epochs})
                for run in todo:
                    if any(all(row.get(field) == value for field, value in run.items()) for row in runs):
                        continue
                    if time.process_time() > 60 * asked.cpu_minutes:
                        break
                    if "real" not in made:
                        made["real"] = drawn(name, asked.sentences, asked.test, seed)
                    if noise not in made:
                        made[noise] = simulated_like(made["real"], seed)
                    data, started = made[noise], time.process_time()
                    row = {**run, "wrong_entities": round(level(data), 5)}
                    if run["task"] == "bound":
                        scores, tags = noise_bounds(data, seed, trainers=[run["trainer"]], options=options)
                        row["f1"] = round(scores[run["trainer"]], 5)
                        row["seen"] = seen_recall(data, tags[run["trainer"]], seed)
                    else:
                        row["curve"] = memorisation(data, seed, epochs=asked.epochs, **options)
                    row["cpu_seconds"] = round(time.process_time() - started, 1)
                    runs.append(row)
                    with asked.json.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    tables(runs)


if __name__ == "__main__":
    main()
