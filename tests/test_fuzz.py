"""Every reader has a target in benchmarks/fuzz, and a few malformed inputs of each end in data or in a sentence."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest

import labelnoise
from labelnoise.core.domain import domain_names, get_domain
from labelnoise.core.validation import InputError

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(labelnoise.__file__).parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from fuzz.mutate import mutated  # noqa: E402
from fuzz.target import Tally, Target, attempt, input_of  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

#: Inputs of each target here; the command runs 20,000.
INPUTS, STRUCTURED = 30, 5

#: Public functions called read... or load... that read no file of a user.
NO_READERS = {
    "labelnoise.core.calibration:read_with_ambiguity": "numbers",
    "labelnoise.core.report.json:load_schema": "the package's own file",
}
#: Building blocks that every target of their format runs.
BELOW_ALL = {
    "labelnoise.core.reading:read_bytes",
    "labelnoise.core.reading:read_text",
    "labelnoise.core.reading:read_json",
    "labelnoise.core.array_files:read_npy",
    "labelnoise.core.array_files:read_npz",
}
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def readers() -> set[str]:
    """``module:name`` of every public function and class method of the package whose name says that it reads."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(["labelnoise", *path.relative_to(PACKAGE).with_suffix("").parts])
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = {
            item.value
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for item in ast.walk(node.value)
            if isinstance(item, ast.Constant)
        }
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef)
                and node.name in public
                and node.name.startswith(("read_", "load_"))
            ):
                found.add(f"{module}:{node.name}")
            if isinstance(node, ast.ClassDef) and node.name in public:
                loads = [
                    item
                    for item in node.body
                    if isinstance(item, ast.FunctionDef) and item.name == "load"
                    if any(ast.unparse(mark) == "classmethod" for mark in item.decorator_list)
                ]
                found |= {f"{module}:{node.name}.load" for _ in loads}
    return found


def test_every_reader_has_a_target() -> None:
    covered = {reader for target in TARGETS.values() for reader in target.covers}
    lacking = readers() - covered - NO_READERS.keys() - BELOW_ALL
    assert not lacking, f"add a target to benchmarks/fuzz for {sorted(lacking)}"
    assert len(readers()) > 30


def test_every_public_data_set_has_a_target() -> None:
    covered = {name for target in TARGETS.values() for name in target.datasets}
    for domain in domain_names():
        for info in get_domain(domain).datasets().values():
            assert info.embedded or f"{domain}:{info.name}" in covered, (
                f"add a target for {domain} {info.name}"
            )


def resolved(name: str) -> Any:
    module, _, attribute = name.partition(":")
    value: Any = importlib.import_module(module)
    for part in attribute.split("."):
        value = getattr(value, part)
    return inspect.unwrap(getattr(value, "__func__", value))


@each_target
def test_few_malformed_inputs(target: Target, tmp_path: Path) -> None:
    example = target.files()
    attempt(target, example, tmp_path, Tally(), "example")  # what has to be imported is no input's time
    called = set()
    sys.setprofile(lambda frame, event, _: called.add(frame.f_code) if event == "call" else None)
    try:
        tally = Tally()
        assert attempt(target, example, tmp_path, tally, "example") == "read", tally.problems
    finally:
        sys.setprofile(None)
    idle = [name for name in target.covers if resolved(name).__code__ not in called]
    assert not idle, f"{target.name} is said to run {idle} and does not"
    tally = Tally()
    for number in range(INPUTS):
        attempt(target, input_of(target, number, 77, example), tmp_path, tally, number)
    assert not tally.problems, "python benchmarks/fuzz --only NAME --input NUMBER --seed 77 shows it"
    assert tally.refused or target.name in (
        "core.cells",
        "audio.cache-index",
    )  # these leave out what is damaged


@pytest.mark.parametrize(
    "target", [t for t in TARGETS.values() if t.strategy is not None], ids=lambda t: t.name
)
def test_few_structured_inputs(target: Target, tmp_path: Path) -> None:
    from fuzz.run import _structured

    tally = Tally()
    _structured(target, STRUCTURED, 0, lambda files, number: attempt(target, files, tmp_path, tally, number))
    assert not tally.problems
    assert tally.inputs >= STRUCTURED


def test_an_input_is_known_by_its_number() -> None:
    target = TARGETS["text.jsonl"]
    made = [input_of(target, number, 3) for number in range(20)]
    assert made == [input_of(target, number, 3) for number in range(20)]
    assert made != [input_of(target, number, 4) for number in range(20)]
    assert sum(files != target.files() for files in made) > 15


def reads(what: Any) -> Target:
    return Target("test", lambda: {"a.txt": b"one\ntwo\n"}, what, ())


def spin(folder: Path) -> None:
    while True:
        pass


def swallow(folder: Path) -> None:
    try:
        raise MemoryError
    except MemoryError as error:
        raise InputError("This file is refused after a try to take all memory.") from error


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (lambda folder: 1 / 0, "traceback"),
        (spin, "hang"),
        (swallow, "memory"),
        (lambda folder: bytearray(400 << 20), "memory"),
        (lambda folder: (folder / "new").write_text("x"), "written"),
        (lambda folder: next(_ for _ in ()), "traceback"),
    ],
)
def test_the_harness_sees_what_may_not_be(what: Any, outcome: str, tmp_path: Path, monkeypatch: Any) -> None:
    if what is spin:
        monkeypatch.setattr("fuzz.target.CPU_LIMIT", 0.2)
    monkeypatch.setattr("fuzz.target._peak", peaks().__next__)
    assert attempt(reads(what), {"a.txt": b"x"}, tmp_path, Tally(), 0) == outcome


def peaks() -> Any:
    """The peak of the resident memory as `fuzz.target` sees it, in a process whose peak is high already."""
    import resource

    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > start
    yield 400 << 20 if grown else 0


def test_a_refusal_is_a_sentence(tmp_path: Path) -> None:
    def short(folder: Path) -> None:
        raise InputError("no")

    assert attempt(reads(short), {"a.txt": b"x"}, tmp_path, Tally(), 0) == "message"


def test_half_an_output_is_seen(tmp_path: Path) -> None:
    def use(_: Any, folder: Path) -> None:
        (folder / "half").write_text("x")
        raise InputError("This is refused after something was written already.")

    target = Target("test", lambda: {}, lambda folder: None, (), use=use)
    assert attempt(target, {}, tmp_path, Tally(), 0) == "written"


def test_mutations_change_every_format() -> None:
    import random

    for target in TARGETS.values():
        example = target.files()
        made = [mutated(example, random.Random(number)) for number in range(40)]
        changed = {name for files in made for name in files if example.get(name) != files[name]}
        assert changed & example.keys(), target.name
