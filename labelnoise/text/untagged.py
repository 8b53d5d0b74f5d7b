"""Text whose tags are yet to come: a word per line, or a column of "_"."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labelnoise.core.validation import NO_LABEL
from labelnoise.text.conll import DOCSTART, read_conll, read_text_file
from labelnoise.text.data import load_text
from labelnoise.text.dataset import TextDataset
from labelnoise.text.files import has_own_reader
from labelnoise.text.schemes import UNLABELLED

__all__ = ["load_untagged"]


def load_untagged(source: str, *, root: Path | None = None) -> TextDataset:
    """As `labelnoise.text.data.load_text`; files of lines need no tags.

    Parameters
    ----------
    source : str
        A name, or a path. Of a file with one token per line the tags may be missing altogether, or be "_".
    root : Path, optional

    Raises
    ------
    InputError
        As `load_text`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "my.txt"
    >>> _ = path.write_text("Rome\\nsleeps\\n\\nOslo\\n")
    >>> data = load_untagged(str(path))
    >>> data.tokens.tolist(), data.starts, data.given
    (['Rome', 'sleeps', 'Oslo'], array([0, 2, 3]), array([-1, -1, -1]))
    """
    path = Path(source)
    if not path.is_file() or has_own_reader(path):
        return load_text(source, root=root)
    lines = [line.strip(" \t\r") for line in read_text_file(path).removeprefix("\ufeff").split("\n")]
    fields = [
        line.split("\t" if "\t" in line else None) for line in lines if line and not line.startswith("# ")
    ]
    body = [line for line in fields if line and not line[0].startswith(DOCSTART)]
    if body and all(len(line) == 1 for line in body):
        return _words(path, lines)
    if body and all(line[-1] == UNLABELLED for line in body):
        return read_conll(path, tag_column=-1)
    return load_text(source, root=root)


def _words(path: Path, lines: list[str]) -> TextDataset:
    tokens: list[str] = []
    starts, documents, document, marked = [0], list[int](), 0, False
    for line in [*lines, ""]:
        opens = line.startswith(DOCSTART)
        if not line or opens:
            if len(tokens) > starts[-1]:
                starts.append(len(tokens))
                documents.append(document)
            marked, document = marked or opens, document + opens
        elif not line.startswith("# "):
            tokens.append(line)
    return TextDataset(
        name=path.stem,
        given=np.full(len(tokens), NO_LABEL),
        class_names=("O",),
        tokens=np.array(tokens, dtype=object),
        starts=np.array(starts),
        documents=np.array(documents) if marked else None,
        source=str(path),
        meta={"scheme": "BIO"},
    )
