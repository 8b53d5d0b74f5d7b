"""Compare training methods on graphs whose training labels are wrong: ERASE, prototypes, and plain baselines.

    python experiments/graph_erase.py --json runs.jsonl [--datasets Cora,CiteSeer,Photo] [--methods sgc8,prototypes]
        [--kinds symmetric,asymmetric] [--rates .1,.2,.3,.4,.5] [--seeds 101,102,103,104,105]
    python experiments/graph_erase.py --published [--json runs.jsonl]

Noise as in ERASE: each label drawn on its own (symmetric, or one other class per class). The second form runs the
settings of erase2024_erase_planetoid.toml, where training labels alone are wrong; the first form corrupts validation
labels too. Runs that are in the file are not repeated. Public split where there is one, else 20 training and 30
validation nodes a class, drawn per seed. "erase" selects its epoch by CLEAN validation labels (as published),
"erase-noisy", "erase-prototypes" and any other trainer by noisy ones, "sgc8" (regression on features smoothed eight
times) uses none. "oracle-..." trains on the true labels. The graphs are looked for in $LABELNOISE_DATA/graph, then
downloaded. CPU time is that of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

import numpy as np

CONFIG = Path(__file__).with_name("erase2024_erase_planetoid.toml")


def with_split(graph: Any, seed: int) -> Any:
    """The public split, or 20 + 30 nodes a class."""
    if "train" in graph.masks:
        return graph
    rng = np.random.default_rng(seed)
    train, val = np.zeros(graph.n_nodes, dtype=bool), np.zeros(graph.n_nodes, dtype=bool)
    for c in range(graph.n_classes):
        members = rng.permutation(np.flatnonzero(graph.given == c))
        train[members[:20]] = val[members[20:50]] = True
    return replace(graph, masks={"train": train, "val": val, "test": ~(train | val)})


def sgc8(graph: Any) -> np.ndarray:
    """Logistic regression on features smoothed eight times."""
    import scipy.sparse as sp
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    from labelnoise.graph.propagation import gcn_adjacency

    smooth, x = gcn_adjacency(graph.adjacency), normalize(graph.x, norm="l1")
    for _ in range(8):
        x = smooth @ x
    x = normalize(x.toarray() if sp.issparse(x) else x)
    rows = np.flatnonzero(graph.masks["train"] & graph.labelled)
    return LogisticRegression(max_iter=1000).fit(x[rows], graph.given[rows]).predict(x)


def predict(method: str, graph: Any, seed: int, options: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    """Classes of all nodes, and what else is worth keeping."""
    from labelnoise.graph.train_methods import train_graph

    if method.startswith("oracle-"):
        known = graph.with_labels(graph.true, true=graph.true)
        return predict(method.removeprefix("oracle-"), known, seed, options)
    if method == "sgc8":
        return sgc8(graph), {}
    if method == "erase":
        from labelnoise.graph.erase import train_erase

        trained = train_erase(graph, seed, **options)
    elif method == "erase-noisy":
        from labelnoise.graph.erase import train_erase

        trained = train_erase(graph, seed, validation_labels="noisy", **options)
    elif method == "erase-prototypes":
        from labelnoise.graph.prototypes import train_prototypes

        trained = train_prototypes(graph, seed)
    else:
        trained = train_graph(graph, method, seed)
    return trained.predicted, {"chosen": trained.chosen, "epochs": len(trained.history)}


METHODS = ("erase-prototypes", "sgc8", "oracle-sgc8", "oracle-erase-prototypes", "plain-gcn", "erase")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", default="Cora,CiteSeer,Photo")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--kinds", default="symmetric,asymmetric")
    parser.add_argument("--rates", default=".1,.2,.3,.4,.5")
    parser.add_argument(
        "--seeds", default="11,12,13,14,15", help="of the noise; the model's seed is the same"
    )
    parser.add_argument(
        "--evaluate-every", type=int, default=1, help="epochs between two evaluations of ERASE"
    )
    parser.add_argument("--published", action="store_true", help="the settings of the configuration file")
    parser.add_argument(
        "--json",
        type=Path,
        help="file of finished runs, one JSON object a line; one for each of the two forms",
    )
    options = parser.parse_args()
    from labelnoise.core.domain import data_root
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.erase import erase_protocol

    methods = options.methods.split(",")
    extra: dict[str, dict[str, Any]] = {}
    if options.published:
        settings = tomllib.loads(CONFIG.read_text())
        plan = [
            (s["dataset"], s["kind"], s["rate"], noise, model, "erase")
            for s in settings["setting"]
            for noise in settings["noise_seeds"]
            for model in settings["model_seeds"]
        ]
        extra = {name: {**settings["options"], **values} for name, values in settings["dataset"].items()}
    else:
        plan = [
            (name, kind, float(rate), int(seed), int(seed), method)
            for name in options.datasets.split(",")
            for method in methods
            for kind in options.kinds.split(",")
            for rate in options.rates.split(",")
            for seed in options.seeds.split(",")
        ]
    done: dict[tuple[Any, ...], dict[str, Any]] = {}
    if options.json and options.json.exists():
        for line in options.json.read_text().splitlines():
            row = json.loads(line)
            done[tuple(row[c] for c in ("data", "kind", "rate", "noise_seed", "model_seed", "method"))] = row
    graphs: dict[str, Any] = {}
    for key in plan:
        if key in done:
            continue
        name, kind, rate, noise_seed, model_seed, method = key
        if name not in graphs:
            graphs[name] = load_graph(name, root=data_root("graph"))
        graph = with_split(graphs[name], noise_seed)
        if not options.published:  # the validation labels are wrong too, and those that judge may be
            seen = graph.masks["train"] | graph.masks["val"]
            both = replace(graph, masks={**graph.masks, "both": seen})
            noise = erase_protocol(both, kind, rate, noise_seed, nodes="both")
        else:
            noise = erase_protocol(graph, kind, rate, noise_seed)
        noisy = graph.with_labels(noise.labels, true=graph.given)
        start = time.process_time()
        chosen = {**extra.get(name, {}), "evaluate_every": options.evaluate_every}
        predicted, more = predict(method, noisy, model_seed, chosen)
        seconds = time.process_time() - start
        test, train = graph.masks["test"], graph.masks["train"]
        row = {
            "data": name, "kind": kind, "rate": rate, "noise_seed": noise_seed, "model_seed": model_seed,
            "method": method, "accuracy": round(100 * float((predicted == graph.given)[test].mean()), 2),
            "realised_rate": round(float(noise.changed[train].mean()), 4), "cpu_seconds": round(seconds, 2), **more,
        }  # fmt: skip
        done[key] = row
        if options.json:
            with options.json.open("a") as out:
                out.write(json.dumps(row) + "\n")
    for name, method in dict.fromkeys((key[0], key[5]) for key in plan):
        cells = {}
        rows = [done[key] for key in plan if (key[0], key[5]) == (name, method)]
        for row in rows:
            cells.setdefault(f"{row['kind'][:4]} {row['rate']}", []).append(row["accuracy"])
        text = "  ".join(f"{cell} {np.mean(v):.1f}±{np.std(v):.1f}" for cell, v in cells.items())
        mean, seconds = (
            np.mean([row["accuracy"] for row in rows]),
            np.mean([row["cpu_seconds"] for row in rows]),
        )
        print(f"{name:9s} {method:18s} mean {mean:.1f}  {seconds:.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
