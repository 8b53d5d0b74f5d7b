"""GraphCleaner's faithful mode: features, mislabels, splits, the whole detector."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from labelnoise.core.detection import Detection
from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.graphcleaner import (
    FEATURES,
    GraphCleaner,
    _hops,
    _warnings,
    detect_faithful,
    mislabel,
    neighbourhood_features,
    split_nodes,
)


def communities(
    n: int = 300, *, rate: float = 0.1, seed: int = 0, masks: bool = False, within: float = 0.06
) -> GraphDataset:
    """Three communities with noisy labels, uniform over the other classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    joined = np.triu(rng.random((n, n)) < np.where(y[:, None] == y, within, 0.005), 1)
    x = (rng.random((n, 30)) < np.where(np.arange(30) % 3 == y[:, None], 0.25, 0.1)).astype(float)
    wrong = rng.choice(n, int(n * rate), replace=False)
    given = y.copy()
    given[wrong] = (y[wrong] + rng.integers(1, 3, len(wrong))) % 3
    place = rng.permutation(n) % 5
    return GraphDataset(
        name="communities",
        given=given,
        true=y,
        class_names=("a", "b", "c"),
        x=x,
        edge_index=np.array(np.nonzero(joined)),
        masks={"train": place < 2, "val": place == 2, "test": place > 2} if masks else {},
    )


# One detection for the tests that only look at it.
GRAPH = communities(masks=True)
FOUND = detect_faithful(GRAPH, 0, epochs=60, lr=0.01, detector_epochs=300)


def test_features_equal_their_definition_with_dense_powers() -> None:
    graph = communities(60)
    adjacency = graph.adjacency.toarray()
    scale = np.maximum(adjacency.sum(1), 1e-300) ** -0.5
    s1 = scale[:, None] * adjacency * scale
    s2, s3 = s1 @ s1, s1 @ s1 @ s1
    np.fill_diagonal(s2, 0)
    np.fill_diagonal(s3, 0)
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    one_hot = np.eye(3)[graph.given]
    everywhere = np.stack(
        [m @ v for v, ms in ((probs, (np.eye(60), s1, s2, s3)), (one_hot, (s1, s2, s3))) for m in ms]
    )
    rows, labels = np.array([3, 10, 44]), np.array([2, 0, 1])
    ours = neighbourhood_features(probs, _hops(graph, probs), labels, rows)
    np.testing.assert_allclose(ours, everywhere[:, rows, labels].T, atol=1e-12)
    assert ours.shape[1] == len(FEATURES)


def test_a_nodes_label_changes_its_features_only_through_the_column() -> None:
    """What reaches a node does not contain its own given label."""
    graph = communities(60)
    probs = np.full((60, 3), 1 / 3)
    other = graph.given.copy()
    other[7] = (other[7] + 1) % 3
    before, after = _hops(graph, probs)[1], _hops(graph.with_labels(other), probs)[1]
    for one, two in zip(before, after):
        np.testing.assert_allclose(one[7], two[7], atol=1e-12)


def test_mislabels_follow_the_transition_matrix() -> None:
    transition = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    labels = np.repeat([0, 1, 2], 20_000)
    changed, flipped = mislabel(labels, transition, 0.5, np.random.default_rng(0))
    share = flipped.reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(share, [0.5, 0, 0.5], atol=0.02)
    from_first = changed[:20_000][flipped[:20_000]]
    np.testing.assert_allclose(
        np.bincount(from_first, minlength=3) / len(from_first), [0, 2 / 3, 1 / 3], atol=0.02
    )
    assert set(changed[40_000:][flipped[40_000:]]) == {0}
    np.testing.assert_array_equal(flipped, changed != labels)


def test_random_split_is_stratified_and_seeded() -> None:
    graph = communities(300)
    train, val, test = split_nodes(graph, 0)
    assert not (train & val).any()
    assert not (train & test).any()
    assert (train | val | test).all()
    for c in range(3):
        size = (graph.given == c).sum()
        assert abs((train & (graph.given == c)).sum() - 0.6 * size) <= 1
        assert abs((val & (graph.given == c)).sum() - 0.2 * size) <= 1
    np.testing.assert_array_equal(train, split_nodes(graph, 0)[0])
    assert (train != split_nodes(graph, 1)[0]).any()


def test_unlabelled_nodes_are_in_no_random_split() -> None:
    graph = communities(300)
    hidden = graph.with_labels(np.where(np.arange(300) < 50, -1, graph.given))
    assert not np.any([mask[:50] for mask in split_nodes(hidden, 0)])


def test_published_split_is_used_and_its_absence_refused() -> None:
    for how in ("auto", "published"):
        for mask, name in zip(split_nodes(GRAPH, 0, how), ("train", "val", "test")):
            np.testing.assert_array_equal(mask, GRAPH.masks[name])
    with pytest.raises(InputError, match='split="random"'):
        split_nodes(communities(30), 0, "published")
    with pytest.raises(InputError, match="Unknown split"):
        split_nodes(GRAPH, 0, "stratified")


def test_it_finds_wrong_labels_of_nodes_that_it_never_saw() -> None:
    wrong, test = GRAPH.is_wrong, GRAPH.masks["test"]
    assert wrong is not None
    right_first = FOUND.quality[test & ~wrong][:, None] > FOUND.quality[test & wrong]
    assert right_first.mean() > 0.93  # the AUC
    assert wrong[test & FOUND.flagged].mean() > 0.5
    assert FOUND.flagged[test & wrong].mean() > 0.6
    np.testing.assert_array_equal(FOUND.flagged, 1 - FOUND.quality > 0.97)


