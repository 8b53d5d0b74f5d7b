"""The table of label issues: which labels are probably wrong, ranked, with what a person needs to judge."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import labelnoise
from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXTENSIONS", "SCHEMA_VERSION", "WRONG_LABEL", "IssueHeader", "IssueTable"]

#: Version of the table's columns and header; raised when a reader of the old ones would misread the new ones.
SCHEMA_VERSION = 1
#: File types that `IssueTable.save` and `IssueTable.load` know.
EXTENSIONS = (".csv", ".jsonl", ".parquet")
#: The kind of an issue where a unit carries one label; other modalities add theirs ("missing-tag", ...).
WRONG_LABEL = "wrong-label"

#: Columns of every table and what they hold; ``p_wrong`` is there for calibrated methods only.
COLUMNS: Mapping[str, str | None] = {
    "rank": "int",
    "unit": None,
    "index": "int",
    "given": "str",
    "suggested": "str",
    "kind": "str",
    "p_wrong": "float",
    "quality": "float",
    "confidence": "float",
    "flagged": "bool",
}


@dataclass(frozen=True, kw_only=True)
class IssueHeader:
    """What a table of issues says about all units together; JSON-able.

    Attributes
    ----------
    domain, unit_name, dataset, source : str
        The modality, what one of its units is called, the data set and where it came from.
    data_hash : str
        `Dataset.content_hash` of the data that were judged, so that a table is never held against others.
    method, decision : str
        The detector and the rule that flagged.
    n_units, n_labelled, n_flagged : int
        Counts over the whole data set, whatever the table shows.
    expected : CountEstimate, optional
        How many of the ``n_labelled`` labels are expected to be wrong.
    class_names : tuple of str
    warnings : tuple of str
        Sentences of the detector that the user must see.
    settings : mapping
        Seed and options that the method ran with.
    versions : mapping
        Of this package, Python and NumPy.
    schema_version : int
    """

    domain: str
    unit_name: str
    dataset: str
    source: str
    data_hash: str
    method: str
    decision: str
    n_units: int
    n_labelled: int
    n_flagged: int
    expected: CountEstimate | None
    class_names: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """A plain dict; `from_json` is the inverse."""
        return {**asdict(self), "class_names": list(self.class_names), "warnings": list(self.warnings)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> IssueHeader:
        """Build a header from `to_json`; anything else is refused by KeyError, TypeError or InputError."""
        version = value["schema_version"]
        if version != SCHEMA_VERSION:
            raise InputError(
                f"The table has schema version {version} and this package reads {SCHEMA_VERSION}; "
                "install the version of labelnoise that wrote it."
            )
        known = {name.name: value[name.name] for name in fields(cls)}
        expected = known["expected"]
        texts = ("domain", "unit_name", "dataset", "source", "data_hash", "method", "decision")
        lists = ("class_names", "warnings")
        counts = ("n_units", "n_labelled", "n_flagged")
        sound = (
            all(isinstance(known[name], str) for name in texts)
            and all(isinstance(known[name], list | tuple) for name in lists)
            and all(isinstance(item, str) for name in lists for item in known[name])
            and all(type(known[name]) is int and known[name] >= 0 for name in counts)
            and all(isinstance(known[name], Mapping) for name in ("settings", "versions"))
        )
        if not sound:
            raise TypeError("a field holds something else")
        count = None if expected is None else _plain_count(CountEstimate(**expected))
        return cls(**{**known, "expected": count, **{name: tuple(known[name]) for name in lists}})


def _text(value: Any) -> str:
    """Text that every format can hold: lone surrogates (odd file names) become escapes."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return ", ".join(_text(item) for item in value)
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def as_column(values: ArrayLike | Sequence[Any], name: str) -> NDArray[Any]:
    """Bring a column to int64, float64, bool or text; NaN and None stand for "not known" in float columns.

    Examples
    --------
    >>> as_column([1, 2], "degree"), as_column([0.5, None], "agreement"), as_column(["a", 3], "note")
    (array([1, 2]), array([0.5, nan]), array(['a', '3'], dtype=object))
    """
    array = values if isinstance(values, np.ndarray) else _as_array(list(values))  # type: ignore[arg-type]
    if array.ndim != 1:
        raise InputError(f"The column {name!r} has shape {array.shape}; a table needs one value per row.")
    if array.dtype.kind == "O" and not _is_clean_text(array):
        array = _as_array(array.tolist())
    if array.dtype.kind == "b" or _is_clean_text(array):
        return array
    if array.dtype.kind in "iu" and (not array.size or int(array.max()) < 2**63):
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        if np.isinf(array).any():
            raise InputError(f"The column {name!r} holds infinity; a table needs finite numbers, or none.")
        return array.astype(np.float64)
    return _objects([_text(item) for item in array.tolist()])


