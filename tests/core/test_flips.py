"""Planted errors: how they are drawn, and that learning from them finds the real ones."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from labelnoise.core.evidence import evidence_columns, evidence_matrix
from labelnoise.core.experts import RidgeExpert
from labelnoise.core.flips import (
    confusion_flips,
    flip_scores,
    logistic_fit,
    model_confusions,
    refit_targets,
    to_mean,
)
from labelnoise.core.validation import InputError


def blobs(n: int = 240, k: int = 4, rate: float = 0.2, seed: int = 0):
    """Classes around separate centres, uniform errors."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    X = rng.normal(size=(n, 6)) + 3.0 * np.eye(6)[true]
    given = np.where(rng.random(n) < rate, (true + rng.integers(1, k, n)) % k, true)
    return X, true, given


def ridge_evidence(X: np.ndarray, k: int):
    expert = RidgeExpert(np.column_stack([X, np.ones(len(X))]))

    def evidence(labels):
        targets = np.where(labels[:, None] >= 0, np.eye(k)[labels], 0.0)
        scores = 6 * expert.leave_one_out(targets, lam=1.0, used=labels >= 0)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs = e / e.sum(axis=1, keepdims=True)
        return evidence_matrix(evidence_columns(labels, probs)), probs

    return evidence


def test_confusions_match_the_definition():
    rng = np.random.default_rng(0)
    given, probs = rng.integers(0, 4, 50), rng.dirichlet(np.ones(5), 50)  # class 4 is never given
    found = model_confusions(given, probs)
    for g in range(5):
        mean = probs[given == g].mean(axis=0) if (given == g).any() else np.zeros(5)
        row = np.array([mean[k] + 0.002 if k not in (g, 4) else 0.0 for k in range(5)])
        np.testing.assert_allclose(found[g], row / row.sum())


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 1.0])
def test_flips_realise_their_share_and_never_keep_the_label(share):
    rng = np.random.default_rng(1)
    given, probs = rng.integers(-1, 6, 500), rng.dirichlet(np.full(6, 0.2), 500)
    flips = confusion_flips(given, probs, share=share, seed=3)
    has = given >= 0
    assert flips.changed.sum() == round(share * has.sum())
    assert (flips.labels[flips.changed] != given[flips.changed]).all()
    np.testing.assert_array_equal(flips.labels[~flips.changed], given[~flips.changed])
    assert flips.labels.min() == -1
    assert flips.labels.max() < 6


def test_flips_go_where_the_model_is_confused():
    given = np.repeat([0, 1, 2], 2000)
    probs = np.repeat([[0.7, 0.27, 0.03], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]], 2000, axis=0)
    flips = confusion_flips(given, probs, share=0.5, seed=0)
    wrong = flips.changed & (given == 0)
    assert (flips.labels[wrong] == 1).mean() == pytest.approx(0.272 / 0.304, abs=0.03)


