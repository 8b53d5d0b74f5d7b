"""Tables of clips: CSV files as columns, cells of several tags, and the sound that belongs to each row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.decode import LazyAudio
from labelnoise.core.reading import check_inside, file_is_there, read_text
from labelnoise.core.validation import InputError

__all__ = ["encode_classes", "encode_tags", "find_audio", "read_table", "split_tags"]

#: What stands between the tags of one cell.
_SEPARATORS = re.compile(r"[,;]")
#: Before a tag that is not known to be present or absent.
UNKNOWN = "?"


def read_table(path: Path, names: Sequence[str] = ()) -> dict[str, list[str]]:
    """A CSV file as columns of text.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Names of the columns, for a file without a header.

    Raises
    ------
    InputError
        A missing or empty file, text that is not UTF-8, a row of another length.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text('fname,labels\\na.wav,"dog,rain"\\n')
    >>> read_table(path)
    {'fname': ['a.wav'], 'labels': ['dog,rain']}
    """
    text = io.StringIO(read_text(path), newline="")
    try:
        rows = [row for row in csv.reader(text) if row]
    except csv.Error as error:
        raise InputError(f"{path} is no CSV file ({error}); export it again.") from error
    header = [item.strip() for item in (names or (rows[0] if rows else []))]
    body = rows if names else rows[1:]
    if not body:
        raise InputError(f"{path} holds no row; a header and one row per clip are needed.")
    for i, row in enumerate(body):
        if len(row) != len(header):
            raise InputError(
                f"{path} has {len(row)} cells in row {i + 1} and {len(header)} columns; put cells that hold commas "
                "in quotes."
            )
    if len(set(header)) < len(header):
        raise InputError(
            f"{path} has two columns {max(header, key=header.count)!r}; give each a name of its own."
        )
    return _Columns(path, {name: [row[j].strip() for row in body] for j, name in enumerate(header)})


class _Columns(dict[str, list[str]]):
    """Columns by name; one that is not there is refused with what the file has."""

    def __init__(self, path: Path, columns: dict[str, list[str]]) -> None:
        super().__init__(columns)
        self._path = path

    def __missing__(self, name: str) -> list[str]:
        raise InputError(f"{self._path} has no column {name!r}; it has {', '.join(map(repr, self))}.")


def split_tags(cell: str) -> list[str]:
    """The tags of a cell, separated by ``,`` or ``;``.

    Examples
    --------
    >>> split_tags("dog; rain"), split_tags("")
    (['dog', 'rain'], [])
    """
    return [tag for tag in (part.strip() for part in _SEPARATORS.split(cell)) if tag]


def encode_tags(
    cells: Iterable[str], tag_names: Sequence[str] | None = None, *, where: str = "The table"
) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    """Cells of tags as a matrix; ``?tag`` is a tag not known, and ``?`` alone means that none is.

    Parameters
    ----------
    cells : iterable of str
    tag_names : sequence of str, optional
        Names of the columns; by default the tags that occur, sorted.
    where : str
        How a message calls the table.

    Returns
    -------
    tags : ndarray of int8, shape (m, K)
        1 present, 0 absent, -1 not known.
    tag_names : tuple of str

    Raises
    ------
    InputError
        A tag that is not among the names, or no tag at all.

    Examples
    --------
    >>> tags, names = encode_tags(["dog,rain", "?dog", "?", ""])
    >>> names, tags.tolist()
    (('dog', 'rain'), [[1, 1], [-1, 0], [-1, -1], [0, 0]])
    """
    rows = [split_tags(cell) for cell in cells]
    if tag_names is None:
        tag_names = sorted({tag.removeprefix(UNKNOWN) for row in rows for tag in row} - {""})
    if not tag_names:
        raise InputError(f"{where} names no tag; give at least one clip a tag.")
    place = {name: k for k, name in enumerate(tag_names)}
    if len(place) < len(tag_names):
        raise InputError(f"{where} has two tags of one name; give each a name of its own.")
    tags = np.zeros((len(rows), len(place)), dtype=np.int8)
    for i, row in enumerate(rows):
        for tag in row:
            name = tag.removeprefix(UNKNOWN)
            if tag == UNKNOWN:
                tags[i] = -1
            elif name not in place:
                raise InputError(f"{where} has the tag {name!r} in row {i + 1}, which is not among its tags.")
            else:
                tags[i, place[name]] = 1 if tag == name else -1
    return tags, tuple(tag_names)


def encode_classes(
    cells: Sequence[str], class_names: Sequence[str] | None = None, *, where: str = "The table"
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Cells of one class each as class ids; an empty cell is no label, -1.

    Raises
    ------
    InputError
        A class that is not among the names, or no class at all.

    Examples
    --------
    >>> labels, names = encode_classes(["rain", "", "dog"])
    >>> labels.tolist(), names
    ([1, -1, 0], ('dog', 'rain'))
    """
    names = tuple(class_names) if class_names is not None else tuple(sorted(set(cells) - {""}))
    if not names:
        raise InputError(f"{where} names no class; give at least one clip a label.")
    place = {"": -1, **{name: k for k, name in enumerate(names)}}
    unknown = next((i for i, cell in enumerate(cells) if cell not in place), None)
    if unknown is not None:
        raise InputError(
            f"{where} has the label {cells[unknown]!r} in row {unknown + 1}, which is not among its classes."
        )
    return np.array([place[cell] for cell in cells], dtype=np.int64), names


def find_audio(
    files: Sequence[str],
    folders: Sequence[Path],
    sample_rate: int,
    *,
    known: Mapping[str, str] | None = None,
    published: str = "",
) -> LazyAudio | None:
    """The sound of clips, each in the first folder that holds it; None where no folder holds any.

    Parameters
    ----------
    files : sequence of str
    folders : sequence of Path
    sample_rate : int
    known : mapping of str to str, optional
        Where some of the clips are said to lie; looked at first.
    published : str
        What a public set calls its table, whose names have to stay below its folders. A user's own table may name
        sound anywhere.

    Raises
    ------
    InputError
        Some of the clips are there and others are not; a published name that leads elsewhere.
    """
    if published:
        check_inside(files, None, published, "get it again from a source that you trust")
    places = {name: (Path(path),) for name, path in (known or {}).items()}
    found = [
        next(
            (
                path
                for path in (*places.get(name, ()), *(base / name for base in folders))
                if file_is_there(path)
            ),
            None,
        )
        for name in files
    ]
    there = [path for path in found if path is not None]
    if not there:
        return None
    if len(there) < len(found):
        lacking = [name for name, path in zip(files, found) if path is None]
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InputError(
            f"There is no sound for {lacking[0]!r}{more} in {folders[0]}; add the files, or take the rows out."
        )
    return LazyAudio(there, sample_rate)
