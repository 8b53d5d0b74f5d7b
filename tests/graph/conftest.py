"""Small graphs that stress what a file format can lose, for all tests of graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.graph.dataset import GraphDataset


def _full(*, sparse: bool = True, dtype: type = np.float32) -> GraphDataset:
    """Everything that a graph can have, with awkward names and numbers."""
    x = np.array([[0.1, 0, -3e-8], [0, 0, 0], [1 / 3, 2, 0], [0, 0, 7e9]], dtype=dtype)
    return GraphDataset(
        name="full of it",
        given=np.array([2, 0, -1, 1]),
        true=np.array([2, 1, 0, -1]),
        class_names=("zebra", "NA", 'a,b "c"', "nobody"),
        unit_ids=np.array(["007", "7", "é,x", "nan"]),
        groups=np.array([0, 0, 1, 1]),
        x=sp.csr_array(x) if sparse else x,
        edge_index=np.array([[0, 1, 1, 3, 2], [1, 0, 3, 3, 0]]),
        edge_weight=np.array([0.1, 0.1, 2.0, 1.0, 1 / 3]),
        masks={"train": np.array([True, False, False, True]), "val": np.array([False, True, False, False])},
        source="here",
        meta={"corruption": {"kind": "pair", "asked_rate": 0.1}},
    )


def _plain() -> GraphDataset:
    """As little as a graph can have: no features, no ids, no weights, no edges."""
    return GraphDataset(
        name="plain",
        given=np.array([0, 1, -1]),
        class_names=("0", "1"),
        source="nowhere",
        x=np.zeros((3, 0), dtype=np.float32),
        edge_index=np.zeros((2, 0), dtype=np.int64),
    )


def _assert_equal(one: GraphDataset, other: GraphDataset) -> None:
    """Every field, with types."""
    for field in ("name", "class_names", "source"):
        assert getattr(one, field) == getattr(other, field), field
    assert dict(one.meta) == dict(other.meta)
    for field in ("given", "true", "groups", "edge_index", "edge_weight", "unit_ids"):
        a, b = getattr(one, field), getattr(other, field)
        assert (a is None) == (b is None), field
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg=field)
            assert np.asarray(a).dtype.kind == np.asarray(b).dtype.kind, field
    assert sp.issparse(one.x) == sp.issparse(other.x)
    assert one.x.dtype == other.x.dtype
    a, b = (value.toarray() if sp.issparse(value) else value for value in (one.x, other.x))
    np.testing.assert_array_equal(a, b)
    assert list(one.masks) == list(other.masks)
    for key in one.masks:
        np.testing.assert_array_equal(one.masks[key], other.masks[key])
    assert one.content_hash() == other.content_hash()


def _arrays(**changes: Any) -> dict[str, Any]:
    """Named arrays of a sound graph of four nodes, with changes; a change to None leaves a key out."""
    base: dict[str, Any] = {
        "x": np.arange(8, dtype=np.float32).reshape(4, 2),
        "y": np.array([0, 1, 1, 0]),
        "edge_index": np.array([[0, 1, 2], [1, 2, 3]]),
    }
    merged = {**base, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.fixture
def full_graph() -> GraphDataset:
    """Everything that a graph can have."""
    return _full()


@pytest.fixture
def plain_graph() -> GraphDataset:
    """As little as a graph can have."""
    return _plain()


@pytest.fixture(params=["sparse", "dense", "plain"])
def any_graph(request: pytest.FixtureRequest) -> GraphDataset:
    """Each of the sample graphs in turn."""
    if request.param == "plain":
        return _plain()
    return _full() if request.param == "sparse" else _full(sparse=False, dtype=np.float64)


@pytest.fixture
def assert_equal_graphs() -> Callable[[GraphDataset, GraphDataset], None]:
    """Fails unless two graphs agree in every field."""
    return _assert_equal


@pytest.fixture
def graph_arrays() -> Callable[..., dict[str, Any]]:
    """Makes the named arrays of a sound graph, with changes."""
    return _arrays


@pytest.fixture
def shchur_arrays() -> dict[str, np.ndarray]:
    """A graph of three nodes in the layout of the GNN benchmark, with a loop, a weight and counts."""
    adjacency = sp.csr_array(np.array([[1, 1, 0], [0, 0, 2], [0, 0, 0]], dtype=np.float32))
    features = sp.csr_array(np.array([[0.5, 0], [0, 3], [0, 0]], dtype=np.float32))
    result = {"labels": np.array([0, 1, 1])}
    for what, matrix in (("adj", adjacency), ("attr", features)):
        for part in ("data", "indices", "indptr", "shape"):
            result[f"{what}_{part}"] = np.asarray(getattr(matrix, part))
    return result
