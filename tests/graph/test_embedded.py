"""The two embedded graphs: the same everywhere, as hard as they say, with the truth they say."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.embedded import TOPICS, VOCABULARY, digits, papers


def auc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a wrong label has the higher score."""
    ranks = rankdata(score)
    n_wrong = wrong.sum()
    return float((ranks[wrong].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * (~wrong).sum()))


def vote_against(graph: GraphDataset) -> np.ndarray:
    """Share of the labels within two steps, the node's own left out, that differ from it."""
    n, k = graph.n_nodes, graph.n_classes
    labels = sp.csr_array((np.ones(n), (np.arange(n), graph.given)), shape=(n, k)).toarray()
    one = graph.adjacency @ labels
    two = graph.adjacency @ one - graph.degree[:, None] * labels
    votes = one + two
    return 1 - (votes[np.arange(n), graph.given] + 1 / k) / (votes.sum(axis=1) + 1)


def test_papers_is_the_same_on_every_machine() -> None:
    graph = papers()
    assert graph.content_hash() == papers().content_hash()
    assert graph.content_hash() == "5f06d7198b02cf04baccb975e018805c7ac71425"
    assert papers(seed=1).content_hash() != graph.content_hash()


def test_papers_has_exactly_the_wrong_labels_it_says() -> None:
    graph = papers()
    assert graph.is_wrong is not None
    assert graph.is_wrong.sum() == 120
    assert graph.meta["planted_noise_rate"] == 0.08
    for rate in (0.0, 0.2, 0.5):
        wrong = papers(500, noise_rate=rate).is_wrong
        assert wrong is not None
        assert wrong.sum() == 500 * rate


@pytest.mark.parametrize("seed", range(4))
def test_papers_is_about_as_hard_as_cora(seed: int) -> None:
    graph = papers(seed=seed)
    assert graph.true is not None
    row, col = graph.edge_index
    assert 0.8 < (graph.true[row] == graph.true[col]).mean() < 0.87
    assert graph.is_wrong is not None
    assert 0.95 < auc(vote_against(graph), graph.is_wrong) < 0.985


def test_papers_looks_like_a_citation_graph() -> None:
    graph = papers(3000)
    graph.adjacency.check_format(full_check=True)
    assert graph.class_names == TOPICS
    assert graph.ids[7] == "paper-0007"
    assert 3.4 < graph.degree.mean() < 4.2
    # Heavy tail: the most cited paper has several times the degree that chance would give.
    assert graph.degree.max() > 7 * graph.degree.mean()
    assert 0.01 < (graph.degree == 0).mean() < 0.03
    squared = graph.adjacency @ graph.adjacency
    triangles = squared.multiply(graph.adjacency).sum()
    assert 0.1 < triangles / (graph.degree * (graph.degree - 1)).sum() < 0.3
    counts = np.bincount(graph.true, minlength=7)
    assert counts.min() > 150


def test_words_of_papers_can_be_read() -> None:
    graph = papers()
    assert sp.issparse(graph.x)
    assert graph.x.shape == (1500, len(VOCABULARY))
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert set(graph.x.data) == {1.0}
    assert graph.true is not None
    vision = graph.x[graph.true == TOPICS.index("vision")].mean(axis=0)
    others = graph.x[graph.true != TOPICS.index("vision")].mean(axis=0)
    telling = [VOCABULARY[index] for index in np.argsort(others - vision)[:5]]
    assert {"image", "segmentation"} <= set(telling)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_nodes": 50}, "n_nodes is 50"),
        ({"n_nodes": 500.5}, "n_nodes"),
        ({"noise_rate": 0.6}, "noise_rate is 0.6"),
    ],
)
def test_papers_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        papers(**options)


def test_papers_is_made_in_a_moment() -> None:
    papers()
    start = time.process_time()
    papers()
    assert time.process_time() - start < 0.3  # measured: 0.01


def test_digits_are_the_published_ones_and_their_nearest() -> None:
    from sklearn.datasets import load_digits

    graph = digits(3)
    pixels, labels = load_digits(return_X_y=True)
    np.testing.assert_array_equal(graph.x * 16, pixels)
    np.testing.assert_array_equal(graph.given, labels)
    assert graph.true is None
    distance = ((pixels[:, None, :] - pixels[None, ::30, :]) ** 2).sum(axis=2)
    for column, node in enumerate(range(0, 1797, 30)):
        nearest = sorted((value, other) for other, value in enumerate(distance[:, column]) if other != node)[
            :3
        ]
        assert {other for _, other in nearest} <= set(graph.adjacency[[node]].indices.tolist())
    row, col = graph.edge_index
    assert (graph.given[row] == graph.given[col]).mean() > 0.96


@pytest.mark.parametrize("k", [0, 51, 2.5])
def test_digits_refuses(k: float) -> None:
    with pytest.raises(InputError, match=f"k is {k}"):
        digits(k)  # type: ignore[arg-type]
