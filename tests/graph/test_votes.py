"""Votes against their definition by explicit powers of the random walk."""

import numpy as np
import scipy.sparse as sp

from labelnoise.graph.votes import Votes, vote_scores


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
