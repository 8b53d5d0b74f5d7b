"""The prototype mixture against direct formulas, and as a trainer on a small graph with wrong labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.graph.closed_form import train_sgc
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.erase import erase_protocol
from labelnoise.graph.prototypes import (
    diffused_at,
    prototype_mixture,
    ridge_classes,
    train_prototypes,
)


def communities(n_classes: int = 3) -> GraphDataset:
    """Three groups of 20 joined within, one isolated node, three wrong labels."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 20)
    joined = rng.random((60, 60)) < np.where(group[:, None] == group, 0.3, 0.02)
    source, target = np.nonzero(np.triu(joined, 1))
    keep = (source != 59) & (target != 59)
    x = (rng.random((60, 30)) < 0.1).astype(float)
    for c in range(3):
        x[group == c, 3 * c : 3 * c + 3] = rng.random((20, 3)) < 0.6
    given = group.copy()
    given[[0, 21, 42]] = [1, 2, 0]
    place = np.arange(60) % 20
    return GraphDataset(
        name="communities",
        given=given,
        true=group,
        class_names=tuple("abcd")[:n_classes],
        x=x,
        edge_index=np.stack([source[keep], target[keep]]),
        masks={"train": place < 8, "val": (place >= 8) & (place < 12)},
    )


def test_mixture_without_pull_is_the_nearest_prototype_and_one_step_follows_the_formula() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    targets = np.zeros((20, 3))
    targets[:6, :] = rng.random((6, 3))

    def direction(weights: Any) -> Any:
        mean = weights.T @ x / weights.sum(axis=0)[:, None]
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def soft(means: Any) -> Any:
        share = np.exp(7.0 * x @ means.T)
        return share / share.sum(axis=1, keepdims=True)

    labelled = direction(targets)
    np.testing.assert_allclose(prototype_mixture(x, targets, concentration=7, pull=0), soft(labelled))
    mixed = 0.25 * direction(soft(labelled)) + 0.75 * labelled
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    found = prototype_mixture(x, targets, concentration=7, pull=0.25, iterations=1)
    np.testing.assert_allclose(found, soft(mixed))


def test_a_class_without_a_training_node_survives_and_gets_nothing() -> None:
    found = train_prototypes(communities(n_classes=4), 0)
    assert (found.probs[:, 3] == 0).all()
    np.testing.assert_allclose(found.probs.sum(axis=1), 1)


def test_wrong_labels_are_outvoted_and_the_choice_is_in_the_result() -> None:
    graph = communities()
    found = train_prototypes(graph, 0)
    assert found.accuracy(graph.true, graph.degree > 0) > 0.9
    assert found.selected_by == "noisy validation accuracy"
    scores = [entry["validation"] for entry in found.history]
    assert found.chosen == int(np.argmax(scores))
    worst_kept = min(scores[i] for i in found.info["averaged"])
    assert sum(score > worst_kept for score in scores) < 5 == len(found.info["averaged"])
    assert {entry["expert"] for entry in found.history} == {"prototypes", "ridge", "pupil"}
    one = train_prototypes(graph, 0, averaged=1)
    assert found.chosen == one.chosen
    assert not np.array_equal(found.probs, one.probs)


def test_features_made_before_give_the_same() -> None:
    graph = communities()
    before = diffused_at(graph, (0.1, 0.3), seed=0)
    found, again = (
        train_prototypes(graph, 0, features=before),
        train_prototypes(graph, 0, restarts=(0.1, 0.3)),
    )
    np.testing.assert_array_equal(found.probs, again.probs)
    np.testing.assert_allclose(np.linalg.norm(before[0.1], axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("n_rows", [4, 15])
def test_ridge_is_least_squares_with_a_penalty(n_rows: int) -> None:
    rng = np.random.default_rng(3)
    x, targets, rows = rng.normal(size=(20, 6)), np.zeros((20, 4)), np.arange(n_rows)
    targets[rows, rows % 3] = 1
    wide = np.vstack([x[rows], np.sqrt(0.7) * np.eye(6)])
    wanted = np.vstack([targets[rows, :3] - targets[rows, :3].mean(axis=0), np.zeros((6, 3))])
    scores = x @ np.linalg.lstsq(wide, wanted)[0]
    scores = np.exp(2 * scores / scores.std())
    found = ridge_classes(x, targets, 0.7, rows=rows)
    np.testing.assert_allclose(found[:, :3], scores / scores.sum(axis=1, keepdims=True))
    assert (found[:, 3] == 0).all()


def test_without_validation_the_first_setting_stands() -> None:
    graph = communities()
    found = train_prototypes(graph, 0, splits={"train": graph.masks["train"]})
    assert (found.selected_by, found.chosen) == ("the first setting", 0)


def test_test_labels_and_true_labels_play_no_part() -> None:
    graph = communities()
    outside = ~(graph.masks["train"] | graph.masks["val"])
    other = replace(graph, given=np.where(outside, -1, graph.given), true=None)
    np.testing.assert_array_equal(train_prototypes(graph, 0).probs, train_prototypes(other, 0).probs)


def test_refusals() -> None:
    graph = communities()
    with pytest.raises(InputError, match="No unit"):
        prototype_mixture(np.eye(3), np.zeros((3, 2)))
    with pytest.raises(InputError, match="pull"):
        train_prototypes(graph, 0, pulls=[1.5])
    with pytest.raises(InputError, match="empty"):
        train_prototypes(graph, 0, concentrations=[])
    with pytest.raises(InputError, match="No unit"):
        ridge_classes(np.eye(3), np.zeros((3, 2)), 1.0)
    with pytest.raises(InputError, match="penalty"):
        train_prototypes(graph, 0, penalties=[0.0])
    with pytest.raises(InputError, match="averaged"):
        train_prototypes(graph, 0, averaged=0)
    with pytest.raises(InputError, match="restarts"):
        train_prototypes(graph, 0, restarts=[0.0])
    with pytest.raises(InputError, match="features"):
        train_prototypes(replace(graph, x=np.zeros((60, 0))), 0)


def test_better_than_smoothed_regression_on_cora_with_a_third_of_the_labels_wrong(real_data: Path) -> None:
    from labelnoise.graph.data import load_graph

    graph = load_graph("Cora", root=real_data / "graph")
    both = replace(graph, masks={**graph.masks, "both": graph.masks["train"] | graph.masks["val"]})
    noise = erase_protocol(both, "symmetric", 0.4, 7, nodes="both")
    noisy = graph.with_labels(noise.labels, true=graph.given)
    mine, plain = (
        train(noisy, 0).accuracy(graph.given, graph.masks["test"]) for train in (train_prototypes, train_sgc)
    )
    assert mine > plain + 0.03
