"""The noise-aware stacker: its gradient, the transition matrix it recovers, and what must not matter."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from labelnoise.core import stacking
from labelnoise.core.stacking import fit_stacker, posterior, predict


def simulate(kind, rate, n=4000, k=4, seed=0, separation=3.0):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    evidence = rng.normal(size=(2, n, k))
    evidence[:, np.arange(n), true] += separation
    wrong = rng.random(n) < rate
    shift = 1 if kind == "pair" else rng.integers(1, k, n)
    given = np.where(wrong, (true + shift) % k, true)
    return evidence, given, true


@pytest.mark.parametrize("k", [2, 3, 5])
def test_gradient(k):
    rng = np.random.default_rng(k)
    evidence = rng.normal(size=(2, k, 30))
    covariate = rng.normal(size=(2, 30))
    given = rng.integers(0, k, 30)
    size = 2 + 4 + 2 * k + (k * (k - 1) if k > 2 else 0)
    theta = rng.normal(size=size) * 0.5
    error = check_grad(
        lambda t: stacking._objective(t, evidence, covariate, given, 3.0)[0],
        lambda t: stacking._objective(t, evidence, covariate, given, 3.0)[1],
        theta,
    )
    assert error < 1e-4


@pytest.mark.parametrize(("kind", "rate"), [("uniform", 0.1), ("pair", 0.1), ("pair", 0.4), ("uniform", 0.4)])
def test_transition_is_recovered(kind, rate):
    evidence, given, true = simulate(kind, rate, n=8000)
    fit = fit_stacker(evidence, given)
    assert fit.uniform == (kind == "uniform")
    realised = np.zeros((4, 4))
    np.add.at(realised, (true, given), 1)
    realised /= realised.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.diag(fit.transition), np.diag(realised), atol=0.05)
    if kind == "pair":
        np.testing.assert_allclose(fit.transition, realised, atol=0.05)
    np.testing.assert_allclose(fit.transition.sum(axis=1), 1.0)


def test_clean_labels_give_almost_no_noise():
    evidence, given, _ = simulate("uniform", 0.0)
    fit = fit_stacker(evidence, given)
    p_wrong = 1 - posterior(predict(fit, evidence), fit.transition, given)[np.arange(4000), given]
    assert p_wrong.sum() < 0.005 * 4000


def test_a_constant_per_unit_does_not_matter():
    evidence, given, _ = simulate("pair", 0.2, n=500)
    shifted = evidence + np.random.default_rng(1).normal(size=(1, 500, 1)) * 3
    first, second = fit_stacker(evidence, given), fit_stacker(shifted, given)
    np.testing.assert_allclose(first.transition, second.transition, atol=1e-3)


def test_useless_experts_are_ignored():
    evidence, given, true = simulate("uniform", 0.2)
    noise = np.random.default_rng(5).normal(size=(1, *evidence.shape[1:]))
    fit = fit_stacker(np.concatenate([evidence, noise]), given)
    assert abs(fit.weights[2]) < 0.2 * fit.weights[0]
    assert (predict(fit, np.concatenate([evidence, noise])).argmax(axis=1) == true).mean() > 0.98


def test_a_covariate_can_switch_an_expert_off():
    evidence, given, _ = simulate("uniform", 0.1)
    useless = np.arange(4000) % 2 == 0
    evidence[0, useless] = np.random.default_rng(2).normal(size=(useless.sum(), 4))
    covariate = np.where(useless, -1.0, 1.0)
    fit = fit_stacker(evidence, given, covariate=covariate)
    assert fit.weights[0] - fit.slopes[0, 0] < 0.5 * (fit.weights[0] + fit.slopes[0, 0])


def test_unlabelled_units_keep_their_probabilities():
    probs = np.array([[0.3, 0.7], [0.6, 0.4]])
    T = np.array([[0.8, 0.2], [0.1, 0.9]])
    result = posterior(probs, T, np.array([-1, 0]))
    np.testing.assert_array_equal(result[0], probs[0])
    np.testing.assert_allclose(result[1], np.array([0.48, 0.04]) / 0.52)


def test_contradictions_of_the_classes_are_no_class_dependent_errors():
    """Uniform errors on evidence that is sure of a wrong class for 3% of the units, more often for some pairs."""
    evidence, given, true = simulate("uniform", 0.1, n=30_000)
    rng = np.random.default_rng(4)
    odd = np.flatnonzero(rng.random(len(true)) < np.array([0.06, 0.02, 0.02, 0.02])[true])
    looks = np.where(true[odd] == 0, 1, (true[odd] + rng.integers(1, 4, len(odd))) % 4)
    taken, own = evidence[:, odd, looks].copy(), evidence[:, odd, true[odd]].copy()
    evidence[:, odd, looks], evidence[:, odd, true[odd]] = own, taken
    assert not fit_stacker(evidence, given).uniform
    assert fit_stacker(evidence, given, least_information=0.12).uniform
    for rate in (0.05, 0.3):
        evidence, given, _ = simulate("pair", rate, n=8000)
        assert not fit_stacker(evidence, given, least_information=0.12).uniform
