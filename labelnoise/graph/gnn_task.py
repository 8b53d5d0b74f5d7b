"""Node classification as a task of the core's training loop: the whole graph is one batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelnoise.core.training.task import Mixed, Split, Task, Units
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.gathering import Operator, Sparse, as_sparse, operator_of
from labelnoise.graph.networks import NETWORKS, Mixing, build_network
from labelnoise.graph.splits import split_labels

__all__ = ["GraphBatch", "GraphTask", "row_normalised"]


class GraphBatch(NamedTuple):
    """The whole graph, and the labels of one split (-1 elsewhere)."""

    features: Sparse | Tensor
    operator: Operator
    labels: Tensor
    ids: Tensor


class GraphTask(Task):
    """Nodes of one graph, all in one batch; labels outside the split in use are -1.

    Every node is a unit, also those without a label in training: strategies that guess labels have them at hand, as
    is usual where the whole graph is known in advance.

    Parameters
    ----------
    dataset : GraphDataset
        With node features. Its given labels are used, its true ones (where known) for the test split and, if asked
        for, for validation.
    network : str
        Of `labelnoise.graph.networks.NETWORKS`.
    network_options : mapping, optional
    splits : mapping of "train", "validation", "test" to ndarray of bool, shape (n,), optional
        By default the data set's own masks, or drawn (see `node_splits`).
    validation_labels : {"noisy", "clean"}
        Which labels of the validation split choose the epoch.
    normalise : bool
        Divide each node's features by the sum of their absolute values.
    drop_features, drop_edges : float
        Share of features (columns) and of edges that a view leaves out, from 0 to below 1.
    seed : int
        Draws splits where there are none.

    Raises
    ------
    InputError
        No features, splits that overlap or hold no label, clean validation without known true labels.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> task = GraphTask(papers())
    >>> task.n_units, task.n_classes, int((task.given >= 0).sum())
    (1500, 7, 903)
    """

    def __init__(
        self,
        dataset: GraphDataset,
        *,
        network: str = "gcn",
        network_options: Mapping[str, Any] | None = None,
        splits: Mapping[str, NDArray[np.bool_]] | None = None,
        validation_labels: Literal["noisy", "clean"] = "noisy",
        normalise: bool = True,
        drop_features: float = 0.2,
        drop_edges: float = 0.2,
        seed: int = 0,
    ) -> None:
        if dataset.x.shape[1] == 0:
            raise InputError(
                "The graph has no node features; a network needs some, the trainer 'label-propagation' does not."
            )
        for name, share in (("drop_features", drop_features), ("drop_edges", drop_edges)):
            if not 0 <= share < 1:
                raise InputError(f"{name} is {share}; a share from 0 to below 1 is needed.")
        self.dataset, self.n_units, self.n_classes = dataset, dataset.n_nodes, dataset.n_classes
        self.network, self.network_options = network, dict(network_options or {})
        self.splits, self._labels = split_labels(dataset, splits, validation_labels, seed)
        self.given = self._labels["train"]
        has = "validation" in self._labels and bool((self._labels["validation"] >= 0).any())
        self.validation_labels = validation_labels if has else None
        self._x = row_normalised(dataset.x) if normalise else dataset.x
        self._kind: str = NETWORKS[network].load().operator  # type: ignore[attr-defined]
        self._mixes: bool = NETWORKS[network].load().mixes  # type: ignore[attr-defined]
        self._features = _tensor(self._x)
        self._operator = operator_of(dataset.adjacency, self._kind)
        self._ids = torch.arange(self.n_units)
        self._drop_features, self._drop_edges = drop_features, drop_edges

    def build(self) -> nn.Module:
        return build_network(self.network, self.dataset.x.shape[1], self.n_classes, **self.network_options)

    def batches(self, split: Split, rng: np.random.Generator | None) -> Iterator[GraphBatch]:
        if split not in self._labels:
            raise InputError(f"There is no {split} split; name its nodes in splits.")
        yield GraphBatch(self._features, self._operator, torch.from_numpy(self._labels[split]), self._ids)

    def everything(self) -> GraphBatch:
        """The whole graph without any label, for predictions."""
        return GraphBatch(self._features, self._operator, torch.full_like(self._ids, NO_LABEL), self._ids)

    def forward(self, model: nn.Module, batch: GraphBatch) -> Units:
        return Units(model(batch.features, batch.operator), batch.labels, batch.ids)

    def augment(self, batch: GraphBatch, rng: np.random.Generator) -> GraphBatch:
        """The graph without some of its edges and features, drawn at random (You et al. 2020)."""
        from accelerate.utils import send_to_device

        features, operator = self._features, self._operator
        if self._drop_features:
            kept = rng.random(self._x.shape[1]) >= self._drop_features
            scale = np.float32(1 / (1 - self._drop_features))
            features = _tensor(self._x * (kept * scale)[None, :])
        if self._drop_edges and operator.matrix is not None:
            upper = sp.triu(self.dataset.adjacency).tocoo()
            stay = rng.random(len(upper.data)) >= self._drop_edges
            half = sp.csr_array(
                (upper.data[stay], (upper.row[stay], upper.col[stay])), shape=self.dataset.adjacency.shape
            )
            operator = operator_of(half + half.T, self._kind)
        made: GraphBatch = send_to_device(
            batch._replace(features=features, operator=operator), batch.ids.device
        )
        return made

    def mixed(self, model: nn.Module, batch: GraphBatch, alpha: float, rng: np.random.Generator) -> Mixed:
        """Nodes mixed in pairs, labelled ones with labelled ones and the others among themselves."""
        if not self._mixes:
            raise InputError(
                f"The network {self.network!r} cannot mix nodes; take 'gcn', 'sgc' or 'mlp', or set alpha to 0."
            )
        labelled = (batch.labels >= 0).cpu().numpy()
        partner = np.arange(self.n_units)
        for rows in (np.flatnonzero(labelled), np.flatnonzero(~labelled)):
            partner[rows] = rng.permutation(rows)
        share = rng.beta(alpha, alpha, self.n_units)
        device = batch.ids.device
        mixing = Mixing(
            torch.from_numpy(partner).to(device),
            torch.from_numpy(np.maximum(share, 1 - share).astype(np.float32)).to(device),
        )
        return Mixed(model(batch.features, batch.operator, mixing), mixing.partner, mixing.share)


def row_normalised(x: Any) -> Any:
    """Features divided by the sum of their absolute values per node; rows of zeros stay.

    Examples
    --------
    >>> row_normalised(np.array([[1.0, -3.0], [0.0, 0.0]]))
    array([[ 0.25, -0.75],
           [ 0.  ,  0.  ]])
    """
    total = np.asarray(abs(x).sum(axis=1), dtype=np.float64).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return sp.csr_array(sp.diags_array(scale) @ x) if sp.issparse(x) else x * scale[:, None]


def _tensor(x: Any) -> Sparse | Tensor:
    if sp.issparse(x):
        return as_sparse(sp.csr_array(x))
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
