"""The user's own clips: a folder of sound and a CSV file of labels, read and written.

==============  ==============================================================================================
column          what
==============  ==============================================================================================
``file``        path of the clip, below the folder or its ``audio/`` (or ``fname``, ``filename``)
``label``       its class (or ``category``, ``labels``, ``tags``); several tags with ``,`` or ``;`` between them
``true``        the true class or tags, where they are known
``origin``      the process that the label comes from; ``annotator``: the person; ``verified``: yes or no
``recording``   the recording that the clip is cut from
``splits``      names of the published splits that the clip belongs to, ``;`` between them
==============  ==============================================================================================

Tags take ``?`` before them where they are neither known to be present nor absent. The sound files may be missing.
A path may be absolute or lead through ``..``: such sound is read where it lies, and a written copy of the data refers
to it there, since nothing is ever written outside of the copy's folder.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.tables import UNKNOWN, encode_classes, encode_tags, find_audio, read_table
from labelnoise.core.files import replacing
from labelnoise.core.reading import leads_outside, read_json
from labelnoise.core.validation import InputError

__all__ = ["read_clips", "write_clips"]

TABLE, NOTES = "clips.csv", "clips.json"
_FILE_COLUMNS = ("file", "fname", "filename")
_LABEL_COLUMNS = ("label", "category", "labels", "tags")
_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def read_clips(path: str | Path, *, multilabel: bool | None = None, sample_rate: int = 16000) -> AudioDataset:
    """Read clips and their labels from a folder with a CSV file, or from that file.

    Parameters
    ----------
    path : str or Path
        The CSV file, or the folder of it: ``clips.csv``, or the only one there.
    multilabel : bool, optional
        Whether clips have tags. By default what `write_clips` noted; else yes if the column is called ``labels``
        or ``tags``, or a cell holds several.
    sample_rate : int
        At which the clips are decoded when they are read.

    Returns
    -------
    AudioDataset

    Raises
    ------
    InputError
        In one sentence: what is wrong in which file, and how to mend it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "labels.csv").write_text("fname,labels\\na.wav,rain;dog\\nb.wav,?dog\\n")
    >>> data = read_clips(folder)
    >>> data.tag_names, data.tags.tolist(), data.audio
    (('dog', 'rain'), [[1, 1], [-1, 0]], None)
    """
    table_path = _find_table(Path(path))
    folder = table_path.parent
    table = {name.lower(): cells for name, cells in read_table(table_path).items()}
    notes = _read_notes(folder / NOTES) if table_path.name == TABLE else {}
    files = table[_column(table, _FILE_COLUMNS, table_path, "clip")]
    label_column = _column(table, _LABEL_COLUMNS, table_path, "label")
    cells = table[label_column]
    if multilabel is None:
        several = any("," in cell or ";" in cell for cell in cells)
        multilabel = bool(notes.get("tag_names")) if notes else several or label_column in ("labels", "tags")
    fields: dict[str, Any] = {
        "files": tuple(name.replace("\\", "/") for name in files),
        "name": str(notes.get("name", folder.name or table_path.stem)),
        "source": str(path),
        "meta": dict(notes.get("meta", {})),
        "audio": find_audio(files, (folder, folder / "audio"), sample_rate, known=notes.get("sound")),
        "splits": _read_splits(table.get("splits", ())),
    }
    for field, column in (("origin", "origin"), ("annotator", "annotator"), ("recordings", "recording")):
        if column in table:
            fields[field] = np.array(table[column], dtype=object)
    if "verified" in table:
        fields["verified"] = _flags(table["verified"], table_path)
    where = str(table_path)
    if multilabel:
        both = [*cells, *table.get("true", ())]
        matrix, names = encode_tags(both, notes.get("tag_names") or None, where=where)
        true = matrix[len(cells) :] if "true" in table else None
        return AudioDataset.from_tags(matrix[: len(cells)], names, true=true, **fields)
    labels, names = encode_classes(
        [*cells, *table.get("true", ())], notes.get("class_names") or None, where=where
    )
    right = labels[len(cells) :] if "true" in table else None
    return AudioDataset.single(labels[: len(cells)], names, true=right, **fields)


def write_clips(dataset: AudioDataset, path: str | Path) -> list[Path]:
    """Write a data set as a new folder that `read_clips` reads back; all of it, or nothing.

    Sound files are copied byte for byte; rendered clips become WAV files of 32-bit floats. Sound whose name is
    absolute or leads through ``..`` is not copied: the copy says where it lies. An existing folder is never written
    into, so that originals stay.

    Parameters
    ----------
    dataset : AudioDataset
    path : str or Path
        A folder that does not exist yet, or is empty, or was written by this function before and holds no sound of
        ``dataset``.

    Returns
    -------
    list of Path
        The folder.

    Raises
    ------
    InputError
        The folder holds something else; a name of a clip or tag that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> data = AudioDataset.from_tags([[1, -1]], ("dog", "rain"), files=("a.wav",), name="one")
    >>> target = write_clips(data, Path(tempfile.mkdtemp()) / "copy")[0]
    >>> read_clips(target).content_hash() == data.content_hash()
    True
    """
    folder = Path(os.path.realpath(path))
    _check_target(dataset, folder)
    _check_names(dataset)
    with replacing(folder) as temporary:
        temporary.mkdir()
        _write_into(dataset, temporary)
    return [folder]


def _write_into(dataset: AudioDataset, folder: Path) -> None:
    columns: dict[str, Sequence[str]] = {
        "file": dataset.files,
        "tags" if dataset.multilabel else "label": _cells(dataset, dataset.given),
    }
    if dataset.true is not None:
        columns["true"] = _cells(dataset, dataset.true)
    for column, values in (
        ("origin", dataset.origin),
        ("annotator", dataset.annotator),
        ("recording", dataset.recordings),
    ):
        if values is not None:
            columns[column] = [str(value) for value in values]
    if dataset.verified is not None:
        columns["verified"] = ["yes" if value else "no" for value in dataset.verified]
    if dataset.splits:
        columns["splits"] = [
            ";".join(name for name, mask in dataset.splits.items() if mask[i]) for i in range(dataset.n_clips)
        ]
    with open(folder / TABLE, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
    notes = {
        "name": dataset.name,
        "tag_names" if dataset.multilabel else "class_names": dataset.tag_names or dataset.class_names,
        "meta": dict(dataset.meta),
        "written_by": "labelnoise",
    }
    sources = dataset.audio.sources if dataset.audio is not None else ()
    outside = {
        name: os.path.abspath(source) for name, source in zip(dataset.files, sources) if leads_outside(name)
    }
    if outside:
        notes["sound"] = outside
    (folder / NOTES).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
    if dataset.audio is not None:
        for i, name in enumerate(dataset.files):
            if name in outside:
                continue
            target = folder / "audio" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = dataset.audio.sources[i]
            if isinstance(source, str | Path):
                shutil.copyfile(source, target)
            else:
                import soundfile

                soundfile.write(target, dataset.audio[i], dataset.audio.sample_rate, "FLOAT", format="WAV")


def _cells(dataset: AudioDataset, flat: NDArray[Any]) -> list[str]:
    if not dataset.multilabel:
        return ["" if label < 0 else dataset.class_names[label] for label in flat.tolist()]
    cells = []
    for row in flat.reshape(dataset.n_clips, -1):
        listed = np.flatnonzero(row)
        whole = [UNKNOWN] if (row < 0).all() else None
        cells.append(
            ";".join(whole or [UNKNOWN * int(row[k] < 0) + dataset.tag_names[k] for k in listed.tolist()])
        )
    return cells


def _check_names(dataset: AudioDataset) -> None:
    sources = dataset.audio.sources if dataset.audio is not None else [None] * dataset.n_clips
    for name, source in zip(dataset.files, sources):
        # Where the sound of a name outside is a file, or there is none, the name alone is written.
        lost = leads_outside(name) and not (source is None or isinstance(source, str | Path))
        if lost or not PurePosixPath(name).parts or set("\x00\n\r\\") & set(name):
            raise InputError(
                f"The clip {name!r} cannot be a file below a folder; give it a relative path before writing."
            )
    for name in dataset.tag_names:
        if name.startswith(UNKNOWN) or set(",;\n\r") & set(name) or name != name.strip() or not name:
            raise InputError(f"The tag {name!r} cannot stand in a cell of tags; rename it before writing.")
    for name in () if dataset.multilabel else dataset.class_names:
        if not name or name != name.strip():
            raise InputError(f"The class {name!r} cannot stand in a cell; rename it before writing.")


def _check_target(dataset: AudioDataset, folder: Path) -> None:
    if not folder.parent.is_dir():
        raise InputError(f"{folder} lies in a folder that does not exist; make {str(folder.parent)!r} first.")
    if folder.is_file():
        raise InputError(f"{folder} is a file; name a folder that does not exist yet.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    sources = dataset.audio.sources if dataset.audio is not None else []
    own = any(isinstance(item, str | Path) and folder in Path(item).resolve().parents for item in sources)
    if own or (dataset.source and Path(os.path.realpath(dataset.source)) == folder):
        raise InputError(f"{folder} holds the originals, which are never overwritten; name another folder.")
    if _read_notes(folder / NOTES).get("written_by") != "labelnoise":
        raise InputError(f"{folder} holds other files; name a folder that does not exist yet.")


def _find_table(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"There is no file or folder {str(path)!r}; name the folder with the CSV of labels.")
    if (path / TABLE).is_file():
        return path / TABLE
    found = sorted(item for item in path.iterdir() if item.suffix.lower() == ".csv")
    if len(found) != 1:
        raise InputError(
            f"{path} holds {len(found)} CSV files; name the one with the labels, or call it {TABLE}."
        )
    return found[0]


def _column(table: Mapping[str, Any], names: Sequence[str], path: Path, what: str) -> str:
    found = [name for name in names if name in table]
    if not found:
        raise InputError(
            f"{path} has no column for the {what}: call it one of {', '.join(names)} (it has {', '.join(table)})."
        )
    return found[0]


def _flags(cells: Sequence[str], path: Path) -> NDArray[np.bool_]:
    for i, cell in enumerate(cells):
        if cell.lower() not in _TRUTH:
            raise InputError(f"{path} says verified = {cell!r} in row {i + 1}; write yes or no.")
    return np.array([_TRUTH[cell.lower()] for cell in cells])


def _read_splits(cells: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    rows = [set(cell.split(";")) - {""} for cell in cells]
    names = sorted(set().union(*rows)) if rows else []
    return {name: np.array([name in row for row in rows]) for name in names}


def _read_notes(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    notes = read_json(path)
    sound = isinstance(notes, dict) and isinstance(notes.get("meta", {}), dict)
    for key in ("tag_names", "class_names") if sound else ():
        names = notes.get(key) or []
        sound = sound and isinstance(names, list) and all(isinstance(name, str) for name in names)
    places = notes.get("sound", {}) if sound else {}
    sound = sound and isinstance(places, dict) and all(isinstance(place, str) for place in places.values())
    if not sound:
        raise InputError(f"{path} is not what write_clips writes; remove it.")
    return dict(notes)
