"""The confident joint against cleanlab, entry by entry; what is derived from it against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.transition import (
    calibrate_joint,
    confident_joint,
    confident_thresholds,
    inverse_transition_from_joint,
    prior_from_joint,
    round_rows,
    transition_from_joint,
)
from labelnoise.core.validation import InputError


@pytest.fixture(scope="module")
def count() -> Any:
    return pytest.importorskip("cleanlab.count", reason="parity with cleanlab needs the dev extra")


def units(
    seed: int,
    n: int,
    k: int,
    *,
    dtype: type = np.float64,
    absent: tuple[int, ...] = (),
    steps: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Labels that are wrong for one unit in four and probabilities that mostly know better."""
    rng = generator(seed, "units", n, k)
    true = rng.integers(0, k, n)
    given = np.where(rng.random(n) < 0.25, rng.integers(0, k, n), true)
    for c in absent:
        given[given == c] = (c + 1) % k
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), true] += 2.0
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if steps is not None:
        probs = rng.multinomial(steps, probs) / steps
    return given, probs.astype(dtype)


CASES = {
    "two classes": {"seed": 1, "n": 500, "k": 2},
    "ten classes": {"seed": 2, "n": 3000, "k": 10},
    "float32": {"seed": 3, "n": 3000, "k": 10, "dtype": np.float32},
    "absent class": {"seed": 4, "n": 800, "k": 5, "absent": (2,)},
    "absent class, float32": {"seed": 5, "n": 800, "k": 5, "absent": (0, 4), "dtype": np.float32},
    "ties": {"seed": 6, "n": 2000, "k": 4, "steps": 10},
    "ties, float32": {"seed": 7, "n": 2000, "k": 4, "steps": 10, "dtype": np.float32},
    "few units": {"seed": 8, "n": 7, "k": 3},
    "many classes": {"seed": 9, "n": 4000, "k": 60},
    "more classes than a byte": {"seed": 10, "n": 2000, "k": 200},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("calibrate", [True, False])
def test_joint_equals_cleanlab(count: Any, case: dict[str, Any], calibrate: bool) -> None:
    labels, probs = units(**case)
    expected = count.compute_confident_joint(labels, probs, calibrate=calibrate)
    np.testing.assert_array_equal(confident_joint(labels, probs, calibrate=calibrate), expected)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_thresholds_equal_cleanlab_to_the_last_bit(count: Any, case: dict[str, Any]) -> None:
    labels, probs = units(**case)
    expected = count.get_confident_thresholds(labels, probs)
    ours = confident_thresholds(labels, probs)
    assert ours.dtype == expected.dtype
    np.testing.assert_array_equal(ours, expected)


def test_random_small_joints_equal_cleanlab(count: Any) -> None:
    for seed in range(150):
        rng = generator(seed, "small")
        n, k = int(rng.integers(2, 40)), int(rng.integers(2, 6))
        labels, probs = units(
            seed, n, k, steps=[None, 5, 20][seed % 3], dtype=[np.float64, np.float32][seed % 2]
        )
        expected = count.compute_confident_joint(labels, probs)
        np.testing.assert_array_equal(confident_joint(labels, probs), expected, err_msg=f"seed {seed}")


@pytest.mark.parametrize("case", [CASES["ten classes"], CASES["absent class"], CASES["many classes"]])
def test_latent_estimates_equal_cleanlab(count: Any, case: dict[str, Any]) -> None:
    labels, probs = units(**case)
    joint = confident_joint(labels, probs)
    prior, noise, inverse = count.estimate_latent(joint, labels)
    seen = joint.sum(axis=0) > 0
    given = joint.sum(axis=1) > 0
    np.testing.assert_allclose(transition_from_joint(joint)[seen], noise.T[seen], rtol=1e-12)
    np.testing.assert_allclose(inverse_transition_from_joint(joint)[given], inverse.T[given], rtol=1e-12)
    if given.all():
        np.testing.assert_allclose(prior_from_joint(joint), prior, rtol=1e-9)


def test_rounding_equals_cleanlab() -> None:
    internal = pytest.importorskip("cleanlab.internal.util")
    rng = generator(0, "rounding")
    for _ in range(200):
        matrix = rng.gamma(0.5, 3.0, (6, 6)).round(int(rng.integers(0, 3)))
        matrix *= rng.choice([1.0, 0.5, 0.1])
        np.testing.assert_array_equal(round_rows(matrix), internal.round_preserving_row_totals(matrix))


def test_layout_of_memory_changes_nothing() -> None:
    labels, probs = units(2, 3000, 10)
    expected = confident_joint(labels, probs)
    np.testing.assert_array_equal(confident_joint(labels, np.asfortranarray(probs)), expected)
    np.testing.assert_array_equal(confident_joint(labels, np.repeat(probs, 2, axis=0)[::2]), expected)


def test_units_without_a_label_change_nothing() -> None:
    labels, probs = units(11, 600, 5)
    rng = generator(11, "mask")
    keep = rng.random(600) < 0.7
    masked = np.where(keep, labels, -1)
    np.testing.assert_array_equal(confident_joint(masked, probs), confident_joint(labels[keep], probs[keep]))
    np.testing.assert_array_equal(
        confident_thresholds(masked, probs), confident_thresholds(labels[keep], probs[keep])
    )


def test_calibrated_rows_hold_the_label_counts() -> None:
    labels, probs = units(12, 900, 6)
    joint = confident_joint(labels, probs)
    np.testing.assert_array_equal(joint.sum(axis=1), np.bincount(labels, minlength=6))
    np.testing.assert_array_equal(calibrate_joint(joint, labels), joint)


def test_one_class_and_no_units() -> None:
    assert confident_joint([0, 0, 0], np.ones((3, 1))).tolist() == [[3]]
    joint = confident_joint(np.zeros(0, dtype=int), np.zeros((0, 2)))
    assert joint.tolist() == [[0, 0], [0, 0]]
    assert transition_from_joint(joint).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    with pytest.raises(InputError, match="only zeros"):
        prior_from_joint(joint)


def test_only_one_of_two_classes_is_given() -> None:
    _, probs = units(13, 50, 2)
    joint = confident_joint(np.zeros(50, dtype=int), probs)
    assert joint[0].sum() == 50
    assert joint[1].tolist() == [0, 0]


def test_transition_recovers_the_noise() -> None:
    rng = generator(5, "recover")
    n, k = 20000, 4
    true = rng.integers(0, k, n)
    transition = np.array([[0.8, 0.2, 0, 0], [0, 0.9, 0.1, 0], [0, 0, 1, 0], [0.3, 0, 0, 0.7]])
    given = np.array([rng.choice(k, p=transition[t]) for t in range(k) for _ in range((true == t).sum())])
    order = np.argsort(true, kind="stable")
    noisy = np.empty(n, dtype=int)
    noisy[order] = given
    probs = np.full((n, k), 0.02)
    probs[np.arange(n), true] = 0.94
    estimate = transition_from_joint(confident_joint(noisy, probs))
    np.testing.assert_allclose(estimate, transition, atol=0.02)


@pytest.mark.parametrize(
    ("labels", "probs", "message"),
    [
        ([0, 1], [[0.5, 0.5]], "Lengths differ"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "class id 2"),
        ([0], [[np.nan, 0.5]], "NaN"),
        ([[0, 1]], [[0.5, 0.5]], "shape"),
    ],
)
def test_bad_input_is_refused(labels: Any, probs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        confident_joint(labels, probs)


def test_bad_joint_is_refused() -> None:
    with pytest.raises(InputError, match="square"):
        transition_from_joint([[1, 2, 3]])
    with pytest.raises(InputError, match=">= 0"):
        prior_from_joint([[1, -1], [0, 1]])
