"""Files with one token per line: any columns, any separator, and back again with only the tag column changed.

A blank line ends a sentence. ``-DOCSTART-`` and ``# newdoc`` begin a document. A line that begins with ``#`` is
a comment unless it has the file's columns and a tag in the tag column (``#`` and hashtags are tokens too).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.files import check_output, make_folder, replacing
from labelnoise.core.reading import read_bytes
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import UNLABELLED, bio_names, decode, encode, is_tag, sniff_scheme

__all__ = ["SPLIT_NAMES", "ConllFile", "ConllLayout", "read_conll", "read_text_file", "write_conll"]

#: File names (before the ending) that a folder of splits may hold, and the split that each one is.
SPLIT_NAMES = {
    "train": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
DOCSTART = "-DOCSTART-"
_SAMPLE = 2000


@dataclass(frozen=True)
class ConllFile:
    """One file as it was read.

    Attributes
    ----------
    name : str
        Its file name.
    lines : list of str
        Every line, with its line end.
    rows : ndarray of int64, shape (tokens,)
        The line of each token, from 0.
    column : int
        The tag column.
    separator : str, optional
        What stands between columns; any white space where None.
    scheme : str
        The tagging scheme of the tag column.
    """

    name: str
    lines: list[str]
    rows: NDArray[np.int64]
    column: int
    separator: str | None
    scheme: str


@dataclass(frozen=True)
class ConllLayout:
    """The files of a data set with the split of each ("" where there is one file), and the tags they held."""

    files: tuple[ConllFile, ...]
    given: NDArray[np.int64]
    splits: tuple[str, ...] = ("",)


def read_conll(
    source: str | Path | Mapping[str, str | Path],
    *,
    token_column: int | None = None,
    tag_column: int | None = None,
    true_column: int | None = None,
    separator: str | None = None,
    types: Sequence[str] | None = None,
    name: str | None = None,
) -> TextDataset:
    """Read one file, or one for each split.

    Parameters
    ----------
    source : path, or mapping from split to path
    token_column : int, optional
        From 0, negative from the end. By default the first one, or the second where the first one counts tokens.
    tag_column : int, optional
        By default the last column that holds tags and nothing else.
    true_column : int, optional
        A second column of tags that are true.
    separator : str, optional
        By default a tab where the lines have one, else any white space.
    types : sequence of str, optional
        Entity types and their order; those that occur, sorted, by default.
    name : str, optional

    Returns
    -------
    TextDataset
        Tags as they are (`labelnoise.text.schemes.repair` mends a stray ``I-X`` where asked); "_" is no label.
        The scheme of the file is in ``meta["scheme"]``, documents where the files mark them.

    Raises
    ------
    InputError
        With the line: too few columns, a text that is no tag; no file, no tokens, not UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "my.conll"
    >>> _ = path.write_text("EU NNP I-ORG\\nrejects VBZ O\\n\\nPeter NNP I-PER\\n")
    >>> data = read_conll(path)
    >>> data.given, data.types, data.starts, data.meta["scheme"]
    (array([1, 0, 3]), ('ORG', 'PER'), array([0, 2, 3]), 'IO')
    """
    paths = dict(source) if isinstance(source, Mapping) else {"": source}
    if not paths:
        raise InputError("No file was named; name at least one.")
    tokens: list[str] = []
    tags: list[str] = []
    true: list[str] = []
    starts = [0]
    documents: list[int] = []
    marked, document, ends, parts = False, -1, [], []
    for path in map(Path, paths.values()):
        lines = list(
            io.StringIO(read_text_file(path), newline="\n")
        )  # not splitlines: tokens may hold U+2028
        cut = separator if separator is not None else _sniff_separator(lines)
        sample = [line.rstrip("\r\n").split(cut) for line in islice(_likely_tokens(lines), _SAMPLE)]
        if not sample:
            raise InputError(f"{path} holds no tokens; one token and its tag per line are needed.")
        width = Counter(map(len, sample)).most_common(1)[0][0]
        whole = [fields for fields in sample if len(fields) == width]
        tag_at = _column(tag_column, width, path, "tag") if tag_column is not None else _tags_in(whole, path)
        true_at = None if true_column is None else _column(true_column, width, path, "true tag")
        counted = _counts_tokens(whole) and tag_at > 1
        token_at = int(counted) if token_column is None else _column(token_column, width, path, "token")
        need = max(tag_at, token_at, -1 if true_at is None else true_at)
        rows: list[int] = []
        first_token, first_sentence = len(tokens), len(starts) - 1
        document += 1
        for number, line in enumerate(lines):
            text = line.rstrip("\r\n").removeprefix("\ufeff")
            if not text.strip():
                if len(tokens) > starts[-1]:
                    starts.append(len(tokens))
                    documents.append(document)
                continue
            fields = text.split(cut)
            if text[0] == "#" and not (len(fields) == width and is_tag(fields[tag_at])):
                if text.startswith("# newdoc"):
                    marked, document = True, document + 1
                continue
            if text.startswith(DOCSTART):
                if len(tokens) > starts[-1]:
                    starts.append(len(tokens))
                    documents.append(document)
                marked, document = True, document + 1
                continue
            if len(fields) <= need:
                raise InputError(
                    f"Line {number + 1} of {path} has {len(fields)} column(s) and {need + 1} are needed; "
                    "separate token and tag as on the other lines."
                )
            if counted and not fields[0].isdigit():
                continue  # a multi-word token (1-2) or an empty node (8.1) of CoNLL-U
            for at in (tag_at, true_at):
                if at is not None and not is_tag(fields[at]):
                    raise InputError(
                        f"Line {number + 1} of {path} has {fields[at]!r} where a tag should stand; "
                        "tags are 'O', 'B-X', 'I-X' (or E-, S-, L-, U-), '_' for no label."
                    )
            tokens.append(fields[token_at])
            tags.append(fields[tag_at])
            if true_at is not None:
                true.append(fields[true_at])
            rows.append(number)
        if len(tokens) > starts[-1]:
            starts.append(len(tokens))
            documents.append(document)
        if len(tokens) == first_token:
            raise InputError(f"{path} holds no tokens; one token and its tag per line are needed.")
        local = np.array(starts[first_sentence:]) - first_token
        scheme = sniff_scheme(tags[first_token:], starts=local)
        parts.append(ConllFile(path.name, lines, np.array(rows, np.int64), tag_at, cut, scheme))
        ends.append(len(tokens))
    offsets = np.array(starts, np.int64)
    found = {tag[2:] for tag in {*tags, *true} if len(tag) > 1}
    known = tuple(sorted(found)) if types is None else tuple(types)
    given = _decode_files(tags, offsets, known, ends)
    edges = [0, *ends]
    masks = {}
    if isinstance(source, Mapping):
        for index, split in enumerate(paths):
            masks[split] = np.zeros(len(tokens), bool)
            masks[split][edges[index] : edges[index + 1]] = True
    where = [str(path) for path in paths.values()]
    return TextDataset(
        name=name or Path(where[0]).stem,
        given=given,
        true=_decode_files(true, offsets, known, ends) if true else None,
        class_names=bio_names(known),
        tokens=np.array(tokens, dtype=object),
        starts=offsets,
        documents=_renumbered(documents) if marked else None,
        masks=masks,
        layout=ConllLayout(tuple(parts), given, tuple(paths)),
        source=", ".join(where),
        meta={"scheme": parts[0].scheme},
    )


def write_conll(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write the given tags; a data set that was read from such files keeps everything but changed tags.

    Parameters
    ----------
    dataset : TextDataset
    path : str or Path
        A file; for a data set of several files a folder, which is made and gets one file each, with their names
        or, where these do not say the split, with the split's.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        A folder that is not there; a token that holds white space or a line end and so fits no column.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "my.conll"
    >>> _ = path.write_text("# id 7\\nEU  NNP  I-ORG  x\\nrejects  VBZ  O  y\\n")
    >>> data = read_conll(path, tag_column=2)
    >>> print(write_conll(data.with_labels(np.array([0, 1])), path)[0].read_text())
    # id 7
    EU  NNP  O  x
    rejects  VBZ  I-ORG  y
    """
    path = Path(path)
    layout = dataset.layout
    if not (isinstance(layout, ConllLayout) and len(layout.given) == dataset.n_units):
        check_output(path, what="the text file")
        with replacing(path) as temporary:
            temporary.write_text(_fresh(dataset), encoding="utf-8", newline="")
        return [path]
    if len(layout.files) == 1:
        targets = [path / layout.files[0].name if path.is_dir() else path]
    else:
        names = [_file_name(part.name, split) for part, split in zip(layout.files, layout.splits)]
        if len(set(names)) < len(names):
            raise InputError(
                f"Two files are called {max(names, key=names.count)!r}; rename one and read again."
            )
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file and {len(names)} files are to be written; name a folder.")
        make_folder(path)
        targets = [path / name for name in names]
    first = 0
    for part, target in zip(layout.files, targets):
        check_output(target, what="the text file")
        with replacing(target) as temporary:
            temporary.write_text(_rewritten(dataset, part, first), encoding="utf-8", newline="")
        first += len(part.rows)
    return targets


