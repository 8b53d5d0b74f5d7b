"""Published settings: one TOML file each, run by name, with our figures printed beside the paper's.

A modality keeps them in a folder ``experiments`` inside its package. A file names a function that does one run,
``f(setting, options, seed) -> {measure: value}``; everything else (seeds, resuming, means, the comparison) is here.
"""

from __future__ import annotations

import importlib
import json
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.bench.grid import digest
from labelnoise.core.domain import domain_names, get_domain
from labelnoise.core.evaluation import mean_interval
from labelnoise.core.files import replacing
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError, choose

__all__ = [
    "Experiment",
    "Published",
    "Row",
    "Setting",
    "experiments",
    "parse_experiment",
    "reproduce",
    "runs_of",
]

#: One run: the setting's own keys, the options, a seed; out come the measures.
Run = Callable[[Mapping[str, Any], Mapping[str, Any], int], Mapping[str, float | None]]


@dataclass(frozen=True)
class Published:
    """A published figure: its value, its spread where one was given, and how close ours has to come."""

    value: float
    spread: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Setting:
    """One line of a published table: what to run, and what was published for it."""

    label: str
    values: Mapping[str, Any]
    published: Mapping[str, Published]


@dataclass(frozen=True)
class Experiment:
    """A published setting.

    Attributes
    ----------
    name, title, source : str
        ``<author><year>_<method>_<data>``, a sentence, and the address of the publication.
    domain : str
    run : str
        ``module:function`` of one run.
    seeds : tuple of int
    cpu_minutes : float
        What all runs together take on one thread, roughly.
    settings : tuple of Setting
    options : mapping
        Handed to every run.
    smoke : mapping
        Options that make one run take seconds; its figures mean nothing.
    note : str
        What a reader has to know: other draws of noise, seeds that were not published.
    """

    name: str
    title: str
    source: str
    domain: str
    run: str
    seeds: tuple[int, ...]
    cpu_minutes: float
    settings: tuple[Setting, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    smoke: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def load(self) -> Run:
        """The function of one run."""
        module, _, name = self.run.partition(":")
        found: Run = getattr(importlib.import_module(module), name)
        return found


@dataclass(frozen=True)
class Row:
    """Ours beside the published figure, for one setting and measure.

    ``mean`` is None where the measure was undefined in every run;
    ``verdict`` is "within" or "outside" where the file states a tolerance, else "".
    """

    setting: str
    measure: str
    mean: float | None
    low: float | None
    high: float | None
    runs: int
    published: Published | None
    verdict: str
    cpu_seconds: float


def experiments() -> dict[str, Experiment]:
    """All published settings of the installed modalities, by name."""
    found = {}
    for domain in domain_names():
        for name, text in _files_of(domain):
            found[name] = parse_experiment(text, name=name, domain=domain)
    return found


def _files_of(domain: str) -> Iterator[tuple[str, str]]:
    package = type(get_domain(domain)).__module__.rpartition(".")[0]
    if not package:
        return
    folder = files(package).joinpath("experiments")
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8")


_REQUIRED = {
    "title": str,
    "source": str,
    "run": str,
    "seeds": list,
    "cpu_minutes": (int, float),
    "setting": list,
}
_FIGURE = ("value", "spread", "tolerance")
_OPTIONAL = {"options": dict, "smoke": dict, "note": str}


def parse_experiment(text: str, *, name: str, domain: str) -> Experiment:
    """Read one file.

    Raises
    ------
    InputError
        No TOML, a key that is missing, unknown or of the wrong type.

    Examples
    --------
    >>> made = parse_experiment('''
    ... title = "A table"
    ... source = "https://example.org/paper"
    ... run = "math:fsum"
    ... seeds = [0, 1]
    ... cpu_minutes = 1
    ... [[setting]]
    ... label = "first line"
    ... rate = 0.3
    ... published = { f1 = [0.8, 0.01], accuracy = { value = 79.7, tolerance = 1.0 } }
    ... ''', name="doe2020_table", domain="graph")
    >>> made.settings[0].values, made.settings[0].published["f1"].spread
    ({'rate': 0.3}, 0.01)
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The experiment {name!r} is not valid TOML: {error}.") from error
    for key in raw:
        choose(key, [*_REQUIRED, *_OPTIONAL], f"key in the experiment {name!r}:")
    for key, kind in {**_REQUIRED, **_OPTIONAL}.items():
        if key not in raw and key in _REQUIRED:
            raise InputError(f"The experiment {name!r} has no {key!r}; add it.")
        if key in raw and not isinstance(raw[key], kind):  # type: ignore[arg-type]
            raise InputError(f"{key!r} in the experiment {name!r} is {raw[key]!r}; it has the wrong type.")
    settings = tuple(_setting(entry, name) for entry in raw["setting"])
    if not all(type(seed) is int and seed >= 0 for seed in raw["seeds"]):
        raise InputError(
            f"'seeds' in the experiment {name!r} is {raw['seeds']!r}; give whole numbers from 0."
        )
    if not settings or not raw["seeds"]:
        raise InputError(f"The experiment {name!r} has no setting or no seed; add one.")
    return Experiment(
        name=name,
        domain=domain,
        settings=settings,
        seeds=tuple(int(seed) for seed in raw["seeds"]),
        **{key: raw[key] for key in ("title", "source", "run", "cpu_minutes")},
        **{key: raw[key] for key in _OPTIONAL if key in raw},
    )


def _setting(entry: Any, name: str) -> Setting:
    values = dict(entry) if isinstance(entry, dict) else {}
    label, figures = values.pop("label", None), values.pop("published", {})
    if not isinstance(label, str) or not isinstance(figures, dict):
        raise InputError(
            f"A setting of the experiment {name!r} has no label, or 'published' is no table; add it."
        )
    published = {}
    for measure, figure in figures.items():
        parts = figure if isinstance(figure, dict) else {}
        if not isinstance(figure, dict):
            parts = dict(zip(_FIGURE, figure if isinstance(figure, list) else [figure]))
        whole = "value" in parts and parts.keys() <= set(_FIGURE) and all(map(_is_number, parts.values()))
        if not whole or (isinstance(figure, list) and len(figure) > len(_FIGURE)):
            raise InputError(
                f"The published {measure!r} of the experiment {name!r} is {figure!r}; give a number, [value, spread], or "
                "value, spread and tolerance by name."
            )
        published[measure] = Published(**parts)
    return Setting(label, values, published)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def runs_of(
    experiment: Experiment, out: Path, *, seeds: Sequence[int] | None = None, smoke: bool = False
) -> list[dict[str, Any]]:
    """Do the runs that ``out`` lacks, and return all of them; each is kept as soon as it is finished.

    Parameters
    ----------
    experiment : Experiment
    out : Path
        Folder of finished runs, one JSON file each; made if missing.
    seeds : sequence of int, optional
        Instead of the published ones.
    smoke : bool
        One setting, one seed, with the options that make it short.

    Returns
    -------
    list of dict
        ``setting`` (its label), ``seed``, ``measures``, ``cpu_seconds``.
    """
    run = experiment.load()
    settings = experiment.settings[:1] if smoke else experiment.settings
    chosen = list(experiment.seeds if seeds is None else seeds)[: 1 if smoke else None]
    options = {**experiment.options, **(experiment.smoke if smoke else {})}
    folder = out / experiment.name
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for setting, seed in track([(s, k) for s in settings for k in chosen], experiment.name):
        decisive = {"run": experiment.run, "setting": dict(setting.values), "options": options, "seed": seed}
        path = folder / f"{digest(decisive)}.json"
        record = _read(path, decisive)
        if record is None:
            start = time.process_time()
            measured = run(setting.values, options, seed)
            measures = {name: None if value is None else float(value) for name, value in measured.items()}
            record = {
                "determined_by": decisive,
                "setting": setting.label,
                "seed": seed,
                "measures": measures,
                "cpu_seconds": round(time.process_time() - start, 2),
            }
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(record, allow_nan=False), encoding="utf-8")
        found.append(record)
    return found


def _read(path: Path, decisive: Mapping[str, Any]) -> dict[str, Any] | None:
    """A finished run; None where there is none or its file is damaged, so that it is done again."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        same = json.dumps(record["determined_by"], sort_keys=True) == json.dumps(decisive, sort_keys=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(record) if same else None


def reproduce(
    experiment: Experiment, out: Path, *, seeds: Sequence[int] | None = None, smoke: bool = False
) -> list[Row]:
    """Run a published setting, or go on with it, and set our figures beside the published ones.

    A published figure is met if the mean over seeds lies within its tolerance; without one nothing is judged.
    """
    runs = runs_of(experiment, out, seeds=seeds, smoke=smoke)
    rows = []
    for setting in experiment.settings:
        mine = [run for run in runs if run["setting"] == setting.label]
        if not mine:
            continue
        names = list(dict.fromkeys([*setting.published, *mine[0]["measures"]]))
        for name in names:
            values = [run["measures"].get(name) for run in mine]
            mean, low, high, n = mean_interval(values, 0.95)
            target = setting.published.get(name)
            if mean is None and name not in mine[0]["measures"]:
                continue
            verdict = ""
            if mean is not None and target is not None and target.tolerance is not None:
                verdict = "within" if abs(mean - target.value) <= target.tolerance else "outside"
            seconds = float(np.mean([run["cpu_seconds"] for run in mine]))
            rows.append(Row(setting.label, name, mean, low, high, n, target, verdict, seconds))
    return rows
