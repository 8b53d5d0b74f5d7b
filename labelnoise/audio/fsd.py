"""The Freesound data sets with noisy labels: FSDKaggle2019, FSDnoisy18k and FSD50K."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.tables import encode_classes, encode_tags, find_audio, read_table
from labelnoise.core.reading import read_json
from labelnoise.core.validation import InputError

__all__ = [
    "KNOWN_BAD",
    "TagRatings",
    "read_fsd50k",
    "read_fsd50k_ratings",
    "read_fsdkaggle2019",
    "read_fsdnoisy18k",
]

#: Curated clips of FSDKaggle2019 that its authors report: five with a wrong label, and a silent one, the last.
KNOWN_BAD = tuple(
    f"train_curated/{name}.wav"
    for name in ("f76181c4", "77b925c2", "6a1f682a", "c7db12aa", "7752cc8a", "1d44b0bd")
)


def read_fsdkaggle2019(folder: Path) -> AudioDataset:
    """Read FSDKaggle2019: curated and noisy training clips, and the test clips, 80 tags.

    ``folder`` holds the CSV files of ``FSDKaggle2019.meta``; sound is looked for beside it and below it, as
    ``train_curated/`` or ``FSDKaggle2019.audio_train_curated/`` and so on, and may be missing. Absent tags of
    training clips count as absent though some are only missing; those of test clips are complete. The split
    "known-bad" holds the clips that the authors report, whose labels do not count as verified.

    Raises
    ------
    InputError
        A missing or damaged table; sound for some clips only.
    """
    vocabulary = read_table(folder / "vocabulary.csv", ("index", "name"))["name"]
    files: list[str] = []
    cells: list[str] = []
    origin: list[str] = []
    recordings: list[str] = []
    usage: list[str] = []
    for part, kind in (("train_curated", "curated"), ("train_noisy", "noisy"), ("test", "test")):
        table = read_table(folder / f"{part}_post_competition.csv")
        files += [f"{part}/{name}" for name in table["fname"]]
        cells += table["labels"]
        origin += [kind] * len(table["fname"])
        usage += table.get("usage", [""] * len(table["fname"]))
        if "freesound_id" in table:
            recordings += [f"freesound:{item}" for item in table["freesound_id"]]
        else:
            recordings += [f"flickr:{_uploader(url)}" for url in table["flickr_video_URL"]]
    tags, names = encode_tags(cells, vocabulary, where=str(folder))
    kinds, use = np.array(origin), np.array(usage)
    bad = np.isin(files, KNOWN_BAD)
    return AudioDataset.from_tags(
        tags,
        names,
        files=files,
        name="FSDKaggle2019",
        audio=_sound(files, folder, "FSDKaggle2019.audio_"),
        origin=kinds.astype(object),
        verified=(kinds != "noisy") & ~bad,
        recordings=np.array(recordings, dtype=object),
        splits={
            **{kind: kinds == kind for kind in ("curated", "noisy", "test")},
            "test-public": use == "Public",
            "test-private": use == "Private",
            "known-bad": bad,
        },
        source=str(folder),
    )


def read_fsdnoisy18k(folder: Path) -> AudioDataset:
    """Read FSDnoisy18k: 20 classes, one per clip; ``folder`` holds ``FSDnoisy18k.meta``, and the sound if any.

    ``verified`` is the published column manually_verified, and holds for every test clip; ``origin`` is "clean" or
    "noisy". The split "noisy-small" is the published one.

    Raises
    ------
    InputError
        A missing or damaged table; sound for some clips only.
    """
    train = read_table(folder / "FSDnoisy18k.meta" / "train.csv")
    test = read_table(folder / "FSDnoisy18k.meta" / "test.csv")
    given, names = encode_classes([*train["label"], *test["label"]], where=str(folder))
    n, m = len(train["fname"]), len(given)
    files = [f"train/{name}" for name in train["fname"]] + [f"test/{name}" for name in test["fname"]]
    verified = np.concatenate([_ones(train["manually_verified"]), np.ones(m - n, dtype=bool)])
    small = np.concatenate([_ones(train["noisy_small"]), np.zeros(m - n, dtype=bool)])
    in_train = np.arange(m) < n
    return AudioDataset.single(
        given,
        names,
        files=files,
        name="FSDnoisy18k",
        audio=_sound(files, folder, "FSDnoisy18k.audio_"),
        origin=np.where(verified, "clean", "noisy").astype(object),
        verified=verified,
        splits={"train": in_train, "test": ~in_train, "noisy-small": small},
        source=str(folder),
    )


def read_fsd50k(folder: Path) -> AudioDataset:
    """Read FSD50K: 200 tags; ``folder`` holds ``FSD50K.ground_truth``, and the sound if any.

    Tags of development clips are right but may be incomplete, those of evaluation clips are complete.

    Raises
    ------
    InputError
        A missing or damaged table; sound for some clips only.
    """
    truth = folder / "FSD50K.ground_truth"
    vocabulary = read_table(truth / "vocabulary.csv", ("index", "name", "mid"))["name"]
    dev, evaluation = read_table(truth / "dev.csv"), read_table(truth / "eval.csv")
    tags, names = encode_tags([*dev["labels"], *evaluation["labels"]], vocabulary, where=str(truth))
    n, m = len(dev["fname"]), len(tags)
    split = np.array([*dev["split"], *(["eval"] * (m - n))])
    files = [f"dev/{name}.wav" for name in dev["fname"]] + [
        f"eval/{name}.wav" for name in evaluation["fname"]
    ]
    return AudioDataset.from_tags(
        tags,
        names,
        files=files,
        name="FSD50K",
        audio=_sound(files, folder, "FSD50K.", "_audio"),
        origin=np.where(np.arange(m) < n, "dev", "eval").astype(object),
        verified=np.ones(m, dtype=bool),
        splits={name: split == name for name in ("train", "val", "eval")},
        source=str(folder),
    )


@dataclass(frozen=True)
class TagRatings:
    """How sure people were that a tag is in a clip.

    Attributes
    ----------
    unit : ndarray of int64, shape (r,)
        (clip, tag) pairs with a rating, rising.
    mean : ndarray of float64, shape (r,)
        1 present and predominant, 0.5 present, 0 unsure, -1 not present.
    count : ndarray of int64, shape (r,)
        Number of ratings.
    """

    unit: NDArray[np.int64]
    mean: NDArray[np.float64]
    count: NDArray[np.int64]


def read_fsd50k_ratings(folder: Path, dataset: AudioDataset) -> TagRatings:
    """The ratings of FSD50K's tags (``FSD50K.metadata/collection/pp_pnp_ratings_FSD50K.json``, or one level up).

    Parameters
    ----------
    folder : Path
        As for `read_fsd50k`.
    dataset : AudioDataset
        What that read; ratings of other clips and of tags outside the vocabulary are left out.

    Raises
    ------
    InputError
        A missing or damaged file.
    """
    name = "pp_pnp_ratings_FSD50K.json"
    home = folder / "FSD50K.metadata"
    path = next((item for item in (home / name, home / "collection" / name) if item.is_file()), home / name)
    content = read_json(path)
    try:
        rows = [
            (clip, mid, [float(value) for value in values])
            for clip, ratings in content.items()
            for mid, values in ratings.items()
        ]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} is not the file of ratings of FSD50K ({error}); get it again.") from error
    vocabulary = read_table(folder / "FSD50K.ground_truth" / "vocabulary.csv", ("index", "name", "mid"))
    tag_of = dict(zip(vocabulary["mid"], map(dataset.tag_names.index, vocabulary["name"])))
    clip_of = {Path(file).stem: i for i, file in enumerate(dataset.files)}
    found = sorted(
        (clip_of[clip] * dataset.n_tags + tag_of[mid], sum(values) / len(values), len(values))
        for clip, mid, values in rows
        if clip in clip_of and mid in tag_of and values
    )
    unit, mean, count = zip(*found) if found else ((), (), ())
    return TagRatings(np.array(unit, np.int64), np.array(mean, np.float64), np.array(count, np.int64))


def _sound(files: list[str], folder: Path, before: str, after: str = "") -> LazyAudio | None:
    """The clips in folders called as the parts are, or as the published archives are."""
    bases = [folder, folder.parent]
    published = [f"{before}{name.replace('/', after + '/', 1)}" for name in files]
    where = f"A table of {folder}"
    plain = find_audio(files, bases, 44100, published=where)
    return plain if plain is not None else find_audio(published, bases, 44100, published=where)


def _uploader(url: str) -> str:
    found = re.search(r"/videos/([^/]+)/", url)
    return found[1] if found else url


def _ones(cells: list[str]) -> NDArray[np.bool_]:
    return np.array([cell.strip() in ("1", "True", "true") for cell in cells])
