"""Exports of Label Studio, JSON and JSON-MIN: a list of tasks with regions by character.

A task's first annotation that was not cancelled is read; a task without one carries no label. Results of other
kinds (choices, relations) stay as they are. Offsets count characters, or the UTF-16 units of a browser where only
these fit the text that a region quotes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelnoise.core.files import check_output, replacing
from labelnoise.core.validation import InputError
from labelnoise.text.characters import Characters, Entity, TextRecord, from_records, trimmed
from labelnoise.text.conll import read_text_file
from labelnoise.text.dataset import TextDataset
from labelnoise.text.jsonl import load_json

__all__ = ["LabelStudioLayout", "read_label_studio", "write_label_studio"]

#: Kinds of results that are spans of text; their label stands under the same key.
_KINDS = ("labels", "hypertextlabels")
_STYLES: tuple[dict[str, Any], ...] = tuple(
    {"ensure_ascii": plain, "indent": indent, "separators": between}
    for between in (None, (",", ":"))
    for indent in (None, 2, 4, 1, "\t")
    for plain in (True, False)
)


@dataclass(frozen=True)
class LabelStudioLayout:
    """The file as it was read, and where each token is."""

    content: str
    characters: Characters


def read_label_studio(path: str | Path) -> TextDataset:
    """Read an export; each task's text is one sentence.

    Raises
    ------
    InputError
        With the task: no text, a region that is outside of it, overlaps another one, has two labels, or does not
        fit the text that it quotes.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> region = {"type": "labels", "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}}
    >>> task = {"id": 7, "data": {"text": "Ada left."}, "annotations": [{"result": [region]}]}
    >>> _ = path.write_text(json.dumps([task]))
    >>> read_label_studio(path).given
    array([1, 0, 0])
    """
    content = read_text_file(path)
    tasks = load_json(content, str(path))
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError(
            f"{path} is no list of tasks; export as JSON or JSON-MIN from Label Studio, or use .jsonl with one "
            "record per line."
        )
    records = (_record(task, f"Task {task.get('id', row)} of {path}") for row, task in enumerate(tasks))
    data, characters = from_records(records, name=Path(path).stem, source=str(path))
    return replace(data, layout=LabelStudioLayout(content, characters))


def write_label_studio(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write an export back with the changed regions alone changed; without any, the same bytes.

    A data set that came from elsewhere becomes tasks with its tokens joined by one space.

    Raises
    ------
    InputError
        A text of which some tokens have a label and others have none.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Rome", "fell"]], [["B-LOC", "O"]], name="d")
    >>> path = write_label_studio(data, Path(tempfile.mkdtemp()) / "a.json")[0]
    >>> bool((read_label_studio(path).given == data.given).all())
    True
    """
    path = Path(path)
    check_output(path, what="the text file")
    for index in range(dataset.n_sentences):
        part = dataset.labelled[dataset.starts[index] : dataset.starts[index + 1]]
        if part.any() and not part.all():
            raise InputError(
                f"Sentence {index} has tokens with a label and tokens without one, which Label Studio cannot say; "
                "save as .conll instead."
            )
    layout = dataset.layout
    if isinstance(layout, LabelStudioLayout) and len(layout.characters.first) == dataset.n_units:
        content = _rewritten(dataset, layout)
    else:
        content = json.dumps(_fresh(dataset), ensure_ascii=False, indent=2) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="")
    return [path]


def _record(task: dict[str, Any], where: str) -> TextRecord:
    text = _text(task)
    if text is None:
        raise InputError(f"{where} has no text; a task needs 'data' with 'text'.")
    if "data" not in task:
        for key in ("label", "labels", "entities", "spans"):
            found = task.get(key)
            if isinstance(found, list) and not all(map(_is_span, found)):
                raise InputError(
                    f"{where} holds {key!r} that are no regions of Label Studio; write one record per line as .jsonl."
                )
    regions = _regions(task)
    entities = [_entity(region, text, where) for region in regions or [] if _is_span(region)]
    return TextRecord(text, entities, where, labelled=regions is not None)


def _text(task: dict[str, Any]) -> str | None:
    """The text that is tagged: what is called so, or the only one there is."""
    data = task.get("data", task)
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("text"), str):
        return str(data["text"])
    texts = [value for value in data.values() if isinstance(value, str)] if "data" in task else []
    return texts[0] if len(texts) == 1 else None


def _annotation(task: dict[str, Any]) -> dict[str, Any] | None:
    found = task.get("annotations", task.get("completions"))
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict) and isinstance(one.get("result"), list) and not one.get("was_cancelled"):
            return one
    return None


def _regions(task: dict[str, Any]) -> list[Any] | None:
    """The list that holds the regions; None where nobody has annotated."""
    if "data" in task:
        annotation = _annotation(task)
        return None if annotation is None else annotation["result"]
    lists = [value for value in task.values() if isinstance(value, list) and any(map(_is_span, value))]
    if lists:
        return lists[0]
    label = task.get("label")
    return label if isinstance(label, list) else None


def _is_span(region: Any) -> bool:
    if not isinstance(region, dict):
        return False
    if "value" in region:
        return region.get("type") in _KINDS
    return "start" in region and any(kind in region for kind in _KINDS)


