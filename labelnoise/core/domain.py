"""The contract that each modality fulfils, and how one is found: by entry point, by name, lazily."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import Detection
from labelnoise.core.noise import Corruption
from labelnoise.core.registry import Registry
from labelnoise.core.review.cards import Card
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose

if TYPE_CHECKING:
    from labelnoise.core.issues import IssueTable
    from labelnoise.core.review.entries import Entries
    from labelnoise.core.review.samples import Mark, SampleSet, Suggestions

__all__ = [
    "DatasetInfo",
    "Domain",
    "data_root",
    "domain_names",
    "get_domain",
    "local_source",
    "local_sources",
    "score_row",
]

ENTRY_POINT_GROUP = "labelnoise.domains"


@dataclass(frozen=True)
class DatasetInfo:
    """A data set that can be loaded by name.

    Attributes
    ----------
    name, summary, licence, source : str
        How it is called, what it is, under which licence, from where.
    embedded : bool
        It ships with the package or is generated: no download, no local folder.
    real_noise : bool
        Its labels carry real noise and a clean version exists.
    """

    name: str
    summary: str
    licence: str
    source: str
    embedded: bool = False
    real_noise: bool = False


class Domain(ABC):
    """One modality: what its units are, how they are read, corrupted, judged and shown.

    A subclass is registered under the entry-point group ``labelnoise.domains``; the verbs, their common
    flags, progress, output and exit codes are built from it in `labelnoise.core.verbs`.
    """

    #: The word a user types.
    name: ClassVar[str]
    #: What one unit is, singular ("node", "token", "tag", "pixel").
    unit: ClassVar[str]
    #: One sentence for ``labelnoise --help``.
    summary: ClassVar[str]
    #: The data set used when the user names none.
    default_dataset: ClassVar[str]
    #: The detector used when the user names none.
    default_detector: ClassVar[str]
    #: Noise kinds, by name. An entry's target is ``f(dataset, rate, seed, **options) -> Corruption``.
    noises: ClassVar[Registry]
    #: Detectors, by name. An entry's target is ``f(dataset, seed, **options) -> Detection``.
    detectors: ClassVar[Registry]
    #: The detector behind ``detect --probs``, whose option ``probs`` is a file; none if empty.
    probs_detector: ClassVar[str] = ""
    #: Trainers, by name. An entry's target is ``f(dataset, seed, **options) -> Trained``. None: no verb train.
    trainers: ClassVar[Registry] = Registry("trainer")
    #: The trainer used when the user names none.
    default_trainer: ClassVar[str] = ""
    #: The trainer that takes every label for right: what the others are held against.
    plain_trainer: ClassVar[str] = "plain"
    #: What the verb train prints of a row of `training_scores` beside the accuracy: key and title of its column.
    train_columns: ClassVar[Mapping[str, str]] = {}

    #: Endings of files that hold something else than labels of units, so that decisions on units cannot go there.
    not_for_decisions: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def datasets(self) -> Mapping[str, DatasetInfo]:
        """Data sets that `load` knows by name."""

    @abstractmethod
    def load(self, source: str, *, root: Path | None = None) -> Dataset:
        """Read a data set by name, or the user's own from a path.

        Parameters
        ----------
        source : str
            A name from `datasets`, or a path.
        root : Path, optional
            Folder with this domain's data sets; default: `data_root` of this domain, then the cache.

        Raises
        ------
        InputError
            Unknown name, missing or broken file.
        """

    @abstractmethod
    def save(self, dataset: Dataset, path: Path) -> list[Path]:
        """Write a data set so that `load` reads it back; all files or none. Returns what was written."""

    @abstractmethod
    def describe(self, dataset: Dataset) -> dict[str, Any]:
        """A few facts worth printing (units, classes, edges, homophily ...), JSON-able, in order."""

    def corrupt(
        self, dataset: Dataset, *, kind: str, rate: float, seed: int, **options: Any
    ) -> tuple[Dataset, Corruption]:
        """Replace some given labels by wrong ones; the result keeps the old ones as ``true``.

        Units without a label keep the truth that is known of them, so that a test split whose labels are hidden can
        still be scored.
        """
        entry = self.noises[kind]
        corruption: Corruption = entry.load()(dataset, rate, seed, **{**entry.options, **options})
        record = {"kind": kind, "asked_rate": rate, "realised_rate": corruption.rate, "seed": seed, **options}
        true = (
            dataset.given if dataset.true is None else np.where(dataset.labelled, dataset.given, dataset.true)
        )
        noisy = dataset.with_labels(corruption.labels, true=true, corruption=record)
        return noisy, corruption

    def detect(
        self, dataset: Dataset, *, method: str | None = None, seed: int = 0, **options: Any
    ) -> Detection:
        """Judge every given label."""
        entry = self.detectors[method or self.default_detector]
        result: Detection = entry.load()(dataset, seed, **{**entry.options, **options})
        return result

    def train(self, dataset: Dataset, *, method: str | None = None, seed: int = 0, **options: Any) -> Trained:
        """Train on the given labels, and predict every unit."""
        entry = self.trainers[method or self.default_trainer]
        result: Trained = entry.load()(dataset, seed, **{**entry.options, **options})
        return result

    def training_scores(self, dataset: Dataset, trained: Trained) -> list[dict[str, Any]]:
        """Accuracy by split, and on which labels it was measured: "true" where they are known, else "given".

        By default one row over all units; a modality with splits gives one row each.
        """
        return [score_row(dataset, trained, "all", np.ones(dataset.n_units, dtype=bool))]

    def training_measure(self, dataset: Dataset) -> str:
        """Which column of `training_scores` says best how good a model is; higher is better."""
        return "accuracy"

    def corrupt_alike(self, dataset: Dataset, *, seed: int) -> tuple[Dataset, Corruption]:
        """Simulate what a data set with known truth has: as many wrong labels, between the same classes.

        By default labels are drawn unit by unit from the realised transition matrix, which is all that classic
        simulators know; a modality whose labels have to stay valid (tags of entities, masks) does it its way.

        Raises
        ------
        InputError
            The data set has no true labels.
        """
        from labelnoise.core.noise import corrupt
        from labelnoise.core.truth import realised_transition

        if dataset.true is None:
            raise InputError(
                f"{dataset.name} has no true labels; noise like its own can be drawn only where they are known."
            )
        known = dataset.labelled & (dataset.true >= 0)
        clean = np.where(known, dataset.true, -1)
        transition = realised_transition(dataset.true[known], dataset.given[known], dataset.n_classes)
        corruption = corrupt(clean, transition, seed=seed)
        record = {"kind": "matched", "realised_rate": corruption.rate, "seed": seed}
        start = replace(dataset, given=clean.astype(dataset.given.dtype), true=None)
        return start.with_labels(corruption.labels, true=dataset.true, corruption=record), corruption

    def unit_context(self, dataset: Dataset, units: Sequence[int]) -> dict[str, list[Any]]:
        """Extra columns for the issues table that help a person judge these units (neighbours, text ...)."""
        return {}

    def review_cards(self, dataset: Dataset, units: Sequence[int]) -> list[Card]:
        """How the review page shows these units, beside the columns of the table of issues.

        By default the user's id and nothing else; a modality adds what a person has to see or hear.
        """
        return [Card(title=f"{self.unit} {dataset.ids[unit]}") for unit in units]

    def review_groups(self, dataset: Dataset, table: IssueTable) -> NDArray[np.int64]:
        """Rows of a table of issues that one decision is about, by equal numbers: by default each row is alone.

        Rows of one group share given label, suggestion and kind.
        """
        return np.arange(len(table))

    def entry_cards(self, dataset: Dataset, table: IssueTable, entries: Entries) -> list[Card]:
        """Cards of the entries of a page made from a whole table of issues.

        `review_cards` of each entry's first unit, unless entries have several units or issues explain each other.
        """
        return self.review_cards(dataset, entries.table.columns["index"].tolist())

    def export_samples(self, dataset: Dataset, found: Suggestions) -> SampleSet:
        """The items that issues are about, with given and suggested labels, for the tools of others.

        By default each unit is an item with one class, shown by its review card; a modality whose items are
        files, or hold many units, says so here.
        """
        from labelnoise.core.review.samples import class_samples

        return class_samples(
            dataset, found, kind="card", cards=self.review_cards(dataset, found.units.tolist())
        )

    def read_marks(self, dataset: Dataset, units: Sequence[int], marks: Sequence[Mark]) -> Mapping[int, str]:
        """The label of each unit of an item that a person marked in another tool: `export_samples` backwards.

        Parameters
        ----------
        dataset : Dataset
        units : sequence of int
            Those of the item's sample; where it has more, these name the item.
        marks : sequence of Mark

        Raises
        ------
        InputError
            Marks that are no labels of units here.
        """
        if len(marks) != 1:
            raise InputError(f"a {self.unit} has one label and {len(marks)} are marked")
        return {units[0]: marks[0].label}

    def is_here(self, name: str) -> bool:
        """Whether a data set can be loaded by name from what is on this machine, nothing being downloaded.

        By default only what is embedded; a modality whose sets are the user's own copies looks for these.
        """
        info = self.datasets().get(name)
        return info is not None and info.embedded

    def extra_verbs(self) -> Mapping[str, Callable[..., Any]]:
        """Commands that this modality has beside those of all, by name; a command's signature is its command line."""
        return {}

    def extra_methods(self) -> Mapping[str, tuple[str, Registry]]:
        """What those commands choose from by ``--method``: a heading and the registry, by the command's name."""
        return {}

    def bench_score(self, dataset: Dataset) -> Any:
        """Mask of the units on which a benchmark scores detection; all labelled units by default."""
        return dataset.labelled


