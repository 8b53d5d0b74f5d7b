"""Compare detectors on graphs beyond the citation classics: ranking and F1 of the calibrated one and its rivals.

    python -m experiments.graph_detection --json runs.jsonl [--datasets Photo,CS,DBLP,Tolokers,Minesweeper]
        [--kinds symmetric,asymmetric] [--rate .1] [--seeds 0,1,2] [--methods graphcleaner,...]
    python -m experiments.graph_detection --json runs.jsonl --table

Noise is GraphCleaner's protocol. Rows per graph, kind and seed: "graphcleaner" (calibrated, as it comes) and
"own-probability" (the ranking by its own probability of the given label, without a transition matrix; it flags nothing);
"confident-learning" and "sgc" (by margin) on the same out-of-fold probabilities of SGC; "graphcleaner-faithful"
(as published, GCN, drawn split). All nodes count. Runs that are in the file are not repeated, the cheapest come first.
The graphs are looked for in $LABELNOISE_DATA/graph, then downloaded. CPU time is that of one thread.
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

CALIBRATED, OWN = "graphcleaner", "own-probability"
METHODS = ("confident-learning", "sgc", CALIBRATED, "graphcleaner-faithful")


def run_once(noisy: Any, method: str) -> list[dict[str, Any]]:
    """One detection; the calibrated one gives the row of its own probabilities too."""
    from labelnoise.core.evaluation import detection_metrics
    from labelnoise.graph.domain import GraphDomain

    wrong = noisy.is_wrong
    start = time.process_time()
    found = GraphDomain().detect(noisy, method=method, seed=0)
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
    """Mean over seeds and half the width of its 95% Student interval, a line of Markdown for each graph and method."""
    from labelnoise.core.evaluation import mean_interval

    print("| data, noise, rate | detector | AUROC | AP | F1 | count | covers | CPU s | runs |")
    print("|---|---|---|---|---|---|---|---|---|")
    order = (*METHODS, OWN)
    keys = {(run["data"], run["kind"], run["rate"], run["method"]) for run in runs}
    for key in sorted(keys, key=lambda key: (*key[:3], order.index(key[3]))):
        cell = [run for run in runs if (run["data"], run["kind"], run["rate"], run["method"]) == key]
        parts = []
        for name in ("auroc", "average_precision", "f1", "count_ratio"):
            values = [run[name] for run in cell if name in run]
            if len(values) > 1:
                mean, low, high, _ = mean_interval(values, 0.95)
                parts.append(f"{mean:.3f} ± {(high - low) / 2:.3f}")
            else:
                parts.append(f"{values[0]:.3f}" if values else "")
        covers = [run["interval_covers"] for run in cell if "interval_covers" in run]
        parts.append(f"{sum(covers)} of {len(covers)}" if covers else "")
        parts += [f"{np.mean([run['cpu_seconds'] for run in cell]):.0f}", str(len(cell))]
        print(f"| {key[0]} {key[1]} {key[2]} | {key[3]} | " + " | ".join(parts) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True, help="file of finished runs, one object a line")
    parser.add_argument("--datasets", default="Minesweeper,Tolokers,DBLP,Photo,CS")
    parser.add_argument("--kinds", default="symmetric,asymmetric")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument(
        "--cpu-minutes", type=float, default=float("inf"), help="start no run after this much CPU time"
    )
    parser.add_argument("--table", action="store_true", help="only show what is in the file")
    asked = parser.parse_args()
    if asked.table:
        show(read(asked.json))
        return
    from labelnoise.core.domain import data_root
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.noise import graphcleaner_protocol

    done = {tuple(run[c] for c in ("data", "kind", "rate", "seed", "method")) for run in read(asked.json)}
    wanted = [
        (name, kind, asked.rate, seed, method)
        for seed in map(int, asked.seeds.split(","))  # outermost: every row has some runs when read early
        for name in asked.datasets.split(",")
        for kind in asked.kinds.split(",")
        for method in asked.methods.split(",")
    ]
    graphs: dict[str, Any] = {}
    for cell in wanted:
        if cell in done or time.process_time() > 60 * asked.cpu_minutes:
            continue
        name, kind, rate, seed, method = cell
        if name not in graphs:
            graphs[name] = load_graph(name, root=data_root("graph"))
        graph = graphs[name]
        if graph.n_classes == 2 and kind != "symmetric":
            continue  # with two classes both kinds are the same
        labels = graphcleaner_protocol(graph, kind, rate, seed=seed).labels
        key = {"data": name, "kind": kind, "rate": rate, "seed": seed}
        rows = [{**key, **row} for row in run_once(graph.with_labels(labels, true=graph.given), method)]
        with asked.json.open("a") as out:
            out.write("".join(json.dumps(row) + "\n" for row in rows))
    show(read(asked.json))


if __name__ == "__main__":
    main()
