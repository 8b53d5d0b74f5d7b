"""Wall time, processor time by phase, memory and quality of the calibrated graph detector on a ladder of sizes.

    python -m experiments.graph_scale --sizes 20k 60k 169k 500k 2400k-dense --out scale.jsonl
    python -m experiments.graph_scale --out scale.jsonl --plot docs/figures/graph_scale.svg --fit

Each size runs in a process of its own, so that its peak memory is its own; sizes that the file already holds are
not run again. Graphs are drawn, not real: a degree-corrected block model with power-law degrees, classes and small
groups inside classes (for triangles), Gaussian features around class means and 10% symmetric label noise.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.graph.dataset import GraphDataset

#: Nodes, undirected edges drawn, feature columns, classes. The last two have the sizes of well-known citation
#: and co-purchase graphs.
SIZES = {
    "20k": (20_000, 140_000, 128, 40),
    "60k": (60_000, 425_000, 128, 40),
    "60k-dense": (60_000, 1_520_000, 100, 47),
    "169k": (169_343, 1_200_000, 128, 40),
    "500k": (500_000, 3_540_000, 128, 40),
    "500k-dense": (500_000, 12_660_000, 100, 47),
    "2400k-dense": (2_449_029, 62_000_000, 100, 47),
}
#: A citation graph no one has yet held in memory with all its scores: what the fit is extrapolated to.
FAR_NODES, FAR_EDGES = 111_059_956, 1_615_685_872
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


class Phases:
    """Processor seconds of each step of the evidence, told on stderr as they end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def follow(self, kind: type) -> None:
        """Time the steps of an arrangement of the evidence; wrapped here, so that the package has no timers."""
        for method in ("__init__", "choose_lambdas", "first_round", "denoised_round"):
            setattr(kind, method, self._timed(getattr(kind, method), method.strip("_")))

    def _timed(self, step: Callable[..., Any], name: str) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            cpu, wall = time.process_time(), time.perf_counter()
            found = step(*args, **options)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            later = name if name not in self.seconds else f"{name}, simulated"
            self.seconds[later] = round(self.seconds.get(later, 0.0) + cpu, 1)
            print(
                f"{later}: cpu {cpu:.1f} s, wall {wall:.1f} s, peak {_peak():.2f} GiB",
                file=sys.stderr,
                flush=True,
            )
            return found

        return run


def _peak() -> float:
    """Largest resident memory so far, in GiB; Linux gives KiB, macOS bytes."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(size: str, seed: int = 0) -> dict[str, Any]:
    """Detect once; figures of time and memory cover the detection, the peak also the graph itself."""
    from labelnoise.graph.calibrated import NodeEvidence, detect_calibrated
    from labelnoise.graph.scaling import LARGE, LargeNodeEvidence

    phases = Phases()
    n, edges, columns, classes = SIZES[size]
    graph = block_model(n, edges, columns, classes, seed=seed)
    made = _peak()
    phases.follow(LargeNodeEvidence if n > LARGE else NodeEvidence)
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
        "peak_gib": round(_peak(), 2),
        "graph_alone_gib": round(made, 2),
        "auroc": round(_auroc(found.p_wrong, wrong), 4),
        "precision": round(float(wrong[flagged].mean()), 4),
        "recall": round(float(flagged[wrong].mean()), 4),
        "count_over_true": round(found.count.expected / float(wrong.sum()), 4),
        "interval_over_true": [
            round(found.count.low / float(wrong.sum()), 3),
            round(found.count.high / float(wrong.sum()), 3),
        ],
        "errors": found.info["errors"],
        "phases_cpu_s": phases.seconds,
    }


def _auroc(score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    positives = int(wrong.sum())
    below = rankdata(score)[wrong].sum() - positives * (positives + 1) / 2
    return float(below / (positives * (len(wrong) - positives)))


def main() -> None:
    """Measure sizes and print one line each, or draw and fit what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=[])
    parser.add_argument("--here", choices=list(SIZES), help="measure one size in this process")
    parser.add_argument("--out", type=Path, help="file of JSON lines that results are kept in, one per size")
    parser.add_argument("--plot", type=Path, help="SVG file to draw from --out")
    parser.add_argument("--fit", action="store_true", help="print costs per node and edge, from --out")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.here)), flush=True)
        return
    known = read(args.out) if args.out else {}
    for size in args.sizes:
        if size in known:
            continue
        command = [sys.executable, "-m", "experiments.graph_scale", "--here", size]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        known[size] = json.loads(line)
        print(line, flush=True)
        if args.out:
            with args.out.open("a") as file:
                file.write(line + "\n")
    rows = sorted(known.values(), key=lambda row: row["nodes"] + row["edges"])
    if args.plot:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        args.plot.write_text(draw(rows) + "\n")
    if args.fit:
        print(json.dumps(fit(rows), indent=1))


def read(path: Path) -> dict[str, dict[str, Any]]:
    """What a file of JSON lines holds, by size; empty where there is none."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return {row["size"]: row for row in rows}


def fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Costs as fixed + per node + per edge, none negative, by least squares on relative errors.

    Only sizes in the large arrangement count; three sizes of two densities at least are needed to tell nodes from
    edges. The extrapolation is what the same arrangement would take, not a claim that it would fit.
    """
    from scipy.optimize import nnls

    from labelnoise.graph.scaling import LARGE

    rows = [row for row in rows if row["nodes"] > LARGE]
    if len(rows) < 3:
        raise SystemExit(f"a fit needs three sizes above {LARGE} nodes, got {len(rows)}")
    found: dict[str, Any] = {}
    for key in ("cpu_s", "peak_gib"):
        values = np.array([row[key] for row in rows])
        design = np.array([[1.0, row["nodes"] / 1e6, row["edges"] / 1e6] for row in rows])
        cost, _ = nnls(design / values[:, None], np.ones(len(rows)))
        found[key] = {
            "fixed": round(cost[0], 3),
            "per_million_nodes": round(cost[1], 3),
            "per_million_edges": round(cost[2], 3),
            "measured_over_fitted": {
                row["size"]: round(value / float(line @ cost), 3)
                for row, value, line in zip(rows, values, design, strict=True)
            },
            "far": round(float(cost @ [1.0, FAR_NODES / 1e6, FAR_EDGES / 1e6]), 1),
        }
    return found


def draw(rows: list[dict[str, Any]]) -> str:
    """Processor time and peak memory against nodes + edges, each with a line of slope 1 through the last point."""
    from labelnoise.core.report.svg import Axes, log_ticks, marker

    size = [row["nodes"] + row["edges"] for row in rows]
    ends = (min(size) / 2, max(size) * 2)
    panels = []
    for shift, (key, name) in enumerate((("cpu_s", "processor time [s]"), ("peak_gib", "peak memory [GiB]"))):
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
            # dense graphs take more time and less memory than others of as many nodes and edges: names apart
            below = row["size"].endswith("dense") == (key == "peak_gib")
            axes.text(axes.px(x), axes.py(y) + (16 if below else -9), row["size"])
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
