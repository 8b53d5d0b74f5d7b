"""Wall time, processor time, memory and quality of the calibrated graph detector on a ladder of sizes.

    python experiments/graph_scale.py --sizes 10k 40k 169k 600k --out scale.json
    python experiments/graph_scale.py --plot docs/graph_scale.svg --out scale.json

Each size runs in a process of its own, so that its peak memory is its own. Graphs are drawn, not real: a
degree-corrected block model with power-law degrees, classes and small groups inside classes (for triangles),
Gaussian features around class means and 10% symmetric label noise.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.graph.dataset import GraphDataset

#: Nodes, undirected edges drawn, feature columns, classes. The last two have the sizes of well-known citation
#: and co-purchase graphs.
SIZES = {
    "10k": (10_000, 70_000, 128, 40),
    "40k": (40_000, 280_000, 128, 40),
    "169k": (169_343, 1_200_000, 128, 40),
    "600k": (600_000, 4_200_000, 128, 40),
    "600k-dense": (612_000, 15_500_000, 100, 47),
    "2400k-dense": (2_449_029, 62_000_000, 100, 47),
}
#: Share of edges inside a group, and inside the class; the rest joins any two nodes.
WITHIN_GROUP, WITHIN_CLASS = 0.2, 0.35
GROUP = 50
AT_ONCE = 4_000_000


def block_model(
    n: int,
    edges: int,
    columns: int,
    classes: int,
    *,
    seed: int = 0,
    rate: float = 0.1,
    separation: float = 0.12,
    exponent: float = 2.5,
) -> GraphDataset:
    """A graph with power-law degrees, communities, class-dependent features and symmetric label noise.

    Parameters
    ----------
    n, edges, columns, classes : int
        Nodes, undirected edges drawn (parallel ones are merged by the data set), features, classes.
    seed : int
    rate : float
        Share of labels replaced by another class, all others alike.
    separation : float
        Standard deviation of class means, in units of that of the features around them.
    exponent : float
        Of the degrees' power law; expected degrees are capped at 1000 times the mean.

    Notes
    -----
    Degree-corrected stochastic block model (Karrer, Newman 2011) with two levels of blocks. Edges are drawn
    one end at a time by inverting cumulative weights, O(edges log n) time, O(n + edges) memory.
    """
    rng = generator(seed, "block model", n, edges)
    sizes = 1.0 / np.arange(1, classes + 1) ** 0.5
    true = np.sort(rng.choice(classes, size=n, p=sizes / sizes.sum())).astype(np.int64)
    weight = np.minimum((1.0 - rng.random(n)) ** (-1.0 / (exponent - 1)), 1000.0)
    ends = np.concatenate([[0.0], np.cumsum(weight)])
    # nodes are sorted by class here, so that blocks are ranges; they are shuffled at the end
    first_of_class = np.searchsorted(true, np.arange(classes + 1))
    rank = np.arange(n) - first_of_class[true]
    low_group = first_of_class[true] + rank // GROUP * GROUP
    high_group = np.minimum(low_group + GROUP, first_of_class[true + 1])
    name = rng.permutation(n)
    pairs = np.empty((2, edges), dtype=np.int64)
    for start in range(0, edges, AT_ONCE):
        stop = min(start + AT_ONCE, edges)
        source = _draw(rng, ends, np.zeros(stop - start, np.int64), np.full(stop - start, n))
        kind = rng.random(stop - start)
        group, inside = kind < WITHIN_GROUP, kind < WITHIN_GROUP + WITHIN_CLASS
        low = np.where(group, low_group[source], np.where(inside, first_of_class[true[source]], 0))
        high = np.where(group, high_group[source], np.where(inside, first_of_class[true[source] + 1], n))
        pairs[0, start:stop] = name[source]
        pairs[1, start:stop] = name[_draw(rng, ends, low, high)]
    shuffled = np.empty(n, dtype=np.int64)
    shuffled[name] = true
    means = (rng.standard_normal((classes, columns)) * separation).astype(np.float32)
    x = rng.standard_normal((n, columns), dtype=np.float32)
    for start in range(0, n, 100_000):
        x[start : start + 100_000] += means[shuffled[start : start + 100_000]]
    given = shuffled.copy()
    wrong = rng.random(n) < rate
    given[wrong] = (shuffled[wrong] + rng.integers(1, classes, wrong.sum())) % classes
    return GraphDataset(
        name=f"block model, {n} nodes",
        given=given,
        true=shuffled,
        class_names=tuple(map(str, range(classes))),
        x=x,
        edge_index=pairs,
        source="drawn",
    )


def _draw(
    rng: np.random.Generator, ends: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    """A node in each range [low, high), by weight."""
    at = ends[low] + rng.random(len(low)) * (ends[high] - ends[low])
    return np.clip(np.searchsorted(ends, at, side="right") - 1, low, high - 1)


def measure(size: str, seed: int = 0) -> dict[str, Any]:
    """Detect once; figures of time and memory cover the detection, the peak also the graph itself."""
    from labelnoise.graph.calibrated import detect_calibrated

    n, edges, columns, classes = SIZES[size]
    graph = block_model(n, edges, columns, classes, seed=seed)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    found = detect_calibrated(graph, seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    wrong = graph.is_wrong
    if wrong is None or found.count is None or found.p_wrong is None:
        raise RuntimeError("the detector gave no probabilities or no count")
    flagged = found.flagged
    return {
        "size": size,
        "nodes": n,
        "edges": graph.adjacency.nnz // 2,
        "largest_degree": int(graph.degree.max()),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "graph_alone_gb": round(made / 2**20, 2),
        "auroc": round(_auroc(found.p_wrong, wrong), 4),
        "precision": round(float(wrong[flagged].mean()), 4),
        "recall": round(float(flagged[wrong].mean()), 4),
        "count_over_true": round(found.count.expected / float(wrong.sum()), 4),
        "interval_over_true": [
            round(found.count.low / float(wrong.sum()), 3),
            round(found.count.high / float(wrong.sum()), 3),
        ],
        "errors": found.info["errors"],
    }


def _auroc(score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    positives = int(wrong.sum())
    below = rankdata(score)[wrong].sum() - positives * (positives + 1) / 2
    return float(below / (positives * (len(wrong) - positives)))


def main() -> None:
    """Measure sizes and print one line each, or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=[])
    parser.add_argument("--here", choices=list(SIZES), help="measure one size in this process")
    parser.add_argument("--out", type=Path, help="JSON file that results are kept in, one per size")
    parser.add_argument("--plot", type=Path, help="SVG file to draw from --out")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.here)), flush=True)
        return
    known = json.loads(args.out.read_text()) if args.out and args.out.exists() else {}
    for size in args.sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--here", size], check=True, capture_output=True, text=True
        )
        known[size] = json.loads(done.stdout)
        print(json.dumps(known[size]), flush=True)
        if args.out:
            args.out.write_text(json.dumps(known, indent=1) + "\n")
    if args.plot:
        args.plot.write_text(draw(sorted(known.values(), key=lambda row: row["nodes"])) + "\n")


