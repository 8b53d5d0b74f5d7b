"""How trainers of tags do on mixtures of real sounds, with tags missing or swapped, and which one is chosen blindly.

    LABELNOISE_DATA=DIR python experiments/audio_mixtures.py make FOLDER [--seeds 0 1 2]
    python experiments/audio_yamnet.py FOLDER/SEED/yamnet.npy --folder FOLDER/SEED       # only for "yamnet"
    python experiments/audio_mixtures.py run FOLDER results.jsonl --inputs statistics yamnet cnn
    python experiments/audio_mixtures.py table results.jsonl

"make" writes 600 + 300 mixtures of 1 to 3 clips of ESC-50's fold 4, equally loud, for each seed; training and test
mixtures share no recording. "run" trains on the first 600 with all their tags, with 40% of them missing, or with 40%
swapped for others, by every method, and measures lwlrap on the other 300 with all their tags. The last epoch is
judged. Beside it stands lwlrap of held-out training mixtures against their tags as they are, of 2 folds (which share
single recordings): the method of those tried where it is highest is the row "chosen". Rows are appended one by one,
and those that the file has are not run again. CPU seconds are of the final training; those of "chosen" include all
held-out ones.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from labelnoise.audio.cache import cached_log_mel
from labelnoise.audio.chosen import held_out_measure
from labelnoise.audio.clip_task import pooled_log_mel
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.esc50 import read_esc50
from labelnoise.audio.evaluation import average_precision, lwlrap
from labelnoise.audio.teachers import held_out_scores
from labelnoise.audio.train_methods import train_audio
from labelnoise.core.noise_multilabel import missing_labels, swap_positives
from labelnoise.core.progress import track
from labelnoise.core.random import generator

TRAIN, TEST, RATE, NOISE, FOLDS = 600, 300, 16_000, 0.4, 2
LABELS = ("complete", "missing", "swapped")
#: What is chosen from; and what is measured beside it.
CANDIDATES = ("plain", "weak-negatives", "negative-target", "high-negative-target", "mixup")
OTHERS = ("lq", "soft-bootstrap", "loss-masking")
#: Epochs and step size by inputs.
SETTINGS: dict[str, dict[str, Any]] = {
    "statistics": {"network": "linear", "epochs": 40, "lr": 4e-3, "batch_size": 64},
    "yamnet": {"network": "linear", "epochs": 40, "lr": 5e-4, "batch_size": 64},
    "cnn": {"network": "cnn", "network_options": {"width": 64}, "epochs": 12, "lr": 5e-3, "batch_size": 32},
}


def make(folder: Path, seed: int) -> None:
    """Mixtures of one seed as files, and their tags."""
    esc = read_esc50(Path(os.environ["LABELNOISE_DATA"]) / "audio" / "esc50_fold4")
    assert esc.audio is not None
    rng = generator(seed, "mixtures")
    codes = esc.recording_codes()
    # Per class a third of the recordings, at least one, test.
    held_out = np.zeros(esc.n_clips, dtype=bool)
    for k in range(esc.n_classes):
        sources = rng.permutation(np.unique(codes[esc.given == k]))
        held_out |= np.isin(codes, sources[: max(len(sources) // 3, 1)])
    tags = np.zeros((TRAIN + TEST, esc.n_classes), dtype=np.int8)
    audio = esc.audio.at(RATE)
    home = folder / str(seed)
    home.mkdir(parents=True, exist_ok=True)
    for i in track(range(len(tags)), f"mixtures {seed}"):
        pool = np.flatnonzero(held_out if i >= TRAIN else ~held_out)
        parts = rng.choice(pool, rng.integers(1, 4), replace=False)
        tags[i, esc.given[parts]] = 1
        waves = [np.resize(audio[int(j)], 5 * RATE) for j in parts]
        mixed = sum(wave / max(float(np.sqrt((wave**2).mean())), 1e-4) for wave in waves) * 0.05
        soundfile.write(home / f"{i:04d}.wav", mixed / max(1.0, float(np.abs(mixed).max())), RATE)
    np.save(home / "tags.npy", tags)
    (home / "names.json").write_text(json.dumps(esc.class_names))


def mixtures(folder: Path, seed: int, labels: str) -> AudioDataset:
    """The mixtures of one seed, with the noise of training tags drawn from the same seed."""
    home = folder / str(seed)
    tags = np.load(home / "tags.npy")
    given = tags.copy()
    if labels == "missing":
        given[:TRAIN] = missing_labels(tags[:TRAIN], NOISE, seed).labels
    elif labels == "swapped":
        given[:TRAIN] = swap_positives(
            tags[:TRAIN], NOISE, seed, weights=np.ones((tags.shape[1],) * 2)
        ).labels
    files = sorted(home.glob("*.wav"))
    return AudioDataset.from_tags(
        given,
        json.loads((home / "names.json").read_text()),
        true=tags,
        files=[path.name for path in files],
        audio=LazyAudio(files, RATE),
    )


def measure(folder: Path, inputs: str, seed: int, labels: str, method: str) -> dict[str, Any]:
    """One method: lwlrap of the test mixtures, and of held-out training mixtures against their tags as they are."""
    data = mixtures(folder, seed, labels)
    assert data.true_tags is not None
    assert data.audio is not None
    first = np.arange(data.n_clips) < TRAIN
    options = dict(SETTINGS[inputs])
    if inputs == "statistics":
        options["embeddings"] = pooled_log_mel(cached_log_mel(data.audio))
    elif inputs == "yamnet":
        options["embeddings"] = np.load(folder / str(seed) / "yamnet.npy")
    if method == "loss-masking":
        options["folds"] = FOLDS
    started = time.process_time()
    made = train_audio(data, method, seed, splits={"train": first, "test": ~first}, **options)
    seconds = time.process_time() - started
    scores, truth = made.probs[:, 1].reshape(data.n_clips, -1)[~first], data.true_tags[~first]
    row = {
        "lwlrap": round(lwlrap(truth, scores).value, 4),
        "map": round(float(np.nanmean(average_precision(truth, scores))), 4),
        "cpu_seconds": round(seconds, 1),
    }
    # What is chosen for clean tags is not asked of the slow network.
    if method in CANDIDATES and not (inputs == "cnn" and labels == "complete"):
        started = time.process_time()
        held_out = held_out_scores(data, first, seed, folds=FOLDS, method=method, **options)
        row["held_out"] = round(held_out_measure(data, held_out, first), 4)
        row["cpu_seconds_held_out"] = round(time.process_time() - started, 1)
    return row


def run(
    folder: Path, path: Path, inputs: list[str], labels: list[str], seeds: list[int], methods: list[str]
) -> None:
    keys = ("inputs", "seed", "labels", "method")
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {tuple(row[key] for key in keys) for row in rows}
    jobs = [
        (i, seed, kind, method) for i in inputs for seed in seeds for kind in labels for method in methods
    ]
    for job in track([job for job in jobs if job not in done], "mixtures"):
        row = {**dict(zip(keys, job)), **measure(folder, *job)}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def table(path: Path) -> None:
    """Means over seeds, of the differences to "plain" with standard errors; and what is chosen."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for inputs, labels in sorted({(row["inputs"], row["labels"]) for row in rows}):
        mine = [row for row in rows if (row["inputs"], row["labels"]) == (inputs, labels)]
        seeds = sorted({row["seed"] for row in mine})
        of = {(row["method"], row["seed"]): row for row in mine}
        picks = {}
        for seed in seeds:
            tried = [row for row in mine if row["seed"] == seed and "held_out" in row]
            if len(tried) > 1:
                best = max(tried, key=lambda row: row["held_out"])
                picks[seed] = best["method"]
                seconds = best["cpu_seconds"] + sum(row["cpu_seconds_held_out"] for row in tried)
                of["chosen", seed] = {**best, "cpu_seconds": round(seconds, 1)}
        print(f"\n{inputs}, tags {labels}, seeds {seeds}; chosen: {picks}")
        for method in ("plain", *CANDIDATES[1:], *OTHERS, "chosen"):
            have = [seed for seed in seeds if (method, seed) in of]
            if not have:
                continue
            values = np.array([of[method, seed]["lwlrap"] for seed in have])
            gaps = np.array([of[method, s]["lwlrap"] - of["plain", s]["lwlrap"] for s in have])
            error = gaps.std(ddof=1) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
            held = np.mean([of[method, seed].get("held_out", np.nan) for seed in have])
            seconds = np.mean([of[method, seed]["cpu_seconds"] for seed in have])
            print(
                f"  {method:21} {values.mean():.3f}  {gaps.mean():+.3f} ± {error:.3f}  held out {held:.3f}  "
                f"{seconds:6.1f} s  n={len(have)}"
            )


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("make", "run", "table"))
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--inputs", nargs="+", choices=tuple(SETTINGS), default=["statistics"])
    parser.add_argument("--labels", nargs="+", choices=LABELS, default=list(LABELS))
    parser.add_argument("--methods", nargs="+", default=[*CANDIDATES, *OTHERS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    if arguments.what == "make":
        for seed in arguments.seeds:
            make(arguments.paths[0], seed)
    elif arguments.what == "run":
        run(*arguments.paths, arguments.inputs, arguments.labels, arguments.seeds, arguments.methods)
    else:
        table(arguments.paths[0])


if __name__ == "__main__":
    main()
