"""Repeated cross-validation against its definition, and on digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from labelnoise.core.experts import RidgeExpert
from labelnoise.core.progress import show_progress
from labelnoise.core.recov import benjamini_hochberg, fast_recov, recov
from labelnoise.core.validation import InputError


def noisy_digits(n: int = 200, n_wrong: int = 10, seed: int = 0):
    data = load_digits()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(data.target))[:n]
    X, given = data.data[rows] / 16, data.target[rows].copy()
    wrong = np.zeros(n, dtype=bool)
    wrong[rng.permutation(n)[:n_wrong]] = True
    given[wrong] = (given[wrong] + rng.integers(1, 10, n_wrong)) % 10
    return X, given, wrong


def ridge_confidence(X, given):
    expert, Y = RidgeExpert(X), np.eye(10)[given]

    def evaluate(train, test):
        used = np.zeros(len(X), dtype=bool)
        used[train] = True
        scores = 4 * expert.leave_one_out(Y, lam=1.0, used=used)[test]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (e / e.sum(axis=1, keepdims=True))[np.arange(len(test)), given[test]]

    return evaluate


@pytest.mark.parametrize("fdr", [0.05, None])
def test_counts_and_tails_match_the_definition(fdr):
    value = np.random.default_rng(0).random(30)
    seen = []

    def evaluate(train, test):
        assert not set(train) & set(test)
        assert len(train) + len(test) == 30
        seen.append(np.sort(test))
        return value[test].mean()

    found = recov(np.zeros(30, dtype=int), evaluate, repeats=25, n_folds=4, fdr=fdr)
    worst = np.zeros(30, dtype=int)
    for at in range(0, 100, 4):
        assert sorted(np.concatenate(seen[at : at + 4])) == list(range(30))
        worst[min(seen[at : at + 4], key=lambda fold: value[fold].mean())] += 1
    np.testing.assert_array_equal(found.worst, worst)
    tails = np.array([sum(binom.pmf(c, 25, 0.25) for c in range(w, 26)) for w in worst])
    np.testing.assert_allclose(found.p_value, tails)
    by_spread = worst > 25 / 4 + 2 * np.sqrt(25 * 3 / 16)
    np.testing.assert_array_equal(found.flagged, by_spread if fdr is None else benjamini_hochberg(tails, fdr))


def test_repeats_single_out_a_wrong_digit():
    X, given, wrong = noisy_digits()
    confidence = ridge_confidence(X, given)
    found = recov(given, lambda a, b: confidence(a, b).mean(), repeats=60)
    assert roc_auc_score(wrong, found.worst) > 0.75


def test_the_fast_variant_finds_wrong_digits():
    X, given, wrong = noisy_digits()
    found = fast_recov(given, ridge_confidence(X, given), count=10, runs=6)
    assert found.flagged.sum() == 10
    assert roc_auc_score(wrong, -found.quality) > 0.97
    assert (found.flagged & wrong).sum() >= 7


def test_the_fast_variant_gathers_the_suspects_in_one_fold():
    p = np.full(50, 0.9)
    p[:10] = 0.0
    folds = []

    def evaluate(train, test):
        folds.append(test)
        return p[test]

    fast_recov(np.zeros(50, dtype=int), evaluate, count=10, runs=10)
    last = [np.count_nonzero(fold < 10) for fold in folds[-5:]]
    assert last[-1] >= 9
    assert last[0] <= 1
    assert max(np.count_nonzero(fold < 10) for fold in folds[:5]) < 9  # the first ordering is random


def test_memory_is_a_weighted_mean():
    found = fast_recov([0] * 9, lambda train, test: np.full(len(test), 0.4), count=0, runs=3)
    np.testing.assert_allclose(found.quality, 0.4)
    assert not found.flagged.any()


def test_masked_units_are_in_no_fold_and_change_nothing():
    value = np.random.default_rng(0).random(40)
    given = np.zeros(40, dtype=int)
    given[::4] = -1
    has = given >= 0
    whole = recov(given, lambda a, b: value[b].mean(), repeats=20)
    alone = recov(given[has], lambda a, b: value[has][b].mean(), repeats=20)
    np.testing.assert_array_equal(whole.worst[has], alone.worst)
    assert (whole.worst[~has] == 0).all()
    assert (whole.p_value[~has] == 1).all()
    fast = fast_recov(given, lambda a, b: value[b], count=3)
    np.testing.assert_allclose(
        fast.quality[has], fast_recov(given[has], lambda a, b: value[has][b], count=3).quality
    )
    assert (fast.quality[~has] == 1).all()
    assert not fast.flagged[~has].any()


def test_same_seed_same_answer_and_progress_is_told():
    value = np.random.default_rng(0).random(20)
    told = []

    class Reporter:
        def track(self, items, description, total):
            told.append((description, total))
            yield from items

    with show_progress(Reporter()):
        one = recov([0] * 20, lambda a, b: value[b].mean(), repeats=8, seed=1)
    again, other = (recov([0] * 20, lambda a, b: value[b].mean(), repeats=8, seed=s) for s in (1, 2))
    np.testing.assert_array_equal(one.worst, again.worst)
    assert (one.worst != other.worst).any()
    assert told == [("repeating cross-validation", 8)]


def test_chance_flags_hardly_anybody():
    """Scores that have nothing to do with the units."""
    rng = np.random.default_rng(0)
    found = recov([0] * 100, lambda a, b: rng.random(), repeats=100)
    assert found.flagged.sum() <= 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: recov([0, 0], lambda a, b: 1.0), "use fewer folds"),
        (lambda: recov([0] * 9, lambda a, b: np.nan), "finite"),
        (lambda: recov([0] * 9, lambda a, b: 1.0, repeats=0), "repeats"),
        (lambda: recov([0] * 9, lambda a, b: 1.0, n_folds=1), "n_folds"),
        (lambda: fast_recov([0] * 9, lambda a, b: np.ones(len(b)), count=1, n_folds=2), "best"),
        (lambda: fast_recov([0] * 9, lambda a, b: np.ones(1), count=1), "probability of each"),
        (lambda: fast_recov([0] * 9, lambda a, b: np.full(len(b), np.nan), count=1), "NaN"),
        (lambda: fast_recov([0] * 9, lambda a, b: np.ones(len(b)), count=-1), "count"),
        (lambda: fast_recov([0] * 9, lambda a, b: np.ones(len(b)), count=1, temperature=0), "temperature"),
        (lambda: benjamini_hochberg([0.1, np.nan], 0.1), "NaN"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
