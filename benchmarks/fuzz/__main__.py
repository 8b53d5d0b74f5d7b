"""Malformed inputs against every loader and reader of the package; nothing but a sentence may come of them.

    python benchmarks/fuzz --list                        # the targets
    python benchmarks/fuzz                               # 20,000 inputs each, resumable with --json
    python benchmarks/fuzz --only graph.npz --count 500
    python benchmarks/fuzz --only graph.npz --input 4711 --keep /tmp/inputs   # one input again, and its files
    python benchmarks/fuzz --coverage text.spacy         # guided by coverage, needs atheris
    python benchmarks/fuzz --json fuzz.json --table      # what a file of results says, as Markdown

Run it where the package can be imported (installed, or PYTHONPATH set to the repository), on Linux. An input is a
valid example changed at random: bits, cuts, splices, numbers, types, nesting, encodings, within containers too, and,
where the format is structured, whole files that hypothesis makes. The same seed gives the same inputs. Anything but
data or an InputError is a problem: a traceback, more than 2 CPU seconds, more than 256 MiB more of memory or a try to
get it, a crash, a message that is no sentence, a file that was written. What could be read is described, written,
read back and compared. The exit code is 1 if there was a problem.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)


def main() -> int:
    if "--coverage" not in sys.argv:
        from fuzz.targets import TARGETS
    else:
        TARGETS = {}  # imported where atheris sees it

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=list(TARGETS), metavar="NAME")
    parser.add_argument("--count", type=int, default=20_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="results by target; those that are there are not run again")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that ended in a problem")
    parser.add_argument("--input", type=int, help="run this one input in this process, with its traceback")
    parser.add_argument("--coverage", metavar="NAME", help="let atheris find the inputs of one target")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the results in --json by kind of target")
    asked = parser.parse_args()
    if asked.list:
        for target in TARGETS.values():
            print(f"{target.name:28s} {', '.join(target.covers)}")
        return 0
    if asked.table:
        if asked.json is None or not asked.json.exists():
            parser.error("--table needs --json with the results of a run")
        print("\n".join(table(json.loads(asked.json.read_text()))))
        return 0
    if asked.coverage:
        from fuzz.coverage import explore

        return explore(asked.coverage, asked.count, asked.seed, asked.keep)
    unknown = [name for name in asked.only if name not in TARGETS]
    if unknown:
        parser.error(f"no target {unknown[0]!r}; --list names them")
    if asked.input is not None:
        return show(asked.only[0], asked.input, asked.seed, asked.keep)
    from fuzz.run import fuzz

    known: dict[str, Any] = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    bad = 0
    for place, name in enumerate(asked.only, start=1):
        done = known.get(name)
        if done is None or done["count"] < asked.count:
            start = time.monotonic()
            keep = asked.keep.resolve() if asked.keep else None
            tally = fuzz(TARGETS[name], asked.count, asked.seed, keep)
            done = {"count": asked.count, "seconds": round(time.monotonic() - start, 1), **vars(tally)}
            known[name] = done
            if asked.json:
                asked.json.write_text(json.dumps(known, indent=1) + "\n")
        bad += sum(found[0] for found in done["problems"].values())
        print(
            f"[{place}/{len(asked.only)}] {name:28s} {done['inputs']:7,d} inputs: {done['read']:7,d} read, "
            f"{done['refused']:7,d} refused, {sum(f[0] for f in done['problems'].values()):5,d} problems; "
            f"slowest {done['slowest']:.2f} s, {done['seconds']:.0f} s",
            flush=True,
        )
        for what, (number, *which) in sorted(done["problems"].items(), key=lambda item: -item[1][0]):
            print(f"    {number:6,d}  {what}  {which[:2]}", flush=True)
    return 1 if bad else 0


def table(results: dict[str, Any]) -> list[str]:
    """Lines of Markdown: inputs and what came of them, for each kind of target."""
    lines = [
        "| kind | targets | inputs each | inputs | read | refused | problems | slowest, s | memory, MiB |",
        "|---" * 9 + "|",
    ]
    kinds = list(dict.fromkeys(name.partition(".")[0] for name in results))
    for kind in [*kinds, "all"]:
        rows = [row for name, row in results.items() if kind in (name.partition(".")[0], "all")]
        sums = [sum(row[what] for row in rows) for what in ("inputs", "read", "refused")]
        bad = sum(found[0] for row in rows for found in row["problems"].values())
        low, high = min(row["count"] for row in rows), max(row["count"] for row in rows)
        each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        cells = [f"{len(rows)}", each, *(f"{value:,}" for value in sums), f"{bad:,}"]
        cells += [
            f"{max(row['slowest'] for row in rows):.2f}",
            f"{max(row['widest'] for row in rows) >> 20:,}",
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return lines


def show(name: str, number: int, seed: int, keep: Path | None) -> int:
    """One input in this process; whatever it raises is shown."""
    from fuzz.target import _empty, _lay, input_of
    from fuzz.targets import TARGETS

    target = TARGETS[name]
    home = keep or Path(tempfile.mkdtemp())
    _lay(input_of(target, number, seed), home / "in")
    _empty(home / "out")
    print(f"the files are in {home / 'in'}")
    result = target.read(home / "in")
    print(f"read: {result!r:.500}")
    if target.use is not None:
        target.use(result, home / "out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
