"""The confident joint's T equals its definition, and its errors are the spread between samples."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.transition import confident_joint, prior_from_joint, transition_from_joint
from labelnoise.core.transition_confident import transition_confident
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])
PRIOR3 = np.array([0.5, 0.3, 0.2])


def sample(n, seed, sharpness=6.0):
    """Labels through T3, and their exact probabilities given one feature vector per unit."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, n, p=PRIOR3)
    x = sharpness * np.eye(3)[true] + rng.normal(size=(n, 3))
    odds = np.exp(sharpness * x) * PRIOR3
    given = (rng.random(n)[:, None] >= np.cumsum(T3, axis=1)[true][:, :-1]).sum(axis=1)
    return given, (odds / odds.sum(axis=1, keepdims=True)) @ T3


def test_matrix_and_prior_are_those_of_the_joint():
    given, probs = sample(800, 0, sharpness=2.0)
    estimate = transition_confident(given, probs)
    joint = confident_joint(given, probs)
    np.testing.assert_array_equal(estimate.matrix, transition_from_joint(joint))
    np.testing.assert_array_equal(estimate.prior, prior_from_joint(joint))


def test_errors_are_the_spread_between_samples_and_cover():
    found, errors = [], []
    for seed in range(60):
        given, probs = sample(1500, seed)
        estimate = transition_confident(given, probs, n_bootstrap=60)
        found.append(estimate.matrix)
        errors.append(estimate.standard_error)
    spread, error = np.std(found, axis=0, ddof=1), np.mean(errors, axis=0)
    seen = T3 > 0
    assert 0.85 < (error[seen] / spread[seen]).mean() < 1.25
    coverage = (np.abs(np.array(found) - T3) <= 1.96 * np.array(errors)).mean(axis=0)
    assert coverage.min() >= 0.85
    assert 0.9 <= coverage.mean() <= 1.0


def test_overlap_is_a_bias_that_no_spread_shows():
    """Stated in the docstring: if this ever covers, the note has to go."""
    inside = []
    for seed in range(10):
        given, probs = sample(4000, seed, sharpness=2.0)
        estimate = transition_confident(given, probs, n_bootstrap=40)
        inside.append(np.abs(estimate.matrix - T3) <= 1.96 * estimate.standard_error)
    assert np.mean(inside) < 0.85


def test_invariances():
    given, probs = sample(600, 1, sharpness=3.0)
    estimate = transition_confident(given, probs)
    masked = transition_confident(np.append(given, -1), np.vstack([probs, [[0, 0, 1]]]))
    np.testing.assert_array_equal(masked.matrix, estimate.matrix)
    np.testing.assert_array_equal(masked.standard_error, estimate.standard_error)
    order = np.array([2, 0, 1])
    renamed = transition_confident(np.argsort(order)[given], probs[:, order])
    np.testing.assert_allclose(renamed.matrix, estimate.matrix[np.ix_(order, order)], atol=0.02)
    np.testing.assert_allclose(
        renamed.standard_error, estimate.standard_error[np.ix_(order, order)], rtol=0.4
    )


def test_unknown_classes_are_said_to_be_unknown():
    given, probs = sample(300, 2)
    estimate = transition_confident(given, np.column_stack([probs, np.zeros(300)]))
    assert np.isinf(estimate.standard_error[3]).all()
    assert np.isfinite(estimate.standard_error[:3]).all()
    assert "class 3" in estimate.warnings[0]


@pytest.mark.parametrize(
    ("labels", "probs", "options", "message"),
    [
        ([-1, -1], [[0.5, 0.5], [0.5, 0.5]], {}, "No labelled unit"),
        ([0, 0], [[1.0], [1.0]], {}, "fewer than two classes"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], {"n_bootstrap": 1}, "n_bootstrap"),
        ([0, 1], [[0.5, 0.9], [0.5, 0.5]], {}, "sums to"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(labels, probs, options, message):
    with pytest.raises(InputError, match=message):
        transition_confident(labels, probs, **options)
