"""The calibrated detector of clips and tags, and confident learning on the same probabilities."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedding import STATISTICS, clip_embeddings, scale_embeddings
from labelnoise.audio.few_clips import FEW_CLIPS, judge_few
from labelnoise.audio.outside import outside_odds, outside_probability
from labelnoise.audio.tag_scores import tag_probabilities
from labelnoise.core.calibrated import calibrate_scores
from labelnoise.core.confident_multilabel import confident_learning_multilabel
from labelnoise.core.detection import Detection
from labelnoise.core.from_features import FeatureModel, detect_from_features
from labelnoise.core.neighbours import nearest_neighbours
from labelnoise.core.selection import confident_learning
from labelnoise.core.validation import InputError

__all__ = ["MISSING", "OUTSIDE", "WRONG", "clip_similarity", "detect_calibrated", "detect_confident_learning"]

Array = NDArray[np.float64]

#: Kinds of issues.
WRONG, MISSING, OUTSIDE = "wrong-tag", "missing-tag", "out-of-vocabulary"
#: Neighbours of other recordings whose mean cosine says how alone a clip is.
_NEAR = 5
#: A wrong tag is out of the vocabulary where all tags of its clip are less likely than on all but this share of the
#: clips with trusted tags.
_STRANGE = 0.05
#: Log-odds above which a clip that is not flagged is named as of no class.
_SURELY = 2.0
#: (clip, tag) pairs above which no labels are simulated for the interval of the count.
_PAIRS_SIMULATED = 300_000


def detect_calibrated(
    dataset: AudioDataset,
    seed: int = 0,
    *,
    embeddings: str | None = None,
    scaling: str = "auto",
    draws: int = 12,
    resamples: int = 5,
) -> Detection:
    """Probability that each class or tag is wrong, by clips of other recordings that sound alike.

    Clips with one class each are judged by `labelnoise.core.from_features.detect_from_features`, below 15
    clips per class with the rate and the order of `labelnoise.audio.few_clips.judge_few`; (clip, tag) pairs by
    `tag_probabilities`, read by `labelnoise.core.calibrated.calibrate_scores` as absent or present.

    Parameters
    ----------
    dataset : AudioDataset
    seed : int
    embeddings : str, optional
        See `clip_embeddings`. What decides most: pretrained vectors are far ahead of the default statistics.
    scaling : {"auto", "hellinger", "unit", "none"}
        See `labelnoise.audio.embedding.scale_embeddings`.
    draws : int
        Draws of planted errors, for clips with one class each.
    resamples : int
        Simulations of the count: 0 for none, else at least 2. Above 300,000 pairs none are made.

    Returns
    -------
    Detection
        With the evidence columns ``kind`` ("wrong-tag", "missing-tag", "out-of-vocabulary"; "" where nothing is
        suspected), ``p_given`` and ``similarity`` (mean cosine to the nearest clips of other recordings); for clips
        with one class ``outside``, the probability that it is of no class at all
        (`labelnoise.audio.outside.outside_probability`). A flagged clip suggests another class than the given one, or
        -1 where it is "out-of-vocabulary".

    Raises
    ------
    InputError
        As of `clip_embeddings`, `detect_from_features` and `tag_probabilities`.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> data = events()
    >>> found = detect_calibrated(data)
    >>> int(data.is_wrong.sum()), int((found.flagged & data.is_wrong).sum()), found.method
    (30, 21, 'calibrated')
    """
    X = scale_embeddings(clip_embeddings(dataset, embeddings), scaling)
    found = (
        _judge_tags(dataset, X, seed, resamples)
        if dataset.multilabel
        else _judge_clips(dataset, X, seed, draws, resamples)
    )
    return replace(found, info={**found.info, "embeddings": embeddings or STATISTICS})


def _judge_clips(dataset: AudioDataset, X: Array, seed: int, draws: int, resamples: int) -> Detection:
    groups = dataset.recording_codes()
    given = np.asarray(dataset.given, dtype=np.int64)
    found = detect_from_features(
        X, given, groups, seed, n_classes=dataset.n_classes, scaling="none", draws=draws, resamples=resamples
    )
    labelled = given >= 0
    if labelled.sum() < FEW_CLIPS * len(np.unique(given[labelled])):
        found = judge_few(found, X, given, dataset.n_classes, groups, seed)
    assert found.p_wrong is not None
    near = clip_similarity(X, groups)
    has = np.flatnonzero(labelled)
    model = FeatureModel(X[has], dataset.n_classes, groups=groups[has], seed=seed)
    odds = outside_odds(model, given[has], found.p_wrong[has], seed)
    outside = np.zeros(dataset.n_units)
    outside[has] = outside_probability(odds, found.p_wrong[has])
    strange = found.flagged & (outside > 0.5 * found.p_wrong)
    # Where few labels seem wrong, sounds that could be anything pass for right: named, though not flagged.
    usual = np.bincount(given[has], minlength=dataset.n_classes) / len(has)
    unlike = np.zeros(dataset.n_units, dtype=bool)
    unlike[has] = (odds > _SURELY) & (found.evidence["p_given"][has] < usual[given[has]])
    kinds = np.full(dataset.n_units, "", dtype=object)
    kinds[labelled & (found.flagged | (found.suggested != given))] = WRONG
    kinds[strange | (unlike & ~found.flagged)] = OUTSIDE
    return replace(
        found,
        method="calibrated",
        suggested=np.where(strange, -1, found.suggested),
        confidence=np.where(strange, outside, found.confidence),
        evidence={**found.evidence, "similarity": near, "outside": outside, "kind": kinds},
    )


def _judge_tags(dataset: AudioDataset, X: Array, seed: int, resamples: int) -> Detection:
    started = time.process_time()
    groups = dataset.recording_codes()
    tags = dataset.tags
    p = tag_probabilities(X, tags, groups, seed, scaling="none")
    flat = p.reshape(-1)
    given = np.asarray(dataset.given, dtype=np.int64)
    found = calibrate_scores(
        given,
        np.stack([1.0 - flat, flat], axis=1),
        resamples=resamples if len(flat) <= _PAIRS_SIMULATED else 0,
        seed=seed,
    )
    # Where absent is given and flagged the other answer is present, and the other way round, however likely.
    assert found.p_wrong is not None
    same = found.flagged & (found.suggested == given)
    found = replace(
        found,
        suggested=np.where(same, 1 - given, found.suggested),
        confidence=np.where(same, found.p_wrong, found.confidence),
    )
    near = clip_similarity(X, groups)
    best = p.max(axis=1)
    doubted = (found.flagged & (given == 1)).reshape(tags.shape)
    trusted = (tags == 1).any(axis=1) & ~doubted.any(axis=1)
    alone = np.repeat(_strange(best, near, trusted), dataset.n_tags)
    kinds = np.full(dataset.n_units, "", dtype=object)
    differs = (given >= 0) & (found.flagged | (found.suggested != given))
    kinds[differs & (given == 1)] = WRONG
    kinds[differs & (given == 0)] = MISSING
    kinds[found.flagged & (given == 1) & alone] = OUTSIDE
    return replace(
        found,
        evidence={**found.evidence, "similarity": np.repeat(near, dataset.n_tags), "kind": kinds},
        info={**found.info, "cpu_seconds": round(time.process_time() - started, 3)},
    )


def clip_similarity(features: Array, groups: NDArray[np.int64]) -> Array:
    """Mean cosine of every clip to the five nearest clips of other recordings, shape (m,); 0 where there is none.

    Examples
    --------
    >>> clip_similarity(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.arange(3)).round(2).tolist()
    [0.5, 0.5, 0.0]
    """
    near = min(_NEAR, len(features) - int(np.unique(groups, return_counts=True)[1].max()))
    if near < 1:
        return np.zeros(len(features))
    graph = nearest_neighbours(features, near, groups=groups)
    similar: Array = 1.0 - graph.distances.mean(axis=1)
    return similar


def _strange(best: Array, near: Array, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Clips farther from others than the median, whose best tag is below that of nearly all trusted clips."""
    if trusted.sum() < 1 / _STRANGE:
        return np.zeros(len(best), dtype=bool)
    return (near < np.median(near)) & (best < np.quantile(best[trusted], _STRANGE))


