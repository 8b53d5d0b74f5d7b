"""What every verb costs in every modality as the data grow a thousandfold: CPU seconds and peak memory.

    python benchmarks/curves.py --json curves.jsonl [--domains graph,text] [--verbs detect] [--limit 300]
    python benchmarks/curves.py --json curves.jsonl --plot docs/figures/curves.svg --no-run

Generated data (the embedded sets, larger) are saved as a user's files, and each verb runs on them as its own process,
one thread: seconds and memory are those of a user's call, imports included. "help" is what a call costs that does
nothing. Runs in the file are not repeated; one that takes longer than the limit is listed as such, and larger sizes are
left out. The end prints how cost grows: the exponent between the two largest sizes, less the cost of "help".
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

#: Items per modality: sentences, nodes, clips (wav files), images of 64 x 64.
SIZES = {
    "text": (100, 1_000, 10_000, 100_000),
    "graph": (300, 3_000, 30_000, 300_000),
    "audio": (50, 500, 5_000, 50_000),
    "segmentation": (10, 100, 1_000, 10_000),
}
#: The file or folder that data are saved as, and the cheapest trainer, which shows what the data themselves cost.
FORMS = {"text": "data.conll", "graph": "data.npz", "audio": "data", "segmentation": "data"}
KINDS = {"text": "mixed", "graph": "symmetric", "audio": "symmetric", "segmentation": "displacement"}
TRAIN = {
    "text": ["--method", "plain"],
    "graph": ["--method", "sgc-lr"],
    "audio": ["--method", "plain", "--set", "epochs=1"],
    "segmentation": ["--method", "plain", "--set", "epochs=1"],
}
DETECT: dict[str, list[str]] = {"segmentation": ["--set", "epochs=1"]}
VERBS = ("help", "corrupt", "detect", "evaluate", "review", "apply", "train")


def made(domain: str, n: int, folder: Path) -> Path:
    """Generated data of a size as a user's files."""
    from labelnoise.core.domain import get_domain

    if domain == "text":
        from labelnoise.text.embedded import news

        data: Any = news(n_sentences=n)
    elif domain == "graph":
        from labelnoise.graph.embedded import papers

        data = papers(n)
    elif domain == "audio":
        from labelnoise.audio.embedded import events

        data = events(n // 10)
    else:
        from labelnoise.segmentation.embedded import scenes

        data = scenes(n)
    get_domain(domain).save(data, folder / FORMS[domain])
    return folder / FORMS[domain]


def decided(folder: Path) -> None:
    """Accept the first hundred issues, as the review page exports it."""
    from labelnoise.core.issues import IssueTable
    from labelnoise.core.review.decisions import Decision, Decisions

    table = IssueTable.load(folder / "issues.parquet")
    rows = [
        Decision(int(row["index"]), str(row["unit"]), str(row["given"]), "accept", str(row["suggested"]))
        for row in list(table.rows())[:100]
        if row["suggested"] and row["suggested"] != row["given"]
    ]
    header = table.header
    Decisions(
        domain=header.domain,
        dataset=header.dataset,
        data_hash=header.data_hash,
        decisions=tuple(rows),
        method=header.method,
        source=header.source,
    ).save(folder / "decisions.json")


def arguments(domain: str, verb: str, data: Path) -> list[str]:
    """A user's call."""
    at = data.parent
    if verb == "help":
        return ["--help"]
    if verb == "corrupt":
        noisy = at / f"noisy-{data.name}"
        return ["corrupt", str(data), "--kind", KINDS[domain], "--rate", "0.1", "--out", str(noisy)]
    if verb == "detect":
        return ["detect", str(data), *DETECT.get(domain, []), "--out", str(at / "issues.parquet")]
    if verb == "train":
        return ["train", str(data), *TRAIN[domain], "--out", str(at / "predictions.parquet")]
    if verb == "evaluate":
        return ["evaluate", str(at / "issues.parquet")]
    if verb == "review":
        return ["review", str(at / "issues.parquet"), "--out", str(at / "review.html")]
    return ["apply", str(at / "decisions.json"), "--out", str(at / f"fixed-{data.name}")]


def timed(call: list[str], cwd: Path, limit: float) -> dict[str, Any]:
    """CPU seconds, MiB at the peak and how a process ended."""
    started = time.monotonic()
    with open(cwd / "log.txt", "w", encoding="utf-8") as log:
        process = subprocess.Popen(call, cwd=cwd, stdout=log, stderr=subprocess.STDOUT)
        stopped = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - started > limit and not stopped:
                process.send_signal(signal.SIGKILL)
                stopped = True
            time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "mib": round(usage.ru_maxrss / 1024),
        "ended": "limit" if stopped else process.returncode,
        **({} if not process.returncode else {"said": (cwd / "log.txt").read_text(encoding="utf-8")[-300:]}),
    }


