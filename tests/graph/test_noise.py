"""Node noise: rates, splits, the published protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.noise import Corruption
from labelnoise.core.validation import InputError
from labelnoise.graph import noise
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.domain import GraphDomain
from labelnoise.graph.embedded import digits, papers

Kind = Callable[..., Corruption]
CLASS_KINDS = [noise.symmetric, noise.pair, noise.asymmetric]
KINDS = [*CLASS_KINDS, noise.instance]


@pytest.fixture(scope="module")
def graph() -> GraphDataset:
    sound = papers(4000, noise_rate=0.0)
    masks = {"train": np.arange(4000) < 1000, "test": np.arange(4000) >= 3000}
    given = sound.given.copy()
    given[500:600] = -1
    return replace(sound, given=given, true=None, masks=masks)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_the_rate_is_the_share_of_wrong_labels(kind: Kind, rate: float, graph: GraphDataset) -> None:
    result = kind(graph, rate, 3)
    changed = graph.given != result.labels
    assert result.rate == changed.sum() / graph.labelled.sum() == pytest.approx(rate, abs=0.025)
    assert result.rates["nodes"] == result.rate
    np.testing.assert_array_equal(result.changed, changed)


@pytest.mark.parametrize("kind", KINDS)
def test_nodes_without_a_label_keep_none_and_never_matter(kind: Kind, graph: GraphDataset) -> None:
    result = kind(graph, 0.3, 3)
    assert (result.labels[~graph.labelled] == -1).all()
    if kind is not noise.instance:  # whose features are scaled by the labelled nodes'
        less = replace(graph, given=np.where(np.arange(4000) % 7 == 0, -1, graph.given))
        still = less.labelled
        np.testing.assert_array_equal(kind(less, 0.3, 3).labels[still], result.labels[still])


@pytest.mark.parametrize("kind", KINDS)
def test_only_one_split(kind: Kind, graph: GraphDataset) -> None:
    result = kind(graph, 0.4, 3, nodes="train")
    assert not result.changed[1000:].any()
    assert result.rates["nodes"] == result.changed[:1000].sum() / graph.labelled[:1000].sum()
    assert result.rates["nodes"] == pytest.approx(0.4, abs=0.06)
    assert result.rate == result.changed.sum() / graph.labelled.sum()
    with pytest.raises(
        InputError, match=r"Unknown split of 'papers' 'val'\. Choose one of: all, test, train"
    ):
        kind(graph, 0.4, 3, nodes="val")


@pytest.mark.parametrize("kind", KINDS)
def test_seeds(kind: Kind, graph: GraphDataset) -> None:
    np.testing.assert_array_equal(kind(graph, 0.3, 3).labels, kind(graph, 0.3, 3).labels)
    assert (kind(graph, 0.3, 3).labels != kind(graph, 0.3, 4).labels).any()


@pytest.mark.parametrize("kind", CLASS_KINDS)
def test_exact_counts(kind: Kind, graph: GraphDataset) -> None:
    assert kind(graph, 0.1, 3, exact=True).changed.sum() == pytest.approx(390, abs=1)


def test_which_class_a_wrong_label_is(graph: GraphDataset) -> None:
    wrong = noise.pair(graph, 0.4, 3)
    assert set((wrong.labels - graph.given)[wrong.changed] % 7) == {1}
    wrong = noise.pair(graph, 0.4, 3, step=-2)
    assert set((wrong.labels - graph.given)[wrong.changed] % 7) == {5}
    wrong = noise.symmetric(graph, 0.4, 3)
    assert set((wrong.labels - graph.given)[wrong.changed] % 7) == {1, 2, 3, 4, 5, 6}
    wrong = noise.asymmetric(graph, 0.4, 3)
    targets = {(int(a), int(b)) for a, b in zip(graph.given[wrong.changed], wrong.labels[wrong.changed])}
    assert len(targets) == 7
    assert wrong.transition is not None
    assert all(wrong.transition[source, goal] == 0.4 for source, goal in targets)


def test_instance_noise_gives_like_nodes_like_mistakes() -> None:
    graph = digits()
    wrong = noise.instance(graph, 0.4, 0)
    assert wrong.posterior is not None
    assert wrong.posterior.shape == (1797, 10)
    np.testing.assert_allclose(wrong.posterior.sum(axis=1), 1)
    row, col = graph.edge_index
    both = wrong.changed[row] & wrong.changed[col] & (graph.given[row] == graph.given[col])
    agree = (wrong.labels[row] == wrong.labels[col])[both].mean()
    uniform = noise.symmetric(graph, 0.4, 0)
    both = uniform.changed[row] & uniform.changed[col] & (graph.given[row] == graph.given[col])
    # Uniform mistakes of two nodes of a class agree in one case of nine.
    assert agree > 1.5 * (uniform.labels[row] == uniform.labels[col])[both].mean()


def test_instance_noise_needs_features(graph: GraphDataset) -> None:
    bare = replace(graph, x=np.zeros((graph.n_nodes, 0)))
    with pytest.raises(InputError, match="has no features"):
        noise.instance(bare, 0.1, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_rates_out_of_range(kind: Kind, rate: float, graph: GraphDataset) -> None:
    with pytest.raises(InputError, match="rate"):
        kind(graph, rate, 0)


@pytest.mark.parametrize("kind", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("rate", [0.1, 0.05, 0.025, 0.333])
def test_protocol_changes_exactly_the_floor_of_each_class_in_each_split(
    kind: str, rate: float, graph: GraphDataset
) -> None:
    masked = replace(graph, masks={"val": np.arange(4000) % 5 == 1, "test": np.arange(4000) % 5 == 2})
    result = noise.graphcleaner_protocol(masked, kind, rate)
    splits = noise.graphcleaner_splits(masked)
    assert list(splits) == ["train", "val", "test"]
    np.testing.assert_array_equal(sum(mask.astype(int) for mask in splits.values()), 1)
    for mask in splits.values():
        for c in range(7):
            members = mask & (masked.given == c)
            assert result.changed[members].sum() == int(members.sum() * rate)
    assert (result.labels[masked.given < 0] == -1).all()
    shift = (result.labels - masked.given)[result.changed] % 7
    assert set(shift) == ({1} if kind == "asymmetric" else {1, 2, 3, 4, 5, 6})
    assert result.rate < rate


def test_protocol_without_published_splits_cuts_by_node_number() -> None:
    splits = noise.graphcleaner_splits(digits())
    assert np.flatnonzero(splits["val"])[[0, -1]].tolist() == [1078, 1436]
    assert np.flatnonzero(splits["test"])[[0, -1]].tolist() == [1437, 1796]


def test_protocol_seeds_and_kinds() -> None:
    graph = digits()
    published = noise.graphcleaner_protocol(graph, "symmetric", 0.1)
    again = noise.graphcleaner_protocol(graph, kind="symmetric", rate=0.1, seed=1119)
    np.testing.assert_array_equal(published.labels, again.labels)
    assert (noise.graphcleaner_protocol(graph, "symmetric", 0.1, seed=0).labels != published.labels).any()
    with pytest.raises(InputError, match="kind of GraphCleaner noise 'pair'"):
        noise.graphcleaner_protocol(graph, "pair", 0.1)


@pytest.mark.real_data
@pytest.mark.parametrize("kind", ["symmetric", "asymmetric"])
def test_protocol_on_cora_has_the_published_rate(kind: str, real_data: Path) -> None:
    from labelnoise.graph.data import load_graph

    cora = load_graph("Cora", root=real_data / "graph")
    result = noise.graphcleaner_protocol(cora, kind, 0.1)
    assert round(100 * result.rate, 2) == 9.64
    assert result.changed.sum() == 261
    # 97 of the 1,000 test nodes.
    assert result.rates["test"] == pytest.approx(0.097)


def test_every_registered_kind_works_through_the_domain() -> None:
    domain = GraphDomain()
    graph = papers(300, noise_rate=0.0)
    assert list(domain.noises) == [
        "symmetric",
        "pair",
        "asymmetric",
        "instance",
        "graphcleaner-symmetric",
        "graphcleaner-asymmetric",
        "structure",
        "confidence",
    ]
    for kind in domain.noises:
        noisy, result = domain.corrupt(graph, kind=kind, rate=0.2, seed=1)
        assert noisy.is_wrong is not None
        assert noisy.is_wrong.sum() == result.changed.sum() > 0
        assert noisy.meta["corruption"]["realised_rate"] == result.rate
        entry = domain.noises[kind]
        assert entry.summary
        assert entry.source
    _, published = domain.corrupt(graph, kind="graphcleaner-asymmetric", rate=0.1, seed=1119)
    direct = noise.graphcleaner_protocol(graph, "asymmetric", 0.1)
    np.testing.assert_array_equal(published.labels, direct.labels)


def test_options_pass_through_the_domain() -> None:
    domain = GraphDomain()
    graph: Any = replace(papers(300), masks={"train": np.arange(300) < 100})
    noisy, result = domain.corrupt(graph, kind="symmetric", rate=0.5, seed=1, nodes="train")
    assert not result.changed[100:].any()
    assert noisy.meta["corruption"]["nodes"] == "train"


@pytest.mark.parametrize("name", ["graphcleaner-symmetric", "graphcleaner-asymmetric"])
def test_the_published_protocol_by_name(name: str, graph: GraphDataset) -> None:
    noisy, corruption = GraphDomain().corrupt(graph, kind=name, rate=0.1, seed=7)
    expected = noise.graphcleaner_protocol(graph, name.removeprefix("graphcleaner-"), 0.1, seed=7)
    np.testing.assert_array_equal(noisy.given, expected.labels)
    assert noisy.is_wrong is not None
    assert noisy.is_wrong.sum() == corruption.changed.sum() > 0
