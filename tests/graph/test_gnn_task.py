"""A graph as a task: splits, views, mixing, and every strategy of the core on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelnoise.core.training import STRATEGIES
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.training.result import predict
from labelnoise.core.training.task import accuracy
from labelnoise.core.validation import InputError
from labelnoise.graph.data import load_graph
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.embedded import digits, papers
from labelnoise.graph.gnn_task import GraphTask
from labelnoise.graph.networks import NETWORKS
from labelnoise.graph.splits import node_splits

#: Options with which three epochs are enough to get past the warm-up.
SHORT: dict[str, dict[str, Any]] = {
    "divide_mix": {"warmup": 1, "alpha": 0},
    "cross_split": {"warmup": 1, "alpha": 0},
    "bootstrapping": {"warmup": 1, "alpha": 0},
    **{name: {"warmup": 1} for name in ("forward", "backward", "rent", "dws", "rescaling", "late_stopping")},
}


@pytest.fixture(scope="module")
def graph() -> GraphDataset:
    return papers(400)


def config(epochs: int = 3, **more: Any) -> TrainConfig:
    return TrainConfig(epochs=epochs, lr=0.01, weight_decay=5e-4, device="cpu", **more)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_runs(strategy: str, graph: GraphDataset) -> None:
    task = GraphTask(graph)
    result = train(task, strategy, config(), **SHORT.get(strategy, {}))
    found = predict(result, task)
    assert found.logits.shape == (400, graph.n_classes)
    assert torch.isfinite(found.logits).all()
    assert result.selected_by == "noisy validation accuracy"


@pytest.mark.parametrize("strategy", ["divide_mix", "cross_split", "bootstrapping"])
def test_strategies_that_mix_do_so_on_a_gcn_and_say_no_on_a_gat(strategy: str, graph: GraphDataset) -> None:
    result = train(GraphTask(graph), strategy, config(), warmup=1)
    assert len(result.history) == 3
    with pytest.raises(InputError, match="'gat' cannot mix nodes"):
        train(GraphTask(graph, network="gat"), strategy, config(), warmup=1)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_learns(network: str) -> None:
    clean = papers(600, noise_rate=0.0)
    task = GraphTask(clean, network=network)
    # A single affine map of features of size 1/30 needs large steps.
    lr = 0.3 if network == "sgc" else 0.01
    result = train(task, "plain", TrainConfig(epochs=60, lr=lr, select="last", device="cpu"))
    known = task._labels["test"] >= 0
    chance = np.bincount(clean.given[known]).max() / known.sum()
    assert accuracy([predict(result, task)]) > chance + 0.1


def test_splits_are_the_published_ones_or_drawn(graph: GraphDataset) -> None:
    drawn = node_splits(graph, 1)
    assert sum(mask.sum() for mask in drawn.values()) == graph.labelled.sum()
    assert (node_splits(graph, 1)["train"] == drawn["train"]).all()
    assert (node_splits(graph, 2)["train"] != drawn["train"]).any()
    for c in np.unique(graph.given):
        assert drawn["train"][graph.given == c].mean() == pytest.approx(0.6, abs=0.1)
    published = replace(graph, masks={"train": np.arange(400) < 40, "test": np.arange(400) >= 300})
    assert list(node_splits(published)) == ["train", "test"]
    assert GraphTask(published).validation_labels is None


def test_labels_outside_the_split_are_hidden(graph: GraphDataset) -> None:
    task = GraphTask(graph)
    for name, mask in task.splits.items():
        (batch,) = task.batches(name, None)  # type: ignore[arg-type]
        known = batch.labels.numpy() >= 0
        np.testing.assert_array_equal(known, mask & graph.labelled)
    assert (task.everything().labels == -1).all()


def test_test_and_clean_validation_labels_are_the_true_ones(graph: GraphDataset) -> None:
    noisy = graph.with_labels((graph.given + 1) % graph.n_classes, true=graph.given)
    task = GraphTask(noisy, validation_labels="clean")
    for name, labels in (("train", noisy.given), ("validation", graph.given), ("test", graph.given)):
        (batch,) = task.batches(name, None)  # type: ignore[arg-type]
        mask = task.splits[name]
        np.testing.assert_array_equal(batch.labels.numpy()[mask], labels[mask])
    assert train(task, "plain", config()).selected_by == "clean validation accuracy"


@pytest.mark.parametrize("make", [papers, digits])
def test_a_view_leaves_out_edges_and_features(make: Any) -> None:
    task = GraphTask(make(), drop_features=0.3, drop_edges=0.4)
    (batch,) = task.batches("train", None)
    view = task.augment(batch, np.random.default_rng(0))
    again = task.augment(batch, np.random.default_rng(0))
    assert view.labels is batch.labels
    n = task.n_units
    before, after = (len(b.operator.matrix.columns) - n for b in (batch, view))
    assert after / before == pytest.approx(0.6, abs=0.03)
    if make is papers:
        left = (view.features.weights > 0).sum() / (batch.features.weights > 0).sum()
        torch.testing.assert_close(view.features.weights, again.features.weights)
    else:
        left = (view.features > 0).sum() / (batch.features > 0).sum()
        torch.testing.assert_close(view.features, again.features)
    assert float(left) == pytest.approx(0.7, abs=0.2)


def test_labelled_nodes_are_mixed_with_labelled_nodes(graph: GraphDataset) -> None:
    task = GraphTask(graph)
    (batch,) = task.batches("train", None)
    mixed = task.mixed(task.build(), batch, 4.0, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.labels[mixed.partner] >= 0, batch.labels >= 0)
    assert float(mixed.share.min()) >= 0.5
    assert (mixed.partner != batch.ids).float().mean() > 0.9


def test_a_run_is_a_function_of_its_seed(graph: GraphDataset) -> None:
    task = GraphTask(graph)
    one, same, other = (predict(train(task, "plain", config(5, seed=s)), task).logits for s in (0, 0, 1))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert (one != other).any()


def test_what_cannot_be_trained_on_is_refused(graph: GraphDataset) -> None:
    n = graph.n_nodes
    with pytest.raises(InputError, match="no node features"):
        GraphTask(replace(graph, x=np.zeros((n, 0))))
    with pytest.raises(InputError, match="shares 400 node"):
        GraphTask(graph, splits={"train": np.ones(n, bool), "test": np.ones(n, bool)})
    with pytest.raises(InputError, match="'train' is needed"):
        GraphTask(graph, splits={"test": np.ones(n, bool)})
    with pytest.raises(InputError, match="No training node"):
        GraphTask(graph, splits={"train": np.zeros(n, bool)})
    with pytest.raises(InputError, match="needs the true labels"):
        GraphTask(replace(graph, true=None), validation_labels="clean")
    with pytest.raises(InputError, match="drop_edges is 1"):
        GraphTask(graph, drop_edges=1)


def test_the_published_accuracy_on_cora(real_data: Path) -> None:
    cora = load_graph("Cora", root=real_data / "graph")
    task = GraphTask(cora)
    result = train(task, "plain", config(60))
    assert accuracy([predict(result, task)]) == pytest.approx(0.815, abs=0.02)  # Kipf and Welling's .815
