"""Whole files that hypothesis makes: JSON of any shape in the place of values, tables of any cells."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import strategies as st

from fuzz.mutate import NUMBERS, NUMERALS, TEXTS, Files

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(NUMBERS),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(TEXTS),
)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_CELLS = st.one_of(
    st.sampled_from((*NUMERALS, *TEXTS)), st.text(max_size=12), st.integers().map(str), st.floats().map(str)
)


def json_files(files: Files, name: str) -> Any:
    """The files with other values at one to three places of a JSON document, or of a line of JSON lines."""
    lines = name.endswith(".jsonl")
    content = files[name].decode()
    documents = (
        [json.loads(line) for line in content.splitlines() if line.strip()]
        if lines
        else [json.loads(content)]
    )
    places = [(row, path) for row, document in enumerate(documents) for path in _paths(document)]

    def made(changes: list[tuple[tuple[int, tuple[Any, ...]], Any]], plain: bool) -> Files:
        values = json.loads(json.dumps(documents))
        for (row, path), value in changes:
            values[row] = _put(values[row], path, value)
        texts = [json.dumps(value, ensure_ascii=plain) for value in values]
        return {**files, name: "\n".join(texts).encode("utf-8", "surrogatepass")}

    change = st.tuples(st.sampled_from(places), _ANY)
    return st.builds(made, st.lists(change, min_size=1, max_size=3), st.booleans())


def table_files(files: Files, ending: str = ".csv") -> Any:
    """The files with a table of the same columns, or nearly so, and any cells."""
    tables = sorted(name for name in files if name.endswith(ending))
    mark = "\t" if ending == ".tsv" else ","

    def made(name: str, rows: list[list[str]], quote: bool, drop: int, end: str) -> Files:
        lines = [line.split(mark) for line in files[name].decode().splitlines()]
        header, width = lines[0], len(lines[0])
        body = [[*row, *[""] * width][:width] for row in rows] + lines[1 : 1 + drop]
        cells = [[f'"{cell}"' if quote else cell for cell in row] for row in [header, *body]]
        return {**files, name: end.join(mark.join(row) for row in cells).encode("utf-8", "surrogatepass")}

    rows = st.lists(st.lists(_CELLS, max_size=8), max_size=5)
    ends = st.sampled_from(("\n", "\r\n", "\r", "\n\n"))
    return st.builds(made, st.sampled_from(tables), rows, st.booleans(), st.integers(0, 6), ends)


def line_files(files: Files, name: str) -> Any:
    """The files with lines of any texts among the lines of a text file."""
    lines = files[name].decode().split("\n")
    line = (
        st.sampled_from(lines)
        | st.lists(_CELLS, max_size=5).map("\t".join)
        | st.lists(_CELLS, max_size=5).map(" ".join)
    )
    text = st.lists(line, max_size=12).map(lambda found: "\n".join(found).encode("utf-8", "surrogatepass"))
    return text.map(lambda content: {**files, name: content})


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here]
    if isinstance(value, dict):
        found += [path for key, inner in value.items() for path in _paths(inner, (*here, key))]
    elif isinstance(value, list):
        found += [path for at, inner in enumerate(value[:3]) for path in _paths(inner, (*here, at))]
    return found


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
        value[path[0]] = _put(value[path[0]], path[1:], new)
    return value