def test_what_a_detection_holds() -> None:
    assert FOUND.method == "graphcleaner-faithful"
    assert FOUND.p_wrong is None
    assert tuple(FOUND.evidence) == FEATURES
    np.testing.assert_allclose(FOUND.transition.sum(axis=1), 1)
    assert (FOUND.suggested == GRAPH.true).mean() > 0.8
    assert (FOUND.confidence >= 1 / 3).all()
    assert FOUND.info["validation_nodes"] == 60
    assert 0 < FOUND.info["synthetic_mislabels"] <= 30


def test_same_seed_same_detection_other_seed_another() -> None:
    options: dict[str, Any] = {"epochs": 10, "detector_epochs": 10, "lr": 0.01}
    first = detect_faithful(GRAPH, 1, **options)
    np.testing.assert_array_equal(first.quality, detect_faithful(GRAPH, 1, **options).quality)
    assert (first.quality != detect_faithful(GRAPH, 2, **options).quality).any()


def test_true_labels_are_never_looked_at() -> None:
    options: dict[str, Any] = {"epochs": 10, "detector_epochs": 10, "lr": 0.01}
    lied = GRAPH.with_labels(GRAPH.given, true=np.zeros(300, int))
    np.testing.assert_array_equal(
        detect_faithful(GRAPH, 1, **options).quality, detect_faithful(lied, 1, **options).quality
    )


def test_nodes_without_a_label_are_never_flagged_but_get_a_suggestion() -> None:
    hidden = GRAPH.with_labels(np.where(np.arange(300) % 10 == 0, -1, GRAPH.given))
    found = detect_faithful(hidden, 0, epochs=40, lr=0.01, detector_epochs=50)
    assert not found.flagged[::10].any()
    assert (found.quality[::10] == 1).all()
    assert (found.suggested[::10] >= 0).all()


def test_threshold_only_moves_the_flags() -> None:
    options: dict[str, Any] = {"epochs": 10, "detector_epochs": 30, "lr": 0.01}
    strict, loose = (detect_faithful(GRAPH, 1, threshold=t, **options) for t in (0.97, 0.5))
    np.testing.assert_array_equal(strict.quality, loose.quality)
    assert (strict.flagged <= loose.flagged).all()
    assert loose.flagged.sum() > strict.flagged.sum()


def test_warnings_name_isolated_nodes_and_unconfused_classes() -> None:
    keep = ~np.isin(GRAPH.edge_index, [0, 1, 2]).any(axis=0)
    graph = GraphDataset(
        name="g",
        given=GRAPH.given,
        class_names=GRAPH.class_names,
        x=GRAPH.x,
        edge_index=GRAPH.edge_index[:, keep],
    )
    alone = (graph.degree == 0).sum()
    assert alone >= 3
    sentences = _warnings(
        graph, np.array([0, 0, 2]), np.array([[0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]]), graph.degree == 0
    )
    assert f"{alone} labelled nodes have no edge" in sentences[0]
    assert f"{alone} of them are flagged" in sentences[0]
    assert "no node of 'c' with another" in sentences[1]
    assert len(sentences) == 2


def test_a_graph_without_confusion_is_refused_with_the_way_out() -> None:
    clean = communities(90, rate=0, within=0.6)
    with pytest.raises(InputError, match='mode="calibrated"'):
        detect_faithful(clean, 0, epochs=60, lr=0.01)


def test_bad_options_are_refused() -> None:
    for options, words in (
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"flip_fraction": -1}, "flip_fraction is -1"),
        ({"base": "gcnn"}, "Did you mean 'gcn'"),
        ({"detector_epochs": 0}, "detector_epochs is 0"),
    ):
        with pytest.raises(InputError, match=words):
            detect_faithful(GRAPH, 0, epochs=1, **options)


@pytest.mark.real_data
@pytest.mark.slow
def test_published_setting_on_cora(real_data: Path) -> None:
    """Measured over 5 noise and 5 model seeds: F1 .770 +- .022, AUC .979 +- .004."""
    data = pytest.importorskip("labelnoise.graph.data")
    noise = pytest.importorskip("labelnoise.graph.noise")
    graph = data.load_graph("Cora", root=real_data / "graph")
    corruption = noise.graphcleaner_protocol(graph, "symmetric", 0.1)
    noisy = graph.with_labels(corruption.labels, true=graph.given)
    found = detect_faithful(noisy, 0)
    test = graph.masks["test"]
    measured = detection_metrics(noisy.is_wrong[test], 1 - found.quality[test], flagged=found.flagged[test])
    assert measured["f1"] > 0.72
    assert measured["auroc"] > 0.965


def test_the_class_hands_its_options_to_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    found = GraphCleaner("faithful", epochs=10, detector_epochs=10, lr=0.01).detect(GRAPH, seed=1)
    same = detect_faithful(GRAPH, 1, epochs=10, detector_epochs=10, lr=0.01)
    np.testing.assert_array_equal(found.quality, same.quality)

    calls = []

    def detect_calibrated(dataset: GraphDataset, seed: int = 0, *, rounds: int = 1) -> Detection:
        calls.append((dataset, seed, rounds))
        return same

    module = ModuleType("labelnoise.graph.calibrated")
    module.detect_calibrated = detect_calibrated  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert GraphCleaner(rounds=2).detect(GRAPH, seed=5) is same
    assert calls == [(GRAPH, 5, 2)]
    with pytest.raises(InputError, match="option of mode 'calibrated' 'threshold'"):
        GraphCleaner("calibrated", threshold=0.5)
    with pytest.raises(InputError, match="mode of GraphCleaner"):
        GraphCleaner("exact")
