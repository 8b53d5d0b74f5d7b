"""Classes of nodes from a few labels, some wrong: a mixture of prototypes on diffused features."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.features import diffused_features, weighted_features
from labelnoise.graph.splits import Splits, split_info, split_labels

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
    seed: int,
    *,
    restarts: Sequence[float] = (0.1, 0.05, 0.15),
    concentrations: Sequence[float] = (40.0, 20.0),
    pulls: Sequence[float] = (0.5, 0.7, 0.3),
    rank: int = 256,
    iterations: int = 20,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
) -> Trained:
    """Prototypes of classes on features diffused over the whole graph, by the labels and by all nodes in turn.

    What ERASE does with labels is done here with restart over the whole graph, and to features, so that no wrong
    label is spread; memberships stay soft (`prototype_mixture`). The setting is the one of all combinations
    that the validation nodes' given labels agree with most; the first values of each stand where there are none.

    Parameters
    ----------
    dataset : GraphDataset
        With features. Labels of nodes outside the splits are not looked at.
    seed : int
        Of the features' sketch, and of splits where there are none.
    restarts : sequence of float
        Candidates for the weight of a node's own features in each step of the diffusion, in (0, 1].
    concentrations, pulls : sequence of float
        Candidates, see `prototype_mixture`.
    rank : int
        Most feature columns kept.
    iterations : int
        Of the mixture.
    splits, validation_labels
        As in `labelnoise.graph.train_methods.train_network`.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        No features, no training label, no candidate or one out of range.

    Notes
    -----
    Time O(hops m r + iterations n r K) per candidate, r the rank; memory O(n r).

    References
    ----------
    This project, after Chen et al. 2024, ERASE (arXiv 2312.08852); diffusion as in Gasteiger et al. 2019, APPNP.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> result = train_prototypes(papers(300), 0)
    >>> result.selected_by, len(result.history)
    ('noisy validation accuracy', 18)
    """
    started = time.process_time()
    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; prototypes need some.")
    if not (len(restarts) and len(concentrations) and len(pulls)):
        raise InputError("restarts, concentrations or pulls is empty; give at least one candidate of each.")
    if not all(0 < restart <= 1 for restart in restarts) or rank < 1:
        raise InputError(
            f"restarts is {tuple(restarts)}, rank {rank}; shares above 0 up to 1, and 1 or more, are needed."
        )
    labels = split_labels(dataset, splits, validation_labels, seed)[1]
    judge = labels.get("validation", np.full(dataset.n_nodes, NO_LABEL))
    val = np.flatnonzero(judge >= 0)
    rows = np.flatnonzero(labels["train"] >= 0)
    targets = np.zeros((dataset.n_nodes, dataset.n_classes))
    targets[rows, labels["train"][rows]] = 1.0
    weighted = weighted_features(dataset.x, dataset.degree)
    best, chosen, kept = -1.0, 0, targets
    history: list[dict[str, float]] = []
    for restart in restarts:
        # by then the walk has restarted with a probability of 92%
        hops = int(np.ceil(2.5 / restart))
        diffused = diffused_features(
            weighted, dataset.adjacency, restart=restart, hops=hops, rank=rank, seed=seed
        )
        features = _unit(diffused)
        for concentration, pull in product(concentrations, pulls):
            probs = prototype_mixture(
                features, targets, concentration=concentration, pull=pull, iterations=iterations
            )
            entry = {"restart": restart, "concentration": concentration, "pull": pull}
            if len(val):
                entry["validation"] = float((probs[val].argmax(axis=1) == judge[val]).mean())
            if entry.get("validation", 0.0) > best:
                best, chosen, kept = entry.get("validation", 0.0), len(history), probs
            history.append(entry)
    return Trained(
        method="erase-prototypes",
        predicted=kept.argmax(axis=1).astype(np.int64),
        probs=kept,
        history=tuple(history),
        selected_by=f"{validation_labels} validation accuracy" if len(val) else "the first setting",
        chosen=chosen,
        info={
            **split_info(splits, seed),
            "rank": rank,
            "iterations": iterations,
            "seed": seed,
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )
