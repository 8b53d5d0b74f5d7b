"""CPU seconds and extra memory of confident learning and label quality, ours against cleanlab, in one run.

    python benchmarks/core_selection.py            # all cases, a few minutes
    python benchmarks/core_selection.py --quick    # a tenth of the size, targets not judged

Run it where the package can be imported (installed, or PYTHONPATH set to the repository). Every
measurement runs in a fresh process with one thread. CPU seconds are the least of the repeats after a
first call on a small input; extra memory is the peak that NumPy and Python allocate during one more
call, beyond the inputs (tracemalloc). Both sides get the same input, in the form that each asks for, and
their answers are compared. A table goes to standard output, all figures to a JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes
    ----------
    make : callable
        ``make(scale, side)`` returns the call to measure for ``side`` "ours" or "peer", input made.
    speed, memory : float, optional
        Targets: how many times less CPU, what fraction of the peer's extra memory.
    exact : bool
        Answers must be equal bit for bit; else to 1e-6.
    """

    make: Callable[[float, str], Call]
    speed: float | None = None
    memory: float | None = None
    exact: bool = True


def single(n: int, k: int, dtype: str, scale: float, *, wrong: float = 0.2) -> tuple[Any, Any]:
    """Labels with symmetric noise and probabilities of a model that is mostly right."""
    rng = np.random.default_rng(0)
    n = int(n * scale)
    true = rng.integers(0, k, n)
    labels = np.where(rng.random(n) < wrong, rng.integers(0, k, n), true)
    logits = rng.normal(size=(n, k)).astype(np.float32)
    logits[np.arange(n), true] += 3.0 if k <= 20 else 5.0
    probs = np.exp(logits, dtype=dtype)
    probs /= probs.sum(axis=1, keepdims=True)
    return labels, probs


def masks(n: int, k: int, dtype: str, rule: str) -> Callable[[float, str], Call]:
    """`find_label_issues` on plain units."""

    def make(scale: float, side: str) -> Call:
        labels, probs = single(n, k, dtype, scale)
        if side == "ours":
            from labelnoise.core.confident_learning import confident_learning

            return lambda: confident_learning(labels, probs, rule=rule)
        from cleanlab.filter import find_label_issues

        return lambda: find_label_issues(labels, probs, filter_by=rule, n_jobs=1)

    return make


def scores(n: int, k: int, score: str) -> Callable[[float, str], Call]:
    """Quality of plain units."""

    def make(scale: float, side: str) -> Call:
        labels, probs = single(n, k, "f8", scale)
        if side == "ours":
            from labelnoise.core.quality import QUALITY_SCORES

            function = QUALITY_SCORES[score].load()
            return lambda: function(labels, probs)
        from cleanlab.rank import get_label_quality_scores

        return lambda: get_label_quality_scores(labels, probs, method=score)

    return make


def tags(scale: float) -> tuple[Any, Any]:
    """Multi-label cells: three of 80 classes on average, one in ten positives missing, a few extra."""
    rng = np.random.default_rng(1)
    n, k = int(100_000 * scale), 80
    true = rng.random((n, k)) < 3 / k
    labels = true ^ (rng.random((n, k)) < np.where(true, 0.1, 0.005))
    probs = 1 / (1 + np.exp(-(1.2 * rng.normal(size=(n, k)) + np.where(true, 2.5, -2.5))))
    return labels.astype(np.int8), probs


def multilabel_masks(scale: float, side: str) -> Call:
    labels, probs = tags(scale)
    if side == "ours":
        from labelnoise.core.confident_multilabel import confident_learning_multilabel

        return lambda: confident_learning_multilabel(labels, probs, level="unit")
    from cleanlab.multilabel_classification.filter import find_label_issues

    lists = [np.flatnonzero(row).tolist() for row in labels]
    return lambda: find_label_issues(lists, probs, n_jobs=1)


def multilabel_scores(scale: float, side: str) -> Call:
    labels, probs = tags(scale)
    if side == "ours":
        from labelnoise.core.quality import multilabel_quality

        return lambda: multilabel_quality(labels, probs, pool="ema")
    from cleanlab.multilabel_classification.rank import get_label_quality_scores

    lists = [np.flatnonzero(row).tolist() for row in labels]
    return lambda: get_label_quality_scores(lists, probs)


