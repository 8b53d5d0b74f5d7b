"""The commands that belong to no single modality: bench, report, datasets, methods."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from labelnoise.core.domain import Domain, domain_names, get_domain
from labelnoise.core.files import check_folder, check_output
from labelnoise.core.terminal import path_text, printable, say
from labelnoise.core.validation import InputError

__all__ = ["bench", "datasets", "methods", "report", "run_benchmark"]

#: Failed cells that are named on the terminal; the report lists all.
FAILURES_NAMED = 5

#: Name of the log's handler that this module adds.
COMMAND_LINE = "labelnoise command line"

AsJson = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]


def run_benchmark(
    *,
    quick: bool,
    full: bool,
    real: bool,
    config: Path | None,
    domains: Sequence[str] | None,
    out: Path,
    workers: int,
    cluster: str | None,
    timeout: float | None,
) -> int:
    """Run a grid into a folder and say what came out; returns the exit code, 1 if cells failed."""
    from labelnoise.core.bench.grid import load_grid
    from labelnoise.core.bench.run import run_bench
    from labelnoise.core.bench.summary import summarise

    check_folder(out, what="--out")
    if (out / "cells").exists():
        check_folder(out / "cells", what="--out")
    if not out.parent.is_dir():
        raise InputError(
            f"--out {str(out)!r} lies in a folder that does not exist; make {str(out.parent)!r} first."
        )
    asked = [name for name, on in (("quick", quick), ("full", full), ("real", real)) if on]
    if len(asked) > 1:
        raise InputError(f"--{' and --'.join(asked)} were given; choose one grid, and a folder for each.")
    grid = load_grid(config, builtin=asked[0] if asked else None, domains=domains)
    _log_to_stderr()
    store = run_bench(grid, out, workers=workers, cluster=cluster, timeout=timeout)
    summary = summarise(store)
    failures, cells = summary["failures"], summary["header"]["cells"]
    say(
        f"the grid {grid.name!r} with {len(grid):,} cells is done; {path_text(out)} holds {cells['ok']:,} results, "
        f"{cells['failed']:,} failures, {cells['timeout']:,} time-outs"
    )
    for failure in failures[:FAILURES_NAMED]:
        say(f"  {failure['setting']}, {failure['method']}, seed {failure['seed']}: {failure['error']}")
    if len(failures) > FAILURES_NAMED:
        say(f"  and {len(failures) - FAILURES_NAMED} more; the report lists all")
    say(f"next: labelnoise report {path_text(out)}")
    return 1 if failures else 0


class _Plain(logging.Formatter):
    """The message alone, without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(record.getMessage())


def _log_to_stderr() -> None:
    logger = logging.getLogger("labelnoise")
    # Anew each time: standard error may be another one than at the last call.
    for old in [handler for handler in logger.handlers if handler.name == COMMAND_LINE]:
        logger.removeHandler(old)
    handler = logging.StreamHandler()
    handler.set_name(COMMAND_LINE)
    handler.setFormatter(_Plain())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def bench(
    *,
    quick: bool = False,
    full: bool = False,
    real: bool = False,
    config: Path | None = None,
    domains: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    out: Path = Path("labelnoise-bench"),
    workers: int = 1,
    cluster: str | None = None,
    timeout: float | None = None,
) -> int:
    """Compare methods over data sets, noise and seeds; started again, it goes on where it stopped.

    Parameters
    ----------
    quick
        The small grid: embedded data of all modalities, five minutes on two cores.
    full
        The large grid: public data, hours; this is what runs without any of these.
    real
        Sets with real wrong labels and known truth, beside simulated noise of the same size.
    config
        A grid of your own, as TOML.
    domains
        Only these modalities.
    out
        Folder for finished cells; a second run adds what is missing.
    workers
        Number of processes.
    cluster
        Address of a Dask scheduler, tcp://host:port.
    timeout
        Seconds after which a cell is stopped and listed as such.
    """
    return run_benchmark(
        quick=quick,
        full=full,
        real=real,
        config=config,
        domains=domains or None,
        out=out,
        workers=workers,
        cluster=cluster,
        timeout=timeout,
    )


