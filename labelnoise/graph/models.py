"""Graph networks for node classification that compute only the rows that a loss or a selection needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.propagation import gcn_adjacency

__all__ = ["MODELS", "SELECTIONS", "one_thread", "train_node_classifier"]

#: Base networks by name; each but SGC has hidden layers of width `HIDDEN`.
MODELS = ("gcn", "gin", "gat", "sgc", "mlp")
#: What chooses the epoch of the first matrix that `train_node_classifier` returns.
SELECTIONS = ("noisy-validation", "last")
HIDDEN = 256


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
        network = _Network(dataset, model, generator(seed, "graph model", model))
        dropout = generator(seed, "graph model dropout", model)
        optimiser = torch.optim.Adam(network.parameters, lr=lr, weight_decay=weight_decay, fused=True)
        for_loss = network.plan(train)
        for_selection = network.plan(val) if select == "noisy-validation" else None
        train_labels, val_labels = torch.from_numpy(given[train]), torch.from_numpy(given[val])
        most_right, selected = -1, network.parameters
        for _ in track(range(epochs), f"training {model}", epochs):
            optimiser.zero_grad()
            functional.cross_entropy(network.logits(for_loss, dropout), train_labels).backward()
            optimiser.step()
            if for_selection is not None:
                with torch.no_grad():
                    right = int((network.logits(for_selection).argmax(1) == val_labels).sum())
                if right > most_right:
                    most_right, selected = right, [p.detach().clone() for p in network.parameters]
        everything = network.plan(np.arange(n))
        with torch.no_grad():
            probs_last = network.logits(everything).double().softmax(1).numpy()
            network.parameters = selected
            probs_best = network.logits(everything).double().softmax(1).numpy()
    if not np.isfinite(probs_last).all():
        raise InputError(f"Training {model!r} diverged with lr {lr:g}; lower it or scale the features.")
    return probs_best, probs_last


def _rows(mask: ArrayLike, given: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """Row numbers of the labelled nodes under a mask."""
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != given.shape:
        raise InputError(f"{name} is {array.dtype} of shape {array.shape}; {len(given)} booleans are needed.")
    return np.flatnonzero(array & (given >= 0))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---------------------------------------------------------------- networks
class _Layer(NamedTuple):
    """One affine map, which gathers over ``hops`` steps along edges, and what follows it."""

    hops: int
    dropout: bool = True
    attention: bool = False


_LAYERS = {
    "gcn": (_Layer(1), _Layer(1), _Layer(1)),
    "gin": (_Layer(1, dropout=False), _Layer(0), _Layer(1, dropout=False), _Layer(0)),
    "gat": (_Layer(1, attention=True),) * 3,
    "sgc": (_Layer(2),),
    "mlp": (_Layer(0), _Layer(0), _Layer(0)),
}


class _Plan(NamedTuple):
    """The rows that lead to some target nodes: their features, and per layer what gathers from which."""

    features: _Sparse | Tensor
    gathers: list[list[_Sparse]]
    #: Per layer, where its output rows stand among its input rows.
    own: list[Tensor]


class _Network:
    """Parameters of one network, and its logits for any plan."""

    def __init__(self, dataset: GraphDataset, model: str, rng: np.random.Generator) -> None:
        self.layers = _LAYERS[model]
        self.x = sp.csr_array(dataset.x) if sp.issparse(dataset.x) else dataset.x
        if model == "gin":
            self.edges = sp.csr_array(dataset.adjacency + sp.eye_array(dataset.n_nodes, format="csr"))
        else:
            self.edges = gcn_adjacency(dataset.adjacency)
        widths = [dataset.x.shape[1], *[HIDDEN] * (len(self.layers) - 1), dataset.n_classes]
        self.parameters: list[Tensor] = []
        for layer, d_in, d_out in zip(self.layers, widths[:-1], widths[1:]):
            self.parameters += [_glorot(rng, d_in, d_out), torch.zeros(d_out)]
            if layer.attention:
                self.parameters.append(_glorot(rng, d_out, 2))
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def plan(self, targets: NDArray[np.int64]) -> _Plan:
        """What it takes to compute the targets' rows, found from the last layer back to the features."""
        needed, gathers, own = targets, [], []
        for layer in reversed(self.layers):
            steps, outputs = [], needed
            for _ in range(layer.hops):
                block = self.edges[needed]
                needed = np.unique(block.indices)
                steps.append(block[:, needed])
            gathers.append(steps[::-1])
            own.append(torch.from_numpy(np.searchsorted(needed, outputs)))
        gathers.reverse()
        own.reverse()
        features = self.x[needed]
        if sp.issparse(features):
            prepared: _Sparse | Tensor = _sparse(features)
        else:
            if not self.layers[0].attention:  # A (X W) = (A X) W, and A X never changes
                for step in gathers[0]:
                    features = step @ features
                gathers[0] = []
            prepared = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
        return _Plan(prepared, [[_sparse(step) for step in steps] for steps in gathers], own)

    def logits(self, plan: _Plan, dropout: np.random.Generator | None = None) -> Tensor:
        """Logits of the plan's targets; with a generator, hidden units drop out."""
        parameters = iter(self.parameters)
        hidden: _Sparse | Tensor = plan.features
        for position, (layer, steps) in enumerate(zip(self.layers, plan.gathers)):
            weight, bias = next(parameters), next(parameters)
            if layer.attention:
                values = _times(hidden, weight)
                hidden = _attend(steps[0], plan.own[position], values, next(parameters)) + bias
            else:
                hidden = _affine(steps, hidden, weight) + bias
            if position < len(self.layers) - 1:
                drops = layer.dropout and dropout is not None
                hidden = _relu_dropout(hidden, dropout) if drops else torch.relu(hidden)  # type: ignore[arg-type]
        assert isinstance(hidden, Tensor)
        return hidden


