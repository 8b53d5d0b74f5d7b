"""The verbs of a modality, built once from its `Domain`: corrupt, detect, train, review, export, apply ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from labelnoise.core._issues_files import is_table
from labelnoise.core._verbs_export import ExportVerb
from labelnoise.core._verbs_review import check_hash
from labelnoise.core._verbs_train import TrainVerb
from labelnoise.core.choice import OWN_RULE, Choice, decision, not_calibrated
from labelnoise.core.cli import PARAMETER
from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import Domain, get_domain
from labelnoise.core.files import check_output
from labelnoise.core.issues import EXTENSIONS, IssueTable
from labelnoise.core.options import parse_options
from labelnoise.core.truth import blind, judge_table, judge_truth
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = ["Verbs", "build_app"]

Source = Annotated[
    str | None, Parameter(help="A data set by name, or the path of your own; an embedded one by default.")
]
Seed = Annotated[int, Parameter(help="Draws everything that is random; the same seed gives the same result.")]
DataRoot = Annotated[
    Path | None,
    Parameter(help="Folder with this modality's data sets. Default: $LABELNOISE_DATA, then the cache."),
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(name="--set", help="key=value: an option of the chosen method or noise; repeatable."),
]
AsJson = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]


class Verbs(ExportVerb, TrainVerb):
    """The commands of one modality; each method's signature is its command line."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain

    def corrupt(
        self,
        source: Source = None,
        /,
        *,
        kind: str | None = None,
        rate: float | None = None,
        out: Path | None = None,
        settings: Settings = (),
        seed: Seed = 0,
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Replace some labels by wrong ones, keeping the right ones beside them.

        Parameters
        ----------
        source
            A data set by name, or the path of your own. Where true labels are known, noise starts from them.
        kind
            The noise kind.
        rate
            Share of labels that become wrong, 0 to 1.
        out
            File for the corrupted data set.
        """
        domain = self.domain
        kind = self._named(kind, "--kind", domain.noises, "noise kind")
        if rate is None:
            raise InputError(
                "--rate is missing; give the share of labels that become wrong, for instance --rate 0.1."
            )
        rate = as_rate(rate, name="--rate")
        if out is None:
            raise InputError("--out is missing; name the file for the corrupted data set.")
        options = parse_options(settings, domain.noises[kind], positional=3, what="noise kind")
        self._check_seed(seed)
        check_output(out, inputs=self._inputs(source), what="--out")
        if out.exists() and not self._is_corrupted(out):
            raise _foreign(out, "data set made by corrupt")
        clean = self._load(source, data_root)
        notes = []
        if clean.true is not None:
            # Otherwise wrong labels that are there already would count as right from now on.
            start = np.where(clean.labelled & (clean.true >= 0), clean.true, clean.given)
            differing = int((start != clean.given).sum())
            notes.append(f"starts from the known true labels ({differing:,} differed from the given ones)")
            clean = replace(clean, given=start, true=None)
        noisy, corruption = domain.corrupt(clean, kind=kind, rate=rate, seed=seed, **options)
        written = domain.save(noisy, out)
        from labelnoise.core._verbs_show import show_corruption

        asked = {"kind": kind, "rate": rate, "seed": seed, "options": options}
        show_corruption(clean, noisy, corruption, asked, written, notes, as_json=as_json)

    def detect(
        self,
        source: Source = None,
        /,
        *,
        method: str | None = None,
        choice: Choice | None = None,
        out: Path | None = None,
        all_units: bool = False,
        show: int = 20,
        settings: Settings = (),
        seed: Seed = 0,
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Find the labels that are probably wrong.

        Parameters
        ----------
        source
            A data set by name, or the path of your own.
        method
            The detector.
        out
            File for the table of issues: .parquet, .csv or .jsonl.
        all_units
            List every labelled unit in the table, not only the flagged ones.
        show
            Number of rows to print.
        """
        domain = self.domain
        choice = choice or Choice()
        method = choose(method or domain.default_detector, domain.detectors, domain.detectors.what)
        entry = domain.detectors[method]
        calibrated = tuple(name for name, other in domain.detectors.items() if other.calibrated)
        rule, _ = choice.named(method)
        if rule not in (None, OWN_RULE) and entry.calibrated is False:
            raise not_calibrated(str(rule), method, calibrated)  # before the work, not after it
        options = parse_options(settings, entry, positional=2, what="method")
        self._check_seed(seed)
        if show < 0:
            raise InputError(f"--show is {show}; give the number of rows to print, 0 or more.")
        if out is not None:
            check_output(out, extensions=EXTENSIONS, inputs=self._inputs(source), what="--out")
            if out.exists() and not is_table(out):
                raise _foreign(out, "table of issues")
        dataset = self._load(source, data_root)
        if not dataset.labelled.any():
            raise InputError(f"{dataset.name} has no labelled {domain.unit}; there is nothing to judge.")
        seen = blind(dataset)
        if self._inputs(source):
            seen = replace(seen, source=str(source))  # so that review and apply find the file again
        found = domain.detect(seen, method=method, seed=seed, **options)
        flagged, words = decision(found, choice, calibrated=calibrated)
        table = IssueTable.from_detection(
            seen,
            found,
            flagged,
            decision=words,
            all_units=all_units,
            domain=domain.name,
            unit_name=domain.unit,
            settings={"seed": seed, "options": options},
        )
        table = table.with_columns(domain.unit_context(seen, table.columns["index"].tolist()))
        truth = None
        if dataset.true is not None:
            truth = judge_truth(
                dataset,
                flagged,
                quality=found.quality,
                p_wrong=found.p_wrong,
                count=found.count,
                suggested=found.suggested,
            )
        written = table.save(out) if out is not None else []
        from labelnoise.core._verbs_show import show_detection

        show_detection(table, truth, written, limit=show, as_json=as_json)

    def evaluate(
        self,
        issues: Annotated[Path, Parameter(help="A table of issues, written by detect.")],
        /,
        *,
        data: Annotated[
            str | None,
            Parameter(help="The data set that was judged, with known true labels, where it has moved since."),
        ] = None,
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Measure a table of issues against known true labels."""
        table = IssueTable.load(issues)
        self._check_domain(table.header.domain, issues, "evaluate")
        dataset = self._judged(data, table.header.dataset, table.header.source, data_root)
        check_hash(dataset, data, table.header.dataset, table.header.data_hash, issues)
        if dataset.true is None:
            raise InputError(
                f"{dataset.name} has no known true labels to measure against; 'corrupt' makes such data."
            )
        truth, note = judge_table(table, dataset)
        from labelnoise.core._verbs_show import show_evaluation

        show_evaluation(table, truth, note, as_json=as_json)

    def bench(
        self,
        *,
        quick: bool = False,
        full: bool = False,
        real: bool = False,
        config: Path | None = None,
        out: Path = Path("labelnoise-bench"),
        workers: int = 1,
        cluster: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Compare the methods of this modality over data sets, noise and seeds; goes on where it stopped.

        Parameters
        ----------
        quick
            The small grid: embedded data, minutes.
        full
            The large grid: public data, hours; this is what runs without any of these.
        real
            Sets with real wrong labels and known truth, beside simulated noise of the same size.
        config
            A grid of your own, as TOML.
        out
            Folder for finished cells; a second run adds what is missing.
        workers
            Number of processes.
        cluster
            Address of a Dask scheduler, tcp://host:port.
        timeout
            Seconds after which a cell is stopped and listed as such.
        """
        from labelnoise.core.commands import run_benchmark

        return run_benchmark(
            quick=quick,
            full=full,
            real=real,
            config=config,
            domains=(self.domain.name,),
            out=out,
            workers=workers,
            cluster=cluster,
            timeout=timeout,
        )

    def _load(self, source: str | None, root: Path | None) -> Dataset:
        if root is not None and not root.is_dir():
            raise InputError(
                f"--data-root {str(root)!r} is not a folder; name the one that holds the data sets."
            )
        return self.domain.load(source or self.domain.default_dataset, root=root)

    def _is_corrupted(self, path: Path) -> bool:
        try:
            return "corruption" in self.domain.load(str(path)).meta
        except (InputError, OSError):
            return False

    def _inputs(self, source: str | None) -> list[Path]:
        # A name that is also a file is still the file's name; guarding one path too many harms nobody.
        return [Path(source)] if source and Path(source).exists() else []

    def _named(self, value: str | None, flag: str, known: Mapping[str, Any], what: str) -> str:
        if value is None:
            raise InputError(f"{flag} is missing; choose one of: {', '.join(sorted(known))}.")
        return choose(value, known, what)

    @staticmethod
    def _check_seed(seed: int) -> None:
        if seed < 0:
            raise InputError(f"--seed is {seed}; give a whole number from 0.")


def _foreign(path: Path, what: str) -> InputError:
    return InputError(f"--out {str(path)!r} exists and is no {what}; remove it or choose another name.")


def build_app(domain: Domain, name: str | None = None) -> App:
    """The command line of one modality.

    Parameters
    ----------
    domain : Domain
    name : str, optional
        What the program is called in its help; the domain's name by default.

    Returns
    -------
    cyclopts.App
        With the commands corrupt, detect, review, export, apply, evaluate and bench, train where there are trainers, and
        `Domain.extra_verbs`.
    """
    import labelnoise

    app = App(
        name=name or domain.name,
        help=domain.summary,
        version=labelnoise.__version__,
        default_parameter=PARAMETER,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )
    verbs = Verbs(domain)
    if domain.probs_detector:
        from labelnoise.core._verbs_probs import ProbsVerbs

        verbs = ProbsVerbs(domain)
    sources = f"Data sets: {_listed(domain.datasets(), domain.default_dataset)}; or a path."
    app.command(
        verbs.detect,
        help=_help(verbs.detect, f"Methods: {_listed(domain.detectors, domain.default_detector)}.", sources),
    )
    app.command(verbs.corrupt, help=_help(verbs.corrupt, f"Noise kinds: {_listed(domain.noises)}.", sources))
    if domain.trainers:
        app.command(
            verbs.train,
            help=_help(verbs.train, f"Methods: {_listed(domain.trainers, domain.default_trainer)}.", sources),
        )
    app.command(verbs.review)
    app.command(verbs.export)
    app.command(verbs.apply)
    app.command(verbs.evaluate)
    app.command(verbs.bench)
    for verb, command in domain.extra_verbs().items():
        app.command(command, name=verb)
    return app


def _help(verb: Any, *paragraphs: str) -> str:
    return "\n\n".join([str(verb.__doc__).splitlines()[0], *paragraphs])


def _listed(names: Mapping[str, Any], default: str = "") -> str:
    return ", ".join(f"{name} (default)" if name == default else name for name in names) or "none yet"


def __getattr__(name: str) -> App:
    """``app_graph`` and the like, built when first asked for.

    The root command mounts a modality lazily by such an import string, so that its own help loads none.
    """
    prefix = "app_"
    if name.startswith(prefix):
        return build_app(get_domain(name.removeprefix(prefix)))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
