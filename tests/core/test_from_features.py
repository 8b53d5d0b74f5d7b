"""The detector from features on digits: what it finds, how many, and what it must not depend on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from labelnoise.core.calibrated import logistic_of
from labelnoise.core.decision import decide
from labelnoise.core.from_features import FeatureModel, detect_from_features, scale_rows
from labelnoise.core.kernels import KERNELS
from labelnoise.core.noise import corrupt, pair_transition, symmetric_transition
from labelnoise.core.validation import InputError


@lru_cache
def digits(n: int, seed: int = 0):
    data = load_digits()
    rows = np.random.default_rng(seed + 500).permutation(len(data.target))[:n]
    return data.data[rows], data.target[rows]


@pytest.mark.parametrize(
    ("noise", "rate", "auroc", "f1"),
    [("symmetric", 0.4, 0.99, 0.93), ("symmetric", 0.1, 0.99, 0.9), ("pair", 0.2, 0.98, 0.88)],
)
def test_wrong_digits_are_found_and_counted(noise, rate, auroc, f1):
    X, true = digits(600)
    matrix = {"symmetric": symmetric_transition, "pair": pair_transition}[noise](10, rate)
    given = corrupt(true, matrix, seed=3).labels
    wrong = given != true
    found = detect_from_features(X, given, draws=6)
    hits = (found.flagged & wrong).sum()
    assert roc_auc_score(wrong, found.p_wrong) > auroc
    assert 2 * hits / (found.flagged.sum() + wrong.sum()) > f1
    assert 0.75 < found.count.expected / wrong.sum() < 1.25
    assert found.count.low < found.count.expected < found.count.high
    assert found.p_wrong.sum() == pytest.approx(found.count.expected, rel=1e-3)
    safe = decide(found.p_wrong, rule="fdr", fdr=0.1)
    assert (safe & ~wrong).sum() <= 0.15 * safe.sum()
    assert (found.suggested == true)[found.flagged & wrong].mean() > 0.85
    assert found.info["errors"] == {"symmetric": "uniform", "pair": "class-dependent"}[noise]


def test_right_digits_are_left_alone():
    X, true = digits(600)
    found = detect_from_features(X, true, draws=3)
    assert found.flagged.sum() <= 3
    assert found.count.low == 0
    assert found.count.expected < 6


def test_masked_units_change_nothing_but_get_a_suggestion():
    X, true = digits(240)
    given = corrupt(true, symmetric_transition(10, 0.2), seed=0).labels
    masked = given.copy()
    masked[::3] = -1
    has = masked >= 0
    whole = detect_from_features(X, masked, n_classes=10, draws=3, resamples=2)
    alone = detect_from_features(X[has], given[has], n_classes=10, draws=3, resamples=2)
    np.testing.assert_allclose(whole.p_wrong[has], alone.p_wrong, atol=1e-6)
    assert whole.count.expected == pytest.approx(alone.count.expected, rel=1e-6)
    assert (whole.p_wrong[~has] == 0).all()
    assert not whole.flagged[~has].any()
    assert (whole.suggested == true)[~has].mean() > 0.8  # from 160 labels, one in five wrong


def test_no_unit_is_predicted_from_its_own_group():
    X, true = digits(200)
    groups = np.arange(200) // 4
    model = FeatureModel(scale_rows(X), 10, groups=groups)
    before = model.scores(np.eye(10)[true])
    other = true.copy()
    other[groups == 7] = (true[groups == 7] + 1) % 10
    after = model._experts[0].leave_group_out(np.eye(10)[other])
    plain = model._experts[0].leave_group_out(np.eye(10)[true])
    np.testing.assert_allclose(after[groups == 7], plain[groups == 7], atol=1e-9)
    assert np.isfinite(before).all()


def test_a_source_with_one_wrong_label_does_not_vouch_for_itself():
    """Every digit in three copies with one wrong label: only without groups do the copies support each other."""
    X, true = digits(150)
    given = corrupt(true, symmetric_transition(10, 0.2), seed=1).labels
    triple, labels, wrong = np.repeat(X, 3, axis=0), np.repeat(given, 3), np.repeat(given != true, 3)
    with_groups = detect_from_features(triple, labels, np.repeat(np.arange(150), 3), draws=3, resamples=0)
    without = detect_from_features(triple, labels, draws=3, resamples=0)
    assert roc_auc_score(wrong, with_groups.p_wrong) > 0.95
    assert roc_auc_score(wrong, without.p_wrong) < 0.8


def test_order_of_units_hardly_matters():
    """Exactly equal but for the draws, which go by position."""
    X, true = digits(300)
    given = corrupt(true, symmetric_transition(10, 0.2), seed=0).labels
    order = np.random.default_rng(0).permutation(300)
    plain = detect_from_features(X, given, resamples=0).p_wrong
    moved = detect_from_features(X[order], given[order], resamples=0).p_wrong
    assert np.corrcoef(moved, plain[order])[0, 1] > 0.99
    np.testing.assert_array_equal(detect_from_features(X, given, resamples=0).p_wrong, plain)


def test_two_classes_and_small_classes_are_warned_about():
    X, true = digits(600)
    two = true < 2
    assert any("Two classes" in w for w in detect_from_features(X[two], true[two], draws=2).warnings)
    few = detect_from_features(X[:80], true[:80], draws=2, resamples=0)
    assert any("per class" in w for w in few.warnings)


def test_landmarks_answer_nearly_the_same(monkeypatch):
    X, true = digits(400)
    given = corrupt(true, symmetric_transition(10, 0.2), seed=0).labels
    exact = detect_from_features(X, given, draws=3, resamples=0)
    # the limit is bound as a default, so the class is told instead
    monkeypatch.setattr("labelnoise.core.from_features.KernelExpert", lambda *a, **k: _landmarked(*a, **k))
    near = detect_from_features(X, given, draws=3, resamples=0)
    assert exact.info["exact"]
    assert not near.info["exact"]
    assert roc_auc_score(given != true, near.p_wrong) > roc_auc_score(given != true, exact.p_wrong) - 0.01


def _landmarked(*args, **options):
    from labelnoise.core.kernels import KernelExpert

    return KernelExpert(*args, **options, dense_limit=1, landmarks=150)


def test_a_logistic_curve_keeps_order_and_sum():
    rng = np.random.default_rng(0)
    order = rng.normal(size=200)
    target = 1 / (1 + np.exp(-2 * order - rng.normal(size=200)))
    fitted = logistic_of(order, target)
    assert fitted.sum() == pytest.approx(target.sum())
    assert (np.diff(fitted[np.argsort(order)]) > 0).all()
    assert logistic_of(-target, target).std() == pytest.approx(0, abs=1e-9)  # it points the wrong way


def test_kernels_are_registered_by_name():
    assert {"linear", "laplacian"} <= set(KERNELS)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: detect_from_features([[np.nan], [1.0]], [0, 1]), "NaN"),
        (lambda: detect_from_features([[1.0], [2.0]], [0, 0]), "at least 2"),
        (lambda: detect_from_features([[1.0], [2.0]], [0, 1, 1]), "Lengths differ"),
        (lambda: detect_from_features([[1.0], [2.0]], [0, 1], groups=[1]), "Lengths differ"),
        (lambda: detect_from_features([[1.0], [2.0]], [0, 1], draws=0), "draws"),
        (lambda: detect_from_features([[1.0], [2.0]], [0, 1], resamples=1), "resamples"),
        (lambda: scale_rows([[-1.0]], "hellinger"), "negative"),
        (lambda: scale_rows([[1.0]], "unite"), "unit"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
