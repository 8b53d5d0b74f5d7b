"""What the training strategies save on a task that memorises: accuracy at the end and at its best, over seeds.

    python benchmarks/core_training.py                      # every strategy, five seeds
    python benchmarks/core_training.py --only elr --seeds 2

A network with one hidden layer of 256 on 1000 of scikit-learn's 1797 digits (8 x 8 pixels, real handwriting), of which
40% carry a random wrong label or 30% that of the next class, 200 epochs of Adam: plain cross-entropy ends more than ten
points under its early peak. The other 797 digits, true labels, are the test set. Accuracy is that of the last epoch,
so nothing looked at clean labels; "peak" is the best epoch on the test labels, which no strategy could have picked,
and shows how much was forgotten. Options are the defaults, except where a name says otherwise; "T known" is told the
true transition matrix, every other row estimates what it needs. "Shifted
views" gives plain training, DivideMix and CrossSplit digits moved by a pixel. "Better" is the mean difference to plain
training on the same seeds with its 95% interval. One thread, CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits

from labelnoise.core.noise_matrices import pair_transition, symmetric_transition
from labelnoise.core.noise_single import corrupt
from labelnoise.core.training import STRATEGIES
from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import Run, train
from labelnoise.core.training.result import predict
from labelnoise.core.training.task import accuracy

NOISES = {"symmetric 0.4": symmetric_transition(10, 0.4), "pair 0.3": pair_transition(10, 0.3)}
#: Rows that are no strategy of their own: name -> (strategy, options).
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain, shifted views": ("plain", {"augment": True}),
    "divide_mix, shifted views": ("divide_mix", {}),
    "divide_mix, no mixup": ("divide_mix", {"alpha": 0.0}),
    "cross_split, shifted views": ("cross_split", {}),
    "cross_split, no mixup": ("cross_split", {"alpha": 0.0}),
    "forward, T known": ("forward", {"transition": None}),
    "backward, T known": ("backward", {"transition": None}),
    "rent, T known": ("rent", {"transition": None}),
    "co_teaching, rate known": ("co_teaching", {"noise_rate": None}),
}


def task_of(transition: np.ndarray[Any, Any] | None, seed: int, *, views: bool = False) -> ArrayTask:
    """The digits with wrong labels; with views, strategies that ask for another view get a shifted digit."""
    pixels, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(digits))
    known, held = order[:1000], order[1000:]
    x = (pixels / 16).astype(np.float32)
    given = digits[known] if transition is None else corrupt(digits[known], transition, seed).labels
    return ArrayTask(
        x[known],
        given,
        test=(x[held], digits[held]),
        n_classes=10,
        batch_size=125,
        augment=shifted if views else None,
    )


def shifted(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Another view of flat 8 x 8 digits: each moved by at most one pixel."""
    padded = torch.nn.functional.pad(x.reshape(-1, 8, 8), (1, 1, 1, 1))
    dy, dx = (torch.from_numpy(rng.integers(0, 3, len(x))) for _ in range(2))
    rows = dy[:, None, None] + torch.arange(8)[None, :, None]
    columns = dx[:, None, None] + torch.arange(8)[None, None, :]
    return padded[torch.arange(len(x))[:, None, None], rows, columns].reshape(len(x), -1)


def one(
    strategy: str, noise: str | None, seed: int, epochs: int, *, views: bool, **options: Any
) -> dict[str, Any]:
    """Train once."""
    task = task_of(None if noise is None else NOISES[noise], seed, views=views)
    peak = 0.0

    def watch(run: Run) -> None:
        nonlocal peak
        peak = max(peak, accuracy(run.combined("test")))

    started = time.process_time()
    config = TrainConfig(epochs=epochs, lr=2e-3, seed=seed, device="cpu")
    result = train(task, strategy, config, callbacks=[watch], **options)
    last = accuracy([predict(result, task)])
    return {"last": last, "peak": peak, "cpu_s": time.process_time() - started, "log": result.history[-1]}


def rows(only: str, seeds: int, epochs: int) -> list[dict[str, Any]]:
    """Every strategy under both kinds of noise, and the oracle: plain training on the true labels."""
    table: list[dict[str, Any]] = []
    baseline: dict[str, np.ndarray[Any, Any]] = {}
    wanted: dict[str, tuple[str, dict[str, Any]]] = {"oracle (clean labels)": ("plain", {})}
    wanted |= {name: (name, {}) for name in STRATEGIES} | VARIANTS
    for name, (strategy, options) in wanted.items():
        if only not in name and name != "plain":
            continue
        for noise in [None] if name.startswith("oracle") else NOISES:
            told = dict(options)
            if "transition" in told and noise is not None:
                told["transition"] = NOISES[noise].tolist()
            if "noise_rate" in told and noise is not None:
                told["noise_rate"] = float(1 - np.diag(NOISES[noise]).mean())
            views = "views" in name
            runs = [one(strategy, noise, seed, epochs, views=views, **told) for seed in range(seeds)]
            last = np.array([run["last"] for run in runs])
            half = stats.t.ppf(0.975, seeds - 1) * stats.sem(last) if seeds > 1 else np.nan
            if name == "plain" and noise is not None:
                baseline[noise] = last
            gain = last - baseline[noise] if noise in baseline else np.full(seeds, np.nan)
            gain_half = stats.t.ppf(0.975, seeds - 1) * stats.sem(gain) if seeds > 1 else np.nan
            row = {
                "better": [float(gain.mean()), float(gain_half)],
                "strategy": name,
                "noise": noise or "none",
                "last": float(last.mean()),
                "interval": [float(last.mean() - half), float(last.mean() + half)],
                "peak": float(np.mean([run["peak"] for run in runs])),
                "cpu_s": float(np.mean([run["cpu_s"] for run in runs])),
                "seeds": last.tolist(),
            }
            table.append(row)
            print(
                f"{name:<32}{row['noise']:<16}{row['last']:.3f} ± {half:.3f}   peak {row['peak']:.3f}"
                f"   better {gain.mean():+.3f} ± {gain_half:.3f}   {row['cpu_s']:6.1f} s",
                flush=True,
            )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="strategies whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("labelnoise-results/core_training.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = rows(options.only, options.seeds, options.epochs)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    partial = options.out.with_suffix(".partial")
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    partial.write_text(json.dumps({**versions, "rows": table}, indent=1) + "\n")
    os.replace(partial, options.out)
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
