"""spaCy's training files (``DocBin``, .spacy), read and written without spaCy: msgpack within zlib, never a pickle."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.files import check_output, replacing
from labelnoise.core.reading import read_bytes
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import bio_names, decode, encode, repair
from labelnoise.text.spacy_strings import string_id

__all__ = ["SpacyLayout", "read_spacy", "write_spacy"]

#: Ids of the attributes that are read: the token, the entity's place and type, the start of a sentence.
_ORTH, _IOB, _TYPE, _SENTENCE = 65, 77, 78, 80
#: What spaCy writes for the place of a token in an entity; 0 is "not known".
_PLACES = {0: "_", 1: "I", 2: "O", 3: "B"}
_CODES = {prefix: code for code, prefix in _PLACES.items()}
#: Bytes after which unpacking stops.
_LARGEST = 1 << 31


@dataclass(frozen=True)
class SpacyLayout:
    """The file as it was read, and the tag of each of its tokens."""

    content: bytes
    tags: NDArray[Any]


def read_spacy(path: str | Path) -> TextDataset:
    """Read a ``.spacy`` file with entities; needs msgpack.

    Each of spaCy's documents is a document; its sentences are sentences where their starts are stored, else it is
    one sentence. Tokens that spaCy calls missing carry no label.

    Raises
    ------
    InputError
        Another kind of file, a damaged one, or one without entities stored; msgpack is not installed.
    """
    content = read_bytes(path)
    message = _unpacked(content, path)
    table, lengths = _table(message, path)
    columns: list[int] = message["attrs"]
    strings = {string_id(text): text for text in message["strings"]}
    words = _named(table[:, columns.index(_ORTH)], strings, path)
    kinds = _named(table[:, columns.index(_TYPE)], strings, path)
    places = table[:, columns.index(_IOB)]
    if (places > 3).any():
        raise InputError(
            f"{path} holds the place {int(places.max())} of an entity; it is damaged, save it again."
        )
    tags = np.empty(len(table), dtype=object)
    for row, (place, kind) in enumerate(zip(places.tolist(), kinds)):
        # An entity without a type is spaCy's way of keeping a token out of all entities.
        tags[row] = f"{_PLACES[place]}-{kind}" if place % 2 and kind else "O" if place else "_"
    begins = np.zeros(len(table) + 1, dtype=bool)
    ends = np.cumsum(lengths)
    begins[ends - lengths] = True
    begins[-1] = True
    if _SENTENCE in columns:
        begins[:-1] |= table[:, columns.index(_SENTENCE)] == 1
    starts = np.flatnonzero(begins)
    given, types = decode(tags, starts=starts)
    # An entity without its beginning is what spaCy itself refuses; it is written with one.
    given = repair(given, starts=np.unique(np.concatenate([[0], ends])))
    return TextDataset(
        name=Path(path).stem,
        given=given,
        class_names=bio_names(types),
        tokens=words,
        starts=starts,
        documents=np.searchsorted(ends[lengths > 0], starts[:-1], side="right"),
        layout=SpacyLayout(content, tags),
        source=str(path),
        meta={"scheme": "BIO"},
    )


def write_spacy(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write a file that spaCy reads; of one that was read only changed entities change, and nothing is no change.

    A data set that came from elsewhere gets a document for each of its documents, or each sentence, with blanks
    between all tokens.

    Raises
    ------
    InputError
        msgpack is not installed.
    """
    path = Path(path)
    check_output(path, what="the text file")
    layout = dataset.layout
    if isinstance(layout, SpacyLayout) and len(layout.tags) == dataset.n_units:
        content = _changed(dataset, layout)
    else:
        content = _fresh(dataset)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return [path]


def _msgpack() -> Any:
    try:
        import msgpack
    except ImportError as error:
        raise InputError("Files of spaCy need msgpack. Run: pip install 'labelnoise[text]'.") from error
    return msgpack


