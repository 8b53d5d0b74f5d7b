"""How trainers of clips do under wrong labels of synthesised events, and under missing tags of mixed ESC-50 clips.

Usage:
    python experiments/audio_training.py events results.jsonl
    LABELNOISE_DATA=DIR python experiments/audio_training.py tags results.jsonl
    python experiments/audio_training.py table results.jsonl

Rows are appended one by one and those that a file has are not run again. The last epoch is judged, test labels are
clean, and no validation split chooses anything. "events": 200 clips train with 30% wrong labels (half of them the
class that sounds alike), 300 test; another draw of sounds and errors per seed. "tags": 400 mixtures of 1 to 3 ESC-50
clips train with 40% of their tags missing, 200 mixtures of other recordings test; another draw of mixtures and of
missing tags per seed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.embedded import events
from labelnoise.audio.esc50 import read_esc50
from labelnoise.audio.evaluation import average_precision, lwlrap
from labelnoise.audio.train_methods import train_audio
from labelnoise.core.progress import track
from labelnoise.core.random import generator

EVENTS = (
    "plain",
    "lq",
    "ousm",
    "or-gate",
    "outlier-rejection",
    "soft-bootstrap",
    "class-smoothing",
    "mixup",
    "cnn+elr",
    "self-refining",
)
TAGS = ("plain", "weak-negatives", "negative-target", "loss-masking", "lq")
PER_CLASS, TRAIN_PER_CLASS, TRAIN_MIXTURES, TEST_MIXTURES = 50, 20, 400, 200


def event_rows(seed: int, method: str) -> dict[str, Any]:
    data = events(PER_CLASS, wrong=0.3, seed=seed)
    first = np.arange(data.n_clips) // 10 < TRAIN_PER_CLASS
    made = train_audio(data, method, seed, splits={"train": first, "test": ~first}, epochs=30)
    return {"accuracy": round(made.accuracy(data.true, ~first), 4)}


def mixtures(seed: int) -> AudioDataset:
    """Mixtures of ESC-50 clips; training ones never share a recording with test ones."""
    esc = read_esc50(Path(os.environ["LABELNOISE_DATA"]) / "audio" / "esc50_fold4")
    assert esc.audio is not None
    rng = generator(seed, "mixtures")
    codes = esc.recording_codes()
    # Per class a third of the recordings, at least one, test.
    held_out = np.zeros(esc.n_clips, dtype=bool)
    for k in range(esc.n_classes):
        sources = rng.permutation(np.unique(codes[esc.given == k]))
        held_out |= np.isin(codes, sources[: max(len(sources) // 3, 1)])
    sources, tags = [], np.zeros((TRAIN_MIXTURES + TEST_MIXTURES, esc.n_classes), dtype=np.int8)
    for i in range(len(tags)):
        pool = np.flatnonzero(held_out if i >= TRAIN_MIXTURES else ~held_out)
        chosen = rng.choice(pool, rng.integers(1, 4), replace=False)
        sources.append(tuple(chosen.tolist()))
        tags[i, esc.given[chosen]] = 1
    audio = esc.audio.at(16000)

    def load(source: tuple[int, ...], rate: int) -> tuple[Any, int]:
        waves = [np.resize(audio[j], 5 * rate) for j in source]
        return (sum(w / max(float(np.sqrt((w**2).mean())), 1e-4) for w in waves) * 0.05).astype(
            np.float32
        ), rate

    missing = (tags == 1) & (rng.random(tags.shape) < 0.4)
    missing[TRAIN_MIXTURES:] = False
    return AudioDataset.from_tags(
        np.where(missing, 0, tags),
        esc.class_names,
        true=tags,
        files=[f"mix-{i}" for i in range(len(tags))],
        audio=LazyAudio(sources, 16000, load),
    )


def tag_rows(seed: int, method: str, network: str, labels: str) -> dict[str, Any]:
    data = mixtures(seed)
    if labels == "complete":
        data = data.with_labels(data.true)
    first = np.arange(data.n_clips) < TRAIN_MIXTURES
    made = train_audio(
        data,
        method,
        seed,
        splits={"train": first, "test": ~first},
        network=network,
        epochs=60 if network == "linear" else 25,
    )
    assert data.true_tags is not None
    scores, truth = made.probs[:, 1].reshape(data.n_clips, -1)[~first], data.true_tags[~first]
    return {
        "lwlrap": round(lwlrap(truth, scores).value, 4),
        "map": round(float(np.nanmean(average_precision(truth, scores))), 4),
    }


def main(part: str, path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if part == "table":
        table(rows)
        return
    jobs: list[dict[str, Any]]
    if part == "events":
        jobs = [{"seed": seed, "method": method} for seed in range(3) for method in EVENTS]
        jobs.sort(key=lambda job: job["method"] == "self-refining")
    else:
        jobs = [
            {"seed": seed, "method": method, "network": network, "labels": labels}
            for network, seeds in (("linear", 3), ("cnn", 1))
            for seed in range(seeds)
            for method, labels in [("plain", "complete"), *((name, "missing") for name in TAGS)]
        ]
    done = [{key: row.get(key) for key in jobs[0]} for row in rows if row["part"] == part]
    for job in track([job for job in jobs if job not in done], part):
        started = time.process_time()
        found = event_rows(**job) if part == "events" else tag_rows(**job)
        row = {"part": part, **job, **found, "cpu_seconds": round(time.process_time() - started, 1)}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]]) -> None:
    """Mean and standard error over seeds, and of the difference to "plain" on the same draws."""
    measures = ("accuracy", "lwlrap", "map")
    groups: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["part"], row.get("network"), row.get("labels"), row["method"]), {})[
            row["seed"]
        ] = row
    for key, found in groups.items():
        plain = groups.get((*key[:3], "plain"), {})
        parts = [f"{key[0]:7} {key[1] or '':7} {key[2] or '':9} {key[3]:18} n={len(found)}"]
        for measure in measures:
            if measure in next(iter(found.values())):
                values = 100 * np.array([row[measure] for row in found.values()])
                gaps = 100 * np.array([found[s][measure] - plain[s][measure] for s in found if s in plain])
                error = gaps.std(ddof=1) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
                gap = f"{gaps.mean():+5.1f} ± {error:3.1f}" if len(gaps) else ""
                parts.append(f"{measure} {values.mean():5.1f} ({gap})")
        parts.append(f"{np.mean([row['cpu_seconds'] for row in found.values()]):.1f} s")
        print("  ".join(parts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
