"""Every figure of speed and memory that the docs state, in one run, as a table beside what was asked.

    python -m benchmarks [--page docs/measured_speed.md]     # all of it
    python -m benchmarks --quick                             # without what takes more than a CPU minute
    python -m benchmarks --missing --page docs/measured_speed.md     # what an earlier run has not got to
    python -m benchmarks --only NAME [--list]

Runs the scripts of this folder one after the other, one thread each, and reads their figures from what they print; a
script's own help says what it does, and all that they print is kept under labelnoise-results/. Ours and the peer's come
from the same run, so ratios stand on a busy machine, seconds do not. Figures of earlier runs are kept, and the page has
them all, each with its day; growth with the number of items is in it where benchmarks/curves.py has run. Exits with 1
where a figure misses what was asked.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = Path("labelnoise-results")
#: What benchmarks/curves.py measured, and its picture as the page names it.
CURVES, FIGURE = HERE / "curves.jsonl", "figures/curves.svg"


@dataclass(frozen=True)
class Claim:
    """A figure in a script's output.

    ``pattern`` has one group, the figure; ``asked`` is the least (or, below ``at_most``, the largest) one. ``slow``:
    the command takes more than a CPU minute.
    """

    name: str
    unit: str
    command: str
    pattern: str
    asked: float | None = None
    at_most: bool = False
    slow: bool = False

    def met(self, figure: float) -> bool | None:
        """Whether the figure is what was asked; None where nothing was."""
        if self.asked is None:
            return None
        return figure <= self.asked if self.at_most else figure >= self.asked


_NUMBER = r"([\d,]+\.?\d*)"


def _selection(case: str, asked: float | None, name: str) -> Claim:
    """A row of core_selection.py: times faster than cleanlab."""
    pattern = rf"^{re.escape(case)} +[\d.]+ +[\d.]+ +{_NUMBER}x"
    return Claim(name, "times cleanlab's speed", "core_selection.py", pattern, asked)


CLAIMS = (
    _selection("find 1e6x10", 3, "Confident learning, 1e6 x 10"),
    Claim(
        "Confident learning, 1e6 x 10: extra memory",
        "of cleanlab's",
        "core_selection.py",
        r"^find 1e6x10 +.* ([\d.]+) +yes",
        0.2,
        at_most=True,
    ),
    _selection("multi-label 1e5x80", 8, "Confident learning, tags, 1e5 x 80"),
    _selection("tokens 1e5x25x9", 4, "Confident learning, tokens, 1e5 x 25 x 9"),
    _selection("pixels 50x5x256x256", 4, "Confident learning, pixels, 50 x 5 x 256 x 256"),
    Claim(
        "SimiFeat by votes, 21 subsamples, 1e4 x 512",
        "times the recipe's speed",
        "core_neighbours.py",
        r"^simifeat_mv, 21 subsamples +[\d.]+ +([\d.]+)x",
        8,
    ),
    Claim(
        "Area under the margin, 5e4 x 10 x 10 epochs",
        "times aum's speed",
        "core_dynamics.py --only aum",
        r"^aum .*ratio ([\d.]+)",
        20,
    ),
    Claim(
        "Gaussian mixture, 1e6 losses",
        "times scikit-learn's speed",
        "core_dynamics.py --only gmm",
        r"^gmm .*ratio ([\d.]+)",
        8,
    ),
    Claim(
        "Beta mixture, 1e6 losses",
        "times the published steps' speed",
        "core_dynamics.py --only beta",
        r"^beta .*ratio ([\d.]+)",
    ),
    Claim(
        "Dawid-Skene, 1e5 units, 100 annotators",
        "times crowd-kit's speed",
        "core_crowd.py --cost",
        r"^ *100000 +100 +\d+ +[\d.]+ +[\d.]+ +([\d.]+)x",
        1.5,
    ),
    Claim(
        "Dawid-Skene, 1e5 units, 1,000 annotators",
        "times crowd-kit's speed",
        "core_crowd.py --cost",
        r"^ *100000 +1000 +\d+ +[\d.]+ +[\d.]+ +([\d.]+)x",
        1.5,
    ),
    Claim(
        "Memory beyond the start, 1e8 units from files",
        "MiB",
        "core_stream.py --units 100000000 --rules both --compare 0",
        r"^both +[\d.]+ +[\d.]+ +(\d+)",
        1000,
        at_most=True,
        slow=True,
    ),
    Claim(
        "A folder of 100,000 clips, read and judged",
        "CPU seconds",
        "streams.py audio",
        r'"files": 100000.*"cpu_seconds": ([\d.]+)',
        slow=True,
    ),
    Claim(
        "... peak memory",
        "MiB",
        "streams.py audio",
        r'"files": 100000.*"peak_mib": (\d+)',
        slow=True,
    ),
    Claim(
        "A folder of 100,000 masks, read and judged: peak memory",
        "MiB",
        "streams.py segmentation",
        r'"files": 100000.*"peak_mib": (\d+)',
        slow=True,
    ),
    Claim(
        "Log-mel, 16 kHz, 64 bands",
        "audio-seconds a CPU second",
        "audio_features.py speed",
        r'"labelnoise": ([\d.]+)',
        8000,
    ),
    Claim(
        "Log-mel beside torchaudio",
        "audio-seconds a CPU second, torchaudio's",
        "audio_features.py speed",
        r'"torchaudio": ([\d.]+)',
    ),
    Claim(
        "2,000 clips of 5 s from sound to a trained epoch",
        "CPU seconds",
        "audio_features.py pipeline --clips 2000",
        r'"together": ([\d.]+)',
        60,
        at_most=True,
        slow=True,
    ),
    Claim(
        "Pixel audit, 11 classes",
        "million pixels a second",
        "segmentation_detection.py",
        r": ([\d.]+) MP/s",
        25,
    ),
    Claim(
        "Pixel audit, 11 classes, 700 images: peak memory",
        "MiB",
        "segmentation_detection.py --images 700",
        r"peak (\d+) MiB",
        2000,
        at_most=True,
    ),
    Claim(
        "Displaced outlines, 512 x 512, 3 classes",
        "million pixels a second",
        "segmentation_spatial.py",
        r"^512 x 512, 3 classes, displacement 2 px: ([\d.]+)",
        30,
    ),
    Claim(
        "Markov boundary noise, 180 steps",
        "million pixels a second",
        "segmentation_spatial.py",
        r"^markov, one mask.*: ([\d.]+)",
        3,
    ),
)


def figures(command: str, text: str) -> list[dict[str, object]]:
    """The claims of a command with their figures in ``text``, None where one is missing."""
    rows: list[dict[str, object]] = []
    for claim in (claim for claim in CLAIMS if claim.command == command):
        hit = re.search(claim.pattern, text, re.MULTILINE)
        value = float(hit.group(1).replace(",", "")) if hit else None
        rows.append(
            {
                "name": claim.name,
                "unit": claim.unit,
                "command": f"python benchmarks/{command}",
                "figure": value,
                "asked": claim.asked,
                "at_most": claim.at_most,
                "met": None if value is None else claim.met(value),
                "day": time.strftime("%Y-%m-%d", time.gmtime()),
            }
        )
    return rows


def run(command: str) -> str:
    """What a script prints, shown and kept."""
    script, *arguments = command.split()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), environment.get("PYTHONPATH", "")])
    print(f"\n+ python benchmarks/{command}", flush=True)
    lines = []
    with subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print("  " + line, end="", flush=True)
            lines.append(line)
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / (re.sub(r"[^a-z0-9]+", "_", command.lower()).strip("_") + ".txt")
    kept.write_text("".join(lines), encoding="utf-8")
    if process.returncode:
        print(f"  ended with {process.returncode}", flush=True)
    return "".join(lines)


HEAD = """# Measured: speed and memory

