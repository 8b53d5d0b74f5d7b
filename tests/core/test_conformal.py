"""Sets calibrated on noisy labels hold the true label as often as promised, where naive calibration does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.conformal import conformal_scores, noisy_conformal, uniform_noise_coverage
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError

N = 10_000


def symmetric(k: int) -> NDArray[np.float64]:
    return 0.7 * np.eye(k) + 0.3 / k


def asymmetric(k: int) -> NDArray[np.float64]:
    """Every other class loses labels to the next one, each at its own rate."""
    matrix = np.eye(k)
    for i, rate in enumerate(np.linspace(0.4, 0.1, k)):
        matrix[i, i] -= rate
        matrix[i, (i + 1) % k] += rate
    return matrix


def world(
    k: int, n: int, rng: np.random.Generator, transition: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Probabilities of an overconfident model, true and given labels; classes unequally frequent."""
    prior = np.linspace(1.0, 2.0, k)
    true = rng.choice(k, n, p=prior / prior.sum())
    logits = 1.7 * (rng.normal(size=(n, k)) + 1.5 * np.eye(k)[true])
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    given = (rng.random((n, 1)) > transition[true].cumsum(axis=1)[:, :-1]).sum(axis=1)
    return probs, true, given


def coverage(sets: NDArray[np.bool_], labels: NDArray[np.int64]) -> float:
    return float(sets[np.arange(len(labels)), labels].mean())


@pytest.mark.parametrize("k", [2, 5, 10])
@pytest.mark.parametrize("noise", [symmetric, asymmetric])
@pytest.mark.parametrize("score", ["hps", "aps", "raps"])
def test_the_true_label_is_covered_as_promised_and_naive_calibration_over_covers(k, noise, score) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(k)
    transition = noise(k)
    probs, _, given = world(k, N, rng, transition)
    fresh, true, _ = world(k, 4 * N, rng, transition)
    # APS without randomisation always takes the first class, which alone may cover more than promised.
    randomized = score != "hps"
    fit = noisy_conformal(probs, given, transition, score=score, randomized=randomized)
    naive = noisy_conformal(probs, given, np.eye(k), score=score, randomized=randomized)
    ours = coverage(fit.sets(fresh), true)
    assert abs(ours - 0.9) < 0.015
    assert coverage(naive.sets(fresh), true) > 0.925
    assert naive.mean_size > fit.mean_size
    assert fit.noisy_coverage < 0.85
    assert abs(fit.coverage_estimate - ours) < 4 * fit.standard_error
    assert fit.threshold <= fit.upper_threshold <= naive.threshold


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.31])
@pytest.mark.parametrize("n", [19, 250, 1001])
def test_without_noise_it_is_split_conformal(alpha: float, n: int) -> None:
    probs, true, _ = world(4, n, np.random.default_rng(n), np.eye(4))
    fit = noisy_conformal(probs, true, np.eye(4), alpha=alpha)
    ordinary = np.sort(1.0 - probs[np.arange(n), true])[math.ceil((n + 1) * (1 - alpha)) - 1]
    assert fit.threshold == fit.upper_threshold == ordinary
    assert fit.coverage_estimate == fit.noisy_coverage


def test_too_few_units_give_full_sets() -> None:
    probs, true, _ = world(4, 5, np.random.default_rng(0), np.eye(4))
    fit = noisy_conformal(probs, true, np.eye(4))
    assert math.isinf(fit.threshold)
    assert fit.sets(probs).all()
    assert fit.coverage_estimate == 1.0


def test_the_threshold_is_the_smallest_that_reaches_the_target() -> None:
    """Against trying every score, the definition."""
    transition = asymmetric(3)
    probs, _, given = world(3, 200, np.random.default_rng(1), transition)
    probs = np.round(probs, 1)
    probs[:, 2] = 1 - probs[:, 0] - probs[:, 1]
    probs = np.clip(probs, 0, 1)
    fit = noisy_conformal(probs, given, transition)
    scores, weights = conformal_scores(probs), np.linalg.inv(transition)[given]
    estimates = {q: float((weights * (scores <= q)).sum(axis=1).mean()) for q in np.unique(scores)}
    missed = [q for q, value in estimates.items() if value < fit.target - 1e-9]
    assert fit.threshold == min(set(estimates) - set(missed))
    assert fit.upper_threshold == min(q for q in estimates if q > max(missed))


