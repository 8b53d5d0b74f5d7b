"""Training by name: every trainer, what it returns, what chose it, and that wrong labels do not reach the choice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelnoise.core.training import STRATEGIES
from labelnoise.core.training.plain import Plain
from labelnoise.core.validation import InputError
from labelnoise.graph.closed_form import propagate_labels, train_sgc
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.embedded import papers
from labelnoise.graph.gnn_task import GraphTask
from labelnoise.graph.noise import symmetric
from labelnoise.graph.train_methods import (
    GRAPH_TRAINERS,
    train_curriculum,
    train_graph,
    train_neighbour_relabel,
    train_network,
)

CLOSED = ("sgc-lr", "label-propagation", "erase-prototypes")


def options(trainer: str, epochs: int = 3) -> dict[str, Any]:
    """What makes a trainer short."""
    if trainer in CLOSED:
        return {}
    if trainer == "erase":
        # small, and judged by noisy labels as the others are; the data set's true labels are known
        return {"epochs": epochs, "hidden": 16, "width": 12, "validation_labels": "noisy"}
    if trainer == "gcn+gce":  # its parameters are what it is
        return {"epochs": epochs}
    warms = trainer in ("neighbour-relabel", "curriculum")
    parameters: dict[str, Any] = {"warmup": 1} if warms else {}
    return {"epochs": epochs, "parameters": parameters}


@pytest.fixture(scope="module")
def graph() -> GraphDataset:
    return papers(300)


def test_every_strategy_of_the_core_has_a_trainer() -> None:
    assert {name.removeprefix("gcn+") for name in GRAPH_TRAINERS} >= set(STRATEGIES) - {"plain"}
    for name in (*CLOSED, "plain-gcn", "neighbour-relabel", "curriculum"):
        assert name in GRAPH_TRAINERS
    for entry in GRAPH_TRAINERS.values():
        assert entry.helps
        assert entry.hurts
        assert "@" not in entry.helps + entry.hurts


@pytest.mark.parametrize("trainer", GRAPH_TRAINERS)
def test_every_trainer_predicts_every_node(trainer: str, graph: GraphDataset) -> None:
    result = train_graph(graph, trainer, 1, **options(trainer))
    assert result.method == trainer
    assert result.probs.shape == (300, graph.n_classes)
    np.testing.assert_allclose(result.probs.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(result.probs.argmax(1), result.predicted)
    assert result.selected_by == "noisy validation accuracy"
    best = max(entry["validation"] for entry in result.history)
    assert result.history[result.chosen]["validation"] == best
    again = train_graph(graph, trainer, 1, **options(trainer))
    np.testing.assert_array_equal(again.probs, result.probs)


@pytest.mark.parametrize("trainer", ["plain-gcn", "neighbour-relabel", "curriculum", *CLOSED])
def test_test_labels_and_true_labels_play_no_part(trainer: str, graph: GraphDataset) -> None:
    splits = GraphTask(graph).splits
    changed = np.where(splits["test"], (graph.given + 1) % graph.n_classes, graph.given)
    other = replace(graph, given=changed, true=np.roll(graph.given, 1))
    one, two = (train_graph(g, trainer, 0, splits=splits, **options(trainer)) for g in (graph, other))
    np.testing.assert_array_equal(one.probs, two.probs)


def test_the_method_shows_what_chose_it(graph: GraphDataset) -> None:
    train_only = {"train": np.arange(300) < 200}
    for trainer, chosen in (("plain-gcn", "last epoch"), ("sgc-lr", "the middle setting")):
        result = train_graph(graph, trainer, 0, splits=train_only, **options(trainer))
        assert result.selected_by == chosen
    for trainer in ("plain-gcn", *CLOSED):
        clean = train_graph(graph, trainer, 0, validation_labels="clean", **options(trainer))
        assert clean.selected_by == "clean validation accuracy"


def test_any_network_under_any_strategy(graph: GraphDataset) -> None:
    for network in ("gin", "gat", "mlp"):
        result = train_network(
            graph, 0, strategy="elr", network=network, network_options={"hidden": 16}, epochs=3
        )
        assert result.method == f"{network}+elr"
        assert np.isfinite(result.probs).all()
    made = Plain(loss="gce")
    assert train_network(graph, 0, strategy=made, epochs=3).method == "gcn+Plain"
    three = train_network(graph, 0, network_options={"layers": 3}, epochs=3)
    assert (three.probs != train_network(graph, 0, epochs=3).probs).any()


def test_an_epoch_is_one_step_so_that_strategies_warm_up_longer(graph: GraphDataset) -> None:
    kept = [entry["kept"] for entry in train_network(graph, 0, strategy="small_loss", epochs=40).history]
    assert kept[:10] == [1.0] * 10
    assert kept[-1] < 1.0
    own = train_network(
        graph, 0, strategy="small_loss", parameters={"warmup": 20, "noise_rate": 0.3}, epochs=40
    )
    kept = [entry["kept"] for entry in own.history]
    assert kept[:20] == [1.0] * 20
    assert kept[-1] == pytest.approx(0.7)


def test_trainers_take_their_own_options(graph: GraphDataset) -> None:
    alone = train_neighbour_relabel(graph, 0, neighbours=0, epochs=3, parameters={"warmup": 3})
    plain = train_network(graph, 0, epochs=3)
    np.testing.assert_array_equal(alone.probs, plain.probs)
    linked = train_neighbour_relabel(graph, 0, neighbours=5, least=0.0, epochs=3, parameters={"warmup": 3})
    assert (linked.probs != plain.probs).any()
    slow = train_curriculum(graph, 0, epochs=6, parameters={"warmup": 2, "end_share": 0.6})
    assert slow.history[-1]["kept"] <= 0.6


def test_label_propagation_is_the_solution_of_its_equation() -> None:
    graph = papers(200)
    splits = GraphTask(graph).splits
    result = propagate_labels(graph, 0, splits={"train": splits["train"]}, alphas=(0.6,), steps=200)
    a = graph.adjacency.toarray()
    scale = np.where(a.sum(1) > 0, 1 / np.sqrt(np.maximum(a.sum(1), 1e-9)), 0)
    start = np.eye(graph.n_classes)[graph.given] * splits["train"][:, None]
    solved = np.linalg.solve(np.eye(200) - 0.6 * scale[:, None] * a * scale, 0.4 * start)
    reached = solved.sum(1) > 1e-12
    np.testing.assert_allclose(
        result.probs[reached], solved[reached] / solved[reached].sum(1, keepdims=True), atol=1e-9
    )
    np.testing.assert_allclose(
        result.probs[~reached], np.tile(start.sum(0) / start.sum(), ((~reached).sum(), 1))
    )


def test_graphs_without_features_or_edges() -> None:
    graph = papers(300)
    bare = replace(graph, x=np.zeros((300, 0)))
    assert train_graph(bare, "label-propagation").probs.shape == (300, graph.n_classes)
    for trainer in ("plain-gcn", "sgc-lr", "neighbour-relabel"):
        with pytest.raises(InputError, match="no node features"):
            train_graph(bare, trainer)
    lonely = replace(graph, edge_index=np.zeros((2, 0), dtype=np.int64))
    for trainer in GRAPH_TRAINERS:
        if trainer in (*CLOSED, "plain-gcn", "neighbour-relabel", "curriculum"):
            assert np.isfinite(train_graph(lonely, trainer, **options(trainer)).probs).all()


def test_relabelling_beats_plain_training_on_symmetric_noise() -> None:
    graph = papers(1000, noise_rate=0.0)
    noisy = graph.with_labels(symmetric(graph, 0.4, 0).labels, true=graph.given)
    test = GraphTask(noisy).splits["test"]
    settings: dict[str, Any] = {"epochs": 80, "select": "last", "weight_decay": 0.0}
    plain = train_graph(noisy, "plain-gcn", 0, **settings).accuracy(graph.given, test)
    relabelled = train_graph(noisy, "neighbour-relabel", 0, **settings).accuracy(graph.given, test)
    assert relabelled > plain + 0.02


def test_options_are_checked(graph: GraphDataset) -> None:
    with pytest.raises(InputError, match="Unknown trainer 'gcn'"):
        train_graph(graph, "gcn")
    with pytest.raises(InputError, match="fixes 'strategy'"):
        train_graph(graph, "gcn+elr", strategy="plain")
    with pytest.raises(InputError, match="setting of the training"):
        train_graph(graph, "plain-gcn", epoch=3)
    with pytest.raises(InputError, match="option of Curriculum"):
        train_graph(graph, "curriculum", parameters={"warm": 3})
    with pytest.raises(InputError, match="shares from 0 to below 1"):
        propagate_labels(graph, 0, alphas=(1.0,))
    with pytest.raises(InputError, match="numbers above 0"):
        train_sgc(graph, 0, inverse_penalties=(0.0,))
    one_class = {"train": (graph.given == 0) & (np.arange(300) < 200)}
    with pytest.raises(InputError, match="one class only"):
        train_sgc(graph, 0, splits=one_class)
