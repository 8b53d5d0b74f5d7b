"""Ambiguity, simulated counts and their interval."""

import numpy as np
import pytest

from labelnoise.core.calibration import (
    assumed_ambiguity,
    count_estimate,
    probability_wrong,
    read_with_ambiguity,
    shift_to_total,
    simulate_count_ratios,
)
from labelnoise.core.stacking import fit_stacker, predict


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 3000)
    evidence = rng.normal(size=(1, 3000, 4))
    evidence[0, np.arange(3000), true] += 5
    wrong = rng.random(3000) < 0.1
    given = np.where(wrong, (true + rng.integers(1, 4, 3000)) % 4, true)
    fit = fit_stacker(evidence, given)
    return predict(fit, evidence), fit, given, wrong


def test_more_ambiguity_means_fewer_errors(fitted):
    probs, fit, given, _ = fitted
    totals = [
        probability_wrong(read_with_ambiguity(probs, fit, given, share).posterior, given).sum()
        for share in (0.0, 0.01, 0.05)
    ]
    assert totals[0] > totals[1] > totals[2]


def test_count_is_near_the_truth(fitted):
    probs, fit, given, wrong = fitted
    reading = read_with_ambiguity(probs, fit, given, 0.001)
    assert abs(probability_wrong(reading.posterior, given).sum() / wrong.sum() - 1) < 0.1
    np.testing.assert_allclose(reading.transition.sum(axis=1), 1)
    np.testing.assert_allclose(reading.probs.sum(axis=1), 1)


def test_unlabelled_units_change_nothing(fitted):
    probs, fit, given, _ = fitted
    more_probs = np.concatenate([probs, probs[:50]])
    more_given = np.concatenate([given, np.full(50, -1)])
    first = read_with_ambiguity(probs, fit, given, 0.0)
    second = read_with_ambiguity(more_probs, fit, more_given, 0.0)
    np.testing.assert_allclose(first.transition, second.transition, atol=1e-12)
    assert (probability_wrong(second.posterior, more_given)[3000:] == 0).all()


def test_a_perfect_counter_has_ratio_one(fitted):
    probs, fit, given, _ = fitted
    reading = read_with_ambiguity(probs, fit, given, 0.0)
    asked = []

    def refit(labels):
        asked.append(labels)
        return float((labels != given).sum())  # any deterministic function of the labels

    ratios = simulate_count_ratios(
        reading.posterior, reading.transition, given, refit, n_simulations=3, seed=1
    )
    again = simulate_count_ratios(
        reading.posterior, reading.transition, given, refit, n_simulations=3, seed=1
    )
    np.testing.assert_array_equal(ratios, again)
    assert not np.array_equal(asked[0], asked[1])


def test_interval_widens_with_spread_and_caution():
    narrow = count_estimate(100, 100, np.array([0.99, 1.0, 1.01, 1.0]))
    wide = count_estimate(100, 100, np.array([0.7, 1.0, 1.3, 1.0]))
    cautious = count_estimate(100, 60, np.array([0.99, 1.0, 1.01, 1.0]))
    assert wide.low < narrow.low < narrow.expected < narrow.high < wide.high
    assert cautious.low <= 61 < narrow.low
    assert cautious.high == narrow.high


def test_bias_is_taken_out():
    assert count_estimate(90, 90, np.full(4, 0.9)).expected == pytest.approx(100)


def test_no_error_at_all_is_an_answer():
    count = count_estimate(0.0, 0.0, np.array([1.0, 1.0, 1.1]))
    assert 0 <= count.low <= count.expected <= count.high < 1


def test_shift_keeps_order_and_reaches_the_total():
    p = np.array([0.0, 0.01, 0.2, 0.9, 1.0])
    shifted = shift_to_total(p, 2.5)
    assert shifted.sum() == pytest.approx(2.5)
    assert (np.diff(shifted) > 0).all()
    assert shift_to_total(np.zeros(3), 2.0).tolist() == [0, 0, 0]


def test_overlapping_classes_get_more_doubt():
    assert assumed_ambiguity(True, 0.3)[0] > assumed_ambiguity(True, 0.05)[0]