Every figure of speed or memory that these pages state is here with its command, or stands beside one where it is
stated. All are measured with one thread. "Times X's speed" compares with that package on the same arrays in the same
run, so it holds on a busy machine; rates per second are those of the machine they were measured on (a virtual one with
two cores that others used too: what yours does is rather more). "Asked" is what was set before measuring.

```bash
python -m benchmarks --page docs/measured_speed.md     # --quick leaves out what takes over a CPU minute
python -m benchmarks --missing --page docs/measured_speed.md     # what no run has got to yet
```

"""


def page(rows: list[dict[str, object]]) -> str:
    """The table as Markdown."""
    lines = [
        f"{HEAD}Python {platform.python_version()}, {platform.machine()}. Commands are scripts of `benchmarks/`.",
        "",
        "| what | measured | asked | command | day |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        asked = (
            ""
            if row["asked"] is None
            else ("at most " if row["at_most"] else "at least ") + f"{row['asked']:,g}"
        )
        verdict = {True: "", False: " **missed**", None: ""}[row["met"]]  # type: ignore[index]
        value = "not measured" if row["figure"] is None else f"{row['figure']:,g} {row['unit']}"
        command = str(row["command"]).removeprefix("python benchmarks/")
        lines.append(f"| {row['name']} | {value}{verdict} | {asked} | `{command}` | {row['day']} |")
    known = {row["name"] for row in rows}
    if missing := list(dict.fromkeys(f"`{c.command}`" for c in CLAIMS if c.name not in known)):
        lines += [
            "",
            f"Not run yet with this command: {', '.join(missing)}. What they printed on other days is under Measured: "
            "[the core](measured_core.md), [audio](measured_audio.md), [segmentation](measured_segmentation.md).",
        ]
    return "\n".join([*lines, "", *growth_section()]) + "\n"


def growth_section() -> list[str]:
    """What benchmarks/curves.py has measured, as Markdown; nothing where it was not run."""
    if not CURVES.exists():
        return []
    from benchmarks.curves import SECTION, markdown, read

    return [*SECTION, f"![CPU seconds and peak memory against items]({FIGURE})", "", *markdown(read(CURVES))]


def merged(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """These rows and, of other claims, those of earlier runs; in the order of the claims."""
    file = RESULTS / "claims.json"
    known = {row["name"]: row for row in json.loads(file.read_text("utf-8"))} if file.exists() else {}
    known |= {row["name"]: row for row in rows}
    kept = [known[claim.name] for claim in CLAIMS if claim.name in known]
    RESULTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return kept


def _children() -> float:
    """CPU seconds of all processes started so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="figures whose name or command contains this")
    parser.add_argument("--list", action="store_true", help="what would be measured")
    parser.add_argument("--quick", action="store_true", help="without commands of more than a CPU minute")
    parser.add_argument("--missing", action="store_true", help="only what has no figure from an earlier run")
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    asked = parser.parse_args()
    wanted = [c for c in CLAIMS if asked.only.lower() in f"{c.name} {c.command}".lower()]
    wanted = [c for c in wanted if not (asked.quick and c.slow)]
    if not wanted:
        parser.error(f"no figure's name or command contains {asked.only!r}; --list shows them")
    commands = list(dict.fromkeys(claim.command for claim in wanted))
    if asked.list:
        for claim in wanted:
            print(f"{claim.name} ({claim.unit}): {claim.command}")
        return 0
    rows = merged([])
    have = {row["name"] for row in rows if row["figure"] is not None}
    for command in commands:
        if asked.missing and all(c.name in have for c in wanted if c.command == command):
            continue
        before = _children()
        found = figures(command, run(command))
        spent = round(_children() - before, 1)
        # After each command: what was measured is kept if the next one is stopped.
        rows = merged([{**row, "cpu_seconds": spent} for row in found])
        if asked.page:
            asked.page.write_text(page(rows), encoding="utf-8")
    if asked.page:
        asked.page.write_text(page(rows), encoding="utf-8")
    names = {claim.name for claim in wanted}
    rows = [row for row in rows if row["name"] in names]
    print("\n" + page(rows))
    return int(any(row["figure"] is None or row["met"] is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
