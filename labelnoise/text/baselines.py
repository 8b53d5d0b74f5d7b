"""Simple detectors that a better one has to beat: self-confidence and confident learning on the same probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import read_npy
from labelnoise.core.crossval import fold_ids
from labelnoise.core.detection import Detection
from labelnoise.core.selection import confident_learning
from labelnoise.core.sparse_softmax import fit_sparse_softmax
from labelnoise.core.validation import InputError, as_probs
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import type_ids
from labelnoise.text.features import token_features
from labelnoise.text.schemes import repair
from labelnoise.text.spans import token_kinds

__all__ = ["detect_confident_learning", "tag_probs"]


def tag_probs(dataset: TextDataset, seed: int = 0, *, folds: int = 5, epochs: int = 3) -> NDArray[np.float32]:
    """Out-of-fold probabilities of every tag from words alone, sentences dealt to folds; shape (n, K).

    Raises
    ------
    InputError
        Fewer sentences than folds.
    """
    given = np.asarray(dataset.given, dtype=np.int64)
    targets = np.zeros((dataset.n_units, dataset.n_classes), dtype=np.float32)
    has = given >= 0
    targets[has, given[has]] = 1.0
    split = fold_ids(given, folds, groups=dataset.groups, seed=seed)
    words = token_features(dataset.tokens, dataset.starts)
    probs = np.zeros((dataset.n_units, dataset.n_classes), dtype=np.float32)
    for fold in [*range(folds), -1]:
        held = np.flatnonzero(split == fold)
        if not len(held):
            continue
        rows = np.flatnonzero((split != fold) & has)
        # Sentences without a tag are in no fold (-1) and come last.
        own_seed = seed + (fold if fold >= 0 else folds)
        model = fit_sparse_softmax(words, targets, seed=own_seed, epochs=epochs, rate=0.3, rows=rows)
        probs[held] = model.predict(words[held])
    return probs


def detect_confident_learning(
    dataset: TextDataset,
    seed: int = 0,
    *,
    rule: str = "prune_by_noise_rate",
    probs: str | None = None,
    folds: int = 5,
    epochs: int = 3,
) -> Detection:
    """Confident learning on out-of-fold probabilities of tags, as token classification is audited elsewhere.

    Parameters
    ----------
    dataset : TextDataset
    seed : int
    rule : str
        See `labelnoise.core.selection.confident_learning`.
    probs : str, optional
        A ``.npy`` file of probabilities from any model, one row per token and one column per tag (in the order of
        ``class_names``); by default `tag_probs`.
    folds, epochs : int
        Of `tag_probs`.

    Returns
    -------
    Detection
        ``quality`` is the probability of the given tag.

    Raises
    ------
    InputError
        Probabilities of another shape or that cannot be read.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70; Wang & Mueller 2022, Detecting Label Errors in
    Token Classification Data.
    """
    given = np.asarray(dataset.given, dtype=np.int64)
    has = given >= 0
    p: NDArray[Any] = (
        tag_probs(dataset, seed, folds=folds, epochs=epochs) if probs is None else _read(probs, dataset)
    )
    flagged = confident_learning(given, p, rule=rule)
    suggested = _other_tags(dataset, p, flagged)
    rows = np.arange(len(given))
    return Detection(
        method="confident-learning",
        quality=np.where(has, p[rows, np.maximum(given, 0)], 1.0).astype(np.float64),
        flagged=flagged,
        suggested=suggested,
        confidence=p[rows, suggested].astype(np.float64),
        evidence={"kind": token_kinds(dataset, suggested)},
        info={"rule": rule, "probabilities": probs or "words, out of fold"},
    )


def _other_tags(dataset: TextDataset, probs: NDArray[Any], flagged: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The most probable tags as valid BIO; for flagged tokens among those that are not given."""
    given, likely = np.asarray(dataset.given, dtype=np.int64), np.array(probs, dtype=np.float64)
    rows = np.flatnonzero(flagged)
    likely[rows, given[rows]] = -1.0
    found = repair(likely.argmax(axis=1).astype(np.int64), starts=dataset.starts)
    # BIO can turn I-X into the given B-X; then no tag of that type will do.
    rows = rows[found[rows] == given[rows]]
    for prefix in (1, 0):
        likely[rows, np.maximum(2 * type_ids(given[rows]) - prefix, 0)] = -1.0
    return repair(likely.argmax(axis=1).astype(np.int64), starts=dataset.starts)


def _read(path: str, dataset: TextDataset) -> NDArray[Any]:
    found = read_npy(path, what="The file of probabilities")
    if found.shape != (dataset.n_units, dataset.n_classes):
        raise InputError(
            f"The probabilities {path!r} have shape {found.shape}; {dataset.n_units} tokens and "
            f"{dataset.n_classes} tags ({', '.join(dataset.class_names)}) are needed."
        )
    return as_probs(found)
