"""How trainers of clips do under wrong labels of synthesised events; for tags see audio_mixtures.py.

Usage:
    python experiments/audio_training.py events results.jsonl
    python experiments/audio_training.py table results.jsonl

Rows are appended one by one and those that a file has are not run again. The last epoch is judged, test labels are
clean, and no validation split chooses anything: 200 clips train with 30% wrong labels (half of them the class that
sounds alike), 300 test; another draw of sounds and errors per seed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.audio.embedded import events
from labelnoise.audio.train_methods import train_audio
from labelnoise.core.progress import track

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
PER_CLASS, TRAIN_PER_CLASS = 50, 20


def event_rows(seed: int, method: str) -> dict[str, Any]:
    data = events(PER_CLASS, wrong=0.3, seed=seed)
    first = np.arange(data.n_clips) // 10 < TRAIN_PER_CLASS
    made = train_audio(data, method, seed, splits={"train": first, "test": ~first}, epochs=30)
    return {"accuracy": round(made.accuracy(data.true, ~first), 4)}


def main(part: str, path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if part == "table":
        table(rows)
        return
    if part != "events":
        raise SystemExit(f"There is no part {part!r}; 'events' and 'table' are there.")
    jobs = [{"seed": seed, "method": method} for seed in range(3) for method in EVENTS]
    jobs.sort(key=lambda job: job["method"] == "self-refining")
    done = [{key: row.get(key) for key in jobs[0]} for row in rows if row["part"] == part]
    for job in track([job for job in jobs if job not in done], part):
        started = time.process_time()
        found = event_rows(**job)
        row = {"part": part, **job, **found, "cpu_seconds": round(time.process_time() - started, 1)}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]]) -> None:
    """Mean and standard error over seeds, and of the difference to "plain" on the same draws."""
    groups: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["method"], {})[row["seed"]] = row
    plain = groups.get("plain", {})
    for method, found in groups.items():
        values = 100 * np.array([row["accuracy"] for row in found.values()])
        gaps = 100 * np.array([found[s]["accuracy"] - plain[s]["accuracy"] for s in found if s in plain])
        error = gaps.std(ddof=1) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
        gap = f"({gaps.mean():+5.1f} ± {error:3.1f})" if len(gaps) else ""
        seconds = np.mean([row["cpu_seconds"] for row in found.values()])
        print(f"{method:18} n={len(found)}  accuracy {values.mean():5.1f} {gap}  {seconds:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