def _entity(region: dict[str, Any], text: str, where: str) -> Entity:
    value = region.get("value", region)
    labels = (
        next((value[kind] for kind in _KINDS if kind in value), None) if isinstance(value, dict) else None
    )
    if not (isinstance(labels, list) and len(labels) == 1 and isinstance(labels[0], str) and labels[0]):
        raise InputError(
            f"{where} holds a region with the labels {labels}; a token holds one name of a type."
        )
    offsets = value.get("globalOffsets", value)
    start, end = (offsets.get(key) if isinstance(offsets, dict) else None for key in ("start", "end"))
    if type(start) is not int or type(end) is not int:
        raise InputError(
            f"{where} holds a region from {start} to {end}; whole numbers of characters are needed."
        )
    quoted = value.get("text")
    if isinstance(quoted, str) and not _alike(text[max(start, 0) : max(end, 0)], quoted):
        units = text.encode("utf-16-le", "surrogatepass")
        try:
            before, inner = (
                units[2 * max(a, 0) : 2 * max(b, 0)].decode("utf-16-le")
                for a, b in ((0, start), (start, end))
            )
        except UnicodeDecodeError:
            before = inner = ""
        if not inner or not _alike(inner, quoted):
            raise InputError(
                f"{where}: the region {start} to {end} is {text[max(start, 0) : max(end, 0)][:60]!r} in its text and "
                f"quotes {quoted[:60]!r}; export again, the text was changed."
            )
        start, end = len(before), len(before) + len(inner)
    return start, end, labels[0]


def _alike(one: str, other: str) -> bool:
    """Equal but for white space, which browsers rewrite."""
    return one.split() == other.replace("\\n", "\n").split()


def _rewritten(dataset: TextDataset, layout: LabelStudioLayout) -> str:
    tasks = json.loads(layout.content)
    changed = False
    entities = layout.characters.entities(dataset)
    for row, (task, wanted) in enumerate(zip(tasks, entities, strict=True)):
        first = dataset.starts[layout.characters.sentence[row]]
        if wanted is not None and dataset.labelled[first]:
            changed |= _change(task, wanted, f"Task {task.get('id', row)}")
    if not changed:
        return layout.content
    before = json.loads(layout.content)
    body = layout.content.strip()
    style = next((style for style in _STYLES if json.dumps(before, **style) == body), _STYLES[1])
    return json.dumps(tasks, **style) + layout.content[len(layout.content.rstrip()) :]


def _change(task: dict[str, Any], wanted: list[Entity], where: str) -> bool:
    text, regions = str(_text(task)), _regions(task)
    there: dict[Entity, Any] = {}
    wide = False  # whether this task counts in UTF-16 units
    for region in filter(_is_span, regions or []):
        start, end, kind = _entity(region, text, where)
        wide |= region.get("value", region).get("end") == _units(text[:end]) != end
        there[(*trimmed(text, start, end), kind)] = region
    if regions is not None and sorted(there) == sorted(wanted):
        return False
    if regions is None:
        if "data" in task:
            regions = []
            task.setdefault("annotations", []).append({"result": regions})
        else:
            regions = task["label"] = []
    gone = [region for key, region in there.items() if key not in wanted]
    known = next(iter(there.values()), None)
    regions[:] = [region for region in regions if not any(region is other for other in gone)]
    for entity in wanted:
        if entity not in there:
            made = _region(known, entity, text, "data" in task)
            regions.append(made)
            if wide:
                made.get("value", made).update(start=_units(text[: entity[0]]), end=_units(text[: entity[1]]))
    return True


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _region(known: dict[str, Any] | None, entity: Entity, text: str, whole: bool) -> dict[str, Any]:
    """A new region in the manner of one that is there."""
    start, end, label = entity
    kind = "labels"
    if known is not None:
        kind = str(known["type"]) if whole else next(key for key in _KINDS if key in known)
    value = {"start": start, "end": end, "text": text[start:end], kind: [label]}
    if not whole:
        return value
    named = {
        key: (known or {}).get(key, usual) for key, usual in (("from_name", "label"), ("to_name", "text"))
    }
    return {"value": value, "id": f"labelnoise-{start}-{end}", **named, "type": kind}


def _fresh(dataset: TextDataset) -> list[dict[str, Any]]:
    """Tasks of sentences whose words are joined by one space."""
    tasks: list[dict[str, Any]] = []
    spans = dataset.spans()
    for index in range(dataset.n_sentences):
        words, base = dataset.sentence(index), int(dataset.starts[index])
        text, at = " ".join(words), [0]
        for word in words:
            at.append(at[-1] + len(word) + 1)
        task: dict[str, Any] = {"id": index + 1, "data": {"text": text}}
        if dataset.labelled[base]:
            entities = [
                (at[span["start"] - base], at[span["end"] - base] - 1, dataset.types[span["type"]])
                for span in spans[spans["sentence"] == index]
            ]
            task["annotations"] = [{"result": [_region(None, one, text, True) for one in entities]}]
        tasks.append(task)
    return tasks
