from __future__ import annotations

import itertools

import numpy as np
import pytest

from labelnoise.core.crowd.majority import majority_is_optimal, majority_vote
from labelnoise.core.crowd.votes import Votes
from labelnoise.core.validation import InputError


def oracle_agrees(sens: np.ndarray, spec: np.ndarray, prior: float) -> bool:
    """Whether the majority has the largest posterior for every one of the 2^n patterns (ties count as yes)."""
    for pattern in itertools.product((0, 1), repeat=len(sens)):
        v = np.array(pattern)
        one = np.log(prior) + np.log(np.where(v, sens, 1 - sens)).sum()
        zero = np.log(1 - prior) + np.log(np.where(v, 1 - spec, spec)).sum()
        gain = one - zero if v.sum() * 2 > len(v) else zero - one
        if gain < -1e-12:
            return False
    return True


@pytest.mark.parametrize("n", [1, 3, 5])
def test_one_coin_certificate_equals_the_oracle(n: int) -> None:
    seen = set()
    for p, prior in itertools.product((0.3, 0.5, 0.55, 0.7, 0.9), (0.1, 0.3, 0.5, 0.6, 0.7, 0.95)):
        certificate = majority_is_optimal(reliability=p, prior=prior, n_votes=n)
        assert certificate.optimal == oracle_agrees(np.full(n, p), np.full(n, p), prior), (p, prior)
        assert certificate.optimal == (p >= max(prior, 1 - prior) - 1e-12)
        seen.add(certificate.optimal)
    assert seen == {True, False}


@pytest.mark.parametrize("n", [1, 3, 5])
def test_two_coin_certificate_equals_the_oracle(n: int) -> None:
    seen = set()
    grid = (0.2, 0.45, 0.6, 0.8, 0.95)
    for a, b, prior in itertools.product(grid, grid, (0.15, 0.5, 0.7)):
        certificate = majority_is_optimal(reliability=a, specificity=b, prior=prior, n_votes=n)
        assert certificate.optimal == oracle_agrees(np.full(n, a), np.full(n, b), prior), (a, b, prior)
        seen.add(certificate.optimal)
    assert seen == {True, False}


@pytest.mark.parametrize("two_coin", [False, True])
def test_certificate_of_different_annotators_equals_the_oracle(two_coin: bool) -> None:
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(300):
        n = int(rng.choice([3, 5, 7]))
        sens = rng.uniform(0.25 if rng.random() < 0.3 else 0.6, 0.9, n)
        spec = rng.uniform(0.6, 0.9, n) if two_coin else sens
        prior = float(rng.uniform(0.3, 0.7))
        certificate = majority_is_optimal(
            reliability=sens, specificity=spec if two_coin else None, prior=prior
        )
        assert certificate.optimal == oracle_agrees(sens, spec, prior)
        answers.append(certificate.optimal)
    assert 10 < sum(answers) < 290


def test_the_margin_is_the_least_log_odds_for_the_majority() -> None:
    certificate = majority_is_optimal(reliability=0.8, prior=0.6, n_votes=3)
    assert certificate.margin == pytest.approx(np.log(4) - np.log(1.5))
    assert "3 equal one-coin annotators" in certificate.condition


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reliability": 0.7}, "n_votes is missing"),
        ({"reliability": 0.7, "n_votes": 4}, "odd"),
        ({"reliability": 1.0, "n_votes": 3}, "strictly between"),
        ({"reliability": 0.7, "prior": float("nan"), "n_votes": 3}, "strictly between"),
        ({"reliability": [0.7, 0.8, 0.9], "n_votes": 5}, "as many"),
        ({"reliability": [0.7, 0.8, 0.9], "specificity": [0.7] * 5}, "shapes"),
    ],
)
def test_what_cannot_be_certified_is_said(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        majority_is_optimal(**options)


def test_shares_and_labels_equal_a_count_by_hand() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.integers(-1, 4, (200, 7))
    result = majority_vote(Votes.from_matrix(matrix, n_classes=4))
    for row, share, label in zip(matrix, result.posterior, result.labels):
        counts = np.bincount(row[row >= 0], minlength=4)
        assert np.allclose(share, counts / counts.sum())
        assert counts[label] == counts.max()


def test_ties_are_drawn_fairly_and_by_the_seed() -> None:
    votes = Votes.from_matrix(np.tile([0, 1, 2], (3000, 1)))
    first, again, other = (majority_vote(votes, seed=seed).labels for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).mean() == pytest.approx(2 / 3, abs=0.05)
    assert np.bincount(first) / 3000 == pytest.approx(np.full(3, 1 / 3), abs=0.04)


def test_nothing_hangs_on_the_order_of_units_and_annotators() -> None:
    rng = np.random.default_rng(2)
    matrix = rng.integers(0, 3, (60, 5))
    units, annotators = rng.permutation(60), rng.permutation(5)
    plain = majority_vote(Votes.from_matrix(matrix, n_classes=3))
    moved = majority_vote(Votes.from_matrix(matrix[units][:, annotators], n_classes=3))
    assert np.allclose(moved.posterior, plain.posterior[units])
    assert np.allclose(moved.accuracy, plain.accuracy[annotators])


def test_units_without_votes_no_votes_one_annotator_one_class() -> None:
    silent = majority_vote(Votes.from_matrix([[0, 0, 1], [-1, -1, -1]]))
    assert silent.labels.tolist() == [0, -1]
    assert np.allclose(silent.posterior[1], silent.prior)
    nothing = majority_vote(Votes.from_arrays([], [], [], n_units=2, n_annotators=1, n_classes=4))
    assert nothing.labels.tolist() == [-1, -1]
    assert nothing.posterior == pytest.approx(0.25)
    assert np.isinf(nothing.accuracy_error).all()
    assert "no votes" in nothing.warnings[0]
    assert majority_vote(Votes.from_arrays([], [], [])).labels.shape == (0,)
    one = majority_vote(Votes.from_matrix([[0], [1], [1]]))
    assert one.labels.tolist() == [0, 1, 1]
    assert any("two votes" in warning for warning in one.warnings)
    assert majority_vote(Votes.from_matrix([[0, 0]])).posterior.tolist() == [[1.0]]


def test_warnings_for_few_votes_and_separate_groups() -> None:
    block = np.zeros((12, 4), dtype=int) - 1
    block[:6, :2] = 0
    block[6:, 2:] = 1
    apart = majority_vote(Votes.from_matrix(block)).warnings
    assert len(apart) == 1
    assert "2 groups" in apart[0]
    block[5, 2] = 0
    assert majority_vote(Votes.from_matrix(block)).warnings == ()
    few = majority_vote(Votes.from_matrix(block[4:8])).warnings
    assert "4 of 4 annotators" in few[0]