def _unpacked(content: bytes, path: str | Path) -> dict[str, Any]:
    msgpack = _msgpack()
    try:
        stream = zlib.decompressobj()
        plain = stream.decompress(content, _LARGEST)
        if not stream.eof:
            raise ValueError("it is cut off, or unpacks to more than 2 GiB")
        message = msgpack.unpackb(plain, raw=False, strict_map_key=False)
        shapes = {"attrs": list, "tokens": bytes, "lengths": bytes, "strings": list}
        if not (isinstance(message, dict) and all(type(message.get(k)) is v for k, v in shapes.items())):
            raise ValueError("its parts are missing")
        if not all(isinstance(text, str) for text in message["strings"]):
            raise ValueError("its strings are none")
        if not all(type(attribute) is int for attribute in message["attrs"]):
            raise ValueError("its attributes are none")
    except (zlib.error, ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        said = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(
            f"{path} is no DocBin of spaCy ({said}); write it with DocBin.to_disk, for instance by spacy convert."
        ) from error
    return dict(message)


def _table(message: dict[str, Any], path: str | Path) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Attributes by token (tokens, attributes) and the number of tokens of each document."""
    columns = message["attrs"]
    for attribute, name in ((_ORTH, "words"), (_IOB, "entities"), (_TYPE, "entity types")):
        if attribute not in columns:
            raise InputError(
                f"{path} stores no {name}; write it with DocBin(attrs=['ORTH', 'ENT_IOB', 'ENT_TYPE'])."
            )
    width = 8 * len(columns)
    if len(message["tokens"]) % width or len(message["lengths"]) % 4:
        raise InputError(
            f"{path} is damaged: {len(message['tokens'])} bytes are no rows of {width}; save it again."
        )
    table = np.frombuffer(message["tokens"], dtype="<u8").reshape(-1, len(columns))
    lengths = np.frombuffer(message["lengths"], dtype="<i4").astype(np.int64)
    if (lengths < 0).any() or lengths.sum() != len(table):
        raise InputError(
            f"{path} is damaged: its documents do not add up to {len(table)} tokens; save it again."
        )
    if not len(table):
        raise InputError(f"{path} holds no tokens; at least one document with a word is needed.")
    return table, lengths


def _named(ids: NDArray[np.uint64], strings: dict[int, str], path: str | Path) -> NDArray[Any]:
    known, inverse = np.unique(ids, return_inverse=True)
    names = np.empty(len(known), dtype=object)
    for index, one in enumerate(known.tolist()):
        if one and one not in strings:
            raise InputError(
                f"{path} is damaged: it uses the string {one} and does not hold it; save it again."
            )
        names[index] = strings.get(one, "")
    return names[inverse]


def _columns(tags: NDArray[Any]) -> NDArray[np.uint64]:
    """ENT_IOB and ENT_TYPE of tags in BIO."""
    return np.array([(_CODES[tag[0]], string_id(tag[2:])) for tag in tags], dtype=np.uint64).reshape(-1, 2)


def _changed(dataset: TextDataset, layout: SpacyLayout) -> bytes:
    before, _ = decode(layout.tags, starts=dataset.starts, types=dataset.types)
    # spaCy refuses an entity without its beginning; its entities may go on over the start of a sentence.
    edges = _document_edges(dataset)
    after = repair(dataset.given, starts=edges)
    rows = np.flatnonzero(before != after)
    if not len(rows):
        return layout.content
    message = _unpacked(layout.content, dataset.source)
    table = _table(message, dataset.source)[0].copy()
    tags = encode(after, dataset.types, starts=edges)[rows]
    place = [message["attrs"].index(_IOB), message["attrs"].index(_TYPE)]
    table[np.ix_(rows, place)] = _columns(tags)
    message["tokens"] = table.tobytes()
    message["strings"] = sorted({*message["strings"], *(tag[2:] for tag in tags)})
    return zlib.compress(_msgpack().packb(message, use_bin_type=True))


def _document_edges(dataset: TextDataset) -> NDArray[np.int64]:
    """The first row of each document, or sentence where none are known, and n."""
    of = np.asarray(dataset.groups)
    if dataset.documents is not None:
        of = np.asarray(dataset.documents)[of]
    return np.flatnonzero(np.r_[True, of[1:] != of[:-1], True]).astype(np.int64)


def _fresh(dataset: TextDataset) -> bytes:
    edges = _document_edges(dataset)
    tags = encode(repair(dataset.given, starts=edges), dataset.types, starts=edges)
    words = np.array([string_id(str(word)) for word in dataset.tokens], dtype=np.uint64)
    first = np.where(dataset.position == 0, 1, -1).astype(np.int64).view(np.uint64)
    n = len(edges) - 1
    message = {
        "version": "0.1",
        "attrs": [_ORTH, _IOB, _TYPE, _SENTENCE],
        "tokens": np.column_stack([words, _columns(tags), first]).astype("<u8").tobytes(),
        "spaces": np.ones(dataset.n_units, dtype=bool).tobytes(),
        "lengths": np.diff(edges).astype("<i4").tobytes(),
        "strings": sorted({"", *map(str, dataset.tokens), *dataset.types}),
        "cats": [{} for _ in range(n)],
        "flags": [{"has_unknown_spaces": False} for _ in range(n)],
        "span_groups": [b"" for _ in range(n)],
    }
    return zlib.compress(_msgpack().packb(message, use_bin_type=True))
