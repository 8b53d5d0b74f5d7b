"""Train one of the published GraphCleaner experiments' base networks, computing only the rows that are needed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.threads import one_thread
from labelnoise.core.validation import InputError, as_labels, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.gathering import Block, Sparse, as_sparse, gathering_matrix
from labelnoise.graph.networks import _Network, build_network

__all__ = ["MODELS", "SELECTIONS", "Plan", "base_network", "plan_rows", "train_node_classifier"]

#: Base networks: options of those in `labelnoise.graph.networks.NETWORKS`.
MODELS: dict[str, dict[str, Any]] = {
    "gcn": {"hidden": 256, "layers": 3},
    "gin": {"hidden": 256, "layers": 2},
    "gat": {"hidden": 256, "layers": 3, "heads": 1, "activation": "relu"},
    "sgc": {"hops": 2},
    "mlp": {"hidden": 256, "layers": 3},
}
#: What chooses the epoch of the first matrix that `train_node_classifier` returns.
SELECTIONS = ("noisy-validation", "last")


def train_node_classifier(
    dataset: GraphDataset,
    labels: ArrayLike,
    train_mask: ArrayLike,
    val_mask: ArrayLike,
    *,
    model: str = "gcn",
    epochs: int = 200,
    lr: float = 1e-3,
    weight_decay: float = 5e-4,
    seed: int,
    select: str = "noisy-validation",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Train one network on the whole graph and return the class probabilities of all nodes at two epochs.

    Full-batch cross-entropy on the labelled training nodes, Adam with L2 penalty. A node's output depends on
    its neighbourhood only, so a training step computes the rows that lead to training nodes and a selection
    those that lead to validation nodes; losses and gradients are those of the whole graph.

    Parameters
    ----------
    dataset : GraphDataset
        Features and edges (both directions are used); its own labels are not looked at.
    labels : array_like of int, shape (n,)
        Class ids, -1 for no label, of which only those under the two masks are used.
    train_mask, val_mask : array_like of bool, shape (n,)
        Nodes of the loss, and nodes whose given labels choose the epoch.
    model : str
        ``"gcn"`` (3 layers, Kipf & Welling 2017), ``"gin"`` (2 convolutions with a two-layer network each,
        Xu et al. 2019), ``"gat"`` (3 layers, one head, Velickovic et al. 2018), ``"sgc"`` (2 hops, linear, Wu
        et al. 2019) or ``"mlp"`` (3 layers, no edges). Hidden width 256, ReLU and dropout 0.5 between layers.
    epochs : int
        Steps of the optimiser.
    lr, weight_decay : float
        Of Adam.
    seed : int
        Of initial weights and dropout. No global random state is read or changed.
    select : str
        ``"noisy-validation"``: the first epoch with the highest accuracy (single-label micro-F1) on the
        validation nodes' given labels. ``"last"``: no selection.

    Returns
    -------
    probs_best, probs_last : ndarray of float64, shape (n, K)
        Without dropout, at the selected epoch and at the last.

    Raises
    ------
    InputError
        No features, no labelled training node, no labelled validation node to select by, masks of a wrong
        length.

    Notes
    -----
    Runs on one CPU thread, so that a seed gives the same numbers whatever the number of cores.

    Examples
    --------
    Two groups of four; node 3's label is the other group's:

    >>> import numpy as np
    >>> from labelnoise.graph.dataset import GraphDataset
    >>> pairs = [(i, j) for g in (0, 4) for i in range(g, g + 4) for j in range(i + 1, g + 4)]
    >>> graph = GraphDataset(name="two groups", given=np.array([0, 0, 0, 1, 1, 1, 1, 1]),
    ...     class_names=("a", "b"), x=np.eye(8), edge_index=np.array(pairs).T)
    >>> train = np.arange(8) != 3
    >>> best, last = train_node_classifier(graph, graph.given, train, train, epochs=20, seed=0)
    >>> last.argmax(axis=1)
    array([0, 0, 0, 0, 1, 1, 1, 1])
    """
    n, k = dataset.n_nodes, dataset.n_classes
    given = as_labels(labels, n_classes=k)
    choose(model, MODELS, "base network")
    choose(select, SELECTIONS, "selection")
    if epochs < 1:
        raise InputError(f"epochs is {epochs}; at least one step is needed.")
    if len(given) != n:
        raise InputError(f"labels has {len(given)} entries for {n} nodes; give one per node, -1 for none.")
    train, val = _rows(train_mask, given, "train_mask"), _rows(val_mask, given, "val_mask")
    if dataset.x.shape[1] == 0:
        raise InputError(
            "The graph has no node features; a network needs some, the detector 'votes' does not."
        )
    if len(train) == 0:
        raise InputError("No training node carries a label; widen train_mask or give labels.")
    if len(val) == 0 and select == "noisy-validation":
        raise InputError('No validation node carries a label; widen val_mask or pass select="last".')

    with one_thread():
        network = base_network(dataset, model, generator(seed, "graph model", model))
        network.bits = generator(seed, "graph model dropout", model)
        optimiser = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
        for_loss = plan_rows(dataset, network, train)
        for_selection = plan_rows(dataset, network, val) if select == "noisy-validation" else None
        train_labels, val_labels = torch.from_numpy(given[train]), torch.from_numpy(given[val])
        most_right, selected = -1, _copied(network)
        for _ in track(range(epochs), f"training {model}", epochs):
            optimiser.zero_grad()
            functional.cross_entropy(network.train()(*for_loss), train_labels).backward()
            optimiser.step()
            if for_selection is not None:
                with torch.no_grad():
                    right = int((network.eval()(*for_selection).argmax(1) == val_labels).sum())
                if right > most_right:
                    most_right, selected = right, _copied(network)
        everything = plan_rows(dataset, network.eval(), np.arange(n))
        with torch.no_grad():
            probs_last = network(*everything).double().softmax(1).numpy()
            if for_selection is not None:
                network.load_state_dict(selected)
            probs_best = network(*everything).double().softmax(1).numpy()
    if not np.isfinite(probs_last).all():
        raise InputError(f"Training {model!r} diverged with lr {lr:g}; lower it or scale the features.")
    return probs_best, probs_last


