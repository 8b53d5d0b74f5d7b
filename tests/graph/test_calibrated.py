"""The calibrated detector on a small generated graph, and what it must refuse or ignore."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.validation import InputError
from labelnoise.graph.calibrated import detect_calibrated
from labelnoise.graph.dataset import GraphDataset


def make_graph(n=600, k=4, rate=0.1, seed=0, kind="uniform"):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    same = true[:, None] == true[None, :]
    edges = np.argwhere(np.triu(rng.random((n, n)) < np.where(same, 0.03, 0.002), 1)).T
    words = rng.random((n, 80)) < np.where(np.arange(80) % k == true[:, None], 0.15, 0.03)
    shift = rng.integers(1, k, n) if kind == "uniform" else 1
    given = np.where(rng.random(n) < rate, (true + shift) % k, true)
    return GraphDataset(
        name="made",
        given=given,
        true=true,
        class_names=tuple("abcd"[:k]),
        x=sp.csr_array(words.astype(float)),
        edge_index=edges,
    )


@pytest.fixture(scope="module")
def graph():
    return make_graph()


@pytest.fixture(scope="module")
def detection(graph):
    return detect_calibrated(graph, seed=0, folds=5, resamples=3)


def differing(n=500, seed=0, directed=False):
    """Two classes without features whose edges join unlike nodes; directed: a class points at the other, once."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2 if not directed else 3, n)
    k = true.max() + 1
    wanted = (true[None, :] - true[:, None]) % k == 1
    edges = np.argwhere(rng.random((n, n)) < np.where(wanted, 0.03, 0.003)).T
    given = np.where(rng.random(n) < 0.1, (true + rng.integers(1, k, n)) % k, true)
    return GraphDataset(
        name="differing",
        given=given,
        true=true,
        class_names=tuple("abc"[:k]),
        x=np.zeros((n, 0)),
        edge_index=edges,
    )


def test_neighbours_that_differ_are_evidence_with_a_negative_weight():
    graph = differing()
    found = detect_calibrated(graph, folds=5, partitions=1, resamples=0)
    assert found.info["adjusted_homophily"] < -0.5
    assert found.info["vote_weights"][0] < 0
    assert any("adjusted homophily" in text for text in found.warnings)
    assert detection_metrics(graph.is_wrong, found.p_wrong)["auroc"] > 0.95


def test_directed_edges_tell_what_undirected_ones_cannot():
    """Class a points at b, b at c, c at a: whom a node is joined with says "not mine", who points at it says which."""
    graph = differing(directed=True)
    found = detect_calibrated(graph, folds=5, partitions=1, resamples=0)
    assert len(found.info["vote_weights"]) == 5
    row, col = graph.edge_index
    both = replace(graph, edge_index=np.array([np.r_[row, col], np.r_[col, row]]))
    blind = detect_calibrated(both, folds=5, partitions=1, resamples=0)
    assert len(blind.info["vote_weights"]) == 3
    gain = [detection_metrics(graph.is_wrong, part.p_wrong)["auroc"] for part in (found, blind)]
    assert gain[0] > gain[1]


def test_edge_weights_count():
    """Every node has as many edges to the wrong side as to its own; only weights tell which."""
    rng = np.random.default_rng(0)
    n = 400
    true = rng.integers(0, 2, n)
    edges = np.argwhere(np.triu(rng.random((n, n)) < 0.04, 1)).T
    weight = np.where(true[edges[0]] == true[edges[1]], 5.0, 0.5)
    given = np.where(rng.random(n) < 0.1, 1 - true, true)
    graph = GraphDataset(
        name="weights", given=given, true=true, class_names=("a", "b"), x=np.zeros((n, 0)), edge_index=edges,
        edge_weight=weight,
    )  # fmt: skip
    options = {"folds": 5, "partitions": 1, "resamples": 0}
    weighted = detect_calibrated(graph, **options)
    plain = detect_calibrated(replace(graph, edge_weight=None), **options)
    assert detection_metrics(graph.is_wrong, weighted.p_wrong)["auroc"] > 0.95
    assert detection_metrics(graph.is_wrong, plain.p_wrong)["auroc"] < 0.7


