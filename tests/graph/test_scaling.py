"""The arrangement for large graphs against the exact one, on graphs small enough for both."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.experts import BlockedRidge, RidgeExpert
from labelnoise.graph import calibrated, features, scaling
from labelnoise.graph.calibrated import NodeEvidence, detect_calibrated
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.features import (
    LargeFeatures,
    curved_features,
    diffused_features,
    own_features,
    weighted_features,
)
from labelnoise.graph.propagation import closed_walk_diagonals, random_walk, symmetric_walk_diagonals
from labelnoise.graph.scaling import LargeNodeEvidence, plan_for
from labelnoise.graph.votes import LargeVotes, Votes


def make_graph(n=2500, k=5, columns=48, seed=0, words=False):
    rng = np.random.default_rng(seed)
    true = np.sort(rng.integers(0, k, n))
    begin = np.searchsorted(true, np.arange(k + 1))
    source = rng.integers(0, n, 4 * n)
    inside = rng.random(4 * n) < 0.7
    low = np.where(inside, begin[true[source]], 0)
    high = np.where(inside, begin[true[source] + 1], n)
    target = low + (rng.random(4 * n) ** 3 * (high - low)).astype(np.int64)  # cubed: hubs
    if words:
        x = sp.csr_array(
            (rng.random((n, columns)) < 0.05 + 0.2 * (np.arange(columns) % k == true[:, None])) * 1.0
        )
    else:
        x = (rng.normal(size=(n, columns)) + 0.3 * rng.normal(size=(k, columns))[true]).astype(np.float32)
    given = np.where(rng.random(n) < 0.1, (true + rng.integers(1, k, n)) % k, true)
    return GraphDataset(
        name="made",
        given=given,
        true=true,
        class_names=tuple(map(str, range(k))),
        x=x,
        edge_index=np.stack([source, target]),
    )


@pytest.fixture(scope="module")
def graph():
    return make_graph()


def test_returning_walks_are_counted_exactly_with_hubs_and_weights(graph, monkeypatch):
    monkeypatch.setattr("labelnoise.graph.propagation._MERGED_AT_ONCE", 500)
    weight = np.random.default_rng(0).random(graph.edge_index.shape[1]) + 0.1
    for adjacency in (graph.adjacency, replace(graph, edge_weight=weight).adjacency):
        exact = closed_walk_diagonals(random_walk(adjacency))
        for one, other in zip(symmetric_walk_diagonals(adjacency), exact, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_returning_walks_of_graphs_without_edges_or_triangles():
    for adjacency in (sp.csr_array((3, 3)), sp.csr_array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])):
        square, cube = symmetric_walk_diagonals(adjacency)
        np.testing.assert_allclose(square, closed_walk_diagonals(random_walk(adjacency))[0])
        assert (cube == 0).all()


def test_votes_are_the_same_for_all_nodes_and_for_some(graph):
    targets = np.eye(5)[graph.given]
    rows = np.array([3, 4, 900, 2499])
    large = LargeVotes(graph.adjacency)
    single = targets.astype(np.float32)
    for exact, all_nodes, some in zip(
        Votes(graph.adjacency)(targets), large(single), large(single, rows), strict=True
    ):
        np.testing.assert_allclose(all_nodes, exact, atol=2e-6)
        np.testing.assert_allclose(some, exact[rows], atol=2e-6)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.8, 0.3])
def test_ridge_is_the_same_by_blocks(monkeypatch, own, share):
    monkeypatch.setattr("labelnoise.core.experts.BLOCK", 64)
    rng = np.random.default_rng(0)
    F, Y = rng.normal(size=(500, 20)), rng.random((500, 3))
    used = rng.random(500) < share
    exact = RidgeExpert(F).leave_one_out(Y, lam=3.0, used=used, own=own)
    rows = np.array([0, 17, 499])
    found = BlockedRidge(F.astype(np.float32)).leave_one_out(
        Y.astype(np.float32), lam=3.0, used=used, own=own
    )
    np.testing.assert_allclose(found(rows), exact[rows], atol=2e-5)


@pytest.mark.parametrize("words", [False, True])
def test_features_span_the_same_space(words, monkeypatch):
    monkeypatch.setattr(features, "BLOCK", 100)
    monkeypatch.setattr(features, "COLUMNS", 10)
    graph = make_graph(600, words=words)
    weighted = weighted_features(graph.x, graph.degree)
    large = LargeFeatures(graph.x, LargeVotes(graph.adjacency).graph, graph.degree, rank=20)
    for found, exact in (
        (large.diffused(), diffused_features(weighted, graph.adjacency, rank=20)),
        (large.own(), own_features(weighted, rank=20)),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found @ found.T, exact @ exact.T, atol=1e-3)


def test_curves_are_the_same():
    graph = make_graph(600, columns=6)
    large = LargeFeatures(graph.x, LargeVotes(graph.adjacency).graph, graph.degree, rank=30, seed=4)
    exact = curved_features(graph.x, graph.adjacency, width=30, seed=4)
    np.testing.assert_allclose(large.curved(), exact, atol=1e-4)


def test_sketched_words_keep_most_of_the_gram_matrix(monkeypatch):
    graph = make_graph(600, columns=60, words=True)
    adjacency = LargeVotes(graph.adjacency).graph
    exact = LargeFeatures(graph.x, adjacency, graph.degree, rank=60).own()
    monkeypatch.setattr(features, "DENSE_COLUMNS", 10)
    sketched = LargeFeatures(graph.x, adjacency, graph.degree, rank=60).own()
    np.testing.assert_allclose(sketched @ sketched.T, exact @ exact.T, atol=1e-3)


def test_the_answer_is_that_of_the_exact_arrangement(graph, monkeypatch):
    options = {"folds": 4, "partitions": 1, "rank": 64, "resamples": 0}
    exact = detect_calibrated(graph, **options)
    monkeypatch.setattr(scaling, "LARGE", 100)
    monkeypatch.setattr(scaling, "BLOCK", 300)
    monkeypatch.setattr(calibrated, "NODES_AT_ONCE", 300)
    large = detect_calibrated(graph, **options)
    assert np.abs(large.p_wrong - exact.p_wrong).max() < 0.03
    assert np.abs(large.p_wrong - exact.p_wrong).mean() < 1e-3
    assert large.count.expected == pytest.approx(exact.count.expected, rel=0.005)
    np.testing.assert_array_equal(
        large.evidence["neighbour_agreement"], exact.evidence["neighbour_agreement"]
    )
    assert large.p_wrong.dtype == large.quality.dtype == np.float64


def test_samples_of_nodes_change_the_answer_little(graph, monkeypatch):
    monkeypatch.setattr(scaling, "LARGE", 100)
    full = detect_calibrated(graph, resamples=2)
    for name, rows in (
        ("SEARCH_ROWS", 800),
        ("FIT_ROWS", 1200),
        ("SIMULATED_ROWS", 1500),
        ("CHOICE_ROWS", 500),
    ):
        monkeypatch.setattr(scaling, name, rows)
    sampled = detect_calibrated(graph, resamples=2)
    assert sampled.count.expected == pytest.approx(full.count.expected, rel=0.12)
    assert np.corrcoef(sampled.p_wrong, full.p_wrong)[0, 1] > 0.98


def test_unlabelled_nodes_are_predicted_and_change_nothing_by_their_hidden_label(graph, monkeypatch):
    monkeypatch.setattr(scaling, "LARGE", 100)
    some = np.arange(0, 2500, 3)
    given = graph.given.copy()
    given[some] = -1
    found = detect_calibrated(graph.with_labels(given), resamples=0)
    assert (found.p_wrong[some] == 0).all()
    assert (found.suggested[some] == graph.true[some]).mean() > 0.8


def test_a_hidden_label_is_not_seen(graph):
    """Evidence about a node stays as it is when its own label changes."""
    node = LargeNodeEvidence(graph, folds=4, rank=32)
    has = graph.given >= 0
    prior = node._prior(graph.given)
    other = graph.given.copy()
    other[7] = (other[7] + 1) % 5
    rows = np.array([7])
    before = node._experts(graph.given, has, [3.0, 3.0], prior)(rows)
    after = node._experts(other, has, [3.0, 3.0], prior)(rows)
    # the ridges' mean target does move by 1/n, as in the exact arrangement
    np.testing.assert_allclose(before[2:], after[2:], atol=1e-4)
    np.testing.assert_allclose(before[:2], after[:2], atol=2e-3)
    exact = NodeEvidence(graph, folds=4, rank=32)
    targets, _ = exact._one_hot(graph.given)
    np.testing.assert_allclose(before, exact._experts(targets, has, [3.0, 3.0], prior)[:, rows], atol=2e-3)


def test_memory_per_node_is_bounded(monkeypatch):
    """Four times the nodes and edges take at most four times the memory, and few rows of float32 each."""
    monkeypatch.setattr(scaling, "LARGE", 100)
    monkeypatch.setattr("labelnoise.graph.propagation._MERGED_AT_ONCE", 50_000)
    for module in (scaling, features):
        monkeypatch.setattr(module, "BLOCK", 500)
    monkeypatch.setattr("labelnoise.core.experts.BLOCK", 500)
    for name in ("SEARCH_ROWS", "FIT_ROWS", "SIMULATED_ROWS", "CHOICE_ROWS"):
        monkeypatch.setattr(scaling, name, 500)
    peaks = []
    for n in (4000, 16_000):
        graph = make_graph(n)
        assert graph.adjacency.nnz > 0  # the graph itself is not counted
        tracemalloc.start()
        detect_calibrated(graph, resamples=0, rank=32)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    per_node = (peaks[1] - peaks[0]) / 12_000
    # own and diffused features, then targets, votes, evidence and posteriors; 16 neighbours of 8 bytes
    assert per_node < 4 * (6 * 49 + 30 * 5) + 16 * 60
    assert peaks[1] < 4.2 * peaks[0]


def test_plans_keep_what_was_asked_for():
    plan = plan_for(10**6, folds=7, resamples=0)
    assert (plan.large, plan.folds, plan.partitions, plan.resamples, plan.rank) == (True, 7, 1, 0, 128)
    assert not plan_for(20_000).large
    assert plan_for(30_000).rank == 256