def _glorot(rng: np.random.Generator, d_in: int, d_out: int) -> Tensor:
    bound = np.sqrt(6 / (d_in + d_out))
    return torch.from_numpy(rng.uniform(-bound, bound, (d_in, d_out)).astype(np.float32))


def _affine(steps: list[_Sparse], hidden: _Sparse | Tensor, weight: Tensor) -> Tensor:
    """A ... A H W in the cheaper order of multiplication."""
    d_in, d_out = weight.shape
    if len(steps) == 1 and isinstance(hidden, Tensor):
        gathered, rows_out = len(steps[0].weights), len(steps[0].starts)
        if gathered * d_in + rows_out * d_in * d_out < gathered * d_out + len(hidden) * d_in * d_out:
            return _times(steps[0], hidden) @ weight
    result = _times(hidden, weight)
    for step in steps:
        result = _times(step, result)
    return result


def _attend(step: _Sparse, own: Tensor, values: Tensor, attention: Tensor) -> Tensor:
    """Graph attention with one head: each row's sources, itself among them, weighted by a softmax.

    The columns of ``attention`` score a node as source and as receiver. Of ``step`` only the pattern counts.
    """
    scores = values @ attention
    sizes = torch.diff(step.starts, append=torch.tensor([len(step.columns)]))
    receiver = torch.repeat_interleave(torch.arange(len(own)), sizes)
    score = functional.leaky_relu(scores[step.columns, 0] + scores[own[receiver], 1], 0.2)
    highest = score.new_full((len(own),), -torch.inf).scatter_reduce(0, receiver, score.detach(), "amax")
    share = (score - highest[receiver]).exp()
    share = share / share.new_zeros(len(own)).index_add(0, receiver, share)[receiver]
    return functional.embedding_bag(step.columns, values, step.starts, mode="sum", per_sample_weights=share)


def _relu_dropout(hidden: Tensor, rng: np.random.Generator) -> Tensor:
    """ReLU, then dropout 0.5 from single random bits (drawing floats costs more than the layer itself)."""
    count = hidden.numel()
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), dtype=np.uint8), count=count)
    kept = torch.from_numpy(bits.view(bool)).view_as(hidden) & (hidden > 0)
    return hidden * kept.float().mul_(2)


# ---------------------------------------------------------------- sparse times dense
class _Sparse(NamedTuple):
    """A constant sparse matrix and its transpose, each as the three arrays of its rows."""

    starts: Tensor
    columns: Tensor
    weights: Tensor
    back_starts: Tensor
    back_columns: Tensor
    back_weights: Tensor


def _sparse(matrix: Any) -> _Sparse:
    """Take over a scipy sparse matrix, in float32."""

    def rows(csr: Any) -> tuple[Tensor, Tensor, Tensor]:
        return (
            torch.from_numpy(csr.indptr[:-1].astype(np.int64)),
            torch.from_numpy(csr.indices.astype(np.int64)),
            torch.from_numpy(csr.data.astype(np.float32)),
        )

    csr = sp.csr_array(matrix)
    return _Sparse(*rows(csr), *rows(sp.csr_array(csr.T)))


class _Product(torch.autograd.Function):
    """Constant sparse matrix times dense matrix, differentiated by the dense one.

    A weighted ``embedding_bag`` is the same sum as a CSR product, and takes 0.4 of the time of
    ``torch.sparse.mm`` (Cora's features times 1433 x 256 weights, one core).
    """

    @staticmethod
    def forward(ctx: Any, matrix: _Sparse, dense: Tensor) -> Tensor:
        ctx.matrix = matrix
        return _bag(matrix.columns, dense, matrix.starts, matrix.weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        matrix = ctx.matrix
        return None, _bag(matrix.back_columns, gradients[0], matrix.back_starts, matrix.back_weights)


def _bag(columns: Tensor, dense: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    if len(columns) == 0:
        return dense.new_zeros(len(starts), dense.shape[1])
    return functional.embedding_bag(
        columns, dense.contiguous(), starts, mode="sum", per_sample_weights=weights
    )


def _times(matrix: _Sparse | Tensor | None, dense: Tensor) -> Tensor:
    """``matrix @ dense`` for a sparse or a dense matrix; None is the identity."""
    if matrix is None:
        return dense
    return matrix @ dense if isinstance(matrix, Tensor) else _Product.apply(matrix, dense)
