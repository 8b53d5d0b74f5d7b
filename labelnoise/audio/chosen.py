"""The trainer that does best on held-out clips, judged by their labels as they are, and then trained on all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.evaluation import lwlrap
from labelnoise.audio.splits import Splits, clip_splits, split_info
from labelnoise.audio.teachers import given_embeddings, held_out_scores
from labelnoise.core.registry import Registry
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose

__all__ = ["held_out_measure", "train_chosen"]

#: What is tried where nothing is named: for tags what answers missing and wrong ones, for classes what needs no rate.
_FOR_TAGS = ("plain", "weak-negatives", "negative-target", "high-negative-target", "mixup")
_FOR_CLASSES = ("plain", "lq", "soft-bootstrap", "class-smoothing", "mixup")


def train_chosen(
    dataset: AudioDataset,
    seed: int,
    *,
    candidates: tuple[str, ...] | None = None,
    folds: int = 4,
    splits: Splits | None = None,
    network: str = "cnn",
    embeddings: Any = None,
    epochs: int = 40,
    lr: float = 2e-3,
    weight_decay: float = 1e-4,
    batch_size: int = 32,
    cache: str | None = None,
) -> Trained:
    """Try trainers on held-out folds of the training clips, and train the best on all of them.

    Parameters
    ----------
    dataset : AudioDataset
    seed : int
    candidates : tuple of str, optional
        Trainers of `labelnoise.audio.trainers.TRAINERS` that are tried; by default
        five for tags and five for classes, without those that train several networks.
    folds : int
        Parts of the training clips; recordings are not divided. Every candidate trains ``folds`` times.
    splits, network, embeddings, epochs, lr, weight_decay, batch_size, cache
        Of `labelnoise.audio.train_methods.train_clips`, for every training.

    Returns
    -------
    Trained
        ``info["held_out"]`` has what every candidate reached, ``info["candidate"]`` the best one.

    Raises
    ------
    InputError
        Fewer than two candidates or folds, or an unknown candidate.

    Notes
    -----
    Held-out clips have wrong labels too, which all candidates fail on alike. What this cannot see is a candidate that
    repeats a systematic error of the labels.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> made = train_chosen(events(6), 0, candidates=("plain", "lq"), folds=2, network="linear", epochs=3)
    >>> sorted(made.info["held_out"]), made.info["candidate"] in ("plain", "lq")
    (['lq', 'plain'], True)
    """
    from labelnoise.audio.train_methods import train_audio

    names = candidates or (_FOR_TAGS if dataset.multilabel else _FOR_CLASSES)
    for name in names:
        choose(name, [known for known in _registry() if known != "chosen"], "candidate")
    if len(set(names)) < 2 or folds < 2:
        raise InputError(
            f"There are {len(set(names))} candidates and {folds} folds; at least two of each are needed."
        )
    used = clip_splits(dataset, seed) if splits is None else dict(splits)
    options: dict[str, Any] = {
        "network": network,
        "embeddings": given_embeddings(dataset, embeddings),
        "epochs": epochs,
        "lr": lr,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "cache": cache,
    }
    reached = {}
    for name in names:
        scores = held_out_scores(dataset, used["train"], seed, folds=folds, method=name, **options)
        reached[name] = held_out_measure(dataset, scores, used["train"])
    best = max(names, key=lambda name: reached[name])
    made = train_audio(dataset, best, seed, splits=used, **options)
    held_out = {name: round(value, 4) for name, value in reached.items()}
    return replace(
        made,
        info={
            **made.info,
            **split_info(splits, seed),
            "held_out": held_out,
            "candidate": best,
        },
    )


def held_out_measure(dataset: AudioDataset, scores: NDArray[np.float64], clips: NDArray[np.bool_]) -> float:
    """lwlrap of held-out scores against the given tags, for single classes accuracy.

    Parameters
    ----------
    dataset : AudioDataset
    scores : ndarray of float64, shape (m, K)
    clips : ndarray of bool, shape (m,)
        Those that count.

    Examples
    --------
    >>> data = AudioDataset.from_tags([[1, 0], [1, 1], [0, 1]], ("a", "b"), files=("1.wav", "2.wav", "3.wav"))
    >>> held_out_measure(data, np.array([[0.9, 0.1], [0.8, 0.9], [0.6, 0.4]]), np.array([True, True, True]))
    0.875
    """
    if dataset.multilabel:
        return lwlrap(dataset.tags[clips], scores[clips]).value
    known = clips & (np.asarray(dataset.given) >= 0)
    return float((scores.argmax(axis=1) == dataset.given)[known].mean())


def _registry() -> Registry:
    from labelnoise.audio.trainers import TRAINERS

    return TRAINERS
