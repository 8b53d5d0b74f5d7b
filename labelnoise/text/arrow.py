"""Token tables of Hugging Face's datasets: folders of ``save_to_disk``, parquet and arrow files, by pyarrow alone.

Each row is a sentence: a list of words and a list of tags, which are texts or numbers whose names stand in the
features that the files carry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.files import check_output, make_folder, replacing
from labelnoise.core.reading import file_is_there, read_json
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.text.conll import SPLIT_NAMES
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import UNLABELLED, bio_names, decode, encode, is_tag, sniff_scheme

__all__ = ["ArrowLayout", "ArrowPart", "is_arrow_folder", "read_arrow", "write_arrow"]

ENDINGS = (".parquet", ".arrow")
_TOKENS = ("tokens", "words", "token", "word")
_TAGS = ("ner_tags", "ner", "tags", "labels", "label", "entity_tags")
#: Numbers that say "no label": the package's own, and the one that losses of torch leave out.
_NONE = (-1, -100)
_META = b"huggingface"


@dataclass(frozen=True)
class ArrowPart:
    """One file as it was read.

    Attributes
    ----------
    file : str
        Its path below the folder that was read, or its name.
    table : pyarrow.Table
    column : str
        Where the tags are.
    names : tuple of str, optional
        Of numbered tags.
    tags : ndarray of object, shape (tokens,)
    lengths : ndarray of int64, shape (rows,)
        Tokens of each row; a row without one is no sentence.
    """

    file: str
    table: Any
    column: str
    names: tuple[str, ...] | None
    tags: NDArray[Any]
    lengths: NDArray[np.int64]


@dataclass(frozen=True)
class ArrowLayout:
    """All files of a data set, their tagging scheme, whether they came from a folder, and what else was in it."""

    parts: tuple[ArrowPart, ...]
    scheme: str
    folder: bool = False
    others: Mapping[str, bytes] = field(default_factory=dict)


def is_arrow_folder(folder: Path) -> bool:
    """Whether a folder was saved by ``save_to_disk`` or holds parquet or arrow files, itself or under ``data``."""
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return True
    return any(
        item.suffix.lower() in ENDINGS
        for place in (folder, folder / "data")
        if place.is_dir()
        for item in place.iterdir()
    )


def read_arrow(path: str | Path) -> TextDataset:
    """Read a file, or a folder with the files of several splits.

    Parameters
    ----------
    path : path
        A ``.parquet`` or ``.arrow`` file; a folder of ``save_to_disk``, with splits or without; or a folder with
        such files named by split (``train-00000-of-00002.parquet``).

    Raises
    ------
    InputError
        With the file, and the row where there is one: no such columns, words and tags of different lengths, numbers
        without names, texts that are no tags, a damaged file.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "left"]], [["B-PER", "O"]], name="d")
    >>> path = write_arrow(data, Path(tempfile.mkdtemp()) / "a.parquet")[0]
    >>> again = read_arrow(path)
    >>> list(again.tokens), again.given, again.class_names
    (['Ada', 'left'], array([1, 0]), ('O', 'B-PER', 'I-PER'))
    """
    path = Path(path)
    others: dict[str, bytes] = {}
    files = _files_of(path, others) if path.is_dir() else [(path, "")]
    parts, words, splits = [], [], []
    for file, split in files:
        part, tokens = _read_part(file, file.relative_to(path).as_posix() if path.is_dir() else file.name)
        parts.append(part)
        words.append(tokens)
        splits.append(split)
    tokens = np.concatenate(words)
    if not len(tokens):
        raise InputError(f"{path} holds no tokens; at least one row with a word is needed.")
    tags, starts = _tags(parts)
    types = sorted({tag[2:] for part in parts for tag in (*part.tags, *(part.names or ())) if len(tag) > 1})
    edges = np.cumsum([0, *(len(part.tags) for part in parts)])
    scheme = sniff_scheme(tags, starts=starts)
    masks: dict[str, NDArray[np.bool_]] = {}
    for index, split in enumerate(splits):
        if split:
            mask = masks.setdefault(split, np.zeros(len(tokens), dtype=bool))
            mask[edges[index] : edges[index + 1]] = True
    return TextDataset(
        name=path.resolve().name.partition(".")[0],
        given=decode(tags, starts=starts, types=types)[0],
        class_names=bio_names(types),
        tokens=tokens,
        starts=starts,
        masks=masks,
        layout=ArrowLayout(tuple(parts), scheme, path.is_dir(), others),
        source=str(path),
        meta={"scheme": scheme},
    )


def write_arrow(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write the tags back into the tables that they came from; all other columns and the features stay.

    A data set that came from elsewhere becomes one table with the columns ``tokens`` and ``ner_tags``.

    Parameters
    ----------
    dataset : TextDataset
    path : str or Path
        A ``.parquet`` or ``.arrow`` file; a folder for what came from a folder, which is made.

    Raises
    ------
    InputError
        A tag that the features do not name, a file where a folder is needed.
    """
    path = Path(path)
    layout = dataset.layout
    known = (
        isinstance(layout, ArrowLayout) and sum(len(part.tags) for part in layout.parts) == dataset.n_units
    )
    tables = _retagged(dataset, layout) if known else [_fresh(dataset)]
    if not known or path.suffix.lower() in ENDINGS:
        check_output(path, extensions=ENDINGS, what="the table")
        if len(tables) > 1:
            raise InputError(f"{len(tables)} tables are to be written and {path} is one; name a folder.")
        _write_table(tables[0], path)
        return [path]
    if path.is_file():
        raise InputError(f"{path} is a file and {len(layout.parts)} tables are to be written; name a folder.")
    make_folder(path)
    written = []
    for part, table in zip(layout.parts, tables, strict=True):
        target = path / part.file
        make_folder(target.parent)
        _write_table(table, target)
        written.append(target)
    for name, content in layout.others.items():
        with replacing(path / name) as temporary:
            temporary.write_bytes(content)
        written.append(path / name)
    return written


