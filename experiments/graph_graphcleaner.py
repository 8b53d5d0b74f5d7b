"""Reproduce a published GraphCleaner setting and print its figures beside the official ones.

    python experiments/graph_graphcleaner.py [CONFIG.toml] [--noise-seeds 1119,1,2] [--model-seeds 0,1,2]
        [--methods graphcleaner-faithful,votes] [--json FILE]

The graphs are looked for in $LABELNOISE_DATA/graph, then downloaded. CPU time is that of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

METRICS = ("f1", "precision", "recall", "mcc", "precision_at_true_count", "auroc", "average_precision")
CONFIG = Path(__file__).with_name("li2023_graphcleaner_planetoid.toml")


def mean_sd(values: list[float]) -> str:
    """``mean+-sd`` with three digits; no deviation of a single value."""
    import numpy as np

    if not values:
        return "-"
    spread = f"±{np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def run_setting(
    setting: dict[str, Any], config: dict[str, Any], method: str, options: dict[str, Any]
) -> list[dict[str, Any]]:
    """One row per (noise seed, model seed)."""
    from labelnoise.core.domain import data_root
    from labelnoise.core.evaluation import detection_metrics
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.domain import DETECTORS
    from labelnoise.graph.noise import graphcleaner_protocol

    graph = load_graph(setting["dataset"], root=data_root("graph"))
    scored = graph.masks[config["score_on"]]
    detect = DETECTORS[method].load()
    rows = []
    for noise_seed in config["noise_seeds"]:
        corruption = graphcleaner_protocol(graph, setting["kind"], setting["rate"], seed=noise_seed)
        noisy = graph.with_labels(corruption.labels, true=graph.given)
        for model_seed in config["model_seeds"]:
            start = time.process_time()
            found = detect(noisy, model_seed, **options)
            seconds = time.process_time() - start
            measured = detection_metrics(
                noisy.is_wrong[scored], 1 - found.quality[scored], flagged=found.flagged[scored]
            )
            rows.append(
                {
                    "dataset": setting["dataset"],
                    "kind": setting["kind"],
                    "rate": setting["rate"],
                    "method": method,
                    "noise_seed": noise_seed,
                    "model_seed": model_seed,
                    "n_wrong": measured["n_wrong"],
                    "cpu_seconds": seconds,
                    **{name: measured[name] for name in METRICS},
                }
            )
    return rows


def print_rows(rows: list[dict[str, Any]], official: dict[str, list[float]]) -> None:
    """A line per noise seed, one over all, and the official figures."""
    noise_seeds = list(dict.fromkeys(row["noise_seed"] for row in rows))
    groups = [
        (f"noise seed {seed}", [row for row in rows if row["noise_seed"] == seed]) for seed in noise_seeds
    ]
    if len(noise_seeds) > 1:
        groups.append((f"{len(noise_seeds)} noise seeds", rows))
    for label, members in groups:
        cells = "  ".join(f"{mean_sd([r[m] for r in members if r[m] is not None]):>11}" for m in METRICS)
        cpu = sum(row["cpu_seconds"] for row in members) / len(members)
        print(f"  {label:<16}{cells}  {cpu:6.2f}", flush=True)
    if official:
        cells = "  ".join(
            f"{'±'.join(f'{value:.3f}' for value in official[m]) if m in official else '-':>11}"
            for m in METRICS
        )
        print(f"  {'official':<16}{cells}")


def main() -> None:
    """Run every setting of a config."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", nargs="?", type=Path, default=CONFIG)
    parser.add_argument("--noise-seeds", help="comma-separated, instead of the config's")
    parser.add_argument("--model-seeds", help="comma-separated, instead of the config's")
    parser.add_argument("--methods", help="comma-separated, instead of the config's")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    arguments = parser.parse_args()
    config = tomllib.loads(arguments.config.read_text())
    for name in ("noise_seeds", "model_seeds"):
        if getattr(arguments, name):
            config[name] = [int(part) for part in getattr(arguments, name).split(",")]

    start = time.process_time()
    import torch

    print(f"{config['name']}: {config['source']}")
    print(f"CPU seconds are per detection, one thread; importing torch {torch.__version__} costs", end=" ")
    print(f"{time.process_time() - start:.2f} once.\n")
    heads = ("F1", "P", "R", "MCC", "P@n", "AUROC", "AP")
    print(" " * 18 + "  ".join(f"{head:>11}" for head in heads) + "     CPU")
    everything = []
    for method in (arguments.methods or config["method"]).split(","):
        options = config["options"] if method == config["method"] else {}
        for setting in config["setting"]:
            rows = run_setting(setting, config, method, options)
            print(f"{setting['dataset']} {setting['kind']} {setting['rate']}, {method}")
            print_rows(rows, setting.get("official", {}) if method == config["method"] else {})
            everything += rows
    if arguments.json:
        partial = arguments.json.with_name(arguments.json.name + ".part")
        partial.write_text(json.dumps({"config": config, "runs": everything}, indent=1))
        partial.replace(arguments.json)


if __name__ == "__main__":
    main()
