"""Which sentences train and which test, and how good a trained tagger is on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import score_row
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evaluation import entity_report

__all__ = ["draw_training", "first_sentences", "learning_part", "sentence_splits", "split_scores"]

#: Share of the sentences that train where no split is published.
SHARE = 0.8


def sentence_splits(dataset: TextDataset, seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """Masks of tokens by split: the data set's own if "train" is among them, or else 80% and 20% of the sentences.

    Where documents are known, whole documents are drawn.

    Raises
    ------
    InputError
        Fewer than two sentences or documents to draw from.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> {name: int(mask.sum()) for name, mask in sentence_splits(news()).items()}
    {'train': 9265, 'test': 2301}
    """
    if "train" in dataset.masks:
        return {name: np.asarray(mask) for name, mask in dataset.masks.items() if np.asarray(mask).any()}
    of = np.arange(dataset.n_sentences) if dataset.documents is None else np.asarray(dataset.documents)
    parts = np.unique(of)
    if len(parts) < 2:
        of = np.arange(dataset.n_sentences)
        parts = of
    if len(parts) < 2:
        raise InputError("There is one sentence; a split into training and test needs at least two.")
    drawn = generator(seed, "sentence splits").permutation(parts)
    chosen = drawn[: min(max(1, round(SHARE * len(parts))), len(parts) - 1)]
    train = np.isin(of, chosen)[np.asarray(dataset.groups)]
    return {"train": train, "test": ~train}


def learning_part(dataset: TextDataset, train: NDArray[np.bool_]) -> TextDataset:
    """The same tokens with tags in the training split alone, and no truth.

    Raises
    ------
    InputError
        No tag is left.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Rome"], ["Oslo"]], [["B-LOC"], ["B-LOC"]], name="d")
    >>> learning_part(data, np.array([True, False])).given
    array([ 1, -1])
    """
    given = np.where(train, dataset.given, NO_LABEL).astype(np.int64)
    if not (given >= 0).any():
        raise InputError("No token of the training split carries a tag; there is nothing to learn from.")
    return replace(dataset, given=given, true=None)


def split_scores(dataset: TextDataset, trained: Trained) -> list[dict[str, Any]]:
    """Accuracy of tags in each split, and precision, recall and F1 of entities (lenient; strict F1 beside it).

    Measured on the true tags where all of a split's are known, else on the given ones.
    """
    rows = []
    for name, mask in sentence_splits(dataset, int(trained.info.get("split_seed", 0))).items():
        row = score_row(dataset, trained, name, mask)
        labels = dataset.true if row["labels"] == "true" and dataset.true is not None else dataset.given
        report = entity_report(
            np.where(mask, labels, NO_LABEL), trained.predicted, types=dataset.types, starts=dataset.starts
        )
        of_all = report["lenient"]["all"]
        row |= {f"entity_{key}": round(of_all[key], 4) for key in ("precision", "recall", "f1")}
        row["entity_f1_strict"] = round(report["strict"]["all"]["f1"], 4)
        row["entity_f1_by_type"] = {kind: round(report["lenient"][kind]["f1"], 4) for kind in dataset.types}
        rows.append(row)
    return rows


def first_sentences(dataset: TextDataset, sizes: Mapping[str, int]) -> TextDataset:
    """The first sentences of some splits, in the text's order, with their given tags.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> mask = {"train": np.array([True, True, True, False])}
    >>> data = from_sentences([["a", "b"], ["c"], ["d"]], [["O", "O"], ["O"], ["O"]], name="four")
    >>> first_sentences(replace(data, masks=mask), {"train": 1}).tokens.tolist()
    ['a', 'b']
    """
    first = dataset.starts[:-1]
    chosen = np.concatenate(
        [np.flatnonzero(dataset.masks[split][first])[:size] for split, size in sizes.items()]
    )
    chosen.sort()
    rows = np.flatnonzero(np.isin(np.asarray(dataset.groups), chosen))
    return TextDataset(
        name=dataset.name,
        given=dataset.given[rows],
        class_names=dataset.class_names,
        tokens=dataset.tokens[rows],
        starts=np.concatenate([[0], np.cumsum(np.diff(dataset.starts)[chosen])]),
        masks={split: dataset.masks[split][rows] for split in sizes},
    )


def draw_training(dataset: TextDataset, size: int, seed: int) -> TextDataset:
    """The same text with a training split of ``size`` sentences drawn by the seed; other splits stay."""
    of = np.asarray(dataset.groups)
    sentences = np.unique(of[dataset.masks["train"]])
    drawn = generator(seed, "draw", dataset.name).choice(sentences, min(size, len(sentences)), replace=False)
    masks = {**dataset.masks, "train": np.isin(of, drawn)}
    return TextDataset(
        name=dataset.name,
        given=dataset.given,
        class_names=dataset.class_names,
        tokens=dataset.tokens,
        starts=dataset.starts,
        masks=masks,
    )