def _files_of(folder: Path, others: dict[str, bytes]) -> list[tuple[Path, str]]:
    """The files of a folder with their splits; what else save_to_disk left there goes into ``others``."""
    about = folder / "dataset_dict.json"
    if about.is_file():
        found = _json(about).get("splits")
        named = isinstance(found, list) and all(isinstance(n, str) and _plain(n) for n in found)
        if not (named and found and len(set(found)) == len(found)):
            raise InputError(f"{about} names no splits; save the data again with save_to_disk.")
        others[about.name] = about.read_bytes()
        names = [str(SPLIT_NAMES.get(name.lower(), name)) for name in found]
        return [
            (file, called)
            for name, called in zip(found, names, strict=True)
            for file in _saved_files(folder, folder / name, others)
        ]
    if (folder / "state.json").is_file():
        return [(file, "") for file in _saved_files(folder, folder, others)]
    shards: list[tuple[Path, str]] = []
    for place in (folder, folder / "data"):
        for file in sorted(place.iterdir()) if place.is_dir() else []:
            if file.suffix.lower() in ENDINGS and file.is_file():
                split = SPLIT_NAMES.get(re.split(r"[-.]", file.name)[0].lower())
                if split is None:
                    raise InputError(
                        f"{file} does not begin with the name of a split (train, validation, test); name one file."
                    )
                shards.append((file, split))
    return sorted(shards, key=lambda item: ("train", "val", "test").index(item[1]))