@pytest.mark.parametrize("k", [2, 10])
def test_uniform_noise_has_the_published_closed_form(k: int) -> None:
    noise = 0.3
    transition = (1 - noise) * np.eye(k) + noise / k
    probs, _, given = world(k, 2000, np.random.default_rng(k), transition)
    fit = noisy_conformal(probs, given, transition, alpha=0.2)
    closed = uniform_noise_coverage(fit.noisy_coverage, fit.mean_size, noise, k)
    assert fit.coverage_estimate == pytest.approx(closed, abs=1e-12)


def test_a_smaller_alpha_never_makes_smaller_sets() -> None:
    transition = asymmetric(5)
    probs, _, given = world(5, 2000, np.random.default_rng(2), transition)
    fits = [noisy_conformal(probs, given, transition, alpha=a) for a in np.linspace(0.5, 0.02, 25)]
    thresholds = [fit.threshold for fit in fits]
    assert thresholds == sorted(thresholds)
    small, large = fits[0].sets(probs), fits[-1].sets(probs)
    assert (large | ~small).all()
    assert large.sum() > small.sum()


def test_the_guarantee_holds_in_nearly_every_repetition_and_the_estimate_alone_does_not() -> None:
    transition = symmetric(3)
    rng = np.random.default_rng(3)
    fresh, true, _ = world(3, 20_000, rng, transition)
    sure, plain = [], []
    for _ in range(40):
        probs, _, given = world(3, 5000, rng, transition)
        sure.append(coverage(noisy_conformal(probs, given, transition, slack="dkw").sets(fresh), true))
        plain.append(coverage(noisy_conformal(probs, given, transition).sets(fresh), true))
    assert min(sure) >= 0.9
    assert sum(value < 0.9 for value in plain) > 8
    assert abs(float(np.mean(plain)) - 0.9) < 0.006


def test_the_slack_shrinks_with_n_and_grows_with_noise() -> None:
    rng = np.random.default_rng(4)
    probs, _, given = world(3, 8000, rng, symmetric(3))
    slack = [noisy_conformal(probs[:n], given[:n], symmetric(3), slack="dkw").slack for n in (2000, 8000)]
    assert slack[0] == pytest.approx(2 * slack[1])
    clean = noisy_conformal(probs, given, np.eye(3), slack="dkw")
    assert clean.slack == pytest.approx(math.sqrt(math.log(20) / 16_000))
    assert clean.slack < slack[1]
    few = noisy_conformal(probs[:50], given[:50], symmetric(3), slack="dkw")
    assert math.isinf(few.threshold)


@pytest.mark.parametrize("randomized", [False, True])
def test_units_without_a_label_change_nothing(randomized: bool) -> None:
    rng = np.random.default_rng(5)
    probs, _, given = world(4, 500, rng, symmetric(4))
    masked = np.insert(given, [0, 100, 500], -1)
    more = np.insert(probs, [0, 100, 500], np.full(4, 0.25), axis=0)
    whole = noisy_conformal(probs, given, symmetric(4), score="aps", randomized=randomized)
    assert noisy_conformal(more, masked, symmetric(4), score="aps", randomized=randomized) == whole


def test_scores_by_hand() -> None:
    probs = np.array([[0.1, 0.5, 0.4], [0.25, 0.25, 0.5]])
    np.testing.assert_allclose(conformal_scores(probs), [[0.9, 0.5, 0.6], [0.75, 0.75, 0.5]])
    np.testing.assert_allclose(conformal_scores(probs, score="aps"), [[1.0, 0.5, 0.9], [1.0, 1.0, 0.5]])
    np.testing.assert_allclose(
        conformal_scores(probs, score="aps", uniforms=[0.0, 0.5]), [[0.9, 0.0, 0.5], [0.875, 0.875, 0.25]]
    )
    many = np.arange(8.0, 0, -1)[None] / 36
    excess = conformal_scores(many, score="raps") - conformal_scores(many, score="aps")
    np.testing.assert_allclose(excess, [[0, 0, 0, 0, 0, 0.01, 0.02, 0.03]], atol=1e-12)


