"""Counts, false alarms and calibration of the two calibrated answers of the core, on digits with planted noise.

python experiments/core_calibrated.py features [--seeds 100,101,102,103,104] [--units 600] [--kinds pair]
python experiments/core_calibrated.py scores   [--seeds 100,101,102,103,104] [--units 900] [--kinds pair]

Noise "similar" sends errors where class means are alike (exp(6 cos)). The truth is used to score the answers only.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from labelnoise.core.calibrated import calibrate_scores
from labelnoise.core.crossval import out_of_fold
from labelnoise.core.decision import decide
from labelnoise.core.from_features import detect_from_features
from labelnoise.core.noise import corrupt, pair_transition, symmetric_transition

SETTINGS = [("none", 0.0)] + [
    (kind, rate) for kind in ("symmetric", "similar", "pair") for rate in (0.05, 0.1, 0.2, 0.3, 0.4)
]
COLUMNS = "count/true covered AUROC(1-p) AUROC F1 FDR@.1 recall@.1 ECE suggestion CPU-s"


def transition(kind: str, rate: float, X: np.ndarray, true: np.ndarray) -> np.ndarray:
    if kind == "pair":
        return pair_transition(10, rate)
    if kind != "similar":
        return symmetric_transition(10, rate)
    means = np.stack([np.sqrt(X[true == c]).mean(axis=0) for c in range(10)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    similar = np.exp(6 * means @ means.T)
    np.fill_diagonal(similar, 0.0)
    return (1 - rate) * np.eye(10) + rate * similar / similar.sum(axis=1, keepdims=True)


def calibration_error(wrong: np.ndarray, p: np.ndarray) -> float:
    parts = np.array_split(np.argsort(p, kind="stable"), 10)
    return sum(len(part) * abs(p[part].mean() - wrong[part].mean()) for part in parts) / len(p)


def one(answer: str, X: np.ndarray, true: np.ndarray, given: np.ndarray, seed: int) -> list[float]:
    wrong = given != true
    if answer == "features":
        started = time.process_time()
        found = detect_from_features(X, given, seed=seed)
        own = found.evidence["p_given"]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            probs = out_of_fold(LogisticRegression(C=1.0, max_iter=60), X / 16, given, seed=seed)
        own = probs[np.arange(len(given)), given]
        started = time.process_time()
        found = calibrate_scores(given, probs, seed=seed)
    spent = time.process_time() - started
    flagged, safe = found.flagged, decide(found.p_wrong, rule="fdr", fdr=0.1)
    hits = flagged & wrong
    mixed = wrong.any()
    return [
        found.count.expected / wrong.sum() if mixed else found.count.expected,
        found.count.low <= wrong.sum() <= found.count.high,
        roc_auc_score(wrong, -own) if mixed else np.nan,
        roc_auc_score(wrong, found.p_wrong) if mixed else np.nan,
        2 * hits.sum() / max(flagged.sum() + wrong.sum(), 1) if mixed else flagged.sum(),
        (safe & ~wrong).sum() / max(safe.sum(), 1),
        (safe & wrong).sum() / max(wrong.sum(), 1),
        calibration_error(wrong, found.p_wrong),
        (found.suggested == true)[hits].mean() if hits.any() else np.nan,
        spent,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("answer", choices=["features", "scores"])
    parser.add_argument("--seeds", default="100,101,102,103,104")
    parser.add_argument("--units", type=int)
    parser.add_argument("--kinds", default="none,symmetric,similar,pair")
    options = parser.parse_args()
    n = options.units or (600 if options.answer == "features" else 900)
    data = load_digits()
    print(COLUMNS, "| count/true per seed (without noise: count, and flags under F1)")
    for kind, rate in (setting for setting in SETTINGS if setting[0] in options.kinds.split(",")):
        rows = []
        for seed in map(int, options.seeds.split(",")):
            chosen = np.random.default_rng(seed + 1000).permutation(len(data.target))[:n]
            X, true = data.data[chosen], data.target[chosen]
            given = corrupt(true, transition(kind, rate, X, true), seed).labels
            rows.append(one(options.answer, X, true, given, seed))
        mean = " ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
        print(f"{kind} {rate}: {mean} | " + " ".join(f"{row[0]:.2f}" for row in rows), flush=True)


if __name__ == "__main__":
    main()
