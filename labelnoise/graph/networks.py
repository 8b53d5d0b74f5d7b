"""Graph networks as torch modules: over the whole graph, over the rows that some nodes need, or with nodes mixed."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError, choose
from labelnoise.graph.gathering import Block, Operator, Sparse, affine, bag, times

__all__ = [
    "GAT",
    "GCN",
    "GIN",
    "MLP",
    "NETWORKS",
    "SGC",
    "Mixing",
    "build_network",
]


class Mixing(NamedTuple):
    """Which node each is mixed with, (n,) int64, and its own share in [0, 1], (n,)."""

    partner: Tensor
    share: Tensor

    def blend(self, values: Tensor) -> Tensor:
        """Rows of both nodes, weighted by their shares."""
        share = self.share[:, None]
        return share * values + (1 - share) * values[self.partner]


class _Affine(nn.Module):
    """x W; the bias is added by whoever gathers in between."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        bound = math.sqrt(6 / max(d_in + d_out, 1))
        self.weight = nn.Parameter(torch.empty(d_in, d_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(d_out))

    def forward(self, hidden: Sparse | Tensor, steps: Sequence[Sparse] = ()) -> Tensor:
        return affine(steps, hidden, self.weight)


class _Network(nn.Module):
    """Common to all: which operator it wants, how far each layer gathers, and whether nodes can be mixed.

    Attributes
    ----------
    bits : numpy.random.Generator or None
        Where dropout of one half takes its random bits from; None is torch's global generator.
    """

    operator: ClassVar[str] = "gcn"
    mixes: ClassVar[bool] = True
    bits: np.random.Generator | None = None
    dropout: float = 0.0

    def hops(self) -> list[int]:
        """Steps along edges of each layer."""
        raise NotImplementedError

    def drop(self, hidden: Tensor) -> Tensor:
        """Dropout of hidden states while training."""
        if self.bits is None or not self.training:
            return functional.dropout(hidden, self.dropout, self.training)
        return _half_dropped(hidden, self.bits)

    def steps(self, gathers: Operator | Sequence[Block], position: int) -> list[Sparse]:
        """What the layer at this position multiplies with, the first step first."""
        if isinstance(gathers, Operator):
            return [] if gathers.matrix is None else [gathers.matrix] * self.hops()[position]
        return gathers[position].steps


def _half_dropped(hidden: Tensor, rng: np.random.Generator) -> Tensor:
    """Dropout 0.5 from single random bits (drawing floats costs more than the layer itself)."""
    count = hidden.numel()
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), dtype=np.uint8), count=count)
    return hidden * torch.from_numpy(bits.view(bool)).view_as(hidden).float().mul_(2)


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
    >>> import scipy.sparse as sp
    >>> from labelnoise.graph.gathering import operator_of
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

    def hops(self) -> list[int]:
        return [1] * len(self.layers)

    def forward(
        self,
        features: Sparse | Tensor,
        gathers: Operator | Sequence[Block],
        mixing: Mixing | None = None,
    ) -> Tensor:
        if mixing is not None:
            assert isinstance(gathers, Operator)
            return self._mixed(features, gathers, mixing)
        hidden: Any = features
        for position, layer in enumerate(self.layers):
            if position:
                hidden = self.drop(functional.relu(hidden))
            hidden = layer(hidden, self.steps(gathers, position)) + layer.bias
        return hidden  # type: ignore[no-any-return]

    def _mixed(self, features: Sparse | Tensor, operator: Operator, mixing: Mixing) -> Tensor:
        hidden: Any = features
        mixed: Tensor | None = None
        for position, layer in enumerate(self.layers):
            if position:
                hidden = self.drop(functional.relu(hidden))
                if mixed is not None:
                    mixed = self.drop(functional.relu(mixed))
            values = layer(hidden)
            hidden = times(operator.matrix, values) + layer.bias
            own = mixing.blend(values) if mixed is None else layer(mixed)
            mixed = mixing.blend(hidden) + _own_correction(mixing, operator.own, own, values)
        assert mixed is not None
        return mixed