def detect_confident_learning(
    dataset: AudioDataset,
    seed: int = 0,
    *,
    embeddings: str | None = None,
    scaling: str = "auto",
    rule: str = "prune_by_noise_rate",
) -> Detection:
    """Confident learning on the same leave-one-recording-out probabilities: per clip, or tag by tag.

    Parameters
    ----------
    dataset : AudioDataset
    seed : int
    embeddings, scaling
        As of `detect_calibrated`.
    rule : str
        See `labelnoise.core.selection.confident_learning`.

    Returns
    -------
    Detection
        ``quality`` is the probability of what is given; ``evidence["kind"]`` "wrong-tag" or "missing-tag".

    Raises
    ------
    InputError
        As of `detect_calibrated`; an unknown rule; fewer than two classes among the clips' labels.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70; Thyagarajan et al. 2023 for tags.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> data = events()
    >>> found = detect_confident_learning(data)
    >>> int((found.flagged & data.is_wrong).sum()), int(found.flagged.sum())
    (26, 42)
    """
    X = scale_embeddings(clip_embeddings(dataset, embeddings), scaling)
    given = np.asarray(dataset.given, dtype=np.int64)
    groups, has = dataset.recording_codes(), given >= 0
    if dataset.multilabel:
        tags = dataset.tags
        p = tag_probabilities(X, tags, groups, seed, scaling="none")
        flagged = confident_learning_multilabel(tags, p, rule=rule).reshape(-1)
        p = np.stack([1.0 - p.reshape(-1), p.reshape(-1)], axis=1)
    else:
        if len(np.unique(given[has])) < 2:
            raise InputError("The labels hold fewer than 2 classes; a wrong one can only be told among more.")
        model = FeatureModel(X if has.all() else X[has], dataset.n_classes, groups=groups[has], seed=seed)
        targets = np.eye(dataset.n_classes)[given[has]]
        p = np.empty((len(given), dataset.n_classes))
        p[has] = model.probs(targets, given[has])
        if not has.all():
            p[~has] = model.predict(X[~has], targets, given[has])
        flagged = confident_learning(given, p, rule=rule)
    rows = np.arange(len(given))
    suggested = p.argmax(axis=1).astype(np.int64)
    kinds = np.full(len(given), "", dtype=object)
    kinds[has & (flagged | (suggested != given))] = WRONG
    if dataset.multilabel:
        kinds[(kinds == WRONG) & (given == 0)] = MISSING
    return Detection(
        method="confident-learning",
        quality=np.where(has, p[rows, np.maximum(given, 0)], 1.0),
        flagged=flagged,
        suggested=suggested,
        confidence=p[rows, suggested],
        evidence={"kind": kinds},
        info={"rule": rule, "embeddings": embeddings or STATISTICS},
    )
