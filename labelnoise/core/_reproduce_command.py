"""The command reproduce: a published setting run here, our figures beside the published ones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from labelnoise.core.reproduce import Experiment, Row, experiments, reproduce
from labelnoise.core.terminal import say
from labelnoise.core.validation import InputError, choose

__all__ = ["reproduce_command"]


def reproduce_command(
    name: str | None = None,
    /,
    *,
    seeds: Annotated[
        str | None, Parameter(help="So many seeds, or a list: 0,1,2. Default: the published ones.")
    ] = None,
    out: Annotated[
        Path, Parameter(help="Folder for finished runs; a second call adds what is missing.")
    ] = Path("labelnoise-reproduce"),
    smoke: Annotated[
        bool, Parameter(help="One short run that shows whether it works; its figures mean nothing.")
    ] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Run a published setting and print our figures beside the paper's; without a name, list what there is.

    Parameters
    ----------
    name
        Of the published setting.
    """
    known = experiments()
    if name is None:
        _list(known, as_json)
        return
    experiment = known[choose(name, known, "published setting")]
    rows = reproduce(experiment, out, seeds=_seeds(seeds), smoke=smoke)
    if as_json:
        from labelnoise.core._verbs_show import print_json

        print_json(
            {"name": name, "source": experiment.source, "smoke": smoke, "rows": [asdict(row) for row in rows]}
        )
        return
    _show(experiment, rows, smoke)


def _seeds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        seeds = (
            list(range(int(text)))
            if "," not in text
            else [int(part) for part in text.split(",") if part.strip()]
        )
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise InputError(f"--seeds is {text!r}; give a number of seeds from 1, or a list of them like 0,1,2.")
    return seeds


def _list(known: dict[str, Experiment], as_json: bool) -> None:
    if as_json:
        from labelnoise.core._verbs_show import print_json

        print_json(
            {e.name: {"title": e.title, "source": e.source, "domain": e.domain} for e in known.values()}
        )
        return
    for e in known.values():
        runs = len(e.settings) * len(e.seeds)
        say(
            f"{e.name}\n    {e.title}\n    {e.domain}; {runs} runs, {e.cpu_minutes:g} CPU minutes; {e.source}"
        )


def _show(experiment: Experiment, rows: list[Row], smoke: bool) -> None:
    say(f"{experiment.title}\n{experiment.source}")
    if experiment.note:
        say(experiment.note)
    if smoke:
        say("smoke: one short run; these figures mean nothing")
    for label in dict.fromkeys(row.setting for row in rows):
        mine = [row for row in rows if row.setting == label]
        runs = f"{mine[0].runs} run{'s' if mine[0].runs != 1 else ''}"
        say(f"\n{label}  ({runs}, {mine[0].cpu_seconds:.1f} CPU seconds each)")
        say(f"  {'measure':<26}{'ours':<26}{'published':<16}difference")
        for row in mine:
            say(f"  {row.measure:<26}{_ours(row):<26}{_theirs(row):<16}{_gap(row, smoke)}".rstrip())


def _ours(row: Row) -> str:
    if row.mean is None:
        return "undefined"
    return f"{row.mean:.3f}" + ("" if row.low is None else f" [{row.low:.3f}, {row.high:.3f}]")


def _theirs(row: Row) -> str:
    if row.published is None:
        return "-"
    return f"{row.published.value:g}" + (
        "" if row.published.spread is None else f" \u00b1{row.published.spread:g}"
    )


def _gap(row: Row, smoke: bool) -> str:
    if row.published is None or row.mean is None:
        return ""
    verdict = f"  {row.verdict} \u00b1{row.published.tolerance:g}" if row.verdict and not smoke else ""
    return f"{row.mean - row.published.value:+.3f}{verdict}"
