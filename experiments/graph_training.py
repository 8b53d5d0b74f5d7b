"""Measure training on graphs with wrong labels: test accuracy at the epoch that noisy validation labels choose.

    python experiments/graph_training.py [--datasets Cora,CiteSeer] [--kinds symmetric,asymmetric] [--rate .3]
        [--trainers all] [--seeds 0,1,2,3,4] [--epochs 200] [--json FILE]

Public splits (20 nodes per class train). Training and validation labels are wrong at the same rate, drawn anew for
each seed, which also seeds the network; "asymmetric" is one other class per class, drawn at random. Test labels are
the published ones. The oracle is a plain GCN on published labels. The graphs are looked for in $LABELNOISE_DATA/graph,
then downloaded. CPU time is that of one thread.
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


def corrupted(graph: Any, kind: str, rate: float, seed: int) -> Any:
    """The graph with wrong labels on training and validation nodes."""
    import numpy as np

    from labelnoise.graph import noise

    drawn = {"symmetric": noise.symmetric, "asymmetric": noise.asymmetric}[kind](graph, rate, seed)
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


def main() -> None:
    import numpy as np

    from labelnoise.graph.data import load_graph
    from labelnoise.graph.train_methods import GRAPH_TRAINERS

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--datasets", default="Cora,CiteSeer")
    parser.add_argument("--kinds", default="symmetric,asymmetric")
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--trainers", default="all")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    root = Path(os.environ["LABELNOISE_DATA"]) / "graph" if "LABELNOISE_DATA" in os.environ else None
    trainers = [ORACLE, *GRAPH_TRAINERS] if asked.trainers == "all" else asked.trainers.split(",")
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    rows: list[dict[str, Any]] = []
    for name in asked.datasets.split(","):
        graph = load_graph(name, root=root)
        for kind in asked.kinds.split(","):
            noisy = {seed: corrupted(graph, kind, asked.rate, seed) for seed in seeds}
            print(
                f"\n{name}, {kind} {asked.rate:g}, {len(seeds)} seeds: accuracy, sd, train nodes, CPU seconds"
            )
            for trainer in trainers:
                runs = [run_once(graph, noisy[seed], trainer, seed, asked.epochs) for seed in seeds]
                mean = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
                sd = float(np.std([run["accuracy"] for run in runs], ddof=1)) if len(runs) > 1 else 0.0
                rows.append(
                    {"dataset": name, "noise": kind, "trainer": trainer, "sd": sd, "runs": runs, **mean}
                )
                print(
                    f"{trainer:24s} {100 * mean['accuracy']:5.1f} {100 * sd:4.1f}"
                    f" {100 * mean['train_accuracy']:5.1f} {mean['cpu_seconds']:6.1f}",
                    flush=True,
                )
                if asked.json:
                    text = json.dumps({"rate": asked.rate, "epochs": asked.epochs, "rows": rows}, indent=1)
                    part = asked.json.with_suffix(".part")
                    part.write_text(text, encoding="utf-8")
                    part.replace(asked.json)


if __name__ == "__main__":
    main()
