"""Files with one text per line and entities by character: Doccano, Prodigy and spaCy-like JSONL.

Each line is an object with ``text`` and, under ``label``, ``labels``, ``entities`` or ``spans``, a list of
``[start, end, type]`` or of objects with ``start`` (``start_offset``), ``end`` (``end_offset``) and ``label``
(``type``). ``end`` is exclusive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.files import check_output, replacing
from labelnoise.core.reading import parse_json
from labelnoise.core.validation import InputError
from labelnoise.text.characters import Characters, TextRecord, from_records, trimmed
from labelnoise.text.conll import read_text_file
from labelnoise.text.dataset import TextDataset

__all__ = ["JsonlLayout", "load_json", "read_jsonl", "write_jsonl"]

_LISTS = ("label", "labels", "entities", "spans")


@dataclass(frozen=True)
class JsonlLayout:
    """The lines as they were read, which of them hold a record, and where each token is."""

    lines: list[str]
    numbers: list[int]
    characters: Characters


def read_jsonl(path: str | Path) -> TextDataset:
    """Read texts with entities by character; each text is one sentence.

    Tokens are those that the line names under ``tokens`` (objects with ``start`` and ``end``, as Prodigy writes
    them), or else runs of letters and digits, and single other marks, cut where an entity begins or ends.

    Raises
    ------
    InputError
        With the line: no JSON object, no text, a span that is outside the text, empty, overlapping, or cuts a token
        that the line names.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.jsonl"
    >>> _ = path.write_text('{"text": "Ada left Rome.", "label": [[0, 3, "PER"], [9, 13, "LOC"]]}\\n')
    >>> data = read_jsonl(path)
    >>> list(data.tokens), data.given
    (['Ada', 'left', 'Rome', '.'], array([3, 0, 1, 0]))
    """
    lines = read_text_file(path).split("\n")
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    records = (_record(lines[number], f"Line {number + 1} of {path}") for number in numbers)
    data, characters = from_records(records, name=Path(path).stem, source=str(path))
    return replace(data, layout=JsonlLayout(lines, numbers, characters))


def write_jsonl(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write entities by character; lines whose entities are what they were stay byte for byte.

    Where entities changed, those that stayed keep all their fields, and all other fields of the line stay. A data
    set that came from elsewhere gets its tokens joined by one space.

    Raises
    ------
    InputError
        Tokens without a label, which this format cannot tell from "O".

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Rome", "fell"]], [["B-LOC", "O"]], name="d")
    >>> write_jsonl(data, Path(tempfile.mkdtemp()) / "a.jsonl")[0].read_text()
    '{"text": "Rome fell", "label": [[0, 4, "LOC"]]}\\n'
    """
    path = Path(path)
    check_output(path, what="the text file")
    if not dataset.labelled.all():
        raise InputError(
            f"Token {int(np.argmin(dataset.labelled))} has no label, which .jsonl cannot say; save as .conll instead."
        )
    layout = dataset.layout
    if isinstance(layout, JsonlLayout) and len(layout.characters.first) == dataset.n_units:
        lines = list(layout.lines)
        for number, wanted in zip(layout.numbers, layout.characters.entities(dataset), strict=True):
            if wanted is not None:
                lines[number] = _changed(lines[number], wanted)
        content = "\n".join(lines)
    else:
        by_sentence: list[list[Any]] = [[] for _ in range(dataset.n_sentences)]
        for span in dataset.spans():
            by_sentence[span["sentence"]].append(span)
        content = "".join(
            json.dumps(_joined(dataset, index, spans), ensure_ascii=False) + "\n"
            for index, spans in enumerate(by_sentence)
        )
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="")
    return [path]


def _joined(dataset: TextDataset, index: int, spans: list[Any]) -> dict[str, Any]:
    words, base = dataset.sentence(index), int(dataset.starts[index])
    at = np.concatenate([[0], np.cumsum([len(word) + 1 for word in words])])
    label = [
        [int(at[span["start"] - base]), int(at[span["end"] - base]) - 1, dataset.types[span["type"]]]
        for span in spans
    ]
    return {"text": " ".join(words), "label": label}


def _record(line: str, where: str) -> TextRecord:
    record = load_json(line, where)
    key = _text_key(record)
    if key is None:
        raise InputError(f"{where} has no 'text'; write an object with a text and its spans.")
    spans = record.get(_list_key(record)) or []
    if not isinstance(spans, list):
        raise InputError(
            f"{where} has {str(spans)[:40]!r} where a list of spans should stand; write [] for none."
        )
    found = [_span(item, where) for item in spans]
    return TextRecord(record[key], found, where, _tokens(record.get("tokens"), where))


def load_json(text: str, where: str) -> Any:
    """JSON, or one sentence on what is wrong with it.

    Raises
    ------
    InputError
        No JSON, or nested too deeply.
    """
    return parse_json(text, where, fix="write one object per line")


def _text_key(record: Any) -> str | None:
    """Doccano calls the text "text", and "data" in some of its versions."""
    known = record if isinstance(record, dict) else {}
    return next((key for key in ("text", "data") if isinstance(known.get(key), str)), None)


def _tokens(found: Any, where: str) -> list[tuple[int, int]] | None:
    """The tokens that Prodigy writes beside the text; other lists of that name are of no interest."""
    if not (isinstance(found, list) and found and isinstance(found[0], dict)):
        return None
    pieces = []
    for token in found:
        at: list[Any] = [token.get("start"), token.get("end")] if isinstance(token, dict) else [None, None]
        if not all(type(edge) is int for edge in at):
            raise InputError(f"{where} holds the token {token}; give whole numbers as its start and end.")
        pieces.append((at[0], at[1]))
    return pieces


def _list_key(record: dict[str, Any]) -> str:
    return next((key for key in _LISTS if isinstance(record.get(key), list)), "label")


def _span(item: Any, where: str = "A span") -> tuple[int, int, str]:
    if isinstance(item, dict):
        item = [
            item.get(a, item.get(b))
            for a, b in (("start", "start_offset"), ("end", "end_offset"), ("label", "type"))
        ]
    if not (
        isinstance(item, list)
        and len(item) == 3
        and all(type(at) is int for at in item[:2])
        and isinstance(item[2], str)
        and item[2]
    ):
        raise InputError(
            f"{where} holds the span {item}; give [start, end, type] with whole numbers and a name."
        )
    return item[0], item[1], item[2]


def _changed(line: str, wanted: list[tuple[int, int, str]]) -> str:
    record = json.loads(line)
    key, text = _list_key(record), record[str(_text_key(record))]
    items: list[Any] = record.get(key) or []
    there = {}
    for item in items:
        start, end, kind = _span(item)
        there[(*trimmed(text, start, end), kind)] = item
    same = [(*trimmed(text, start, end), kind) for start, end, kind in wanted]
    if sorted(there) == sorted(same):
        return line
    record[key] = [there.get(inner) or _like(items, span) for inner, span in zip(same, wanted, strict=True)]
    return json.dumps(record, ensure_ascii=False) + ("\r" if line.endswith("\r") else "")


def _like(items: list[Any], span: tuple[int, int, str]) -> Any:
    """A new span in the shape of those that are there."""
    if not items or not isinstance(items[0], dict):
        return list(span)
    pairs = (("start", "start_offset"), ("end", "end_offset"), ("label", "type"))
    return {(a if a in items[0] else b): value for (a, b), value in zip(pairs, span)}
