"""Costs that do not depend on the machine: calls made and memory allocated, against a file of what they were.

    python benchmarks/budget.py            # measure, compare with benchmarks/budget.json, exit with 1 above 130%
    python benchmarks/budget.py --write    # take what is measured as the new budget
    python benchmarks/budget.py --only detect

"calls" are the functions entered from this package's own lines, Python's and C's: a loop in place of an array shows here.
"mib" is the peak that NumPy and Python allocate beyond what they held: an array too many shows here. Both are the
second run's in a fresh process with one thread, imports and caches behind it. Seconds are not judged.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import labelnoise

BUDGET = Path(__file__).with_name("budget.json")
#: A cost may grow by this before the check fails.
GROWTH = 1.3
#: Less memory than this is not judged.
LEAST_MIB = 0.5
PACKAGE = str(Path(labelnoise.__file__).parent) + os.sep

Work = Callable[[], Any]


def _labels(n: int, k: int) -> tuple[Any, Any]:
    """Probabilities (n, k) and labels of which a fifth is wrong."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    probs = rng.random((n, k), dtype=np.float32) * 0.5
    probs[np.arange(n), true] += 1.0
    probs /= probs.sum(axis=1, keepdims=True)
    given = np.where(rng.random(n) < 0.2, rng.integers(0, k, n), true)
    return given, probs


def core_selection() -> Work:
    from labelnoise.core.confident_learning import confident_learning

    given, probs = _labels(50_000, 10)
    return lambda: confident_learning(given, probs)


def core_tags() -> Work:
    from labelnoise.core.confident_multilabel import confident_learning_multilabel

    rng = np.random.default_rng(0)
    tags = (rng.random((5_000, 40)) < 0.1).astype(np.int8)
    probs = np.clip(0.1 + 0.7 * tags + 0.1 * rng.standard_normal(tags.shape), 0.01, 0.99)
    return lambda: confident_learning_multilabel(tags, probs)


def core_mixture() -> Work:
    from labelnoise.core.mixture import fit_gaussian_mixture

    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(0.3, 0.1, 40_000), rng.normal(1.5, 0.4, 10_000)])
    return lambda: fit_gaussian_mixture(losses)


def core_neighbours() -> Work:
    from labelnoise.core.neighbours import nearest_neighbours

    features = np.random.default_rng(0).standard_normal((3_000, 64)).astype(np.float32)
    return lambda: nearest_neighbours(features, 10)


def core_crowd() -> Work:
    from labelnoise.core.crowd import CROWD, Votes

    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(5_000), 3)
    label = (unit + (rng.random(len(unit)) < 0.2)) % 5
    votes = Votes.from_arrays(unit, (unit * 7 + np.tile([0, 11, 23], 5_000)) % 50, label)
    dawid_skene = CROWD["dawid-skene"].load()
    return lambda: dawid_skene(votes)


def verb(domain: str, *arguments: str) -> Callable[[], Work]:
    """A verb on the modality's embedded data, through the command line."""

    def prepared() -> Work:

        from labelnoise.core.cli import build_root, run

        folder = Path(tempfile.mkdtemp(prefix="labelnoise-budget-"))

        def call() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            parts = [part.replace("@", str(folder)) for part in arguments]
            with open(os.devnull, "w", encoding="utf-8") as silent, redirect_stdout(silent):
                code = run(build_root, [domain, *parts])
            if code:
                raise SystemExit(f"labelnoise {domain} {' '.join(parts)} ended with {code}")

        return call

    return prepared


WORK: dict[str, Callable[[], Work]] = {
    "core: confident learning, 50,000 x 10": core_selection,
    "core: confident learning, tags, 5,000 x 40": core_tags,
    "core: Gaussian mixture, 50,000 losses": core_mixture,
    "core: nearest neighbours, 3,000 x 64": core_neighbours,
    "core: Dawid-Skene, 15,000 votes": core_crowd,
}
#: A noise kind and methods per modality that takes a second or two, and a short training.
_QUICK = {
    "text": ("mixed", "calibrated", "plain", ()),
    "graph": ("symmetric", "graphcleaner", "sgc-lr", ()),
    "audio": ("symmetric", "calibrated", "plain", ("--set", "epochs=1")),
    "segmentation": ("displacement", "confident-learning", "plain", ("--set", "epochs=1")),
}
for _name, (_kind, _detector, _trainer, _options) in _QUICK.items():
    WORK[f"{_name}: corrupt"] = verb(_name, "corrupt", "--kind", _kind, "--rate", "0.1", "--out", "@/noisy")
    _extra = ("--set", "epochs=1") if _name == "segmentation" else ()
    WORK[f"{_name}: detect"] = verb(_name, "detect", "--method", _detector, *_extra, "--out", "@/issues.csv")
    WORK[f"{_name}: train"] = verb(_name, "train", "--method", _trainer, *_options, "--out", "@/p.csv")


def _counted(work: Work) -> int:
    """Functions entered from lines of this package."""
    count = 0

    def watch(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        caller = frame if event == "c_call" else frame.f_back if event == "call" else None
        if caller is not None and caller.f_code.co_filename.startswith(PACKAGE):
            count += 1

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def measure(name: str) -> dict[str, float]:
    """The costs of a piece of work, its second and third run."""
    work = WORK[name]()
    work()
    calls = _counted(work)
    gc.collect()
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"calls": calls, "mib": round(peak / 2**20, 2)}


def in_fresh_process(name: str) -> dict[str, float]:
    """`measure` where nothing was cached before."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as cache:
        environment["LABELNOISE_CACHE"] = cache
        done = subprocess.run(
            [sys.executable, __file__, "--measure", name], capture_output=True, text=True, env=environment
        )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def over_budget(now: dict[str, float], budget: dict[str, float]) -> list[str]:
    """The costs that grew by more than allowed."""
    grown = []
    for what, allowed in budget.items():
        small = what == "mib" and now[what] < LEAST_MIB
        if now[what] > GROWTH * allowed and not small:
            grown.append(f"{what} {allowed:,g} -> {now[what]:,g} ({now[what] / max(allowed, 1e-9):.2f}x)")
    return grown


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="work whose name contains this")
    parser.add_argument("--write", action="store_true", help="make what is measured the budget")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return 0
    budget = json.loads(BUDGET.read_text(encoding="utf-8")) if BUDGET.exists() else {}
    failed = False
    for name in (name for name in WORK if asked.only in name):
        now = in_fresh_process(name)
        line = f"{name:<45}{now['calls']:>12,} calls {now['mib']:>9,.2f} MiB"
        if asked.write:
            budget[name] = now
        elif name not in budget:
            line, failed = line + "  has no budget: --write gives it one", True
        elif grown := over_budget(now, budget[name]):
            line, failed = line + "  ABOVE BUDGET: " + ", ".join(grown), True
        print(line, flush=True)
        if asked.write:
            kept = {known: budget[known] for known in WORK if known in budget}
            BUDGET.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
