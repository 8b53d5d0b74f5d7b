"""Inputs that atheris finds by the branches of our own parsers that they reach."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def explore(name: str, count: int, seed: int, keep: Path | None) -> int:
    """Run atheris on the file of a target that is ours to parse; the other files stay as they are.

    What comes of an input is judged as for all others, so that one run may find many problems. The exit code is 1 if
    there was one.
    """
    try:
        import atheris
    except ImportError:
        print("--coverage needs atheris: pip install atheris", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="fuzz ") as text:
        home = Path(text)
        child = os.fork()
        if child == 0:
            _explore(atheris, name, count, seed, home, keep.resolve() if keep else None)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        tally: dict[str, Any] = json.loads((home / "tally.json").read_text())
        problems = tally["problems"]
        print(
            f"{name}: {tally['inputs']:,} inputs, {tally['read']:,} read, {tally['refused']:,} refused, "
            f"{sum(found[0] for found in problems.values()):,} problems"
        )
        for what, (number, *_) in problems.items():
            print(f"    {number:6,d}  {what}")
        if status:
            print(f"    the process ended with {status}")
        return 1 if problems or status else 0


def _explore(atheris: Any, name: str, count: int, seed: int, home: Path, keep: Path | None) -> None:
    with atheris.instrument_imports(include=["labelnoise"]):
        from fuzz.run import _put
        from fuzz.target import Tally, attempt
        from fuzz.targets import TARGETS

        target = TARGETS[name]
        if not target.single:
            print(f"{name} has no file that coverage could guide; choose one of: ", end="")
            print(", ".join(other.name for other in TARGETS.values() if other.single))
            os._exit(2)
        example = target.files()
        # What readers import is instrumented because they import it here.
        attempt(target, example, home, Tally(), "example")
    tally = Tally()
    _put(home / "tally.json", json.dumps(vars(tally)))
    corpus = home / "corpus"
    corpus.mkdir()
    (corpus / "example").write_bytes(example[target.single])

    def one(data: bytes) -> None:
        before = len(tally.problems)
        attempt(target, {**example, target.single: data}, home, tally, tally.inputs)
        if len(tally.problems) > before and keep is not None:
            place = keep / name
            place.mkdir(parents=True, exist_ok=True)
            (place / f"coverage-{tally.inputs}").write_bytes(data)
        if tally.inputs % 50 == 0 or tally.inputs >= count or len(tally.problems) > before:
            _put(home / "tally.json", json.dumps(vars(tally)))

    options = [f"-runs={count}", f"-seed={seed + 1}", "-max_len=20000", "-verbosity=0", "-timeout=60"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()
    os._exit(0)
