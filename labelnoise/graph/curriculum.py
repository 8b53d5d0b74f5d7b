"""A curriculum over nodes: those whose neighbourhood agrees with their label come first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import InputError, choose
from labelnoise.graph.gnn_task import GraphTask

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["PACES", "Curriculum", "node_difficulty", "share_at"]

#: How the share of nodes in use grows.
PACES = ("linear", "root", "geometric")


@dataclass(kw_only=True)
class Curriculum(Strategy):
    """Easy nodes first: a first network judges how hard nodes are, a second one is trained from easy to hard.

    Parameters
    ----------
    warmup : int
        Epochs of the first network.
    start_share : float
        Share of the labelled nodes that the second network starts with, in (0, 1].
    full_after : int
        Epochs of the second network until ``end_share`` is reached.
    end_share : float
        Up to which share it goes, from ``start_share`` to 1; 1 as published. Below 1 the hardest nodes never come.
    pace : {"linear", "root", "geometric"}
    feature_weight : float
        Of the network's own doubt in the label, beside the entropy of the neighbourhood; 1 as published.

    References
    ----------
    Wei et al. (2023), CLNode: curriculum learning for node classification, WSDM. Here the doubt comes from the
    first network's probabilities, there from distances to class prototypes.

    Examples
    --------
    >>> Curriculum(pace="root").options()["start_share"]
    0.5
    """

    warmup: int = 50
    start_share: float = 0.5
    full_after: int = 100
    end_share: float = 1.0
    pace: str = "geometric"
    feature_weight: float = 1.0

    def start(self, run: Run) -> None:
        if not isinstance(run.task, GraphTask):
            raise InputError("The curriculum orders nodes by their neighbours; it needs a GraphTask.")
        choose(self.pace, PACES, "pace")
        if not 0 < self.start_share <= self.end_share <= 1:
            raise InputError(
                f"start_share is {self.start_share} and end_share {self.end_share}; "
                "0 < start_share <= end_share <= 1 is needed."
            )
        if not 1 <= self.warmup < run.config.epochs:
            raise InputError(
                f"warmup is {self.warmup}; the first network takes from 1 to {run.config.epochs - 1} of the epochs."
            )
        if self.full_after < 1:
            raise InputError(f"full_after is {self.full_after}; at least 1 epoch is needed.")
        if not self.feature_weight >= 0:
            raise InputError(f"feature_weight is {self.feature_weight}; it must be 0 or more.")
        # The rank of each labelled node by difficulty, from 0 (easiest) to below 1; 0 before it is known.
        self._rank = run.units.new("rank")

    def epoch_start(self, run: Run) -> None:
        if run.epoch < self.warmup:
            return
        task = run.task
        assert isinstance(task, GraphTask)
        if run.epoch == self.warmup:
            probs = run.per_unit(
                run.members[0], lambda units: units.logits.softmax(1), width=task.n_classes
            ).numpy()
            hard = node_difficulty(
                task.dataset.adjacency, task.given, probs, feature_weight=self.feature_weight
            )
            rows = np.flatnonzero(task.given >= 0)
            order = rows[np.argsort(hard[rows], kind="stable")]
            self._rank[torch.from_numpy(order)] = torch.arange(len(order)).float() / len(order)
            run.restart(0)
        share = share_at(
            run.epoch - self.warmup, self.full_after, self.start_share, self.end_share, self.pace
        )
        run.active.copy_(self._rank < share)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        known = torch.from_numpy(np.asarray(run.task.given) >= 0)
        return {"kept": float(run.active[known].float().mean())}


def node_difficulty(
    adjacency: sp.csr_array,
    given: NDArray[np.int64],
    probs: NDArray[np.floating[Any]],
    *,
    feature_weight: float = 1.0,
) -> NDArray[np.float64]:
    """How hard each node is: entropy of the labels around it, plus doubt in its own.

    ``-sum_c q_c log q_c + w (1 - p[y] / max_c p[c])`` with q the shares of classes among the node and its neighbours:
    given labels where there are any, predicted ones elsewhere.

    Parameters
    ----------
    adjacency : csr_array of shape (n, n)
    given : ndarray of int, shape (n,)
        -1 for no label; such nodes have no doubt.
    probs : ndarray of shape (n, K)
    feature_weight : float
        w.

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    A path; its last node contradicts the others and the network:

    >>> path = sp.csr_array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> node_difficulty(path, np.array([0, 0, 1]), np.array([[.9, .1], [.9, .1], [.8, .2]])).round(2)
    array([0.  , 0.64, 1.44])
    """
    n, k = probs.shape
    known = given >= 0
    labels = np.where(known, given, probs.argmax(axis=1))
    one_hot = np.zeros((n, k))
    one_hot[np.arange(n), labels] = 1.0
    pattern = sp.csr_array(
        (np.ones(len(adjacency.indices)), adjacency.indices, adjacency.indptr), shape=(n, n)
    )
    counts = np.asarray(pattern @ one_hot) + one_hot
    shares = counts / counts.sum(axis=1, keepdims=True)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    own = probs[np.arange(n), labels] / np.maximum(probs.max(axis=1), 1e-12)
    return np.asarray(entropy + feature_weight * np.where(known, 1.0 - own, 0.0), dtype=np.float64)


def share_at(epoch: int, full_after: int, start: float, end: float, pace: str) -> float:
    """The share of nodes in use in an epoch of the second network.

    Examples
    --------
    >>> [round(share_at(t, 4, 0.25, 1.0, "geometric"), 3) for t in range(6)]
    [0.25, 0.354, 0.5, 0.707, 1.0, 1.0]
    """
    done = min(epoch / full_after, 1.0)
    if done == 1.0:
        return end
    if pace == "linear":
        return start + (end - start) * done
    if pace == "root":
        return float(np.sqrt(start**2 + (end**2 - start**2) * done))
    return float(start * (end / start) ** done)
