"""Decisions that were made in Label Studio on tasks that `labelnoise ... export` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelnoise.core.dataset import Dataset
from labelnoise.core.reading import read_json
from labelnoise.core.review.decisions import Decision, Decisions, Verdict
from labelnoise.core.review.samples import Mark
from labelnoise.core.validation import InputError

__all__ = ["LabelStudioReview", "ReadMarks"]

#: ``read(dataset, units, marks) -> labels by unit``; see `labelnoise.core.domain.Domain.read_marks`.
ReadMarks = Callable[[Dataset, Sequence[int], Sequence[Mark]], Mapping[int, str]]
_HEADER = ("domain", "dataset", "data_hash", "method", "source")


@dataclass(frozen=True)
class LabelStudioReview:
    """A project of Label Studio, exported as JSON.

    Attributes
    ----------
    path : Path
    domain, dataset, data_hash, method, source : str
        What the tasks were made from.
    tasks : sequence of dict
    """

    path: Path
    domain: str
    dataset: str
    data_hash: str
    method: str
    source: str
    tasks: Sequence[Mapping[str, Any]]

    @classmethod
    def load(cls, path: Path) -> LabelStudioReview:
        """Read an export.

        Raises
        ------
        InputError
            No list of tasks, tasks that labelnoise did not write, or of several data sets.
        """
        tasks = read_json(path, fix="export the project of Label Studio")
        try:
            headers = {tuple(str(task["meta"]["labelnoise"][name]) for name in _HEADER) for task in tasks}
            ids = [[int(unit) for unit in task["meta"]["labelnoise"]["units"]] for task in tasks]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{str(path)!r} holds tasks that labelnoise did not make; import what 'export --to label-studio' "
                "writes, and export the project as JSON, not as JSON-MIN."
            ) from error
        if len(headers) != 1 or not all(ids):
            raise InputError(f"{str(path)!r} holds tasks of {len(headers)} data sets; one is needed.")
        return cls(path=path, tasks=tasks, **dict(zip(_HEADER, headers.pop(), strict=True)))

    def decisions(self, dataset: Dataset, read: ReadMarks) -> Decisions:
        """What was decided: the latest annotation of each task that was not cancelled.

        A label that differs from the given one is taken, as a suggestion accepted or a third label. An equal one
        says "keep" where somebody submitted it, which Label Studio notes as lead time or as a second annotation;
        as it was imported it says nothing.

        Raises
        ------
        InputError
            Other data, units that they do not have, or annotations that cannot be read.
        """
        found = dataset.content_hash()
        if found != self.data_hash:
            raise InputError(
                f"The tasks judge {self.dataset!r} (content {self.data_hash[:8]}) and {dataset.name!r} is other data "
                f"(content {found[:8]}); pass the file that was reviewed, unchanged."
            )
        made: dict[int, Decision] = {}
        names = [*dataset.class_names, ""]
        for place, task in enumerate(self.tasks):
            where = f"Task {task.get('id', place)} of {str(self.path)!r}"
            units = [int(unit) for unit in task["meta"]["labelnoise"]["units"]]
            if min(units) < 0 or max(units) >= dataset.n_units:
                raise InputError(f"{where} is about row {max(units)} and there are {dataset.n_units}.")
            try:
                annotations = [one for one in task.get("annotations") or [] if not one.get("was_cancelled")]
                if not annotations:
                    continue
                last = max(
                    annotations, key=lambda one: str(one.get("updated_at") or one.get("created_at") or "")
                )
                submitted = len(annotations) > 1 or last.get("lead_time") is not None
                labels = read(dataset, units, _marks(task, last))
                suggested: Mapping[int, str] = {}
                for one in task.get("predictions") or []:
                    suggested = read(dataset, units, _marks(task, one))
            except InputError as error:  # a ValueError as well
                raise InputError(f"{where}: {error}") from error
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise InputError(f"{where} is damaged ({type(error).__name__}); export it again.") from error
            for unit, label in labels.items():
                given = names[dataset.given[unit]]
                if label == given and not (submitted and unit in units):
                    continue
                verdict: Verdict = (
                    "reject" if label == given else "accept" if label == suggested.get(unit) else "other"
                )
                made[unit] = Decision(unit, str(dataset.ids[unit]), given, verdict, label)
        return Decisions(
            domain=self.domain,
            dataset=self.dataset,
            data_hash=self.data_hash,
            method=self.method,
            source=self.source,
            decisions=tuple(made[unit] for unit in sorted(made)),
        )


def _marks(task: Mapping[str, Any], annotation: Mapping[str, Any]) -> list[Mark]:
    marks = []
    for result in annotation["result"]:
        value, kind = result["value"], result["type"]
        if kind == "choices":
            marks += [Mark(str(name)) for name in value["choices"]]
        elif kind in ("labels", "hypertextlabels"):
            span = _characters(
                str(task["data"]["text"]), int(value["start"]), int(value["end"]), value.get("text")
            )
            marks += [Mark(str(name), span=span) for name in value[kind]]
        elif kind.endswith("labels"):
            marks += [Mark(str(name), area=1) for name in value[kind]]
    return marks


def _characters(text: str, start: int, end: int, quoted: Any) -> tuple[int, int]:
    """Offsets in characters; browsers count UTF-16 units, which differ where the text holds an emoji."""
    if not isinstance(quoted, str) or text[start:end].split() == quoted.split():
        return start, end
    units = text.encode("utf-16-le", "surrogatepass")
    before, inner = (
        units[2 * a : 2 * b].decode("utf-16-le", "replace") for a, b in ((0, start), (start, end))
    )
    if inner.split() != quoted.split():
        raise InputError(f"the region {start} to {end} quotes {quoted[:40]!r}, which is not its text")
    return len(before), len(before) + len(inner)
