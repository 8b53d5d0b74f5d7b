"""Graph networks as torch modules for full-batch training, for any strategy of the core's training loop.

`labelnoise.graph.models` holds the networks of the published GraphCleaner experiments; these here are small and can
mix hidden states of nodes.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError
from labelnoise.graph.models import _Sparse, _sparse, _times
from labelnoise.graph.propagation import gcn_adjacency

__all__ = [
    "GAT",
    "GCN",
    "GIN",
    "MLP",
    "NETWORKS",
    "SGC",
    "Mixing",
    "Operator",
    "build_network",
    "operator_of",
]


class Operator(NamedTuple):
    """What a layer gathers with.

    Attributes
    ----------
    matrix : sparse matrix (n, n) as row arrays, or None
        None is the identity.
    own : Tensor of shape (n,)
        Its diagonal: the weight of a node's own state.
    """

    matrix: _Sparse | None
    own: Tensor


class Mixing(NamedTuple):
    """Which node each is mixed with, (n,) int64, and its own share in [0, 1], (n,)."""

    partner: Tensor
    share: Tensor

    def blend(self, values: Tensor) -> Tensor:
        """Rows of both nodes, weighted by their shares."""
        share = self.share[:, None]
        return share * values + (1 - share) * values[self.partner]


def operator_of(adjacency: Any, kind: str) -> Operator:
    """The matrix that a network gathers with.

    Parameters
    ----------
    adjacency : sparse matrix of shape (n, n)
        Symmetric, without self loops.
    kind : {"gcn", "sum", "identity"}
        (D + I)^-1/2 (A + I) (D + I)^-1/2; A + I; nothing gathered.

    Examples
    --------
    >>> operator_of(sp.csr_array([[0, 1], [1, 0]]), "gcn").own
    tensor([0.5000, 0.5000])
    """
    n = adjacency.shape[0]
    if kind == "identity":
        return Operator(None, torch.ones(n))
    closed = sp.csr_array(adjacency + sp.eye_array(n, format="csr"))
    matrix = closed if kind == "sum" else gcn_adjacency(adjacency)
    return Operator(_sparse(matrix), torch.from_numpy(matrix.diagonal().astype(np.float32)))


class _Affine(nn.Module):
    """x W; the bias is added by whoever gathers in between."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        bound = math.sqrt(6 / max(d_in + d_out, 1))
        self.weight = nn.Parameter(torch.empty(d_in, d_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(d_out))

    def forward(self, hidden: _Sparse | Tensor) -> Tensor:
        return _times(hidden, self.weight).float()


class _Network(nn.Module):
    """Common to all: which operator it wants, and whether nodes can be mixed."""

    operator: ClassVar[str] = "gcn"
    mixes: ClassVar[bool] = True


class GCN(_Network):
    """Graph convolutions with ReLU and dropout between them.

    Mixed nodes follow Wang et al. (2021): the own state is mixed, layer by layer, and so is what comes in from the
    unmixed neighbours of either node.

    Parameters
    ----------
    n_features, n_classes : int
    hidden : int
        Width of hidden layers.
    layers : int
        At least 1.
    dropout : float
        Of hidden states, from 0 to below 1.

    Examples
    --------
    >>> operator = operator_of(sp.csr_array([[0, 1], [1, 0]]), "gcn")
    >>> GCN(3, 4)(torch.ones(2, 3), operator).shape
    torch.Size([2, 4])
    """

    def __init__(
        self, n_features: int, n_classes: int, *, hidden: int = 64, layers: int = 2, dropout: float = 0.5
    ) -> None:
        super().__init__()
        _check(hidden, layers, dropout)
        widths = [n_features, *[hidden] * (layers - 1), n_classes]
        self.layers = nn.ModuleList(_Affine(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = dropout

    def forward(self, features: _Sparse | Tensor, operator: Operator, mixing: Mixing | None = None) -> Tensor:
        hidden: Any = features
        mixed: Tensor | None = None
        for position, layer in enumerate(self.layers):
            if position:
                hidden = functional.dropout(functional.relu(hidden), self.dropout, self.training)
                if mixed is not None:
                    mixed = functional.dropout(functional.relu(mixed), self.dropout, self.training)
            values = layer(hidden)
            hidden = _times(operator.matrix, values) + layer.bias
            if mixing is not None:
                own = mixing.blend(values) if mixed is None else layer(mixed)
                mixed = mixing.blend(hidden) + _own_correction(mixing, operator.own, own, values)
        return hidden if mixed is None else mixed


class MLP(GCN):
    """A perceptron on the node's own features; edges play no part.

    Examples
    --------
    >>> MLP(3, 4).operator
    'identity'
    """

    operator: ClassVar[str] = "identity"


class SGC(_Network):
    """One affine map of features gathered over ``hops`` steps; no hidden layer.

    Examples
    --------
    >>> [tuple(p.shape) for p in SGC(3, 4).parameters()]
    [(3, 4), (4,)]
    """

    def __init__(self, n_features: int, n_classes: int, *, hops: int = 2) -> None:
        super().__init__()
        if hops < 1:
            raise InputError(f"hops is {hops}; at least 1 is needed.")
        self.layer, self.hops = _Affine(n_features, n_classes), hops

    def forward(self, features: _Sparse | Tensor, operator: Operator, mixing: Mixing | None = None) -> Tensor:
        hidden = self.layer(features)
        for _ in range(self.hops):
            hidden = _times(operator.matrix, hidden)
        hidden = hidden + self.layer.bias
        # The network is linear, so that mixing what is gathered is mixing what comes out.
        return hidden if mixing is None else mixing.blend(hidden)


class GIN(_Network):
    """Sums over the node and its neighbours, each followed by a small perceptron.

    Parameters
    ----------
    n_features, n_classes, hidden, layers, dropout
        As in `GCN`; ``layers`` counts the sums.

    Examples
    --------
    >>> len(GIN(3, 4, layers=2).layers)
    4
    """

    operator: ClassVar[str] = "sum"
    mixes: ClassVar[bool] = False

    def __init__(
        self, n_features: int, n_classes: int, *, hidden: int = 64, layers: int = 2, dropout: float = 0.5
    ) -> None:
        super().__init__()
        _check(hidden, layers, dropout)
        widths = [n_features, *[hidden] * (2 * layers - 1), n_classes]
        self.layers = nn.ModuleList(_Affine(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = dropout

    def forward(self, features: _Sparse | Tensor, operator: Operator) -> Tensor:
        hidden: Any = features
        for position, layer in enumerate(self.layers):
            if position:
                hidden = functional.relu(hidden)
                if position % 2 == 0:
                    hidden = functional.dropout(hidden, self.dropout, self.training)
            values = layer(hidden)
            hidden = (_times(operator.matrix, values) if position % 2 == 0 else values) + layer.bias
        return hidden


class GAT(_Network):
    """Neighbours weighted by attention, several heads side by side in hidden layers, one at the end.

    Parameters
    ----------
    n_features, n_classes, layers, dropout
        As in `GCN`.
    hidden : int
        Width of hidden layers, all heads together.
    heads : int
        Divides ``hidden``.

    Examples
    --------
    >>> operator = operator_of(sp.csr_array([[0, 1], [1, 0]]), "sum")
    >>> GAT(3, 4)(torch.ones(2, 3), operator).shape
    torch.Size([2, 4])
    """

    operator: ClassVar[str] = "sum"
    mixes: ClassVar[bool] = False

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 8,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        _check(hidden, layers, dropout)
        if heads < 1 or hidden % heads:
            raise InputError(
                f"heads is {heads} and hidden is {hidden}; the number of heads must divide the width."
            )
        widths = [n_features, *[hidden] * (layers - 1), n_classes]
        self.heads = [*[heads] * (layers - 1), 1]
        self.layers = nn.ModuleList(_Affine(a, b) for a, b in itertools.pairwise(widths))
        self.scores = nn.ParameterList(
            torch.empty(2, h, b // h).uniform_(-(bound := math.sqrt(6 / (b // h + 1))), bound)
            for h, b in zip(self.heads, widths[1:])
        )
        self.dropout = dropout

    def forward(self, features: _Sparse | Tensor, operator: Operator) -> Tensor:
        edges = operator.matrix
        assert edges is not None
        n = len(edges.starts)
        sizes = torch.diff(edges.starts, append=edges.starts.new_tensor([len(edges.columns)]))
        receiver = torch.repeat_interleave(torch.arange(n, device=sizes.device), sizes)
        hidden: Any = features
        for position, (layer, score, heads) in enumerate(zip(self.layers, self.scores, self.heads)):
            if position:
                hidden = functional.dropout(functional.elu(hidden), self.dropout, self.training)
            values = layer(hidden).reshape(n, heads, -1)
            sent, received = (values * score[0]).sum(2), (values * score[1]).sum(2)
            e = functional.leaky_relu(sent[edges.columns] + received[receiver], 0.2)
            highest = e.new_full((n, heads), -torch.inf)
            highest = highest.scatter_reduce(0, receiver[:, None].expand_as(e), e.detach(), "amax")
            share = (e - highest[receiver]).exp()
            share = share / share.new_zeros(n, heads).index_add(0, receiver, share)[receiver]
            gathered = torch.zeros_like(values).index_add(
                0, receiver, share[..., None] * values[edges.columns]
            )
            hidden = gathered.reshape(n, -1) + layer.bias
        return hidden


def _own_correction(mixing: Mixing, weight: Tensor, own: Tensor, values: Tensor) -> Tensor:
    """What changes in a blend of gathered states if both nodes' own state is the mixed one."""
    first = (mixing.share * weight)[:, None] * (own - values)
    other = ((1 - mixing.share) * weight[mixing.partner])[:, None] * (own - values[mixing.partner])
    return first + other


def _check(hidden: int, layers: int, dropout: float) -> None:
    if hidden < 1 or layers < 1:
        raise InputError(f"hidden is {hidden} and layers is {layers}; both must be at least 1.")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}; it must be from 0 to below 1.")


def build_network(name: str, n_features: int, n_classes: int, **options: Any) -> nn.Module:
    """A network by name with its options set.

    Raises
    ------
    InputError
        An unknown network or option, or an option out of range.

    Examples
    --------
    >>> build_network("sgc", 3, 4, hops=1).hops
    1
    >>> build_network("sgc", 3, 4, hidden=8)
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The network 'sgc' has no option 'hidden'. It takes: hops.
    """
    target: Callable[..., nn.Module] = NETWORKS[name].load()
    known = list(inspect.signature(target).parameters)[2:]
    for key in options:
        if key not in known:
            raise InputError(f"The network {name!r} has no option {key!r}. It takes: {', '.join(known)}.")
    return target(n_features, n_classes, **options)


_HERE = "labelnoise.graph.networks:"

#: Networks for `labelnoise.graph.gnn_task.GraphTask`, by name.
NETWORKS = Registry("graph network")
NETWORKS.add(
    Entry(
        "gcn",
        _HERE + "GCN",
        "Graph convolutions: means over neighbours, weighted by degree.",
        "Kipf, Welling 2017, Semi-supervised classification with graph convolutional networks, ICLR, equation 9",
        formula="H' = relu(S H W + b), S = (D + I)^-1/2 (A + I) (D + I)^-1/2",
        helps="The common reference on graphs whose neighbours agree.",
        hurts="Spreads wrong labels to neighbours; worse than an MLP where neighbours disagree.",
    ),
    Entry(
        "gin",
        _HERE + "GIN",
        "Sums over neighbours, each followed by a perceptron.",
        "Xu et al. 2019, How powerful are graph neural networks?, ICLR, equation 4.1 with eps = 0",
        formula="H' = relu((A + I) H W1 + b1) W2 + b2",
        helps="Where numbers of neighbours matter.",
        hurts="States grow with the degree; memorises few labels faster than a GCN; cannot mix nodes.",
    ),
    Entry(
        "gat",
        _HERE + "GAT",
        "Neighbours weighted by attention.",
        "Velickovic et al. 2018, Graph attention networks, ICLR, equations 1 to 6",
        formula="H'_i = sum_j softmax_j(leakyrelu(a1 W h_j + a2 W h_i)) W h_j",
        helps="Where some neighbours matter more than others.",
        hurts="Several times the cost of a GCN; attention fits wrong labels too; cannot mix nodes.",
    ),
    Entry(
        "sgc",
        _HERE + "SGC",
        "A linear map of features smoothed over two steps.",
        "Wu et al. 2019, Simplifying graph convolutional networks, ICML, equation 8",
        formula="Z = S^2 X W + b",
        helps="The cheapest, and too stiff to memorise much.",
        hurts="Needs many epochs or a large learning rate on normalised features; no hidden layer.",
    ),
    Entry(
        "mlp",
        _HERE + "MLP",
        "A perceptron on the node's own features.",
        "Rumelhart, Hinton, Williams 1986, Learning representations by back-propagating errors, Nature",
        formula="H' = relu(H W + b)",
        helps="Neighbours that disagree; nodes without edges.",
        hurts="Far behind on citation graphs with few labels.",
    ),
)
