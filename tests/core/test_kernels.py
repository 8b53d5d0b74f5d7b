"""Kernel ridge against refitting without each group, and what a prediction must not depend on."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from labelnoise.core.kernels import KERNELS, KernelExpert, laplacian, linear, median_distance
from labelnoise.core.validation import InputError


def problem(n: int = 50, seed: int = 0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.eye(3)[rng.integers(0, 3, n)], rng.integers(0, 18, n)


@pytest.mark.parametrize("kernel", ["linear", "laplacian"])
@pytest.mark.parametrize("grouped", [False, True])
def test_leaving_out_equals_refitting_without(kernel, grouped):
    X, Y, groups = problem()
    groups = groups if grouped else np.arange(len(X))
    found = KernelExpert(X, kernel=kernel, lam=0.2, groups=groups).leave_group_out(Y)
    G = KERNELS[kernel].load()(X, X, median_distance(X))
    J = np.eye(len(X)) - 1 / len(X)
    G = J @ G @ J
    G *= len(X) / np.trace(G)
    for g in np.unique(groups):
        out, kept = groups == g, groups != g
        mean = Y[kept].mean(axis=0)
        dual = np.linalg.solve(G[np.ix_(kept, kept)] + 0.2 * np.eye(kept.sum()), Y[kept] - mean)
        np.testing.assert_allclose(found[out], G[np.ix_(out, kept)] @ dual + mean, atol=1e-9)


@pytest.mark.parametrize("dense_limit", [1000, 10])
def test_the_own_groups_labels_do_not_count(dense_limit):
    X, Y, groups = problem()
    expert = KernelExpert(
        X, kernel="laplacian", lam=0.1, groups=groups, dense_limit=dense_limit, landmarks=20
    )
    before = expert.leave_group_out(Y)
    for g in (0, 5, 11):
        other = Y.copy()
        other[groups == g] = [0.2, 0.3, 0.5]
        after = expert.leave_group_out(other)
        np.testing.assert_allclose(after[groups == g], before[groups == g], atol=1e-10)
        assert np.abs(after - before)[groups != g].max() > 1e-3


@pytest.mark.parametrize("kernel", ["linear", "laplacian"])
def test_all_units_as_landmarks_give_the_exact_answer(kernel):
    X, Y, groups = problem()
    exact = KernelExpert(X, kernel=kernel, groups=groups)
    approximate = KernelExpert(X, kernel=kernel, groups=groups, dense_limit=1, landmarks=50)
    assert exact.exact
    assert not approximate.exact
    np.testing.assert_allclose(approximate.leave_group_out(Y), exact.leave_group_out(Y), atol=1e-6)
    Z = np.random.default_rng(3).normal(size=(7, 4))
    np.testing.assert_allclose(approximate.predict(Z, Y), exact.predict(Z, Y), atol=1e-6)


def test_few_landmarks_stay_close_where_units_cluster():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 400)
    X = 5.0 * np.eye(8)[true] + rng.normal(size=(400, 8))
    Y = np.eye(4)[true]
    exact = KernelExpert(X, kernel="laplacian", lam=0.1).leave_group_out(Y)
    few = KernelExpert(X, kernel="laplacian", lam=0.1, dense_limit=10, landmarks=60).leave_group_out(Y)
    assert (few.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.98


def test_order_of_units_does_not_matter():
    X, Y, groups = problem()
    order = np.random.default_rng(1).permutation(len(X))
    plain = KernelExpert(X, kernel="laplacian", groups=groups).leave_group_out(Y)
    moved = KernelExpert(X[order], kernel="laplacian", groups=groups[order]).leave_group_out(Y[order])
    np.testing.assert_allclose(moved, plain[order], atol=1e-9)


def test_prediction_of_a_known_unit_is_the_ordinary_fit():
    X, Y, _ = problem()
    G = linear(X - X.mean(axis=0), X - X.mean(axis=0))
    G *= len(X) / np.trace(G)
    mean = Y.mean(axis=0)
    expected = G @ np.linalg.solve(G + 0.3 * np.eye(len(X)), Y - mean) + mean
    np.testing.assert_allclose(KernelExpert(X, lam=0.3).predict(X, Y), expected, atol=1e-9)


def test_equal_units_have_no_distance():
    X = np.array([[1e3, 1e-3]] * 3)
    assert (laplacian(X, X, 1.0) == 1).all()
    assert median_distance(X) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: KernelExpert([[1.0], [np.nan]]), "NaN"),
        (lambda: KernelExpert([1.0, 2.0]), "matrix"),
        (lambda: KernelExpert([[1.0], [2.0]], lam=0), "above 0"),
        (lambda: KernelExpert([[1.0], [2.0]], groups=["a", "a"]), "one group"),
        (lambda: KernelExpert([[1.0]]), "only one"),
        (lambda: KernelExpert([[1.0], [2.0]], landmarks=1), "at least 2"),
        (lambda: KernelExpert([[1.0], [2.0]], kernel="laplace"), "laplacian"),
        (lambda: KernelExpert([[1.0], [2.0]]).leave_group_out(np.zeros((3, 2))), "one row per unit"),
        (lambda: KernelExpert([[1.0], [2.0]]).leave_group_out(np.full((2, 2), np.nan)), "NaN"),
        (lambda: KernelExpert([[1.0], [2.0]]).predict([[1.0, 2.0]], np.zeros((2, 2))), "columns"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_memory_of_many_units_is_a_row_each():
    """Beside the features: one row per unit, a number for every landmark, whatever is computed on the way."""
    X, Y, _ = problem(20_000)
    X = np.hstack([X, X**2])
    tracemalloc.start()
    try:
        expert = KernelExpert(X, kernel="laplacian", landmarks=150)
        expert.leave_group_out(Y)
        expert.predict(X, Y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.7 * 20_000 * 150 * 8


def test_rows_computed_at_a_time_change_nothing_but_rounding(monkeypatch):
    X, Y, groups = problem(300)
    options = {"kernel": "laplacian", "groups": groups, "dense_limit": 10, "landmarks": 60}
    whole = KernelExpert(X, **options)
    found = whole.leave_group_out(Y), whole.predict(X[:70], Y)
    monkeypatch.setattr("labelnoise.core.kernels._ROWS", 7)
    parts = KernelExpert(X, **options)
    np.testing.assert_allclose(parts.leave_group_out(Y), found[0], atol=1e-10)
    np.testing.assert_allclose(parts.predict(X[:70], Y), found[1], atol=1e-10)
