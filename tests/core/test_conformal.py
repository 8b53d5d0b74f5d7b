"""Thresholds against brute force, published closed form and split conformal; coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.conformal import _slack, calibrate_conformal, conformal_scores, set_coverage
from labelnoise.core.noise_matrices import random_transition, symmetric_transition
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.transition_pairs import transition_from_pairs
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])


def units(n, transition, seed, sharpness=0.3):
    """A model that is over-confident, true classes that it does not know, and labels through T."""
    rng = np.random.default_rng(seed)
    k = len(transition)
    posterior = rng.dirichlet(np.full(k, sharpness), n)
    true = np.minimum((rng.random((n, 1)) >= posterior.cumsum(axis=1)).sum(axis=1), k - 1)
    given = (rng.random((n, 1)) >= np.cumsum(transition, axis=1)[true][:, :-1]).sum(axis=1)
    probs = (posterior + 1e-3) ** 1.5
    return probs / probs.sum(axis=1, keepdims=True), given, true


def test_scores_by_their_definitions():
    probs, _, _ = units(40, T3, 0)
    aps, raps = conformal_scores(probs, "aps"), conformal_scores(probs, "raps", penalty=0.2, free_ranks=1)
    draw = conformal_scores(probs, "aps", randomize=True, seed=3)
    for p, one, two, three in zip(probs, aps, raps, draw, strict=True):
        for k in range(3):
            above = p[p >= p[k]]
            assert one[k] == pytest.approx(above.sum())
            assert two[k] == pytest.approx(above.sum() + 0.2 * max(0, len(above) - 1))
            assert above.sum() - p[k] <= three[k] <= above.sum()
    tied = conformal_scores([[0.25, 0.5, 0.25]], "raps", free_ranks=0, penalty=0.1)
    np.testing.assert_allclose(tied, [[1.3, 0.6, 1.3]])


@pytest.mark.parametrize("score", ["hps", "aps", "raps"])
@pytest.mark.parametrize("seed", range(3))
def test_threshold_is_the_smallest_by_brute_force(score, seed):
    transition = random_transition(4, 0.35, seed)
    probs, given, _ = units(150, transition, seed)
    given[::11] = -1
    fit = calibrate_conformal(given, probs, transition, score=score, alpha=0.2)
    inverse, has = np.linalg.inv(transition), given >= 0
    scores = conformal_scores(probs, score)[has]
    n = has.sum()
    enough = [
        q
        for q in np.unique(scores)
        if ((scores <= q) * inverse[given[has]]).sum() / n >= 0.8 * (n + 1) / n - 1e-12
    ]
    assert fit.threshold == enough[0]
    assert fit.coverage == pytest.approx(set_coverage(given, fit.sets(probs), transition))
    assert fit.mean_size == pytest.approx(fit.sets(probs)[has].sum(axis=1).mean())


def test_clean_labels_give_split_conformal_prediction():
    probs, _, true = units(503, np.eye(5), 1)
    fit = calibrate_conformal(true, probs, alpha=0.13)
    own = np.sort(1 - probs[np.arange(503), true])
    assert fit.threshold == own[int(np.ceil(504 * 0.87)) - 1] == fit.naive_threshold
    assert calibrate_conformal(true, probs, np.eye(5), alpha=0.13).threshold == fit.threshold
    few = calibrate_conformal(true[:5], probs[:5], alpha=0.1)
    assert np.isinf(few.threshold)
    assert few.sets(probs).all()
    assert "all classes" in few.warnings[0]


def test_uniform_noise_has_the_published_closed_form():
    k, rate = 6, 0.3
    probs, given, _ = units(800, symmetric_transition(k, rate), 2)
    by_rate = calibrate_conformal(given, probs, rate=rate)
    by_matrix = calibrate_conformal(given, probs, symmetric_transition(k, rate))
    assert by_rate.threshold == by_matrix.threshold
    replaced = rate * k / (k - 1)
    inside = by_rate.sets(probs)
    share, size = inside[np.arange(800), given].mean(), inside.mean()
    assert by_rate.coverage == pytest.approx((share - replaced * size) / (1 - replaced))


@pytest.mark.parametrize("score", ["hps", "aps", "raps"])
def test_coverage_of_the_true_class_from_noisy_labels(score):
    transition = random_transition(10, 0.3, 7)
    corrected, naive, inside = [], [], []
    for seed in range(8):
        probs, given, true = units(30_000, transition, seed)
        fit = calibrate_conformal(given[:10_000], probs[:10_000], transition, score=score)
        at = np.arange(20_000), true[10_000:]
        found = float(fit.sets(probs[10_000:])[at].mean())
        corrected.append(found)
        inside.append(abs(found - fit.coverage) <= 1.96 * np.hypot(fit.coverage_error, 0.3 / np.sqrt(20_000)))
        scores = conformal_scores(probs[10_000:], score)
        naive.append(float((scores <= fit.naive_threshold)[at].mean()))
    assert np.abs(np.array(corrected) - 0.9).max() < 0.02
    assert np.mean(corrected) == pytest.approx(0.9, abs=0.01)
    assert np.mean(naive) > 0.97  # sets far too large
    assert np.mean(inside) >= 0.7


def test_confidence_makes_coverage_hold_in_almost_all_samples():
    held = []
    for seed in range(60):
        probs, given, true = units(6000, T3, seed)
        fit = calibrate_conformal(given[:1000], probs[:1000], T3, alpha=0.2, confidence=0.9)
        held.append(fit.sets(probs[1000:])[np.arange(5000), true[1000:]].mean() >= 0.8)
    assert fit.slack > 0
    assert np.mean(held) >= 0.9
    without = calibrate_conformal(given[:1000], probs[:1000], T3, alpha=0.2)
    assert without.threshold < fit.threshold


def test_the_slack_bounds_the_largest_excess():
    """Over all thresholds at once, and not by a factor of ten."""
    inverse = np.linalg.inv(T3)
    excess = []
    probs, given, true = units(200_000, T3, 0)
    scores, grid = 1 - probs, np.linspace(0, 1, 200)
    exact = np.array([(scores <= q)[np.arange(len(true)), true].mean() for q in grid])
    for start in range(0, 200_000, 1000):
        rows = slice(start, start + 1000)
        estimates = [((scores[rows] <= q) * inverse[given[rows]]).sum() / 1000 for q in grid]
        excess.append((np.array(estimates) - exact).max())
    slack = _slack(inverse, 1000, 0.1)
    assert np.mean(np.array(excess) > slack) <= 0.1
    assert slack < 10 * np.quantile(excess, 0.9)
    assert _slack(np.eye(3), 1000, 0.1) == pytest.approx(np.sqrt(np.log(10) / 2000))


def test_error_of_the_coverage_includes_that_of_t():
    probs, given, true = units(4000, T3, 3)
    found, errors = [], []
    exact = calibrate_conformal(given, probs, T3)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        pairs = rng.choice(4000, 250, replace=False)
        estimate = transition_from_pairs(true[pairs], given[pairs], 3)
        found.append(set_coverage(given, exact.sets(probs), estimate))
        errors.append(calibrate_conformal(given, probs, estimate).coverage_error)
    by_t = np.sqrt(np.maximum(np.mean(errors) ** 2 - exact.coverage_error**2, 0))
    assert by_t == pytest.approx(np.std(found), rel=0.35)


def test_invariances():
    probs, given, _ = units(500, T3, 4)
    fit = calibrate_conformal(given, probs, T3, score="aps")
    masked = calibrate_conformal(np.append(given, -1), np.vstack([probs, [[0, 0, 1]]]), T3, score="aps")
    assert masked.threshold == fit.threshold
    assert masked.n_units == 500
    order = np.array([2, 0, 1])
    renamed = calibrate_conformal(
        np.argsort(order)[given], probs[:, order], T3[np.ix_(order, order)], score="aps"
    )
    assert renamed.threshold == pytest.approx(fit.threshold)
    np.testing.assert_array_equal(renamed.sets(probs[:, order]), fit.sets(probs)[:, order])
    drawn = calibrate_conformal(given, probs, T3, score="aps", randomize=True)
    again = calibrate_conformal(
        np.append(given, -1), np.vstack([probs, [[0, 0, 1]]]), T3, score="aps", randomize=True
    )
    assert drawn.threshold == again.threshold


def test_an_unknown_row_of_t_makes_the_error_infinite_not_nan():
    probs, given, _ = units(300, T3, 5)
    error = np.full((3, 3), 0.02)
    error[1] = np.inf
    unknown = TransitionEstimate(matrix=T3, standard_error=error, method="pairs", n_units=9)
    assert np.isinf(calibrate_conformal(given, probs, unknown).coverage_error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transition": [[0.5, 0.5], [0.5, 0.5]]}, "condition number"),
        ({"transition": [[0.5001, 0.4999], [0.4999, 0.5001]]}, "limit 1e"),
        ({"transition": T3}, "has 3 classes but probs 2"),
        ({"transition": np.eye(2), "rate": 0.1}, "Both transition and rate"),
        ({"rate": 0.5}, "say nothing"),
        ({"rate": 1.5}, "rate is 1.5"),
        ({"alpha": 0.0}, "alpha is 0"),
        ({"confidence": 1.0}, "confidence is 1"),
        ({"score": "margin"}, "conformal score"),
        ({"penalty": -1.0}, "penalty is -1"),
        ({"labels": [-1, -1]}, "No unit is labelled"),
        ({"labels": [0]}, "Lengths differ"),
        ({"labels": [0, 2]}, "class id 2"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(change, message):
    arguments = {"labels": [0, 1], "probs": [[0.9, 0.1], [0.2, 0.8]], **change}
    with pytest.raises(InputError, match=message):
        calibrate_conformal(**arguments)


def test_sets_must_be_boolean():
    with pytest.raises(InputError, match="boolean"):
        set_coverage([0, 1], [[1, 0], [0, 1]])
    with pytest.raises(InputError, match="No unit is labelled"):
        set_coverage([-1], np.ones((1, 2), dtype=bool))