def read_text_file(path: str | Path) -> str:
    """The text of a file in UTF-8, with its line ends as they are.

    Raises
    ------
    InputError
        No such file, or other bytes than UTF-8, with their line.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"Line {line} of {path} is not UTF-8; convert the file first (iconv -f latin1 -t utf-8)."
        ) from error


def _file_name(name: str, split: str) -> str:
    """A name by which a folder's reader knows the split."""
    return name if SPLIT_NAMES.get(name.partition(".")[0].lower()) == split else f"{split}.conll"


def _fresh(dataset: TextDataset) -> str:
    bad = [row for row, token in enumerate(dataset.tokens) if not token or re.search(r"\s", token)]
    if bad:
        raise InputError(
            f"Token {bad[0]} is {dataset.tokens[bad[0]]!r}, which fits no column; save as .jsonl instead."
        )
    tags = encode(dataset.given, dataset.types, starts=dataset.starts)
    out = []
    for index in range(dataset.n_sentences):
        if dataset.documents is not None and (
            index == 0 or dataset.documents[index] != dataset.documents[index - 1]
        ):
            out.append(f"{DOCSTART}\tO\n\n")
        for row in range(dataset.starts[index], dataset.starts[index + 1]):
            out.append(f"{dataset.tokens[row]}\t{tags[row]}\n")
        out.append("\n")
    return "".join(out)


