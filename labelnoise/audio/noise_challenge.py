"""Curated clips beside clips from the web with several kinds of errors at once, as in DCASE 2019 task 2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.noise_clips import (
    AudioCorruption,
    leaving_classes,
    out_of_vocabulary,
)
from labelnoise.core.noise_multilabel import missing_labels, swap_positives
from labelnoise.core.noise_openset import OPEN
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate

__all__ = ["CURATED", "NOISY", "challenge_mix"]

#: Values of the column "origin".
CURATED, NOISY = "curated", "noisy"
#: Of the wrong clips of one class in FSDnoisy18k most are of no class of the vocabulary.
_OPEN = 0.6


def challenge_mix(
    dataset: AudioDataset,
    rate: float,
    seed: int,
    *,
    curated: float = 0.2,
    open: float | None = None,
    missing: float = 0.5,
    outside: str | None = None,
    folder: str | None = None,
) -> AudioCorruption:
    """A curated part that stays right, and a noisy part with errors in and out of the vocabulary and missing tags.

    Parameters
    ----------
    dataset : AudioDataset
    rate : float
        Share of the noisy part's clips that are hit; the realised rate is that of all labels.
    seed : int
    curated : float
        Share of the clips that are curated, above 0 and below 1; clips of one recording stay together. A fifth is that of
        FSDKaggle2019.
    open : float, optional
        Share of the clips hit whose sound is of no class; by default 0.6 where sounds can be taken from somewhere
        (one class a clip, or a folder), else 0. The others are wrong within the vocabulary.
    missing : float
        Of clips with several tags that are wrong within the vocabulary, the share that loses tags (each with
        probability one half) instead of having one exchanged.
    outside, folder
        Where sounds of no class come from, as of `labelnoise.audio.noise_clips.out_of_vocabulary`.

    Returns
    -------
    AudioCorruption
        With ``origin``, "curated" or "noisy" for each clip; ``rates`` holds the realised shares of clips by kind.

    Raises
    ------
    InputError
        Shares out of range, or no sounds to take.

    References
    ----------
    Fonseca et al. 2019, Audio tagging with noisy labels and minimal supervision (FSDKaggle2019); the kinds of errors of
    Fonseca et al. 2019, Learning sound event classifiers from web audio with noisy labels (FSDnoisy18k).

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> noise = challenge_mix(events(), 0.5, 0)
    >>> {name: round(value, 2) for name, value in noise.rates.items()}
    {'open': 0.21, 'closed': 0.14}
    >>> np.unique(noise.origin, return_counts=True)[1].tolist()
    [60, 240]
    """
    rate, curated, missing = as_rate(rate), as_rate(curated, name="curated"), as_rate(missing, name="missing")
    if not 0 < curated < 1:
        raise InputError(f"curated is {curated:g}; a part of the clips above 0 and below 1 is curated.")
    can_open = dataset.audio is not None and (folder is not None or not dataset.multilabel)
    share_open = (_OPEN if can_open else 0.0) if open is None else as_rate(open, name="open")
    m, per_clip = dataset.n_clips, dataset.n_units // dataset.n_clips
    rng = generator(seed, "noise", "challenge")
    noisy = ~_part_of_recordings(dataset, curated, rng)
    leaves = np.zeros(m, dtype=bool)
    if share_open and folder is None and not dataset.multilabel:
        leaves = np.isin(dataset.given, leaving_classes(dataset, outside, seed))
    labelled = (dataset.tags >= 0).any(axis=1) & ~leaves
    hit = noisy & labelled & (rng.random(m) < rate)
    is_open = hit & (rng.random(m) < share_open)
    closed = hit & ~is_open
    labels = np.where(np.repeat(leaves, per_clip), -1, dataset.given).astype(dataset.given.dtype)
    true, audio, names = labels.copy(), dataset.audio, dataset.class_names
    source = np.arange(m)
    if share_open:
        # Hit and open clips alone keep a label to draw on, and those that leave, whose sounds are taken.
        shown = np.where(np.repeat(is_open | leaves, per_clip), dataset.given, -1)
        drawn = out_of_vocabulary(
            replace(dataset, given=shown.astype(dataset.given.dtype), true=None),
            1.0,
            seed,
            outside=outside,
            folder=folder,
        )
        units = np.repeat(is_open, per_clip)
        true[units], names = drawn.true[units], drawn.class_names
        audio, source = drawn.audio, drawn.sound_of
    labels = _wrong_within(dataset, labels, closed, leaves, missing, seed)
    wrong = (labels >= 0) & (labels != true)
    n = max(int(labelled.sum()), 1)
    return AudioCorruption(
        labels=labels,
        changed=(labels != dataset.given) & (labels >= 0),
        rate=float(wrong.sum() / max(int((labels >= 0).sum()), 1)),
        rates={"open": float(is_open.sum() / n), "closed": float(closed.sum() / n)},
        status=np.where(np.repeat(is_open, per_clip), OPEN, np.repeat(closed, per_clip)).astype(np.int8),
        audio=audio,
        sound_of=source.astype(np.int64),
        true=true,
        class_names=names,
        origin=np.where(noisy, NOISY, CURATED).astype(object),
    )


def _part_of_recordings(dataset: AudioDataset, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whole recordings until they hold the share of the clips."""
    recordings = dataset.recordings
    keys = np.arange(dataset.n_clips) if recordings is None else np.unique(recordings, return_inverse=True)[1]
    order = rng.permutation(int(keys.max()) + 1)
    sizes = np.bincount(keys)[order]
    taken = order[np.cumsum(sizes) <= round(share * len(keys))]
    return np.isin(keys, taken)


def _wrong_within(
    dataset: AudioDataset,
    labels: NDArray[np.integer],
    closed: NDArray[np.bool_],
    leaves: NDArray[np.bool_],
    missing: float,
    seed: int,
) -> NDArray[np.integer]:
    """Labels with those of ``closed`` clips exchanged within the vocabulary, or some of their tags dropped."""
    rng = generator(seed, "noise", "challenge", "closed")
    labels = labels.copy()
    if dataset.multilabel:
        tags = labels.reshape(dataset.n_clips, -1)
        drops = closed & (rng.random(len(closed)) < missing)
        k = tags.shape[1]
        tags[drops] = missing_labels(tags[drops], 0.5, seed).labels
        swaps = closed & ~drops
        tags[swaps] = swap_positives(tags[swaps], 1.0, seed, weights=np.ones((k, k))).labels
        return tags.reshape(-1)
    stay = np.setdiff1d(np.arange(dataset.n_classes), np.unique(dataset.given[leaves]))
    place = np.searchsorted(stay, labels[closed])
    step = rng.integers(1, len(stay), closed.sum())
    labels[closed] = stay[(place + step) % len(stay)]
    return labels
