"""Which nodes of a graph train, choose the model and test it, and which labels each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import score_row
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError, choose
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
        return _checked(dataset, named)
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
    choose(validation_labels, ("noisy", "clean"), "kind of validation labels")
    masks = node_splits(dataset, seed) if splits is None else _checked(dataset, splits)
    labels = dict.fromkeys(_MASKS, dataset.given)
    if dataset.true is not None:
        labels["test"] = dataset.true
    if validation_labels == "clean":
        if dataset.true is None:
            raise InputError(
                "Clean validation needs the true labels, which this graph does not have; use 'noisy'."
            )
        labels["validation"] = dataset.true
    found = {name: np.where(mask, labels[name], NO_LABEL).astype(np.int64) for name, mask in masks.items()}
    if not (found["train"] >= 0).any():
        raise InputError("No training node carries a label; widen the training split or give labels.")
    return masks, found


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


def _checked(dataset: GraphDataset, splits: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    """Masks by name, of the right shape and without overlap."""
    found: dict[str, NDArray[np.bool_]] = {}
    taken = np.zeros(dataset.n_nodes, dtype=bool)
    for name, mask in splits.items():
        choose(name, _MASKS, "split")
        array = np.asarray(mask)
        if array.dtype != bool or array.shape != (dataset.n_nodes,):
            raise InputError(
                f"The split {name!r} is {array.dtype} of shape {array.shape}; "
                f"{dataset.n_nodes} booleans are needed."
            )
        if (taken & array).any():
            raise InputError(
                f"The split {name!r} shares {int((taken & array).sum())} node(s) with another; "
                "each node goes to one split."
            )
        taken |= array
        found[name] = array
    if "train" not in found:
        raise InputError(f"splits names {', '.join(found) or 'none'}; 'train' is needed.")
    return found
