"""The two-layer attention network of ERASE, with sparse features and one sparse product per layer."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from labelnoise.graph.dataset import GraphDataset

__all__ = ["ErasedGAT"]

#: Edges whose rows are multiplied together where there is no sparse product for it.
_AT_ONCE = 4096


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
        h = _UnitRows.apply(h, 0.01)
        # (A h) W = A (h W): gathering before the wider product moves half the numbers
        reach = h @ (self.weight2 @ self.score2[:, 0].T)
        gathered = self.edges.attend(h[:, None, :], reach.T[:, :, None])[:, 0]
        if nodes is not None:
            gathered = gathered[nodes]
        z = torch.addmm(self.bias2, gathered, self.weight2)
        return _UnitRows.apply(z, 0.0)  # type: ignore[no-any-return]


def _glorot(first: int, second: int, rows: int = 1) -> Tensor:
    bound = float(np.sqrt(6 / (first + second)))
    return torch.empty((first, second) if rows == 1 else (rows, first, second)).uniform_(-bound, bound)


class _Edges:
    """Pattern of the neighbourhoods with self loops: sources of each receiver, and the way back."""

    def __init__(self, adjacency: sp.csr_array) -> None:
        n = adjacency.shape[0]
        pattern = sp.csr_array(adjacency + sp.eye_array(n, format="csr"))
        pattern.sort_indices()
        self.n = n
        self.source = pattern.indices.astype(np.int64)
        self.receiver = np.repeat(np.arange(n), np.diff(pattern.indptr))
        # The pattern is symmetric, so the edges ordered by source have the same row lengths.
        self.back = np.lexsort((self.receiver, self.source))
        self.starts = pattern.indptr[:-1].astype(np.int64)
        self._by_heads: dict[int, _Pattern] = {}

    def attend(self, values: Tensor, scores: Tensor) -> Tensor:
        """Sum over sources, weighted by the softmax of leaky_relu(source's + receiver's score); (n, heads, c)."""
        return _Attend.apply(values, scores, self)  # type: ignore[no-any-return]

    def pattern(self, heads: int) -> _Pattern:
        """One row for each receiver and head."""
        if heads not in self._by_heads:
            self._by_heads[heads] = _Pattern(self, heads)
        return self._by_heads[heads]


class _Pattern:
    """Sparse matrices of (n * heads) rows, in which a row's sources are rows of the same head."""

    def __init__(self, edges: _Edges, heads: int) -> None:
        sizes = np.diff(np.append(edges.starts, len(edges.source))).repeat(heads)
        ends = np.cumsum(sizes)
        starts = ends - sizes
        within = np.arange(len(edges.source)) - edges.starts[edges.receiver]
        place = starts.reshape(-1, heads)[edges.receiver] + within[:, None]
        columns = np.empty(place.size, dtype=np.int32)
        columns[place] = edges.source[:, None] * heads + np.arange(heads)
        #: Entry of the matrix to (edge, head), flat; none for one head, where the order is the same.
        self.entry = None
        if heads > 1:
            self.entry = np.empty(place.size, dtype=np.int64)
            self.entry[place.ravel()] = np.arange(place.size)
        self.place = place
        self.columns = torch.from_numpy(columns)
        self.starts = torch.from_numpy(starts.astype(np.int32))
        self.pointers = torch.from_numpy(np.append(starts, place.size).astype(np.int32))

    def gather(self, share: NDArray[np.float32], values: Tensor) -> Tensor:
        """``out[i, h] = sum over the edges e of i of share[e, h] * values[source of e, h]``."""
        n, heads, c = values.shape
        flat = share.reshape(-1)
        weight = torch.from_numpy(flat if self.entry is None else flat[self.entry])
        rows = functional.embedding_bag(
            self.columns, values.reshape(n * heads, c), self.starts, mode="sum", per_sample_weights=weight
        )
        return rows.view(n, heads, c)

    def agreement(self, receivers: Tensor, sources: Tensor) -> NDArray[np.float32]:
        """``out[e, h] = receivers[receiver of e, h] . sources[source of e, h]``."""
        n, heads, c = sources.shape
        left, right = receivers.reshape(n * heads, c), sources.reshape(n * heads, c)
        if torch.backends.mkl.is_available():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # "sparse CSR is in beta"
                empty = torch.sparse_csr_tensor(
                    self.pointers, self.columns, torch.zeros(len(self.columns)),
                    size=(n * heads, n * heads), check_invariants=False,
                )  # fmt: skip
                found = torch.sparse.sampled_addmm(empty, left, right.T, beta=0.0).values()
        else:
            receiver = torch.repeat_interleave(torch.diff(self.pointers))
            found = torch.cat([
                (left[r] * right[s]).sum(1)
                for r, s in zip(receiver.split(_AT_ONCE), self.columns.split(_AT_ONCE), strict=True)
            ])  # fmt: skip
        return found.numpy()[self.place]  # type: ignore[no-any-return]


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scores: Tensor, edges: _Edges) -> Tensor:
        raw = scores[0].detach().numpy()[edges.source] + scores[1].detach().numpy()[edges.receiver]
        slope = np.where(raw > 0, np.float32(1), np.float32(0.2))
        raw *= slope
        raw -= np.maximum.reduceat(raw, edges.starts, axis=0)[edges.receiver]
        share = np.exp(raw, out=raw)
        share /= np.add.reduceat(share, edges.starts, axis=0)[edges.receiver]
        ctx.edges, ctx.share, ctx.slope = edges, share, slope
        ctx.save_for_backward(values)
        return edges.pattern(values.shape[1]).gather(share, values)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        (values,) = ctx.saved_tensors
        edges, share = ctx.edges, ctx.share
        pattern, gradient = edges.pattern(values.shape[1]), outer[0].contiguous()
        back = pattern.gather(share[edges.back], gradient)
        by_edge = pattern.agreement(gradient, values)
        by_edge *= share
        by_edge -= share * np.add.reduceat(by_edge, edges.starts, axis=0)[edges.receiver]
        by_edge *= ctx.slope
        by_source = np.add.reduceat(by_edge[edges.back], edges.starts, axis=0)
        by_receiver = np.add.reduceat(by_edge, edges.starts, axis=0)
        return back, torch.from_numpy(np.stack([by_source, by_receiver])), None


class _UnitRows(torch.autograd.Function):
    """``relu(x / |x|_1)`` row by row, or ``leaky_relu(x)`` divided by its L1 norm."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        unit = functional.leaky_relu(x, slope) if slope else x.clone()
        length = torch.from_numpy(np.abs(unit.numpy()).sum(axis=1, keepdims=True)).clamp_(min=1e-12)
        unit.div_(length)
        ctx.slope = slope
        ctx.save_for_backward(unit, length)
        return unit if slope else torch.relu(unit)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        unit, length = ctx.saved_tensors
        u, g = unit.numpy(), outer[0].numpy()
        up = u > 0
        # |x|_1 has the gradient sign(x); a row of an odd entry that is exactly 0 gets that of a negative one
        if ctx.slope:
            along = np.einsum("ij,ij->i", g, u)[:, None]
            g = np.where(up, g - along, ctx.slope * (g + along))
        else:
            g = g * up
            along = np.einsum("ij,ij->i", g, u)[:, None]
            g += np.where(up, -along, along)
        g /= length.numpy()
        return torch.from_numpy(g), None


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
            torch.from_numpy(a.astype(np.int32)) for a in (csr.indices, csr.indptr[:-1])
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
