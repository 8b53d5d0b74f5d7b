"""Decisions from calibrated probabilities: each rule does what it promises on its own terms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelnoise.core.decision import decide, expected_fdr
from labelnoise.core.validation import InputError

probabilities = arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(probabilities, st.floats(0, 1))
def test_fdr_keeps_its_promise_and_is_maximal(p, level):
    flagged = decide(p, rule="fdr", fdr=level)
    assert expected_fdr(p, flagged) <= level + 1e-9
    order = np.argsort(-p, kind="stable")
    k = flagged.sum()
    if k < len(p) and p[order[k]] > 0:
        assert np.mean(1 - p[order[: k + 1]]) > level - 1e-9


@settings(max_examples=60, deadline=None)
@given(probabilities)
def test_expected_f1_is_the_best_size(p):
    flagged = decide(p)
    k = int(flagged.sum())
    ranked = np.sort(p)[::-1]
    gains = [0.0] + [2 * ranked[:j].sum() / (j + ranked.sum()) for j in range(1, len(p) + 1)]
    if ranked[0] >= 0.5:
        assert gains[k] >= max(gains) - 1e-12
    assert (p[flagged] > 0).all()


def test_expected_count_flags_as_many_as_are_expected():
    p = np.r_[np.full(10, 0.9), np.full(90, 0.05)]
    assert decide(p, rule="expected-count").sum() == 14


def test_the_most_suspicious_are_flagged():
    p = np.random.default_rng(0).random(100)
    for rule, options in {
        "top": {"top": 7},
        "fdr": {"fdr": 0.2},
        "expected-f1": {},
        "expected-count": {},
    }.items():
        flagged = decide(p, rule=rule, **options)
        assert p[flagged].min() >= p[~flagged].max()


def test_clean_data_get_no_flag():
    assert not decide(np.full(1000, 1e-5)).any()
    assert not decide(np.zeros(5)).any()
    assert decide(np.zeros(0)).shape == (0,)


def test_weak_parts_are_not_flagged_out_of_proportion():
    rng = np.random.default_rng(3)
    strata = np.r_[np.zeros(5000, dtype=int), np.ones(500, dtype=int)]
    p = np.where(
        strata == 0, rng.choice([0.97, 0.01], 5500, p=[0.1, 0.9]), rng.choice([0.6, 0.05], 5500, p=[0.3, 0.7])
    )
    plain, fair = decide(p), decide(p, strata=strata)

    def false_alarms(flagged, part):
        return (1 - p)[flagged & (strata == part)].sum() / (1 - p)[strata == part].sum()

    assert false_alarms(plain, 1) > 5 * false_alarms(plain, 0)
    assert false_alarms(fair, 1) <= false_alarms(fair, 0) + 1e-12
    np.testing.assert_array_equal(plain[strata == 0], fair[strata == 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "fdr"}, "needs the allowed share"),
        ({"rule": "fdr", "fdr": 1.5}, "must lie from 0 to 1"),
        ({"rule": "top"}, "needs the number"),
        ({"rule": "topp"}, "Did you mean 'top'"),
    ],
)
def test_bad_rules_name_the_fix(options, message):
    with pytest.raises(InputError, match=message):
        decide([0.5], **options)


def test_uncalibrated_scores_are_refused():
    with pytest.raises(InputError, match="outside"):
        decide([3.0, -1.0])
