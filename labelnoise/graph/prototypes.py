"""Classes of nodes from a few labels, some wrong: a mixture of prototypes on diffused features."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.features import diffused_features, weighted_features
from labelnoise.graph.train import NodePrediction

__all__ = ["prototype_mixture", "train_prototypes"]

Matrix = NDArray[np.float64]


def prototype_mixture(
    features: Matrix,
    targets: Matrix,
    *,
    concentration: float = 20.0,
    pull: float = 0.5,
    iterations: int = 20,
) -> Matrix:
    """Class probabilities of all units by one direction per class, half from labels, half from all units.

    The labels' direction of a class is the mean of its labelled units. Each iteration takes the mean of all
    units, weighted by their present probability of the class, mixes it with the labels' direction, and sets the
    probabilities to ``softmax(concentration * cosine)``. Wrong labels shift the first part only, and only in
    proportion to their share; no class is favoured for having many labels.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
        Rows of length 1.
    targets : ndarray of float, shape (n, K)
        Weight of each unit's label, such as one-hot; rows of 0 have no label. A class without any weight gets the
        probability 0.
    concentration : float
        Inverse temperature, > 0.
    pull : float
        Weight of the part from all units, 0 to 1; 0 is a nearest-prototype rule.
    iterations : int

    Returns
    -------
    ndarray of float64, shape (n, K)

    Raises
    ------
    InputError
        No weight at all, options out of range.

    Notes
    -----
    Time O(iterations n d K). Of the kin of the mixture of von Mises-Fisher distributions with one concentration and
    equal class weights (Banerjee et al. 2005), with labels as a prior on the mean directions.

    Examples
    --------
    >>> angle = np.array([0.1, 0.0, 0.2, 1.4, 1.5, 1.6])
    >>> x = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 0]])  # the third is wrong
    >>> prototype_mixture(x, labels).argmax(axis=1)
    array([0, 0, 0, 1, 1, 1])
    """
    x, targets = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if concentration <= 0 or not 0 <= pull <= 1 or iterations < 0:
        raise InputError(
            f"concentration is {concentration}, pull {pull}, iterations {iterations}; "
            "they must be above 0, from 0 to 1, and at least 0."
        )
    weight = targets.sum(axis=0)
    present = np.flatnonzero(weight > 0)
    if len(present) == 0:
        raise InputError("No unit carries a label; there is nothing to learn from.")
    labelled = _unit((targets[:, present] / weight[present]).T @ x)
    probs = softmax(concentration * (x @ labelled.T), axis=1)
    for _ in range(iterations if pull > 0 else 0):
        everyone = _unit((probs / np.maximum(probs.sum(axis=0), 1e-12)).T @ x)
        means = _unit(pull * everyone + (1 - pull) * labelled)
        probs = softmax(concentration * (x @ means.T), axis=1)
    result = np.zeros(targets.shape)
    result[:, present] = probs
    return result


def _unit(rows: Matrix) -> Matrix:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)  # type: ignore[no-any-return]


def train_prototypes(
    dataset: GraphDataset,
    *,
    train_mask: ArrayLike | None = None,
    seed: int = 0,
    restart: float = 0.15,
    hops: int = 15,
    rank: int = 512,
    concentration: float = 20.0,
    pull: float = 0.5,
    iterations: int = 20,
) -> NodePrediction:
    """Predict the classes of all nodes from few labels, some of which are wrong, without a validation set.

    Features are diffused over the whole graph by personalised PageRank, which needs no labels; then
    `prototype_mixture`.

    Parameters
    ----------
    dataset : GraphDataset
        With features. Labels of nodes outside the mask are not looked at.
    train_mask : array_like of bool, shape (n,), optional
        By default the split "train", or all nodes.
    seed : int
        Of the features' sketch.
    restart, hops, rank
        Of `labelnoise.graph.features.diffused_features`.
    concentration, pull, iterations
        Of `prototype_mixture`. The same values serve all graphs; they were chosen on Cora and CiteSeer.

    Returns
    -------
    NodePrediction

    Raises
    ------
    InputError
        No features, no labelled training node, a mask of the wrong shape.
    """
    started = time.process_time()
    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; prototypes need some.")
    chosen: Any = dataset.masks.get("train", dataset.labelled) if train_mask is None else np.asarray(train_mask)
    if chosen.dtype != bool or chosen.shape != dataset.given.shape:
        raise InputError(
            f"train_mask is {chosen.dtype} of shape {chosen.shape}; {dataset.n_nodes} booleans are needed."
        )
    rows = np.flatnonzero(chosen & dataset.labelled)
    if len(rows) == 0:
        raise InputError("No training node carries a label; widen train_mask or give labels.")
    weighted = weighted_features(dataset.x, dataset.degree)
    features = diffused_features(
        weighted, dataset.adjacency, restart=restart, hops=hops, rank=rank, seed=seed
    )
    targets = np.zeros((dataset.n_nodes, dataset.n_classes))
    targets[rows, dataset.given[rows]] = 1.0
    probs = prototype_mixture(
        features, targets, concentration=concentration, pull=pull, iterations=iterations
    )
    return NodePrediction(
        method="prototypes",
        predicted=probs.argmax(axis=1).astype(np.int64),
        probs=probs,
        info={
            "restart": restart, "hops": hops, "rank": rank, "concentration": concentration, "pull": pull,
            "iterations": iterations, "seed": seed, "cpu_seconds": round(time.process_time() - started, 3),
        },
    )  # fmt: skip
