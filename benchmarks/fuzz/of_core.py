"""Targets: what the core reads, whatever the modality."""

from __future__ import annotations

import json
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.examples import files_of, table
from fuzz.mutate import Files
from fuzz.structured import json_files, line_files, table_files
from fuzz.target import Target


@cache
def _issues() -> Any:
    from labelnoise.core.dataset import Dataset
    from labelnoise.core.detection import CountEstimate, Detection
    from labelnoise.core.issues import IssueTable

    n = 8
    data = Dataset(
        name="pets",
        given=np.arange(n) % 3,
        class_names=("cat", "dog", "=1+1"),
        unit_ids=np.array([f"u{i}" for i in range(n)]),
    )
    found = Detection(
        method="example", quality=np.linspace(0, 1, n), p_wrong=1 - np.linspace(0, 1, n), flagged=np.arange(n) < 5,
        suggested=(np.arange(n) + 1) % 3, confidence=np.full(n, 0.5), count=CountEstimate(3.0, 2.0, 4.0, 0.95, "x"),
        evidence={"agreement": np.array([0.5, np.nan] * 4), "degree": np.arange(n)}, warnings=("careful",),
    )  # fmt: skip
    table = IssueTable.from_detection(data, found, found.flagged, decision="fdr 0.1", domain="graph")
    return data, table.with_columns({"word": [f"w{i}\x1b[31m" for i in range(len(table))]})


def issues(ending: str) -> Files:
    with tempfile.TemporaryDirectory() as home:
        _issues()[1].save(Path(home) / f"i{ending}")
        return files_of(Path(home))


def _read_issues(ending: str) -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.core._issues_files import is_table
        from labelnoise.core.issues import IssueTable

        is_table(folder / f"i{ending}")
        return IssueTable.load(folder / f"i{ending}")

    return read


def _use_issues(found: Any, folder: Path) -> None:
    """Shown in a terminal and a notebook, put on a page, written and read back."""
    import contextlib
    import io

    from labelnoise.core.review.cards import Card
    from labelnoise.core.review.page import write_page
    from labelnoise.core.review.samples import Suggestions

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        found.print(5, width=100)
    assert "\x1b[31m" not in shown.getvalue()
    found._repr_html_()
    write_page(found, [Card(title="x") for _ in range(len(found))], folder / "page.html")
    for ending in (".jsonl", ".csv", ".parquet"):
        found.save(folder / f"again{ending}")
        assert type(found).load(folder / f"again{ending}") == found
    from labelnoise.core.truth import judge_table

    data = _issues()[0]
    from dataclasses import replace

    from labelnoise.core.validation import InputError

    for judged in (
        lambda: Suggestions.of(found, data),
        lambda: judge_table(found, replace(data, true=data.given)),
    ):
        with contextlib.suppress(InputError):
            judged()


def decisions() -> Files:
    from labelnoise.core.review.decisions import Decision, Decisions

    data = _issues()[0]
    rows = (Decision(1, "u1", "dog", "accept", "cat", "a note"), Decision(2, "u2", "=1+1", "skip", "=1+1"))
    made = Decisions(domain="graph", dataset="pets", data_hash=data.content_hash(), decisions=rows)
    return {"d.json": json.dumps(made.to_json()).encode()}


def _read_decisions(folder: Path) -> Any:
    from labelnoise.core.review.apply import apply_decisions
    from labelnoise.core.review.decisions import Decisions

    return apply_decisions(_issues()[0], Decisions.load(folder / "d.json"), domain="graph")


def _use_record(found: Any, folder: Path) -> None:
    found[1].save(folder / "r.provenance.json")


def provenance() -> Files:
    from labelnoise.core.review.apply import apply_decisions
    from labelnoise.core.review.decisions import Decisions

    data = _issues()[0]
    record = apply_decisions(data, Decisions.from_json(json.loads(decisions()["d.json"])), domain="graph")[1]
    with tempfile.TemporaryDirectory() as home:
        record.save(Path(home) / "r.json")
        return files_of(Path(home))


def _read_provenance(folder: Path) -> Any:
    from labelnoise.core.review.apply import Provenance, undo_decisions

    record = Provenance.load(folder / "r.json")
    data = _issues()[0]
    given = data.given.copy()
    given[1] = 0
    return undo_decisions(data.with_labels(given), record)


