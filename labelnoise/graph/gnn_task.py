"""Node classification as a task of the core's training loop: the whole graph is one batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelnoise.core.random import generator
from labelnoise.core.training.task import Mixed, Split, Task, Units
from labelnoise.core.validation import NO_LABEL, InputError, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.models import _Sparse, _sparse
from labelnoise.graph.networks import NETWORKS, Mixing, Operator, build_network, operator_of

__all__ = ["GraphBatch", "GraphTask", "node_splits", "row_normalised", "split_labels"]

_MASKS = {"train": "train", "validation": "val", "test": "test"}


class GraphBatch(NamedTuple):
    """The whole graph, and the labels of one split (-1 elsewhere)."""

    features: _Sparse | Tensor
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


def _tensor(x: Any) -> _Sparse | Tensor:
    if sp.issparse(x):
        return _sparse(sp.csr_array(x))
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))


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
