"""Baselines: votes without one's own, out-of-fold probabilities from smoothed features."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph.baselines import (
    detect_confident_learning,
    detect_sgc,
    detect_votes,
    detect_votes_sgc,
    vote_probs,
)
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.domain import DETECTORS
from labelnoise.graph.propagation import gcn_adjacency
from labelnoise.graph.sgc import SmoothedLogistic, sgc_probs

ALL = [detect_votes, detect_sgc, detect_votes_sgc, detect_confident_learning]


def communities(n: int = 240, rate: float = 0.1, seed: int = 0, sparse: bool = False) -> GraphDataset:
    """Three communities with noisy labels; node 0 has no edge, nodes 1 to 3 no label."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    joined = np.triu(rng.random((n, n)) < np.where(y[:, None] == y, 0.06, 0.004), 1)
    joined[0] = False
    x = (rng.random((n, 30)) < np.where(np.arange(30) % 3 == y[:, None], 0.3, 0.1)).astype(float)
    wrong = rng.choice(np.arange(4, n), int(n * rate), replace=False)
    given = y.copy()
    given[wrong] = (y[wrong] + 1) % 3
    given[1:4] = -1
    return GraphDataset(
        name="communities",
        given=given,
        true=y,
        class_names=("a", "b", "c"),
        x=sp.csr_array(x) if sparse else x,
        edge_index=np.array(np.nonzero(joined)),
    )


def test_votes_equal_a_count_by_hand() -> None:
    graph = communities(40)
    votes = vote_probs(graph)
    shares = np.bincount(graph.given[graph.labelled], minlength=3) / graph.labelled.sum()
    neighbours = [set(graph.adjacency[[i]].indices.tolist()) for i in range(40)]
    for i in range(40):
        count = 0.5 * shares
        for j in neighbours[i]:
            if graph.given[j] >= 0:
                count[graph.given[j]] += 1
            for k in neighbours[j] - {i}:
                if graph.given[k] >= 0:
                    count[graph.given[k]] += 1 / len(neighbours[j])
        np.testing.assert_allclose(votes[i], count / count.sum(), atol=1e-12)


def test_a_label_has_no_say_about_itself() -> None:
    graph = communities(60)
    other = graph.given.copy()
    other[9] = (other[9] + 1) % 3
    before, after = vote_probs(graph)[9], vote_probs(graph.with_labels(other))[9]
    np.testing.assert_allclose(before, after, atol=0.02)  # the class shares move a little


@pytest.mark.parametrize("detect", ALL)
def test_they_find_most_wrong_labels(detect) -> None:
    graph = communities()
    found = detect(graph, 0)
    wrong = graph.is_wrong
    assert wrong is not None
    right = graph.labelled & ~wrong
    assert (found.quality[right][:, None] > found.quality[wrong]).mean() > 0.9
    assert found.flagged[wrong].mean() > 0.6
    assert wrong[found.flagged].mean() > 0.6
    assert (found.suggested == graph.true).mean() > 0.85


@pytest.mark.parametrize("detect", ALL)
def test_unlabelled_nodes_are_trusted_and_names_agree(detect) -> None:
    found = detect(communities(), 0)
    assert not found.flagged[1:4].any()
    assert (found.quality[1:4] == 1).all()
    assert DETECTORS[found.method].load() is detect
    assert (found.quality >= 0).all()
    assert (found.quality <= 1).all()


@pytest.mark.parametrize("sparse", [True, False])
def test_smoothed_logistic_equals_scikit_learn_on_the_product(sparse: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    graph = communities(sparse=sparse)
    smooth = gcn_adjacency(graph.adjacency)
    rows = np.flatnonzero(graph.labelled)[::2]
    product = smooth @ (smooth @ graph.x)
    theirs = LogisticRegression(C=2.0, tol=1e-8, max_iter=5000).fit(product[rows], graph.given[rows])
    ours = SmoothedLogistic(graph.x, smooth, inverse_penalty=2.0, tol=1e-8).fit(rows, graph.given[rows])
    everyone = np.arange(graph.n_nodes)
    np.testing.assert_allclose(ours.predict_proba(everyone), theirs.predict_proba(product), atol=1e-4)


def test_sgc_does_not_see_the_labels_of_the_fold_it_judges() -> None:
    """Nodes with features of their own, no edges and random labels: nothing to learn, so nothing to fit."""
    rng = np.random.default_rng(0)
    graph = GraphDataset(
        name="noise",
        given=rng.integers(0, 2, 200),
        class_names=("a", "b"),
        x=np.eye(200),
        edge_index=np.zeros((2, 0), int),
    )
    probs = sgc_probs(graph)
    assert abs((probs.argmax(axis=1) == graph.given).mean() - 0.5) < 0.15


def test_sgc_takes_sparse_and_dense_features_alike() -> None:
    np.testing.assert_allclose(sgc_probs(communities(sparse=True)), sgc_probs(communities()), atol=1e-4)


def test_every_registered_detector_says_where_it_is_from() -> None:
    for name, entry in DETECTORS.items():
        assert entry.source, name
        assert entry.summary.endswith("."), name
        if entry.target.startswith("labelnoise.graph.baselines"):
            assert entry.load()(communities(60), 0).method == name


def test_refusals() -> None:
    graph = communities()
    with pytest.raises(InputError, match="No node carries a label"):
        vote_probs(graph.with_labels(np.full(240, -1)))
    bare = GraphDataset(
        name="bare",
        given=graph.given,
        class_names=graph.class_names,
        x=np.zeros((240, 0)),
        edge_index=graph.edge_index,
    )
    with pytest.raises(InputError, match="use the detector 'votes'"):
        sgc_probs(bare)
