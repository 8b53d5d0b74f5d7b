"""How well wrong classes of ESC-50 clips are found, from vectors in a .npy file or from log-mel statistics.

Needs $LABELNOISE_DATA with audio/esc50_fold4 and audio/esc50_crowd. Prints one JSON line per noise and seed:

    python experiments/audio_detection.py [--embeddings VECTORS.npy] [--seeds 10] [--subsets] [--outside]
    python experiments/audio_detection.py --crowd [--embeddings VECTORS.npy]
    python experiments/audio_detection.py --cnn 40 [--seeds 3]        (a network on log-mel crops, epochs; no vectors)
    python experiments/audio_detection.py --scale 10000

VECTORS.npy holds one row per clip of meta.csv, in its order.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score as auroc

from labelnoise.audio.calibrated import detect_calibrated, detect_confident_learning
from labelnoise.audio.crowd import clip_consensus, crowd_times_model
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.embedding import clip_embeddings
from labelnoise.audio.esc50 import read_esc50, read_esc50_votes
from labelnoise.audio.train_methods import train_audio
from labelnoise.core.crossval import fold_ids
from labelnoise.core.detection import Detection
from labelnoise.core.random import generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embeddings")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--subsets", action="store_true", help="3 to 8 clips of every class")
    parser.add_argument(
        "--outside", action="store_true", help="sounds of ten classes that leave, under other labels"
    )
    parser.add_argument(
        "--crowd", action="store_true", help="listeners' votes on these clips, with and without sound"
    )
    parser.add_argument(
        "--cnn", type=int, default=0, help="judge by the small network, trained so many epochs, out of fold"
    )
    parser.add_argument("--scale", type=int, default=0, help="time so many generated clips instead")
    arguments = parser.parse_args()
    if arguments.scale:
        print(json.dumps(at_scale(arguments.scale)))
        return
    root = Path(os.environ["LABELNOISE_DATA"]) / "audio"
    data = read_esc50(root / "esc50_fold4")
    vectors = None if arguments.cnn else clip_embeddings(data, arguments.embeddings)
    fold = np.flatnonzero(data.splits["fold-4"])
    if arguments.crowd:
        votes = root / "esc50_crowd" / "annotations.csv"
        print(json.dumps(crowd(data.take(fold), vectors[fold], votes)))
        return
    if arguments.outside:
        for share, swapped in ((0.15, 0.0), (0.15, 0.15), (0.0, 0.3)):
            for seed in range(arguments.seeds):
                print(json.dumps(outside(data.take(fold), vectors[fold], share, swapped, seed)), flush=True)
        return
    kinds = {
        "symmetric": {},
        "human-confusion": {"matrix": str(root / "esc50_crowd" / "confusion_counts.csv")},
    }
    for kind, options in kinds.items():
        for seed in range(arguments.seeds):
            rows = uneven(data, fold, seed) if arguments.subsets else fold
            if vectors is None:
                row = by_network(data.take(rows), arguments.cnn, kind, arguments.rate, seed, options)
                print(json.dumps(row), flush=True)
                continue
            row = one(data.take(rows), vectors[rows], kind, arguments.rate, seed, options)
            print(json.dumps(row), flush=True)


def uneven(data: AudioDataset, rows: np.ndarray, seed: int) -> np.ndarray:
    """Three to eight clips of every class: the size of a class no longer tells how many were added to it."""
    rng = generator(seed, "uneven")
    chosen = []
    for c in range(data.n_classes):
        members = rows[data.given[rows] == c]
        chosen.append(rng.permutation(members)[: rng.integers(3, 9)])
    return np.sort(np.concatenate(chosen))


def one(data: AudioDataset, vectors: np.ndarray, kind: str, rate: float, seed: int, options: dict) -> dict:
    """Corrupt, detect, compare."""
    noisy, made = AudioDomain().corrupt(data, kind=kind, rate=rate, seed=seed, **options)
    started = time.process_time()
    found = judged(noisy, vectors, detect_calibrated, seed)
    seconds = time.process_time() - started
    plain = judged(noisy, vectors, detect_confident_learning, seed)
    wrong = made.changed
    hit = found.flagged & wrong
    return {
        "noise": kind,
        "seed": seed,
        "clips": data.n_clips,
        "wrong": int(wrong.sum()),
        "auroc": round(auroc(wrong, found.p_wrong), 4),
        "count_ratio": round(found.count.expected / max(int(wrong.sum()), 1), 3),
        "interval": [round(found.count.low, 1), round(found.count.high, 1)],
        "precision": round(hit.sum() / max(found.flagged.sum(), 1), 3),
        "recall": round(hit.sum() / max(wrong.sum(), 1), 3),
        "suggestion_right": round(float((found.suggested == data.given)[hit].mean()), 3)
        if hit.any()
        else None,
        "confident_auroc": round(auroc(wrong, 1 - plain.quality), 4),
        "confident_f1": round(2 * (plain.flagged & wrong).sum() / (plain.flagged.sum() + wrong.sum()), 3),
        "cpu_seconds": round(seconds, 2),
    }


def by_network(data: AudioDataset, epochs: int, kind: str, rate: float, seed: int, options: dict) -> dict:
    """Corrupt, train the small network on four fifths of the recordings at a time, rank by the given label's probability."""
    noisy, made = AudioDomain().corrupt(data, kind=kind, rate=rate, seed=seed, **options)
    blind = replace(noisy, true=None, splits={})
    started = time.process_time()
    folds = fold_ids(blind.given, 5, seed=seed, groups=blind.recording_codes())
    probs = np.zeros((data.n_clips, data.n_classes))
    for fold in range(5):
        held = folds == fold
        trained = train_audio(
            replace(blind, splits={"train": ~held, "test": held}), "plain", seed, epochs=epochs
        )
        probs[held] = trained.probs[held]
    right = probs.argmax(axis=1) == data.given
    return {
        "noise": kind,
        "seed": seed,
        "auroc": round(auroc(made.changed, -probs[np.arange(len(probs)), noisy.given]), 4),
        "accuracy": round(float(right.mean()), 3),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def judged(data: AudioDataset, vectors: np.ndarray, detect: Callable[..., Detection], seed: int) -> Detection:
    """The answer of a detector that reads vectors from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, vectors)
        return detect(data, seed, embeddings=str(path))


def outside(data: AudioDataset, vectors: np.ndarray, share: float, swapped: float, seed: int) -> dict:
    """Ten classes leave; their sounds take the place of a share of the others', and some labels are swapped."""
    rng = generator(seed, "outside")
    given, recording, k = np.asarray(data.given), data.recording_codes(), data.n_classes
    gone = rng.permutation(k)[:10]
    kept, spare = np.flatnonzero(~np.isin(given, gone)), rng.permutation(np.flatnonzero(np.isin(given, gone)))
    n, order = len(kept), rng.permutation(len(kept))
    strange, wrong = order[: round(share * n)], order[round(share * n) :][: round(swapped * n)]
    sound = kept.copy()
    sound[strange] = spare[: len(strange)]
    names = np.setdiff1d(np.arange(k), gone)
    label = np.searchsorted(names, given[kept])
    label[wrong] = (label[wrong] + rng.integers(1, len(names), len(wrong))) % len(names)
    clips = AudioDataset.single(
        label,
        [data.class_names[c] for c in names],
        files=[str(i) for i in range(n)],
        recordings=recording[sound],
    )
    found = judged(clips, vectors[sound], detect_calibrated, seed)
    is_outside, bad = np.isin(np.arange(n), strange), np.isin(np.arange(n), [*strange, *wrong])
    named = found.evidence["kind"] == "out-of-vocabulary"
    return {
        "outside": int(is_outside.sum()),
        "swapped": len(wrong),
        "seed": seed,
        "auroc_wrong": round(auroc(bad, found.p_wrong), 4),
        "auroc_outside": round(auroc(is_outside, found.evidence["outside"]), 4) if is_outside.any() else None,
        "count_ratio": round(found.count.expected / bad.sum(), 3),
        "outside_flagged": int((found.flagged & is_outside).sum()),
        "named": int(named.sum()),
        "named_rightly": int((named & is_outside).sum()),
    }


def crowd(data: AudioDataset, vectors: np.ndarray, path: Path) -> dict:
    """Accuracy and calibration of the votes' consensus, and of it times a model of the sound."""
    votes = read_esc50_votes(path, data)
    _, heard = clip_consensus(data, votes)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        np.save(file, vectors)
        joint = crowd_times_model(data, votes, embeddings=str(file))
    rows = {}
    for name, p in (("consensus", heard.posterior), ("crowd x model", joint)):
        right = p.argmax(axis=1) == data.given
        bins = np.array_split(np.argsort(p.max(axis=1), kind="stable"), 10)
        gaps = [abs(float(right[b].mean() - p.max(axis=1)[b].mean())) * len(b) for b in bins]
        own = p[np.arange(len(p)), data.given]
        rows[name] = {
            "accuracy": round(float(right.mean()), 4),
            "ece": round(sum(gaps) / len(p), 4),
            "nll": round(float(-np.log(np.maximum(own, 1e-12)).mean()), 4),
        }
    return {"clips": data.n_clips, **rows}


def at_scale(n: int) -> dict:
    """Generated vectors of 50 classes, 20% of the labels wrong."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 50, n)
    vectors = rng.normal(size=(50, 1024))[true] + 4.0 * rng.normal(size=(n, 1024))
    wrong = rng.random(n) < 0.2
    given = np.where(wrong, (true + rng.integers(1, 50, n)) % 50, true)
    clips = AudioDataset.single(
        given,
        [f"class {c}" for c in range(50)],
        files=[f"{i}.wav" for i in range(n)],
        recordings=np.arange(n) // 2,
    )
    started = time.process_time()
    found = judged(clips, vectors, detect_calibrated, 0)
    return {
        "clips": n,
        "auroc": round(auroc(wrong, found.p_wrong), 4),
        "count_ratio": round(found.count.expected / wrong.sum(), 3),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


if __name__ == "__main__":
    main()
