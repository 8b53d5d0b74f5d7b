"""Measure training on graphs with wrong labels: test accuracy at the epoch that noisy validation labels choose.

    python experiments/graph_training.py --store runs.jsonl [--datasets Cora,CiteSeer] [--kinds symmetric,pair]
        [--rate .3] [--trainers all] [--seeds 0,1,2] [--epochs 200] [--cpu-minutes 6]
    python experiments/graph_training.py --store runs.jsonl --cpu-minutes 0        (the table of what is there)

Public splits (20 nodes per class train); where there is none (Photo), 20 nodes per class train, 30 validate and the
others test, drawn for each seed. Training and validation labels are wrong at the same rate, drawn anew for each seed,
which also seeds the network: "pair" is always the next class, "asymmetric" one other class per class, drawn at random.
Test labels are the published ones. The oracle is a plain GCN on published labels. Every run is one line of the store;
those already there are not repeated, and no run starts once the CPU minutes are spent. Several processes may share a
store. The graphs are looked for in $LABELNOISE_DATA/graph, then downloaded. CPU time is that of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

ORACLE = "oracle"
#: Trainers without epochs.
_CLOSED = ("sgc-lr", "label-propagation")
_KEYS = ("dataset", "noise", "rate", "trainer", "seed", "epochs")


def with_splits(graph: Any, seed: int) -> Any:
    """The graph with its public splits, or with 20 and 30 nodes per class drawn."""
    from dataclasses import replace

    import numpy as np

    from labelnoise.core.random import generator

    if "train" in graph.masks:
        return graph
    rng, place = generator(seed, "few labels"), np.full(graph.n_nodes, 2)
    for c in range(graph.n_classes):
        members = rng.permutation(np.flatnonzero(graph.given == c))
        place[members[:50]], place[members[:20]] = 1, 0
    return replace(graph, masks={name: place == i for i, name in enumerate(("train", "val", "test"))})


def corrupted(graph: Any, kind: str, rate: float, seed: int) -> Any:
    """The graph with wrong labels on training and validation nodes."""
    import numpy as np

    from labelnoise.graph import noise

    drawn = getattr(noise, kind)(graph, rate, seed)
    seen = graph.masks["train"] | graph.masks["val"]
    return graph.with_labels(np.where(seen, drawn.labels, graph.given), true=graph.given)


def run_once(graph: Any, noisy: Any, trainer: str, seed: int, epochs: int) -> dict[str, float]:
    """One training."""
    from labelnoise.graph.train_methods import train_graph

    clean = graph.with_labels(graph.given, true=graph.given)
    options = {} if trainer in _CLOSED else {"epochs": epochs}
    start = time.process_time()
    if trainer == ORACLE:
        result = train_graph(clean, "plain-gcn", seed, **options)
    else:
        result = train_graph(noisy, trainer, seed, **options)
    return {
        "accuracy": result.accuracy(graph.given, graph.masks["test"]),
        "train_accuracy": result.accuracy(graph.given, graph.masks["train"]),
        "chosen": float(result.chosen),
        "cpu_seconds": time.process_time() - start,
    }


def read(store: Path) -> list[dict[str, Any]]:
    """The runs so far."""
    if not store.exists():
        return []
    return [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines() if line]


def show(runs: list[dict[str, Any]]) -> None:
    """Per data set and noise: accuracy, difference to plain-gcn on the same draws and its standard error."""
    import numpy as np

    for name, kind in dict.fromkeys((run["dataset"], run["noise"]) for run in runs):
        cell = [run for run in runs if (run["dataset"], run["noise"]) == (name, kind)]
        plain = {run["seed"]: run["accuracy"] for run in cell if run["trainer"] == "plain-gcn"}
        print(f"\n{name}, {kind}: accuracy, sd, less plain-gcn, its standard error, CPU seconds, runs")
        for trainer in dict.fromkeys(run["trainer"] for run in cell):
            mine = [run for run in cell if run["trainer"] == trainer]
            accuracy = 100 * np.array([run["accuracy"] for run in mine])
            gain = 100 * np.array(
                [run["accuracy"] - plain[run["seed"]] for run in mine if run["seed"] in plain]
            )
            print(
                f"{trainer:24s} {accuracy.mean():5.1f} {_sd(accuracy):4.1f} {gain.mean() if len(gain) else 0:+5.1f}"
                f" {_sd(gain) / max(len(gain), 1) ** 0.5:4.1f} {np.mean([run['cpu_seconds'] for run in mine]):6.1f}"
                f" {len(mine)}"
            )


def _sd(values: Any) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def main() -> None:
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.train_methods import GRAPH_TRAINERS

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--datasets", default="Cora,CiteSeer")
    parser.add_argument("--kinds", default="symmetric,pair")
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--trainers", default="all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--cpu-minutes", type=float, default=6.0)
    asked = parser.parse_args()
    root = Path(os.environ["LABELNOISE_DATA"]) / "graph" if "LABELNOISE_DATA" in os.environ else None
    trainers = [ORACLE, *GRAPH_TRAINERS] if asked.trainers == "all" else asked.trainers.split(",")
    done = {tuple(run[key] for key in _KEYS) for run in read(asked.store)}
    graphs: dict[str, Any] = {}
    # Seeds outermost: when the time is spent, every row has some runs.
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.datasets.split(","):
            for kind in asked.kinds.split(","):
                noisy = None
                for trainer in trainers:
                    key = (name, kind, asked.rate, trainer, seed, asked.epochs)
                    if key in done or time.process_time() >= 60 * asked.cpu_minutes:
                        continue
                    if name not in graphs:
                        graphs[name] = load_graph(name, root=root)
                    graph = with_splits(graphs[name], seed)
                    noisy = corrupted(graph, kind, asked.rate, seed) if noisy is None else noisy
                    run = {**dict(zip(_KEYS, key)), **run_once(graph, noisy, trainer, seed, asked.epochs)}
                    with asked.store.open("a", encoding="utf-8") as store:
                        store.write(json.dumps(run) + "\n")
    show(read(asked.store))


if __name__ == "__main__":
    main()