def measure(domain: str, n: int, verbs: list[str], limit: float, skip: set[str]) -> list[dict[str, Any]]:
    """All verbs on one size."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="labelnoise-curves-") as folder:
        at = Path(folder)
        os.environ["LABELNOISE_CACHE"] = str(at / "cache")
        data = made(domain, n, at)
        for verb in VERBS:
            if verb == "apply" and (at / "issues.parquet").exists():
                decided(at)
            # Detecting comes first for those that read what it wrote.
            if verb in skip or (verb not in verbs and verb != "detect"):
                continue
            call = [sys.executable, "-m", "labelnoise", domain, *arguments(domain, verb, data)]
            rows.append({"domain": domain, "n": n, "verb": verb, **timed(call, at, limit)})
            print(json.dumps(rows[-1]), flush=True)
            if verb == "detect" and rows[-1]["ended"] != 0:
                break
    return rows


def growth(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown for each modality and verb."""
    print("| modality | verb | " + " | ".join(f"{10**i:,} x" for i in range(4)) + " | grows like |")
    print("|---|---|---|---|---|---|---|")
    for domain in SIZES:
        idle = next((r["cpu_seconds"] for r in rows if r["domain"] == domain and r["verb"] == "help"), 0.0)
        for verb in VERBS:
            found = {r["n"]: r for r in rows if (r["domain"], r["verb"]) == (domain, verb)}
            if not found:
                continue
            cells = []
            for n in SIZES[domain]:
                r = found.get(n)
                cells.append(
                    ""
                    if r is None
                    else f"{r['cpu_seconds']:.1f} s, {r['mib']:,} MiB"
                    if r["ended"] == 0
                    else f"not within {r['cpu_seconds']:.0f} s"
                )
            done = sorted(n for n, r in found.items() if r["ended"] == 0)
            power = ""
            if len(done) > 1 and verb != "help":
                a, b = (max(found[n]["cpu_seconds"] - idle, 0.05) for n in done[-2:])
                power = f"n^{math.log(b / a) / math.log(done[-1] / done[-2]):.2f}"
            print(f"| {domain} | {verb} | " + " | ".join(cells) + f" | {power} |")


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds and memory against items, a column per modality."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(SIZES), figsize=(12, 5.5), sharey="row", layout="constrained")
    units = {"text": "sentences", "graph": "nodes", "audio": "clips", "segmentation": "images"}
    marks = dict(zip(VERBS[1:], "osv^Dx"))
    for column, domain in enumerate(SIZES):
        for verb in VERBS[1:]:
            found = [r for r in rows if r["domain"] == domain and r["verb"] == verb and r["ended"] == 0]
            found.sort(key=lambda r: r["n"])
            for axis, what in zip(axes[:, column], ("cpu_seconds", "mib")):
                axis.plot(
                    [r["n"] for r in found], [r[what] for r in found], marker=marks[verb], label=verb, ms=4
                )
                axis.set_xscale("log")
                axis.set_yscale("log")
                axis.grid(alpha=0.3)
        axes[0, column].set_title(domain)
        axes[1, column].set_xlabel(units[domain])
    axes[0, 0].set_ylabel("CPU seconds")
    axes[1, 0].set_ylabel("peak memory, MiB")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True, help="file of finished runs, one object a line")
    parser.add_argument("--domains", default=",".join(SIZES))
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a run is stopped")
    parser.add_argument("--largest", type=int, default=10**9, help="no more items than this")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--no-run", action="store_true")
    asked = parser.parse_args()

    def read() -> list[dict[str, Any]]:
        return (
            [json.loads(line) for line in asked.json.read_text().splitlines()] if asked.json.exists() else []
        )

    for domain in asked.domains.split(",") if not asked.no_run else ():
        for n in (n for n in SIZES[domain] if n <= asked.largest):
            rows = [r for r in read() if r["domain"] == domain]
            verbs = [
                v for v in asked.verbs.split(",") if not any(r["n"] == n and r["verb"] == v for r in rows)
            ]
            failed = {r["verb"] for r in rows if r["ended"] != 0}
            if "detect" in failed or not verbs:
                continue
            new = [r for r in measure(domain, n, verbs, asked.limit, failed) if r["verb"] in verbs]
            with asked.json.open("a") as out:
                out.write("".join(json.dumps(row) + "\n" for row in new))
    growth(read())
    if asked.plot:
        plot(read(), asked.plot)


if __name__ == "__main__":
    main()
