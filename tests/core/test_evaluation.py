import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core.detection import CountEstimate
from labelnoise.core.evaluation import (
    METRICS,
    bootstrap_interval,
    detection_metrics,
    mean_interval,
    reliability_bins,
    wilson_interval,
)
from labelnoise.core.validation import InputError


def example(n=500, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    wrong = rng.random(n) < 0.2
    score = rng.normal(size=n) + wrong
    if levels:
        score = np.round(score * levels) / levels
    return wrong, score


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ranking_and_decision_equal_scikit_learn(levels, seed):
    from sklearn import metrics as reference

    wrong, score = example(seed=seed, levels=levels)
    flagged = score > 0.5
    found = detection_metrics(wrong, score, flagged=flagged)
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(wrong, score), abs=1e-12)
    assert found["average_precision"] == pytest.approx(
        reference.average_precision_score(wrong, score), abs=1e-12
    )
    assert found["precision"] == pytest.approx(reference.precision_score(wrong, flagged), abs=1e-12)
    assert found["recall"] == pytest.approx(reference.recall_score(wrong, flagged), abs=1e-12)
    assert found["f1"] == pytest.approx(reference.f1_score(wrong, flagged), abs=1e-12)
    assert found["mcc"] == pytest.approx(reference.matthews_corrcoef(wrong, flagged), abs=1e-12)
    assert found["fdr"] == pytest.approx(1 - found["precision"], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=30))
def test_ranking_equals_scikit_learn_on_any_ties(pairs):
    from sklearn import metrics as reference

    wrong, score = np.array(pairs).T
    found = detection_metrics(wrong, score)
    if 0 < wrong.sum() < len(wrong):
        assert found["auroc"] == pytest.approx(reference.roc_auc_score(wrong, score))
    if wrong.sum():
        assert found["average_precision"] == pytest.approx(reference.average_precision_score(wrong, score))
    else:
        assert found["average_precision"] is None


def test_precision_at_true_count_is_the_mean_over_random_tie_orders():
    rng = np.random.default_rng(0)
    wrong, score = example(n=40, seed=3, levels=1)
    k = int(wrong.sum())
    draws = [wrong[np.lexsort((rng.random(40), -score))[:k]].mean() for _ in range(20_000)]
    assert detection_metrics(wrong, score)["precision_at_true_count"] == pytest.approx(
        np.mean(draws), abs=0.005
    )


def test_brier_and_expected_count_equal_their_definitions():
    wrong, score = example()
    p = 1 / (1 + np.exp(-score))
    found = detection_metrics(wrong, score, p_wrong=p)
    assert found["brier"] == pytest.approx(np.mean((p - wrong) ** 2))
    assert found["expected"] == pytest.approx(p.sum())
    assert found["count_ratio"] == pytest.approx(p.sum() / wrong.sum())
    assert found["count_covered"] is None  # a bare number claims no interval


def test_ece_by_hand_and_zero_for_the_truth():
    p = np.repeat([0.1, 0.6], 10)
    wrong = np.r_[np.zeros(9), 1, np.ones(8), 0, 0]
    assert detection_metrics(wrong, p, p_wrong=p)["ece"] == pytest.approx(0.1)
    assert detection_metrics(wrong, wrong, p_wrong=wrong)["ece"] == 0
    assert detection_metrics(wrong, wrong, p_wrong=wrong)["brier_skill"] == 1


def test_calibrated_probabilities_have_small_ece_and_tilted_ones_do_not():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 5, 20_000)
    wrong = rng.random(20_000) < p
    assert detection_metrics(wrong, p, p_wrong=p)["ece"] < 0.01
    assert detection_metrics(wrong, p, p_wrong=np.sqrt(p))["ece"] > 0.1


def test_count_interval_covers_or_not():
    wrong = np.arange(100) < 10
    inside = detection_metrics(wrong, wrong, count=CountEstimate(12, 9, 15))
    outside = detection_metrics(wrong, wrong, count=CountEstimate(20, 15, 25))
    assert (inside["count_covered"], outside["count_covered"], outside["count_ratio"]) == (1, 0, 2)


def test_no_wrong_label_means_undefined_not_nan():
    found = detection_metrics(np.zeros(5), np.arange(5), flagged=[1, 0, 0, 0, 0], p_wrong=np.full(5, 0.1))
    assert list(found) == list(METRICS)
    for name in (
        "auroc",
        "average_precision",
        "precision_at_true_count",
        "recall",
        "f1",
        "mcc",
        "count_ratio",
    ):
        assert found[name] is None
    assert found["fdr"] == 1
    assert not any(value is not None and math.isnan(value) for value in found.values())


def test_everything_wrong_and_nothing_at_all():
    all_wrong = detection_metrics(np.ones(3), [1, 2, 3], flagged=np.ones(3))
    assert all_wrong["auroc"] is None
    assert all_wrong["average_precision"] == 1
    empty = detection_metrics([], [], flagged=[], p_wrong=[])
    assert empty["n"] == 0
    assert empty["auroc"] is None
    assert empty["ece"] is None


@pytest.mark.parametrize("flag", [0, 1])
def test_a_null_detector_cannot_win(flag):
    wrong, _ = example()
    found = detection_metrics(wrong, np.full(len(wrong), flag), flagged=np.full(len(wrong), flag))
    rate = wrong.mean()
    assert found["auroc"] == 0.5
    assert found["average_precision"] == pytest.approx(rate)
    assert found["precision_at_true_count"] == pytest.approx(rate)
    assert found["mcc"] == 0


