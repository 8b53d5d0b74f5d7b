from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.crowd.majority import majority_vote
from labelnoise.core.crowd.one_coin import one_coin
from labelnoise.core.crowd.votes import Votes
from labelnoise.core.noise_annotators import annotate, annotator_transitions
from labelnoise.core.validation import InputError


def crowd(
    n: int = 1500, k: int = 4, annotators: int = 20, per_unit: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, votes (n, A), accuracies (A,)."""
    true = np.random.default_rng(seed).integers(0, k, n)
    transitions = annotator_transitions(annotators, k, seed, mean=0.65, std=0.2)
    return true, annotate(true, transitions, seed, n_votes=per_unit).labels, transitions[:, 0, 0]


def by_hand(matrix: np.ndarray, k: int, strength: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The same EM as plain loops over units and annotators."""
    shares = np.array([np.bincount(row[row >= 0], minlength=k) for row in matrix], dtype=float)
    q = shares / shares.sum(axis=1, keepdims=True)

    def accuracies() -> np.ndarray:
        right, cast = np.zeros(matrix.shape[1]), (matrix >= 0).sum(axis=0)
        for (i, a), vote in np.ndenumerate(matrix):
            right[a] += q[i, vote] if vote >= 0 else 0.0
        return (right + strength * right.sum() / cast.sum()) / (cast + strength)

    for _ in range(rounds):
        accuracy = accuracies()
        for i, row in enumerate(matrix):
            p = np.ones(k)
            for a, vote in enumerate(row):
                if vote >= 0:
                    p *= [accuracy[a] if c == vote else (1 - accuracy[a]) / (k - 1) for c in range(k)]
            q[i] = p / p.sum()
    return q, accuracies()


@pytest.mark.parametrize("strength", [0.0, 16.0])
@pytest.mark.parametrize("rounds", [1, 6])
def test_equals_plain_loops(strength: float, rounds: int) -> None:
    matrix = crowd(n=80, annotators=8)[1]
    result = one_coin(Votes.from_matrix(matrix), strength=strength, iterations=rounds, tol=0)
    q, accuracy = by_hand(matrix, 4, strength, rounds)
    assert np.allclose(result.posterior, q, atol=1e-8)
    assert np.allclose(result.accuracy, accuracy, atol=1e-8)
    assert result.iterations == rounds


def test_recovers_accuracies_and_beats_the_majority() -> None:
    true, matrix, accuracy = crowd(n=4000)
    votes = Votes.from_matrix(matrix)
    result = one_coin(votes)
    assert result.converged
    assert np.abs(result.accuracy - accuracy).max() < 0.06
    assert (result.labels == true).mean() > (majority_vote(votes).labels == true).mean() + 0.03


def test_errors_cover_the_accuracies_of_annotators_with_few_votes() -> None:
    # Many votes by good annotators pin the truth; the annotators looked at cast 20 votes each.
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 800)
    accuracy = np.r_[np.full(5, 0.9), rng.beta(12, 4, 40)]
    transitions = accuracy[:, None, None] * np.eye(3) + (1 - accuracy)[:, None, None] * (1 - np.eye(3)) / 2
    matrix = annotate(true, transitions, 0).labels
    for a in range(5, 45):
        matrix[np.arange(800) // 20 != a - 5, a] = -1
    result = one_coin(Votes.from_matrix(matrix))
    z = (result.accuracy - accuracy)[5:] / result.accuracy_error[5:]
    assert 0.8 < (np.abs(z) < 2).mean() <= 1.0
    raw = one_coin(Votes.from_matrix(matrix), strength=0)
    miss = np.abs(result.accuracy - accuracy)[5:].mean()
    assert miss < np.abs(raw.accuracy - accuracy)[5:].mean()


def test_shrinkage_keeps_confidence_honest_where_annotators_have_few_votes() -> None:
    true, matrix, _ = crowd(n=1000, annotators=300)
    votes = Votes.from_matrix(matrix)
    plain, shrunk = one_coin(votes, strength=0), one_coin(votes)

    def excess(result: object) -> float:
        return float(result.posterior.max(axis=1).mean() - (result.labels == true).mean())

    assert abs(excess(shrunk)) < abs(excess(plain)) - 0.03
    assert (shrunk.labels == true).mean() > (plain.labels == true).mean() + 0.02


def test_an_estimated_prior_follows_the_classes() -> None:
    rng = np.random.default_rng(0)
    true = (rng.random(3000) < 0.1).astype(int)
    votes = Votes.from_matrix(annotate(true, annotator_transitions(10, 2, 0), 0, n_votes=3).labels)
    flat, estimated = one_coin(votes), one_coin(votes, class_prior="estimated")
    assert flat.prior.tolist() == [0.5, 0.5]
    assert estimated.prior[1] == pytest.approx(0.1, abs=0.04)
    assert (estimated.labels == true).mean() > (flat.labels == true).mean()


def test_nothing_hangs_on_the_order_of_units_annotators_and_classes() -> None:
    _, matrix, _ = crowd(n=200)
    rng = np.random.default_rng(3)
    units, annotators, classes = rng.permutation(200), rng.permutation(20), rng.permutation(4)
    plain = one_coin(Votes.from_matrix(matrix))
    renamed = np.where(matrix >= 0, classes[matrix], -1)
    moved = one_coin(Votes.from_matrix(renamed[units][:, annotators]))
    assert np.allclose(moved.posterior[:, classes], plain.posterior[units], atol=1e-8)
    assert np.allclose(moved.accuracy, plain.accuracy[annotators])


def test_silent_units_and_annotators_change_nothing_else() -> None:
    _, matrix, _ = crowd(n=100)
    wide = np.full((103, 21), -1)
    wide[:100, :20] = matrix
    for strength in (0.0, 16.0):
        plain = one_coin(Votes.from_matrix(matrix), strength=strength)
        more = one_coin(Votes.from_matrix(wide, n_classes=4), strength=strength)
        assert np.allclose(more.posterior[:100], plain.posterior)
        assert more.labels[100:].tolist() == [-1] * 3
        assert np.allclose(more.posterior[100:], more.prior)
        assert np.isinf(more.accuracy_error[20])
        assert np.isfinite(more.accuracy).all()


def test_no_votes_one_annotator_one_class() -> None:
    nothing = one_coin(Votes.from_arrays([], [], [], n_units=2, n_annotators=3, n_classes=2))
    assert nothing.labels.tolist() == [-1, -1]
    assert nothing.posterior == pytest.approx(0.5)
    one = one_coin(Votes.from_matrix([[0], [1], [1]]))
    assert one.labels.tolist() == [0, 1, 1]
    assert any("two votes" in warning for warning in one.warnings)
    single = one_coin(Votes.from_matrix([[0, 0], [0, -1]]))
    assert single.posterior.tolist() == [[1.0], [1.0]]
    assert single.labels.tolist() == [0, 0]


def test_the_seed_decides_ties_alone() -> None:
    votes = Votes.from_matrix(np.tile([[0, 1], [1, 0]], (200, 1)))
    first, again, other = (one_coin(votes, seed=seed) for seed in (0, 0, 1))
    assert (first.labels == again.labels).all()
    assert (first.posterior == other.posterior).all()
    assert (first.labels != other.labels).any()


@pytest.mark.parametrize(
    "options", [{"strength": -1}, {"class_prior": "flat"}, {"iterations": 0}, {"tol": float("nan")}]
)
def test_settings_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(InputError):
        one_coin(Votes.from_matrix([[0, 1]]), **options)
