"""What a person decided about label issues: a JSON file that names the data it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from labelnoise.core.files import replacing
from labelnoise.core.reading import read_json
from labelnoise.core.review.runs import Runs, as_runs, overlap
from labelnoise.core.validation import InputError

__all__ = ["DECISIONS_VERSION", "VERDICTS", "Decision", "Decisions", "Verdict"]

#: Version of the file's fields. In 1 each decision was about one unit; a reader of 1 would overlook the others.
DECISIONS_VERSION = 2
_READ = (1, 2)
Verdict = Literal["accept", "reject", "other", "skip"]
#: accept: take the suggestion; reject: the given label is right; other: a third label; skip: undecided.
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_FORMAT = "labelnoise-decisions"


@dataclass(frozen=True)
class Decision:
    """A verdict on one unit, or on several with the same label that are wrong together.

    Attributes
    ----------
    index : int
        Row in the data set.
    unit : str
        The user's id of it.
    given : str
        The label that was judged.
    verdict : {"accept", "reject", "other", "skip"}
    label : str
        The label that the unit gets; the given one for "reject" and "skip".
    note : str
    region : tuple of (int, int)
        All rows that the verdict is about, ``index`` among them, as runs ``(first, count)``; empty for ``index`` alone.
    """

    index: int
    unit: str
    given: str
    verdict: Verdict
    label: str
    note: str = ""
    region: Runs = ()

    @property
    def runs(self) -> Runs:
        """The rows that it is about, as runs."""
        return self.region or ((self.index, 1),)

    def to_json(self) -> dict[str, Any]:
        """A plain dict; a region only where there is one."""
        fields = {name: value for name, value in vars(self).items() if name != "region"}
        return {**fields, "region": [list(run) for run in self.region]} if self.region else fields


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """All verdicts on one data set.

    Attributes
    ----------
    domain, dataset : str
    data_hash : str
        Content hash of the data that were judged; `apply` refuses any other.
    decisions : tuple of Decision
        One per unit at most.
    method : str
        The detector whose issues were reviewed.
    source : str
        Where the data came from, so that `apply` finds them.

    Examples
    --------
    >>> made = Decisions(domain="graph", dataset="mine", data_hash="ab", decisions=(
    ...     Decision(3, "n3", "cat", "accept", "dog"),))
    >>> Decisions.from_json(made.to_json()) == made
    True
    """

    domain: str
    dataset: str
    data_hash: str
    decisions: tuple[Decision, ...] = field(default=())
    method: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dict; `from_json` is the inverse."""
        return {
            "format": _FORMAT,
            "version": DECISIONS_VERSION,
            "domain": self.domain,
            "dataset": self.dataset,
            "data_hash": self.data_hash,
            "method": self.method,
            "source": self.source,
            "decisions": [decision.to_json() for decision in self.decisions],
        }

    @classmethod
    def from_json(cls, value: Any) -> Decisions:
        """Build decisions from `to_json`.

        Raises
        ------
        InputError
            Something else, a later version, verdicts that are not known, a unit that is judged twice.
        """
        if isinstance(value, list) and value and isinstance(value[0], Mapping) and "data" in value[0]:
            raise InputError(
                "The file holds no decisions but tasks of Label Studio; add --decisions-from label-studio."
            )
        if not isinstance(value, Mapping) or value.get("format") != _FORMAT:
            raise InputError("The file holds no decisions; export them on the review page (key e).")
        if value.get("version") not in _READ or isinstance(value.get("version"), bool):
            raise InputError(
                f"The decisions have version {value.get('version')!r}, this package reads up to {DECISIONS_VERSION}; "
                "use the version of labelnoise that made the page."
            )
        texts = {name: value.get(name) for name in ("domain", "dataset", "data_hash", "method")}
        texts["source"] = value.get("source", "")
        rows = value.get("decisions")
        if not all(isinstance(text, str) for text in texts.values()) or not isinstance(rows, list):
            raise InputError("The decisions lack their header or their list; export them anew.")
        made = tuple(_decision(row, place) for place, row in enumerate(rows))
        twice = overlap(run for decision in made for run in decision.runs)
        if twice is not None:
            raise InputError(f"Row {twice} is judged twice; keep one decision per unit.")
        return cls(decisions=made, **{name: str(text) for name, text in texts.items()})

    @classmethod
    def load(cls, path: Path) -> Decisions:
        """Read a decisions file.

        Raises
        ------
        InputError
            A missing or damaged file; see `from_json`.
        """
        return cls.from_json(read_json(path, fix="export decisions on the review page"))

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(
                json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )


def _decision(row: Any, place: int) -> Decision:
    where = f"Decision {place + 1}"
    if not isinstance(row, Mapping):
        raise InputError(f"{where} is no object; export the decisions anew.")
    index, verdict = row.get("index"), row.get("verdict")
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise InputError(f"{where} has the index {index!r}; a row number from 0 is needed.")
    if verdict not in VERDICTS:
        raise InputError(f"{where} has the verdict {verdict!r}; one of {', '.join(VERDICTS)} is needed.")
    texts = [row.get(name, "") for name in ("unit", "given", "label", "note")]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where} holds something else than text as unit, label or note.")
    unit, given, label, note = (str(text) for text in texts)
    if verdict in ("reject", "skip") and label != given:
        raise InputError(f"{where} keeps the label ({verdict}) and changes it to {label!r} at once.")
    try:
        region = as_runs(row.get("region", []))
    except InputError as error:
        raise InputError(f"{where} has an odd region ({error}); export the decisions anew.") from None
    if region and not any(first <= index < first + count for first, count in region):
        raise InputError(f"{where} is about row {index}, which its region lacks; export the decisions anew.")
    return Decision(index, unit, given, verdict, label, note, region)
