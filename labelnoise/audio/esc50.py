"""ESC-50: environmental sounds of 50 classes, and what listeners took them for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.tables import find_audio, read_table
from labelnoise.core.crowd.votes import Votes
from labelnoise.core.reading import is_index
from labelnoise.core.validation import InputError

__all__ = ["class_key", "read_esc50", "read_esc50_heard", "read_esc50_votes"]

#: The listening test's names that are not those of the data set.
_OTHER_NAMES = {"door_knock": "door_wood_knock", "insects_flying": "insects"}


def read_esc50(folder: Path) -> AudioDataset:
    """Read ESC-50, whole (``meta/esc50.csv``) or in part (``meta.csv``), with its published folds as splits.

    Clips that were cut from one recording share a group. Classes are numbered as published.

    Raises
    ------
    InputError
        No table, or sound for some clips only.
    """
    path = folder / "meta.csv" if (folder / "meta.csv").is_file() else folder / "meta" / "esc50.csv"
    table = read_table(path)
    cells = table["target"]
    # No class without a clip: numbers end below that of the rows.
    wrong = [cell for cell in cells if not is_index(cell, len(cells))]
    if wrong:
        raise InputError(
            f"{path} has the target {wrong[0][:40]!r}; whole numbers from 0 are needed, with a clip of every class."
        )
    given = np.array([int(cell[:9]) for cell in cells])
    names = [""] * (int(given.max()) + 1)
    for label, category in zip(given.tolist(), table["category"]):
        names[label] = category
    if "" in names:
        raise InputError(
            f"{path} has no clip of class {names.index('')}; at least one of every class is needed."
        )
    folds = np.array(table["fold"])
    # The first part of a file's name is its fold, the second the number of its recording.
    recordings = table.get("src_file") or [(name.split("-") + [""])[1] for name in table["filename"]]
    if not all(recordings):
        raise InputError(f"{path} has file names without the number of their recording; get it again.")
    return AudioDataset.single(
        given,
        names,
        files=table["filename"],
        name="ESC-50",
        audio=find_audio(table["filename"], (folder / "audio", folder), 16000, published=str(path)),
        recordings=np.array(recordings, dtype=object),
        splits={f"fold-{fold}": folds == fold for fold in sorted(set(folds.tolist()))},
        source=str(folder),
    )


def read_esc50_votes(path: Path, dataset: AudioDataset) -> Votes:
    """The judgements of ESC-50's listening test, as votes on the clips of ``dataset``.

    Parameters
    ----------
    path : Path
        ``annotations.csv`` with columns recording, worker_id and prediction.
    dataset : AudioDataset
        From `read_esc50`; judgements on other clips are left out, and a second one by the same listener too.

    Returns
    -------
    Votes
        Units and classes are numbered as in ``dataset``.

    Raises
    ------
    InputError
        A judgement that names no class of the data set.
    """
    table = read_table(path)
    unit_of = {_clip(name): i for i, name in enumerate(dataset.files)}
    class_of = {name: k for k, name in enumerate(dataset.class_names)}
    workers = sorted(set(table["worker_id"]))
    worker_of = {name: j for j, name in enumerate(workers)}
    votes: dict[tuple[int, int], int] = {}
    for recording, worker, said in zip(table["recording"], table["worker_id"], table["prediction"]):
        unit = unit_of.get(_clip(recording))
        name = class_key(said)
        if name not in class_of:
            raise InputError(f"{path} holds the judgement {said!r}, which is no class of {dataset.name}.")
        if unit is not None:
            votes.setdefault((unit, worker_of[worker]), class_of[name])
    pairs = np.array(list(votes), dtype=np.int64).reshape(-1, 2)
    made = Votes.from_arrays(
        pairs[:, 0],
        pairs[:, 1],
        list(votes.values()),
        n_units=dataset.n_clips,
        n_annotators=len(workers),
        n_classes=dataset.n_classes,
    )
    return replace(
        made, unit_names=dataset.files, annotator_names=tuple(workers), class_names=dataset.class_names
    )


def read_esc50_heard(folder: Path) -> AudioDataset:
    """ESC-50 with what one listener took each clip for as its label, and the published class as the true one.

    Real wrong labels of people who had a list of 50 classes: of each clip the judgement of the listener with the
    lowest number. Clips that nobody judged keep no label.

    Parameters
    ----------
    folder : Path
        As for `read_esc50`; ``annotations.csv`` lies in it, or in ``esc50_crowd`` beside it.

    Raises
    ------
    InputError
        No judgements there.
    """
    data = read_esc50(folder)
    places = (folder / "annotations.csv", folder.parent / "esc50_crowd" / "annotations.csv")
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InputError(
            f"The judgements of the listening test are missing; put annotations.csv into {folder}."
        )
    votes = read_esc50_votes(path, data)
    units, first = np.unique(votes.unit, return_index=True)
    heard = np.full(data.n_clips, -1, dtype=data.given.dtype)
    heard[units] = votes.label[first]
    return replace(data.with_labels(heard, true=data.given), name="ESC-50-heard")


def class_key(name: str) -> str:
    """A class as the data set spells it, whatever the listening test calls it.

    Examples
    --------
    >>> class_key("Door knock"), class_key("Crying baby")
    ('door_wood_knock', 'crying_baby')
    """
    key = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return _OTHER_NAMES.get(key, key)


def _clip(name: str) -> str:
    """Fold, recording and take of a clip; the listening test's names lack the class that the files' end in."""
    return "-".join(Path(name).stem.split("-")[:3])
