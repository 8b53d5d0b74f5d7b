"""Which nodes of a graph train, choose the model and test it, and which labels each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import score_row
from labelnoise.core.random import generator
from labelnoise.core.split_labels import checked_splits, labels_of_splits
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset

__all__ = ["Splits", "node_splits", "split_info", "split_labels", "split_scores"]

Splits = Mapping[str, NDArray[np.bool_]]

_MASKS = {"train": "train", "validation": "val", "test": "test"}


def node_splits(dataset: GraphDataset, seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """Which nodes train, choose the epoch and test: the data set's masks, or 60, 20 and 20% of each class drawn.

    Where "train" is published but "val" is not, there is no validation split.

    Returns
    -------
    dict of str to ndarray of bool, shape (n,)
        "train" and, where there are any, "validation" and "test".

    Raises
    ------
    InputError
        No labelled node, or published masks that overlap.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> {name: int(mask.sum()) for name, mask in node_splits(papers()).items()}
    {'train': 903, 'validation': 300, 'test': 297}
    """
    if "train" in dataset.masks:
        named = {
            name: dataset.masks[mask].astype(bool) for name, mask in _MASKS.items() if mask in dataset.masks
        }
        return checked_splits(named, dataset.n_nodes, "node")
    if not dataset.labelled.any():
        raise InputError("No node carries a label; there is nothing to train on.")
    rng = generator(seed, "graph splits")
    place = np.full(dataset.n_nodes, 3)
    for c in range(dataset.n_classes):
        members = rng.permutation(np.flatnonzero(dataset.given == c))
        # Rounded such that even the smallest class has a training node.
        first, second = np.ceil(len(members) * np.array([0.6, 0.8]) - 1e-9).astype(int)
        place[members] = 2
        place[members[:second]] = 1
        place[members[:first]] = 0
    return {name: place == index for index, name in enumerate(_MASKS)}


def split_labels(
    dataset: GraphDataset,
    splits: Mapping[str, NDArray[np.bool_]] | None = None,
    validation_labels: str = "noisy",
    seed: int = 0,
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, NDArray[np.int64]]]:
    """The splits, and for each of them the labels of its nodes with -1 elsewhere; parameters as in `GraphTask`.

    Raises
    ------
    InputError
        Splits that overlap, no training label, clean validation without known true labels.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> {name: int((labels >= 0).sum()) for name, labels in split_labels(papers())[1].items()}
    {'train': 903, 'validation': 300, 'test': 297}
    """
    masks = node_splits(dataset, seed) if splits is None else checked_splits(splits, dataset.n_nodes, "node")
    return masks, labels_of_splits(dataset, masks, validation_labels, "node")


def split_info(splits: Splits | None, seed: int) -> dict[str, Any]:
    """What `Trained.info` says of the splits: whether the caller passed them, and the seed that draws others.

    Examples
    --------
    >>> split_info(None, 3)
    {'split_seed': 3, 'splits_passed': False}
    """
    return {"split_seed": seed, "splits_passed": splits is not None}


def split_scores(dataset: GraphDataset, trained: Trained) -> list[dict[str, Any]]:
    """Accuracy in each split that the trainer used: the data set's own, or those it drew with its seed.

    Where the caller passed splits, one row over all nodes.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> from labelnoise.graph.closed_form import propagate_labels
    >>> graph = papers(300)
    >>> [(row["split"], row["units"]) for row in split_scores(graph, propagate_labels(graph, 1))]
    [('train', 183), ('validation', 61), ('test', 56)]
    """
    if trained.info.get("splits_passed", True):
        return [score_row(dataset, trained, "all", np.ones(dataset.n_nodes, dtype=bool))]
    masks = node_splits(dataset, trained.info["split_seed"])
    return [score_row(dataset, trained, name, mask) for name, mask in masks.items()]
