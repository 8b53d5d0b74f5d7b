"""Evidence columns against their definitions, and what must not move them."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.evidence import (
    evidence_columns,
    evidence_matrix,
    nearest_neighbours,
    neighbour_votes,
)
from labelnoise.core.validation import InputError


def problem(n: int = 60, k: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    given = rng.integers(0, k, n)
    probs = rng.dirichlet(np.ones(k), n)
    X = rng.normal(size=(n, 5))
    groups = rng.integers(0, 20, n)
    return given, probs, X, groups


def test_columns_match_their_definitions_unit_by_unit():
    given, probs, X, groups = problem()
    votes = neighbour_votes(nearest_neighbours(X, given, groups=groups, k=5), given, 4)
    columns = evidence_columns(given, probs, votes=votes, groups=groups)
    ratio = probs / probs.mean(axis=0)
    ratio /= ratio.sum(axis=1, keepdims=True)
    for i, g in enumerate(given):
        others = [c for c in range(4) if c != g]
        expected = {
            "p_given": np.log(probs[i, g]),
            "mean_given": np.log(probs[:, g].mean()),
            "class_mean": np.log(probs[given == g, g].mean()),
            "best_other": np.log(probs[i, others].max()),
            "rank": np.log(1 + sum(probs[i, c] > probs[i, g] for c in others)),
            "entropy": -sum(probs[i] * np.log(probs[i])),
            "ratio_given": np.log(ratio[i, g]),
            "ratio_best_other": np.log(ratio[i, others].max()),
            "class_size": np.log((given == g).sum()),
            "vote_given": np.log(votes[i, g] + 0.02),
            "vote_mean": np.log(votes[:, g].mean() + 0.001),
            "support_outside": np.log1p(((given == g) & (groups != groups[i])).sum()),
        }
        assert set(expected) == set(columns)
        for name, value in expected.items():
            assert columns[name][i] == pytest.approx(value), name


def test_neighbours_match_a_search_by_hand_and_never_share_a_group():
    given, _, X, groups = problem()
    given[::7] = -1
    found = nearest_neighbours(X, given, groups=groups, k=6)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    for i in range(len(X)):
        allowed = [j for j in range(len(X)) if given[j] >= 0 and groups[j] != groups[i]]
        best = sorted(allowed, key=lambda j: -(unit[i] @ unit[j]))[:6]
        assert found.index[i].tolist() == best
        np.testing.assert_allclose(found.weight[i], np.exp(8 * unit[best] @ unit[i]))


def test_too_few_neighbours_leave_gaps_that_do_not_vote():
    found = nearest_neighbours(np.eye(3) + 0.1, [0, 1, -1], k=5)
    assert (found.index[:, 2:] == -1).all()
    assert (found.weight[:, 2:] == 0).all()
    lonely = nearest_neighbours(np.ones((2, 2)), [0, 1], groups=["a", "a"], k=1)
    assert neighbour_votes(lonely, [0, 1], 2).tolist() == [[0, 0], [0, 0]]


def test_the_own_label_never_votes():
    given, _, X, groups = problem()
    found = nearest_neighbours(X, given, groups=groups, k=6)
    before = neighbour_votes(found, given, 4)
    for i in (0, 13, 41):
        other = given.copy()
        other[i] = (given[i] + 1) % 4
        np.testing.assert_array_equal(neighbour_votes(found, other, 4)[i], before[i])


def test_masked_units_change_nothing_and_get_zeros():
    given, probs, X, groups = problem()
    masked = given.copy()
    masked[::3] = -1
    has = masked >= 0
    votes = neighbour_votes(nearest_neighbours(X, masked, groups=groups, k=5), masked, 4)
    alone_votes = neighbour_votes(
        nearest_neighbours(X[has], given[has], groups=groups[has], k=5), given[has], 4
    )
    with_them = evidence_matrix(evidence_columns(masked, probs, votes=votes, groups=groups))
    alone = evidence_matrix(evidence_columns(given[has], probs[has], votes=alone_votes, groups=groups[has]))
    np.testing.assert_allclose(with_them[has], alone)
    assert (with_them[~has] == 0).all()


def test_order_of_units_and_names_of_classes_do_not_matter():
    given, probs, X, groups = problem()
    votes = neighbour_votes(nearest_neighbours(X, given, k=5), given, 4)
    plain = evidence_matrix(evidence_columns(given, probs, votes=votes, groups=groups))
    order = np.random.default_rng(1).permutation(len(given))
    moved = evidence_matrix(
        evidence_columns(given[order], probs[order], votes=votes[order], groups=groups[order])
    )
    np.testing.assert_allclose(moved, plain[order])
    names = np.array([2, 0, 3, 1])
    renamed = evidence_columns(
        names[given], probs[:, np.argsort(names)], votes=votes[:, np.argsort(names)], groups=groups
    )
    np.testing.assert_allclose(evidence_matrix(renamed), plain)


def test_certain_probabilities_stay_finite():
    columns = evidence_columns([0, 1, 1], [[0, 1], [0, 1], [1, 0]])
    assert np.isfinite(evidence_matrix(columns)).all()


def test_no_labelled_unit_gives_zeros():
    assert (evidence_matrix(evidence_columns([-1, -1], [[0.5, 0.5]] * 2)) == 0).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evidence_columns([0, 1], [[np.nan, 1], [0.5, 0.5]]), "NaN"),
        (lambda: evidence_columns([0, 0], [[1.0], [1.0]]), "at least 2"),
        (lambda: evidence_columns([0, 1, 1], [[0.5, 0.5]] * 2), "Lengths differ"),
        (lambda: evidence_columns([0, 1], [[0.5, 0.5]] * 2, votes=[[0.5], [0.5]]), "one share per class"),
        (lambda: nearest_neighbours([[1.0], [np.inf]], [0, 1]), "infinity"),
        (lambda: nearest_neighbours([1.0, 2.0], [0, 1]), "matrix"),
        (lambda: nearest_neighbours([[1.0], [2.0]], [0, 1], k=0), "at least 1"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