def test_units_of_unknown_truth_change_nothing():
    wrong, score = example()
    p = 1 / (1 + np.exp(-score))
    plain = detection_metrics(wrong, score, flagged=score > 0, p_wrong=p, count=99.0)
    rng = np.random.default_rng(1)
    for _ in range(3):
        more = detection_metrics(
            np.r_[wrong.astype(int), -np.ones(50, int)],
            np.r_[score, rng.normal(size=50) * 9],
            flagged=np.r_[score > 0, rng.random(50) < 0.5],
            p_wrong=np.r_[p, rng.random(50)],
            count=99.0,
        )
        assert more == plain
    bins = reliability_bins(np.r_[wrong.astype(int), -np.ones(50, int)], np.r_[p, rng.random(50)])
    assert bins == reliability_bins(wrong, p)


def test_the_order_of_units_does_not_matter():
    wrong, score = example(levels=2)
    p = np.round(1 / (1 + np.exp(-score)), 1)
    order = np.random.default_rng(0).permutation(len(wrong))
    first = detection_metrics(wrong, score, p_wrong=p)
    second = detection_metrics(wrong[order], score[order], p_wrong=p[order])
    assert first == pytest.approx(second, abs=1e-12)
    assert len(reliability_bins(wrong, p)) == len(reliability_bins(wrong[order], p[order]))


def test_reliability_bins_hold_every_unit_once_and_keep_ties_together():
    wrong, score = example()
    p = np.round(1 / (1 + np.exp(-score)), 1)
    bins = reliability_bins(wrong, p)
    assert sum(row["count"] for row in bins) == len(wrong)
    assert sum(row["wrong"] for row in bins) == wrong.sum()
    claimed = [row["claimed"] for row in bins]
    assert claimed == sorted(claimed)
    constant = reliability_bins(wrong, np.full(len(wrong), 0.2))
    assert len(constant) == 1
    assert constant[0]["realised"] == pytest.approx(wrong.mean())
    assert all(row["low"] <= row["realised"] <= row["high"] for row in bins)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"is_wrong": [0, 2], "suspicion": [0, 1]}, "0, 1 \\(wrong\\) and -1"),
        ({"is_wrong": [[0, 1]], "suspicion": [0, 1]}, "vector"),
        ({"is_wrong": [0, 1], "suspicion": [0, np.nan]}, "NaN"),
        ({"is_wrong": [0, 1], "suspicion": [0]}, "Lengths differ"),
        ({"is_wrong": [0, 1], "suspicion": [0, 1], "p_wrong": [0, 1.2]}, "lie in \\[0, 1\\]"),
        ({"is_wrong": [0, 1], "suspicion": [0, 1], "flagged": [0, 3]}, "flagged"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(kwargs, message):
    with pytest.raises(InputError, match=message):
        detection_metrics(**kwargs)


def test_wilson_equals_the_root_of_its_equation():
    low, high = wilson_interval(3, 20)
    for share in (low, high):
        assert abs(3 / 20 - share) == pytest.approx(1.959964 * math.sqrt(share * (1 - share) / 20), rel=1e-5)
    with pytest.raises(InputError):
        wilson_interval(3, 2)


def test_mean_interval_equals_scipy_and_covers_as_it_says():
    from scipy import stats

    values = [0.3, 0.5, 0.9, 0.4]
    mean, low, high, n = mean_interval(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (mean, n) == (pytest.approx(np.mean(values)), 4)
    assert (low, high) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    inside = sum(
        low <= 0 <= high for _, low, high, _ in (mean_interval(rng.normal(size=5)) for _ in range(2000))
    )
    assert 0.93 < inside / 2000 < 0.97


def test_intervals_of_equal_few_or_no_values():
    assert mean_interval([0.1, 0.1, 0.1])[:3] == (0.1, 0.1, 0.1)
    assert mean_interval([]) == (None, None, None, 0)
    assert mean_interval([None, 0.5]) == (0.5, None, None, 1)
    assert bootstrap_interval([None]) == (None, None, None, 0)
    with pytest.raises(InputError, match="NaN"):
        mean_interval([float("nan"), 1.0])
    with pytest.raises(InputError, match="level"):
        mean_interval([1.0, 2.0], level=95)


def test_bootstrap_is_seeded_and_near_the_normal_interval():
    values = np.random.default_rng(0).normal(size=200)
    first, again = bootstrap_interval(values, seed=1), bootstrap_interval(values, seed=1)
    assert first == again
    assert bootstrap_interval(values, seed=2) != first
    half = 1.96 * values.std(ddof=1) / np.sqrt(200)
    assert first.low == pytest.approx(values.mean() - half, abs=0.02)
    assert first.high == pytest.approx(values.mean() + half, abs=0.02)


def test_without_suspicion_the_decision_alone_is_judged():
    truth, flagged = [1, 0, 0, 1, -1], [1, 1, 0, 0, 1]
    alone, ranked = (detection_metrics(truth, score, flagged=flagged) for score in (None, flagged))
    ranking = {name for name in alone if alone[name] is None and ranked[name] is not None}
    assert ranking == {"auroc", "average_precision", "precision_at_true_count"}
    assert all(alone[name] == ranked[name] for name in alone if name not in ranking)