def review_tasks() -> Files:
    data = _issues()[0]
    meta = {
        "labelnoise": {
            "domain": "graph",
            "dataset": "pets",
            "data_hash": data.content_hash(),
            "method": "m",
            "source": "",
            "units": [1],
        }
    }
    choice = {"type": "choices", "value": {"choices": ["cat"]}, "from_name": "l", "to_name": "t"}
    span = {"type": "labels", "value": {"start": 0, "end": 1, "text": "x", "labels": ["dog"]}}
    tasks = [
        {
            "id": 3,
            "data": {"text": "x🙂y"},
            "meta": meta,
            "annotations": [{"result": [choice], "lead_time": 2.5, "updated_at": "2026"}],
            "predictions": [{"result": [choice]}],
        },
        {
            "id": 4,
            "data": {"text": "x🙂y"},
            "meta": {"labelnoise": {**meta["labelnoise"], "units": [2]}},
            "annotations": [{"result": [span]}],
        },
    ]
    return {"e.json": json.dumps(tasks).encode()}


def _read_tasks(folder: Path) -> Any:
    from labelnoise.core.domain import Domain
    from labelnoise.core.review.apply import apply_decisions
    from labelnoise.core.review.imports import LabelStudioReview

    data = _issues()[0]
    made = LabelStudioReview.load(folder / "e.json").decisions(data, _Plain.read_marks.__get__(_Plain()))
    assert Domain is not None
    return apply_decisions(data, made, domain="graph")


class _Plain:
    """What `Domain.read_marks` does by default, without a modality."""

    unit = "node"

    def read_marks(self, dataset: Any, units: Any, marks: Any) -> Any:
        from labelnoise.core.domain import Domain

        return Domain.read_marks(self, dataset, units, marks)  # type: ignore[arg-type]


def grid() -> Files:
    return {
        "g.toml": table(
            'name = "one"', "seeds = [0, 1]", "[[block]]", 'domain = "graph"', 'datasets = ["papers"]',
            'noise = ["own", { kind = "pair", rates = [0.1, 0.2], options = { a = 1 } }]',
            'methods = ["votes", { name = "sgc", options = { k = 2 } }]', 'trainers = ["sgc-lr"]', "plain_training = { epochs = 3 }",
        )
    }  # fmt: skip


def _read_grid(folder: Path) -> Any:
    from labelnoise.core.bench.grid import load_grid, validate_grid

    found = load_grid(folder / "g.toml")
    validate_grid(found)
    return found.config_hash


def experiment() -> Files:
    return {
        "e.toml": table(
            'title = "A table"', 'source = "https://example.org/p"', 'run = "math:fsum"', "seeds = [0, 1]", "cpu_minutes = 1.5",
            'note = "n"', "[options]", "a = 1", "[smoke]", "a = 0", "[[setting]]", 'label = "first"', "rate = 0.3",
            "published = { f1 = [0.8, 0.01], accuracy = { value = 79.7, tolerance = 1.0 }, loss = 3 }",
        )
    }  # fmt: skip


def _read_experiment(folder: Path) -> Any:
    from labelnoise.core.reading import read_text
    from labelnoise.core.reproduce import parse_experiment

    found = parse_experiment(read_text(folder / "e.toml"), name="e", domain="graph")
    for setting in found.settings:
        for figure in setting.published.values():
            assert figure.value == figure.value
    return found


@cache
def _records() -> list[dict[str, Any]]:
    """Finished cells of a small run."""
    from labelnoise.core.bench.grid import parse_grid
    from labelnoise.core.bench.run import run_bench

    raw = {
        "name": "one",
        "seeds": 1,
        "block": [
            {
                "domain": "graph",
                "datasets": ["digits"],
                "methods": ["votes"],
                "noise": [{"kind": "pair", "rates": [0.1]}],
            }
        ],
    }
    with tempfile.TemporaryDirectory() as home:
        store = run_bench(parse_grid(raw), Path(home), workers=1)
        return list(store.records())


def cells() -> Files:
    from labelnoise.core.bench.store import Store

    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home))
        for record in _records():
            store.put(record)
        return files_of(Path(home))


def bodies() -> Files:
    """The records without their checksum, which is made anew: what an altered store of somebody else may hold."""
    return {f"{i}.json": json.dumps(record).encode() for i, record in enumerate(_records())}


def _read_cells(folder: Path) -> Any:
    from labelnoise.core.bench.store import Store

    store = Store(folder)
    store.verify()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store.counts()
        return store


def _read_bodies(folder: Path) -> Any:
    from labelnoise.core.bench.store import Store
    from labelnoise.core.validation import InputError

    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home))
        for path in sorted(folder.glob("*.json")):
            try:
                store.put(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise InputError("This is no record of a cell, and no store would hold it.") from error
        return _report(store, Path(home))


def _report(store: Any, folder: Path) -> None:
    from labelnoise.core.report import write_report

    write_report(store.folder, folder / "r.html")


def noise_model() -> Files:
    from labelnoise.core.noise_fit import NoiseModel

    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 60)
    given = np.where(rng.random(60) < 0.3, rng.integers(0, 3, 60), true)
    model = NoiseModel.fit(true, given, groups=rng.integers(0, 20, 60))
    return {"m.json": json.dumps(model.to_dict()).encode()}


def _read_model(folder: Path) -> Any:
    from labelnoise.core.noise_fit import NoiseModel

    return NoiseModel.load(folder / "m.json")


def lock() -> Files:
    return {"checksums.json": json.dumps({"https://a.example/x": "ab" * 32}).encode()}


def _read_lock(folder: Path) -> Any:
    from labelnoise.core.download import _read_lock

    return _read_lock(folder / "checksums.json")


def checkpoint() -> Files:
    import torch

    from labelnoise.core.training.checkpoint import save_checkpoint

    with tempfile.TemporaryDirectory() as home:
        save_checkpoint(Path(home), {"model": {"w": torch.ones(3)}}, {"seed": 1})
        # The mutations of .pt files, under that ending.
        return {"checkpoint.pt": (Path(home) / "checkpoint.pt").read_bytes()}


def _read_checkpoint(folder: Path) -> Any:
    from labelnoise.core.training.checkpoint import load_checkpoint

    return load_checkpoint(folder, {"seed": 1})


def settings() -> Files:
    return {"s.txt": table("folds=3", "ambiguity=0.02", "resamples=3", "errors=auto", "rank=8")}


def _read_settings(folder: Path) -> Any:
    from labelnoise.core.domain import get_domain
    from labelnoise.core.options import parse_options
    from labelnoise.core.reading import read_text

    lines = read_text(folder / "s.txt").splitlines()
    return parse_options(lines, get_domain("graph").detectors["graphcleaner"], positional=2, what="method")


_ISSUES = ("labelnoise.core.issues:IssueTable.load", "labelnoise.core._issues_files:read_table")
_REVIEW = "labelnoise.core.review"

TARGETS = [
    Target(
        "core.issues-csv",
        lambda: issues(".csv"),
        _read_issues(".csv"),
        _ISSUES,
        use=_use_issues,
        strategy=lambda: table_files(issues(".csv")),
    ),
    Target(
        "core.issues-csv-header",
        lambda: issues(".csv"),
        _read_issues(".csv"),
        _ISSUES,
        use=_use_issues,
        strategy=lambda: json_files(issues(".csv"), "i.csv.meta.json"),
    ),
    Target(
        "core.issues-jsonl",
        lambda: issues(".jsonl"),
        _read_issues(".jsonl"),
        _ISSUES,
        use=_use_issues,
        strategy=lambda: json_files(issues(".jsonl"), "i.jsonl"),
    ),
    Target(
        "core.issues-parquet", lambda: issues(".parquet"), _read_issues(".parquet"), _ISSUES, use=_use_issues
    ),
    Target(
        "core.decisions",
        decisions,
        _read_decisions,
        (f"{_REVIEW}.decisions:Decisions.load", f"{_REVIEW}.decisions:Decisions.from_json"),
        use=_use_record,
        strategy=lambda: json_files(decisions(), "d.json"),
        single="d.json",
    ),
    Target(
        "core.provenance",
        provenance,
        _read_provenance,
        (f"{_REVIEW}.apply:Provenance.load",),
        strategy=lambda: json_files(provenance(), "r.json"),
    ),
    Target(
        "core.label-studio",
        review_tasks,
        _read_tasks,
        (f"{_REVIEW}.imports:LabelStudioReview.load",),
        use=_use_record,
        strategy=lambda: json_files(review_tasks(), "e.json"),
    ),
    Target(
        "core.grid",
        grid,
        _read_grid,
        ("labelnoise.core.bench.grid:load_grid", "labelnoise.core.bench.grid:parse_grid"),
        strategy=lambda: line_files(grid(), "g.toml"),
    ),
    Target(
        "core.experiment",
        experiment,
        _read_experiment,
        ("labelnoise.core.reproduce:parse_experiment",),
        strategy=lambda: line_files(experiment(), "e.toml"),
    ),
    Target("core.cells", cells, _read_cells, ("labelnoise.core.bench.store:Store.read",)),
    Target("core.report", bodies, _read_bodies, ("labelnoise.core.report:write_report",)),
    Target(
        "core.noise-model",
        noise_model,
        _read_model,
        ("labelnoise.core.noise_fit:NoiseModel.load", "labelnoise.core.noise_fit:NoiseModel.from_dict"),
        strategy=lambda: json_files(noise_model(), "m.json"),
    ),
    Target(
        "core.checksums",
        lock,
        _read_lock,
        ("labelnoise.core.download:_read_lock",),
        strategy=lambda: json_files(lock(), "checksums.json"),
    ),
    Target(
        "core.checkpoint",
        checkpoint,
        _read_checkpoint,
        ("labelnoise.core.training.checkpoint:load_checkpoint",),
    ),
    Target(
        "core.settings",
        settings,
        _read_settings,
        ("labelnoise.core.options:parse_options",),
        strategy=lambda: line_files(settings(), "s.txt"),
    ),
]
