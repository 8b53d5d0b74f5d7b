"""To and from torch-geometric; torch is imported only when one of these functions is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import from_arrays
from labelnoise.graph.dataset import GraphDataset

if TYPE_CHECKING:
    from torch_geometric.data import Data

__all__ = ["arrays_of_tensors", "from_pyg", "to_pyg"]


def from_pyg(data: Data, *, name: str = "graph") -> GraphDataset:
    """Take a graph from a torch-geometric ``Data``.

    Parameters
    ----------
    data : torch_geometric.data.Data
        With ``y`` and ``edge_index``, usually ``x``; ``edge_weight`` and masks are used if present. What else
        it holds (``edge_attr``, ``pos`` ...) is left out, and ``meta["left_out"]`` lists it.
    name : str
        For reports.

    Returns
    -------
    GraphDataset
        Its arrays share the tensors' memory where they can.

    Raises
    ------
    InputError
        Several labels per node, missing parts, NaN.

    Examples
    --------
    >>> import pytest; torch_geometric = pytest.importorskip("torch_geometric")
    >>> import torch
    >>> data = torch_geometric.data.Data(
    ...     x=torch.eye(3), y=torch.tensor([0, 1, 1]), edge_index=torch.tensor([[0, 1], [1, 2]])
    ... )
    >>> from_pyg(data, name="three").degree
    array([1, 2, 1])
    """
    if not hasattr(data, "to_dict"):
        raise InputError(
            f"A torch_geometric Data object is needed, not {type(data).__name__}; "
            "for a dataset pass dataset[0]."
        )
    return from_arrays(arrays_of_tensors(data.to_dict()), name=name, source="torch_geometric Data")


def to_pyg(dataset: GraphDataset, *, dense: bool = True) -> Data:
    """Give a graph to torch-geometric.

    Parameters
    ----------
    dataset : GraphDataset
    dense : bool
        Whether sparse features become a dense tensor, as torch-geometric's own data sets have it (Coauthor
        CS: 500 MB); otherwise a sparse CSR tensor.

    Returns
    -------
    torch_geometric.data.Data
        With ``x``, ``y`` (given labels, -1 for none), ``edge_index``, and where known ``edge_weight``,
        ``true`` and one ``<split>_mask`` per split.

    Raises
    ------
    InputError
        torch-geometric is not installed.

    Examples
    --------
    >>> import pytest; _ = pytest.importorskip("torch_geometric")
    >>> graph = from_arrays({"y": [0, 1], "edge_index": [[0], [1]], "x": [[1.0], [2.0]]}, name="two")
    >>> to_pyg(graph)
    Data(x=[2, 1], edge_index=[2, 1], y=[2])
    """
    try:
        import torch
        from torch_geometric.data import Data
    except ImportError as error:
        raise InputError(
            f"to_pyg needs {error.name}, which is not installed; run pip install 'labelnoise[graph]'."
        ) from error
    if isinstance(dataset.x, np.ndarray):
        x = torch.from_numpy(np.array(dataset.x))
    elif dense:
        x = torch.from_numpy(dataset.x.toarray())
    else:
        matrix = sp.csr_array(dataset.x)
        parts = (torch.from_numpy(np.array(part)) for part in (matrix.indptr, matrix.indices, matrix.data))
        x = torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=True)
    data = Data(
        x=x,
        edge_index=torch.from_numpy(np.array(dataset.edge_index)),
        y=torch.from_numpy(np.array(dataset.given)),
    )
    if dataset.edge_weight is not None:
        data.edge_weight = torch.from_numpy(np.asarray(dataset.edge_weight, dtype=np.float32))
    if dataset.true is not None:
        data.true = torch.from_numpy(np.array(dataset.true))
    for key, mask in dataset.masks.items():
        data[f"{key}_mask"] = torch.from_numpy(np.array(mask))
    return data


def arrays_of_tensors(content: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors to arrays (sparse ones to scipy); everything else as it is."""
    return {key: _as_array(value) for key, value in content.items()}


def _as_array(value: Any) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    if value.dtype == torch.bfloat16:
        value = value.to(torch.float32)
    if value.layout == torch.strided:
        return value.numpy()
    if value.ndim != 2 or value.layout not in (torch.sparse_coo, torch.sparse_csr):
        raise InputError(f"A tensor has layout {value.layout}; dense, COO or CSR matrices are read.")
    # scipy checks the indices here and `from_arrays` once more; torch does not always check them.
    try:
        if value.layout == torch.sparse_coo:
            row, column = value._indices().numpy()
            return sp.coo_array((value._values().numpy(), (row, column)), shape=tuple(value.shape)).tocsr()
        parts = (value.values().numpy(), value.col_indices().numpy(), value.crow_indices().numpy())
        return sp.csr_array(parts, shape=tuple(value.shape))
    except ValueError as error:
        raise InputError(f"A sparse tensor is damaged ({error}); save it again.") from error