def test_units_of_edge_weights_do_not_matter(graph):
    weight = np.random.default_rng(0).uniform(0.5, 2.0, graph.edge_index.shape[1])
    options = {"folds": 5, "partitions": 1, "resamples": 0}
    metres = detect_calibrated(replace(graph, edge_weight=weight), **options)
    kilometres = detect_calibrated(replace(graph, edge_weight=weight / 1024), **options)
    np.testing.assert_allclose(kilometres.p_wrong, metres.p_wrong, atol=1e-9)


def test_finds_the_wrong_labels(graph, detection):
    metrics = detection_metrics(
        graph.is_wrong, detection.p_wrong, flagged=detection.flagged, p_wrong=detection.p_wrong
    )
    assert metrics["auroc"] > 0.98
    assert metrics["f1"] > 0.85
    right = detection.suggested[graph.is_wrong] == graph.true[graph.is_wrong]
    assert right.mean() > 0.8


def test_counts_them_with_an_interval(graph, detection):
    assert detection.count.low <= graph.is_wrong.sum() <= detection.count.high
    assert detection.p_wrong.sum() == pytest.approx(detection.count.expected, rel=1e-6)
    assert detection.info["errors"] == "uniform"


def test_class_dependent_errors_are_recognised():
    graph = make_graph(rate=0.2, kind="pair", seed=3)
    found = detect_calibrated(graph, folds=5, partitions=1, resamples=0)
    assert found.info["errors"] == "class-dependent"
    np.testing.assert_allclose(found.transition[np.arange(4), (np.arange(4) + 1) % 4], 0.2, atol=0.08)


def test_same_seed_same_answer(graph, detection):
    again = detect_calibrated(graph, seed=0, folds=5, resamples=3)
    np.testing.assert_array_equal(again.p_wrong, detection.p_wrong)


def test_unlabelled_nodes_are_predicted_not_judged(graph):
    hidden = np.random.default_rng(0).random(600) < 0.3
    found = detect_calibrated(
        graph.with_labels(np.where(hidden, -1, graph.given)), folds=5, partitions=1, resamples=0
    )
    assert (found.p_wrong[hidden] == 0).all()
    assert not found.flagged[hidden].any()
    assert (found.suggested[hidden] == graph.true[hidden]).mean() > 0.9


def test_class_names_do_not_matter(graph, detection):
    order = np.array([2, 0, 3, 1])
    found = detect_calibrated(
        replace(graph, given=order[graph.given], true=order[graph.true]), folds=5, resamples=3
    )
    np.testing.assert_allclose(found.p_wrong, detection.p_wrong, atol=0.12)
    assert (found.flagged == detection.flagged).mean() > 0.99


@pytest.mark.parametrize("drop", ["edges", "features"])
def test_either_edges_or_features_are_enough(graph, drop):
    if drop == "edges":
        bare = replace(graph, edge_index=np.zeros((2, 0), dtype=np.int64))
    else:
        bare = replace(graph, x=np.zeros((600, 0)))
    found = detect_calibrated(bare, folds=5, partitions=1, resamples=0)
    assert detection_metrics(graph.is_wrong, found.p_wrong)["auroc"] > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [({"folds": 1}, "at least 2"), ({"resamples": 1}, "0 .no interval"), ({"partitions": 0}, "at least 1"),
     ({"ambiguity": 0.7}, "share of nodes")],
)  # fmt: skip
def test_bad_options_are_refused(graph, options, message):
    with pytest.raises(InputError, match=message):
        detect_calibrated(graph, **options)


def test_one_class_is_refused(graph):
    with pytest.raises(InputError, match="at least 2"):
        detect_calibrated(graph.with_labels(np.zeros(600, dtype=np.int64)))


def test_too_few_labels_are_refused(graph):
    given = np.full(600, -1)
    given[:3] = [0, 1, 0]
    with pytest.raises(InputError, match="label at least"):
        detect_calibrated(graph.with_labels(given))


def test_uniform_errors_may_be_taken_for_granted(graph):
    asked = detect_calibrated(graph, seed=0, folds=5, resamples=0, errors="uniform")
    assert asked.info["errors"] == "uniform"
    off = asked.transition[~np.eye(4, dtype=bool)].reshape(4, 3)
    np.testing.assert_allclose(off, off.mean(axis=1, keepdims=True).repeat(3, axis=1), rtol=1e-3)
    with pytest.raises(InputError, match="kind of errors"):
        detect_calibrated(graph, errors="pair")
