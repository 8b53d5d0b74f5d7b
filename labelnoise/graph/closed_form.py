"""Trainers without epochs: logistic regression on smoothed features, and labels spread along edges."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.propagation import gcn_adjacency, symmetric_adjacency
from labelnoise.graph.splits import Splits, split_info, split_labels

__all__ = ["propagate_labels", "train_sgc"]


def train_sgc(
    dataset: GraphDataset,
    seed: int,
    *,
    inverse_penalties: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0),
    hops: int = 2,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
) -> Trained:
    """Logistic regression on smoothed features; the penalty is chosen on the validation split.

    Parameters
    ----------
    dataset : GraphDataset
        With features.
    seed : int
        Of splits where there are none; nothing else is drawn.
    inverse_penalties : tuple of float
        Candidates, above 0. The middle one is used where there is no validation split.
    hops : int
        From 1.
    splits, validation_labels
        As in `labelnoise.graph.train_methods.train_network`.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> [entry["inverse_penalty"] for entry in train_sgc(papers(300), 0).history]
    [0.3, 1.0, 3.0, 10.0, 30.0]
    """
    from sklearn.preprocessing import maxabs_scale, normalize

    from labelnoise.graph.sgc import SmoothedLogistic

    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; use 'label-propagation', which needs none.")
    if hops < 1 or not inverse_penalties or min(inverse_penalties) <= 0:
        raise InputError(
            f"hops is {hops} and inverse_penalties {inverse_penalties}; at least 1, and numbers above 0, are needed."
        )
    train, validation = _targets(dataset, splits, validation_labels, seed)
    features: Any = normalize(maxabs_scale(dataset.x.astype(np.float64)))
    smooth = gcn_adjacency(dataset.adjacency)
    rows = np.flatnonzero(train >= 0)
    if len(np.unique(train[rows])) < 2:
        raise InputError("The training labels name one class only; a classifier needs at least two.")
    candidates = []
    for penalty in inverse_penalties:
        model = SmoothedLogistic(features, smooth, hops=hops, inverse_penalty=penalty).fit(rows, train[rows])
        probs = np.zeros((dataset.n_nodes, dataset.n_classes))
        probs[:, model.classes_] = model.predict_proba(np.arange(dataset.n_nodes))
        candidates.append(({"inverse_penalty": penalty}, probs))
    return _best("sgc-lr", candidates, validation, validation_labels, split_info(splits, seed))


def propagate_labels(
    dataset: GraphDataset,
    seed: int,
    *,
    alphas: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95, 0.99),
    steps: int = 50,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
) -> Trained:
    """Training labels spread along edges; how far is chosen on the validation split.

    Parameters
    ----------
    dataset : GraphDataset
        Features are not looked at.
    seed : int
        Of splits where there are none; nothing else is drawn.
    alphas : tuple of float
        Candidates for the share that comes from neighbours, from 0 to below 1. The middle one is used where there
        is no validation split.
    steps : int
        From 1.
    splits, validation_labels
        As in `labelnoise.graph.train_methods.train_network`.

    Notes
    -----
    A node that no label reaches gets the shares of classes among the training labels.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> graph = papers(600, noise_rate=0.0)
    >>> round(propagate_labels(graph, 0).accuracy(graph.given), 2) > 0.7
    True
    """
    if steps < 1 or not alphas or min(alphas) < 0 or max(alphas) >= 1:
        raise InputError(
            f"steps is {steps} and alphas {alphas}; at least 1, and shares from 0 to below 1, are needed."
        )
    train, validation = _targets(dataset, splits, validation_labels, seed)
    start = np.zeros((dataset.n_nodes, dataset.n_classes))
    known = train >= 0
    start[known, train[known]] = 1.0
    shares = start.sum(axis=0) / known.sum()
    matrix = symmetric_adjacency(dataset.adjacency)
    candidates = []
    for alpha in alphas:
        spread = start
        for _ in range(steps):
            spread = alpha * (matrix @ spread) + (1 - alpha) * start
        total = spread.sum(axis=1, keepdims=True)
        probs = np.where(total > 0, spread / np.where(total > 0, total, 1.0), shares)
        candidates.append(({"alpha": alpha}, probs))
    return _best("label-propagation", candidates, validation, validation_labels, split_info(splits, seed))


def _targets(
    dataset: GraphDataset, splits: Splits | None, validation_labels: str, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of training and of validation nodes, -1 elsewhere."""
    labels = split_labels(dataset, splits, validation_labels, seed)[1]
    return labels["train"], labels.get("validation", np.full(dataset.n_nodes, -1))


def _best(
    method: str,
    candidates: list[tuple[dict[str, Any], NDArray[np.float64]]],
    validation: NDArray[np.int64],
    validation_labels: str,
    info: dict[str, Any],
) -> Trained:
    """The candidate that is right most often on the validation split, the first of equals."""
    known = validation >= 0
    history = [entry for entry, _ in candidates]
    if known.any():
        scores = [float((probs.argmax(axis=1) == validation)[known].mean()) for _, probs in candidates]
        chosen = int(np.argmax(scores))
        history = [{**entry, "validation": score} for entry, score in zip(history, scores)]
        selected_by = f"{validation_labels} validation accuracy"
    else:
        chosen, selected_by = len(candidates) // 2, "the middle setting"
    probs = candidates[chosen][1]
    return Trained(
        method=method,
        predicted=probs.argmax(axis=1),
        probs=probs,
        history=tuple(history),
        selected_by=selected_by,
        chosen=chosen,
        info=info,
    )