def report(store: Path, /, *, out: Path | None = None) -> None:
    """Write a benchmark's results as a page, with Markdown and JSON beside it.

    Parameters
    ----------
    store
        The folder that bench filled.
    out
        The page, .html; report.html in that folder by default.
    """
    from labelnoise.core.report import write_report

    if not store.is_dir():
        raise InputError(
            f"There is no folder {str(store)!r}; name the one that 'labelnoise bench --out' filled."
        )
    page = check_output(
        out or store / "report.html", extensions=(".html", ".htm"), inputs=[store / "cells"], what="--out"
    )
    written = write_report(store, page)
    say(f"written: {path_text(written)}")


def datasets(domain: str | None = None, /, *, as_json: AsJson = False) -> None:
    """List the data sets that can be loaded by name.

    Parameters
    ----------
    domain
        Only this modality.
    """
    rows: list[dict[str, Any]] = []
    notes = []
    for found in _domains(domain):
        if isinstance(found, InputError):
            notes.append(str(found))
            continue
        rows += [
            {
                "domain": found.name,
                "name": info.name,
                "default": info.name == found.default_dataset,
                "summary": info.summary,
                "licence": info.licence,
                "source": info.source,
                "embedded": info.embedded,
                "real_noise": info.real_noise,
            }
            for info in found.datasets().values()
        ]
    _show(
        rows,
        notes,
        ("domain", "name", "embedded", "real_noise", "summary", "licence", "source"),
        "datasets",
        as_json,
    )


def methods(domain: str | None = None, /, *, as_json: AsJson = False) -> None:
    """List detectors, trainers, noise kinds and what else can be chosen by name, with their sources.

    Parameters
    ----------
    domain
        Only this modality.
    """
    rows: list[dict[str, Any]] = []
    notes = []
    for found in _domains(domain):
        if isinstance(found, InputError):
            notes.append(str(found))
            continue
        chosen = {"detector": found.detectors, "trainer": found.trainers, "noise": found.noises}
        chosen |= {verb: registry for verb, (_, registry) in found.extra_methods().items()}
        usual = {"detector": found.default_detector, "trainer": found.default_trainer}
        for what, registry in chosen.items():
            rows += [
                {
                    "domain": found.name,
                    "what": what,
                    "name": entry.name,
                    "default": entry.name == usual.get(what),
                    "calibrated": entry.calibrated,
                    "summary": entry.summary,
                    "source": entry.source,
                    "formula": entry.formula,
                    "helps": entry.helps,
                    "hurts": entry.hurts,
                }
                for entry in registry.values()
            ]
    _show(rows, notes, ("domain", "what", "name", "summary", "source"), "methods", as_json)


def _domains(name: str | None) -> list[Domain | InputError]:
    """One modality, or all; of all, those that are not fully installed come as the reason why."""
    if name is not None:
        return [get_domain(name)]
    found: list[Domain | InputError] = []
    for each in domain_names():
        try:
            found.append(get_domain(each))
        except InputError as reason:
            found.append(reason)
    return found


def _show(
    rows: list[dict[str, Any]], notes: list[str], shown: tuple[str, ...], title: str, as_json: bool
) -> None:
    from labelnoise.core._verbs_show import print_grid, print_json

    if as_json:
        print_json({title: rows, "notes": notes})
        return
    if len({row["domain"] for row in rows}) <= 1:
        shown = shown[1:]
    if rows:
        titles = [name.replace("_", " ") for name in shown]
        print_grid(titles, ([_cell(row, name) for name in shown] for row in rows), wrap=True)
    for note in notes:
        say(f"note: {note}")


def _cell(row: dict[str, Any], name: str) -> Any:
    return f"{row[name]} (default)" if name == "name" and row["default"] else row[name]