def _as_array(items: list[Any]) -> NDArray[Any]:
    """Numbers and booleans as such if all are; else text."""
    plain = [item.item() if isinstance(item, np.generic) else item for item in items]
    types = {type(item) for item in plain}
    if types == {bool}:
        return np.array(plain, dtype=bool)
    if types == {int} and all(-(2**63) <= item < 2**63 for item in plain):
        return np.array(plain, dtype=np.int64)
    if float in types and types <= {float, int, type(None)}:
        return np.array([np.nan if item is None else item for item in plain], dtype=np.float64)
    return _objects([_text(item) for item in plain])


def _is_clean_text(array: NDArray[Any]) -> bool:
    """Whether a column is as `_text` would leave it; a join is many times faster than a look at each item."""
    if array.dtype.kind != "O":
        return False
    try:
        "".join(array.tolist()).encode("utf-8")
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def _objects(items: Sequence[Any]) -> NDArray[Any]:
    column = np.empty(len(items), dtype=object)
    column[:] = items
    return column


def kind_of(column: NDArray[Any]) -> str:
    """``"int"``, ``"float"``, ``"bool"`` or ``"str"``."""
    return {"i": "int", "f": "float", "b": "bool"}.get(column.dtype.kind, "str")


@dataclass(frozen=True, eq=False)
class IssueTable:
    """Label issues of one data set, most probably wrong first.

    Build one with `from_detection`, read one with `load`. It shows itself as a table in a terminal (`print`)
    and in a notebook.

    Attributes
    ----------
    header : IssueHeader
    columns : mapping of str to ndarray
        Equally long columns of int64, float64, bool or text (object). Always: ``rank`` (1 = most probably
        wrong), ``unit`` (the user's id), ``index`` (row in the data set), ``given``, ``suggested`` (class
        names; empty = no opinion, or none but the label that is flagged), ``kind``, ``quality``, ``confidence``,
        ``flagged``; ``p_wrong`` where the method is calibrated; then evidence and context, where NaN means "not known".

    Examples
    --------
    >>> data = Dataset(name="pets", given=np.array([0, 1, 1]), class_names=("cat", "dog"))
    >>> found = Detection(
    ...     method="example", quality=np.array([0.9, 0.2, 0.8]), flagged=np.array([False, True, False]),
    ...     suggested=np.array([0, 0, 1]), confidence=np.array([0.9, 0.8, 0.8]))
    >>> table = IssueTable.from_detection(data, found, found.flagged, decision="its own rule")
    >>> print(table.summary)
    1 of 3 labels flagged
    >>> table.columns["unit"], table.columns["suggested"]
    (array([1]), array(['cat'], dtype=object))
    """

    header: IssueHeader
    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        checked = {str(name): as_column(column, name) for name, column in self.columns.items()}
        object.__setattr__(self, "columns", checked)
        lengths = {name: len(column) for name, column in checked.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(
                f"The columns of a table differ in length: {lengths}; give one value per row in each."
            )
        for name, kind in COLUMNS.items():
            if name not in checked:
                if name == "p_wrong":
                    continue
                raise InputError(f"The table has no column {name!r}; every table of issues has one.")
            column = checked[name]
            if kind is not None and kind_of(column) != kind and len(column):
                raise InputError(f"The column {name!r} holds {kind_of(column)} values, not {kind}.")
            if column.dtype.kind == "f" and np.isnan(column).any():
                raise InputError(f"The column {name!r} holds NaN; every issue needs a value there.")
            if kind is not None and not len(column):
                dtype = {"int": np.int64, "float": np.float64, "bool": np.bool_}.get(kind, object)
                checked[name] = column.astype(dtype)

    @classmethod
    def from_detection(
        cls,
        dataset: Dataset,
        detection: Detection,
        flagged: ArrayLike,
        *,
        decision: str,
        context: Mapping[str, Sequence[Any]] | None = None,
        all_units: bool = False,
        kinds: Sequence[str] | None = None,
        domain: str = "",
        unit_name: str = "unit",
        settings: Mapping[str, Any] | None = None,
    ) -> IssueTable:
        """Rank the flagged units of a detection.

        Parameters
        ----------
        dataset : Dataset
            The n units that were judged.
        detection : Detection
        flagged : array_like of bool, shape (n,)
            The decision, by whatever rule.
        decision : str
            That rule in words, for instance ``"fdr 0.1"``.
        context : mapping of str to sequence of length n, optional
            Further columns, one value per unit of the data set; for values of the listed units alone use
            `with_columns`.
        all_units : bool
            List every labelled unit, not only the flagged ones; needed to measure a ranking later.
        kinds : sequence of str, length n, optional
            The kind of issue per unit; "wrong-label" by default.
        domain, unit_name, settings
            For the header.

        Returns
        -------
        IssueTable
            Sorted by ``p_wrong`` where there is one, else by quality; equal units in the data set's order.

        Raises
        ------
        InputError
            Lengths differ, or a unit without a label is flagged.
        """
        n = dataset.n_units
        chosen = np.asarray(flagged)
        if chosen.shape != (n,) or chosen.dtype.kind != "b":
            raise InputError(
                f"flagged has shape {chosen.shape} and type {chosen.dtype}; give a mask of {n} booleans."
            )
        if len(detection.quality) != n:
            raise InputError(f"The detection judges {len(detection.quality)} units and the data set has {n}.")
        unlabelled = int((chosen & ~dataset.labelled).sum())
        if unlabelled:
            raise InputError(
                f"{unlabelled} flagged unit(s) carry no label; a decision flags labelled units only."
            )
        rows = np.flatnonzero(dataset.labelled if all_units else chosen)
        keys = [rows, detection.quality[rows]]
        if detection.p_wrong is not None:
            keys.append(-detection.p_wrong[rows])
        index = rows[np.lexsort(keys)]

        named = detection.evidence.get("kind", [""] * n) if kinds is None else kinds
        names = np.array([*dataset.class_names, ""], dtype=object)  # id -1 picks the empty name
        suggested = np.asarray(detection.suggested)[index]
        # Of a label that the decision doubts, the label itself is no suggestion.
        suggested = np.where(chosen[index] & (suggested == dataset.given[index]), -1, suggested)
        columns: dict[str, Any] = {
            "rank": np.arange(1, len(index) + 1),
            "unit": np.asarray(dataset.ids[index]),
            "index": index,
            "given": names[dataset.given[index]],
            "suggested": names[suggested],
            "kind": _objects([str(named[i]) or WRONG_LABEL for i in index]),
        }
        if detection.p_wrong is not None:
            columns["p_wrong"] = np.asarray(detection.p_wrong, dtype=np.float64)[index]
        columns["quality"] = np.asarray(detection.quality, dtype=np.float64)[index]
        columns["confidence"] = np.asarray(detection.confidence, dtype=np.float64)[index]
        columns["flagged"] = chosen[index]
        header = IssueHeader(
            domain=domain,
            unit_name=unit_name,
            dataset=_text(dataset.name),
            source=_text(dataset.source),
            data_hash=dataset.content_hash(),
            method=detection.method,
            decision=decision,
            n_units=n,
            n_labelled=int(dataset.labelled.sum()),
            n_flagged=int(chosen.sum()),
            expected=None if detection.count is None else _plain_count(detection.count),
            class_names=tuple(_text(name) for name in dataset.class_names),
            warnings=tuple(map(_text, detection.warnings)),
            # As it will be read back: tuples become lists, whatever JSON does not know becomes text.
            settings=json.loads(json.dumps(settings or {}, default=_text)),
            versions={
                "labelnoise": labelnoise.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
            },
        )
        table = cls(header, columns)
        evidence = {
            name: np.asarray(values)[index] for name, values in detection.evidence.items() if name != "kind"
        }
        table = table.with_columns(evidence, clash="evidence")
        picked = {name: [values[i] for i in index] for name, values in (context or {}).items()}
        return table.with_columns(picked)

    def with_columns(self, columns: Mapping[str, Any], *, clash: str = "context") -> IssueTable:
        """A copy with further columns, one value per row of this table, in its order.

        A name that is taken already gets ``clash`` in front, so that nothing is overwritten.
        """
        result: dict[str, Any] = dict(self.columns)
        for name, values in columns.items():
            label = str(name)
            while label in result or label in COLUMNS:
                label = f"{clash}_{label}"
            result[label] = values
        return IssueTable(self.header, result)

    def __len__(self) -> int:
        return len(self.columns["rank"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IssueTable):
            return NotImplemented
        if self.header != other.header or list(self.columns) != list(other.columns):
            return False
        pairs = [(column, other.columns[name]) for name, column in self.columns.items()]
        return all(
            kind_of(a) == kind_of(b) and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def extra(self) -> list[str]:
        """Names of the evidence and context columns."""
        return [name for name in self.columns if name not in COLUMNS]

    @cached_property
    def summary(self) -> str:
        """One sentence: how many labels are flagged and how many are expected to be wrong."""
        header = self.header
        sentence = f"{header.n_flagged:,} of {header.n_labelled:,} labels flagged"
        if header.expected is not None:
            count = header.expected
            sentence += f"; {count.expected:,.0f} [{count.low:,.0f}, {count.high:,.0f}] expected to be wrong"
        return sentence

    def rows(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows as JSON-able dicts, most probably wrong first; "not known" is None."""
        shown = {name: column[:limit].tolist() for name, column in self.columns.items()}
        for values in zip(*shown.values()):
            yield {name: None if value != value else value for name, value in zip(shown, values)}

    def head(self, limit: int) -> IssueTable:
        """The first rows, the most probably wrong; the header stays as it is."""
        return replace(self, columns={name: values[:limit] for name, values in self.columns.items()})

    def save(self, path: str | Path) -> list[Path]:
        """Write the table as ``.parquet``, ``.csv`` or ``.jsonl``, whole or not at all; returns the paths.

        A CSV has its header beside it, in ``<name>.csv.meta.json``; it opens in a spreadsheet, and text that
        one would take for a formula is led by an apostrophe, which `load` removes.
        """
        from labelnoise.core._issues_files import write_table

        return write_table(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> IssueTable:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            Missing, broken, truncated or foreign file.
        """
        from labelnoise.core._issues_files import read_table

        return read_table(Path(path))

    def to_pandas(self) -> pd.DataFrame:
        """The columns as a data frame; the header is in its ``attrs``."""
        import pandas as pd

        frame = pd.DataFrame({name: column.copy() for name, column in self.columns.items()})
        frame.attrs["labelnoise"] = self.header.to_json()
        return frame

    def print(self, limit: int = 20, *, width: int | None = None) -> None:
        """Show the header sentence and the first rows on standard output."""
        from labelnoise.core._issues_view import print_table

        print_table(self, limit, width=width)

    def __repr__(self) -> str:
        header = self.header
        return f"IssueTable({len(self)} rows, {header.dataset!r} by {header.method!r}: {self.summary})"

    def _repr_html_(self) -> str:
        from labelnoise.core._issues_view import html_table

        return html_table(self)


def _plain_count(count: CountEstimate) -> CountEstimate:
    expected, low, high = float(count.expected), float(count.low), float(count.high)
    if not np.isfinite([expected, low, high]).all():
        raise InputError(f"The expected count {count} holds NaN or infinity; a detector must not return any.")
    return CountEstimate(expected, low, high, float(count.level), _text(count.method))
