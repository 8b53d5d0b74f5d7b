"""One run of each published setting of this modality, as the files in ``experiments`` name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelnoise.audio.data import load_audio
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.esc50 import class_key
from labelnoise.audio.evaluation import lwlrap
from labelnoise.audio.tables import read_table
from labelnoise.core.domain import data_root
from labelnoise.core.validation import InputError

__all__ = ["challenge_baseline", "label_counts", "listeners"]


def challenge_baseline(
    setting: Mapping[str, Any], options: Mapping[str, Any], seed: int
) -> dict[str, float | None]:
    """The baseline of DCASE 2019 task 2: a network trained on noisy clips, then on curated ones; lwlrap of test clips.

    ``dataset`` among the options takes the place of the setting's: "events" tries the run without any download.
    """
    from labelnoise.audio.train_methods import train_audio

    rest = dict(options)
    name = rest.pop("dataset", setting["dataset"])
    data = _events_by_origin() if name == "events" else load_audio(name, root=data_root("audio"))
    if data.audio is None:
        raise InputError(
            f"{name} is here with its labels only, and this setting trains on its sound; get it from "
            "zenodo.org/records/3612637 and put the folders of clips beside its label files."
        )
    test = np.asarray(data.splits["test"])
    # Clips that the authors report have been in the published training.
    made = train_audio(data, "noisy-then-curated", seed, splits={"train": ~test, "test": test}, **rest)
    scores = made.probs[:, 1].reshape(data.n_clips, -1)
    public = data.splits.get("test-public", np.zeros(0, dtype=bool))
    return {
        "lwlrap": lwlrap(data.tags[test], scores[test], ties="dcase").value,
        "lwlrap_public": lwlrap(data.tags[public], scores[public], ties="dcase").value
        if public.any()
        else None,
    }


def label_counts(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Clips of one part of a data set, their tags per clip, and the clips of its rarest and of its commonest tag."""
    data = load_audio(setting["dataset"], root=data_root("audio"))
    tags = data.tags[np.asarray(data.splits[setting["part"]])] == 1
    return {
        "clips": float(len(tags)),
        "labels_per_clip": float(tags.sum() / len(tags)),
        "fewest_per_class": float(tags.sum(axis=0).min()),
        "most_per_class": float(tags.sum(axis=0).max()),
    }


def listeners(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Judgements of ESC-50's listening test that name the published class, in %, all or of one class."""
    root = data_root("audio")
    path = None if root is None else root / "esc50_crowd" / "annotations.csv"
    if path is None or not path.is_file():
        raise InputError(
            "The judgements of ESC-50's listening test are missing; put annotations.csv into the folder "
            "audio/esc50_crowd below $LABELNOISE_DATA."
        )
    table = read_table(path)
    said, true = (np.array([class_key(cell) for cell in table[name]]) for name in ("prediction", "truth"))
    chosen = true == setting["class"] if "class" in setting else np.ones(len(true), dtype=bool)
    return {"accuracy": 100 * float((said == true)[chosen].mean()), "judgements": float(chosen.sum())}


def _events_by_origin() -> AudioDataset:
    """The synthesised clips as a data set of the challenge's form: tags, origins and a test split."""
    from labelnoise.audio.embedded import events

    data = events(4)
    place = np.arange(data.n_clips) // 10
    tags = np.eye(data.n_classes, dtype=np.int8)[np.asarray(data.true)]
    return AudioDataset.from_tags(
        tags,
        data.class_names,
        files=data.files,
        name=data.name,
        audio=data.audio,
        origin=np.array(["curated", "noisy", "noisy", "test"], dtype=object)[place],
        splits={"test": place == 3},
    )
