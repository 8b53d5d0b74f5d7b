"""Classes of nodes from a few labels, some wrong: prototypes and ridges on diffused features, and their own pupils."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.features import diffused_features, weighted_features
from labelnoise.graph.splits import Splits, split_info, split_labels

__all__ = ["diffused_at", "prototype_mixture", "ridge_classes", "train_prototypes"]

Matrix = NDArray[np.float64]

#: Restarts of the diffusion, the candidates of `train_prototypes`.
RESTARTS = (0.1, 0.05, 0.15, 0.3)
#: Penalties of the ridges that learn from all nodes.
_PUPIL_PENALTIES = (3.0, 30.0)


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
    x, targets = np.asarray(features), np.asarray(targets, dtype=np.float64)
    if x.dtype != np.float32:
        x = x.astype(np.float64)
    if concentration <= 0 or not 0 <= pull <= 1 or iterations < 0:
        raise InputError(
            f"concentration is {concentration}, pull {pull}, iterations {iterations}; "
            "they must be above 0, from 0 to 1, and at least 0."
        )
    weight = targets.sum(axis=0)
    present = np.flatnonzero(weight > 0)
    if len(present) == 0:
        raise InputError("No unit carries a label; there is nothing to learn from.")
    labelled = _unit((targets[:, present] / weight[present]).astype(x.dtype).T @ x)
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


def ridge_classes(
    features: NDArray[np.floating[Any]],
    targets: Matrix,
    penalty: float,
    *,
    rows: NDArray[np.int64] | None = None,
) -> Matrix:
    """Class probabilities of all units by least squares on the targets of some, with an L2 penalty.

    Scores are brought to a standard deviation of 2 before the softmax: least squares on few labels says which
    class leads, not by how much.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    targets : ndarray, shape (n, K)
        Weight of each class for each unit. A class without weight in ``rows`` gets the probability 0.
    penalty : float
        > 0, for rows of length 1.
    rows : ndarray of int, optional
        Units to learn from, by default all.

    Returns
    -------
    ndarray of float64, shape (n, K)

    Raises
    ------
    InputError
        No weight at all, a penalty of 0 or less.

    Examples
    --------
    >>> x = np.array([[1.0, 0], [0.9, 0.1], [0, 1], [0.2, 0.8]])
    >>> labels = np.array([[1, 0], [0, 0], [0, 1], [0, 0]])
    >>> ridge_classes(x, labels, 1.0, rows=np.array([0, 2])).round(2)
    array([[0.99, 0.01],
           [0.98, 0.02],
           [0.01, 0.99],
           [0.06, 0.94]])
    """
    if penalty <= 0:
        raise InputError(f"penalty is {penalty}; it must be above 0.")
    x = np.asarray(features)
    seen = x if rows is None else x[rows]
    wanted = np.asarray(targets, dtype=x.dtype) if rows is None else np.asarray(targets, dtype=x.dtype)[rows]
    present = np.flatnonzero(wanted.sum(axis=0) > 0)
    if len(present) == 0:
        raise InputError("No unit carries a label; there is nothing to learn from.")
    centred = wanted[:, present] - wanted[:, present].mean(axis=0)
    if len(seen) < x.shape[1]:
        dual = np.linalg.solve(seen @ seen.T + penalty * np.eye(len(seen), dtype=x.dtype), centred)
        scores = x @ (seen.T @ dual)
    else:
        gram = seen.T @ seen + penalty * np.eye(x.shape[1], dtype=x.dtype)
        scores = x @ np.linalg.solve(gram, seen.T @ centred)
    result = np.zeros(targets.shape)
    result[:, present] = softmax(2 * scores.astype(np.float64) / max(float(scores.std()), 1e-9), axis=1)
    return result


def diffused_at(
    dataset: GraphDataset, restarts: Sequence[float] = RESTARTS, *, rank: int = 256, seed: int = 0
) -> dict[float, NDArray[np.float32]]:
    """Unit rows of features diffused over the graph, for each restart; they depend on no label.

    Parameters
    ----------
    dataset : GraphDataset
        With features.
    restarts : sequence of float
        Weights of a node's own features in each step of the diffusion, in (0, 1].
    rank : int
        Most columns.
    seed : int
        Of the sketch of features with many columns.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> found = diffused_at(papers(300), (0.1, 1.0), rank=8)
    >>> {restart: rows.shape for restart, rows in found.items()}
    {0.1: (300, 8), 1.0: (300, 8)}
    """
    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; prototypes need some.")
    if not restarts or not all(0 < restart <= 1 for restart in restarts) or rank < 1:
        raise InputError(
            f"restarts is {tuple(restarts)}, rank {rank}; shares above 0 up to 1, and 1 or more, are needed."
        )
    weighted = weighted_features(dataset.x, dataset.degree)
    found = {}
    for restart in restarts:
        # after so many steps the walk has restarted with a probability of 92%
        hops = int(np.ceil(2.5 / restart))
        rows = diffused_features(
            weighted, dataset.adjacency, restart=restart, hops=hops, rank=rank, seed=seed
        )
        found[float(restart)] = _unit(rows).astype(np.float32)
    return found


def train_prototypes(
    dataset: GraphDataset,
    seed: int,
    *,
    restarts: Sequence[float] = RESTARTS,
    concentrations: Sequence[float] = (40.0, 20.0),
    pulls: Sequence[float] = (0.5, 0.7, 0.3),
    penalties: Sequence[float] = (1.0, 0.1, 0.3, 3.0, 10.0),
    averaged: int = 5,
    rank: int = 256,
    iterations: int = 20,
    features: Mapping[float, NDArray[np.floating[Any]]] | None = None,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
) -> Trained:
    """Prototypes and ridges on features diffused over the graph, then ridges that learn from their answers.

    What ERASE does with labels is done here with restart over the whole graph, and to features, so that no wrong
    label is spread. Two kinds of classifiers learn from the training labels: prototypes that all nodes pull at
    (`prototype_mixture`), for few and compact classes, and ridges (`ridge_classes`), for others. The answers that
    agree with the validation nodes' given labels most, squared and normalised, are what further ridges learn, from
    all nodes: a wrong label has little weight there. The few of all candidates that agree most are averaged.

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
    penalties : sequence of float
        Candidates, see `ridge_classes`.
    averaged : int
        How many of the best candidates are averaged, from 1.
    rank : int
        Most feature columns kept.
    iterations : int
        Of the mixture.
    features : mapping of float to ndarray, optional
        Those of `diffused_at`, made before for several sets of labels; ``restarts``, ``rank`` are not looked at then.
    splits, validation_labels
        As in `labelnoise.graph.train_methods.train_network`. Without validation nodes the first candidate stands.

    Returns
    -------
    Trained
        ``history`` has one entry per candidate, ``info["averaged"]`` the numbers of those in the average.

    Raises
    ------
    InputError
        No features, no training label, no candidate or one out of range.

    Notes
    -----
    Time O(hops m d) per restart, d the columns of the features or of their sketch; O(iterations n r K) per
    prototype candidate and O(n r^2) per ridge on all nodes, r the rank; memory O(n r) per restart.

    References
    ----------
    This project, after Chen et al. 2024, ERASE (arXiv 2312.08852); diffusion as in Gasteiger et al. 2019, APPNP.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> result = train_prototypes(papers(300), 0)
    >>> result.selected_by, len(result.history), len(result.info["averaged"])
    ('noisy validation accuracy', 52, 5)
    """
    started = time.process_time()
    if not (len(concentrations) and len(pulls)) or averaged < 1:
        raise InputError(
            "concentrations or pulls is empty or averaged below 1; give at least one candidate of each, and 1 or more."
        )
    labels = split_labels(dataset, splits, validation_labels, seed)[1]
    if features is None:
        features = diffused_at(dataset, restarts, rank=rank, seed=seed)
    judge = labels.get("validation", np.full(dataset.n_nodes, NO_LABEL))
    val = np.flatnonzero(judge >= 0)
    rows = np.flatnonzero(labels["train"] >= 0)
    targets = np.zeros((dataset.n_nodes, dataset.n_classes))
    targets[rows, labels["train"][rows]] = 1.0
    history: list[dict[str, Any]] = []
    answers: list[Matrix] = []

    def judged(probs: Matrix, **entry: Any) -> None:
        if len(val):
            entry["validation"] = float((probs[val].argmax(axis=1) == judge[val]).mean())
        history.append(entry)
        answers.append(probs)

    def best(count: int) -> list[int]:
        return sorted(range(len(history)), key=lambda i: -history[i]["validation"])[:count]

    for (restart, x), concentration, pull in product(features.items(), concentrations, pulls):
        probs = prototype_mixture(x, targets, concentration=concentration, pull=pull, iterations=iterations)
        judged(probs, expert="prototypes", restart=restart, concentration=concentration, pull=pull)
        if len(val) == 0:
            break
    chosen = [0]
    if len(val):
        for (restart, x), penalty in product(features.items(), penalties):
            judged(
                ridge_classes(x, targets, penalty, rows=rows),
                expert="ridge",
                restart=restart,
                penalty=penalty,
            )
        master = best(1)[0]
        lesson = answers[master] ** 2
        lesson /= lesson.sum(axis=1, keepdims=True)
        for (restart, x), penalty in product(features.items(), _PUPIL_PENALTIES):
            judged(
                ridge_classes(x, lesson, penalty), expert="pupil", restart=restart, penalty=penalty, of=master
            )
        chosen = best(averaged)
    kept = np.mean([answers[i] for i in chosen], axis=0)
    return Trained(
        method="erase-prototypes",
        predicted=kept.argmax(axis=1).astype(np.int64),
        probs=kept,
        history=tuple(history),
        selected_by=f"{validation_labels} validation accuracy" if len(val) else "the first setting",
        chosen=chosen[0],
        info={
            **split_info(splits, seed),
            "averaged": chosen,
            "rank": rank,
            "iterations": iterations,
            "seed": seed,
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )
