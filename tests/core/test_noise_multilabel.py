"""Multi-label noise: realised rates per sign, unknown cells, cardinality, whole sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core.noise_multilabel import (
    corrupt_multilabel,
    extra_labels,
    missing_labels,
    single_positive,
    swap_positives,
    swap_sets,
)
from labelnoise.core.validation import InputError

KINDS = {
    "missing": missing_labels,
    "extra": extra_labels,
    "single-positive": single_positive,
    "swapped": swap_positives,
    "set-level": swap_sets,
}


def tags_of(n: int, k: int = 6, seed: int = 0, unknown: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tags = (rng.random((n, k)) < rng.uniform(0.1, 0.6, k)).astype(np.int8)
    tags[rng.random((n, k)) < unknown] = -1
    return tags


@pytest.mark.parametrize("kind", KINDS)
def test_what_every_kind_promises(kind: str) -> None:
    true = tags_of(400, unknown=0.1)
    make: Callable = KINDS[kind]
    noise, again, other = make(true, 0.4, 1), make(true, 0.4, 1), make(true, 0.4, 2)
    np.testing.assert_array_equal(noise.labels, again.labels)
    assert (noise.labels != other.labels).any()
    np.testing.assert_array_equal(noise.labels == -1, true == -1)
    np.testing.assert_array_equal(noise.changed, noise.labels != true)
    known = true >= 0
    assert noise.rate == pytest.approx(noise.changed[known].mean())
    assert noise.rates["positives"] == pytest.approx(noise.changed[true == 1].mean())
    assert noise.rates["negatives"] == pytest.approx(noise.changed[true == 0].mean())
    assert noise.rates["units"] == pytest.approx(noise.changed.any(axis=1).mean())
    assert noise.transition is not None
    assert noise.transition.shape == (6, 2, 2)
    np.testing.assert_allclose(noise.transition.sum(axis=2), 1)
    assert make(true, 0.0, 1).rate == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_empty_and_unknown_input(kind: str) -> None:
    for empty in (np.zeros((0, 3)), np.full((4, 3), -1), np.zeros((3, 0))):
        noise = KINDS[kind](empty, 0.5, 0)
        assert noise.rate == 0.0
        np.testing.assert_array_equal(noise.labels, empty)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        KINDS[kind]([[0, 1]], 1.5, 0)
    with pytest.raises(InputError, match="other than 0, 1"):
        KINDS[kind]([[0, 2]], 0.5, 0)


@given(missing=st.floats(0, 1), extra=st.floats(0, 1), seed=st.integers(0, 1000), keep=st.booleans())
@settings(max_examples=40, deadline=None)
def test_cells_follow_their_posterior(missing: float, extra: float, seed: int, keep: bool) -> None:
    true = tags_of(1500, 4, seed, unknown=0.05)
    noise = corrupt_multilabel(true, seed, missing=missing, extra=extra, keep_at_least_one=keep)
    assert noise.posterior is not None
    assert noise.transition is not None
    for value in (0, 1):
        cells = true == value
        chance = noise.posterior[cells]
        bound = 6 * np.sqrt((chance * (1 - chance)).sum()) + 6
        assert abs((noise.labels[cells] == 1).sum() - chance.sum()) <= bound
        for c in range(4):
            mean = noise.posterior[cells[:, c], c].mean()
            assert noise.transition[c, value, 1] == pytest.approx(mean, abs=1e-12)
    if keep:
        had = (true == 1).any(axis=1)
        assert ((noise.labels == 1) & (true == 1)).any(axis=1)[had].all()
    else:
        np.testing.assert_allclose(noise.transition[:, 1, 0], missing, atol=1e-12)


def test_keeping_one_is_fair_to_all_positives_and_its_posterior_is_exact() -> None:
    true = np.tile([1, 1, 1, 0], (20_000, 1))
    noise = missing_labels(true, [0.9, 0.5, 0.8, 0.0], 0, keep_at_least_one=True)
    assert noise.posterior is not None
    expected = 1 - np.array([0.9, 0.5, 0.8]) + 0.9 * 0.5 * 0.8 / 3
    np.testing.assert_allclose(noise.posterior[0, :3], expected)
    np.testing.assert_allclose(noise.labels[:, :3].mean(axis=0), expected, atol=0.015)


def test_rates_per_class_and_their_length() -> None:
    true = tags_of(5000, 3)
    noise = corrupt_multilabel(true, 0, missing=[0, 0.5, 1], extra=[1, 0, 0])
    assert (noise.labels[:, 0] == 1).all()
    assert noise.changed[true[:, 1] == 1, 1].mean() == pytest.approx(0.5, abs=0.05)
    assert (noise.labels[:, 2] == 0).all()
    with pytest.raises(InputError, match="missing has shape"):
        corrupt_multilabel(true, 0, missing=[0.1, 0.2])


@pytest.mark.parametrize("kind", ["missing", "extra", "swapped"])
def test_units_do_not_depend_on_each_other(kind: str) -> None:
    true = tags_of(200)
    masked = true.copy()
    masked[::2] = -1
    options = {"weights": np.ones((6, 6))} if kind == "swapped" else {}
    a, b = KINDS[kind](true, 0.5, 3, **options), KINDS[kind](masked, 0.5, 3, **options)
    np.testing.assert_array_equal(a.labels[1::2], b.labels[1::2])


def test_single_positive_leaves_one_of_them_at_random() -> None:
    true = np.tile([1, 0, 1, 1], (6000, 1))
    noise = single_positive(true, 1.0, 0)
    assert (noise.labels.sum(axis=1) == 1).all()
    np.testing.assert_allclose(noise.labels.mean(axis=0), [1 / 3, 0, 1 / 3, 1 / 3], atol=0.03)
    assert noise.rates["positives"] == pytest.approx(2 / 3)
    half = single_positive(true, 0.5, 0)
    assert half.rates["units"] == pytest.approx(0.5, abs=0.03)


def test_swapping_keeps_the_number_of_positives_and_follows_the_weights() -> None:
    true = tags_of(3000, 8)
    noise = swap_positives(true, 0.6, 0)
    np.testing.assert_array_equal(noise.labels.sum(axis=1), true.sum(axis=1))
    assert noise.rates["positives"] == pytest.approx(0.6, abs=0.03)
    one = np.tile([1, 0, 0, 0], (8000, 1))
    weights = np.zeros((4, 4))
    weights[0] = [9, 3, 1, 0]
    swapped = swap_positives(one, 1.0, 0, weights=weights).labels.mean(axis=0)
    np.testing.assert_allclose(swapped, [0, 0.75, 0.25, 0], atol=0.02)


def test_swaps_prefer_classes_that_occur_together() -> None:
    together = np.tile([[1, 1, 0], [1, 0, 0]], (2000, 1))
    noise = swap_positives(together, 1.0, 0)
    moved = noise.labels[1::2]
    assert (moved[:, 1] == 1).mean() > 0.99


def test_a_positive_without_anywhere_to_go_stays() -> None:
    assert swap_positives([[1, 1], [1, -1]], 1.0, 0).rate == 0.0
    with pytest.raises(InputError, match="weights have shape"):
        swap_positives([[1, 0]], 0.5, 0, weights=[[1.0]])


def test_swapped_sets_differ_and_come_from_fully_known_units() -> None:
    true = tags_of(2000, 3, unknown=0.05)
    noise = swap_sets(true, 0.3, 0)
    complete = (true >= 0).all(axis=1)
    assert not noise.changed[~complete].any()
    assert noise.changed[complete].any(axis=1).mean() == pytest.approx(0.3, abs=0.04)
    everyone = swap_sets(true, 1.0, 0)
    assert everyone.changed[complete].any(axis=1).all()
    sets = {tuple(row) for row in true[complete]}
    assert {tuple(row) for row in everyone.labels[complete]} <= sets
    with pytest.raises(InputError, match="same tag set"):
        swap_sets([[1, 0], [1, 0]], 0.5, 0)


def test_donors_are_uniform_over_the_units_of_other_sets() -> None:
    true = np.repeat([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [6000, 3000, 1000], axis=0)
    noise = swap_sets(true, 1.0, 0)
    np.testing.assert_allclose(noise.labels[:6000].mean(axis=0), [0, 0.75, 0.25], atol=0.02)
    np.testing.assert_allclose(noise.labels[9000:].mean(axis=0), [2 / 3, 1 / 3, 0], atol=0.05)
