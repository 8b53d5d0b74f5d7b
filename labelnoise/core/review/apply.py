"""Putting decisions into a copy of the data, with a record that takes them back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import labelnoise
from labelnoise.core.dataset import Dataset
from labelnoise.core.files import replacing
from labelnoise.core.reading import read_json
from labelnoise.core.review.decisions import Decisions
from labelnoise.core.review.runs import rows_of
from labelnoise.core.validation import InputError

__all__ = ["Change", "Provenance", "apply_decisions", "as_written", "provenance_path", "undo_decisions"]

_FORMAT = "labelnoise-provenance"
_VERSION = 1


@dataclass(frozen=True)
class Change:
    """One label that was replaced."""

    index: int
    unit: str
    old: str
    new: str
    verdict: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What `apply_decisions` did: enough to explain every changed label and to take all of it back.

    Attributes
    ----------
    domain, dataset, method : str
    before, after : str
        Content hashes of the data without and with the changes.
    changes : tuple of Change
    reviewed : int
        Number of decisions, those that changed nothing included.
    kept : int
        Number of decisions that changed nothing; one decision may be about many labels.
    class_names : tuple of str
        Of the data before; a format that lists the classes which occur may have lost one.
    restored : str
        Content hash of the written copy with the changes taken back; as ``before`` where the copy holds all that the
        data held. A copy may hold less than the labels' surroundings: a table of clips holds no sound.
    """

    domain: str
    dataset: str
    before: str
    after: str
    changes: tuple[Change, ...]
    reviewed: int
    method: str = ""
    class_names: tuple[str, ...] = ()
    restored: str = ""
    kept: int = 0

    def save(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        record = {
            "format": _FORMAT,
            "version": _VERSION,
            "labelnoise": labelnoise.__version__,
            **{
                name: getattr(self, name)
                for name in ("domain", "dataset", "method", "before", "after", "restored", "reviewed", "kept")
            },
            "class_names": list(self.class_names),
            "changes": [vars(change) for change in self.changes],
        }
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Provenance:
        """Read a record.

        Raises
        ------
        InputError
            A missing or damaged file, or one of another kind.
        """
        if not path.exists():
            raise InputError(f"There is no file {str(path)!r}; apply writes it beside the corrected data.")
        try:
            value = read_json(path)
            if value["format"] != _FORMAT or value["version"] != _VERSION:
                raise ValueError("another kind of file")
            changes = tuple(
                Change(
                    int(row["index"]), *(str(row[name]) for name in ("unit", "old", "new", "verdict", "note"))
                )
                for row in value["changes"]
            )
            texts = {name: str(value[name]) for name in ("domain", "dataset", "method", "before", "after")}
            classes = tuple(map(str, value.get("class_names", ())))
            # Records from before this was kept lead back to the data themselves.
            texts["restored"] = str(value.get("restored") or texts["before"])
            reviewed = int(value["reviewed"])
            # Earlier records say it by their changes, of which each was a decision.
            kept = int(value.get("kept", reviewed - sum(change.verdict != "follows" for change in changes)))
            return cls(changes=changes, reviewed=reviewed, kept=kept, class_names=classes, **texts)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(
                f"{str(path)!r} is no record of applied decisions ({type(error).__name__}); "
                "name the .provenance.json that apply wrote."
            ) from error


def provenance_path(data: Path) -> Path:
    """Where the record of a corrected data set lies.

    Examples
    --------
    >>> provenance_path(Path("corrected.npz")).name
    'corrected.npz.provenance.json'
    """
    return data.with_name(data.name + ".provenance.json")


def apply_decisions(dataset: Dataset, decisions: Decisions, *, domain: str) -> tuple[Dataset, Provenance]:
    """A copy of the data set with the decided labels.

    Parameters
    ----------
    dataset : Dataset
        The data that were reviewed; it stays as it is.
    decisions : Decisions
    domain : str
        Name of the data set's modality.

    Returns
    -------
    corrected : Dataset
    provenance : Provenance

    Raises
    ------
    InputError
        Decisions about other data (by content hash) or another modality, rows or labels that the data do not have.

    Examples
    --------
    >>> import numpy as np
    >>> from labelnoise.core.review.decisions import Decision
    >>> data = Dataset(name="pets", given=np.array([0, 1]), class_names=("cat", "dog"))
    >>> made = Decisions(domain="pets", dataset="pets", data_hash=data.content_hash(),
    ...                  decisions=(Decision(1, "1", "dog", "accept", "cat"),))
    >>> corrected, record = apply_decisions(data, made, domain="pets")
    >>> corrected.given.tolist(), record.changes[0].old
    ([0, 0], 'dog')
    """
    if decisions.domain != domain:
        raise InputError(
            f"The decisions are about {decisions.domain} data; use 'labelnoise {decisions.domain} apply'."
        )
    found = dataset.content_hash()
    if decisions.data_hash != found:
        raise InputError(
            f"The decisions judge {decisions.dataset!r} (content {decisions.data_hash[:8]}) and {dataset.name!r} is "
            f"other data (content {found[:8]}); pass the file that was reviewed, unchanged."
        )
    place = {name: i for i, name in enumerate(dataset.class_names)}
    given, changes = dataset.given.copy(), []
    for decision in decisions.decisions:
        if decision.label not in place:
            raise InputError(
                f"Row {decision.index} is to get the label {decision.label!r}; the classes are "
                f"{', '.join(dataset.class_names[:12])}{' ...' if len(place) > 12 else ''}."
            )
        last = sum(decision.runs[-1]) - 1
        if last >= dataset.n_units:
            raise InputError(f"Row {last} was judged but there are {dataset.n_units} rows.")
        rows = rows_of(decision.runs)
        other = np.flatnonzero(given[rows] != place.get(decision.given, -1))
        if len(other) or decision.given not in ("", *place):
            row = int(rows[other[0]]) if len(other) else decision.index
            old = dataset.class_names[given[row]] if given[row] >= 0 else ""
            raise InputError(
                f"Row {row} has the label {old!r}, the decision judged {decision.given!r}; "
                "the decisions were edited, or the data were."
            )
        if decision.label != decision.given:
            given[rows] = place[decision.label]
            # All names at once: those of pixels are made when asked for.
            changes += [
                Change(row, str(name), decision.given, decision.label, decision.verdict, decision.note)
                for row, name in zip(rows.tolist(), dataset.ids[rows], strict=True)
            ]
    corrected = dataset.with_labels(given)
    return corrected, Provenance(
        domain=domain,
        dataset=dataset.name,
        before=found,
        after=corrected.content_hash(),
        restored=found,
        changes=tuple(changes),
        reviewed=len(decisions.decisions),
        kept=sum(decision.label == decision.given for decision in decisions.decisions),
        method=decisions.method,
        class_names=tuple(dataset.class_names),
    )


def as_written(record: Provenance, before: Dataset, written: Dataset) -> Provenance:
    """The record of what a reader of the written file finds.

    A format may say less, or other things, than the labels that were written: where only entities are kept, the
    tag after a deleted one begins an entity from then on. Such labels become changes with the verdict "follows".

    Parameters
    ----------
    record : Provenance
        Of `apply_decisions`.
    before : Dataset
        The data without the changes.
    written : Dataset
        What was read back.

    Raises
    ------
    InputError
        None of the changes is in the file.

    Examples
    --------
    >>> import numpy as np
    >>> from labelnoise.core.review.decisions import Decision
    >>> data = Dataset(name="pets", given=np.array([0, 1, 1]), class_names=("cat", "dog"))
    >>> made = Decisions(domain="pets", dataset="pets", data_hash=data.content_hash(),
    ...                  decisions=(Decision(1, "1", "dog", "accept", "cat"),))
    >>> _, record = apply_decisions(data, made, domain="pets")
    >>> found = as_written(record, data, data.with_labels(np.array([0, 0, 0])))
    >>> [(change.index, change.verdict) for change in found.changes]
    [(1, 'accept'), (2, 'follows')]
    """
    if written.n_units != before.n_units:
        raise InputError(
            f"The copy has {written.n_units} units and the data have {before.n_units}; choose another format."
        )
    same = _in_classes(written, before.class_names)
    labels = same.given
    decided = {change.index: change for change in record.changes}
    names = [*before.class_names, ""]
    changes = []
    other = np.flatnonzero(labels != before.given)
    for index, name in zip(other.tolist(), before.ids[other], strict=True):
        change = Change(
            index,
            str(name),
            names[before.given[index]],
            names[labels[index]],
            decided[index].verdict if index in decided else "follows",
            decided[index].note if index in decided else "",
        )
        changes.append(change)
    if not any(change.index in decided for change in changes):
        raise InputError(
            f"The format of the copy holds none of the {len(decided)} changed labels; choose another one for --out."
        )
    restored = same.with_labels(before.given).content_hash()
    return replace(record, changes=tuple(changes), after=written.content_hash(), restored=restored)


def _in_classes(dataset: Dataset, class_names: Sequence[str]) -> Dataset:
    """The data set with its labels numbered as in ``class_names``, which must hold all of its classes."""
    if not class_names or tuple(dataset.class_names) == tuple(class_names):
        return dataset
    place = {name: label for label, name in enumerate(class_names)}
    unknown = [name for name in dataset.class_names if name not in place]
    if unknown:
        raise InputError(
            f"{dataset.name!r} has the class {unknown[0]!r}, which the record of the changes does not know."
        )
    # The last entry stands for -1, "no label".
    number = np.array([*(place[name] for name in dataset.class_names), -1])
    return replace(
        dataset,
        given=number[dataset.given].astype(dataset.given.dtype),
        true=None if dataset.true is None else number[dataset.true].astype(dataset.true.dtype),
        class_names=tuple(class_names),
    )


def undo_decisions(dataset: Dataset, provenance: Provenance) -> Dataset:
    """The data set as it was before `apply_decisions`.

    Raises
    ------
    InputError
        Data that are not what was written then.
    """
    found = dataset.content_hash()
    if found in (provenance.before, provenance.restored):
        raise InputError(
            f"{dataset.name!r} is the data set before the changes already; there is nothing to undo."
        )
    if found != provenance.after:
        raise InputError(
            f"{dataset.name!r} (content {found[:8]}) is not what apply wrote (content {provenance.after[:8]}); "
            "it was changed since, undo the later changes first."
        )
    dataset = _in_classes(dataset, provenance.class_names)
    place: Mapping[str, int] = {name: i for i, name in enumerate(dataset.class_names)}
    given = dataset.given.copy()
    for change in provenance.changes:
        if not 0 <= change.index < dataset.n_units or (change.old and change.old not in place):
            raise InputError(
                f"The record gives row {change.index} the label {change.old!r}, which the data do not have; it was edited."
            )
        given[change.index] = place[change.old] if change.old else -1
    restored = dataset.with_labels(given)
    if restored.content_hash() != provenance.restored:
        raise InputError(
            "The record does not lead back to the data it names; it was edited. Nothing was written."
        )
    return restored


def summary(provenance: Provenance) -> dict[str, Any]:
    """Counts of what was done, JSON-able."""
    decided = [change for change in provenance.changes if change.verdict != "follows"]
    return {
        "reviewed": provenance.reviewed,
        "changed": len(decided),
        "kept": provenance.kept,
        "before": provenance.before,
        "after": provenance.after,
    }
