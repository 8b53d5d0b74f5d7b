"""Compare detectors on graphs beyond the citation classics: ranking and F1 of the calibrated one and its rivals.

    python -m experiments.graph_detection --json runs.jsonl [--datasets Photo,CS,DBLP,Tolokers,Minesweeper]
        [--kind symmetric] [--rate .1] [--seeds 101,102,103]
    python -m experiments.graph_detection --json runs.jsonl --table

Noise is GraphCleaner's protocol. Three rows per graph and seed: "graphcleaner" (calibrated, as it comes),
"confident-learning" on out-of-fold SGC probabilities, and "own-probability", the ranking confident learning would
make of the calibrated detector's own probabilities (of the given label; it flags nothing). On DBLP also
"graphcleaner, uniform", which is told that errors hit all classes alike. All nodes count. Runs that are in the file are
not repeated. The graphs are looked for in $LABELNOISE_DATA/graph, then downloaded. CPU time is that of one thread.
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

CALIBRATED, UNIFORM = "graphcleaner", "graphcleaner, uniform"
CONFIDENT, OWN = "confident-learning", "own-probability"
#: Graphs whose classes contradict each other by themselves, where it pays to say that errors do not.
CONFLICTING = ("DBLP",)


def run_once(noisy: Any, method: str) -> list[dict[str, Any]]:
    """One detection; the calibrated one gives the row of its own probabilities too."""
    from labelnoise.core.evaluation import detection_metrics
    from labelnoise.graph.baselines import detect_confident_learning
    from labelnoise.graph.calibrated import detect_calibrated

    wrong = noisy.is_wrong
    start = time.process_time()
    if method == CONFIDENT:
        found = detect_confident_learning(noisy, 0)
    else:
        found = detect_calibrated(noisy, 0, errors="uniform" if method == UNIFORM else "auto")
    seconds = round(time.process_time() - start, 2)
    scores = detection_metrics(wrong, 1 - found.quality, flagged=found.flagged)
    row = {"method": method, "cpu_seconds": seconds}
    row |= {name: round(scores[name], 4) for name in ("auroc", "average_precision", "f1")}
    if found.count is None:
        return [row]
    total = int(wrong.sum())
    row |= {
        "count_ratio": round(found.count.expected / total, 4),
        "interval_covers": bool(found.count.low <= total <= found.count.high),
        "errors": found.info["errors"],
    }
    if method == UNIFORM:
        return [row]
    own = detection_metrics(wrong, 1 - found.evidence["p_given"])
    return [
        row,
        {
            "method": OWN,
            "cpu_seconds": seconds,
            **{name: round(own[name], 4) for name in ("auroc", "average_precision")},
        },
    ]


def read(store: Path) -> list[dict[str, Any]]:
    """The runs so far."""
    return [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []


def show(runs: list[dict[str, Any]]) -> None:
    """Mean and standard deviation over seeds, a line of Markdown for each graph and method."""
    names = ("auroc", "average_precision", "f1", "count_ratio")
    for key in dict.fromkeys((run["data"], run["kind"], run["rate"], run["method"]) for run in runs):
        cell = [run for run in runs if (run["data"], run["kind"], run["rate"], run["method"]) == key]
        parts = []
        for name in names:
            values = [run[name] for run in cell if name in run]
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            parts.append(f"{np.mean(values):.3f} ± {spread:.3f}" if values else "")
        covers = [run["interval_covers"] for run in cell if "interval_covers" in run]
        parts.append(f"{sum(covers)} of {len(covers)}" if covers else "")
        parts.append(f"{np.mean([run['cpu_seconds'] for run in cell]):.0f}")
        print(f"| {key[0]} {key[1]} {key[2]} | {key[3]} | " + " | ".join(parts) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True, help="file of finished runs, one object a line")
    parser.add_argument("--datasets", default="Photo,CS,DBLP,Tolokers,Minesweeper")
    parser.add_argument("--kind", default="symmetric")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seeds", default="101,102,103")
    parser.add_argument("--table", action="store_true", help="only show what is in the file")
    asked = parser.parse_args()
    if asked.table:
        show(read(asked.json))
        return
    from labelnoise.core.domain import data_root
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.noise import graphcleaner_protocol

    done = {tuple(run[c] for c in ("data", "kind", "rate", "seed", "method")) for run in read(asked.json)}
    graphs: dict[str, Any] = {}
    # Seeds outermost: every row has some runs when the file is read early.
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.datasets.split(","):
            for method in (CONFIDENT, CALIBRATED, *((UNIFORM,) if name in CONFLICTING else ())):
                if (name, asked.kind, asked.rate, seed, method) in done:
                    continue
                if name not in graphs:
                    graphs[name] = load_graph(name, root=data_root("graph"))
                graph = graphs[name]
                labels = graphcleaner_protocol(graph, asked.kind, asked.rate, seed=seed).labels
                key = {"data": name, "kind": asked.kind, "rate": asked.rate, "seed": seed}
                rows = [
                    {**key, **row} for row in run_once(graph.with_labels(labels, true=graph.given), method)
                ]
                with asked.json.open("a") as out:
                    out.write("".join(json.dumps(row) + "\n" for row in rows))
    show(read(asked.json))


if __name__ == "__main__":
    main()
