"""Running one cell: load, corrupt, detect, score; everything that a record holds is made here."""

from __future__ import annotations

import hashlib
import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import labelnoise
from labelnoise.core.bench.baselines import TRIVIAL
from labelnoise.core.bench.cost import Cost, hardware, one_thread, versions
from labelnoise.core.bench.grid import MATCHED_NOISE, OWN_NOISE, Cell, canonical_json
from labelnoise.core.bench.measures import TRAIN
from labelnoise.core.bench.store import SCHEMA_VERSION
from labelnoise.core.bench.training import TRIVIAL_TRAINERS, test_scores, train
from labelnoise.core.dataset import Dataset, hash_arrays
from labelnoise.core.detection import Detection
from labelnoise.core.domain import Domain, get_domain, local_source
from labelnoise.core.evaluation import detection_metrics, reliability_bins
from labelnoise.core.truth import blind, realised_transition
from labelnoise.core.validation import InputError

__all__ = [
    "code_fingerprint",
    "data_hash",
    "failed_record",
    "forget_data",
    "run_cell",
]

#: Transition matrices of more classes are left out of records (their size grows with the square).
MAX_TRANSITION_CLASSES = 64

#: Files of the core that cannot change a result, so that editing them keeps finished cells valid.
_NO_PART_IN_RESULTS = frozenset(
    (
        *("cli.py", "commands.py", "verbs.py", "_verbs_show.py", "review.py", "_issues_view.py"),
        *("_issues_files.py", "issues.py", "statistics.py", "progress.py", "_bars.py"),
        *("files.py", "options.py", "choice.py"),
    )
)


def data_hash(dataset: Dataset) -> str:
    """A hash of all that determines a cell's result: what a detector sees, and the truth it is held to."""
    return hash_arrays(**dataset.arrays(), true=dataset.true)


#: Looking a domain up scans all installed distributions, which takes longer than a small cell.
_domain_of = lru_cache(maxsize=16)(get_domain)


@lru_cache(maxsize=16)
def code_fingerprint(domain: str) -> str:
    """A hash of the source that makes a domain's results, so that edited code never passes for run code.

    Covers the core's own modules and the package that holds the domain; not the libraries below them, whose
    versions every record states.
    """
    core = Path(labelnoise.__file__).parent / "core"
    module = sys.modules[type(_domain_of(domain)).__module__]
    home = Path(str(module.__file__))
    # A domain in a package brings its siblings along; one in a single file is that file.
    own = sorted(home.parent.rglob("*.py")) if "." in module.__name__ else [home]
    state = hashlib.blake2b(digest_size=10)
    for path in [
        *sorted(core.glob("*.py")),
        core / "bench" / "cell.py",
        core / "bench" / "baselines.py",
        core / "bench" / "training.py",
        *own,
    ]:
        if path.name not in _NO_PART_IN_RESULTS:
            state.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return state.hexdigest()


@lru_cache(maxsize=2)
def _clean_data(domain: str, dataset: str) -> tuple[Dataset, str]:
    loaded = _domain_of(domain).load(local_source(domain, dataset))
    return loaded, data_hash(loaded)


@lru_cache(maxsize=2)
def _noisy_data(
    domain: str, dataset: str, noise: str, rate: float | None, options: str, seed: int
) -> tuple[Dataset, NDArray[np.float64] | None]:
    """A cell's data with wrong labels and their truth, and the T that they were drawn from."""
    clean, _ = _clean_data(domain, dataset)
    if noise == OWN_NOISE:
        if clean.true is None:
            raise InputError(
                f"{clean.name} has no true labels; the noise 'own' needs them. Choose a simulated noise."
            )
        return clean, None
    if noise == MATCHED_NOISE:
        noisy, corruption = _domain_of(domain).corrupt_alike(clean, seed=seed)
        return noisy, corruption.transition
    loaded = clean
    if clean.true is not None:
        # Simulated noise starts from the truth, or the wrong labels already there would count as right.
        known = clean.labelled & (clean.true >= 0)
        clean = replace(clean, given=np.where(known, clean.true, clean.given), true=None)
    assert rate is not None
    noisy, corruption = _domain_of(domain).corrupt(
        clean, kind=noise, rate=rate, seed=seed, **json.loads(options)
    )
    if loaded.true is not None and not loaded.labelled.all():
        # Test labels may be hidden and yet known.
        assert noisy.true is not None
        noisy = replace(noisy, true=np.where(loaded.labelled, noisy.true, loaded.true))
    return noisy, corruption.transition


