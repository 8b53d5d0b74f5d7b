"""Simple detectors that a better one has to beat: votes, smoothed features, confident learning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.detection import Detection
from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.propagation import random_walk, walk_means
from labelnoise.graph.sgc import sgc_probs

__all__ = [
    "detect_confident_learning",
    "detect_sgc",
    "detect_votes",
    "detect_votes_sgc",
    "vote_probs",
]

#: Another class must lead the given one by this much; fixed beforehand, not fitted.
_MARGIN = 0.5
#: Votes that the class shares have, so that one neighbour alone is no certainty.
_PRIOR_VOTES = 0.5


def vote_probs(dataset: GraphDataset) -> NDArray[np.float64]:
    """What the labels of the others within two steps say about each node, its own left out.

    Each neighbour has one vote, and its own other neighbours share another; half a vote goes by the class
    shares: v = D (W + W^2 - diag(W^2)) Y + pi / 2 with W = D^-1 A, then divided by its sum.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Rows sum to 1; the class shares for a node without edges.

    Raises
    ------
    InputError
        No node carries a label.

    Examples
    --------
    A square whose corners are labelled a, a, b, and not at all:

    >>> graph = GraphDataset(name="square", given=np.array([0, 0, 1, -1]), class_names=("a", "b"),
    ...     x=np.zeros((4, 0)), edge_index=np.array([[0, 1, 2, 3], [1, 2, 3, 0]]))
    >>> vote_probs(graph).round(2)
    array([[0.53, 0.47],
           [0.53, 0.47],
           [0.93, 0.07],
           [0.67, 0.33]])
    """
    rows = np.flatnonzero(dataset.labelled)
    if len(rows) == 0:
        raise InputError("No node carries a label; votes need some.")
    one_hot = np.zeros((dataset.n_nodes, dataset.n_classes))
    one_hot[rows, dataset.given[rows]] = 1
    near, far = walk_means(random_walk(dataset.adjacency), one_hot, hops=2)
    votes = dataset.degree[:, None] * (near + far) + _PRIOR_VOTES * one_hot.sum(axis=0) / len(rows)
    return votes / votes.sum(axis=1, keepdims=True)


def _by_margin(method: str, dataset: GraphDataset, probs: NDArray[np.float64]) -> Detection:
    """Rank by how far another class leads the given one; flag where by more than `_MARGIN`."""
    rows, column = np.arange(len(probs)), np.maximum(dataset.given, 0)
    others = probs.copy()
    others[rows, column] = 0
    lead = others.max(axis=1) - probs[rows, column]
    return _detection(method, dataset, probs, quality=(1 - lead) / 2, flagged=lead > _MARGIN)


def _detection(
    method: str,
    dataset: GraphDataset,
    probs: NDArray[np.float64],
    *,
    quality: NDArray[np.float64],
    flagged: NDArray[np.bool_],
) -> Detection:
    labelled = dataset.labelled
    return Detection(
        method=method,
        quality=np.where(labelled, quality, 1.0),
        flagged=labelled & flagged,
        suggested=probs.argmax(axis=1),
        confidence=probs.max(axis=1),
    )


def detect_votes(dataset: GraphDataset, seed: int = 0) -> Detection:
    """Flag a label that another class beats by more than half of the votes (`vote_probs`); nothing is random.

    Examples
    --------
    >>> pairs = np.array([(i, j) for i in range(5) for j in range(i)]).T
    >>> graph = GraphDataset(name="five friends", given=np.array([0, 0, 0, 0, 1]), class_names=("a", "b"),
    ...     x=np.zeros((5, 0)), edge_index=pairs)
    >>> found = detect_votes(graph)
    >>> found.flagged, found.suggested
    (array([False, False, False, False,  True]), array([0, 0, 0, 0, 0]))
    """
    return _by_margin("votes", dataset, vote_probs(dataset))


def detect_sgc(dataset: GraphDataset, seed: int = 0, *, folds: int = 5) -> Detection:
    """Flag a label that another class beats by more than 0.5 in out-of-fold probability (`sgc_probs`)."""
    return _by_margin("sgc", dataset, sgc_probs(dataset, seed, folds=folds))


def detect_votes_sgc(dataset: GraphDataset, seed: int = 0, *, folds: int = 5) -> Detection:
    """The mean of `vote_probs` and `sgc_probs`, flagged by the same margin."""
    probs = (vote_probs(dataset) + sgc_probs(dataset, seed, folds=folds)) / 2
    return _by_margin("votes+sgc", dataset, probs)


def detect_confident_learning(
    dataset: GraphDataset, seed: int = 0, *, folds: int = 5, rule: str = "prune_by_noise_rate"
) -> Detection:
    """Confident learning (Northcutt et al. 2021) on `sgc_probs`; quality is the given label's probability."""
    from labelnoise.core.selection import confident_learning

    probs = sgc_probs(dataset, seed, folds=folds)
    own = probs[np.arange(len(probs)), np.maximum(dataset.given, 0)]
    flagged = confident_learning(dataset.given, probs, rule=rule)
    return _detection("confident-learning", dataset, probs, quality=own, flagged=flagged)