def test_randomized_sets_follow_their_seed_and_are_smaller() -> None:
    probs, _, given = world(5, 3000, np.random.default_rng(6), symmetric(5))
    whole = noisy_conformal(probs, given, symmetric(5), score="aps")
    fit = noisy_conformal(probs, given, symmetric(5), score="aps", randomized=True)
    assert fit.mean_size < whole.mean_size
    assert (fit.sets(probs, seed=1) == fit.sets(probs, seed=1)).all()
    assert (fit.sets(probs, seed=1) != fit.sets(probs, seed=2)).any()
    assert (whole.sets(probs, seed=1) == whole.sets(probs, seed=2)).all()


def test_an_estimate_of_t_is_taken_as_it_is() -> None:
    probs, _, given = world(3, 500, np.random.default_rng(7), symmetric(3))
    estimate = TransitionEstimate(
        matrix=symmetric(3), standard_error=np.zeros((3, 3)), method="test", n_units=9
    )
    assert noisy_conformal(probs, given, estimate) == noisy_conformal(probs, given, symmetric(3))


@pytest.mark.parametrize(("noise", "k"), [(symmetric, 2), (asymmetric, 3)])
def test_the_error_from_t_is_what_estimating_it_again_and_again_shows(noise, k) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(8)
    transition, m = noise(k), 200
    probs, true, given = world(k, 20_000, rng, transition)
    seen, told = [], []
    for _ in range(80):
        matrix = np.array([rng.multinomial(m, row) / m for row in transition])
        error = np.sqrt(matrix * (1 - matrix) / m)
        estimate = TransitionEstimate(matrix=matrix, standard_error=error, method="test", n_units=k * m)
        fit = noisy_conformal(probs, given, estimate)
        seen.append(coverage(fit.sets(probs), true))
        told.append(fit.transition_error)
    assert np.mean(told) == pytest.approx(np.std(seen), rel=0.3)
    unknown = TransitionEstimate(
        matrix=transition, standard_error=np.full((k, k), np.inf), method="test", n_units=9
    )
    assert math.isinf(noisy_conformal(probs, given, unknown).transition_error)
    assert noisy_conformal(probs, given, transition).transition_error == 0.0


def test_refusals_say_what_to_do() -> None:
    probs, given = np.full((4, 2), 0.5), np.array([0, 1, 0, 1])
    with pytest.raises(InputError, match="condition number .* Merge the classes"):
        noisy_conformal(probs, given, [[0.5, 0.5], [0.4999, 0.5001]])
    with pytest.raises(InputError, match="condition number"):
        noisy_conformal(probs, given, np.full((2, 2), 0.5))
    with pytest.raises(InputError, match="no label"):
        noisy_conformal(probs, np.full(4, -1), np.eye(2))
    with pytest.raises(InputError, match="3 classes but probs has 2"):
        noisy_conformal(probs, given, np.eye(3))
    with pytest.raises(InputError, match="alpha is 1.5"):
        noisy_conformal(probs, given, np.eye(2), alpha=1.5)
    with pytest.raises(InputError, match="failure"):
        noisy_conformal(probs, given, np.eye(2), failure=0.7)
    with pytest.raises(InputError, match="Lengths differ"):
        noisy_conformal(probs, given[:3], np.eye(2))
    with pytest.raises(InputError, match="no meaning"):
        noisy_conformal(probs, given, np.eye(2), randomized=True)
    with pytest.raises(InputError, match="same model"):
        noisy_conformal(probs, given, np.eye(2), alpha=0.5).sets(np.full((2, 3), 1 / 3))
    with pytest.raises(InputError, match="uniforms"):
        conformal_scores(probs, score="aps", uniforms=[0.5])
    with pytest.raises(InputError, match="noise is 1"):
        uniform_noise_coverage(0.9, 1.5, 1.0, 10)


@pytest.mark.parametrize("score", ["aps", "raps"])
def test_equally_probable_classes_share_a_score_in_any_order(score):
    first = conformal_scores([[0.25, 0.5, 0.25]], score=score)
    assert first[0, 0] == first[0, 2] == pytest.approx(1.0)
    np.testing.assert_array_equal(conformal_scores([[0.5, 0.25, 0.25]], score=score)[0], first[0, [1, 0, 2]])
