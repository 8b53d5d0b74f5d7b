"""Noise that follows the graph: exact rates, where it strikes, nodes without edges or label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import from_arrays
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.embedded import papers
from labelnoise.graph.noise_structure import _chances, confidence, structure
from labelnoise.graph.sgc import sgc_probs

KINDS = [structure, confidence]


@pytest.fixture(scope="module")
def graph() -> GraphDataset:
    sound = papers(800, noise_rate=0.0)
    given = sound.given.copy()
    given[500:560] = -1
    masks = {"train": np.arange(800) < 300, "test": np.arange(800) >= 600}
    return replace(sound, given=given, true=None, masks=masks)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.37, 0.8, 1.0])
def test_the_rate_is_met_and_no_label_flips_to_itself(kind, rate: float, graph: GraphDataset) -> None:
    result = kind(graph, rate, 3)
    changed = graph.given != result.labels
    np.testing.assert_array_equal(result.changed, changed)
    assert abs(changed.sum() - rate * graph.labelled.sum()) <= 1
    assert result.rate == changed.sum() / graph.labelled.sum() == result.rates["nodes"]
    assert (result.labels[~graph.labelled] == -1).all()
    assert (result.labels[graph.labelled] >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_and_splits(kind, graph: GraphDataset) -> None:
    np.testing.assert_array_equal(kind(graph, 0.3, 1).labels, kind(graph, 0.3, 1).labels)
    assert (kind(graph, 0.3, 1).labels != kind(graph, 0.3, 2).labels).any()
    result = kind(graph, 0.3, 1, nodes="train")
    assert not result.changed[300:].any()
    assert abs(result.changed.sum() - 90) <= 1
    assert result.rates["nodes"] == pytest.approx(0.3, abs=0.004)


def test_structure_strikes_where_neighbours_differ_and_takes_their_class(graph: GraphDataset) -> None:
    result = structure(graph, 0.1, 0)
    one_hot = np.eye(graph.n_classes + 1)[graph.given][:, :-1]
    counts = graph.adjacency @ one_hot
    others = counts * (1 - one_hot)
    foreign = others.sum(1) / np.maximum(counts.sum(1), 1)
    judged = graph.labelled & (graph.degree > 0)
    assert foreign[judged & result.changed].mean() > 1.5 * foreign[judged & ~result.changed].mean()
    rows = np.flatnonzero(result.changed & (others.sum(1) > 0))
    assert (others[rows, result.labels[rows]] > 0).mean() > 0.8


def test_the_posterior_is_what_is_drawn_from(graph: GraphDataset) -> None:
    posterior = structure(graph, 0.3, 0).posterior
    assert posterior is not None
    np.testing.assert_allclose(posterior.sum(1), graph.labelled.astype(float), atol=1e-12)
    own = posterior[np.arange(800), graph.given][graph.labelled]
    assert (1 - own).mean() == pytest.approx(0.3, abs=1e-12)
    drawn = np.zeros_like(posterior)
    for seed in range(200):
        labels = structure(graph, 0.3, seed).labels
        drawn[graph.labelled, labels[graph.labelled]] += 1 / 200
    error = (drawn - posterior) / np.sqrt(posterior * (1 - posterior) / 200 + 1e-3)
    assert np.abs(error).max() < 6
    assert np.abs(error.mean()) < 0.05


def test_nodes_without_edges_flip_as_often_as_the_average_node(graph: GraphDataset) -> None:
    lonely = np.arange(800) < 40
    keep = ~(lonely[graph.edge_index[0]] | lonely[graph.edge_index[1]])
    cut = replace(graph, edge_index=graph.edge_index[:, keep])
    posterior = structure(cut, 0.1, 0).posterior
    assert posterior is not None
    wrong = 1 - posterior[np.arange(800), graph.given]
    assert wrong[lonely].mean() == pytest.approx(0.1, abs=0.03)
    assert confidence(cut, 0.1, 0).changed.sum() == 74
    no_edges = replace(graph, edge_index=np.zeros((2, 0), dtype=np.int64))
    assert structure(no_edges, 0.25, 0).changed.sum() == 185


def test_a_graph_whose_neighbours_all_agree_still_meets_the_rate() -> None:
    graph = from_arrays({"y": [0, 0, 1, 1], "edge_index": [[0, 2], [1, 3]]}, name="agreed")
    assert structure(graph, 0.5, 0).changed.sum() == 2
    assert structure(graph, 1.0, 0).labels.tolist() == [1, 1, 0, 0]


def test_chances_are_cut_at_one_and_keep_their_mean() -> None:
    chance = _chances(np.array([1.0, 0.9, 0.2, 0.1, 0.1, 0.0001]), 0.5)
    assert chance.mean() == pytest.approx(0.5, abs=1e-12)
    assert chance[:2].tolist() == [1.0, 1.0]
    assert chance[2] / chance[3] == pytest.approx(2.0)
    np.testing.assert_allclose(_chances(np.full(10, 0.3), 0.7), 0.7)


def test_confidence_takes_the_least_sure_first_and_their_runner_up(graph: GraphDataset) -> None:
    probs = sgc_probs(graph, 5)
    result = confidence(graph, 0.2, 5, temperature=0.0)
    sure = np.where(graph.labelled, probs[np.arange(800), graph.given], np.inf)
    assert set(np.flatnonzero(result.changed)) == set(np.argsort(sure, kind="stable")[:148])
    rows = np.flatnonzero(result.changed)
    probs[rows, graph.given[rows]] = -1
    np.testing.assert_array_equal(result.labels[rows], probs[rows].argmax(1))
    warm = confidence(graph, 0.2, 5, temperature=10.0)
    assert sure[warm.changed].mean() > sure[result.changed].mean() + 0.2


def test_what_cannot_be_corrupted_is_refused(graph: GraphDataset) -> None:
    with pytest.raises(InputError, match="pull is 0"):
        structure(graph, 0.1, 0, pull=0)
    with pytest.raises(InputError, match="temperature is -1"):
        confidence(graph, 0.1, 0, temperature=-1)
    with pytest.raises(InputError, match="has no features"):
        confidence(replace(graph, x=np.zeros((800, 0))), 0.1, 0)
    one = replace(graph, given=np.zeros(800, dtype=np.int64))
    for kind in KINDS:
        with pytest.raises(InputError, match="fewer than two classes"):
            kind(one, 0.1, 0)
        with pytest.raises(InputError):
            kind(graph, 1.5, 0)
        with pytest.raises(InputError, match="Choose"):
            kind(graph, 0.1, 0, nodes="elsewhere")
