"""Label-free node features against their dense definitions."""

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.graph import features
from labelnoise.graph.features import curved_features, diffused_features, own_features, weighted_features


def random_graph(n=60, seed=0):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((n, n)) < 0.06, 1)
    return sp.csr_array((upper | upper.T).astype(float))


def test_diffusion_equals_the_dense_recursion():
    adjacency = random_graph()
    x = np.random.default_rng(1).random((60, 7))
    loops = adjacency.todense() + np.eye(60)
    scale = np.diag(1 / np.sqrt(loops.sum(axis=1)))
    smooth = scale @ loops @ scale
    z = x
    for _ in range(15):
        z = 0.85 * smooth @ z + 0.15 * x
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(diffused_features(x, adjacency), z, atol=1e-5)


def test_many_columns_keep_the_gram_matrix(monkeypatch):
    adjacency = random_graph(80)
    x = sp.csr_array(sp.random_array((80, 300), density=0.1, rng=np.random.default_rng(2)))
    exact = diffused_features(x, adjacency, rank=80)
    monkeypatch.setattr(features, "EXACT_COLUMNS", 10)
    sketched = diffused_features(x, adjacency, rank=80)
    np.testing.assert_allclose(sketched @ sketched.T, exact @ exact.T, atol=1e-4)
    assert own_features(x, rank=20).shape == (80, 20)


def test_bags_of_words_are_weighted_by_rarity():
    x = sp.csr_array(np.array([[1.0, 1.0, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1]]))
    weighted = weighted_features(x, np.ones(4, dtype=int)).todense()
    assert weighted[0, 1] > weighted[0, 0] > 0
    np.testing.assert_allclose(np.linalg.norm(weighted, axis=1), 1)


def test_dense_features_are_standardised_and_constant_columns_dropped():
    x = np.random.default_rng(0).normal(5, 3, (50, 4))
    x[:, 2] = 7.0
    weighted = weighted_features(x, np.arange(50))
    assert weighted.shape == (50, 4)  # three varying columns and log degree
    np.testing.assert_allclose(weighted.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("x", [np.zeros((30, 0)), sp.csr_array((30, 0)), np.zeros((30, 3))])
def test_graphs_without_features(x):
    adjacency = random_graph(30)
    weighted = weighted_features(x, np.diff(adjacency.indptr))
    assert np.isfinite(diffused_features(weighted, adjacency)).all()


def test_curves_follow_the_nodes_and_see_two_hops() -> None:
    rng = np.random.default_rng(0)
    n, adjacency = 60, random_graph()
    x = rng.normal(size=(n, 3))
    curves = curved_features(x, adjacency, width=64, seed=2)
    assert curves.shape == (n, 64)
    np.testing.assert_allclose(np.linalg.norm(curves, axis=1), 1)
    order = rng.permutation(n)
    moved = curved_features(x[order], sp.csr_array(adjacency[order][:, order]), width=64, seed=2)
    np.testing.assert_allclose(moved, curves[order], atol=1e-9)
    # A change two hops away is seen (apart from the common scale), one far away is not.
    walk = (adjacency @ adjacency).toarray() > 0
    i, j = np.argwhere(walk & ~(adjacency.toarray() > 0) & ~np.eye(n, dtype=bool))[0]
    other = x.copy()
    other[j] += 5
    assert np.abs(curved_features(other, adjacency, width=64, seed=2)[i] - curves[i]).max() > 1e-3


def test_curves_of_isolated_nodes_and_constant_columns_are_finite() -> None:
    adjacency = sp.csr_array((4, 4))
    x = np.column_stack([np.ones(4), np.arange(4.0)])
    assert np.isfinite(curved_features(x, adjacency, width=8)).all()
