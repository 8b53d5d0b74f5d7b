"""Several files of one format, one for each split, as one data set, and back into as many files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labelnoise.core.files import make_folder
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import bio_names

__all__ = ["JoinedLayout", "join_files", "write_joined"]


@dataclass(frozen=True)
class JoinedLayout:
    """The files' names and what was read from each."""

    names: tuple[str, ...]
    parts: tuple[TextDataset, ...]


def join_files(
    paths: Mapping[str, Path], read: Callable[[Path], TextDataset], *, name: str, source: str
) -> TextDataset:
    """Read a file for each split; entity types are those of all files.

    Raises
    ------
    InputError
        What the reader raises.
    """
    parts = [read(path) for path in paths.values()]
    types = sorted({kind for part in parts for kind in part.types})
    names = bio_names(types)
    place = {tag: index for index, tag in enumerate(names)}
    given = [
        np.array([*(place[tag] for tag in part.class_names), NO_LABEL])[np.asarray(part.given)]
        for part in parts
    ]
    edges = np.cumsum([0, *(part.n_units for part in parts)])
    masks = {}
    for index, split in enumerate(paths):
        masks[split] = np.zeros(edges[-1], dtype=bool)
        masks[split][edges[index] : edges[index + 1]] = True
    documents, first = [], 0
    for part in parts:
        if part.documents is not None:
            documents.append(np.asarray(part.documents) + first)
            first += int(part.documents.max()) + 1
    return TextDataset(
        name=name,
        given=np.concatenate(given),
        class_names=names,
        tokens=np.concatenate([part.tokens for part in parts]),
        starts=np.concatenate(
            [[0], *(part.starts[1:] + edge for part, edge in zip(parts, edges[:-1], strict=True))]
        ),
        documents=np.concatenate(documents) if len(documents) == len(parts) else None,
        masks=masks,
        layout=JoinedLayout(tuple(path.name for path in paths.values()), tuple(parts)),
        source=source,
        meta=parts[0].meta,
    )


def write_joined(
    dataset: TextDataset, path: str | Path, write: Callable[[TextDataset, str | Path], list[Path]]
) -> list[Path]:
    """Write each file with the tags that the data set has for it now, into a folder that is made.

    Raises
    ------
    InputError
        A file where the folder should be, a data set that was not read by `join_files`.
    """
    layout, path = dataset.layout, Path(path)
    if not isinstance(layout, JoinedLayout) or sum(p.n_units for p in layout.parts) != dataset.n_units:
        raise InputError(f"{dataset.name} was not read from a folder of files; name one file for it.")
    if path.is_file():
        raise InputError(f"{path} is a file and {len(layout.parts)} files are to be written; name a folder.")
    make_folder(path)
    written, first = [], 0
    for name, part in zip(layout.names, layout.parts, strict=True):
        labels = np.asarray(dataset.given[first : first + part.n_units])
        written += write(replace(part, given=labels, class_names=dataset.class_names, true=None), path / name)
        first += part.n_units
    return written