class MLP(GCN):
    """A perceptron on the node's own features; edges play no part.

    Examples
    --------
    >>> MLP(3, 4).operator
    'identity'
    """

    operator: ClassVar[str] = "identity"

    def hops(self) -> list[int]:
        return [0] * len(self.layers)


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
        self.layers = nn.ModuleList([_Affine(n_features, n_classes)])
        self.n_hops = hops

    def hops(self) -> list[int]:
        return [self.n_hops]

    def forward(
        self,
        features: Sparse | Tensor,
        gathers: Operator | Sequence[Block],
        mixing: Mixing | None = None,
    ) -> Tensor:
        layer = self.layers[0]
        result: Tensor = layer(features, self.steps(gathers, 0)) + layer.bias
        # The network is linear, so that mixing what is gathered is mixing what comes out.
        return result if mixing is None else mixing.blend(result)


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

    def hops(self) -> list[int]:
        return [(position + 1) % 2 for position in range(len(self.layers))]

    def forward(self, features: Sparse | Tensor, gathers: Operator | Sequence[Block]) -> Tensor:
        hidden: Any = features
        for position, layer in enumerate(self.layers):
            if position:
                hidden = functional.relu(hidden)
                if position % 2 == 0:
                    hidden = self.drop(hidden)
            hidden = layer(hidden, self.steps(gathers, position)) + layer.bias
        return hidden  # type: ignore[no-any-return]


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
    activation : {"elu", "relu"}
        Between layers.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from labelnoise.graph.gathering import operator_of
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
        activation: str = "elu",
    ) -> None:
        super().__init__()
        _check(hidden, layers, dropout)
        if heads < 1 or hidden % heads:
            raise InputError(
                f"heads is {heads} and hidden is {hidden}; the number of heads must divide the width."
            )
        self._activate = getattr(functional, choose(activation, ("elu", "relu"), "activation"))
        widths = [n_features, *[hidden] * (layers - 1), n_classes]
        self.heads = [*[heads] * (layers - 1), 1]
        self.layers = nn.ModuleList(_Affine(a, b) for a, b in itertools.pairwise(widths))
        self.scores = nn.ParameterList(
            torch.empty(2, h, b // h).uniform_(-(bound := math.sqrt(6 / (b // h + 1))), bound)
            for h, b in zip(self.heads, widths[1:])
        )
        self.dropout = dropout

    def hops(self) -> list[int]:
        return [1] * len(self.layers)

    def forward(self, features: Sparse | Tensor, gathers: Operator | Sequence[Block]) -> Tensor:
        hidden: Any = features
        for position, (layer, score, heads) in enumerate(zip(self.layers, self.scores, self.heads)):
            if position:
                hidden = self.drop(self._activate(hidden))
            (edges,) = self.steps(gathers, position)
            own = None if isinstance(gathers, Operator) else gathers[position].own
            values = layer(hidden)
            hidden = _attend(edges, own, values.reshape(len(values), heads, -1), score) + layer.bias
        return hidden  # type: ignore[no-any-return]


def _attend(edges: Sparse, own: Tensor | None, values: Tensor, score: Tensor) -> Tensor:
    """Each row's sources, itself among them, weighted by a softmax per head; of ``edges`` only the pattern counts.

    ``score[0]`` scores a node as source, ``score[1]`` as receiver; ``own`` is where the receivers stand among the
    rows of ``values``, None for all of them in order.
    """
    n, heads = len(edges.starts), values.shape[1]
    sizes = torch.diff(edges.starts, append=edges.starts.new_tensor([len(edges.columns)]))
    receiver = torch.repeat_interleave(torch.arange(n, device=sizes.device), sizes)
    sent, received = (values * score[0]).sum(2), (values * score[1]).sum(2)
    received = received if own is None else received[own]
    e = functional.leaky_relu(sent[edges.columns] + received[receiver], 0.2)
    highest = e.new_full((n, heads), -torch.inf)
    highest = highest.scatter_reduce(0, receiver[:, None].expand_as(e), e.detach(), "amax")
    share = (e - highest[receiver]).exp()
    share = share / share.new_zeros(n, heads).index_add(0, receiver, share)[receiver]
    parts = [bag(edges.columns, values[:, h], edges.starts, share[:, h].contiguous()) for h in range(heads)]
    return parts[0] if heads == 1 else torch.cat(parts, dim=1)


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
    >>> build_network("sgc", 3, 4, hops=1).hops()
    [1]
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
