"""To torch-geometric and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.pyg import from_pyg, to_pyg

torch = pytest.importorskip("torch")
pyg = pytest.importorskip("torch_geometric.data")


def test_there_and_back(any_graph: GraphDataset) -> None:
    back = from_pyg(to_pyg(any_graph), name="back")
    np.testing.assert_array_equal(back.given, any_graph.given)
    np.testing.assert_array_equal(back.edge_index, any_graph.edge_index)
    x = any_graph.x.toarray() if sp.issparse(any_graph.x) else any_graph.x
    np.testing.assert_array_equal(back.x, x)
    assert back.x.dtype == any_graph.x.dtype
    assert list(back.masks) == list(any_graph.masks)
    if any_graph.true is not None:
        assert back.true is not None
        np.testing.assert_array_equal(back.true, any_graph.true)
    if any_graph.edge_weight is not None:
        assert back.edge_weight is not None
        np.testing.assert_allclose(back.edge_weight, any_graph.edge_weight, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:Sparse")
def test_sparse_features_stay_sparse_if_asked(full_graph: GraphDataset) -> None:
    data = to_pyg(full_graph, dense=False)
    assert data.x.layout == torch.sparse_csr
    back = from_pyg(data)
    assert sp.issparse(back.x)
    np.testing.assert_array_equal(back.x.toarray(), full_graph.x.toarray())


def test_changing_the_data_leaves_the_graph_alone(full_graph: GraphDataset) -> None:
    before = full_graph.content_hash()
    data = to_pyg(full_graph)
    data.y.fill_(0)
    data.edge_index.fill_(0)
    data.train_mask.fill_(False)
    assert full_graph.content_hash() == before
    assert full_graph.masks["train"].any()


def test_what_a_data_object_holds_beyond_that(graph_arrays: Callable[..., dict[str, Any]]) -> None:
    content = {key: torch.from_numpy(value) for key, value in graph_arrays().items()}
    graph = from_pyg(
        pyg.Data(**content, edge_attr=torch.ones(3, 2), title="mine", x_extra=torch.ones(4)), name="g"
    )
    assert graph.meta["left_out"] == ["edge_attr", "title", "x_extra"]


def test_several_labels_per_node_and_other_objects() -> None:
    data = pyg.Data(x=torch.eye(3), y=torch.ones(3, 4), edge_index=torch.zeros(2, 0, dtype=torch.long))
    with pytest.raises(InputError, match=r"y has shape \(3, 4\)"):
        from_pyg(data)
    with pytest.raises(InputError, match=r"not list; for a dataset pass dataset\[0\]"):
        from_pyg([data])  # type: ignore[arg-type]
