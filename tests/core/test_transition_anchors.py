"""Anchors and Dual-T against their definitions, against known T, and their bootstrap against real resampling."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.random import generator
from labelnoise.core.transition_anchors import (
    _Anchors,
    _checked,
    prior_from_given,
    transition_by_anchors,
    transition_by_dual,
)
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])
PRIOR3 = np.array([0.5, 0.3, 0.2])
RULES = ["max", "quantile", "top"]


def sample(n, seed, sharpness=6.0):
    """Labels through T3, and their exact probabilities given one feature vector per unit."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, n, p=PRIOR3)
    x = sharpness * np.eye(3)[true] + rng.normal(size=(n, 3))
    odds = np.exp(sharpness * x) * PRIOR3
    given = (rng.random(n)[:, None] >= np.cumsum(T3, axis=1)[true][:, :-1]).sum(axis=1)
    return given, (odds / odds.sum(axis=1, keepdims=True)) @ T3, true


def blurred(probs, seed, size=0.3):
    noisy = probs * np.exp(size * np.random.default_rng(seed).normal(size=probs.shape))
    return noisy / noisy.sum(axis=1, keepdims=True)


def test_rules_pick_the_units_that_they_name():
    rng = np.random.default_rng(0)
    probs, given = rng.dirichlet(np.ones(4), 400), rng.integers(0, 4, 400)
    for rule in RULES:
        matrix = transition_by_anchors(given, probs, rule=rule, share=0.05).matrix
        for i in range(4):
            members = np.arange(400) if rule != "top" else np.flatnonzero(given == i)
            order = sorted(members, key=lambda unit: -probs[unit, i])
            unit = order[0 if rule == "max" else int(0.05 * len(members))]
            np.testing.assert_allclose(matrix[i], probs[unit], atol=1e-12)


