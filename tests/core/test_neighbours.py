"""Exact neighbours against scikit-learn and a brute-force definition; votes against a loop."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.neighbours import (
    NeighbourGraph,
    cast_votes,
    knn_vote,
    knn_votes,
    nearest_neighbours,
)
from labelnoise.core.validation import InputError

METRICS = ("cosine", "euclidean")


def blobs(n=300, d=16, classes=3, spread=0.5, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, d))
    true = rng.integers(0, classes, n)
    return (centres[true] + spread * rng.normal(size=(n, d))).astype(dtype), true


def brute(x, k, metric, groups=None, eligible=None):
    """Neighbours by definition: sort everything by (distance, position)."""
    x = np.asarray(x, dtype=np.float64)
    indices, distances = [], []
    for i in range(len(x)):
        if metric == "cosine":
            scale = np.linalg.norm(x, axis=1) * np.linalg.norm(x[i])
            d = np.round(1 - (x * x[i]).sum(axis=1) / np.where(scale > 0, scale, 1), 12)
        else:
            d = np.sqrt(((x - x[i]) ** 2).sum(axis=1))
        d = np.clip(d, 0, None)
        allowed = np.arange(len(x)) != i
        if groups is not None:
            allowed &= np.asarray(groups) != groups[i]
        if eligible is not None:
            allowed &= eligible
        candidates = np.flatnonzero(allowed)
        best = candidates[np.lexsort((candidates, d[candidates]))][:k]
        indices.append(best)
        distances.append(d[best])
    return np.array(indices), np.array(distances)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neighbours_are_those_of_scikit_learn(metric, dtype):
    from sklearn.neighbors import NearestNeighbors

    x, _ = blobs(700, 32, dtype=dtype)
    graph = nearest_neighbours(x, 7, metric=metric)
    peer = NearestNeighbors(n_neighbors=8, metric=metric, algorithm="brute").fit(x.astype(np.float64))
    distances, indices = peer.kneighbors(x.astype(np.float64))
    np.testing.assert_array_equal(graph.indices, indices[:, 1:])
    np.testing.assert_allclose(graph.distances, distances[:, 1:], atol=1e-6)
    assert graph.indices.dtype == np.int64
    assert graph.distances.dtype == np.float64
    assert graph.k == 7


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("grid", [2, 5])
def test_ties_go_to_the_lower_position_however_many_there_are(metric, grid):
    rng = np.random.default_rng(grid)
    x = rng.integers(0, grid, size=(250, 3)).astype(np.float32)
    for k in (1, 4, 20):
        graph = nearest_neighbours(x, k, metric=metric)
        indices, distances = brute(x, k, metric)
        np.testing.assert_array_equal(graph.indices, indices)
        np.testing.assert_allclose(graph.distances, distances, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_the_size_of_blocks_does_not_change_a_bit(metric):
    x, _ = blobs(400, 24, dtype=np.float32)
    x[100:150] = x[:50]
    whole = nearest_neighbours(x, 5, metric=metric)
    for block in (1, 7, 64, 1000):
        part = nearest_neighbours(x, 5, metric=metric, block=block)
        np.testing.assert_array_equal(part.indices, whole.indices)
        np.testing.assert_array_equal(part.distances, whole.distances)


@pytest.mark.parametrize("metric", METRICS)
def test_the_order_of_units_does_not_matter(metric):
    x, _ = blobs(300)
    order = np.random.default_rng(3).permutation(len(x))
    graph, moved = nearest_neighbours(x, 6, metric=metric), nearest_neighbours(x[order], 6, metric=metric)
    np.testing.assert_array_equal(order[moved.indices], graph.indices[order])
    np.testing.assert_array_equal(moved.distances, graph.distances[order])


@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_come_from_other_groups_and_from_eligible_units(metric):
    x, _ = blobs(240)
    groups = np.repeat(np.arange(40), 6).astype(str)
    eligible = np.random.default_rng(1).random(240) < 0.5
    for chosen in (None, eligible):
        graph = nearest_neighbours(x, 5, metric=metric, groups=groups, eligible=chosen, block=37)
        indices, distances = brute(x, 5, metric, groups, chosen)
        np.testing.assert_array_equal(graph.indices, indices)
        np.testing.assert_allclose(graph.distances, distances, atol=1e-12)
    assert not (groups[graph.indices] == groups[:, None]).any()
    assert eligible[graph.indices].all()


def test_all_units_alike():
    graph = nearest_neighbours(np.ones((50, 4)), 3)
    assert (graph.distances == 0).all()
    assert graph.indices[0].tolist() == [1, 2, 3]
    assert (graph.indices[3:] == [0, 1, 2]).all()


def test_length_does_not_matter_to_the_cosine_and_zeros_are_at_distance_one():
    x, _ = blobs(200)
    scaled = x * np.random.default_rng(0).uniform(0.01, 100, size=(200, 1))
    np.testing.assert_array_equal(nearest_neighbours(scaled, 4).indices, nearest_neighbours(x, 4).indices)
    x[5] = 0
    assert (nearest_neighbours(x, 4).distances[5] == 1).all()


@pytest.mark.parametrize("far", [1e3, 1e6, 1e9])
def test_an_offset_or_an_outlier_costs_no_digits(far):
    x, _ = blobs(200, 8)
    expected, _ = brute(x, 5, "euclidean")
    x = np.vstack([x, np.full((1, 8), far)])
    np.testing.assert_array_equal(nearest_neighbours(x, 5, metric="euclidean").indices[:200], expected)
    shifted = np.round(x[:200] * 256) / 256
    expected, _ = brute(shifted, 5, "euclidean")
    graph = nearest_neighbours(shifted + 2.0**20, 5, metric="euclidean")
    np.testing.assert_array_equal(graph.indices, expected)


def test_every_other_unit_can_be_asked_for_and_not_one_more():
    x, _ = blobs(12)
    assert (np.sort(nearest_neighbours(x, 11).indices, axis=1)[0] == np.arange(1, 12)).all()
    with pytest.raises(
        InputError,
        match=r"k is 12 but unit 0 has 11 possible neighbours other than itself; choose k of at most 11",
    ):
        nearest_neighbours(x, 12)
    with pytest.raises(InputError, match="has 2 possible neighbours outside its group"):
        nearest_neighbours(x, 3, groups=[0] * 10 + [1, 2])


def test_memory_is_that_of_a_block():
    import tracemalloc

    x, _ = blobs(6000, 8, dtype=np.float32)
    nearest_neighbours(x[:100], 3)
    tracemalloc.start()
    nearest_neighbours(x, 3, block=50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 4 / 20


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([1.0, 2.0], "a matrix"),
        ([[np.nan, 1.0], [0.0, 1.0]], "NaN or infinity"),
        ([["a"], ["b"]], "real numbers"),
        ([[1e200, 1e200], [1.0, 2.0]], "too large"),
    ],
)
def test_unusable_features_are_refused(features, message):
    with pytest.raises(InputError, match=message):
        nearest_neighbours(features, 1)


def test_unusable_options_are_refused():
    from scipy import sparse

    x, _ = blobs(10)
    with pytest.raises(InputError, match="Unknown metric"):
        nearest_neighbours(x, 2, metric="manhattan")
    with pytest.raises(InputError, match="at least one neighbour"):
        nearest_neighbours(x, 0)
    with pytest.raises(InputError, match="at least one row"):
        nearest_neighbours(x, 1, block=0)
    with pytest.raises(InputError, match="groups has shape"):
        nearest_neighbours(x, 1, groups=[1, 2])
    with pytest.raises(InputError, match="one boolean for each"):
        nearest_neighbours(x, 1, eligible=np.ones(10, dtype=int))
    with pytest.raises(InputError, match="sparse matrix"):
        nearest_neighbours(sparse.csr_matrix(x), 1)


def test_no_units():
    graph = nearest_neighbours(np.empty((0, 3)), 2)
    assert graph.indices.shape == graph.distances.shape == (0, 2)
    assert knn_votes([], graph, n_classes=3).shape == (0, 3)
    assert knn_vote([], np.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize("weights", ["uniform", "similarity"])
@pytest.mark.parametrize("include_own", [False, True])
def test_votes_are_those_of_a_loop(weights, include_own):
    x, labels = blobs(150, classes=4, spread=2.0)
    labels[::7] = -1
    graph = nearest_neighbours(x, 6)
    votes = knn_votes(labels, graph, weights=weights, exponent=2.0, include_own=include_own)
    for i in range(150):
        expected = np.zeros(4)
        for j, d in zip(graph.indices[i], graph.distances[i], strict=True):
            if labels[j] >= 0:
                expected[labels[j]] += max(1 - d, 0) ** 2 if weights == "similarity" else 1
        if include_own and labels[i] >= 0:
            expected[labels[i]] += 1
        total = expected.sum()
        np.testing.assert_allclose(votes[i], expected / total if total else np.full(4, 0.25), atol=1e-12)


def test_votes_never_saw_the_own_label():
    x, labels = blobs(100)
    graph = nearest_neighbours(x, 5)
    before = knn_votes(labels, graph, n_classes=3)
    changed = labels.copy()
    changed[10] = (changed[10] + 1) % 3
    np.testing.assert_array_equal(knn_votes(changed, graph, n_classes=3)[10], before[10])


def test_votes_refuse_what_does_not_fit():
    x, labels = blobs(30)
    with pytest.raises(InputError, match="make the graph with metric='cosine'"):
        knn_votes(labels, nearest_neighbours(x, 3, metric="euclidean"), weights="similarity")
    with pytest.raises(InputError, match="exponent"):
        knn_votes(labels, nearest_neighbours(x, 3), exponent=0)
    with pytest.raises(InputError, match="Lengths differ"):
        knn_votes(labels[:-1], nearest_neighbours(x, 3))


def test_votes_of_one_class_and_of_nobody():
    graph = NeighbourGraph(np.array([[1], [0]]), np.zeros((2, 1)), "cosine")
    assert knn_votes([0, 0], graph).tolist() == [[1.0], [1.0]]
    assert knn_votes([-1, -1], graph, n_classes=4).tolist() == [[0.25] * 4] * 2
    assert cast_votes(np.array([[-1, 1]]), np.ones((1, 2)), 2).tolist() == [[0.0, 1.0]]


def test_knn_vote_flags_wrong_labels_and_masked_units_change_nothing():
    x, true = blobs(400)
    rng = np.random.default_rng(0)
    wrong = rng.random(400) < 0.15
    labels = np.where(wrong, (true + 1) % 3, true)
    flags = knn_vote(labels, x)
    assert (flags == wrong).mean() > 0.97
    masked = np.concatenate([labels, np.full(50, -1)])
    extra = np.vstack([x, x[:50]])
    np.testing.assert_array_equal(knn_vote(masked, extra)[:400], flags)
    assert not knn_vote(masked, extra)[400:].any()
    assert not knn_vote(np.full(20, -1), x[:20]).any()


def test_knn_vote_takes_evidence_from_outside_the_item():
    # Every item repeats one wrong label ten times: only units of other items can tell.
    x, true = blobs(600)
    x, true = np.repeat(x[:60], 10, axis=0), np.repeat(true[:60], 10)
    items = np.repeat(np.arange(60), 10)
    wrong = items % 6 == 0
    labels = np.where(wrong, (true + 1) % 3, true)
    assert not knn_vote(labels, x, k=5).any()
    assert (knn_vote(labels, x, k=50, groups=items) == wrong).mean() > 0.9


def test_exponential_votes_match_their_definition():
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)
    graph = nearest_neighbours(x, 6)
    weight = np.exp(8 * (1 - graph.distances))
    expected = np.stack([(weight * (labels[graph.indices] == c)).sum(axis=1) for c in range(3)], axis=1)
    shares = knn_votes(labels, graph, n_classes=3, weights="exponential", exponent=8)
    np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True))
