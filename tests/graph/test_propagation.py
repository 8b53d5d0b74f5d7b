"""Propagation against dense matrix powers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph import propagation
from labelnoise.graph.propagation import (
    closed_walk_diagonals,
    gcn_adjacency,
    random_walk,
    symmetric_adjacency,
    walk_means,
)


def random_matrix(seed: int) -> sp.csr_array:
    """Directed, with self loops and weights of both signs; every third one symmetric."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 50))
    matrix = sp.random_array(
        (n, n), density=rng.uniform(0, 0.6), rng=rng, data_sampler=lambda size: rng.normal(size=size)
    )
    matrix = sp.csr_array(matrix) / np.sqrt(n)
    return sp.csr_array(matrix + matrix.T) if seed % 3 == 0 else matrix


@pytest.mark.parametrize("pairs_at_once", [1, 7, 10**6])
def test_diagonals_equal_those_of_dense_powers(pairs_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "_PAIRS_AT_ONCE", pairs_at_once)
    for seed in range(20):
        matrix = random_matrix(seed)
        dense = matrix.toarray()
        square, cube = closed_walk_diagonals(matrix)
        np.testing.assert_allclose(square, np.diag(dense @ dense), atol=1e-12)
        np.testing.assert_allclose(cube, np.diag(dense @ dense @ dense), atol=1e-12)


def test_walk_means_equal_dense_powers_without_their_diagonals() -> None:
    for seed in range(20):
        matrix = random_matrix(seed)
        n = matrix.shape[0]
        values = np.random.default_rng(seed).normal(size=(n, 4))
        power = np.eye(n)
        for reached in walk_means(matrix, values):
            power = matrix.toarray() @ power
            np.testing.assert_allclose(reached, (power - np.diag(np.diag(power))) @ values, atol=1e-12)


def test_a_node_never_hears_its_own_value() -> None:
    matrix = symmetric_adjacency(abs(random_matrix(3)))
    values = np.zeros((matrix.shape[0], 1))
    values[5] = 1
    for reached in walk_means(matrix, values):
        assert abs(reached[5, 0]) < 1e-12
        assert np.abs(reached).max() > 0


def test_a_hub_does_not_cost_its_degree_squared() -> None:
    """A star of 200,000 leaves has 4e10 two-step pairs; none is needed."""
    n = 200_001
    leaves = np.arange(1, n)
    star = sp.csr_array((np.ones(n - 1), (np.zeros(n - 1, int), leaves)), shape=(n, n))
    square, cube = closed_walk_diagonals(random_walk(star + star.T))
    np.testing.assert_allclose(square[0], 1)
    np.testing.assert_allclose(square[1:], 1 / (n - 1))
    assert not cube.any()


def test_duplicate_and_unsorted_entries_are_summed() -> None:
    messy = sp.csr_array(
        (np.array([1.0, 2, 3, 1]), np.array([1, 0, 1, 0]), np.array([0, 3, 4])), shape=(2, 2)
    )
    dense = messy.toarray()
    square, cube = closed_walk_diagonals(messy)
    np.testing.assert_allclose(square, np.diag(dense @ dense))
    np.testing.assert_allclose(cube, np.diag(dense @ dense @ dense))
    assert len(messy.data) == 4, "the caller's matrix must not be changed"


def test_normalisations() -> None:
    adjacency = sp.csr_array(np.array([[0, 2.0, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]))
    a = adjacency.toarray()
    out, into = a.sum(1), a.sum(0)
    expected = a / np.sqrt(np.maximum(out, 1e-300))[:, None] / np.sqrt(np.maximum(into, 1e-300))[None, :]
    np.testing.assert_allclose(symmetric_adjacency(adjacency).toarray(), expected)
    np.testing.assert_allclose(random_walk(adjacency).sum(axis=1), [1, 1, 1, 0])
    undirected = adjacency + adjacency.T
    loops = undirected.toarray() + np.eye(4)
    scale = np.diag(loops.sum(1) ** -0.5)
    np.testing.assert_allclose(gcn_adjacency(undirected).toarray(), scale @ loops @ scale)


def test_results_share_no_memory_with_the_input() -> None:
    adjacency = sp.csr_array(np.array([[0.0, 1], [1, 0]]))
    for normalise in (random_walk, symmetric_adjacency, gcn_adjacency):
        result = normalise(adjacency)
        for ours in (result.data, result.indices, result.indptr):
            for theirs in (adjacency.data, adjacency.indices, adjacency.indptr):
                assert not np.shares_memory(ours, theirs)


def test_an_empty_graph() -> None:
    empty = sp.csr_array((3, 3))
    assert not np.any(closed_walk_diagonals(empty))
    assert not random_walk(empty).nnz
    assert all(not reached.any() for reached in walk_means(empty, np.ones((3, 2))))


def test_refusals() -> None:
    with pytest.raises(InputError, match="square"):
        closed_walk_diagonals(sp.csr_array((2, 3)))
    with pytest.raises(InputError, match="NaN"):
        closed_walk_diagonals(sp.csr_array(np.array([[0, np.nan], [1, 0]])))
    with pytest.raises(InputError, match="hops is 4"):
        walk_means(sp.csr_array((2, 2)), np.ones((2, 1)), hops=4)
    with pytest.raises(InputError, match="one row per node"):
        walk_means(sp.csr_array((2, 2)), np.ones((3, 1)))
