"""Wrong classes and tags of clips: swapped at random or as listeners do, dropped, made up, or of other sound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import AUDIO_ENDINGS, LazyAudio, Wave, read_audio
from labelnoise.audio.esc50 import class_key
from labelnoise.core.corruption import Corruption
from labelnoise.core.noise_matrices import symmetric_transition
from labelnoise.core.noise_multilabel import extra_labels, missing_labels, single_positive, swap_positives
from labelnoise.core.noise_openset import OPEN, open_set
from labelnoise.core.noise_single import corrupt
from labelnoise.core.random import generator
from labelnoise.core.reading import read_text
from labelnoise.core.validation import InputError, as_rate, choose

__all__ = [
    "AudioCorruption",
    "add_tags",
    "drop_tags",
    "human_confusion",
    "keep_one_tag",
    "leaving_classes",
    "out_of_vocabulary",
    "read_confusions",
    "swap_labels",
    "swap_with_sound",
]

#: Which share of the classes gives the sounds from outside, where no folder is named.
_OUTSIDE_SHARE = 0.2
#: The class of sounds that are of no class of the data set.
NO_CLASS = "(none of these)"


@dataclass(frozen=True, kw_only=True)
class AudioCorruption(Corruption):
    """A `Corruption` that changes what is heard, too.

    Attributes
    ----------
    audio : LazyAudio, optional
        The clips as they are heard now.
    sound_of : ndarray of int64, shape (m,)
        The clip whose sound each clip has now, itself where nothing changed, -1 for a sound from a folder.
    true : ndarray
        The true labels of the new sounds.
    class_names : tuple of str
        The classes of ``true``, one more than before where sounds are from a folder.
    origin : ndarray of str, shape (m,), optional
        Which part of the data each clip belongs to, where the noise makes parts.
    """

    audio: LazyAudio | None
    sound_of: NDArray[np.int64]
    true: NDArray[Any]
    class_names: tuple[str, ...]
    origin: NDArray[Any] | None = None


def swap_labels(dataset: AudioDataset, rate: float, seed: int, *, exact: bool = False) -> Corruption:
    """Another class or tag of the vocabulary instead of the right one, all others equally likely.

    Parameters
    ----------
    dataset : AudioDataset
    rate : float
        P(a clip's class is wrong); of tags, P(a present tag is replaced by an absent one).
    seed : int
    exact : bool
        Counts that are right to within one (clips with one class each only).

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> swap_labels(events(), 0.4, 0, exact=True).rate
    0.4
    """
    k = dataset.n_tags
    if dataset.multilabel:
        return _flat(swap_positives(dataset.tags, rate, seed, weights=np.ones((k, k))))
    return corrupt(dataset.given, symmetric_transition(k, rate), seed, exact=exact)


def human_confusion(
    dataset: AudioDataset,
    rate: float,
    seed: int,
    *,
    matrix: str | None = None,
    hardness: str = "even",
    exact: bool = False,
) -> Corruption:
    """The mistakes that listeners make, at any rate.

    Parameters
    ----------
    dataset : AudioDataset
    rate : float
        As of `swap_labels`.
    seed : int
    matrix : str, optional
        A CSV of K x K counts, row = true class, with or without names in the first row and column; by default that
        of ESC-50's listening test below ``$LABELNOISE_DATA/audio/esc50_crowd``.
    hardness : {"even", "human"}
        ``"even"``: every class is wrong at the rate, and only what it is taken for is from the listeners;
        ``"human"``: classes that listeners find hard are wrong more often, all by one factor.
    exact : bool
        Counts that are right to within one (clips with one class each only).

    Raises
    ------
    InputError
        A file that is missing or does not fit the classes; a rate out of range.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.audio.embedded import events
    >>> data, path = events(), Path(tempfile.mkdtemp()) / "counts.csv"
    >>> np.savetxt(path, np.eye(10) * 9 + np.roll(np.eye(10), 1, axis=1), delimiter=",")
    >>> noise = human_confusion(data, 0.3, 0, matrix=str(path), exact=True)
    >>> noise.rate, np.unique((noise.labels - data.given) % 10).tolist()
    (0.3, [0, 1])
    """
    from labelnoise.core.noise_matrices import confusion_transition

    choose(hardness, ("even", "human"), "hardness")
    rate, k = as_rate(rate), dataset.n_tags
    counts = read_confusions(matrix, dataset.tag_names or dataset.class_names)
    off = counts * (1.0 - np.eye(k))
    # A class that nobody mistook goes anywhere.
    off[off.sum(axis=1) == 0] = 1.0
    np.fill_diagonal(off, 0.0)
    if dataset.multilabel:
        return _flat(swap_positives(dataset.tags, rate, seed, weights=off))
    if hardness == "even":
        transition = (1.0 - rate) * np.eye(k) + rate * off / off.sum(axis=1, keepdims=True)
    else:
        size = np.bincount(dataset.given[dataset.given >= 0], minlength=k)
        transition = confusion_transition(counts, rate, prior=size)
    return corrupt(dataset.given, transition, seed, exact=exact)


def read_confusions(matrix: str | None, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Counts of confusions from a CSV, in the order of ``names`` where the file names its classes.

    Raises
    ------
    InputError
        No such file, cells that are no counts, another number of classes or other names.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "counts.csv"
    >>> _ = path.write_text("truth,Rain,Dog\\nRain,5,1\\nDog,0,7\\n")
    >>> read_confusions(str(path), ("dog", "rain")).tolist()
    [[7.0, 0.0], [1.0, 5.0]]
    """
    import csv

    if matrix is None:
        from labelnoise.core.domain import data_root

        root = data_root("audio")
        path = None if root is None else root / "esc50_crowd" / "confusion_counts.csv"
        if path is None or not path.is_file():
            raise InputError(
                "No table of confusions was named and ESC-50's is not below $LABELNOISE_DATA/audio/esc50_crowd; give "
                "matrix, a CSV of K x K counts."
            )
    else:
        path = Path(matrix)
    try:
        rows = [row for row in csv.reader(read_text(path).splitlines()) if row]
    except csv.Error as error:
        raise InputError(
            f"The table of confusions {str(path)!r} cannot be read ({error}); check the path."
        ) from None
    k = len(names)
    place = list(range(k))
    if len(rows) == k + 1:
        keys = [class_key(name) for name in rows[0][1:]]
        wanted = [class_key(name) for name in names]
        if sorted(keys) != sorted(wanted) or [class_key(row[0]) for row in rows[1:]] != keys:
            other = sorted(set(wanted) ^ set(keys))
            raise InputError(
                f"The table of confusions {str(path)!r} names other classes than the data set ({', '.join(other[:4])}); "
                "its first row and its first column name the K classes."
            )
        place = [keys.index(key) for key in wanted]
        rows = [row[1:] for row in rows[1:]]
    try:
        counts = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError:
        counts = np.zeros(0)
    if counts.shape != (k, k) or not np.isfinite(counts).all() or (counts < 0).any():
        raise InputError(
            f"The table of confusions {str(path)!r} is no table of {k} x {k} counts >= 0, which the data set needs."
        )
    return counts[np.ix_(place, place)]


def out_of_vocabulary(
    dataset: AudioDataset, rate: float, seed: int, *, outside: str | None = None, folder: str | None = None
) -> AudioCorruption:
    """Clips that hold a sound of none of the classes, under the labels that they had.

    Parameters
    ----------
    dataset : AudioDataset
        With sound.
    rate : float
        Share of the clips (of the classes that stay) whose sound is exchanged.
    seed : int
    outside : str, optional
        Names of the classes that leave the vocabulary and give their sounds, separated by commas; by default a
        fifth of them, drawn. Their own clips lose their labels. For clips with one class each.
    folder : str, optional
        Take the sounds from the files of this folder instead; needed where clips have several tags.

    Returns
    -------
    AudioCorruption
        ``changed`` is False throughout: labels stay, sounds change; ``status`` is 2 where one did. Embeddings made
        of the old sounds do not fit any more: take their rows by ``sound_of``.

    Raises
    ------
    InputError
        No sound; classes that do not exist, or all of them; a folder without sounds; tags and no folder.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> noise = out_of_vocabulary(events(), 0.2, 0, outside="bell,pluck")
    >>> noise.rates, int((noise.status == 2).sum()), int((noise.labels >= 0).sum())
    ({'open': 0.20168067226890757, 'closed': 0.0}, 48, 238)
    """
    if dataset.audio is None:
        raise InputError(f"{dataset.name} comes without sound; there is nothing to exchange.")
    given, m = np.asarray(dataset.given, dtype=np.int64), dataset.n_clips
    if folder is None and dataset.multilabel:
        raise InputError(
            "Clips with several tags take sounds from outside from a folder; name one with folder=..."
        )
    if folder is not None:
        sounds = sorted(path for path in Path(folder).glob("**/*") if path.suffix.lower() in AUDIO_ENDINGS)
        if not sounds:
            raise InputError(f"The folder {folder!r} holds no file that ends in {', '.join(AUDIO_ENDINGS)}.")
        leaves, donors = np.zeros(m, dtype=bool), np.arange(len(sounds))
    else:
        sounds = []
        leaves = np.isin(given, leaving_classes(dataset, outside, seed))
        donors = np.flatnonzero(leaves)
        if not len(donors):
            raise InputError("No clip carries a class that leaves; there is no sound to take.")
    has = (dataset.tags >= 0).any(axis=1) & ~leaves
    # The core's draw on one dummy label per clip; labels within the vocabulary are not touched.
    drawn = open_set(np.where(has, 0, -1), rate, seed, n_classes=2, n_outside=len(donors))
    taken = drawn.replacement >= 0
    source = np.where(taken, donors[np.maximum(drawn.replacement, 0)], np.arange(m))
    per_clip = dataset.n_units // m
    labels = np.where(np.repeat(leaves, per_clip), -1, given)
    names = dataset.class_names
    true = given.copy()
    if folder is None:
        audio = dataset.audio.take(source.tolist())
        true = given[source]
    else:
        audio = _with_sounds(dataset.audio, [sounds[s] if t else None for s, t in zip(source, taken)])
        source = np.where(taken, -1, source)
        if dataset.multilabel:
            true[np.repeat(taken, per_clip) & (given >= 0)] = 0
        else:
            names = names if NO_CLASS in names else (*names, NO_CLASS)
            true[taken] = names.index(NO_CLASS)
    wrong = (labels >= 0) & (labels != true)
    rate_now = float(wrong.sum() / max(int((labels >= 0).sum()), 1))
    return AudioCorruption(
        labels=labels.astype(dataset.given.dtype),
        changed=np.zeros(len(labels), dtype=bool),
        rate=rate_now,
        rates={"open": float(taken.sum() / max(int(has.sum()), 1)), "closed": 0.0},
        status=np.where(np.repeat(taken, per_clip), OPEN, 0).astype(np.int8),
        audio=audio,
        sound_of=source.astype(np.int64),
        true=true.astype(dataset.given.dtype),
        class_names=names,
    )


def swap_with_sound(noisy: AudioDataset, made: AudioCorruption) -> AudioDataset:
    """The data set of the noisy labels, heard as the corruption says; recordings follow the sounds."""
    recordings = noisy.recordings
    if recordings is not None:
        moved = np.array(recordings, dtype=object)[np.maximum(made.sound_of, 0)]
        moved[made.sound_of < 0] = [f"outside-{i}" for i in np.flatnonzero(made.sound_of < 0)]
        recordings = moved
    return replace(
        noisy,
        audio=made.audio,
        true=made.true,
        class_names=made.class_names,
        recordings=recordings,
        origin=noisy.origin if made.origin is None else made.origin,
        groups=noisy.groups if noisy.multilabel else None,
    )


def drop_tags(
    dataset: AudioDataset, rate: float, seed: int, *, keep_at_least_one: bool = False
) -> Corruption:
    """Missing tags: each present tag is dropped with probability ``rate``.

    Examples
    --------
    >>> data = AudioDataset.from_tags([[1, 1, 0]], ("a", "b", "c"), files=("x.wav",))
    >>> drop_tags(data, 1.0, 0).labels.tolist()
    [0, 0, 0]
    """
    return _flat(missing_labels(_tags(dataset), rate, seed, keep_at_least_one=keep_at_least_one))


def add_tags(dataset: AudioDataset, rate: float, seed: int) -> Corruption:
    """Extra tags: each absent tag is added with probability ``rate``.

    Examples
    --------
    >>> data = AudioDataset.from_tags([[1, 1, 0]], ("a", "b", "c"), files=("x.wav",))
    >>> add_tags(data, 1.0, 0).labels.tolist()
    [1, 1, 1]
    """
    return _flat(extra_labels(_tags(dataset), rate, seed))


def keep_one_tag(dataset: AudioDataset, rate: float, seed: int) -> Corruption:
    """A share ``rate`` of the clips keeps one of its tags, chosen at random.

    Examples
    --------
    >>> data = AudioDataset.from_tags([[1, 1, 1]], ("a", "b", "c"), files=("x.wav",))
    >>> int(keep_one_tag(data, 1.0, 0).labels.sum())
    1
    """
    return _flat(single_positive(_tags(dataset), rate, seed))


def _tags(dataset: AudioDataset) -> NDArray[np.int8]:
    if not dataset.multilabel:
        raise InputError(
            "The clips of this data set have one class each, no tags to drop or add; use 'symmetric' or "
            "'human-confusion'."
        )
    return dataset.tags


def _flat(made: Corruption) -> Corruption:
    """One entry per (clip, tag) pair."""
    posterior = None if made.posterior is None else made.posterior.reshape(-1)
    # Per pair P(absent), P(present), as the core has posteriors of single labels.
    return replace(
        made,
        labels=made.labels.reshape(-1),
        changed=made.changed.reshape(-1),
        posterior=None if posterior is None else np.stack([1.0 - posterior, posterior], axis=1),
    )


def leaving_classes(dataset: AudioDataset, outside: str | None, seed: int) -> list[int]:
    """The classes that leave the vocabulary: those named, separated by commas, else a fifth, drawn.

    Raises
    ------
    InputError
        A class that does not exist, or fewer than two left.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> leaving_classes(events(), "bell, pluck", 0) == [events().class_names.index(c) for c in ("bell", "pluck")]
    True
    """
    k = dataset.n_classes
    if outside is None:
        n = max(round(k * _OUTSIDE_SHARE), 1)
        chosen = generator(seed, "noise", "outside classes").permutation(k)[:n].tolist()
    else:
        chosen = []
        for name in (part.strip() for part in outside.split(",")):
            chosen.append(dataset.class_names.index(choose(name, dataset.class_names, "class")))
    if len(set(chosen)) > k - 2:
        raise InputError(f"{len(set(chosen))} of {k} classes leave the vocabulary; at least 2 must stay.")
    return chosen


def _with_sounds(audio: LazyAudio, sounds: list[Path | None]) -> LazyAudio:
    """The clips, some of them read from files instead."""

    def read(source: Any, rate: int) -> tuple[Wave, int]:
        clip, path = source
        if path is not None:
            return read_audio(path, rate)
        wave: Wave = audio.at(rate)[clip]
        return wave, rate

    return LazyAudio(list(enumerate(sounds)), audio.sample_rate, read)
