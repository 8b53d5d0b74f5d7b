"""Evidence columns against their definitions, and what must not move them."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.evidence import evidence_columns, evidence_matrix
from labelnoise.core.neighbours import knn_votes, nearest_neighbours
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
    votes = knn_votes(given, nearest_neighbours(X, 5, groups=groups), n_classes=4)
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


def test_masked_units_change_nothing_and_get_zeros():
    given, probs, X, groups = problem()
    masked = given.copy()
    masked[::3] = -1
    has = masked >= 0
    votes = knn_votes(masked, nearest_neighbours(X, 5, groups=groups, eligible=has), n_classes=4)
    alone_votes = knn_votes(given[has], nearest_neighbours(X[has], 5, groups=groups[has]), n_classes=4)
    with_them = evidence_matrix(evidence_columns(masked, probs, votes=votes, groups=groups))
    alone = evidence_matrix(evidence_columns(given[has], probs[has], votes=alone_votes, groups=groups[has]))
    np.testing.assert_allclose(with_them[has], alone)
    assert (with_them[~has] == 0).all()


def test_order_of_units_and_names_of_classes_do_not_matter():
    given, probs, X, groups = problem()
    votes = knn_votes(given, nearest_neighbours(X, 5), n_classes=4)
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
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
