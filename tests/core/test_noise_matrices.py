"""Transition matrices: row-stochastic, at the asked rate, with the asked structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core.noise_matrices import (
    class_transition,
    confusion_transition,
    pair_transition,
    random_map_transition,
    random_transition,
    symmetric_transition,
)
from labelnoise.core.validation import InputError, as_transition

BUILDERS = {
    "symmetric": lambda k, r: symmetric_transition(k, r),
    "pair": lambda k, r: pair_transition(k, r),
    "class": lambda k, r: class_transition([(i + 1) % k for i in range(k)], r, n_classes=k),
    "random": lambda k, r: random_transition(k, r, 3),
    "random-map": lambda k, r: random_map_transition(k, r, 3),
    "confusion": lambda k, r: confusion_transition(np.ones((k, k)), r),
}


@pytest.mark.parametrize("name", BUILDERS)
@given(k=st.integers(2, 30), rate=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_every_builder_gives_a_row_stochastic_matrix_at_the_asked_rate(
    name: str, k: int, rate: float
) -> None:
    matrix = as_transition(BUILDERS[name](k, rate))
    assert matrix.shape == (k, k)
    assert matrix.min() >= 0
    np.testing.assert_allclose(1 - np.diag(matrix), rate, atol=1e-9)


@pytest.mark.parametrize("name", BUILDERS)
def test_one_class_and_bad_rates_are_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(InputError, match="2 classes"):
        BUILDERS[name](1, 0.1)
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            BUILDERS[name](3, rate)


@given(k=st.integers(2, 20), rate=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_include_self_wastes_one_kth_of_the_replacements(k: int, rate: float) -> None:
    matrix = symmetric_transition(k, rate, convention="include-self")
    np.testing.assert_allclose(matrix, (1 - rate) * np.eye(k) + rate / k, atol=1e-12)


def test_an_unknown_convention_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="include-self"):
        symmetric_transition(3, 0.1, convention="includeself")


def test_pair_steps_forth_and_back() -> None:
    assert np.argmax(pair_transition(4, 0.6, step=1), axis=1).tolist() == [1, 2, 3, 0]
    assert np.argmax(pair_transition(4, 0.6, step=-1), axis=1).tolist() == [3, 0, 1, 2]
    with pytest.raises(InputError, match="multiple of 4"):
        pair_transition(4, 0.6, step=-4)


def test_the_cifar10_map_has_half_the_rate_over_all_classes() -> None:
    matrix = class_transition({9: 1, 2: 0, 4: 7, 3: 5, 5: 3}, 0.4, n_classes=10)
    assert 1 - np.trace(matrix) / 10 == pytest.approx(0.2)
    as_list = class_transition([0, 1, 0, 5, 7, 3, 6, 7, 8, 1], 0.4, n_classes=10)
    np.testing.assert_array_equal(matrix, as_list)


@pytest.mark.parametrize(
    ("mapping", "what"), [({0: 3}, "class id 3"), ({-1: 0}, "class id -1"), ([1, 0], "2 entries")]
)
def test_a_map_outside_the_classes_is_refused(mapping: object, what: str) -> None:
    with pytest.raises(InputError, match=what):
        class_transition(mapping, 0.2, n_classes=3)  # type: ignore[arg-type]


def test_random_matrices_depend_on_the_seed_only() -> None:
    for build in (random_transition, random_map_transition):
        np.testing.assert_array_equal(build(6, 0.3, 1), build(6, 0.3, 1))
        assert not np.array_equal(build(6, 0.3, 1), build(6, 0.3, 2))


def test_a_random_map_never_maps_a_class_to_itself() -> None:
    for seed in range(50):
        matrix = random_map_transition(3, 0.7, seed)
        assert ((matrix > 0).sum(axis=1) == 2).all()


@given(seed=st.integers(0, 1000), rate=st.floats(0, 0.99))
@settings(max_examples=50, deadline=None)
def test_a_tempered_confusion_hits_the_rate_under_its_own_prior_and_keeps_what_is_confused(
    seed: int, rate: float
) -> None:
    counts = np.random.default_rng(seed).integers(1, 50, size=(5, 5)).astype(float)
    matrix = as_transition(confusion_transition(counts, rate))
    prior = counts.sum(axis=1) / counts.sum()
    assert prior @ (1 - np.diag(matrix)) == pytest.approx(rate, abs=1e-9)
    off = counts * (1 - np.eye(5))
    wanted = off / off.sum(axis=1, keepdims=True) * (1 - np.diag(matrix))[:, None]
    np.testing.assert_allclose(matrix * (1 - np.eye(5)), wanted, atol=1e-9)


def test_hard_classes_stay_hard_until_they_are_always_wrong() -> None:
    counts = np.array([[50, 50, 0], [10, 90, 0], [0, 5, 95]])
    mild, wild = confusion_transition(counts, 0.05), confusion_transition(counts, 0.5)
    np.testing.assert_allclose((1 - np.diag(mild)) / (1 - np.diag(mild))[0], [1, 0.2, 0.1])
    np.testing.assert_allclose(1 - np.diag(wild), [1, 1 / 3, 1 / 6], atol=1e-12)


def test_the_rate_of_a_confusion_follows_the_prior_that_is_passed() -> None:
    counts = np.array([[0.8, 0.2], [0.4, 0.6]])
    matrix = confusion_transition(counts, 0.1, prior=[900, 100])
    assert 0.9 * matrix[0, 1] + 0.1 * matrix[1, 0] == pytest.approx(0.1)


def test_rows_without_errors_stay_clean_and_a_rate_they_cannot_carry_is_refused() -> None:
    counts = np.array([[5, 5, 0], [0, 10, 0], [0, 0, 0]])
    matrix = confusion_transition(counts, 0.4)
    np.testing.assert_allclose(matrix, [[0.2, 0.8, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(InputError, match=r"cover only 0\.5"):
        confusion_transition(counts, 0.6)
    with pytest.raises(InputError, match="cover only 0 "):
        confusion_transition(np.eye(3), 0.1)
    assert (confusion_transition(np.eye(3), 0.0) == np.eye(3)).all()


def test_broken_confusions_are_refused() -> None:
    for broken, what in (
        (np.ones((2, 3)), "square"),
        ([[1, -1], [0, 1]], "negative"),
        ([[1, np.nan], [0, 1]], "non-finite"),
    ):
        with pytest.raises(InputError, match=what):
            confusion_transition(broken)
    with pytest.raises(InputError, match="prior must hold 2"):
        confusion_transition(np.ones((2, 2)), 0.1, prior=[0, 0])
