"""The calibrated answer on digits: counts, false alarms, and what must not move it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from labelnoise.core.calibrated import calibrate_scores, estimate_count, logistic_of, monotone_of
from labelnoise.core.calibration import read_with_ambiguity
from labelnoise.core.crossval import out_of_fold
from labelnoise.core.noise import corrupt, pair_transition, symmetric_transition
from labelnoise.core.quality import self_confidence
from labelnoise.core.stacking import fit_stacker, predict
from labelnoise.core.validation import InputError


@lru_cache
def digits(noise: str, rate: float, n: int = 800, seed: int = 0):
    data = load_digits()
    rows = np.random.default_rng(seed + 70).permutation(len(data.target))[:n]
    X, true = data.data[rows] / 16, data.target[rows]
    matrix = {"symmetric": symmetric_transition, "pair": pair_transition}[noise](10, rate)
    given = corrupt(true, matrix, seed=seed).labels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probs = out_of_fold(LogisticRegression(C=1.0, max_iter=50), X, given)
    return given, probs, true


@pytest.mark.parametrize(
    ("noise", "rate", "low", "high"),
    [("symmetric", 0.1, 0.8, 1.25), ("symmetric", 0.4, 0.85, 1.15), ("pair", 0.1, 0.8, 1.25)],
)
def test_counts_and_false_alarms_of_noisy_digits(noise, rate, low, high):
    given, probs, true = digits(noise, rate)
    wrong = given != true
    found = calibrate_scores(given, probs, rule="fdr", fdr=0.1)
    assert low < found.count.expected / wrong.sum() < high
    assert found.count.low <= wrong.sum() <= found.count.high
    assert (found.flagged & ~wrong).sum() <= 0.2 * found.flagged.sum()
    assert (found.flagged & wrong).sum() > 0.6 * wrong.sum()
    own = self_confidence(given, probs)
    assert roc_auc_score(wrong, found.p_wrong) > roc_auc_score(wrong, 1 - own) - 0.002
    # not so for the probabilities themselves: what they miss of 1 is no count of errors
    assert (1 - own).sum() / wrong.sum() > 1.3 * found.count.expected / wrong.sum()


@pytest.mark.parametrize("link", ["logistic", "monotone"])
def test_a_score_decides_the_order_and_not_the_number(link):
    given, probs, _ = digits("symmetric", 0.1)
    quality = self_confidence(given, probs) ** 3
    plain = calibrate_scores(given, probs)
    found = calibrate_scores(given, probs, quality, link=link)
    assert found.p_wrong.sum() == pytest.approx(plain.p_wrong.sum(), rel=1e-6)
    ordered = found.p_wrong[np.argsort(-quality)]
    assert (np.diff(ordered) >= 0).all()
    assert found.count.expected == plain.count.expected


def test_a_useless_score_gives_everybody_the_mean_and_is_named():
    given, probs, _ = digits("symmetric", 0.1)
    noise = np.random.default_rng(0).random(len(given))
    found = calibrate_scores(given, probs, noise, resamples=0)
    assert found.p_wrong.std() < 0.05
    assert any("none is more likely" in text for text in found.warnings)


def test_right_labels_are_left_alone():
    given, probs, _ = digits("symmetric", 0.0)
    found = calibrate_scores(given, probs)
    assert found.flagged.sum() <= 4
    assert found.count.expected < 8


def test_masked_units_change_nothing_but_get_a_suggestion():
    given, probs, true = digits("symmetric", 0.1)
    masked = given.copy()
    masked[::3] = -1
    has = masked >= 0
    quality = self_confidence(given, probs)
    whole = calibrate_scores(masked, probs, quality, resamples=2)
    alone = calibrate_scores(given[has], probs[has], quality[has], resamples=2)
    np.testing.assert_allclose(whole.p_wrong[has], alone.p_wrong, atol=1e-8)
    assert whole.count == alone.count
    assert (whole.p_wrong[~has] == 0).all()
    assert (whole.suggested[~has] == true[~has]).mean() > 0.9


def test_order_of_units_does_not_matter():
    given, probs, _ = digits("pair", 0.1)
    order = np.random.default_rng(1).permutation(len(given))
    plain = calibrate_scores(given, probs, resamples=0).p_wrong
    moved = calibrate_scores(given[order], probs[order], resamples=0).p_wrong
    np.testing.assert_allclose(moved, plain[order], atol=1e-4)


def test_what_is_not_identified_is_said():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 400)
    near = np.clip(0.5 + 0.2 * (2 * true - 1) + 0.1 * rng.normal(size=400), 0.05, 0.95)
    found = calibrate_scores(true, np.column_stack([1 - near, near]), resamples=0)
    assert any(text.startswith("Two classes") for text in found.warnings)
    given, probs, _ = digits("pair", 0.4)
    assert any("in one direction" in text for text in calibrate_scores(given, probs, resamples=0).warnings)
    assert any("per class" in text for text in calibrate_scores(given[:90], probs[:90], resamples=0).warnings)
    clear, p, _ = digits("symmetric", 0.1)
    assert calibrate_scores(clear, p, resamples=0).warnings == ()


def test_a_count_that_simulation_contradicts_is_not_blown_up():
    """A reading that finds no errors in simulated labels must not multiply the count beyond the units."""
    given, probs, _ = digits("symmetric", 0.4)
    evidence = np.log(np.clip(probs, 1e-3, 1))[None]
    fit = fit_stacker(evidence, given)
    reading = read_with_ambiguity(predict(fit, evidence), fit, given, 0.001)

    def blind(labels):
        return replace(fit, transition=np.eye(10)), np.full((len(labels), 10), 0.1)

    plain, _ = estimate_count(blind, fit, reading, given, 0.01, resamples=0, seed=0)
    count, ratios = estimate_count(blind, fit, reading, given, 0.01, resamples=3, seed=0)
    assert ratios.max() < 0.1
    assert count.expected == pytest.approx(plain.expected)
    assert count.low <= count.expected <= count.high == len(given)


def test_links_keep_sums_and_share_ties():
    rng = np.random.default_rng(0)
    order = rng.integers(0, 20, 300).astype(float)
    target = 1 / (1 + np.exp(-(order - 15)))
    for fitted in (logistic_of(order, target), monotone_of(order, target)):
        assert fitted.sum() == pytest.approx(target.sum())
        assert all(np.ptp(fitted[order == v]) == 0 for v in np.unique(order))
    np.testing.assert_allclose(monotone_of(order, target), target)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibrate_scores([0, 1], [[np.nan, 1], [0.5, 0.5]]), "NaN"),
        (lambda: calibrate_scores([0, 0], [[0.5, 0.5]] * 2), "at least 2"),
        (lambda: calibrate_scores([0, 1], [[0.5, 0.5]] * 2, [0.1, np.nan]), "quality"),
        (lambda: calibrate_scores([0, 1], [[0.5, 0.5]] * 2, [0.1]), "Lengths differ"),
        (lambda: calibrate_scores([0, 1], [[0.5, 0.5]] * 2, link="isotonic"), "monotone"),
        (lambda: calibrate_scores([0, 1], [[0.5, 0.5]] * 2, resamples=1), "resamples"),
        (lambda: calibrate_scores([0, 1], [[0.5, 0.5]] * 2, rule="fdr", resamples=0), "fdr"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
