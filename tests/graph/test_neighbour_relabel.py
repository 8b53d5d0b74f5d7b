"""Relabelling by neighbours: which labels change, which nodes get one, which edges are added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.validation import InputError
from labelnoise.graph.embedded import digits, papers
from labelnoise.graph.gnn_task import GraphTask
from labelnoise.graph.neighbour_relabel import NeighbourRelabel, with_similar_edges
from labelnoise.graph.noise import symmetric
from labelnoise.graph.propagation import gcn_adjacency


def config(epochs: int) -> TrainConfig:
    return TrainConfig(epochs=epochs, lr=0.01, weight_decay=5e-4, select="last", device="cpu")


def test_replaced_labels_are_mostly_wrong_ones_and_pseudo_labels_mostly_right() -> None:
    graph = digits()
    noisy = graph.with_labels(symmetric(graph, 0.3, 0).labels, true=graph.given)
    task = GraphTask(noisy, normalise=False)
    result = train(task, NeighbourRelabel(warmup=20, threshold=0.6), config(40))
    assert result.history[19]["relabelled"] == 0
    assert result.history[19]["pseudo_labels"] == 0
    target = result.units["target"].numpy()
    known = task.given >= 0
    replaced = known & (target != task.given)
    assert replaced.sum() == result.history[-1]["relabelled"] > 50
    assert (target[replaced] == graph.given[replaced]).mean() > 0.9
    guessed = ~known & (target >= 0)
    assert guessed.sum() == result.history[-1]["pseudo_labels"] > 50
    assert (target[guessed] == graph.given[guessed]).mean() > 0.9
    left = train(task, NeighbourRelabel(warmup=20, threshold=0.6, relabel=False), config(40))
    assert left.history[-1]["relabelled"] == 0
    assert left.history[-1]["pseudo_labels"] > 50


def test_nothing_but_labels_means_plain_training() -> None:
    task = GraphTask(papers(200))
    plain = train(task, "plain", config(4))
    same = train(task, NeighbourRelabel(warmup=4), config(4))
    for one, other in zip(plain.models[0].parameters(), same.models[0].parameters()):
        assert bool((one == other).all())


@pytest.mark.parametrize("make", [papers, digits])
def test_added_edges_lead_to_the_most_similar_nodes(make: Any) -> None:
    graph = make()
    nodes = np.arange(graph.n_nodes) % 50 == 0
    more = with_similar_edges(graph, nodes, neighbours=2, least=-1.0)
    assert more.edge_index.shape[1] == graph.edge_index.shape[1] + 2 * nodes.sum()
    added = more.edge_index[:, graph.edge_index.shape[1] :]
    smooth = gcn_adjacency(graph.adjacency) @ graph.x
    dense = smooth.toarray() if hasattr(smooth, "toarray") else smooth
    unit = dense / np.linalg.norm(dense, axis=1, keepdims=True)
    node = 50
    cosine = unit @ unit[node]
    cosine[node] = -2
    cosine[graph.adjacency[[node]].indices] = -2
    chosen = added[1, added[0] == node]
    np.testing.assert_allclose(np.sort(cosine[chosen]), np.sort(cosine)[-2:], atol=1e-6)
    few = with_similar_edges(graph, nodes, neighbours=2, least=0.999)
    assert few.edge_index.shape[1] < more.edge_index.shape[1]


def test_edges_of_odd_graphs() -> None:
    graph = papers(100)
    weighted = replace(graph, edge_weight=np.full(graph.edge_index.shape[1], 2.0))
    more = with_similar_edges(weighted, np.ones(100, bool))
    assert len(more.edge_weight) == more.edge_index.shape[1]  # type: ignore[arg-type]
    none = with_similar_edges(graph, np.zeros(100, bool))
    np.testing.assert_array_equal(none.edge_index, graph.edge_index)
    everything = with_similar_edges(graph, np.ones(100, bool), neighbours=1000, least=-1.0)
    assert everything.adjacency.nnz == 100 * 99
    with pytest.raises(InputError, match="no node features"):
        with_similar_edges(replace(graph, x=np.zeros((100, 0))), np.ones(100, bool))
    with pytest.raises(InputError, match="100 booleans"):
        with_similar_edges(graph, np.ones(3, bool))
    with pytest.raises(InputError, match="neighbours is 0"):
        with_similar_edges(graph, np.ones(100, bool), neighbours=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup": 0}, "warmup is 0"),
        ({"threshold": 0.5}, "threshold is 0.5"),
        ({"pseudo_weight": -1}, "pseudo_weight is -1"),
        ({"momentum": 1.0}, "momentum is 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(GraphTask(papers(100)), NeighbourRelabel(**options), config(2))


def test_it_needs_a_graph() -> None:
    with pytest.raises(InputError, match="GraphTask"):
        train(ArrayTask(np.zeros((4, 2)), [0, 1, 0, 1]), NeighbourRelabel(), config(2))
