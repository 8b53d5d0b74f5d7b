"""Homophily against its definition (Platonov et al. 2023, equation 1)."""

from __future__ import annotations

import numpy as np

from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.homophily import edge_homophily


def graph(given: list[int], edges: list[tuple[int, int]]) -> GraphDataset:
    return GraphDataset(
        name="g",
        given=np.array(given),
        class_names=("a", "b"),
        x=np.zeros((len(given), 0)),
        edge_index=np.array(edges, dtype=np.int64).T.reshape(2, -1),
    )


def test_agreement_beyond_chance() -> None:
    agreement, adjusted = edge_homophily(graph([0, 0, 0, 1], [(0, 1), (1, 2), (2, 3)]))
    chance = (5 / 6) ** 2 + (1 / 6) ** 2
    assert agreement == round(2 / 3, 4)
    assert adjusted == round((2 / 3 - chance) / (1 - chance), 4)


def test_neighbours_that_differ_are_below_zero() -> None:
    assert edge_homophily(graph([0, 1, 0, 1], [(0, 1), (1, 2), (2, 3), (3, 0)])) == (0.0, -1.0)


def test_nothing_to_compare() -> None:
    assert edge_homophily(graph([0, -1], [(0, 1)])) == (None, None)
    assert edge_homophily(graph([0, 1], [])) == (None, None)
    assert edge_homophily(graph([0, 0], [(0, 1)])) == (1.0, None)
