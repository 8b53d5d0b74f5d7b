"""A folder of very many files, from the disk to a list of issues: CPU seconds and the largest memory.

    python benchmarks/streams.py audio [--files 100000]           # sparse WAV files of one second
    python benchmarks/streams.py segmentation [--files 100000]    # PNG masks of 32 x 32

Run it where the package can be imported. One thread; files are made in a temporary folder, which is deleted. "audio" reads
the folder, computes features of every clip and judges every label. "segmentation" reads every mask and audits the pixels
against probabilities that are computed image by image. A tenth of the files is measured first, so that what grows shows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

RATE, CLASSES, SIDE = 16_000, 10, 32


def make_clips(folder: Path, n: int) -> None:
    """WAV files that are holes but for a tone in the first tenth of a second, its pitch by class; a tenth is wrong."""
    size = 2 * RATE
    header = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data" + struct.pack("<I", size)
    steps = np.arange(RATE // 10)
    rng = np.random.default_rng(0)
    (folder / "audio").mkdir()
    rows = ["file,label"]
    for i in range(n):
        tone = 8_000 * np.sin(2 * np.pi * 200 * 1.4 ** (i % CLASSES) / RATE * steps)
        noisy = tone + 2_000 * rng.standard_normal(len(steps))
        with open(folder / "audio" / f"{i}.wav", "wb") as file:
            file.write(header + noisy.astype("<i2").tobytes())
            file.truncate(len(header) + size)
        label = (i + (1 + i // 10) * (i % 97 < 10)) % CLASSES
        rows.append(f"{i}.wav,tone {label}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")


def make_masks(folder: Path, n: int) -> None:
    """A disc of one of two classes in each mask; one in 97 has the other class."""
    from labelnoise.segmentation.images import write_png

    (folder / "masks").mkdir()
    rows, cols = np.mgrid[:SIDE, :SIDE]
    shapes = [((rows - 16) ** 2 + (cols - 16) ** 2 < r**2) * (1 + r % 2) for r in range(4, 14)]
    for i in range(n):
        drawn = shapes[i % len(shapes)]
        drawn = np.where(drawn > 0, 3 - drawn, 0) if i % 97 == 0 else drawn
        write_png(drawn.astype(np.uint8), folder / "masks" / f"{i:06d}.png")
    (folder / "classes.txt").write_text("background\nodd\neven\n")


def judge_clips(folder: Path) -> int:
    """How many labels are flagged."""
    from labelnoise.core.domain import get_domain

    domain = get_domain("audio")
    return int(domain.detect(domain.load(str(folder)), method="confident-learning", seed=0).flagged.sum())


def judge_masks(folder: Path) -> int:
    """How many pixels are flagged."""
    from labelnoise.segmentation.files import read_masks
    from labelnoise.segmentation.pixel_audit import audit_pixels

    data = read_masks(folder)

    def probs(image: int) -> np.ndarray:
        mask, rng = data.mask(image), np.random.default_rng(image)
        if image % 97 == 0:
            mask = np.where(mask > 0, 3 - mask, 0)
        found = rng.random((3, *mask.shape), dtype=np.float32)
        for c in range(3):
            found[c][mask == c] += 4
        return found / found.sum(axis=0)

    return int(audit_pixels(data, probs).flagged.sum())


def judged(what: str, folder: Path) -> dict[str, float]:
    """Run in a fresh process."""
    started = time.process_time()
    flagged = {"audio": judge_clips, "segmentation": judge_masks}[what](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "flagged": flagged,
        "cpu_seconds": round(time.process_time() - started, 1),
        "peak_mib": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("audio", "segmentation"))
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.judge:
        print(json.dumps(judged(asked.what, asked.judge)))
        return
    for n in (asked.files // 10, asked.files):
        with tempfile.TemporaryDirectory(prefix="labelnoise-streams-") as folder:
            at = Path(folder) / "data"
            at.mkdir()
            {"audio": make_clips, "segmentation": make_masks}[asked.what](at, n)
            environment = {**os.environ, "LABELNOISE_CACHE": str(Path(folder) / "cache")}
            call = [sys.executable, __file__, asked.what, "--judge", str(at)]
            done = subprocess.run(call, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
            print(json.dumps({"files": n, **json.loads(done.stdout.splitlines()[-1])}), flush=True)


if __name__ == "__main__":
    main()