def _rows(mask: ArrayLike, given: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """Row numbers of the labelled nodes under a mask."""
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != given.shape:
        raise InputError(f"{name} is {array.dtype} of shape {array.shape}; {len(given)} booleans are needed.")
    return np.flatnonzero(array & (given >= 0))


class Plan(NamedTuple):
    """The rows that lead to some target nodes, as a network takes them: their features, and a block per layer."""

    features: Sparse | Tensor
    blocks: list[Block]


def base_network(dataset: GraphDataset, model: str, rng: np.random.Generator) -> _Network:
    """One of `MODELS` with Glorot's initial weights from ``rng``; torch's own random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        network = build_network(model, dataset.x.shape[1], dataset.n_classes, **MODELS[model])
    assert isinstance(network, _Network)
    scores = list(getattr(network, "scores", []))
    with torch.no_grad():
        for position, layer in enumerate(network.layers):  # type: ignore[arg-type]
            layer.weight.copy_(_glorot(rng, *layer.weight.shape))
            if scores:
                score = scores[position]
                score.copy_(_glorot(rng, layer.weight.shape[1], 2).T.reshape(score.shape))
    return network


def plan_rows(dataset: GraphDataset, network: _Network, targets: NDArray[np.int64]) -> Plan:
    """What it takes to compute the targets' rows, found from the last layer back to the features.

    Parameters
    ----------
    dataset : GraphDataset
    network : module of `labelnoise.graph.networks`
    targets : ndarray of int, shape (r,)
        Sorted.
    """
    edges = gathering_matrix(dataset.adjacency, network.operator)
    needed, blocks = targets, []
    for hops in reversed(network.hops()):
        steps, outputs = [], needed
        for _ in range(hops):
            assert edges is not None
            part = edges[needed]
            needed = np.unique(part.indices)
            steps.append(part[:, needed])
        blocks.append((steps[::-1], torch.from_numpy(np.searchsorted(needed, outputs))))
    blocks.reverse()
    features: Any = dataset.x[needed]
    if sp.issparse(features):
        prepared: Sparse | Tensor = as_sparse(features)
    else:
        if not hasattr(
            network, "scores"
        ):  # A (X W) = (A X) W, and A X never changes; attention needs X W itself
            for step in blocks[0][0]:
                features = step @ features
            blocks[0][0].clear()
        prepared = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
    return Plan(prepared, [Block([as_sparse(step) for step in steps], own) for steps, own in blocks])


def _copied(network: _Network) -> dict[str, Tensor]:
    """The parameters as they are now."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _glorot(rng: np.random.Generator, d_in: int, d_out: int) -> Tensor:
    bound = np.sqrt(6 / (d_in + d_out))
    return torch.from_numpy(rng.uniform(-bound, bound, (d_in, d_out)).astype(np.float32))
