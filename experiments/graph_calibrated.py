"""Measure the calibrated graph detector on planted errors: ranking, decision, count, interval, false alarms.

    python experiments/graph_calibrated.py [--datasets Cora,Photo] [--kinds symmetric,asymmetric]
        [--rates .05,.1,.2,.3] [--seeds 101,102,103,104,105] [--json FILE]

Noise is GraphCleaner's protocol (a fixed count per class in every split). Ranking and F1 are on test nodes; the
count, its interval and false-discovery rates are on all nodes. Errors of the original labels count as right.
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

COLUMNS = (
    "auroc", "average_precision", "f1", "f1_all", "count_ratio", "interval_covers", "interval_low", "interval_high",
    "fdr_at_10", "false_alarms_low_degree", "false_alarms_rest", "conflicts_ratio", "cpu_seconds",
)  # fmt: skip


def run_once(graph: Any, kind: str, rate: float, seed: int) -> dict[str, float]:
    """One corruption, one detection."""
    from labelnoise.core.decision import decide
    from labelnoise.core.evaluation import detection_metrics
    from labelnoise.graph.calibrated import detect_calibrated
    from labelnoise.graph.noise import graphcleaner_protocol

    noisy = graph.with_labels(graphcleaner_protocol(graph, kind, rate, seed=seed).labels, true=graph.given)
    wrong = noisy.is_wrong
    start = time.process_time()
    found = detect_calibrated(noisy, 0)
    seconds = time.process_time() - start
    test = graph.masks.get("test")
    if test is None:  # the published sequential split: the last fifth
        import numpy as np

        test = np.arange(graph.n_nodes) >= int(0.8 * graph.n_nodes)
    on_test = detection_metrics(wrong[test], found.p_wrong[test], flagged=found.flagged[test])
    total = int(wrong.sum())
    few = (graph.degree <= 1) & ~wrong
    rest = (graph.degree > 1) & ~wrong
    careful = decide(found.p_wrong, rule="fdr", fdr=0.1, strata=found.strata)
    return {
        "auroc": on_test["auroc"],
        "average_precision": on_test["average_precision"],
        "f1": on_test["f1"],
        "f1_all": detection_metrics(wrong, found.p_wrong, flagged=found.flagged)["f1"],
        "count_ratio": found.count.expected / total,
        "interval_covers": float(found.count.low <= total <= found.count.high),
        "interval_low": found.count.low / total,
        "interval_high": found.count.high / total,
        "fdr_at_10": float((careful & ~wrong).sum() / max(careful.sum(), 1)),
        "false_alarms_low_degree": float(found.flagged[few].mean()) if few.any() else 0.0,
        "false_alarms_rest": float(found.flagged[rest].mean()),
        "conflicts_ratio": found.info["expected_conflicts"] / total,
        "cpu_seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", default="Cora,Photo")
    parser.add_argument("--kinds", default="symmetric,asymmetric")
    parser.add_argument("--rates", default=".05,.1,.2,.3")
    parser.add_argument("--seeds", default="101,102,103,104,105")
    parser.add_argument(
        "--json", type=Path, help="also append every run to this file, one JSON object a line"
    )
    options = parser.parse_args()
    import numpy as np

    from labelnoise.core.domain import data_root
    from labelnoise.graph.data import load_graph

    seeds = [int(seed) for seed in options.seeds.split(",")]
    print("data kind rate  " + "  ".join(COLUMNS), flush=True)
    for name in options.datasets.split(","):
        graph = load_graph(name, root=data_root("graph"))
        for kind in options.kinds.split(","):
            for rate in (float(rate) for rate in options.rates.split(",")):
                rows = [run_once(graph, kind, rate, seed) for seed in seeds]
                cells = []
                for column in COLUMNS:
                    values = [row[column] for row in rows]
                    spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
                    cells.append(f"{np.mean(values):.3f}±{spread:.3f}")
                print(f"{name} {kind} {rate}  " + "  ".join(cells), flush=True)
                if options.json:
                    with options.json.open("a") as out:
                        for seed, row in zip(seeds, rows, strict=True):
                            out.write(
                                json.dumps({"data": name, "kind": kind, "rate": rate, "seed": seed, **row})
                                + "\n"
                            )


if __name__ == "__main__":
    main()
