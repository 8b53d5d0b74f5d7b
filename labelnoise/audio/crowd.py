"""Listeners' votes on clips, alone and together with what clips of other recordings say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedding import clip_embeddings, scale_embeddings
from labelnoise.core.crowd import CrowdResult, Votes
from labelnoise.core.crowd.consensus import consensus
from labelnoise.core.from_features import FeatureModel
from labelnoise.core.validation import InputError

__all__ = ["clip_consensus", "crowd_times_model"]

Array = NDArray[np.float64]


def clip_consensus(dataset: AudioDataset, votes: Votes) -> tuple[AudioDataset, CrowdResult]:
    """The data set with the listeners' consensus as given labels; clips without votes have none.

    Parameters
    ----------
    dataset : AudioDataset
        Clips with one class each.
    votes : Votes
        For instance of `labelnoise.audio.esc50.read_esc50_votes`.

    Returns
    -------
    AudioDataset
        The old labels are its true ones where the data set knows no others.
    CrowdResult
        See `labelnoise.core.crowd.consensus.consensus`.

    Raises
    ------
    InputError
        Clips with several tags; votes on another number of clips or classes.

    Examples
    --------
    >>> data = AudioDataset.single([0, 1, 1], ("dog", "rain"), files=("a", "b", "c"))
    >>> heard, crowd = clip_consensus(data, Votes.from_matrix([[0, 0, 0], [1, 1, 0], [-1, -1, -1]]))
    >>> heard.given.tolist(), heard.true.tolist()
    ([0, 1, -1], [0, 1, 1])
    """
    _check(dataset, votes)
    result = consensus(votes)
    true = dataset.given if dataset.true is None else dataset.true
    return dataset.with_labels(result.labels, true=true), result


def crowd_times_model(
    dataset: AudioDataset,
    votes: Votes,
    *,
    embeddings: str | None = None,
    weight: float = 1.0,
    seed: int = 0,
) -> Array:
    """P(class) of every clip from its votes and from clips of other recordings, ``P_crowd * p_model ** weight``.

    The model is trained on the crowd's probabilities as they are and never sees those of the clip's own recording.

    Parameters
    ----------
    dataset : AudioDataset
        Clips with one class each.
    votes : Votes
    embeddings : str, optional
        See `labelnoise.audio.embedding.clip_embeddings`.
    weight : float
        How much the model counts, >= 0.
    seed : int

    Returns
    -------
    ndarray of float64, shape (m, K)
        Rows sum to 1.

    Raises
    ------
    InputError
        As of `clip_consensus` and `clip_embeddings`; votes on fewer than two clips, a negative weight.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> data = events(per_class=6)
    >>> votes = Votes.from_matrix(np.stack([data.given, data.true], axis=1), n_classes=10)
    >>> crowd_times_model(data, votes).shape
    (60, 10)
    """
    _check(dataset, votes)
    if not (np.isfinite(weight) and weight >= 0):
        raise InputError(f"weight is {weight}; it must be 0 or more.")
    result = consensus(votes)
    heard = np.flatnonzero(result.labels >= 0)
    if len(heard) < 2:
        raise InputError(f"{len(heard)} clip(s) have votes; a model needs at least 2 to learn from.")
    X = scale_embeddings(clip_embeddings(dataset, embeddings))
    groups = dataset.recording_codes()
    model = FeatureModel(X[heard], dataset.n_classes, groups=groups[heard], seed=seed)
    targets, labels = result.posterior[heard], result.labels[heard]
    log_p = np.log(np.maximum(result.posterior, 1e-12))
    log_p[heard] += weight * np.log(np.maximum(model.probs(targets, labels), 1e-12))
    rest = np.setdiff1d(np.arange(dataset.n_clips), heard)
    if len(rest):
        log_p[rest] += weight * np.log(np.maximum(model.predict(X[rest], targets, labels), 1e-12))
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    joint: Array = p / p.sum(axis=1, keepdims=True)
    return joint


def _check(dataset: AudioDataset, votes: Votes) -> None:
    if dataset.multilabel:
        raise InputError("The clips have several tags each; votes name one class per clip.")
    if votes.n_units != dataset.n_clips or votes.n_classes != dataset.n_classes:
        raise InputError(
            f"The votes are on {votes.n_units} clips and {votes.n_classes} classes, the data set has "
            f"{dataset.n_clips} and {dataset.n_classes}; number them as the data set does."
        )
