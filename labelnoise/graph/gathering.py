"""What graph networks gather with: constant sparse matrices in torch, over the whole graph or some of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional

from labelnoise.graph.propagation import gcn_adjacency

__all__ = [
    "Block",
    "Operator",
    "Product",
    "Sparse",
    "affine",
    "as_sparse",
    "bag",
    "gathering_matrix",
    "operator_of",
    "times",
]


class Sparse(NamedTuple):
    """A constant sparse matrix and its transpose, each as the three arrays of its rows."""

    starts: Tensor
    columns: Tensor
    weights: Tensor
    back_starts: Tensor
    back_columns: Tensor
    back_weights: Tensor


class Operator(NamedTuple):
    """What a layer gathers with.

    Attributes
    ----------
    matrix : sparse matrix (n, n) as row arrays, or None
        None is the identity.
    own : Tensor of shape (n,)
        Its diagonal: the weight of a node's own state.
    """

    matrix: Sparse | None
    own: Tensor


class Block(NamedTuple):
    """What one layer gathers with where only some rows are asked for (`labelnoise.graph.node_classifier`).

    Attributes
    ----------
    steps : list of sparse matrix
        One for each hop, from the layer's input rows to its output rows; empty where nothing is gathered.
    own : Tensor of int64
        Where the output rows stand among the input rows.
    """

    steps: list[Sparse]
    own: Tensor


def as_sparse(matrix: Any) -> Sparse:
    """Take over a scipy sparse matrix, in float32."""

    def rows(csr: Any) -> tuple[Tensor, Tensor, Tensor]:
        return (
            torch.from_numpy(csr.indptr[:-1].astype(np.int64)),
            torch.from_numpy(csr.indices.astype(np.int64)),
            torch.from_numpy(csr.data.astype(np.float32)),
        )

    csr = sp.csr_array(matrix)
    return Sparse(*rows(csr), *rows(sp.csr_array(csr.T)))


class Product(torch.autograd.Function):
    """Constant sparse matrix times dense matrix, differentiated by the dense one.

    A weighted ``embedding_bag`` is the same sum as a CSR product, and takes 0.4 of the time of
    ``torch.sparse.mm`` (Cora's features times 1433 x 256 weights, one core).
    """

    @staticmethod
    def forward(ctx: Any, matrix: Sparse, dense: Tensor) -> Tensor:
        ctx.matrix = matrix
        return bag(matrix.columns, dense, matrix.starts, matrix.weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        matrix = ctx.matrix
        return None, bag(matrix.back_columns, gradients[0], matrix.back_starts, matrix.back_weights)


def bag(columns: Tensor, dense: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of rows of ``dense``: those named in ``columns`` from each of ``starts`` to the next."""
    if len(columns) == 0:
        return dense.new_zeros(len(starts), dense.shape[1])
    return functional.embedding_bag(
        columns, dense.contiguous(), starts, mode="sum", per_sample_weights=weights
    )


def times(matrix: Sparse | Tensor | None, dense: Tensor) -> Tensor:
    """``matrix @ dense`` for a sparse or a dense matrix; None is the identity."""
    if matrix is None:
        return dense
    return matrix @ dense if isinstance(matrix, Tensor) else Product.apply(matrix, dense)


def affine(steps: Sequence[Sparse], hidden: Sparse | Tensor, weight: Tensor) -> Tensor:
    """A ... A H W in the cheaper order of multiplication."""
    d_in, d_out = weight.shape
    if len(steps) == 1 and isinstance(hidden, Tensor):
        gathered, rows_out = len(steps[0].weights), len(steps[0].starts)
        if gathered * d_in + rows_out * d_in * d_out < gathered * d_out + len(hidden) * d_in * d_out:
            return times(steps[0], hidden) @ weight
    result = times(hidden, weight).float()  # a product in half precision is summed over edges in single
    for step in steps:
        result = times(step, result)
    return result


def gathering_matrix(adjacency: Any, kind: str) -> sp.csr_array | None:
    """The matrix that a network gathers with, None for the identity.

    Parameters
    ----------
    adjacency : sparse matrix of shape (n, n)
        Symmetric, without self loops.
    kind : {"gcn", "sum", "identity"}
        (D + I)^-1/2 (A + I) (D + I)^-1/2; A + I; nothing gathered.
    """
    if kind == "identity":
        return None
    if kind == "gcn":
        return gcn_adjacency(adjacency)
    return sp.csr_array(adjacency + sp.eye_array(adjacency.shape[0], format="csr"))


def operator_of(adjacency: Any, kind: str) -> Operator:
    """`gathering_matrix` as torch takes it.

    Examples
    --------
    >>> operator_of(sp.csr_array([[0, 1], [1, 0]]), "gcn").own
    tensor([0.5000, 0.5000])
    """
    matrix = gathering_matrix(adjacency, kind)
    if matrix is None:
        return Operator(None, torch.ones(adjacency.shape[0]))
    return Operator(as_sparse(matrix), torch.from_numpy(matrix.diagonal().astype(np.float32)))
