"""The two-layer attention network of ERASE, with sparse features and one sparse product per layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional

from labelnoise.graph.dataset import GraphDataset

__all__ = ["ErasedGAT"]


class ErasedGAT(nn.Module):
    """GAT of 8 heads, then of one; rows of L1 norm 1 after both; non-negative output.

    ``h = leaky_relu(GAT(x))``, ``h <- h / |h|_1``, ``z = GAT(h)``, ``z = relu(z / |z|_1)``; dropout on x only.

    Parameters
    ----------
    dataset : GraphDataset
        Features, sparse or dense; edges in both directions, self loops are added.
    hidden, width : int
        Columns after the first and the second layer.
    heads : int
        Of the first layer.
    dropout : float
        Share of the feature entries that are zeroed in a training step.
    features : sparse matrix or ndarray, optional
        Instead of the dataset's, such as scaled ones.
    """

    def __init__(
        self,
        dataset: GraphDataset,
        *,
        hidden: int = 256,
        width: int = 512,
        heads: int = 8,
        dropout: float = 0.5,
        features: Any = None,
    ) -> None:
        super().__init__()
        x = dataset.x if features is None else features
        self.features = _Features(x, dropout)
        self.edges = _Edges(dataset.adjacency)
        self.heads = heads
        self.weight1 = nn.Parameter(_glorot(x.shape[1], hidden))
        self.score1 = nn.Parameter(_glorot(heads, hidden // heads, rows=2))
        self.bias1 = nn.Parameter(torch.zeros(hidden))
        self.weight2 = nn.Parameter(_glorot(hidden, width))
        self.score2 = nn.Parameter(_glorot(1, width, rows=2))
        self.bias2 = nn.Parameter(torch.zeros(width))

    def forward(self, nodes: Tensor | None = None) -> Tensor:
        """Embeddings of all nodes, or of some at less cost, shape (nodes, width)."""
        values = self.features.times(self.weight1, self.training)
        n, hidden = values.shape
        split = values.view(n, self.heads, hidden // self.heads)
        scores = torch.einsum("nhc,shc->snh", split, self.score1)
        h = self.edges.attend(split, scores).view(n, hidden) + self.bias1
        h = functional.normalize(functional.leaky_relu(h, 0.01), p=1, dim=1)
        # (A h) W = A (h W): gathering before the wider product moves half the numbers
        reach = h @ (self.weight2 @ self.score2[:, 0].T)
        gathered = self.edges.attend(h[:, None, :], reach.T[:, :, None])[:, 0]
        if nodes is not None:
            gathered = gathered[nodes]
        z = torch.addmm(self.bias2, gathered, self.weight2)
        return torch.relu(functional.normalize(z, p=1, dim=1))


def _glorot(first: int, second: int, rows: int = 1) -> Tensor:
    bound = float(np.sqrt(6 / (first + second)))
    return torch.empty((first, second) if rows == 1 else (rows, first, second)).uniform_(-bound, bound)


class _Edges:
    """Pattern of the neighbourhoods with self loops: sources of each receiver, and the way back."""

    def __init__(self, adjacency: sp.csr_array) -> None:
        n = adjacency.shape[0]
        pattern = sp.csr_array(adjacency + sp.eye_array(n, format="csr"))
        pattern.sort_indices()
        self.n, sizes = n, np.diff(pattern.indptr)
        self.source = torch.from_numpy(pattern.indices.astype(np.int64))
        receiver = np.repeat(np.arange(n), sizes)
        self.receiver = torch.from_numpy(receiver)
        # The pattern is symmetric, so the edges ordered by source have the same row lengths.
        self.back = torch.from_numpy(np.lexsort((receiver, pattern.indices)))
        self.starts = torch.from_numpy(pattern.indptr[:-1].astype(np.int64))
        self._by_heads: dict[int, tuple[Tensor, Tensor]] = {}

    def attend(self, values: Tensor, scores: Tensor) -> Tensor:
        """Sum over sources, weighted by the softmax of leaky_relu(source's + receiver's score); (n, heads, c)."""
        raw = functional.leaky_relu(scores[0][self.source] + scores[1][self.receiver], 0.2)
        index = self.receiver[:, None].expand_as(raw)
        highest = raw.new_zeros(self.n, raw.shape[1]).scatter_reduce(
            0, index, raw.detach(), "amax", include_self=False
        )
        share = (raw - highest[self.receiver]).exp()
        total = share.new_zeros(self.n, raw.shape[1]).index_add(0, self.receiver, share)
        return _Gather.apply(values, share / total[self.receiver], self)  # type: ignore[no-any-return]

    def bags(self, heads: int) -> tuple[Tensor, Tensor]:
        """Where the entries (receiver, head) start, and their sources in the (n * heads) rows; see `gather`."""
        if heads not in self._by_heads:
            sizes = torch.diff(self.starts, append=torch.tensor([len(self.source)]))
            repeated = sizes.repeat_interleave(heads)
            starts = torch.cumsum(repeated, 0) - repeated
            # position of entry (edge e, head h): all of one receiver and head lie together
            edge = torch.arange(len(self.source))
            within = edge - self.starts[self.receiver]
            place = (
                starts[(self.receiver[:, None] * heads + torch.arange(heads)).ravel()].view(-1, heads)
                + within[:, None]
            )
            self._by_heads[heads] = (starts, place)
        return self._by_heads[heads]

    def gather(self, values: Tensor, share: Tensor, sources: Tensor) -> Tensor:
        """``out[i, h] = sum over the edges e of i of share[e, h] * values[sources[e], h]``."""
        n, heads, c = values.shape
        rows = values.reshape(n * heads, c)
        starts, place = self.bags(heads)
        index = torch.empty(share.numel(), dtype=torch.int64)
        weight = torch.empty(share.numel(), dtype=values.dtype)
        flat = place.ravel()
        index[flat] = (sources[:, None] * heads + torch.arange(heads)).ravel()
        weight[flat] = share.reshape(-1)
        return functional.embedding_bag(index, rows, starts, mode="sum", per_sample_weights=weight).view(
            n, heads, c
        )


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, share: Tensor, edges: _Edges) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(values, share)
        return edges.gather(values, share, edges.source)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        values, share = ctx.saved_tensors
        edges: _Edges = ctx.edges
        gradient = outer[0].contiguous()
        back = edges.gather(gradient, share[edges.back], edges.receiver[edges.back])
        agreement = (
            gradient.index_select(0, edges.receiver).mul_(values.index_select(0, edges.source)).sum(-1)
        )
        return back, agreement, None


class _Features:
    """Constant features times weights, with dropout on the entries of the features."""

    def __init__(self, x: Any, dropout: float) -> None:
        self.dropout = dropout
        density = 1.0
        if sp.issparse(x):
            density = x.nnz / max(x.shape[0] * x.shape[1], 1)
        self.dense: Tensor | None = None
        if density > 0.2:
            full = x.toarray() if sp.issparse(x) else x
            self.dense = torch.from_numpy(np.ascontiguousarray(full, dtype=np.float32))
            return
        csr = sp.csr_array(x, dtype=np.float32)
        csr.sum_duplicates()
        order = sp.csr_array((np.arange(csr.nnz), csr.indices, csr.indptr), shape=csr.shape).T.tocsr()
        self.forward_arrays = tuple(
            torch.from_numpy(a.astype(np.int64)) for a in (csr.indices, csr.indptr[:-1])
        )
        self.backward_arrays = tuple(
            torch.from_numpy(a.astype(np.int64)) for a in (order.indices, order.indptr[:-1], order.data)
        )
        self.values = torch.from_numpy(csr.data)

    def times(self, weight: Tensor, training: bool) -> Tensor:
        drops = training and self.dropout > 0
        if self.dense is not None:
            return (functional.dropout(self.dense, self.dropout) if drops else self.dense) @ weight
        values = functional.dropout(self.values, self.dropout) if drops else self.values
        return _Product.apply(weight, values, self)  # type: ignore[no-any-return]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, values: Tensor, features: _Features) -> Tensor:
        ctx.features, ctx.values = features, values
        columns, starts = features.forward_arrays
        return functional.embedding_bag(columns, weight, starts, mode="sum", per_sample_weights=values)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        rows, starts, order = ctx.features.backward_arrays
        gradient = functional.embedding_bag(
            rows, outer[0].contiguous(), starts, mode="sum", per_sample_weights=ctx.values[order]
        )
        return gradient, None, None
