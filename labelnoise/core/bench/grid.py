"""What a benchmark runs: data sets x noise x rates x methods x seeds, read from TOML, as a list of cells."""

from __future__ import annotations

import hashlib
import json
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from labelnoise.core.bench.baselines import TRIVIAL
from labelnoise.core.bench.measures import DETECT, TRAIN
from labelnoise.core.bench.training import CEILING, PLAIN, TRIVIAL_TRAINERS
from labelnoise.core.domain import get_domain, local_source, local_sources
from labelnoise.core.reading import read_text
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = [
    "GRIDS",
    "MATCHED_NOISE",
    "OWN_NOISE",
    "REAL_FOLDER",
    "Cell",
    "Grid",
    "canonical_json",
    "digest",
    "load_grid",
    "parse_grid",
    "validate_grid",
]

#: The grids that ship with the package.
GRIDS = ("quick", "full", "real")

log = logging.getLogger("labelnoise.bench")

#: Where one's own data sets with real wrong labels lie below a modality's local folder, for the grid "real".
REAL_FOLDER = "real-noise"

#: The noise kind of a data set that brings its own wrong labels together with the truth.
OWN_NOISE = "own"

#: The noise kind that imitates a data set's own noise: as many wrong labels, between the same classes.
MATCHED_NOISE = "matched"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN, so that equal values give equal text.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [0.1, None]})
    '{"a":[0.1,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(value: Any) -> str:
    """A 160-bit hash of a JSON-able value.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=20).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: one method on one data set under one noise and one seed.

    Attributes
    ----------
    domain, dataset : str
        A modality and a data set that it loads by name or path.
    noise : str
        A noise kind of the domain, ``"own"``: the wrong labels that the data set came with, or ``"matched"``:
        simulated ones in the same number.
    rate : float or None
        Asked P(given != true); None for ``"own"`` and ``"matched"``.
    method : str
        A detector or trainer of the domain, or one of the trivial ones.
    seed : int
        Draws the noise and whatever the method draws.
    noise_options, method_options : mapping
        Keyword arguments beyond the registered ones.
    task : str
        "detect" or "train".
    """

    domain: str
    dataset: str
    noise: str
    rate: float | None
    method: str
    seed: int
    noise_options: Mapping[str, Any] = field(default_factory=dict)
    method_options: Mapping[str, Any] = field(default_factory=dict)
    task: str = DETECT

    def to_json(self) -> dict[str, Any]:
        """A plain dict, the same for equal cells."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Cell:
        """The inverse of `to_json`."""
        return cls(**value)


@dataclass(frozen=True)
class Grid:
    """A named list of distinct cells.

    Attributes
    ----------
    name : str
    cells : tuple of Cell
        Cells that share their data follow each other.
    """

    name: str
    cells: tuple[Cell, ...]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in order of appearance."""
        return tuple(dict.fromkeys(cell.domain for cell in self.cells))

    @property
    def config_hash(self) -> str:
        """A hash of all cells; their order does not matter."""
        return digest(sorted(canonical_json(cell.to_json()) for cell in self.cells))


def load_grid(
    path: Path | None = None, *, builtin: str | None = None, domains: Sequence[str] | None = None
) -> Grid:
    """Read a grid from a TOML file, or one of those that ship with the package.

    Parameters
    ----------
    path : Path, optional
        A grid file; see the built-in ``grids/quick.toml`` for the format.
    builtin : str, optional
        One of `GRIDS`: "quick" (embedded data, minutes), "full" (hours) or "real" (sets with real wrong labels). By
        default "full" where there is no path.
    domains : sequence of str, optional
        Keep only these domains.

    Raises
    ------
    InputError
        The file is missing or malformed, both ``path`` and ``builtin`` are given, or nothing is left.

    Examples
    --------
    >>> grid = load_grid(builtin="quick")
    >>> grid.name, grid.domains
    ('quick', ('audio', 'graph', 'segmentation', 'text'))
    """
    if path is not None and builtin is not None:
        raise InputError(f"Both a grid file and the {builtin} grid were asked for; choose one of them.")
    if path is None:
        name = choose(builtin or "full", GRIDS, "built-in grid")
        text = files("labelnoise.core.bench").joinpath(f"grids/{name}.toml").read_text(encoding="utf-8")
        where = f"the built-in grid {name!r}"
    else:
        where = str(path)
        text = read_text(path)
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # too deep, or a number of thousands of digits
        raise InputError(f"The grid file {where} is not valid TOML: {error}.") from error
    grid = parse_grid(raw, where=where)
    if domains is not None:
        for name in domains:
            choose(name, grid.domains, f"domain of {where}:")
        grid = Grid(grid.name, tuple(cell for cell in grid.cells if cell.domain in domains))
    return grid