def _rewritten(dataset: TextDataset, part: ConllFile, first: int) -> str:
    """A file's text with the tags that changed replaced where they stand."""
    last = first + len(part.rows)
    inside = dataset.starts[(dataset.starts >= first) & (dataset.starts <= last)] - first
    before = encode(dataset.layout.given[first:last], dataset.types, starts=inside, scheme=part.scheme)
    # The scheme IO hides a boundary between neighbours of one type, so a new one is written as IOB1 does.
    scheme = "IOB1" if part.scheme == "IO" else part.scheme
    after = encode(dataset.given[first:last], dataset.types, starts=inside, scheme=scheme)
    lines = list(part.lines)
    for index in np.flatnonzero(before != after):
        number = part.rows[index]
        lines[number] = _replaced(lines[number], part.column, part.separator, after[index])
    return "".join(lines)


def _replaced(line: str, column: int, separator: str | None, tag: str) -> str:
    body = line.rstrip("\r\n")
    end = line[len(body) :]
    if separator is not None:
        fields = body.split(separator)
        fields[column] = tag
        return separator.join(fields) + end
    field = next(islice(re.finditer(r"\S+", body), column, None))
    return body[: field.start()] + tag + body[field.end() :] + end


def _decode_files(
    tags: list[str], starts: NDArray[np.int64], types: tuple[str, ...], ends: list[int]
) -> NDArray[np.int64]:
    """Each file by itself, since two files may be tagged in two schemes."""
    first, done = 0, []
    for last in ends:
        inside = starts[(starts >= first) & (starts <= last)] - first
        done.append(decode(tags[first:last], starts=inside, types=types)[0])
        first = last
    return np.concatenate(done)


def _likely_tokens(lines: list[str]) -> Any:
    return (line for line in lines if line.strip() and not line.startswith(("# ", DOCSTART)))


def _sniff_separator(lines: list[str]) -> str | None:
    sample = list(islice(_likely_tokens(lines), 200))
    return "\t" if sample and sum("\t" in line for line in sample) > 0.9 * len(sample) else None


def _column(asked: int, width: int, path: Path, what: str) -> int:
    if not -width <= asked < width:
        raise InputError(
            f"The {what} column {asked} is not in {path}, which has {width} column(s), 0 to {width - 1}."
        )
    return asked % width


def _tags_in(sample: list[list[str]], path: Path) -> int:
    """The last column of tags; one with entities is preferred, and one in which nearly all fields are tags."""
    best, column = 0.0, -1
    for at in range(1, len(sample[0])):
        values = [fields[at] for fields in sample]
        share = sum(map(is_tag, values)) / len(values)
        if set(values) == {UNLABELLED} or share < 0.9:
            continue
        score = share + any(len(value) > 1 for value in values)
        if score >= best:
            best, column = score, at
    if column < 0:
        raise InputError(
            f"No column of {path} holds tags ('O', 'B-X', 'I-X' ...); name it with tag_column, or check the separator."
        )
    return column


def _counts_tokens(sample: list[list[str]]) -> bool:
    if len(sample[0]) < 3 or not all(re.fullmatch(r"\d{1,9}([-.]\d{1,9})?", fields[0]) for fields in sample):
        return False
    numbers = [fields[0] for fields in sample if fields[0].isdigit()]
    rising = sum(int(b) == int(a) + 1 or int(b) <= 1 for a, b in pairwise(numbers))
    return bool(numbers) and int(numbers[0]) <= 1 and rising >= 0.95 * (len(numbers) - 1)


def _renumbered(documents: list[int]) -> NDArray[np.int64]:
    return np.unique(np.array(documents, np.int64), return_inverse=True)[1].astype(np.int64)
