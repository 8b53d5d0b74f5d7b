"""What every verb costs in every modality as the data grow a thousandfold: CPU seconds and peak memory.

    python benchmarks/curves.py [--domains graph,text] [--verbs detect] [--limit 300] [--largest 10000]
    python benchmarks/curves.py --plot docs/figures/curves.svg --no-run

Generated data (the embedded sets, larger) are saved as a user's files, and each verb runs on them as its own process,
one thread: seconds and memory are those of a user's call, imports included. "help" is what a call costs that does
nothing. Runs in the file are not repeated; one that takes more CPU seconds than the limit is listed as such, and larger
sizes are left out. The end prints how cost grows; `python -m benchmarks --page` puts that and the picture on its page.
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
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
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
UNITS = {"text": "sentences", "graph": "nodes", "audio": "clips", "segmentation": "images of 64 x 64"}
#: Finished runs, one object a line.
RUNS = Path(__file__).with_name("curves.jsonl")
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
    path = folder / FORMS[domain]
    get_domain(domain).save(data, path)
    if domain == "text":
        # CoNLL has no place for the truth, which lies beside it as `corrupt` leaves it.
        from labelnoise.text.files import write_text
        from labelnoise.text.kept_truth import truth_path

        write_text(data.with_labels(data.true, true=data.true), truth_path(path))
    return path


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


def apart(function: Callable[..., Any], *given: Any) -> Any:
    """A call in a process of its own: the peak of a child begins at the memory of whoever starts it, so that stays small."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *given).result()


def timed(call: list[str], cwd: Path, limit: float) -> dict[str, Any]:
    """CPU seconds, MiB at the peak and how a process ended."""
    with open(cwd / "log.txt", "w", encoding="utf-8") as log:
        process = subprocess.Popen(call, cwd=cwd, stdout=log, stderr=subprocess.STDOUT)
        stopped = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if not stopped and _spent(process.pid) > limit:
                process.send_signal(signal.SIGKILL)
                stopped = True
            time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "mib": round(usage.ru_maxrss / 1024),
        "ended": "limit" if stopped else process.returncode,
        **({} if not process.returncode else {"said": (cwd / "log.txt").read_text(encoding="utf-8")[-300:]}),
    }


def _spent(process: int) -> float:
    """CPU seconds of a running process; on a busy machine it may wait as long as it likes."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(domain: str, n: int, verbs: list[str], limit: float, skip: set[str]) -> Iterator[dict[str, Any]]:
    """All verbs on one size, one after the other."""
    with tempfile.TemporaryDirectory(prefix="labelnoise-curves-") as folder:
        at = Path(folder)
        os.environ["LABELNOISE_CACHE"] = str(at / "cache")
        data = apart(made, domain, n, at)
        for verb in VERBS:
            if verb == "apply" and (at / "issues.parquet").exists():
                apart(decided, at)
            # Detecting comes first for those that read what it wrote.
            if verb in skip or (verb not in verbs and verb != "detect"):
                continue
            call = [sys.executable, "-m", "labelnoise", domain, *arguments(domain, verb, data)]
            row = {"domain": domain, "n": n, "verb": verb, **timed(call, at, limit)}
            print(json.dumps(row), flush=True)
            yield row
            if verb == "detect" and row["ended"] != 0:
                break


def read(path: Path) -> list[dict[str, Any]]:
    """The finished runs of a file, the last where one was repeated."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return list({(row["domain"], row["n"], row["verb"]): row for row in rows}.values())


def exponent(sizes: list[int], costs: list[float]) -> float | None:
    """The power of n that costs beyond those of the smallest size follow: a line through logarithms, least squares.

    The smallest size is small enough to cost little but starting and importing. Sizes that cost hardly more say nothing
    of growth; None where fewer than two others are left.
    """
    idle = min(costs, default=0.0)
    points = [(math.log(n), math.log(c - idle)) for n, c in zip(sizes, costs) if c > GROWN * idle]
    if len(points) < 2:
        return None
    x, y = zip(*points)
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in points) / sum((a - mean_x) ** 2 for a in x)


#: Growth below this is taken for chance.
GROWN = 1.1
SECTION = (
    "## Growth with the number of items",
    "",
    "What a call of the command line costs, from its start to its end, imports included, on generated data that are",
    "read from files; `--help` is the call that does nothing. Detection is the default one, training the cheapest",
    "trainer (for one epoch where it has epochs). CPU seconds on one thread; MiB at the peak. n^p: a line fitted to the",
    "logarithms of what sizes cost beyond the smallest one, which is mostly starting Python and importing, of those that",
    'cost a tenth more than it; "-" where fewer than two do.',
    "",
    "```bash",
    "python benchmarks/curves.py --plot docs/figures/curves.svg     # adds to benchmarks/curves.jsonl; --domains, --verbs",
    "```",
    "",
)