def _saved_files(root: Path, folder: Path, others: dict[str, bytes]) -> list[Path]:
    state = _json(folder / "state.json")
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise InputError(
            f"{folder} orders its rows by another file; call flatten_indices() and save it again."
        )
    found = state.get("_data_files")
    names = (
        [item.get("filename") for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    )
    if not names or not all(isinstance(name, str) and _plain(name) for name in names):
        raise InputError(
            f"{folder / 'state.json'} names no files beside it; save the data again with save_to_disk."
        )
    for name in ("state.json", "dataset_info.json"):
        if (folder / name).is_file():
            others[(folder / name).relative_to(root).as_posix()] = (folder / name).read_bytes()
    return [folder / str(name) for name in names]


def _plain(name: str) -> bool:
    """Whether a name is that of something in a folder; ``..`` is its own last part too."""
    return Path(name).name == name and name != ".."


def _json(path: Path) -> dict[str, Any]:
    value = read_json(path, fix="save the data again with save_to_disk")
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no object; save the data again with save_to_disk.")
    return value


def _read_table(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file_is_there(path):
        raise InputError(f"There is no file {str(path)[:500]!r}; check the path.")
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path, partitioning=None)
        else:
            content = path.read_bytes()
            opened = pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream
            table = opened(content).read_all()
        table.validate(full=True)
        _ = table.column_names  # which may be no text
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError, KeyError) as error:
        said = " ".join(str(error).split())[:120]
        raise InputError(f"{path} cannot be read as a table ({said}); save it again.") from None
    return table


def _read_part(path: Path, name: str) -> tuple[ArrowPart, NDArray[Any]]:
    table = _read_table(path)
    columns = {column: table.schema.field(column).type for column in dict.fromkeys(table.column_names)}
    lists = [column for column, kind in columns.items() if _is_list(kind)]
    at = next((column for column in _TOKENS if column in lists), None)
    tag_at = next((column for column in _TAGS if column in lists), None)
    if at is None or tag_at is None:
        raise InputError(
            f"{path} needs lists of words in 'tokens' and of tags in 'ner_tags'; its lists are "
            f"{', '.join(lists) or 'none'}."
        )
    words, sizes = _flat(table, at, path)
    values, tag_sizes = _flat(table, tag_at, path)
    if (sizes != tag_sizes).any():
        row = int(np.flatnonzero(sizes != tag_sizes)[0])
        raise InputError(
            f"Row {row} of {path} has {sizes[row]} words and {tag_sizes[row]} tags; give one each."
        )
    owner = np.repeat(np.arange(len(sizes)), sizes)
    for index, word in enumerate(words):
        if not isinstance(word, str):
            raise InputError(f"Row {owner[index]} of {path} holds {word!r} where a word should stand.")
    names = _names(table, tag_at, path)
    numbered = any(type(value) is int for value in values)
    if numbered and names is None:
        raise InputError(
            f"{path} numbers its tags and carries no names for them; save it with features (ClassLabel), or write "
            "tags as texts."
        )
    tags = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        tag = value
        if numbered and names is not None and type(value) is int:
            tag = UNLABELLED if value in _NONE else names[value] if 0 <= value < len(names) else None
        if not (isinstance(tag, str) and is_tag(tag)):
            raise InputError(
                f"Row {owner[index]} of {path} has {value!r} where a tag should stand; tags are 'O', 'B-X', 'I-X' "
                "(or E-, S-, L-, U-)" + (f", numbered 0 to {len(names) - 1}." if names is not None else ".")
            )
        tags[index] = tag
    part = ArrowPart(name, table, tag_at, names if numbered else None, tags, sizes)
    tokens = np.empty(len(words), dtype=object)
    tokens[:] = words
    return part, tokens


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _flat(table: Any, column: str, path: Path) -> tuple[list[Any], NDArray[np.int64]]:
    rows = table.column(column).to_pylist()
    for row, value in enumerate(rows):
        if value is None:
            raise InputError(f"Row {row} of {path} has no {column!r}; give a list, empty if there are none.")
    return [item for row in rows for item in row], np.array([len(row) for row in rows], np.int64)