def score_row(dataset: Dataset, trained: Trained, split: str, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """One row of `Domain.training_scores`.

    Examples
    --------
    >>> data = Dataset(name="d", given=np.array([0, 1]), class_names=("a", "b"), true=np.array([0, 0]))
    >>> made = Trained(method="m", predicted=np.array([0, 0]), probs=np.ones((2, 2)) / 2, history=(),
    ...                selected_by="last epoch", chosen=0)
    >>> score_row(data, made, "all", np.array([True, True]))
    {'split': 'all', 'accuracy': 1.0, 'labels': 'true', 'units': 2}
    """
    known = (
        dataset.true is not None
        and bool((dataset.true[mask] >= 0).any())
        and bool((dataset.true[mask & dataset.labelled] >= 0).all())
    )
    labels = dataset.true if known and dataset.true is not None else dataset.given
    use = mask & (labels >= 0)
    accuracy = round(trained.accuracy(labels, use), 4) if use.any() else None
    return {
        "split": split,
        "accuracy": accuracy,
        "labels": "true" if known else "given",
        "units": int(use.sum()),
    }


def data_root(domain: str) -> Path | None:
    """The folder of a domain's local data sets: ``$LABELNOISE_DATA/<domain>`` if it exists."""
    base = os.environ.get("LABELNOISE_DATA")
    if not base:
        return None
    folder = Path(base) / domain
    return folder if folder.is_dir() else None


def local_source(domain: str, source: str) -> str:
    """Where a data set given as a relative path lies: here, or else below the domain's local data sets.

    What is no path of several parts, or is not there either, comes back as it is.

    Examples
    --------
    >>> local_source("graph", "Cora"), local_source("graph", "no such folder/mine.npz")
    ('Cora', 'no such folder/mine.npz')
    """
    path, root = Path(source), data_root(domain)
    if root is None or len(path.parts) < 2 or path.exists() or not (root / path).exists():
        return source
    return str(root / path)


def local_sources(domain: str, pattern: str) -> list[str]:
    """Local data sets of a domain by a pattern such as ``real-noise/*``, as paths below its folder, sorted.

    Examples
    --------
    >>> local_sources("graph", "no such folder/*")
    []
    """
    root = data_root(domain)
    if root is None:
        return []
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise InputError(
            f"The pattern {pattern!r} leaves the folder of local data sets; give one below {str(root)!r}."
        )
    found = (path for path in root.glob(pattern) if not path.name.startswith("."))
    return sorted(path.relative_to(root).as_posix() for path in found)


def domain_names() -> list[str]:
    """Names of the installed modalities, sorted."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def get_domain(name: str) -> Domain:
    """Find a modality by name and build it.

    Raises
    ------
    InputError
        Unknown name, or its extra is not installed.
    """
    points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if not points:
        raise InputError(
            "No modality is installed; install the package itself, for instance pip install labelnoise."
        )
    choose(name, points, "domain")
    try:
        cls = points[name].load()
    except ImportError as error:
        raise InputError(
            f"The domain {name!r} needs {error.name!r}, which is not installed. Run: pip install 'labelnoise[{name}]'"
        ) from error
    domain: Domain = cls()
    return domain
