"""Compare training methods on graphs whose training labels are wrong: ERASE, prototypes, and plain baselines.

    python experiments/graph_erase.py --json runs.jsonl [--datasets Cora,CiteSeer,Photo] [--methods sgc8,prototypes]
        [--kinds symmetric,asymmetric] [--rates .1,.2,.3,.4,.5] [--seeds 101,102,103,104,105]
    python experiments/graph_erase.py --published [--json runs.jsonl]

Noise as in ERASE: each label drawn on its own (symmetric, or one other class per class). The second form runs the
settings of erase2024_erase_planetoid.toml, where training labels alone are wrong; the first form corrupts validation
labels too. Runs that are in the file are not repeated. Public split where there is one, else 20 training and 30
validation nodes a class, drawn per seed. "erase" selects its epoch by CLEAN validation labels (as published),
"erase-noisy", "erase-prototypes" and any other trainer by noisy ones, "sgc8" (regression on features smoothed eight
times) uses none. "oracle-..." trains on the true labels. Features that depend on no label are computed once per
graph and counted with its first run. The end prints, per data set and method, the mean, its 95% interval over noise
seeds (Student's t on the seeds' means over cells), the time of the median run, and the cells where erase-prototypes is
behind another method. The graphs are looked for in $LABELNOISE_DATA/graph, then
downloaded. CPU time is that of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from dataclasses import replace
from functools import cache
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


@cache
def label_free(kind: str, name: str) -> Any:
    """Features of a graph that depend on no label: smoothed eight times, or diffused."""
    import scipy.sparse as sp
    from sklearn.preprocessing import normalize

    from labelnoise.core.domain import data_root
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.propagation import gcn_adjacency
    from labelnoise.graph.prototypes import diffused_at

    graph = load_graph(name, root=data_root("graph"))
    if kind == "diffused":
        return diffused_at(graph)
    smooth, x = gcn_adjacency(graph.adjacency), normalize(graph.x, norm="l1")
    for _ in range(8):
        x = smooth @ x
    return normalize(x.toarray() if sp.issparse(x) else x)


def sgc8(graph: Any) -> np.ndarray:
    """Logistic regression on features smoothed eight times."""
    from sklearn.linear_model import LogisticRegression

    x = label_free("smoothed", graph.name)
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

        trained = train_prototypes(graph, seed, features=label_free("diffused", graph.name))
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
    summarise([done[key] for key in plan])


def summarise(rows: list[dict[str, Any]]) -> None:
    """Means, their intervals, and cells where the project's own method is behind."""
    import pandas as pd
    from scipy import stats

    frame = pd.DataFrame(rows)
    frame["cell"] = frame["kind"].str[:4] + " " + frame["rate"].astype(str)
    frame["seed"] = frame["noise_seed"].astype(str) + "/" + frame["model_seed"].astype(str)
    for (name, method), part in frame.groupby(["data", "method"], sort=False):
        by_seed = part.groupby("seed")["accuracy"].mean()
        half = float("nan")
        if len(by_seed) > 1:
            half = stats.t.ppf(0.975, len(by_seed) - 1) * by_seed.std() / np.sqrt(len(by_seed))
        cells = part.groupby("cell", sort=False)["accuracy"].agg(["mean", "std"])
        text = "  ".join(f"{cell} {mean:.1f}±{sd:.1f}" for cell, mean, sd in cells.itertuples())
        print(
            f"{name:9s} {method:18s} mean {part['accuracy'].mean():.2f} ± {half:.2f} ({len(by_seed)} seeds, "
            f"{len(part)} runs)  {part['cpu_seconds'].median():.1f} s  {text}",
            flush=True,
        )
    table = frame.pivot_table(index=["data", "cell", "seed"], columns="method", values="accuracy")
    if "erase-prototypes" not in table:
        return
    for method in table.columns.drop("erase-prototypes"):
        if method.startswith("oracle-"):
            continue
        gain = (table["erase-prototypes"] - table[method]).dropna()
        by_cell = gain.groupby(["data", "cell"]).mean()
        lost = "; ".join(f"{d} {c} {v:+.1f}" for (d, c), v in by_cell.items() if v < 0) or "none"
        print(
            f"erase-prototypes - {method}: {gain.mean():+.2f} on {len(gain)} common runs; cells behind: {lost}"
        )


if __name__ == "__main__":
    main()