def markdown(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of a table for each modality."""
    lines = []
    for domain in SIZES:
        sizes = sorted({row["n"] for row in rows if row["domain"] == domain})
        if not sizes:
            continue
        lines += [
            f"| {domain}, {UNITS[domain]} | " + " | ".join(f"{n:,}" for n in sizes) + " | seconds | MiB |",
            "|---" * (len(sizes) + 3) + "|",
        ]
        for verb in VERBS:
            found = {row["n"]: row for row in rows if (row["domain"], row["verb"]) == (domain, verb)}
            if not found:
                continue
            cells = ["" if n not in found else _cell(found[n]) for n in sizes]
            done = sorted(n for n, row in found.items() if row["ended"] == 0)
            powers = []
            for what in ("cpu_seconds", "mib"):
                power = exponent(done, [found[n][what] for n in done]) if verb != "help" else None
                powers.append("" if verb == "help" else "-" if power is None else f"n^{power:.2f}")
            lines.append(f"| {verb} | " + " | ".join([*cells, *powers]) + " |")
        lines.append("")
    return lines


def _cell(row: dict[str, Any]) -> str:
    if row["ended"] == 0:
        return f"{row['cpu_seconds']:.1f} s, {row['mib']:,}"
    return f"not within {row['cpu_seconds']:.0f} s" if row["ended"] == "limit" else "failed"


#: Colours that differ for eyes of all kinds and stand on white and on black (Okabe, Ito 2008, but yellow).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
#: Lines and text that stand on white and on black.
INK = "#7f7f7f"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds and memory against items, a column per modality; a transparent picture for light and dark pages."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color")
    style = dict.fromkeys(inks, INK) | {"font.size": 10, "svg.hashsalt": "curves", "axes.titlesize": 11}
    with plt.rc_context(style):
        figure, axes = plt.subplots(2, len(SIZES), figsize=(11, 5.6), sharey="row", layout="constrained")
        marks, dashes = (
            dict(zip(VERBS[1:], "osv^Dx")),
            dict(zip(VERBS[1:], ("-", "-", "--", "-.", ":", "--"))),
        )
        for column, domain in enumerate(SIZES):
            idle = [row for row in rows if row["domain"] == domain and row["verb"] == "help"]
            for axis, what in zip(axes[:, column], ("cpu_seconds", "mib")):
                for verb, colour in zip(VERBS[1:], COLOURS):
                    found = [
                        r for r in rows if (r["domain"], r["verb"]) == (domain, verb) and r["ended"] == 0
                    ]
                    found.sort(key=lambda r: r["n"])
                    axis.plot(
                        [r["n"] for r in found],
                        [r[what] for r in found],
                        marker=marks[verb],
                        linestyle=dashes[verb],
                        color=colour,
                        label=verb,
                        ms=5,
                        lw=1.6,
                    )
                if idle:
                    level = sum(row[what] for row in idle) / len(idle)
                    axis.axhline(level, color=INK, lw=1, ls=(0, (1, 2)), label="--help")
                axis.set_xscale("log")
                axis.set_yscale("log")
                # The sizes themselves, and round numbers: powers of ten say little where there are two decades.
                sizes = sorted({row["n"] for row in rows if row["domain"] == domain})
                axis.set_xticks(sizes, [f"{n:,}" for n in sizes])
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
                axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
                axis.xaxis.set_minor_locator(NullLocator())
                axis.yaxis.set_minor_locator(NullLocator())
                axis.grid(alpha=0.35, lw=0.6)
                axis.set_facecolor("none")
            axes[0, column].set_title(domain)
            axes[1, column].set_xlabel(UNITS[domain])
        axes[0, 0].set_ylabel("CPU seconds")
        axes[1, 0].set_ylabel("peak memory, MiB")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        # No date in the file: the same runs give the same picture.
        figure.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=RUNS, help="file of finished runs, one object a line")
    parser.add_argument("--domains", default=",".join(SIZES))
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--limit", type=float, default=300.0, help="CPU seconds after which a run is stopped")
    parser.add_argument("--largest", type=int, default=10**9, help="no more items than this")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--no-run", action="store_true")
    asked = parser.parse_args()

    for domain in asked.domains.split(",") if not asked.no_run else ():
        for n in (n for n in SIZES[domain] if n <= asked.largest):
            rows = [r for r in read(asked.json) if r["domain"] == domain]
            verbs = [
                v for v in asked.verbs.split(",") if not any(r["n"] == n and r["verb"] == v for r in rows)
            ]
            failed = {r["verb"] for r in rows if r["ended"] != 0 and r["n"] <= n}
            if "detect" in failed or not verbs:
                continue
            for row in measure(domain, n, verbs, asked.limit, failed):
                if row["verb"] in verbs:
                    with asked.json.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(row) + "\n")
    rows = read(asked.json)
    print("\n".join(markdown(rows)))
    if asked.plot:
        plot(rows, asked.plot)


if __name__ == "__main__":
    main()
