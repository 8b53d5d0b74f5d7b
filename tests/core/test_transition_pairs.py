"""T from pairs against simulation, the exact expected error against draws and against real distant labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.transition_pairs import expected_error, pairs_needed, transition_from_pairs
from labelnoise.core.validation import InputError

T3 = np.array([[0.95, 0.04, 0.01], [0.3, 0.6, 0.1], [0.0, 0.25, 0.75]])
PRIOR3 = np.array([0.9, 0.07, 0.03])


def draw(n, transition, prior, rng):
    true = rng.choice(len(prior), n, p=prior)
    return true, (rng.random(n)[:, None] >= np.cumsum(transition, axis=1)[true][:, :-1]).sum(axis=1)


def counted(true, given, k, units):
    """T of every row of ``units`` (draws, n), rows of unseen classes zero; by counting one-hot products."""
    counts = np.einsum("dni,dnj->dij", np.eye(k)[true[units]], np.eye(k)[given[units]])
    return counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)


def test_counts_prior_and_permutation_of_classes():
    true, given = draw(500, T3, PRIOR3, np.random.default_rng(0))
    estimate = transition_from_pairs(true, given)
    for i in range(3):
        for j in range(3):
            assert estimate.matrix[i, j] == pytest.approx(np.mean(given[true == i] == j))
    np.testing.assert_allclose(estimate.prior, np.bincount(true) / 500)
    order = np.array([2, 0, 1])
    swapped = transition_from_pairs(np.argsort(order)[true], np.argsort(order)[given])
    np.testing.assert_allclose(swapped.matrix, estimate.matrix[np.ix_(order, order)])
    np.testing.assert_allclose(swapped.standard_error, estimate.standard_error[np.ix_(order, order)])


def test_units_without_one_of_the_labels_change_nothing():
    true, given = draw(300, T3, PRIOR3, np.random.default_rng(1))
    more = transition_from_pairs(np.append(true, [-1, 2, -1]), np.append(given, [0, -1, -1]), 3)
    np.testing.assert_array_equal(more.matrix, transition_from_pairs(true, given, 3).matrix)
    assert more.n_units == 300


def test_a_class_without_pairs_is_said_to_be_unknown():
    estimate = transition_from_pairs([0, 0, 2], [0, 2, 2], 4)
    assert np.isinf(estimate.standard_error[[1, 3]]).all()
    assert np.isfinite(estimate.standard_error[[0, 2]]).all()
    np.testing.assert_array_equal(estimate.matrix[1], np.eye(4)[1])
    assert "class 1, 3" in estimate.warnings[0]
    assert transition_from_pairs([0, 1], [0, 1], stratified=True).prior is None


def test_errors_cover_at_their_level():
    # Also for small counts: the rarest row has about 12 pairs.
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(300):
        true, given = draw(400, T3, PRIOR3, rng)
        estimate = transition_from_pairs(true, given, 3)
        inside.append(np.abs(estimate.matrix - T3) <= 1.96 * estimate.standard_error)
    coverage = np.mean(inside, axis=0)
    assert (coverage >= 0.85).all()
    assert coverage.mean() == pytest.approx(0.96, abs=0.03)


def test_without_replacement_errors_shrink_to_nothing():
    true, given = draw(2000, T3, PRIOR3, np.random.default_rng(3))
    sizes = np.bincount(true, minlength=3)
    everything = transition_from_pairs(true, given, population=sizes)
    assert (everything.standard_error == 0).all()
    half = transition_from_pairs(true, given, population=2 * sizes)
    np.testing.assert_allclose(
        half.standard_error,
        transition_from_pairs(true, given).standard_error * np.sqrt(sizes / (2 * sizes - 1))[:, None],
    )
    np.testing.assert_allclose(half.prior, sizes / 2000)


@pytest.mark.parametrize("unseen", ["zero", "identity"])
def test_expected_error_of_variable_sampling_is_what_draws_show(unseen):
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(6000):
        true, given = draw(60, T3, PRIOR3, rng)
        counts = np.bincount(true * 3 + given, minlength=9).reshape(3, 3)
        sizes = counts.sum(axis=1, keepdims=True)
        found = np.where(sizes > 0, counts / np.maximum(sizes, 1), np.eye(3) if unseen == "identity" else 0.0)
        errors.append(((found - T3) ** 2).sum())
    exact = expected_error(T3, n=60, prior=PRIOR3, unseen=unseen)
    assert abs(np.mean(errors) - exact) < 4 * np.std(errors) / np.sqrt(len(errors))
    # The published formula alone, without the term for unseen classes, is refuted by the same draws.
    if unseen == "zero":
        published = exact - ((1 - PRIOR3) ** 60 * (T3**2).sum(axis=1)).sum()
        assert abs(np.mean(errors) - published) > 10 * np.std(errors) / np.sqrt(len(errors))


def test_expected_error_in_a_finite_population():
    rng = np.random.default_rng(5)
    true, given = draw(120, T3, np.array([0.5, 0.3, 0.2]), rng)
    whole = np.bincount(true, minlength=3)
    exactly = transition_from_pairs(true, given, 3).matrix
    units = rng.random((6000, 120)).argsort(axis=1)[:, :40]
    errors = ((counted(true, given, 3, units) - exactly) ** 2).sum(axis=(1, 2))
    expected = expected_error(exactly, n=40, population=whole)
    assert abs(errors.mean() - expected) < 4 * errors.std() / np.sqrt(len(errors))
    assert expected_error(exactly, n=40, prior=whole / 120) > 1.3 * expected
    # Fixed sampling: ten of each class.
    picked = np.hstack(
        [np.flatnonzero(true == i)[rng.random((6000, whole[i])).argsort(axis=1)[:, :10]] for i in range(3)]
    )
    errors = ((counted(true, given, 3, picked) - exactly) ** 2).sum(axis=(1, 2))
    expected = expected_error(exactly, per_class=10, population=whole)
    assert abs(errors.mean() - expected) < 4 * errors.std() / np.sqrt(len(errors))
    assert expected_error(exactly, per_class=whole, population=whole) == 0.0


def test_limits_and_large_numbers():
    assert expected_error(T3, n=0, prior=PRIOR3) == pytest.approx((T3**2).sum())
    assert expected_error(T3, per_class=0) == pytest.approx((T3**2).sum())
    assert expected_error(T3, per_class=0, unseen="identity") == pytest.approx(((T3 - np.eye(3)) ** 2).sum())
    # Far from 0 the mean of 1 / r is 1 / mean, up to (1 - pi) / (n pi)^2.
    variance = (T3 * (1 - T3)).sum(axis=1)
    assert expected_error(T3, n=10**7, prior=PRIOR3) == pytest.approx(
        (variance / (1e7 * PRIOR3)).sum(), rel=1e-4
    )
    huge = np.array([9 * 10**8, 7 * 10**7, 3 * 10**7])
    assert expected_error(T3, n=500, population=huge) == pytest.approx(
        expected_error(T3, n=500, prior=PRIOR3), rel=1e-4
    )


def test_pairs_needed_is_enough_and_one_less_is_not():
    needed = pairs_needed(T3, PRIOR3, 0.03)
    entry = np.sqrt((T3 * (1 - T3)).max(axis=1) / needed.per_class)
    assert (entry <= 0.03 + 1e-12).all()
    assert (np.sqrt((T3 * (1 - T3)).max(axis=1) / (needed.per_class - 1)) > 0.03).all()
    assert needed.variable > 3 * needed.fixed

    def worst(n):
        rng, found = np.random.default_rng(6), []
        for _ in range(400):
            true, given = draw(n, T3, PRIOR3, rng)
            found.append(transition_from_pairs(true, given, 3).matrix)
        return np.sqrt(((np.array(found) - T3) ** 2).mean(axis=0)).max()

    assert worst(needed.variable) == pytest.approx(0.03, rel=0.12)
    finite = pairs_needed(T3, PRIOR3, 0.03, population=[9000, 700, 300])
    assert finite.fixed < needed.fixed
    assert finite.variable < needed.variable
    assert pairs_needed(T3, PRIOR3, 1e-4, population=[900, 70, 30]).fixed <= 1000


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("labels", "published", "exact", "empirical"),
    [(1, 0.418, 0.496, 0.496), (4, 0.468, 0.541, 0.550), (7, 0.538, 0.601, 0.593)],
)
def test_distant_labels_of_noisyner(labels, published, exact, empirical, real_data: Path):
    """IO tags of the training part; ``empirical`` is a measurement of 500 draws, with an error of about 0.02."""
    classes = {"O": 0, "LOC": 1, "ORG": 2, "PER": 3}
    lines = (real_data / "text" / "noisyner" / f"estner_noisy_labelset{labels}.train").read_text(
        encoding="utf-8"
    )
    rows = [line.split("\t")[1:] for line in lines.splitlines() if line.count("\t") == 2]
    true, given = np.array([[classes[tag.rpartition("-")[2]] for tag in row] for row in rows]).T
    estimate = transition_from_pairs(true, given, 4)
    np.testing.assert_allclose(estimate.prior, [0.903, 0.030, 0.029, 0.038], atol=6e-4)
    found = expected_error(estimate.matrix, n=100, prior=estimate.prior)
    assert found == pytest.approx(exact, abs=6e-4)
    unseen = ((1 - estimate.prior) ** 100 * (estimate.matrix**2).sum(axis=1)).sum()
    assert found - unseen == pytest.approx(published, abs=6e-4)
    assert found == pytest.approx(empirical, abs=0.02)
    # Fixed sampling with as many units is better, since classes are rare.
    assert expected_error(estimate.matrix, per_class=25) < 0.3 * found


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transition_from_pairs([0, 1], [0]), "Lengths differ"),
        (lambda: transition_from_pairs([-1, 0], [0, -1]), "at least one pair"),
        (lambda: transition_from_pairs([0, 3], [0, 1], 2), "class id 3"),
        (lambda: transition_from_pairs([0, 1], [0, 1], population=[0, 5]), "holds 0 units of class 0"),
        (lambda: expected_error(T3), "either n"),
        (lambda: expected_error(T3, n=5, per_class=5, prior=PRIOR3), "either n"),
        (lambda: expected_error(T3, n=5), "needs prior"),
        (lambda: expected_error(T3, n=-5, prior=PRIOR3), "n is -5"),
        (lambda: expected_error(T3, n=5, prior=[0.5, 0.5]), "3 probabilities"),
        (lambda: expected_error(T3, per_class=[1, 2]), "3 whole numbers"),
        (lambda: expected_error(T3, per_class=50, population=[9, 9, 9]), "without replacement"),
        (lambda: expected_error(T3, n=5, prior=PRIOR3, unseen="nothing"), "unseen"),
        (lambda: expected_error(T3 * 2, per_class=5), "sum to 1"),
        (lambda: pairs_needed(T3, [1.0, 0.0, 0.0], 0.1), "class 1 is 0"),
        (lambda: pairs_needed(T3, PRIOR3, 0.0), "target_se"),
        (lambda: pairs_needed(T3, PRIOR3, 0.1, population=[10, 10, 10]), "disagree"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()
