"""SimiFeat against its definition, unit by unit and subsample by subsample."""

from __future__ import annotations

import numpy as np
import pytest

import labelnoise.core.simifeat as module
from labelnoise.core.neighbours import nearest_neighbours
from labelnoise.core.random import generator
from labelnoise.core.simifeat import posterior_of_given, simifeat_mv, simifeat_rank
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.transition_hoc import fit_hoc, triple_counts
from labelnoise.core.validation import InputError

BOTH = pytest.mark.parametrize("select", [simifeat_mv, simifeat_rank])


def noisy(n=300, classes=3, rate=0.2, spread=0.7, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 12))
    true = rng.integers(0, classes, n)
    wrong = rng.random(n) < rate
    labels = np.where(wrong, (true + 1 + rng.integers(0, classes - 1, n)) % classes, true)
    return labels, (centres[true] + spread * rng.normal(size=(n, 12))).astype(dtype), true


def votes_by_definition(labels, x, k, groups=None):
    """Sort all distances of every unit, replace its own, add up one by one, scale to length 1."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    votes = np.zeros((len(x), labels.max() + 1))
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i and (groups is None or groups[j] != groups[i])]
        near = sorted(others, key=lambda j: distance[i, j])[: k - 1]
        votes[i, labels[i]] += 1 - (2 * distance[i, near[0]] - distance[i, near[1]])
        for j in near:
            votes[i, labels[j]] += 1 - distance[i, j]
    return votes / np.linalg.norm(votes, axis=1, keepdims=True)


def flags_by_definition(select, labels, x, k, right):
    votes = votes_by_definition(labels, x, k)
    if select is simifeat_mv:
        return votes.argmax(axis=1) != labels
    flags = np.zeros(len(labels), dtype=bool)
    for c in range(labels.max() + 1):
        members = [i for i in range(len(labels)) if labels[i] == c]
        quota = int(np.floor(len(members) * min(max(1 - right[c], 0.05), 0.95)))
        for i in sorted(members, key=lambda i: -np.log(votes[i, c]), reverse=True)[:quota]:
            flags[i] = True
    return flags


def rightness(labels, x, k=10):
    fit = fit_hoc(triple_counts(labels, nearest_neighbours(x, k - 1)))
    return posterior_of_given(fit.matrix, fit.prior)


@BOTH
@pytest.mark.parametrize("k", [3, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_pass_is_the_definition(select, k, dtype):
    labels, x, _ = noisy(dtype=dtype)
    flags = select(labels, x, k=k)
    np.testing.assert_array_equal(flags, flags_by_definition(select, labels, x, k, rightness(labels, x, k)))
    assert 0 < flags.sum() < len(flags)


@BOTH
def test_subsamples_are_those_with_a_distance_matrix_each(select):
    labels, x, _ = noisy(spread=1.2)
    n, k, rounds = len(labels), 10, 7
    right = rightness(labels, x)
    flagged, judged = np.zeros(n), np.zeros(n)
    for round_ in range(rounds):
        units = np.sort(generator(5, "simifeat", round_).permutation(n)[: round(0.9 * n)])
        flagged[units] += flags_by_definition(select, labels[units], x[units], k, right)
        judged[units] += 1
    expected = (flagged + 1) / (judged + 2) > 0.5
    flags = select(labels, x, subsamples=rounds, seed=5)
    np.testing.assert_array_equal(flags, expected)
    assert (flags != select(labels, x)).any()
    np.testing.assert_array_equal(select(labels, x, subsamples=rounds, seed=5), flags)
    assert (select(labels, x, subsamples=rounds, seed=6) != flags).any()


@BOTH
@pytest.mark.parametrize("fraction", [0.3, 0.9, 1.0])
def test_lists_that_run_out_are_made_longer(select, fraction, monkeypatch):
    labels, x, _ = noisy()
    flags = select(labels, x, subsamples=5, fraction=fraction)
    made = []

    def stingy(features, k, **options):
        made.append(k)
        return nearest_neighbours(features, max(k // 3, 9) if len(made) == 1 else k, **options)

    monkeypatch.setattr(module, "nearest_neighbours", stingy)
    np.testing.assert_array_equal(select(labels, x, subsamples=5, fraction=fraction), flags)
    assert len(made) == (1 if fraction == 1.0 else 2)
    if fraction == 1.0:
        np.testing.assert_array_equal(flags, select(labels, x))


@BOTH
def test_wrong_labels_are_found(select):
    labels, x, true = noisy(1000, spread=0.3)
    wrong = labels != true
    flags = select(labels, x)
    assert 2 * (flags & wrong).sum() / (flags.sum() + wrong.sum()) > 0.9


@BOTH
@pytest.mark.parametrize("subsamples", [0, 5])
def test_units_without_a_label_change_nothing(select, subsamples):
    labels, x, _ = noisy()
    flags = select(labels, x, subsamples=subsamples)
    at = np.arange(0, 300, 6)
    masked = select(np.insert(labels, at, -1), np.insert(x, at, x[at] + 0.01, axis=0), subsamples=subsamples)
    hidden = np.insert(np.zeros(300, dtype=bool), at, True)
    np.testing.assert_array_equal(masked[~hidden], flags)
    assert not masked[hidden].any()


@BOTH
def test_the_order_of_units_and_of_classes_does_not_matter(select):
    labels, x, _ = noisy(seed=1)
    flags = select(labels, x)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(select(labels[order], x[order]), flags[order])
    np.testing.assert_array_equal(select(np.array([2, 0, 1])[labels], x), flags)


def test_groups_vote_from_outside():
    labels, x, _ = noisy(120)
    labels, x, groups = np.repeat(labels, 3), np.repeat(x, 3, axis=0), np.repeat(np.arange(120), 3)
    x = x + 1e-3 * np.random.default_rng(0).normal(size=x.shape)
    expected = votes_by_definition(labels, x, 12, groups).argmax(axis=1) != labels
    np.testing.assert_array_equal(simifeat_mv(labels, x, k=12, groups=groups), expected)
    assert expected.sum() > simifeat_mv(labels, x, k=3).sum()
    flags = simifeat_mv(labels, x, k=12, groups=groups, subsamples=3)
    assert (flags == expected).mean() > 0.9


@BOTH
def test_copies_of_a_unit_are_judged_alike(select):
    labels, x, _ = noisy(60, rate=0)
    labels, x = np.repeat(labels, 20), np.repeat(x, 20, axis=0)
    labels[0] = (labels[0] + 1) % 3
    assert select(labels, x)[0]
    assert simifeat_mv(labels, x).sum() == 1


@BOTH
def test_one_class_no_units_and_too_few(select):
    labels, x, _ = noisy(40)
    for constant in (0, 2):
        assert not select(np.full(40, constant), x).any()
    assert select([], np.empty((0, 3))).shape == (0,)
    assert not select(np.full(40, -1), x).any()
    with pytest.raises(InputError, match="9 units have a label but k is 10, the unit itself included"):
        select(labels[:9], x[:9])
    with pytest.raises(InputError, match="9 units have a label and are in a subsample but k is 10"):
        select(labels[:10], x[:10], subsamples=3)
    assert select(labels[:10], x[:10]).shape == (10,)
    with pytest.raises(InputError, match="k is 2"):
        select(labels, x, k=2)
    with pytest.raises(InputError, match="subsamples is -1"):
        select(labels, x, subsamples=-1)
    with pytest.raises(InputError, match="fraction is 2"):
        select(labels, x, subsamples=2, fraction=2)
    with pytest.raises(InputError, match="39 rows for 40 units"):
        select(labels, x[:39])


def test_too_few_outside_the_group_in_a_subsample():
    labels, x, _ = noisy(40)
    groups = np.minimum(np.arange(40), 28)  # 12 alike, 28 outside of them
    with pytest.raises(
        InputError, match="In a subsample some unit has .* possible neighbours but 27 are needed"
    ):
        simifeat_mv(labels, x, k=28, groups=groups, subsamples=5)


def test_a_known_transition_sets_the_quotas():
    labels, x, _ = noisy(600)
    matrix, prior = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.full(3, 1 / 3)
    known = TransitionEstimate(
        matrix=matrix, standard_error=np.zeros((3, 3)), method="known", n_units=600, prior=prior
    )
    flags = simifeat_rank(labels, x, transition=known)
    counts = np.bincount(labels)
    expected = [int(counts[0] * 0.05), int(counts[1] / 3 + 1e-9), int(counts[2] * 0.05)]
    assert np.bincount(labels[flags], minlength=3).tolist() == expected
    fewer = simifeat_rank(labels, x, transition=known, diagonal_scale=1.2)
    assert np.bincount(labels[fewer], minlength=3)[1] == int(counts[1] * (1 - 1.2 * 2 / 3) + 1e-9)
    assert not (fewer & ~flags).any()
    with pytest.raises(InputError, match="diagonal_scale"):
        simifeat_rank(labels, x, diagonal_scale=0)
    silent = TransitionEstimate(matrix=matrix, standard_error=np.zeros((3, 3)), method="known", n_units=600)
    with pytest.raises(InputError, match="no prior"):
        simifeat_rank(labels, x, transition=silent)
    with pytest.raises(InputError, match="has 3 classes but labels go up to 3"):
        simifeat_rank(np.append(labels, 3), np.vstack([x, x[:1]]), transition=known)
