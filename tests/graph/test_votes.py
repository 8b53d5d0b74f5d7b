"""Votes against their definition by explicit powers of the random walk."""

import numpy as np
import scipy.sparse as sp

from labelnoise.graph.votes import LargeVotes, Votes, vote_scores


def test_votes_equal_explicit_powers_and_ignore_the_own_label():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((40, 40)) < 0.1, 1) * rng.random((40, 40))
    adjacency = sp.csr_array(upper + upper.T)
    weight = np.asarray(adjacency.sum(axis=1)).ravel()
    walk = np.divide(adjacency.todense(), weight[:, None], where=weight[:, None] > 0, out=np.zeros((40, 40)))
    targets = rng.random((40, 3))
    votes = Votes(adjacency)
    for hops, vote in enumerate(votes(targets), start=1):
        power = np.linalg.matrix_power(walk, hops)
        np.fill_diagonal(power, 0)
        np.testing.assert_allclose(vote, power @ targets, atol=1e-12)
    changed = targets.copy()
    changed[5] += 10
    for before, after in zip(votes(targets), votes(changed), strict=True):
        np.testing.assert_allclose(before[5], after[5], atol=1e-12)


def test_nobody_voting_is_no_evidence():
    scores = vote_scores(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([0.3, 0.7]))
    np.testing.assert_allclose(scores[0], 0, atol=1e-12)
    assert scores[1, 0] > 0 > scores[1, 1]


def test_heavier_edges_have_more_votes():
    weights = np.array([[0, 3.0, 1.0], [3.0, 0, 0], [1.0, 0, 0]])
    heavy = Votes(sp.csr_array(weights))(np.eye(2)[[0, 0, 1]])[0]
    np.testing.assert_allclose(heavy[0], [0.75, 0.25])
    large = LargeVotes(sp.csr_array(weights))(np.eye(2, dtype=np.float32)[[0, 0, 1]])[0]
    np.testing.assert_allclose(large[0], [0.75, 0.25])


def test_directed_edges_vote_along_and_against():
    """Node 0 points at 1 and 2, and 3 points at it: targets and sources have a vote of their own."""
    arcs = np.zeros((4, 4))
    arcs[0, 1] = arcs[0, 2] = arcs[3, 0] = 1
    both = sp.csr_array(np.maximum(arcs, arcs.T))
    targets = np.eye(3)[[0, 1, 1, 2]]
    votes = Votes(both, sp.csr_array(arcs))
    assert votes.columns == 5
    result = votes(targets)
    np.testing.assert_allclose(result[0][0], [0, 2 / 3, 1 / 3])
    np.testing.assert_allclose(result[3][0], [0, 1, 0])
    np.testing.assert_allclose(result[4][0], [0, 0, 1])
    rows = np.array([0, 3])
    single = LargeVotes(both, sp.csr_array(arcs))
    for some, every, exact in zip(
        single(targets.astype(np.float32), rows), single(targets.astype(np.float32)), result, strict=True
    ):
        np.testing.assert_allclose(every, exact, atol=1e-6)
        np.testing.assert_allclose(some, exact[rows], atol=1e-6)
    assert Votes(both).columns == 3