def _take(
    table: Mapping[str, Any], where: str, required: Mapping[str, type], optional: Mapping[str, type]
) -> list[Any]:
    """The values of the named keys, checked; unknown keys are refused, so that a typo cannot be ignored."""
    allowed = {**required, **optional}
    for key in table:
        choose(key, allowed, f"key in {where}:")
    values = []
    for key, kind in allowed.items():
        if key not in table and key in required:
            raise InputError(f"{where} has no {key!r}; add it.")
        value = table.get(key)
        if value is not None and not isinstance(value, kind):
            raise InputError(f"{key!r} in {where} is {value!r}; a {kind.__name__} is needed.")
        values.append(value)
    return values


def _seeds(value: Any, where: str) -> list[int]:
    if isinstance(value, bool) or not isinstance(value, int | list):
        raise InputError(f"'seeds' in {where} is {value!r}; give their number or a list of them.")
    seeds = list(range(value)) if isinstance(value, int) else value
    if not seeds or not all(
        isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds
    ):
        raise InputError(f"'seeds' in {where} is {value!r}; at least one whole number from 0 is needed.")
    return seeds


def _noises(entries: list[Any], where: str) -> list[tuple[str, float | None, dict[str, Any]]]:
    result: list[tuple[str, float | None, dict[str, Any]]] = []
    for entry in entries:
        table = {"kind": entry} if isinstance(entry, str) else entry
        if not isinstance(table, dict):
            raise InputError(
                f"'noise' in {where} holds {entry!r}; give a name or {{ kind = ..., rates = [...] }}."
            )
        kind, rates, options = _take(
            table, f"noise of {where}", {"kind": str}, {"rates": list, "options": dict}
        )
        if kind in (OWN_NOISE, MATCHED_NOISE):
            if rates or options:
                raise InputError(
                    f"The noise {kind!r} in {where} has rates or options; it follows what the data came with."
                )
            result.append((kind, None, {}))
            continue
        if not rates:
            raise InputError(
                f"The noise {kind!r} in {where} has no rates; add for instance rates = [0.1, 0.3]."
            )
        result.extend(
            (kind, as_rate(rate, name=f"a rate of {kind!r} in {where}"), options or {}) for rate in rates
        )
    return result


def _methods(entries: list[Any], key: str, where: str) -> list[tuple[str, dict[str, Any]]]:
    result = []
    for entry in entries:
        table = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(table, dict):
            raise InputError(
                f"{key!r} in {where} holds {entry!r}; give a name or {{ name = ..., options = ... }}."
            )
        name, options = _take(table, f"{key} of {where}", {"name": str}, {"options": dict})
        result.append((name, options or {}))
    return result