def tokens(n_sentences: int) -> Callable[[float, str], Call]:
    """Sentences of 25 tokens, nested lists for the peer, flat arrays for us (flattening is counted)."""

    def make(scale: float, side: str) -> Call:
        sentences = max(10, int(n_sentences * scale))
        labels, probs = single(sentences * 25, 9, "f8", 1.0, wrong=0.1)
        nested = [part.tolist() for part in np.split(labels, sentences)]
        matrices = np.split(probs, sentences)
        if side == "ours":
            from labelnoise.core.confident_learning import confident_learning

            def flatten() -> Any:
                flat = np.fromiter((y for sentence in nested for y in sentence), dtype=np.int64)
                return confident_learning(flat, np.concatenate(matrices))

            return flatten
        from cleanlab.token_classification.filter import find_label_issues

        def find() -> Any:
            flagged = np.zeros(sentences * 25, dtype=bool)
            for i, j in find_label_issues(nested, matrices, n_jobs=1):
                flagged[i * 25 + j] = True
            return flagged

        return find

    return make


def pixels(n: int, k: int, size: int, dtype: str, steps: int = 0) -> Callable[[float, str], Call]:
    """Images (n, k, size, size); with ``steps`` probabilities are coarse and the cut falls on a tie."""

    def make(scale: float, side: str) -> Call:
        rng = np.random.default_rng(2)
        m = max(2, int(n * scale))
        true = rng.integers(0, k, (m, size, size))
        labels = np.where(rng.random(true.shape) < 0.1, rng.integers(0, k, true.shape), true)
        logits = rng.normal(size=(m, k, size, size)).astype(np.float32)
        for c in range(k):
            logits[:, c] += 3 * (true == c)
        probs = np.exp(logits, dtype=dtype)
        probs /= probs.sum(axis=1, keepdims=True)
        if steps:
            probs = (probs * steps).round()
            probs /= probs.sum(axis=1, keepdims=True)
        if side == "ours":
            from labelnoise.core.confident_stream import confident_learning_stream

            def images() -> Any:
                return ((y.reshape(-1), p.reshape(k, -1).T) for y, p in zip(labels, probs))

            return lambda: np.array(confident_learning_stream(images)).reshape(labels.shape)
        from cleanlab.segmentation.filter import find_label_issues

        return lambda: find_label_issues(labels, probs, n_jobs=1, verbose=False)

    return make


RULE = "prune_by_noise_rate"
CASES: dict[str, Case] = {
    "find 1e6x10": Case(masks(1_000_000, 10, "f8", RULE), speed=3, memory=0.2),
    "find 1e6x10 by class": Case(masks(1_000_000, 10, "f8", "prune_by_class"), speed=3, memory=0.2),
    "find 1e6x10 both": Case(masks(1_000_000, 10, "f8", "both"), speed=3, memory=0.2),
    "find 1e6x10 off-diagonal": Case(masks(1_000_000, 10, "f8", "confident_learning")),
    "find 1e6x10 low margin": Case(masks(1_000_000, 10, "f8", "low_normalized_margin")),
    "find 1e5x100": Case(masks(100_000, 100, "f8", RULE), speed=3, memory=0.2),
    "find 5e4x1000 float32": Case(masks(50_000, 1000, "f4", RULE), speed=3, memory=0.2),
    "multi-label 1e5x80": Case(multilabel_masks, speed=8),
    "tokens 1e4x25x9": Case(tokens(10_000), speed=4),
    "tokens 1e5x25x9": Case(tokens(100_000), speed=4),
    "pixels 50x5x256x256": Case(pixels(50, 5, 256, "f8"), speed=4, memory=0.2),
    "pixels 50x5x256x256 float32": Case(pixels(50, 5, 256, "f4"), speed=4, memory=0.2),
    "pixels 50x5x256x256 tied": Case(pixels(50, 5, 256, "f4", steps=16)),
    "pixels 20x21x256x256 float32": Case(pixels(20, 21, 256, "f4")),
    "self-confidence 1e6x10": Case(scores(1_000_000, 10, "self_confidence"), exact=False),
    "margin 1e6x10": Case(scores(1_000_000, 10, "normalized_margin"), exact=False),
    "weighted entropy 1e6x10": Case(scores(1_000_000, 10, "confidence_weighted_entropy"), exact=False),
    "multi-label quality 1e5x80": Case(multilabel_scores, exact=False),
}


