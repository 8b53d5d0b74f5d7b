"""Files with one text per line and entities by character: Doccano, Prodigy and spaCy-like JSONL.

Each line is an object with ``text`` and, under ``label``, ``labels``, ``entities`` or ``spans``, a list of
``[start, end, type]`` or of objects with ``start`` (``start_offset``), ``end`` (``end_offset``) and ``label``
(``type``). ``end`` is exclusive.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.files import check_output, replacing
from labelnoise.core.validation import InputError
from labelnoise.text.conll import read_text_file
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import SPAN, bio_names, tags_of

__all__ = ["JsonlLayout", "read_jsonl", "write_jsonl"]

_LISTS = ("label", "labels", "entities", "spans")
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class JsonlLayout:
    """The lines as they were read, the sentence of each (-1 without one), and each token's characters."""

    lines: list[str]
    sentence: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def read_jsonl(path: str | Path) -> TextDataset:
    """Read texts with entities by character; each text is one sentence.

    Tokens are runs of letters and digits, and single other marks; a token is cut where an entity begins or ends,
    so that every entity is held exactly.

    Raises
    ------
    InputError
        With the line: no JSON object, no text, a span that is outside the text, empty or overlapping.

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
    tokens: list[str] = []
    first: list[int] = []
    last: list[int] = []
    starts = [0]
    spans: list[tuple[int, int, str]] = []
    sentence = np.full(len(lines), -1, np.int64)
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        text, found = _record(line, f"Line {number + 1} of {path}")
        cuts = {edge for start, end, _ in found for edge in (start, end)}
        here = [piece for match in _TOKEN.finditer(text) for piece in _cut(*match.span(), cuts)]
        if not here:
            continue
        sentence[number] = len(starts) - 1
        for start, end, kind in found:
            rows = [row for row, piece in enumerate(here) if start <= piece[0] and piece[1] <= end]
            if not rows:
                raise InputError(
                    f"Line {number + 1} of {path}: the span {start} to {end} holds white space only."
                )
            spans.append((len(tokens) + rows[0], len(tokens) + rows[-1] + 1, kind))
        tokens += [text[start:end] for start, end in here]
        first += [start for start, _ in here]
        last += [end for _, end in here]
        starts.append(len(tokens))
    if not tokens:
        raise InputError(f"{path} holds no text; one object with 'text' per line is needed.")
    types = sorted({kind for _, _, kind in spans})
    table = np.array([(0, start, end, types.index(kind)) for start, end, kind in spans], SPAN)
    return TextDataset(
        name=Path(path).stem,
        given=tags_of(table, len(tokens)),
        class_names=bio_names(types),
        tokens=np.array(tokens, dtype=object),
        starts=np.array(starts),
        layout=JsonlLayout(lines, sentence, np.array(first), np.array(last)),
        source=str(path),
        meta={"scheme": "characters"},
    )


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
    by_sentence: list[list[Any]] = [[] for _ in range(dataset.n_sentences)]
    for span in dataset.spans():
        by_sentence[span["sentence"]].append(span)
    layout = dataset.layout
    if isinstance(layout, JsonlLayout) and len(layout.first) == dataset.n_units:
        lines = list(layout.lines)
        for number in np.flatnonzero(layout.sentence >= 0):
            wanted = [
                (
                    int(layout.first[span["start"]]),
                    int(layout.last[span["end"] - 1]),
                    dataset.types[span["type"]],
                )
                for span in by_sentence[layout.sentence[number]]
            ]
            lines[number] = _changed(lines[number], wanted)
        content = "\n".join(lines)
    else:
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


def _record(line: str, where: str) -> tuple[str, list[tuple[int, int, str]]]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}); write one object per line.") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise InputError(f"{where} has no 'text'; write an object with a text and its spans.")
    text, found = record["text"], []
    for item in record.get(_list_key(record)) or []:
        start, end, kind = _span(item, where)
        if not 0 <= start < end <= len(text):
            raise InputError(f"{where}: the span {start} to {end} is not within its {len(text)} characters.")
        found.append((start, end, kind))
    found.sort()
    for one, other in zip(found, found[1:]):  # noqa: RUF007
        if other[0] < one[1]:
            raise InputError(f"{where}: two spans overlap at character {other[0]}; a token holds one entity.")
    return text, found


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


def _cut(start: int, end: int, cuts: set[int]) -> list[tuple[int, int]]:
    edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
    return list(zip(edges, edges[1:]))  # noqa: RUF007


def _changed(line: str, wanted: list[tuple[int, int, str]]) -> str:
    record = json.loads(line)
    key, text = _list_key(record), record["text"]
    items: list[Any] = record.get(key) or []
    there = {}
    for item in items:
        start, end, kind = _span(item)
        inner = text[start:end]
        trimmed = (start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip()), kind)
        there[trimmed] = item
    if sorted(there) == sorted(wanted):
        return line
    record[key] = [there.get(span) or _like(items, span) for span in wanted]
    return json.dumps(record, ensure_ascii=False) + ("\r" if line.endswith("\r") else "")


def _like(items: list[Any], span: tuple[int, int, str]) -> Any:
    """A new span in the shape of those that are there."""
    if not items or not isinstance(items[0], dict):
        return list(span)
    pairs = (("start", "start_offset"), ("end", "end_offset"), ("label", "type"))
    return {(a if a in items[0] else b): value for (a, b), value in zip(pairs, span)}