def forget_data() -> None:
    """Drop cached data sets; files may have changed between two runs of one process."""
    _clean_data.cache_clear()
    _noisy_data.cache_clear()
    code_fingerprint.cache_clear()
    _domain_of.cache_clear()


def _frame(
    kind: str, task: Mapping[str, Any], *, error: str | None, where: str | None, cost: Any
) -> dict[str, Any]:
    return {
        "determined_by": dict(task["determined_by"]),
        "status": kind,
        "error": error,
        "where": where,
        "result": None,
        "cost": cost,
        "versions": versions(),
        "hardware": hardware(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def failed_record(
    task: Mapping[str, Any],
    error: BaseException | str,
    *,
    status: str = "failed",
    seconds: float | None = None,
) -> dict[str, Any]:
    """The record of a cell without a result: why, and where in the code."""
    where = None
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        if frames:
            where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"
        text = " ".join(str(error).split())
        sentence = text if isinstance(error, InputError) else f"{type(error).__name__}: {text}".rstrip(": ")
    else:
        sentence = error
    cost = {"cpu_seconds": None, "wall_seconds": seconds, "peak_rss_mib": None, "grown_rss_mib": None}
    return _frame(status, task, error=sentence[:500], where=where, cost=cost)


def _numbers(matrix: NDArray[np.float64] | None) -> list[list[float]] | None:
    if matrix is None or len(matrix) > MAX_TRANSITION_CLASSES:
        return None
    rows: list[list[float]] = np.asarray(matrix, dtype=np.float64).tolist()
    return rows


def _facts(data: Dataset, scored: NDArray[np.bool_]) -> dict[str, Any]:
    assert data.is_wrong is not None
    known = data.labelled & (np.asarray(data.true) >= 0)
    return {
        "n_units": data.n_units,
        "n_labelled": int(data.labelled.sum()),
        "n_scored": int(scored.sum()),
        "n_classes": data.n_classes,
        "class_names": list(data.class_names[:MAX_TRANSITION_CLASSES]),
        "realised_rate": float(data.is_wrong[scored if scored.any() else known].mean()),
        "noisy_hash": data_hash(data),
    }


def _score(
    domain: Domain, data: Dataset, found: Detection, drawn: NDArray[np.float64] | None
) -> dict[str, Any]:
    assert data.true is not None
    assert data.is_wrong is not None
    if len(found.quality) != data.n_units:
        raise InputError(
            f"{found.method} judged {len(found.quality)} of {data.n_units} units; it must judge each."
        )
    scored = np.asarray(domain.bench_score(data), dtype=bool) & data.labelled & (data.true >= 0)
    if not scored.any():
        raise InputError(f"{data.name} has no unit with both a given and a true label to score on.")
    wrong, true, given = data.is_wrong[scored], data.true[scored], data.given[scored]
    p_wrong = None if found.p_wrong is None else found.p_wrong[scored]
    # An expected count speaks of all labelled units; it can be held to the truth only where all are scored.
    covers_all = int(scored.sum()) == int(data.labelled.sum())
    metrics = detection_metrics(
        wrong,
        1 - found.quality[scored],
        flagged=found.flagged[scored],
        p_wrong=p_wrong,
        count=found.count if covers_all else None,
    )
    suggested = found.suggested[scored][wrong]
    metrics["suggestion_accuracy"] = (
        float(np.mean(suggested == true[wrong])) if wrong.any() and (suggested >= 0).any() else None
    )
    realised = realised_transition(true, given, data.n_classes)
    estimated = found.transition
    if estimated is not None and estimated.shape != realised.shape:
        raise InputError(
            f"{found.method} estimated a transition of shape {estimated.shape}, not {realised.shape}."
        )
    # Total variation between the rows, averaged over the units, so that empty classes do not count.
    gaps = None if estimated is None else 0.5 * np.abs(estimated - realised).sum(axis=1)
    metrics["transition_error"] = None if gaps is None else float(gaps[true].mean())
    return {
        "metrics": metrics,
        "reliability": None if p_wrong is None else reliability_bins(wrong, p_wrong),
        "count": None
        if found.count is None
        else {
            "expected": float(found.count.expected),
            "low": float(found.count.low),
            "high": float(found.count.high),
            "level": float(found.count.level),
        },
        "transition": {
            "realised": _numbers(realised),
            "drawn": _numbers(drawn),
            "estimated": _numbers(estimated),
        },
        "data": _facts(data, scored),
        "warnings": list(found.warnings),
    }


def _detect_cell(
    domain: Domain, cell: Cell, data: Dataset, drawn: NDArray[np.float64] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    trivial = cell.method in TRIVIAL
    entry = TRIVIAL[cell.method] if trivial else domain.detectors[cell.method]
    entry.load()  # the method's module is imported before the clock starts
    cost = Cost()
    if trivial:
        detection: Detection = entry.load()(data, cell.seed, **cell.method_options)
    else:
        detection = domain.detect(blind(data), method=cell.method, seed=cell.seed, **cell.method_options)
    return cost.stop(), _score(domain, data, detection, drawn)


def _train_cell(
    domain: Domain, cell: Cell, data: Dataset, drawn: NDArray[np.float64] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    name = domain.plain_trainer if cell.method in TRIVIAL_TRAINERS else cell.method
    domain.trainers[name].load()
    cost = Cost()
    trained = train(domain, data, cell.method, cell.seed, cell.method_options)
    spent = cost.stop()
    if len(trained.predicted) != data.n_units:
        raise InputError(
            f"{trained.method} predicted {len(trained.predicted)} of {data.n_units} units; it must predict each."
        )
    found = test_scores(domain, data, trained)
    facts = _facts(data, data.labelled & (np.asarray(data.true) >= 0))
    return spent, {
        "metrics": {"score": found["score"], "accuracy": found["accuracy"]},
        "measure": found["measure"],
        "selected_by": trained.selected_by,
        "data": {**facts, "n_scored": found["units"]},
        "warnings": list(trained.warnings),
    }


def run_cell(task: Mapping[str, Any]) -> dict[str, Any]:
    """Run one cell in this process and return its record; a failure is a record too.

    Parameters
    ----------
    task : mapping
        ``determined_by``: schema version, cell, data hash, method and code version, as made by
        `labelnoise.core.bench.run.make_tasks`.

    Returns
    -------
    dict
        ``status`` is ``"ok"`` or ``"failed"`` (then with the ``error`` in one sentence). Whatever is under
        ``result`` depends on ``determined_by`` alone; ``cost``, ``versions``, ``hardware`` and ``finished``
        are this run's.
    """
    try:
        with one_thread():
            return _run_cell(task)
    except (Exception, SystemExit) as error:
        return failed_record(task, error)


def _run_cell(task: Mapping[str, Any]) -> dict[str, Any]:
    decisive = task["determined_by"]
    cell = Cell.from_json(decisive["cell"])
    if decisive["schema"] != SCHEMA_VERSION or decisive["code"] != code_fingerprint(cell.domain):
        raise InputError(
            "This worker runs other code than the process that asked; install the same version on both."
        )
    if task.get("load_error"):
        raise InputError(task["load_error"])
    domain = _domain_of(cell.domain)
    _, found_hash = _clean_data(cell.domain, cell.dataset)
    if found_hash != decisive["data"]:
        raise InputError(
            f"The data set {cell.dataset!r} differs on this worker; give all workers the same files."
        )
    data, drawn = _noisy_data(
        cell.domain, cell.dataset, cell.noise, cell.rate, canonical_json(cell.noise_options), cell.seed
    )
    before = data.content_hash()
    work = _train_cell if cell.task == TRAIN else _detect_cell
    try:
        spent, result = work(domain, cell, data, drawn)
    except BaseException:
        forget_data()  # it may have died half-way through changing what it was given
        raise
    if data.content_hash() != before:
        forget_data()
        raise InputError(
            f"The method {cell.method!r} changed the data set that it was given; it must copy it first."
        )
    record = _frame("ok", task, error=None, where=None, cost=spent)
    record["result"] = result
    canonical_json(record)  # a NaN or an unserialisable value fails here, where the method is to blame
    return record