def parse_grid(raw: Mapping[str, Any], *, where: str = "the grid") -> Grid:
    """Build a grid from parsed TOML; the trivial methods are added to every setting.

    A block names ``methods`` (detectors), ``trainers`` or both; each kind brings its own trivial rows. Options in
    ``plain_training`` are those of plain training, on given and on true labels, so that it can be made to cost what the
    block's trainers cost. A data set is a name, a path, or a pattern with ``*`` for what lies below
    ``$LABELNOISE_DATA/<domain>``; names under ``if_here`` are left out where their files are not on this machine.

    Examples
    --------
    >>> grid = parse_grid({"name": "one", "seeds": 2, "block": [{
    ...     "domain": "graph", "datasets": ["digits"], "methods": ["votes"],
    ...     "noise": [{"kind": "pair", "rates": [0.1]}]}]})
    >>> [(cell.method, cell.seed) for cell in grid.cells][:4]
    [('flag-nothing', 0), ('random', 0), ('oracle', 0), ('votes', 0)]
    """
    name, blocks, common = _take(raw, where, {"name": str, "block": list}, {"seeds": object})
    cells: dict[str, Cell] = {}
    for number, block in enumerate(blocks, start=1):
        place = f"block {number} of {where}"
        if not isinstance(block, dict):
            raise InputError(f"{place} is {block!r}; write it as a [[block]] table.")
        domain, datasets, noise, methods, trainers, plain, seeds, if_here = _take(
            block,
            place,
            {"domain": str, "datasets": list, "noise": list},
            {"methods": list, "trainers": list, "plain_training": dict, "seeds": object, "if_here": list},
        )
        if methods is None and trainers is None:
            raise InputError(f"{place} has neither 'methods' nor 'trainers'; name at least one.")
        if seeds is None and common is None:
            raise InputError(f"{place} has no seeds; give them there or at the top.")
        chosen: list[tuple[str, str, dict[str, Any]]] = []
        for task, key, entries, trivial in (
            (DETECT, "methods", methods, TRIVIAL),
            (TRAIN, "trainers", trainers, TRIVIAL_TRAINERS),
        ):
            if entries is not None:
                budget = {name: plain for name in (PLAIN, CEILING) if task == TRAIN and plain}
                chosen += [(task, name, dict(budget.get(name, {}))) for name in trivial]
                asked = [(task, *method) for method in _methods(entries, key, place)]
                chosen += [method for method in asked if method not in chosen]
        for dataset in _present(domain, datasets, if_here or []):
            for kind, rate, noise_options in _noises(noise, place):
                for seed in _seeds(common if seeds is None else seeds, place):
                    for task, method, method_options in chosen:
                        cell = Cell(
                            domain=domain,
                            dataset=str(dataset),
                            noise=kind,
                            rate=rate,
                            method=method,
                            seed=seed,
                            noise_options=noise_options,
                            method_options=method_options,
                            task=task,
                        )
                        try:
                            key = canonical_json(cell.to_json())
                        except (TypeError, ValueError) as error:
                            raise InputError(
                                f"{place} has an option that is no text, finite number, list or table ({error}); correct it."
                            ) from error
                        cells.setdefault(key, cell)
    if not cells:
        raise InputError(
            f"{where} holds no cell; add at least one block with a data set, a noise and a method."
        )
    return Grid(name, tuple(sorted(cells.values(), key=_data_first)))


def _present(domain: str, datasets: list[Any], if_here: list[Any]) -> list[str]:
    """The data sets of a block; a pattern stands for those of the local folder that fit it, none if there are none."""
    names: list[str] = []
    for name in map(str, if_here):
        if get_domain(domain).is_here(name):
            names.append(name)
        else:
            log.info("%s: %r is not on this machine; left out", domain, name)
    for name in map(str, datasets):
        found = local_sources(domain, name) if "*" in name else [name]
        if not found:
            log.info("%s: no data set fits %r in $LABELNOISE_DATA/%s; left out", domain, name, domain)
        names += found
    return names


def _data_first(cell: Cell) -> tuple[Any, ...]:
    """Sort cells that share a corrupted data set together, whatever block they came from."""
    return (
        cell.domain,
        cell.dataset,
        cell.noise,
        cell.rate or 0.0,
        canonical_json(cell.noise_options),
        cell.seed,
    )


def validate_grid(grid: Grid) -> None:
    """Refuse names that a grid's domains do not know, before the first cell runs.

    Raises
    ------
    InputError
        Unknown domain, data set (neither a name nor a path), noise kind or method.
    """
    for name in grid.domains:
        domain = get_domain(name)
        datasets = domain.datasets()
        cells = [cell for cell in grid.cells if cell.domain == name]
        for source in dict.fromkeys(cell.dataset for cell in cells):
            if not Path(local_source(name, source)).exists():
                choose(source, datasets, f"{name} data set")
        for kind in dict.fromkeys(cell.noise for cell in cells):
            choose(kind, [OWN_NOISE, MATCHED_NOISE, *domain.noises], f"{name} noise kind")
        for task, method in dict.fromkeys((cell.task, cell.method) for cell in cells):
            if task == TRAIN:
                choose(method, [*TRIVIAL_TRAINERS, *domain.trainers], f"{name} trainer")
            else:
                choose(method, [*TRIVIAL, *domain.detectors], f"{name} method")
