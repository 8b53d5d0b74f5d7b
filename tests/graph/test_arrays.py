"""Graphs from named arrays: what is accepted, what is refused and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import from_arrays, to_arrays
from labelnoise.graph.dataset import GraphDataset

Arrays = Callable[..., dict[str, Any]]


def test_there_and_back(any_graph: GraphDataset, assert_equal_graphs: Callable[..., None]) -> None:
    assert_equal_graphs(from_arrays(to_arrays(any_graph), name="other"), any_graph)


def test_label_names_share_one_list_of_classes(graph_arrays: Arrays) -> None:
    graph = from_arrays(
        graph_arrays(y=np.array(["10", "9", "", "9"]), true=np.array(["9", "9", "10", ""])), name="g"
    )
    assert graph.class_names == ("9", "10")
    assert graph.given.tolist() == [1, 0, -1, 0]
    assert graph.true is not None
    assert graph.true.tolist() == [0, 0, 1, -1]


def test_columns_of_labels_and_whole_floats_are_read(graph_arrays: Arrays) -> None:
    graph = from_arrays(graph_arrays(y=np.array([[0.0], [1.0], [-1.0], [1.0]])), name="g")
    assert graph.given.tolist() == [0, 1, -1, 1]


def test_several_splits_in_one_mask(graph_arrays: Arrays) -> None:
    masks = np.array([[True, False], [False, True], [False, False], [True, True]])
    graph = from_arrays(graph_arrays(train_mask=masks, test_mask=~masks[:, 0]), name="g")
    assert {key: mask.tolist() for key, mask in graph.masks.items()} == {
        "train": [True, False, False, True],
        "train_1": [False, True, False, True],
        "test": [False, True, True, False],
    }


def test_what_is_not_known_is_left_out_and_listed(graph_arrays: Arrays) -> None:
    graph = from_arrays(graph_arrays(edge_attr=np.ones((3, 2)), pos=np.ones((4, 2))), name="g")
    assert graph.meta["left_out"] == ["edge_attr", "pos"]


Arrays = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(np.float64, np.float64), (np.float16, np.float32), (np.int64, np.float32), (bool, np.float32)],
)
def test_features_become_floats(graph_arrays: Arrays, dtype: type, kept: type) -> None:
    assert from_arrays(graph_arrays(x=np.eye(4, dtype=dtype)), name="g").x.dtype == kept


SPARSE = {
    "x": None,
    "x_data": np.ones(2),
    "x_indices": np.array([0, 1]),
    "x_indptr": np.array([0, 1, 2, 2, 2]),
    "x_shape": np.array([4, 3]),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": None}, "has no y; it holds edge_index, x"),
        ({"y": None, "edge_index": None}, "has no y and no edge_index"),
        ({"y": np.zeros((4, 2))}, r"y has shape \(4, 2\).*argmax"),
        ({"y": np.array([0.0, np.nan, 1, 1])}, "y holds NaN.*-1"),
        ({"y": np.array([0.5, 0, 1, 1])}, "fractions"),
        ({"y": np.array([0, 1, -100, 1])}, "-100"),
        ({"y": np.array([0, 1, 2, 40])}, "class id 40 for 4 nodes.*Renumber"),
        ({"y": np.array([0, 1, 1])}, "Features have shape"),
        ({"y": np.array([])}, "no nodes"),
        ({"y": np.array([0, 3, 0, 0]), "class_names": ["a", "b"]}, "class id 3"),
        ({"y": np.array(["a", "c", "a", "b"]), "class_names": ["a", "b"]}, "holds the class 'c'"),
        ({"class_names": ["a", "a"]}, "'a' twice"),
        ({"true": np.array([0, 1])}, "true has 2 entries"),
        ({"x": np.arange(4.0)}, r"x has shape \(4,\)"),
        ({"x": np.array([["a"]] * 4)}, "x holds <U1 values"),
        ({"x": np.array([[1.0], [2.0], [np.nan], [0.0]])}, "node 2"),
        ({"x": np.array([[1.0], [np.inf], [0.0], [0.0]]), "node_ids": list("abcd")}, "node b"),
        ({"edge_index": np.array([[0, 1], [1, 2], [2, 3]])}, "transpose"),
        ({"edge_index": np.array([0, 1, 2])}, "two rows"),
        ({"edge_index": np.array([[0.5], [1]])}, "fractions"),
        ({"edge_index": np.array([["a"], ["b"]])}, "numbers are needed"),
        ({"edge_index": np.array([[0, 1], [1, 4]])}, "Edge 1 -> 4 names a node that is not there"),
        ({"edge_index": np.array([[0, -1], [1, 2]])}, "Edge -1 -> 2 names a node"),
        ({"edge_weight": np.array([1.0])}, "edge_weight has 1 entries for 3 edges"),
        ({"edge_weight": np.array([1.0, -1, 1])}, "negative"),
        ({"edge_weight": np.array([1.0, np.nan, 1])}, "non-finite"),
        ({"node_ids": list("abc")}, "unit_ids has 3 entries"),
        ({"node_ids": np.eye(4)}, "node_ids has shape"),
        ({"groups": list("abcd")}, "groups holds"),
        ({"train_mask": np.array([True, False])}, "train_mask has shape"),
        ({"train_mask": np.array([0, 1, 2, 0])}, "True or False"),
        ({"meta": "not json"}, "meta cannot be read as JSON"),
        ({"meta": "[1]"}, "meta is not a JSON object"),
        ({**SPARSE, "x_indices": None}, "x_indices is missing"),
        ({**SPARSE, "x_indices": np.array([0, 9])}, "sparse"),
        ({**SPARSE, "x_indptr": np.array([0, 5, 2, 2, 2])}, "sparse"),
        ({**SPARSE, "x_indptr": np.array([0, 2])}, "sparse"),
        (
            {
                **SPARSE,
                "x_data": np.array([]),
                "x_indices": np.array([], int),
                "x_indptr": np.array([0, 9, 2, 7, 0]),
            },
            "non-decreasing",
        ),
        ({**SPARSE, "x_shape": np.array([4])}, "sparse"),
        ({**SPARSE, "x_data": np.array(["a", "b"])}, "numbers are needed"),
        ({**SPARSE, "x_data": np.array([np.nan, 1.0])}, "node 0"),
    ],
)
def test_bad_arrays_are_refused_in_one_sentence(
    graph_arrays: Arrays, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(graph_arrays(**changes), name="mine")
    assert "\n" not in str(caught.value)


def test_sparse_features_with_wrong_indices_are_refused_as_objects_too(graph_arrays: Arrays) -> None:
    x = sp.csr_array(np.eye(4))
    x.indices[0] = 77
    with pytest.raises(InputError, match="damaged"):
        from_arrays(graph_arrays(x=x), name="g")
