"""CPU seconds and resident memory of confident learning on memory maps that are read in chunks.

    python benchmarks/core_stream.py                         # 2 million units, also compared with all in memory
    python benchmarks/core_stream.py --units 100000000       # 0.9 GB of files, minutes

Run it where the package can be imported (installed, or PYTHONPATH set to the repository). One thread; Linux, whose
/proc tells kinds of memory apart. Labels (int8, int32 with more than 128 classes) and probabilities (float32) are
written to a temporary folder, which is deleted afterwards, and the mask is written there too unless --mask memory.
Each rule runs in a fresh process. "extra" is the peak of the resident memory, pages of the memory maps included,
beyond what the process held with the package imported and the files open; "own" is the same without pages of files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np


def write(folder: Path, n: int, k: int) -> None:
    """A model that is mostly right and labels of which a fifth is redrawn, a block at a time."""
    ids = np.int8 if k <= 128 else np.int32
    labels = np.lib.format.open_memmap(folder / "labels.npy", mode="w+", dtype=ids, shape=(n,))
    probs = np.lib.format.open_memmap(folder / "probs.npy", mode="w+", dtype=np.float32, shape=(n, k))
    rng = np.random.default_rng(0)
    step = max(1, (1 << 22) // k)
    for start in range(0, n, step):
        m = min(step, n - start)
        true = rng.integers(0, k, m)
        wrong = rng.random(m, dtype=np.float32) < 0.2
        labels[start : start + m] = np.where(wrong, rng.integers(0, k, m), true)
        logits = rng.standard_normal((m, k), dtype=np.float32)
        logits[np.arange(m), true] += 3
        np.exp(logits, out=logits)
        probs[start : start + m] = logits / logits.sum(axis=1, keepdims=True)
    labels.flush()
    probs.flush()


def resident(*kinds: str) -> int:
    """Bytes of this process in memory, of the kinds that Linux tells apart."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(fields[kind].split()[0]) for kind in kinds) * 1024


class Peak(threading.Thread):
    """Looks at the memory every few milliseconds: the kernel's own peak does not tell pages of files apart."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.own = max(self.own, resident("RssAnon"))


def measure(folder: Path, rule: str, ties: str, mask: str) -> dict[str, Any]:
    """One rule in this process."""
    from labelnoise.core.chunks import row_chunks
    from labelnoise.core.confident_chunks import confident_learning_chunks

    labels = np.load(folder / "labels.npy", mmap_mode="r")
    probs = np.load(folder / "probs.npy", mmap_mode="r")
    out = None
    if mask == "file":
        out = np.lib.format.open_memmap(folder / "mask.npy", mode="w+", dtype=np.bool_, shape=labels.shape)
    Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak starts again from here
    before, before_own = resident("VmRSS"), resident("RssAnon")
    peak = Peak()
    peak.start()
    cpu, wall = time.process_time(), time.perf_counter()
    result = confident_learning_chunks(row_chunks(labels, probs), rule=rule, ties=ties, out=out)  # type: ignore[arg-type]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak.over.set()
    peak.join()
    return {
        "rule": rule,
        "cpu_s": cpu,
        "wall_s": wall,
        "extra_mib": (resident("VmHWM") - before) / 2**20,
        "own_mib": (peak.own - before_own) / 2**20,
        "flagged": int(np.count_nonzero(result)),
    }


def in_memory(folder: Path, rule: str, ties: str) -> dict[str, Any]:
    """The same by `confident_learning`, and whether the mask on file is the same."""
    from labelnoise.core.confident_learning import confident_learning

    labels, probs = np.load(folder / "labels.npy"), np.load(folder / "probs.npy")
    cpu = time.process_time()
    expected = confident_learning(labels, probs, rule=rule, ties=ties)  # type: ignore[arg-type]
    cpu = time.process_time() - cpu
    same = bool(np.array_equal(expected, np.load(folder / "mask.npy")))
    return {"in_memory_cpu_s": cpu, "same": same}


def fresh(folder: Path, *what: str) -> dict[str, Any]:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--measure", str(folder), *what]
    done = subprocess.run(
        command, env={**os.environ, **one_thread}, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> int:
    from labelnoise.core.confident_learning import RULES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=2_000_000)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--rules", default=",".join(RULES), help="names, with commas between")
    parser.add_argument("--ties", choices=("first", "numpy"), default="first")
    parser.add_argument("--mask", choices=("file", "memory"), default="file")
    parser.add_argument("--compare", type=int, default=5_000_000, help="compare up to so many units")
    parser.add_argument("--folder", type=Path, default=None, help="where to make the temporary folder")
    parser.add_argument("--out", type=Path, default=Path("labelnoise-results/core_stream.json"))
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, what, rule, ties, mask = options.measure
        if what == "stream":
            print(json.dumps(measure(Path(folder), rule, ties, mask)))
        else:
            print(json.dumps(in_memory(Path(folder), rule, ties)))
        return 0

    rows = []
    compare = options.units <= options.compare and options.mask == "file"
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        start = time.process_time()
        write(folder, options.units, options.classes)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
        print(f"{size:.0f} MiB written in {time.process_time() - start:.1f} CPU seconds")
        print(
            f"{'rule':<24}{'cpu s':>8}{'wall s':>8}{'extra MiB':>11}{'own MiB':>9}{'flagged':>11}", flush=True
        )
        for rule in options.rules.split(","):
            row = fresh(folder, "stream", rule, options.ties, options.mask)
            line = f"{rule:<24}{row['cpu_s']:>8.1f}{row['wall_s']:>8.1f}{row['extra_mib']:>11.0f}"
            line += f"{row['own_mib']:>9.0f}{row['flagged']:>11}"
            if compare:
                row |= fresh(folder, "memory", rule, options.ties, options.mask)
                same = "the same mask" if row["same"] else "ANOTHER MASK"
                line += f"   in memory {row['in_memory_cpu_s']:.1f} s, {same}"
            rows.append(row)
            print(line, flush=True)
    report = {
        "units": options.units,
        "classes": options.classes,
        "files_mib": size,
        "ties": options.ties,
        "mask": options.mask,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    partial = options.out.with_suffix(".partial")
    partial.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(partial, options.out)
    print(f"written to {options.out}")
    return int(not all(row.get("same", True) for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
