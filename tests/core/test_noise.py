"""Corrupting single labels: rates, exact counts, seeds, masked units, instance-dependent noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from labelnoise.core.noise import (
    class_transition,
    corrupt,
    instance_dependent,
    pair_transition,
    random_transition,
    symmetric_transition,
)
from labelnoise.core.validation import InputError


def labels_of(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, k, n)


@given(k=st.integers(2, 12), rate=st.floats(0, 1), seed=st.integers(0, 10_000), exact=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_realised_matrix_lies_within_binomial_bounds(k: int, rate: float, seed: int, exact: bool) -> None:
    matrix = random_transition(k, rate, seed)
    true = labels_of(3000, k, seed)
    noise = corrupt(true, matrix, seed, exact=exact)
    counts = np.zeros((k, k))
    np.add.at(counts, (true, noise.labels), 1)
    n = counts.sum(axis=1, keepdims=True)
    if exact:
        off = ~np.eye(k, dtype=bool)
        assert (np.abs(counts - n * matrix)[off] < 1 + 1e-6).all()
        assert (np.abs(np.diag(counts) - n[:, 0] * np.diag(matrix)) < 1 + 1e-6).all()
        assert abs(noise.rate * 3000 - 3000 * rate) < 1 + 1e-6
    else:
        assert (np.abs(counts - n * matrix) <= 6 * np.sqrt(n * matrix * (1 - matrix)) + 6).all()
    assert (noise.changed == (noise.labels != true)).all()
    assert noise.rate == pytest.approx(noise.changed.mean())


@given(
    true=st.lists(st.integers(-1, 3), max_size=60),
    more=st.lists(st.booleans(), max_size=60),
    seed=st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_masking_units_changes_nobody_else(true: list[int], more: list[bool], seed: int) -> None:
    before = np.array(true, dtype=np.int64)
    masked = before.copy()
    masked[: len(more)][np.array(more[: len(before)], dtype=bool)] = -1
    matrix = symmetric_transition(4, 0.5)
    a, b = corrupt(before, matrix, seed), corrupt(masked, matrix, seed)
    np.testing.assert_array_equal(a.labels[masked >= 0], b.labels[masked >= 0])
    assert (b.labels[masked < 0] == -1).all()
    # Units without a label at the end change nothing in the exact draw either.
    longer = np.concatenate([masked, [-1, -1]])
    np.testing.assert_array_equal(
        corrupt(longer, matrix, seed, exact=True).labels[:-2],
        corrupt(masked, matrix, seed, exact=True).labels,
    )


@pytest.mark.parametrize("exact", [False, True])
def test_seeds_reproduce_and_differ(exact: bool) -> None:
    true, matrix = labels_of(500, 5), symmetric_transition(5, 0.3)
    a, b, c = (corrupt(true, matrix, seed, exact=exact).labels for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize("exact", [False, True])
def test_no_labels_or_only_missing_ones_have_rate_zero(exact: bool) -> None:
    for empty in ([], [-1, -1]):
        noise = corrupt(empty, symmetric_transition(3, 0.5), 0, exact=exact)
        assert noise.rate == 0.0
        assert noise.labels.tolist() == empty
        assert not noise.changed.any()


def test_whole_expected_counts_are_met_exactly_for_every_seed() -> None:
    true = np.repeat(np.arange(4), [100, 200, 50, 10])
    matrix = symmetric_transition(4, 0.3)
    for seed in range(20):
        noise = corrupt(true, matrix, seed, exact=True)
        counts = np.zeros((4, 4))
        np.add.at(counts, (true, noise.labels), 1)
        np.testing.assert_allclose(counts, np.array([100, 200, 50, 10])[:, None] * matrix)


def test_exact_rounding_of_tiny_classes_is_right_on_average() -> None:
    # Nearest-integer rounding would never flip any of these classes of two.
    true = np.repeat(np.arange(20), 2)
    rates = [corrupt(true, symmetric_transition(20, 0.1), seed, exact=True).rate for seed in range(50)]
    assert rates == [0.1] * 50
    firsts = np.mean([corrupt([0, 0], symmetric_transition(2, 0.1), s, exact=True).rate for s in range(2000)])
    assert firsts == pytest.approx(0.1, abs=0.025)


def test_a_class_with_probability_zero_is_never_given() -> None:
    matrix = class_transition({0: 2, 3: 1}, 0.9999999, n_classes=4)
    noise = corrupt(labels_of(200_000, 4), matrix, 5)
    assert set(zip(labels_of(200_000, 4)[noise.changed], noise.labels[noise.changed])) == {(0, 2), (3, 1)}


def test_what_flips_under_a_low_rate_flips_under_a_high_one() -> None:
    true = labels_of(2000, 6)
    low, high = (corrupt(true, symmetric_transition(6, rate), 3).changed for rate in (0.1, 0.4))
    assert (high | ~low).all()


def test_all_classes_flip_at_rate_one() -> None:
    true = labels_of(1000, 3)
    assert corrupt(true, pair_transition(3, 1.0), 0).labels.tolist() == ((true + 1) % 3).tolist()


def test_bad_input_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="rows that do not sum to 1"):
        corrupt([0, 1], [[0.5, 0.2], [0.5, 0.8]], 0)
    with pytest.raises(InputError, match="class id 2 but there are 2"):
        corrupt([0, 2], symmetric_transition(2, 0.1), 0)
    with pytest.raises(InputError, match="at least 2"):
        corrupt([0], [[1.0]], 0)


# Instance-dependent noise


def features_of(n: int, d: int = 30) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, d))


@pytest.mark.parametrize("std", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02, 0.1, 0.45, 0.9, 1.0])
def test_the_mean_posterior_and_the_realised_rate_are_the_asked_rate(rate: float, std: float) -> None:
    n, k = 20_000, 5
    true = labels_of(n, k)
    noise = instance_dependent(true, features_of(n, 4), rate, 7, n_classes=k, std=std)
    assert noise.posterior is not None
    assert noise.transition is not None
    np.testing.assert_allclose(noise.posterior.sum(axis=1), 1)
    flip = 1 - noise.posterior[np.arange(n), true]
    assert flip.mean() == pytest.approx(rate, abs=4 * max(flip.std(), 1e-9) / np.sqrt(n) + 1e-3 * rate)
    assert abs(noise.rate - flip.mean()) <= 5 * np.sqrt(rate * (1 - rate) / n) + 1e-9
    np.testing.assert_allclose(
        noise.transition, [noise.posterior[true == c].mean(axis=0) for c in range(k)], atol=1e-12
    )


def test_flip_probabilities_follow_the_cut_normal() -> None:
    from labelnoise.core.noise_single import _flip_probabilities

    uniform = np.random.default_rng(0).random(20_000)
    flip = _flip_probabilities(uniform, 0.5, 0.1)
    assert stats.kstest(flip, stats.truncnorm(-5, 5, loc=0.5, scale=0.1).cdf).pvalue > 0.01
    low = _flip_probabilities(uniform, 0.1, 0.1)
    assert low.min() >= 0
    assert low.mean() == pytest.approx(0.1, abs=0.002)


def test_the_wrong_class_depends_on_the_features_but_does_not_saturate() -> None:
    n, k = 4000, 4
    true, x = np.zeros(n, dtype=int), features_of(n, 500)
    noise = instance_dependent(true, x, 0.4, 0, n_classes=k)
    assert noise.posterior is not None
    share = noise.posterior[:, 1:] / noise.posterior[:, 1:].sum(axis=1, keepdims=True)
    assert 0.5 < share.max(axis=1).mean() < 0.8
    # Draws follow the posterior: the predicted class is hit more often than the average one.
    wrong = noise.changed
    hit = share[wrong, noise.labels[wrong] - 1].mean()
    assert hit == pytest.approx((share[wrong] ** 2).sum(axis=1).mean(), abs=0.03)
    twin = instance_dependent(true, x * 1000 + 5, 0.4, 0, n_classes=k)
    np.testing.assert_allclose(twin.posterior, noise.posterior, atol=1e-9)


def test_masked_units_and_their_features_change_nobody_else() -> None:
    n, k = 300, 3
    true, x = labels_of(n, k), features_of(n)
    true[::3] = -1
    wild = x.copy()
    wild[::3] = np.nan
    a, b = (instance_dependent(true, f, 0.4, 2, n_classes=k) for f in (x, wild))
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.posterior, b.posterior)
    assert (a.labels[::3] == -1).all()
    assert a.posterior is not None
    assert (a.posterior[::3] == 0).all()


def test_sparse_features_are_scaled_and_not_centred() -> None:
    n, k = 3000, 4
    x = sparse.random(n, 800, density=0.02, format="coo", random_state=0)
    true = labels_of(n, k)
    noise = instance_dependent(true, x, 0.3, 2, n_classes=k)
    assert noise.rate == pytest.approx(0.3, abs=0.04)
    array = instance_dependent(true, sparse.csr_array(x), 0.3, 2, n_classes=k)
    np.testing.assert_array_equal(array.labels, noise.labels)
    dense = x.toarray()
    dense /= np.sqrt((dense**2).mean(axis=0))
    signs = np.vstack([dense, -dense])
    both = instance_dependent(np.concatenate([true, true]), signs, 0.3, 2, n_classes=k)
    # Mirrored rows have mean 0, so the centred dense path must agree with the sparse one.
    np.testing.assert_allclose(both.posterior[:n], noise.posterior, atol=1e-9)


def test_constant_and_empty_features_give_uniform_wrong_classes() -> None:
    noise = instance_dependent([0, 1, 2, 0], np.full((4, 2), 7.3), 0.4, 0, n_classes=3, std=0)
    np.testing.assert_allclose(noise.posterior[0], [0.6, 0.2, 0.2])
    assert instance_dependent([], np.zeros((0, 2)), 0.4, 0, n_classes=3).rate == 0.0
    assert instance_dependent([-1], np.zeros((1, 2)), 0.4, 0, n_classes=3).labels.tolist() == [-1]


def test_broken_features_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        instance_dependent([0, 1], [[np.nan], [1.0]], 0.1, 0, n_classes=2)
    with pytest.raises(InputError, match="one row per label"):
        instance_dependent([0, 1], [[1.0]], 0.1, 0, n_classes=2)
    with pytest.raises(InputError, match="std is -1"):
        instance_dependent([0, 1], [[1.0], [2.0]], 0.1, 0, n_classes=2, std=-1)
    with pytest.raises(InputError, match="at least 2 classes"):
        instance_dependent([0, 0], [[1.0], [2.0]], 0.1, 0, n_classes=1)