def _names(table: Any, column: str, path: Path) -> tuple[str, ...] | None:
    """Names of the classes of a column, from the features that its file carries."""
    raw = (table.schema.metadata or {}).get(_META)
    if raw is None:
        return None
    try:
        found = json.loads(raw)["info"]["features"][column]
        while isinstance(found, list) or found.get("_type") != "ClassLabel":
            found = found[0] if isinstance(found, list) else found["feature"]
        names = tuple(found["names"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None
    for name in names:
        if not (isinstance(name, str) and is_tag(name)):
            raise InputError(
                f"{path} calls a class {name!r}, which is no tag; classes are 'O', 'B-X', 'I-X' (or E-, S-, L-, U-)."
            )
    return names


def _tags(parts: Sequence[ArrowPart]) -> tuple[list[str], NDArray[np.int64]]:
    """The tags of all files, and where each sentence begins."""
    sizes = np.concatenate([part.lengths for part in parts])
    starts = np.concatenate([[0], np.cumsum(sizes[sizes > 0])]).astype(np.int64)
    return [tag for part in parts for tag in part.tags], starts


def _retagged(dataset: TextDataset, layout: ArrowLayout) -> list[Any]:
    """The tables with the tags that changed replaced."""
    tags, starts = _tags(layout.parts)
    ids, _ = decode(tags, starts=starts, types=dataset.types)
    before = encode(ids, dataset.types, starts=starts, scheme=layout.scheme)
    # The scheme IO hides a boundary between neighbours of one type, so a new one is written as IOB1 does.
    scheme = "IOB1" if layout.scheme == "IO" else layout.scheme
    after = encode(dataset.given, dataset.types, starts=starts, scheme=scheme)
    tables, first = [], 0
    for part in layout.parts:
        last = first + len(part.tags)
        rows = np.flatnonzero(before[first:last] != after[first:last])
        tables.append(_with_tags(part, {int(row): str(after[first + row]) for row in rows}))
        first = last
    return tables


def _with_tags(part: ArrowPart, new: Mapping[int, str]) -> Any:
    if not new:
        return part.table
    import pyarrow as pa

    flat = [value for row in part.table.column(part.column).to_pylist() for value in row]
    for row, tag in new.items():
        if part.names is None:
            flat[row] = tag
        elif tag == UNLABELLED:
            flat[row] = _NONE[1]
        elif tag in part.names:
            flat[row] = part.names.index(tag)
        else:
            raise InputError(
                f"The tag {tag!r} is not among the classes of {part.file} ({', '.join(part.names[:12])}); "
                "save as .conll instead, or add the class."
            )
    ends = np.cumsum(part.lengths)
    lists = [flat[end - size : end] for end, size in zip(ends.tolist(), part.lengths.tolist(), strict=True)]
    at = part.table.schema.get_field_index(part.column)
    schema = part.table.schema.field(at)
    return part.table.set_column(at, schema, pa.array(lists, type=schema.type))


def _fresh(dataset: TextDataset) -> Any:
    import pyarrow as pa

    edges = list(zip(dataset.starts[:-1].tolist(), dataset.starts[1:].tolist(), strict=True))
    ids = np.where(dataset.given == NO_LABEL, _NONE[1], dataset.given).tolist()
    text = {"dtype": "string", "_type": "Value"}
    classes = {"names": list(dataset.class_names), "_type": "ClassLabel"}
    features = {
        "tokens": {"feature": text, "_type": "Sequence"},
        "ner_tags": {"feature": classes, "_type": "Sequence"},
    }
    schema = pa.schema(
        [("tokens", pa.list_(pa.string())), ("ner_tags", pa.list_(pa.int64()))],
        metadata={_META: json.dumps({"info": {"features": features}})},
    )
    words = [[str(word) for word in dataset.tokens[a:b]] for a, b in edges]
    return pa.table({"tokens": words, "ner_tags": [ids[a:b] for a, b in edges]}, schema=schema)


def _write_table(table: Any, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replacing(path) as temporary:
        if path.suffix.lower() == ".parquet":
            pq.write_table(table, temporary)
        else:
            with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