def test_draws_differ_and_repeat():
    given, probs = np.arange(200) % 3, np.full((200, 3), 1 / 3)
    one, again = (confusion_flips(given, probs, seed=1, draw=0).labels for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert (confusion_flips(given, probs, seed=1, draw=1).labels != one).any()
    assert (confusion_flips(given, probs, seed=2, draw=0).labels != one).any()


def test_masked_units_change_neither_flips_nor_scores():
    X, _, given = blobs()
    masked = given.copy()
    masked[::4] = -1
    has = masked >= 0
    probs = ridge_evidence(X, 4)(masked)[1]
    with_them = confusion_flips(masked, probs, seed=5).labels
    np.testing.assert_array_equal(with_them[has], confusion_flips(given[has], probs[has], seed=5).labels)
    found = flip_scores(masked, ridge_evidence(X, 4), draws=3)
    other = X.copy()
    other[~has] += 10.0
    alone = flip_scores(given[has], ridge_evidence(X[has], 4), draws=3)
    np.testing.assert_allclose(found.score[has], alone.score, rtol=1e-6, atol=1e-8)
    assert (found.score[~has] == 0).all()


def test_the_regression_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    y = (rng.random(400) < 1 / (1 + np.exp(-(X[:, 0] - 2 * X[:, 1] - 1)))).astype(float)
    ours = logistic_fit(X, y, penalty=0.3)
    theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(ours[:-1], theirs.coef_[0], atol=1e-5)
    assert ours[-1] == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_the_regression_survives_separable_data():
    X = np.array([[-1.0], [-0.9], [1.0], [1.1]]) * 1e3
    w = logistic_fit(X, np.array([0.0, 0, 1, 1]), penalty=1e4)
    assert np.isfinite(w).all()
    assert w[0] > 0


def test_scores_learnt_from_planted_errors_find_real_ones():
    X, true, given = blobs(rate=0.3)
    found = flip_scores(given, ridge_evidence(X, 4), draws=6)
    assert roc_auc_score(given != true, found.score) > 0.98
    assert 0.6 < found.held_out_auroc < 0.9  # real errors count as right there: about .7 + .3 / 2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_class_that_the_model_doubts_is_not_taken_for_wrong(seed):
    X, true, given = blobs(rate=0.2, seed=seed)
    honest = ridge_evidence(X, 4)

    def doubting(labels):
        probs = honest(labels)[1] * [0.01, 1, 1, 1]
        probs /= probs.sum(axis=1, keepdims=True)
        return evidence_matrix(evidence_columns(labels, probs)), probs

    found = flip_scores(given, doubting, draws=6)
    own = found.probs[np.arange(len(given)), given]
    assert roc_auc_score(given != true, found.score) > roc_auc_score(given != true, -own) + 0.03


def test_useless_evidence_learns_nothing():
    rng = np.random.default_rng(0)
    given, probs = rng.integers(0, 3, 600), np.full((600, 3), 1 / 3)
    noise = rng.normal(size=(600, 2))
    found = flip_scores(given, lambda labels: (noise, probs), draws=8)
    assert abs(found.held_out_auroc - 0.5) < 0.1
    assert np.ptp(found.score) < 0.6


def test_targets_match_the_formula_and_are_distributions():
    rng = np.random.default_rng(0)
    given, probs, doubt = rng.integers(0, 4, 30), rng.dirichlet(np.ones(4), 30), rng.random(30)
    targets = refit_targets(given, probs, doubt)
    for i, g in enumerate(given):
        rest = probs[i].copy()
        rest[g] = 0
        expected = doubt[i] * rest / rest.sum()
        expected[g] = 1 - doubt[i]
        np.testing.assert_allclose(targets[i], expected)
    certain = refit_targets([1], [[0.0, 1.0, 0.0]], [1.0])
    np.testing.assert_allclose(certain, [[0.5, 0, 0.5]])


@pytest.mark.parametrize("mean", [0.0, 1e-4, 0.3, 0.999, 1.0])
def test_a_shift_reaches_the_mean_and_keeps_the_order(mean):
    z = np.random.default_rng(0).normal(scale=8, size=300)
    p = to_mean(z, mean)
    assert p.mean() == pytest.approx(mean, abs=1e-9)
    assert (np.diff(p[np.argsort(z)]) >= 0).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: model_confusions([0, 0], [[0.5, 0.5]] * 2), "fewer than two classes"),
        (lambda: model_confusions([0, 1], [[0.5, 0.5]] * 2, floor=0), "above 0"),
        (lambda: confusion_flips([0, 1], [[np.nan, 0.5]] * 2), "NaN"),
        (lambda: confusion_flips([0, 1], [[0.5, 0.5]] * 2, share=2), "share"),
        (lambda: flip_scores([0, 1], lambda y: (np.full((2, 1), np.nan), np.full((2, 2), 0.5))), "NaN"),
        (lambda: flip_scores([0, 1], lambda y: (np.zeros((2, 1)), np.full((2, 2), 0.5)), draws=0), "draws"),
        (lambda: flip_scores([0, 1], lambda y: (np.zeros((2, 1)), np.full((2, 2), 0.5)), share=1), "share"),
        (
            lambda: flip_scores([0, 1], lambda y: (np.zeros((2, 1)), np.full((2, 2), 0.5))),
            "plants none or all",
        ),
        (lambda: refit_targets([0, 1], [[0.5, 0.5]] * 2, [0.1, np.nan]), "p_wrong"),
        (lambda: to_mean([np.inf], 0.5), "finite"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
