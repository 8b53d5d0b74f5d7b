"""Held-out ridge predictions against refitting from scratch without the held-out targets."""

import numpy as np
import pytest

from labelnoise.core.experts import RidgeExpert, choose_ridge
from labelnoise.core.validation import InputError


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6))
    labels = rng.integers(0, 3, 40)
    return features, np.eye(3)[labels], labels


def refit(features, targets, rows, lam, mean):
    part = features[rows]
    coefficients = np.linalg.solve(
        part.T @ part + lam * np.eye(part.shape[1]), part.T @ (targets[rows] - mean)
    )
    return features @ coefficients + mean


def test_leave_one_out_equals_a_refit_without_the_unit(problem):
    features, targets, _ = problem
    predicted = RidgeExpert(features).leave_one_out(targets, lam=0.7)
    for i in range(len(features)):
        rows = np.delete(np.arange(len(features)), i)
        expected = refit(features, targets, rows, 0.7, targets.mean(axis=0))
        np.testing.assert_allclose(predicted[i], expected[i], atol=1e-10)


def test_leave_group_out_equals_a_refit_without_the_group(problem):
    features, targets, _ = problem
    groups = np.arange(40) % 7
    predicted = RidgeExpert(features).leave_group_out(targets, groups, lam=0.3)
    for group in range(7):
        rows = np.flatnonzero(groups != group)
        expected = refit(features, targets, rows, 0.3, targets.mean(axis=0))
        np.testing.assert_allclose(predicted[groups == group], expected[groups == group], atol=1e-10)


def test_singleton_groups_are_leave_one_out(problem):
    features, targets, _ = problem
    expert = RidgeExpert(features)
    np.testing.assert_allclose(
        expert.leave_group_out(targets, np.arange(40), lam=1.0),
        expert.leave_one_out(targets, lam=1.0),
        atol=1e-12,
    )


def test_unused_targets_change_nothing(problem):
    features, targets, _ = problem
    used = np.arange(40) % 4 != 0
    expert = RidgeExpert(features)
    other = targets.copy()
    other[~used] = 99.0
    for own in (False, True):
        first = expert.leave_one_out(targets, lam=0.5, used=used, own=own)
        np.testing.assert_array_equal(first, expert.leave_one_out(other, lam=0.5, used=used, own=own))
    rows = np.flatnonzero(used)
    expected = refit(features, targets, rows, 0.5, targets[rows].mean(axis=0))
    np.testing.assert_allclose(first[~used], expected[~used], atol=1e-10)


def test_nothing_to_learn_from_is_refused(problem):
    features, targets, _ = problem
    with pytest.raises(InputError, match="label at least a few"):
        RidgeExpert(features).leave_one_out(targets, lam=1.0, used=np.zeros(40, dtype=bool))


def test_rank_deficient_features_are_fine():
    features = np.ones((10, 4))
    predicted = RidgeExpert(features).leave_one_out(np.eye(2)[np.arange(10) % 2], lam=1.0)
    assert np.isfinite(predicted).all()


def test_noisier_labels_get_more_regularisation():
    rng = np.random.default_rng(1)
    true = rng.integers(0, 2, 300)
    features = np.c_[np.eye(2)[true] * 0.5, rng.normal(size=(300, 80))] / 3
    chosen = []
    for rate in (0.0, 0.4):
        given = np.where(rng.random(300) < rate, 1 - true, true)
        chosen.append(choose_ridge(RidgeExpert(features), np.eye(2)[given], given))
    assert chosen[1] >= chosen[0]