def measure(name: str, side: str, scale: float, repeats: int, answer: Path) -> dict[str, float]:
    """One side of one case, in this process."""
    warnings.simplefilter("ignore")
    CASES[name].make(0.01, side)()
    call = CASES[name].make(scale, side)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    np.save(answer, np.asarray(result), allow_pickle=False)
    del result
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"cpu_s": min(seconds), "extra_mib": peak / 2**20}


def in_fresh_process(name: str, side: str, scale: float, repeats: int, answer: Path) -> dict[str, float]:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--measure", name, side, str(scale), str(repeats), str(answer)]
    done = subprocess.run(
        command, env={**os.environ, **one_thread}, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(name: str, scale: float, repeats: int, folder: Path) -> dict[str, Any]:
    """Both sides of a case, and whether they agree and the targets are met."""
    case = CASES[name]
    row: dict[str, Any] = {"case": name}
    answers = {}
    for side in ("ours", "peer"):
        path = folder / f"{side}.npy"
        row[side] = in_fresh_process(name, side, scale, repeats, path)
        answers[side] = np.load(path, allow_pickle=False)
    if case.exact:
        row["same"] = bool(np.array_equal(answers["ours"], answers["peer"]))
    else:
        row["same"] = bool(np.abs(answers["ours"] - answers["peer"]).max() <= 1e-6)
    row["faster"] = row["peer"]["cpu_s"] / row["ours"]["cpu_s"]
    row["memory"] = row["ours"]["extra_mib"] / row["peer"]["extra_mib"]
    # Targets are for the size in the name of the case.
    speed, memory = (case.speed, case.memory) if scale == 1 else (None, None)
    row["targets"] = {"faster": speed, "memory": memory}
    row["met"] = (
        row["same"]
        and (speed is None or row["faster"] >= speed)
        and (memory is None or row["memory"] <= memory)
    )
    return row


def header() -> str:
    return (
        f"{'case':<30}{'cpu s':>9}{'cleanlab':>10}{'faster':>9}{'MiB':>9}{'cleanlab':>10}{'of it':>8}"
        f"{'same':>7}  targets"
    )


def line(row: dict[str, Any]) -> str:
    ours, peer, targets = row["ours"], row["peer"], row["targets"]
    wanted = [f">= {targets['faster']:g}x"] if targets["faster"] else []
    wanted += [f"<= {targets['memory']:g}"] if targets["memory"] else []
    verdict = ("met " if row["met"] else "MISSED ") + ", ".join(wanted) if wanted else "-"
    return (
        f"{row['case']:<30}{ours['cpu_s']:>9.3f}{peer['cpu_s']:>10.3f}{row['faster']:>8.1f}x"
        f"{ours['extra_mib']:>9.1f}{peer['extra_mib']:>10.1f}{row['memory']:>8.2f}"
        f"{'yes' if row['same'] else 'NO':>7}  {verdict}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, one repeat")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--out", type=Path, default=Path("labelnoise-results/core_selection.json"))
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, side, scale, repeats, answer = options.measure
        print(json.dumps(measure(name, side, float(scale), int(repeats), Path(answer))))
        return 0

    from importlib.metadata import version

    scale, repeats = (0.1, 1) if options.quick else (1.0, options.repeats)
    rows = []
    print(header(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            if options.only in name:
                rows.append(compare(name, scale, repeats, Path(folder)))
                print(line(rows[-1]), flush=True)
    report = {
        "scale": scale,
        "repeats": repeats,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cleanlab": version("cleanlab"),
        "machine": platform.machine(),
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    partial = options.out.with_suffix(".partial")
    partial.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(partial, options.out)
    print(f"written to {options.out}")
    return int(options.check and not all(row["met"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
