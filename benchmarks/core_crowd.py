"""Dawid-Skene, ours against crowd-kit: CPU seconds and answers; and the accuracy of every crowd method.

    python benchmarks/core_crowd.py            # 1e5 units x 3 votes x 10 classes
    python benchmarks/core_crowd.py --quick    # a tenth of the units

One process, one thread (set OMP_NUM_THREADS=1). CPU seconds are the least of the repeats, both sides run
the same number of rounds from votes in the form each asks for. Crowds are simulated with one accuracy per
annotator (normal, mean 0.6, standard deviation 0.2). "even": wrong votes are spread over the classes, so
the one-coin model is true; "own": each annotator has one favourite mistake per class, so Dawid-Skene is.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from labelnoise.core.crowd import CROWD, Votes
from labelnoise.core.noise_annotators import annotator_transitions

TARGET = 1.5


def crowd(
    n: int, k: int, annotators: int, seed: int, *, per_unit: int = 3, own: bool = False
) -> tuple[Any, Votes, Any]:
    """True classes, votes and transitions, drawn without a matrix (units, annotators)."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    transitions = annotator_transitions(annotators, k, seed, mean=0.6, std=0.2)
    if own:
        to = (np.arange(k) + rng.integers(1, k, (annotators, k))) % k
        right = transitions[:, 0, 0]
        transitions = right[:, None, None] * np.eye(k) + (1.0 - right)[:, None, None] * np.eye(k)[to]
    who = (
        rng.integers(0, annotators, n)[:, None] + np.arange(per_unit) * (annotators // per_unit)
    ) % annotators
    unit = np.repeat(np.arange(n), per_unit)
    who = who.ravel()
    cut = transitions.cumsum(axis=2)[who, true[unit]]
    said = np.minimum((rng.random(len(who))[:, None] > cut).sum(axis=1), k - 1)
    return (
        true,
        Votes.from_arrays(unit, who, said, n_units=n, n_annotators=annotators, n_classes=k),
        transitions,
    )


def least_cpu(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def against_crowd_kit(n: int, repeats: int) -> bool:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    warnings.simplefilter("ignore")
    met = True
    dawid_skene = CROWD["dawid-skene"].load()
    print(
        f"{'units':>8}{'annotators':>12}{'rounds':>8}{'cpu s':>9}{'crowd-kit':>11}{'faster':>9}{'largest gap':>13}"
    )
    for annotators, rounds in ((100, 10), (1000, 10)):
        _, votes, _ = crowd(n, 10, annotators, 0)
        frame = pd.DataFrame({"task": votes.unit, "worker": votes.annotator, "label": votes.label})
        ours, result = least_cpu(
            lambda v=votes, r=rounds: dawid_skene(v, smoothing=(0, 0), iterations=r, tol=0), repeats
        )
        peer, table = least_cpu(
            lambda f=frame, r=rounds: DawidSkene(r, tol=-np.inf).fit_predict_proba(f), max(1, repeats - 1)
        )
        gap = np.abs(result.posterior - table.sort_index().sort_index(axis=1).to_numpy()).max()
        met &= peer / ours >= TARGET and gap < 1e-6
        print(
            f"{n:>8}{annotators:>12}{rounds:>8}{ours:>9.3f}{peer:>11.3f}{peer / ours:>8.1f}x{gap:>13.1e}",
            flush=True,
        )
    return met


def accuracies(seeds: int, own: bool) -> None:
    title = f"2,000 x 3 votes, 10 classes, {'own' if own else 'even'}"
    print(f"\n{title:<36}{'votes each':>11}{'right':>8}{'mean top p':>12}{'cpu s':>8}")
    for annotators in (10, 40, 150, 600):
        runs: dict[str, list[tuple[float, float, float]]] = {}
        for seed in range(seeds):
            true, votes, _ = crowd(2000, 10, annotators, seed, own=own)
            methods: dict[str, Callable[[], Any]] = {
                name: partial(CROWD[name].load(), votes) for name in ("majority", "one-coin", "dawid-skene")
            }
            for smoothing in ((0, 0), (1, 9)):
                methods[f"dawid-skene, smoothing {smoothing}"] = partial(
                    CROWD["dawid-skene"].load(), votes, smoothing=smoothing
                )
            for name, call in methods.items():
                cpu, result = least_cpu(call, 1)
                right = float((result.labels == true).mean())
                runs.setdefault(name, []).append((right, float(result.posterior.max(axis=1).mean()), cpu))
        for name, rows in runs.items():
            right, top, cpu = np.mean(rows, axis=0)
            print(f"{name:<36}{6000 // annotators:>11}{right:>8.3f}{top:>12.3f}{cpu:>8.3f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the units, target not judged")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the target is missed")
    parser.add_argument("--cost", action="store_true", help="only the cost beside crowd-kit")
    options = parser.parse_args()
    met = against_crowd_kit(10_000 if options.quick else 100_000, 2)
    if not options.quick:
        print(f"target >= {TARGET:g}x and the same answers: {'met' if met else 'MISSED'}")
    for own in () if options.cost else (False, True):
        accuracies(2 if options.quick else 5, own)
    return int(options.check and not options.quick and not met)


if __name__ == "__main__":
    raise SystemExit(main())
