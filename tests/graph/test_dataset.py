"""The graph's own derived facts: neighbours, degrees, distinct edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset, distinct_pairs

EDGES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0, 2.0])), max_size=30
)


def graph(edges: list[tuple[int, int, float]], weighted: bool) -> GraphDataset:
    array = np.array(edges, dtype=float).reshape(-1, 3)
    return GraphDataset(
        name="g",
        given=np.zeros(6, dtype=np.int64),
        class_names=("a",),
        x=np.zeros((6, 0)),
        edge_index=array[:, :2].T.astype(np.int64),
        edge_weight=array[:, 2] if weighted else None,
    )


@given(edges=EDGES, weighted=st.booleans())
def test_adjacency_is_the_largest_weight_of_either_direction(
    edges: list[tuple[int, int, float]], weighted: bool
) -> None:
    expected = np.zeros((6, 6))
    for source, target, weight in edges:
        if source != target:
            value = weight if weighted else 1.0
            expected[source, target] = expected[target, source] = max(expected[source, target], value)
    found = graph(edges, weighted)
    np.testing.assert_array_equal(found.adjacency.toarray(), expected)
    np.testing.assert_array_equal(found.degree, (expected > 0).sum(axis=1))
    assert found.adjacency.has_sorted_indices
    found.adjacency.check_format(full_check=True)


@given(pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40))
def test_distinct_pairs(pairs: list[tuple[int, int]]) -> None:
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    row, col = distinct_pairs(array[:, 0], array[:, 1], 7)
    assert list(zip(row.tolist(), col.tolist())) == sorted({pair for pair in pairs if pair[0] != pair[1]})


def test_narrow_integers_do_not_overflow() -> None:
    row = np.array([40_000, 40_000], dtype=np.int32)
    col = np.array([1, 69_999], dtype=np.int32)
    found = distinct_pairs(row, col, 70_000)
    assert np.stack(found).tolist() == [[40_000, 40_000], [1, 69_999]]


@pytest.mark.parametrize(
    "mask", [np.array([True]), np.array([0, 1, 0, 0, 0, 0]), np.ones((6, 2), dtype=bool)]
)
def test_splits_of_another_shape_or_type_are_refused(mask: np.ndarray) -> None:
    sound = graph([], False)
    with pytest.raises(InputError, match="The split 'train' has shape"):
        GraphDataset(
            name="g",
            given=sound.given,
            class_names=sound.class_names,
            x=sound.x,
            edge_index=sound.edge_index,
            masks={"train": mask},
        )


def directed(edges: list[tuple[int, int]], weight: list[float] | None = None) -> GraphDataset:
    return GraphDataset(
        name="arcs",
        given=np.zeros(3, dtype=int),
        class_names=("a",),
        x=np.zeros((3, 0)),
        edge_index=np.array(edges, dtype=np.int64).T.reshape(2, -1),
        edge_weight=None if weight is None else np.array(weight),
    )


def test_arcs_are_the_edges_as_stored() -> None:
    cycle = directed([(0, 1), (0, 1), (1, 2), (2, 0), (1, 1)])
    np.testing.assert_array_equal(cycle.arcs.toarray(), [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(cycle.adjacency.toarray(), 1 - np.eye(3))
    uneven = directed([(0, 1), (1, 0), (1, 2), (2, 1)], [2.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(uneven.arcs.toarray(), [[0, 2, 0], [1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(uneven.adjacency.toarray(), [[0, 2, 0], [2, 0, 1], [0, 1, 0]])


def test_undirected_graphs_have_no_arcs() -> None:
    assert directed([(0, 1), (1, 0), (2, 1), (1, 2)]).arcs is None
    assert directed([(0, 1), (1, 0), (2, 1), (1, 2)], [2.0, 2.0, 1.0, 1.0]).arcs is None
    assert directed([(0, 1), (1, 2), (0, 2)]).arcs is None, "stored once, from the lower row"
    assert directed([(1, 0), (2, 1)], [1.0, 3.0]).arcs is None, "stored once, from the higher row"
    assert directed([]).arcs is None
