"""Labels changed by what a network says of clips that it has not been trained on, and training on what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedding import clip_embeddings
from labelnoise.audio.splits import Splits, clip_splits, split_info
from labelnoise.audio.train_methods import train_audio, train_clips
from labelnoise.core.crossval import fold_ids
from labelnoise.core.losses.missing import mask_likely_missing
from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError, as_rate

__all__ = [
    "given_embeddings",
    "held_out_scores",
    "refined_labels",
    "train_loss_masking",
    "train_self_refining",
]


def given_embeddings(dataset: AudioDataset, embeddings: Any) -> Any:
    """Vectors by file or by network read once, for several trainings on them; None and arrays stay as they are.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> given_embeddings(events(1), None) is None
    True
    """
    if isinstance(embeddings, str | Path):
        return clip_embeddings(dataset, str(embeddings))
    return embeddings


def held_out_scores(
    dataset: AudioDataset,
    train: NDArray[np.bool_],
    seed: int,
    *,
    folds: int,
    method: str | None = None,
    **options: Any,
) -> NDArray[np.float64]:
    """Probabilities of the training clips by networks that have not seen them, nor others of their recording.

    Parameters
    ----------
    dataset : AudioDataset
    train : ndarray of bool, shape (m,)
    folds : int
        Networks that are trained.
    method : str, optional
        A trainer of `labelnoise.audio.trainers.TRAINERS`; else options say how to train.
    **options
        Of `labelnoise.audio.train_methods.train_clips`, or of the trainer.

    Returns
    -------
    ndarray of float64, shape (m, K)
        0 for clips that do not train.
    """
    rows = np.flatnonzero(train)
    scores = np.zeros((dataset.n_clips, dataset.n_tags))
    # A clip of several tags is dealt by its first.
    labels = np.where((dataset.tags[rows] == 1).any(axis=1), dataset.tags[rows].argmax(axis=1), 0)
    fold = fold_ids(labels, folds, groups=dataset.recording_codes()[rows], seed=seed)
    for number in range(folds):
        held_out = np.zeros(dataset.n_clips, dtype=bool)
        held_out[rows[fold == number]] = True
        splits = {"train": train & ~held_out}
        if method is None:
            made = train_clips(dataset, seed + number, splits=splits, **{**options, "select": "last"})
        else:
            # Without a validation split the last epoch is taken.
            made = train_audio(dataset, method, seed + number, splits=splits, **options)
        probs = made.probs[:, 1].reshape(dataset.n_clips, -1) if dataset.multilabel else made.probs
        scores[held_out] = probs[held_out]
    return scores


def train_loss_masking(
    dataset: AudioDataset,
    seed: int,
    *,
    share: float | None = None,
    per_present: float = 0.3,
    folds: int = 4,
    splits: Splits | None = None,
    strategy: str = "plain",
    parameters: Mapping[str, Any] | None = None,
    network: str = "cnn",
    embeddings: Any = None,
    epochs: int = 40,
    lr: float = 2e-3,
    weight_decay: float = 1e-4,
    batch_size: int = 32,
    cache: str | None = None,
) -> Trained:
    """Teachers doubt absent tags, and a student is trained without the most doubtful ones of each tag.

    Parameters
    ----------
    dataset : AudioDataset
        With tags.
    share : float, optional
        Of each tag's absences that are left out; 0.02 is about what is published.
    per_present : float
        Where ``share`` is not given: as many absences as this times the number of present tags are left out.
    folds : int
        Teachers, each of which judges clips that it has not seen.
    seed, splits, strategy, parameters, network, embeddings, epochs, lr, weight_decay, batch_size, cache
        Of `labelnoise.audio.train_methods.train_clips`, for teachers and student.

    Raises
    ------
    InputError
        Clips with one class each.
    """
    if not dataset.multilabel:
        raise InputError("Every clip has one class here; leaving out absent tags is for clips with tags.")
    used = clip_splits(dataset, seed) if splits is None else splits
    options: dict[str, Any] = {
        "strategy": strategy,
        "parameters": parameters,
        "network": network,
        "embeddings": given_embeddings(dataset, embeddings),
        "epochs": epochs,
        "lr": lr,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "cache": cache,
    }
    train = used["train"]
    scores = held_out_scores(dataset, train, seed, folds=folds, **options)
    tags = dataset.tags[train]
    if share is None:
        share = min(per_present * (tags == 1).sum() / max((tags == 0).sum(), 1), 1.0)
    changed = dataset.tags.copy()
    changed[train] = mask_likely_missing(tags, scores[train], share=as_rate(share, name="share"))
    masked = int((changed != dataset.tags).sum())
    made = train_clips(dataset.with_labels(changed.reshape(-1)), seed, splits=used, **options)
    return replace(made, info={**made.info, **split_info(splits, seed), "masked": masked})


def refined_labels(
    tags: NDArray[np.int8], scores: NDArray[np.float64], *, multilabel: bool, add: float, drop: float
) -> NDArray[np.int64]:
    """Labels after one round: certain answers replace them, doubtful ones are set aside.

    Parameters
    ----------
    tags : ndarray of int8, shape (n, K)
    scores : ndarray of float64, shape (n, K)
        Held-out probabilities.
    multilabel : bool
    add : float
        From this probability on another class replaces the label; an absent tag becomes present.
    drop : float
        Below this probability of its label a clip that no class replaces has none; a present tag becomes unknown.

    Returns
    -------
    ndarray of int64, shape (n,), or (n, K)

    Examples
    --------
    >>> tags = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.int8)
    >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.95, 0.05]])
    >>> refined_labels(tags, scores, multilabel=False, add=0.9, drop=0.1).tolist()
    [0, 0, 0]
    >>> refined_labels(tags, scores, multilabel=True, add=0.9, drop=0.1).tolist()
    [[1, 0], [1, 0], [1, -1]]
    """
    if multilabel:
        made = tags.astype(np.int64)
        made[(tags == 0) & (scores >= add)] = 1
        made[(tags == 1) & (scores < drop)] = NO_LABEL
        return made
    given = np.where((tags == 1).any(axis=1), tags.argmax(axis=1), NO_LABEL)
    own = np.where(given >= 0, scores[np.arange(len(scores)), np.maximum(given, 0)], 1.0)
    made = np.where(own < drop, NO_LABEL, given)
    sure = (scores.max(axis=1) >= add) & (given >= 0)
    return np.where(sure, scores.argmax(axis=1), made)


def train_self_refining(
    dataset: AudioDataset,
    seed: int,
    *,
    rounds: int = 1,
    add: float = 0.7,
    drop: float = 0.1,
    folds: int = 4,
    splits: Splits | None = None,
    strategy: str = "plain",
    parameters: Mapping[str, Any] | None = None,
    network: str = "cnn",
    embeddings: Any = None,
    epochs: int = 40,
    lr: float = 2e-3,
    weight_decay: float = 1e-4,
    batch_size: int = 32,
    cache: str | None = None,
) -> Trained:
    """Labels are corrected by networks that have not seen them, round after round; then one is trained on the result.

    Parameters
    ----------
    dataset : AudioDataset
    rounds : int
        At least 1; each trains ``folds`` networks, from the labels of the round before.
    add, drop : float
        Of `refined_labels`.
    folds : int
    seed, splits, strategy, parameters, network, embeddings, epochs, lr, weight_decay, batch_size, cache
        Of `labelnoise.audio.train_methods.train_clips`.

    Raises
    ------
    InputError
        Fewer than one round, ``drop`` above ``add``, or no label that is left.
    """
    if rounds < 1 or not 0 <= drop <= add <= 1:
        raise InputError(
            f"rounds is {rounds}, drop {drop}, add {add}; at least 1 round, and 0 <= drop <= add <= 1 go."
        )
    used = clip_splits(dataset, seed) if splits is None else splits
    train, per_clip = used["train"], len(dataset.tag_names) or 1
    options: dict[str, Any] = {
        "strategy": strategy,
        "parameters": parameters,
        "network": network,
        "embeddings": given_embeddings(dataset, embeddings),
        "epochs": epochs,
        "lr": lr,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "cache": cache,
    }
    current, changes = dataset, []
    for number in range(rounds):
        scores = held_out_scores(current, train, seed + 100 * number, folds=folds, **options)
        # Always from the given labels: a mistake of one round can be taken back in the next.
        labels = dataset.given.reshape(dataset.n_clips, per_clip).astype(np.int64)
        labels[train] = refined_labels(
            dataset.tags[train], scores[train], multilabel=dataset.multilabel, add=add, drop=drop
        ).reshape(-1, per_clip)
        current = dataset.with_labels(labels.reshape(-1).astype(dataset.given.dtype))
        changes.append(int((current.given != dataset.given).sum()))
    made = train_clips(current, seed, splits=used, **options)
    return replace(made, info={**made.info, **split_info(splits, seed), "changed": changes})