def draw(rows: list[dict[str, Any]]) -> str:
    """Processor time and peak memory against nodes + edges, each with a line of slope 1 through the last point."""
    from labelnoise.core.report.svg import Axes, log_ticks, marker

    size = [row["nodes"] + row["edges"] for row in rows]
    ends = (min(size) / 2, max(size) * 2)
    panels = []
    for shift, (key, name) in enumerate((("cpu_s", "processor time [s]"), ("peak_gb", "peak memory [GB]"))):
        values = [row[key] for row in rows]
        low, high = min(values) / 2, max(values) * 2
        axes = Axes(400, 300, x=ends, y=(low, high), log_x=True, log_y=True, left=60)
        axes.title(name)
        x_ticks, y_ticks = log_ticks(*ends), log_ticks(low, high)
        axes.x_axis(x_ticks, [_short(tick) for tick in x_ticks], "nodes + edges")
        axes.y_axis(y_ticks, [f"{tick:g}" for tick in y_ticks], name)
        reach = max(size[0], size[-1] * values[0] / values[-1] / 1.6)
        line = [(reach, values[-1] * reach / size[-1]), (size[-1], values[-1])]
        axes.path([(axes.px(x), axes.py(y)) for x, y in line], cls="slope", dash="4 3")
        for row, x, y in zip(rows, size, values, strict=True):
            axes.add(marker(axes.px(x), axes.py(y), shift, title=f"{row['nodes']} nodes: {y}"))
            axes.text(axes.px(x), axes.py(y) - 9, row["size"])
        panel = axes.render(f"{name} against nodes + edges")
        panels.append(panel.replace("<svg ", f'<svg x="{shift * 410}" y="0" ', 1))
    style = (
        "text{font:11px sans-serif;fill:#333}.panel{font-weight:bold}.grid{stroke:#ddd}"
        ".slope{stroke:#888;fill:none}.mark.s0{fill:#1f6fb4}.mark.s1{fill:#b4551f}"
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 810 300" width="810" height="300">'
        f'<style>{style}</style><rect width="810" height="300" fill="#fff"/>{"".join(panels)}</svg>'
    )


def _short(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k"


if __name__ == "__main__":
    main()
