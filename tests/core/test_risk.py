"""Plausible true labels by their law, and ambiguity where labels and models are in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score

from labelnoise.core.risk import ambiguity, draw_true_labels, posterior_true, regret
from labelnoise.core.transition_pairs import transition_from_pairs
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])
PRIOR3 = np.array([0.5, 0.3, 0.2])


def blobs(n, transition, prior, seed, distance=3.0):
    rng = np.random.default_rng(seed)
    k = len(prior)
    true = rng.choice(k, n, p=prior)
    x = distance * np.eye(k)[true] + rng.normal(size=(n, k))
    given = (rng.random(n)[:, None] >= np.cumsum(transition, axis=1)[true][:, :-1]).sum(axis=1)
    return x, true, given


def test_posterior_is_the_published_one_for_two_classes():
    t, prior = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0.6, 0.4])
    for g in (0, 1):
        flip = t[1 - g, g] * prior[1 - g] / ((1 - t[g, 1 - g]) * prior[g] + t[1 - g, g] * prior[1 - g])
        assert posterior_true([g], t, prior)[0, 1 - g] == pytest.approx(flip)


def test_posterior_is_the_share_among_drawn_units_and_takes_priors_per_unit():
    _, true, given = blobs(200_000, T3, PRIOR3, 0)
    found = posterior_true([0, 1, 2, -1], T3, PRIOR3)
    for g in range(3):
        shares = np.bincount(true[given == g], minlength=3) / (given == g).sum()
        np.testing.assert_allclose(found[g], shares, atol=0.01)
    np.testing.assert_allclose(found[3], PRIOR3)
    each = posterior_true([0, 1], T3, [[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(each, [found[0], [1, 0, 0]])
    # Ruled out by T and prior together: nothing is known against the given class.
    np.testing.assert_array_equal(posterior_true([0], T3, [0.0, 0.0, 1.0]), [[1, 0, 0]])
    estimate = transition_from_pairs(true[:500], given[:500])
    np.testing.assert_allclose(
        posterior_true([1], estimate), posterior_true([1], estimate.matrix, estimate.prior)
    )


def test_draws_have_the_law_and_stay_near_their_expectation():
    _, _, given = blobs(1500, T3, PRIOR3, 1)
    given[::7] = -1
    drawn = draw_true_labels(given, T3, PRIOR3, draws=400)
    assert drawn.shape == (400, 1500)
    assert (drawn[:, given < 0] == -1).all()
    law = posterior_true(given, T3, PRIOR3)
    for g in range(3):
        mine = drawn[:, given == g]
        shares = np.bincount(mine.ravel(), minlength=3) / mine.size
        expected = law[given == g][0]
        np.testing.assert_allclose(shares, expected, atol=0.01)
        wrong = (mine != g).sum(axis=1)
        mean = (given == g).sum() * (1 - expected[g])
        assert (np.abs(wrong - mean) <= 0.1 * mean + 1e-6).all()
        free = draw_true_labels(given, T3, PRIOR3, draws=400, tolerance=np.inf)[:, given == g]
        assert np.abs((free != g).sum(axis=1) - mean).max() > 0.1 * mean


def test_few_units_and_sharp_tolerances_are_still_drawn():
    drawn = draw_true_labels([0, 0, 0], [[0.9, 0.1], [0.1, 0.9]], [0.5, 0.5], draws=50, tolerance=0.0)
    assert ((drawn == 1).sum(axis=1) == 0).all()  # 0.3 are expected, 0 is the nearest count
    clean = draw_true_labels([0, 1, 1], np.eye(2), [0.5, 0.5], draws=5)
    assert (clean == [0, 1, 1]).all()


def test_same_seed_same_draws_and_other_classes_do_not_matter():
    first = draw_true_labels([0, 1, 0, 1] * 30, T3, PRIOR3, draws=5, seed=4)
    np.testing.assert_array_equal(first, draw_true_labels([0, 1, 0, 1] * 30, T3, PRIOR3, draws=5, seed=4))
    # A class's units are drawn from its own stream.
    masked = draw_true_labels([0, -1, 0, -1] * 30, T3, PRIOR3, draws=5, seed=4)
    np.testing.assert_array_equal(masked[:, ::2], first[:, ::2])


@pytest.mark.parametrize(
    ("transition", "prior"),
    [(np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0.6, 0.4])), (T3, PRIOR3)],
    ids=["two classes", "three classes"],
)
def test_ambiguity_ranks_regret_and_is_high_where_labels_contradict(transition, prior):
    aurocs = []
    for seed in range(3):
        x, true, given = blobs(600, transition, prior, seed)
        answer = ambiguity(LogisticRegression(), x, given, transition, prior, draws=25, seed=seed)
        assert ((answer.ambiguity >= 0) & (answer.ambiguity <= 1)).all()
        predicted = LogisticRegression().fit(x, given).predict(x)
        aurocs.append(roc_auc_score(regret(predicted, given, true), answer.ambiguity))
    assert min(aurocs) > 0.6
    assert np.mean(aurocs) > 0.75


def test_units_near_the_boundary_are_more_ambiguous():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (800, 1))
    true = (rng.random(800) < 1 / (1 + np.exp(-4 * x[:, 0]))).astype(int)
    given = np.where(rng.random(800) < 0.2, 1 - true, true)
    noise, prior = np.array([[0.8, 0.2], [0.2, 0.8]]), [0.5, 0.5]
    answer = ambiguity(LogisticRegression(), x, given, noise, prior, draws=40)
    near, far = np.abs(x[:, 0]) < 0.3, np.abs(x[:, 0]) > 1.5
    assert answer.ambiguity[near].mean() > answer.ambiguity[far].mean() + 0.05
    assert answer.instability[near].mean() > 10 * answer.instability[far].mean()
    np.testing.assert_array_equal(answer.consensus, LogisticRegression().fit(x, given).predict(x))
    # With clean labels only the model's own misfit is left.
    clean = ambiguity(LogisticRegression(), x, true, np.eye(2), prior, draws=3)
    assert set(np.unique(clean.ambiguity)) <= {0.0, 1.0}
    assert not clean.instability.any()


def test_definition_by_a_loop_for_a_callable_and_any_classifier():
    x, _, given = blobs(120, T3, PRIOR3, 2)
    given[::10] = -1
    has = given >= 0

    def nearest_mean(features, labels):
        means = np.array([features[labels == c].mean(axis=0) for c in range(3)])
        return lambda rows: ((rows[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)

    answer = ambiguity(nearest_mean, x, given, T3, PRIOR3, draws=8, seed=5)
    drawn = draw_true_labels(given, T3, PRIOR3, draws=8, seed=5)
    missed = np.mean([nearest_mean(x[has], row[has])(x) != row for row in drawn], axis=0)
    np.testing.assert_allclose(answer.ambiguity[has], missed[has])
    assert (answer.ambiguity[~has] == 0).all()
    # What a unit without a label looks like changes nobody else's answer.
    x[~has] = 99.0
    again = ambiguity(nearest_mean, x, given, T3, PRIOR3, draws=8, seed=5)
    np.testing.assert_array_equal(again.ambiguity, answer.ambiguity)
    assert ambiguity(RidgeClassifier(), x, given, T3, PRIOR3, draws=3).draws == 3


def test_renaming_classes_renames_the_answer():
    x, _, given = blobs(500, T3, PRIOR3, 3)
    order = np.array([2, 0, 1])
    answer = ambiguity(LogisticRegression(), x, given, T3, PRIOR3, draws=60)
    renamed = ambiguity(
        LogisticRegression(), x, np.argsort(order)[given], T3[np.ix_(order, order)], PRIOR3[order], draws=60
    )
    assert np.mean(order[renamed.consensus] == answer.consensus) > 0.98
    assert np.abs(renamed.ambiguity - answer.ambiguity).mean() < 0.06


def test_regret_by_its_formula():
    rng = np.random.default_rng(0)
    f, g, y = rng.integers(0, 3, (3, 50))
    expected = np.abs((f != y).astype(int) - (f != g).astype(int)) == 1
    np.testing.assert_array_equal(regret(f, g, y), expected)
    assert not regret([0], [-1], [1]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": None}, "prior is missing"),
        ({"prior": [0.5, 0.3, 0.2]}, "prior has shape"),
        ({"prior": [0.5, 0.9]}, "sums to"),
        ({"labels": [0, 2]}, "class id 2"),
        ({"labels": [0]}, "Lengths differ"),
        ({"labels": [-1, -1]}, "No unit is labelled"),
        ({"draws": 0}, "draws is 0"),
        ({"tolerance": -1.0}, "tolerance is -1"),
        ({"fit": 3}, "fit is int"),
        ({"fit": lambda x, y: 3}, "returned int"),
        ({"fit": lambda x, y: lambda rows: [0]}, "1 predictions for 2 units"),
        ({"fit": lambda x, y: lambda rows: [0, 5]}, "class id 5"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(change, message):
    arguments = {
        "fit": lambda x, y: lambda rows: np.zeros(len(rows), dtype=int),
        "features": np.zeros((2, 1)),
        "labels": [0, 1],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
        "prior": [0.5, 0.5],
        "draws": 3,
        **change,
    }
    with pytest.raises(InputError, match=message):
        ambiguity(**arguments)


def test_a_draw_that_is_never_accepted_is_refused():
    with pytest.raises(InputError, match="raise tolerance"):
        draw_true_labels(
            [0] * 400_000, [[0.5, 0.5], [0.5, 0.5]], [0.5, 0.5], tolerance=0.0, draws=1, max_tries=1
        )