def test_dual_is_the_product_that_is_published():
    rng = np.random.default_rng(1)
    probs, given = rng.dirichlet(np.ones(3), 300), rng.integers(0, 3, 300)
    club, spade = np.zeros((3, 3)), np.zeros((3, 3))
    for i in range(3):
        club[i] = probs[probs[:, i].argmax()]
    for row, label in zip(probs, given, strict=True):
        spade[row.argmax(), label] += 1
    spade /= spade.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(transition_by_dual(given, probs).matrix, club @ spade, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_exact_probabilities_of_separate_classes_give_t(rule):
    given, probs, _ = sample(5000, 2)
    estimate = transition_by_anchors(given, probs, rule=rule)
    assert np.abs(estimate.matrix - T3).max() < 0.02
    np.testing.assert_allclose(estimate.prior, PRIOR3, atol=0.04)


def test_dual_is_right_when_the_model_is_sharp_and_too_noisy_when_it_is_calibrated():
    given, probs, true = sample(5000, 3)
    sharp = 0.999 * np.eye(3)[true] + 0.001 / 3
    estimate = transition_by_dual(given, sharp)
    assert (np.abs(estimate.matrix - T3) < 3 * estimate.standard_error + 2e-3).all()
    calibrated = transition_by_dual(given, probs)
    np.testing.assert_allclose(calibrated.matrix, T3 @ T3, atol=0.05)
    assert (np.abs(calibrated.matrix - T3) < 3 * calibrated.standard_error).all()


@pytest.mark.parametrize("function", [transition_by_anchors, transition_by_dual])
@pytest.mark.parametrize("rule", RULES)
def test_errors_cover_t_under_imperfect_probabilities(function, rule):
    inside = []
    for seed in range(12):
        given, probs, _ = sample(2000, seed)
        estimate = function(given, blurred(probs, seed), rule=rule, n_bootstrap=60)
        inside.append(np.abs(estimate.matrix - T3) <= 1.96 * estimate.standard_error)
    assert 0.85 <= np.mean(inside) <= 1.0


@pytest.mark.parametrize("rule", RULES)
def test_ranks_drawn_from_their_law_are_those_of_resampled_units(rule):
    given, probs, _ = sample(200, 4)
    probs = blurred(probs, 4)
    units = _checked(given, probs, rule, 0.05, 2)
    anchors, rng = _Anchors(units, rule, 0.05), generator(0, "test")
    quick = np.array([anchors.draw(rng) for _ in range(3000)])
    slow = []
    for _ in range(3000):
        rows = rng.integers(0, 200, 200)
        again = np.empty((3, 3))
        for i in range(3):
            members = rows if rule != "top" else rows[given[rows] == i]
            order = members[np.argsort(-probs[members, i])]
            again[i] = probs[order[0 if rule == "max" else int(0.05 * len(order))]]
        slow.append(again)
    slow = np.array(slow)
    close = 5 * slow.std(axis=0) / np.sqrt(3000)
    assert (np.abs(quick.mean(axis=0) - slow.mean(axis=0)) <= 1.5 * close + 1e-12).all()
    np.testing.assert_allclose(quick.std(axis=0), slow.std(axis=0), rtol=0.15, atol=1e-6)


@pytest.mark.parametrize("function", [transition_by_anchors, transition_by_dual])
@pytest.mark.parametrize("rule", RULES)
def test_invariances(function, rule):
    given, probs, _ = sample(600, 5)
    probs = blurred(probs, 5)[np.random.default_rng(5).integers(0, 150, 600)]  # with ties
    estimate = function(given, probs, rule=rule)
    again = function(given, probs, rule=rule)
    np.testing.assert_array_equal(estimate.standard_error, again.standard_error)
    masked = function(np.append(given, [-1, -1]), np.vstack([probs, [[1, 0, 0], [0, 0, 1]]]), rule=rule)
    np.testing.assert_array_equal(masked.matrix, estimate.matrix)
    np.testing.assert_array_equal(masked.standard_error, estimate.standard_error)
    shuffled = np.random.default_rng(0).permutation(600)
    moved = function(given[shuffled], probs[shuffled], rule=rule)
    np.testing.assert_allclose(moved.matrix, estimate.matrix, atol=1e-12)
    order = np.array([2, 0, 1])
    renamed = function(np.argsort(order)[given], probs[:, order], rule=rule)
    np.testing.assert_allclose(renamed.matrix, estimate.matrix[np.ix_(order, order)], atol=1e-12)
    np.testing.assert_allclose(
        renamed.standard_error, estimate.standard_error[np.ix_(order, order)], rtol=0.6, atol=0.01
    )


def test_a_class_that_nobody_is_given():
    given, probs, _ = sample(300, 6)
    wide = np.column_stack([probs, np.zeros(300)])
    for function in (transition_by_anchors, transition_by_dual):
        for rule in RULES:
            estimate = function(given, wide, rule=rule)
            assert np.isinf(estimate.standard_error[3]).all()
            assert np.isfinite(estimate.standard_error[:3]).all()
            assert "class 3" in estimate.warnings[0]
            assert estimate.prior[3] == pytest.approx(0, abs=1e-6)


def test_prior_explains_the_given_shares_and_stays_a_prior():
    np.testing.assert_allclose(prior_from_given(T3, PRIOR3 @ T3), PRIOR3, atol=1e-6)
    # No prior explains more of class 2 than T can give; the inverse would be negative.
    assert np.linalg.solve(T3.T, [0.05, 0.05, 0.9]).min() < 0
    prior = prior_from_given(T3, [0.05, 0.05, 0.9])
    assert prior.min() >= 0
    assert prior.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": "best"}, "anchor rule 'best'"),
        ({"share": 0.7}, "share is 0.7"),
        ({"n_bootstrap": 1}, "n_bootstrap is 1"),
        ({"labels": [-1, -1]}, "No labelled unit"),
        ({"labels": [0, 2]}, "class id 2"),
        ({"labels": [0]}, "Lengths differ"),
        ({"probs": [[0.5, 0.5], [np.nan, 0.5]]}, "NaN"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(change, message):
    arguments = {"labels": [0, 1], "probs": [[0.9, 0.1], [0.2, 0.8]], **change}
    for function in (transition_by_anchors, transition_by_dual):
        with pytest.raises(InputError, match=message):
            function(**arguments)
    with pytest.raises(InputError, match="given_shares"):
        prior_from_given(T3, [0.0, 0.0, 0.0])
