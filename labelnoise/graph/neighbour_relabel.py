"""Training labels checked against neighbours, and pseudo labels for confident nodes, on a graph with more edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units, unit_losses
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.gnn_task import GraphTask
from labelnoise.graph.propagation import gcn_adjacency, random_walk

if TYPE_CHECKING:
    from labelnoise.core.training.loop import Run

__all__ = ["NeighbourRelabel", "with_similar_edges"]

#: Similarities computed at once.
_ROWS_AT_ONCE = 512


@dataclass(kw_only=True)
class NeighbourRelabel(Strategy):
    """Labels that neighbours contradict are replaced, and confident nodes without a label get one.

    Predictions are averaged over epochs, then over each node and its neighbours (half each; a node without
    neighbours keeps its own). From the end of the warm-up, a node without a label whose mean gives a class at least
    ``threshold`` trains on that class, with the weight ``pseudo_weight`` for all of them together; a label whose
    mean gives another class at least ``threshold`` is replaced by it.

    Parameters
    ----------
    warmup : int
        Epochs on the labels as given.
    threshold : float
        In (0.5, 1].
    pseudo_weight : float
        >= 0; 0 does without pseudo labels.
    relabel : bool
        Replace labels; if not, they only get company, as published.
    momentum : float
        Of the average over epochs, in [0, 1).

    References
    ----------
    Dai, Aggarwal, Wang (2021), NRGNN: learning a label noise-resistant graph neural network on sparsely and noisily
    labeled graphs, KDD: pseudo labels of confident nodes that are linked to labelled ones. Replacing labels is this
    project's addition, and the links come from features (`with_similar_edges`) and are not learnt.

    Examples
    --------
    >>> NeighbourRelabel(relabel=False).options()["threshold"]
    0.6
    """

    warmup: int = 30
    threshold: float = 0.6
    pseudo_weight: float = 1.0
    relabel: bool = True
    momentum: float = 0.9

    def start(self, run: Run) -> None:
        if not isinstance(run.task, GraphTask):
            raise InputError("Relabelling by neighbours needs a graph; pass a GraphTask.")
        if self.warmup < 1:
            raise InputError(f"warmup is {self.warmup}; at least 1 epoch is needed.")
        if not 0.5 < self.threshold <= 1:
            raise InputError(f"threshold is {self.threshold}; it must be above 0.5, up to 1.")
        if not self.pseudo_weight >= 0:
            raise InputError(f"pseudo_weight is {self.pseudo_weight}; it must be 0 or more.")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum}; it must be from 0 to below 1.")
        self._memory = run.units.new("memory", width=run.task.n_classes)
        self._targets = run.units.new("target", fill=NO_LABEL, dtype=torch.int64)
        self._walk = random_walk(run.task.dataset.adjacency)
        self._lonely = run.task.dataset.degree == 0

    def epoch_start(self, run: Run) -> None:
        given = torch.from_numpy(np.asarray(run.task.given))
        if run.epoch < self.warmup:
            self._targets.copy_(given)
            return
        # The average starts at zero, and so falls short of 1 by the same factor everywhere.
        own = self._memory.double().numpy() / (1 - self.momentum**run.epoch)
        around = np.where(self._lonely[:, None], own, self._walk @ own)
        mean = torch.from_numpy((own + around) / 2)
        highest, guess = mean.max(dim=1)
        sure = highest >= self.threshold
        unlabelled = given == NO_LABEL
        replaced = sure & (unlabelled | self.relabel)
        self._targets.copy_(torch.where(replaced, guess, given))

    def objective(self, run: Run, index: int, outputs: list[Units]) -> Tensor:
        own = outputs[index]
        ids = own.ids.cpu()
        with torch.no_grad():
            seen = own.logits.softmax(1).cpu()
            self._memory[ids] = self.momentum * self._memory[ids] + (1 - self.momentum) * seen
        targets = self._targets[ids].to(own.labels.device)
        labelled = own.labels != NO_LABEL
        first = torch.where(labelled, targets, NO_LABEL)
        value: Tensor = labelled_mean(unit_losses(own.logits, first), first)
        pseudo = torch.where(labelled, NO_LABEL, targets)
        if self.pseudo_weight > 0 and bool((pseudo != NO_LABEL).any()):
            value = value + self.pseudo_weight * labelled_mean(unit_losses(own.logits, pseudo), pseudo)
        return value

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        given = torch.from_numpy(np.asarray(run.task.given))
        known = given != NO_LABEL
        return {
            "relabelled": int((self._targets != given)[known].sum()),
            "pseudo_labels": int((self._targets[~known] != NO_LABEL).sum()),
        }


def with_similar_edges(
    dataset: GraphDataset, nodes: NDArray[np.bool_], *, neighbours: int = 3, least: float = 0.3
) -> GraphDataset:
    """The graph with edges added between the given nodes and those most like them.

    Similarity is the cosine of features averaged over one step along edges. Time O(nodes * n * d) for dense
    features, in blocks of rows; memory stays O(n + m).

    Parameters
    ----------
    dataset : GraphDataset
        With features.
    nodes : ndarray of bool, shape (n,)
        For each of these up to ``neighbours`` edges are added; usually the training nodes.
    neighbours : int
        From 1.
    least : float
        Cosine below which no edge is added, from -1 to 1.

    Returns
    -------
    GraphDataset
        New edges weigh 1 and are stored once.

    Raises
    ------
    InputError
        No features, a mask of another shape, options out of range.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> graph = papers(300)
    >>> more = with_similar_edges(graph, np.arange(300) < 50)
    >>> more.adjacency.nnz > graph.adjacency.nnz
    True
    """
    n = dataset.n_nodes
    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features by which nodes could be alike.")
    rows = np.asarray(nodes)
    if rows.dtype != bool or rows.shape != (n,):
        raise InputError(f"nodes is {rows.dtype} of shape {rows.shape}; {n} booleans are needed.")
    if neighbours < 1 or not -1 <= least <= 1:
        raise InputError(
            f"neighbours is {neighbours} and least {least}; at least 1, and a cosine from -1 to 1, are needed."
        )
    smooth: Any = gcn_adjacency(dataset.adjacency) @ dataset.x
    squares = smooth.multiply(smooth) if sp.issparse(smooth) else smooth * smooth
    length = np.sqrt(np.asarray(squares.sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros(n), where=length > 0)
    unit: Any = (
        sp.csr_array(sp.diags_array(scale) @ smooth) if sp.issparse(smooth) else smooth * scale[:, None]
    )
    asked = np.flatnonzero(rows)
    found: list[NDArray[np.int64]] = []
    count = min(neighbours, n - 1)
    for start in range(0, len(asked) if count else 0, _ROWS_AT_ONCE):
        block = asked[start : start + _ROWS_AT_ONCE]
        product = unit[block] @ unit.T
        alike = product.toarray() if sp.issparse(product) else product
        alike[np.arange(len(block)), block] = -np.inf
        linked = sp.coo_array(dataset.adjacency[block])
        alike[linked.row, linked.col] = -np.inf
        best = np.argsort(-alike, axis=1, kind="stable")[:, :count]
        source, target = np.repeat(block, count), best.ravel()
        good = np.take_along_axis(alike, best, axis=1).ravel() >= least
        found.append(np.stack([source[good], target[good]]))
    added = np.concatenate(found, axis=1) if found else np.zeros((2, 0), dtype=np.int64)
    weight = dataset.edge_weight
    return replace(
        dataset,
        edge_index=np.concatenate([dataset.edge_index, added], axis=1),
        edge_weight=None if weight is None else np.concatenate([weight, np.ones(added.shape[1])]),
    )
