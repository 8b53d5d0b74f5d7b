"""What the graph modality tells the core."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import from_arrays
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.domain import GraphDomain
from labelnoise.graph.homophily import edge_homophily


@pytest.fixture
def domain() -> GraphDomain:
    return GraphDomain()


def square(**changes: Any) -> GraphDataset:
    """0 - 1 - 2 - 3 - 0 with labels a a b b, and node 4 on its own without a label."""
    arrays: dict[str, Any] = {
        "y": ["a", "a", "b", "b", ""],
        "edge_index": [[0, 1, 2, 3], [1, 2, 3, 0]],
        "train_mask": [True, False, False, False, True],
    }
    return from_arrays({**arrays, **changes}, name="square")


def test_describe_counts_everything(domain: GraphDomain) -> None:
    facts = domain.describe(square())
    assert json.loads(json.dumps(facts)) == facts
    assert facts["nodes"] == 5
    assert facts["labelled"] == 4
    assert facts["classes"] == {"a": 2, "b": 2}
    assert facts["edges"] == facts["stored_edges"] == 4
    assert facts["directed"].startswith("each edge is stored once; votes count along")
    assert facts["weighted"] is False
    assert facts["isolated_nodes"] == 1
    assert facts["mean_degree"] == 1.6
    assert facts["splits"] == {"train": 2}
    # Two edges of four agree, as many as chance would have it.
    assert facts["edge_homophily"] == 0.5
    assert facts["adjusted_homophily"] == 0.0


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ([[0, 1, 2, 2], [1, 0, 3, 2]], "yes, 67% of the edges go both ways"),
        ([[0, 1], [1, 0]], "no, both directions are stored"),
        ([[0, 0, 3], [1, 1, 3]], "each edge is stored once"),
        ([[0], [0]], "no edges"),
        ([[], []], "no edges"),
    ],
)
def test_direction(edges: list[list[int]], said: str, domain: GraphDomain) -> None:
    assert domain.describe(square(edge_index=np.array(edges, dtype=int)))["directed"].startswith(said)


def test_weights_that_are_all_equal_are_none(domain: GraphDomain) -> None:
    assert domain.describe(square(edge_weight=[2.0, 2, 2, 2]))["weighted"] is False
    assert domain.describe(square(edge_weight=[2.0, 2, 2, 1]))["weighted"] is True


def test_homophily_without_any_evidence(domain: GraphDomain) -> None:
    facts = domain.describe(square(edge_index=np.array([[0], [4]])))
    assert facts["edge_homophily"] is None
    assert facts["adjusted_homophily"] is None
    # One class only: agreement is certain, and says nothing.
    assert edge_homophily(square(y=[0, 0, 0, 0, -1])) == (1.0, None)


def test_homophily_against_the_formula_written_out() -> None:
    rng = np.random.default_rng(0)
    graph = from_arrays({"y": rng.integers(-1, 4, 60), "edge_index": rng.integers(0, 60, (2, 200))}, name="g")
    pairs = {(min(a, b), max(a, b)) for a, b in graph.edge_index.T.tolist() if a != b}
    pairs = {(a, b) for a, b in pairs if graph.given[a] >= 0 and graph.given[b] >= 0}
    agreement = np.mean([graph.given[a] == graph.given[b] for a, b in pairs])
    degree = np.zeros(4)
    for pair in pairs:
        for node in pair:
            degree[graph.given[node]] += 1
    chance = ((degree / (2 * len(pairs))) ** 2).sum()
    assert edge_homophily(graph) == (round(agreement, 4), round((agreement - chance) / (1 - chance), 4))


def test_known_wrong_labels_and_notes(domain: GraphDomain) -> None:
    assert domain.describe(domain.load("papers"))["known_wrong_labels"] == 120
    noted = replace(square(), meta={"nodes_without_published_label": [4]})
    assert "1 nodes have no published label" in domain.describe(noted)["note"]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "homophily", "adjusted"),
    [("Minesweeper", 0.68, 0.01), ("Tolokers", 0.59, 0.09), ("Cora", 0.81, 0.77), ("CiteSeer", 0.74, 0.67)],
)
def test_homophily_of_public_graphs_is_the_published_one(
    name: str, homophily: float, adjusted: float, domain: GraphDomain, real_data: Path
) -> None:
    """Published: Platonov et al. 2023, both papers' tables of data sets."""
    facts = domain.describe(domain.load(name, root=real_data / "graph"))
    assert round(facts["edge_homophily"], 2) == homophily
    assert round(facts["adjusted_homophily"], 2) == adjusted


def test_context_shows_the_neighbours_labels(domain: GraphDomain) -> None:
    graph = square(y=["a", "a", "b", "b", ""], edge_index=[[0, 1, 2, 3, 0], [1, 2, 3, 0, 4]])
    assert domain.unit_context(graph, [0, 4, 2]) == {
        "degree": [3, 1, 2],
        "neighbours": ["a 1, b 1, no label 1", "a 1", "a 1, b 1"],
    }
    assert domain.unit_context(square(), [4]) == {"degree": [0], "neighbours": [""]}
    assert domain.unit_context(graph, []) == {"degree": [], "neighbours": []}


def test_context_puts_the_most_frequent_label_first(domain: GraphDomain) -> None:
    star = from_arrays({"y": list("abbbc"), "edge_index": [[0] * 4, [1, 2, 3, 4]]}, name="star")
    assert domain.unit_context(star, [0])["neighbours"] == ["b 3, c 1"]


@pytest.mark.parametrize("units", [[5], [-1]])
def test_context_of_nodes_that_are_not_there(units: list[int], domain: GraphDomain) -> None:
    with pytest.raises(InputError, match="nodes are numbered 0 to 4"):
        domain.unit_context(square(), units)


def test_load_and_save_go_through_files(domain: GraphDomain, tmp_path: Path) -> None:
    graph = domain.load("papers")
    written = domain.save(graph, tmp_path / "mine.npz")
    assert domain.load(str(written[0])).content_hash() == graph.content_hash()
    assert domain.default_dataset in domain.datasets()


def test_the_local_folder_of_data_sets_is_used(
    domain: GraphDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "graph" / "minesweeper" / "raw"
    folder.mkdir(parents=True)
    np.savez(
        folder / "minesweeper.npz",
        node_features=np.eye(3),
        node_labels=np.array([0, 1, 1]),
        edges=np.array([[0, 1]]),
    )
    monkeypatch.setenv("LABELNOISE_DATA", str(tmp_path))
    assert domain.load("minesweeper").n_nodes == 3
