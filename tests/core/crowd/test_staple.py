"""STAPLE over vote patterns against the same EM written unit by unit, and its edges."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.crowd import CROWD, Votes
from labelnoise.core.crowd.staple import staple
from labelnoise.core.validation import InputError


def drawn(
    seed: int = 0, n: int = 400, annotators: int = 4, k: int = 2, absent: float = 0.2
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """A matrix of votes, the truth, and the matrices from which the votes were drawn."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=np.arange(k, 0, -1) / (k * (k + 1) / 2))
    diagonal = rng.uniform(0.65, 0.95, (annotators, k))
    matrices = np.where(np.eye(k, dtype=bool), diagonal[:, :, None], (1 - diagonal[:, :, None]) / (k - 1))
    votes = np.array([[rng.choice(k, p=matrices[a, t]) for a in range(annotators)] for t in truth])
    votes[rng.random(votes.shape) < absent] = -1
    return votes, truth, matrices


def unit_by_unit(
    matrix: NDArray[np.int64], prior: NDArray[np.float64], rounds: int, start: float = 0.99999
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The EM of the paper with products over annotators and loops over units."""
    n, annotators = matrix.shape
    k = len(prior)
    theta = np.full((annotators, k, k), (1 - start) / (k - 1))
    theta[:, range(k), range(k)] = start

    def weights() -> NDArray[np.float64]:
        w = np.empty((n, k))
        for i in range(n):
            for s in range(k):
                w[i, s] = prior[s]
                for a in range(annotators):
                    if matrix[i, a] >= 0:
                        w[i, s] *= theta[a, s, matrix[i, a]]
            w[i] /= w[i].sum()
        return w

    w = weights()
    for _ in range(rounds):
        for a in range(annotators):
            cast = matrix[:, a] >= 0
            for s in range(k):
                for said in range(k):
                    theta[a, s, said] = w[matrix[:, a] == said, s].sum() / w[cast, s].sum()
        w = weights()
    return w, theta


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("given", [False, True])
def test_is_the_em_of_every_unit(k: int, given: bool) -> None:
    matrix, _, _ = drawn(k=k)
    prior = np.arange(1.0, k + 1) / (k * (k + 1) / 2)
    if not given:
        prior = np.bincount(matrix[matrix >= 0], minlength=k) / (matrix >= 0).sum()
    result = staple(Votes.from_matrix(matrix), prior=prior if given else None, max_iter=12, tol=0)
    posterior, theta = unit_by_unit(matrix, prior, 12)
    assert result.iterations == 12
    assert result.transitions is not None
    np.testing.assert_allclose(result.posterior, posterior, atol=1e-9)
    np.testing.assert_allclose(result.transitions, theta, atol=1e-9)
    np.testing.assert_allclose(result.prior, prior)


def test_finds_sensitivity_and_specificity() -> None:
    matrix, truth, matrices = drawn(n=8000, annotators=6, absent=0.0)
    result = staple(Votes.from_matrix(matrix), prior=[2 / 3, 1 / 3])
    assert result.converged
    assert result.transitions is not None
    np.testing.assert_allclose(result.transitions, matrices, atol=0.04)
    realised = (matrix == truth[:, None]).mean(0)
    np.testing.assert_allclose(result.accuracy, realised, atol=0.03)
    plurality = (matrix.mean(1) > 0.5).astype(int)
    assert (result.labels == truth).mean() > (plurality == truth).mean()


def test_both_ways_to_tell_patterns_apart_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = Votes.from_matrix(drawn(k=3, absent=0.5)[0], n_classes=3)
    packed = staple(votes)
    monkeypatch.setattr("labelnoise.core.crowd.staple._MOST_CODES", 0)
    paired = staple(votes)
    np.testing.assert_allclose(paired.posterior, packed.posterior, atol=1e-12)


def test_many_annotators_with_few_votes_each() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(300), 3)
    who = np.concatenate([rng.choice(80, 3, replace=False) for _ in range(300)])
    truth = rng.integers(0, 5, 300)
    label = np.where(rng.random(900) < 0.8, truth[unit], rng.integers(0, 5, 900))
    result = staple(Votes.from_arrays(unit, who, label, n_classes=5), smoothing=2.0, start=0.8)
    assert (result.labels == truth).mean() > 0.85


def test_the_cost_of_a_round_does_not_grow_with_the_pixels() -> None:
    matrix = np.tile(drawn(n=500, annotators=3)[0], (400, 1))
    votes = Votes.from_matrix(matrix)
    began = time.process_time()
    result = staple(votes, max_iter=200, tol=0)
    assert result.iterations == 200
    assert time.process_time() - began < 1.5  # 200 rounds over 200,000 units one by one take ten times that
    once = staple(Votes.from_matrix(matrix[:500]), max_iter=200, tol=0)
    np.testing.assert_allclose(result.posterior[:500], once.posterior, atol=1e-9)


def test_the_order_of_units_and_annotators_does_not_matter() -> None:
    matrix, _, _ = drawn(k=3)
    rng = np.random.default_rng(1)
    units, annotators = rng.permutation(len(matrix)), rng.permutation(matrix.shape[1])
    first = staple(Votes.from_matrix(matrix, n_classes=3))
    second = staple(Votes.from_matrix(matrix[units][:, annotators], n_classes=3))
    np.testing.assert_allclose(second.posterior, first.posterior[units], atol=1e-6)
    np.testing.assert_allclose(second.accuracy, first.accuracy[annotators], atol=1e-6)


def test_units_and_annotators_without_votes_get_the_prior_and_change_nothing() -> None:
    matrix, _, _ = drawn(absent=0.0)
    wide = np.full((len(matrix) + 2, matrix.shape[1] + 1), -1)
    wide[1:-1, :-1] = matrix
    first, second = staple(Votes.from_matrix(matrix)), staple(Votes.from_matrix(wide))
    np.testing.assert_allclose(second.posterior[1:-1], first.posterior)
    assert second.labels[[0, -1]].tolist() == [-1, -1]
    np.testing.assert_allclose(second.posterior[[0, -1]], np.tile(first.prior, (2, 1)))
    assert np.isinf(second.accuracy_error[-1])
    assert np.isfinite(second.accuracy).all()


def test_one_annotator_one_class_no_votes() -> None:
    alone = staple(Votes.from_matrix([[0], [1], [1]]))
    assert alone.labels.tolist() == [0, 1, 1]
    one = staple(Votes.from_matrix([[0, 0], [0, -1]]))
    assert one.labels.tolist() == [0, 0]
    np.testing.assert_allclose(one.posterior, 1)
    none = staple(Votes.from_matrix([[-1], [-1]], n_classes=2))
    assert none.labels.tolist() == [-1, -1]
    np.testing.assert_allclose(none.posterior, 0.5)
    assert staple(Votes.from_arrays([], [], [])).posterior.shape == (0, 0)


def test_a_run_cut_short_says_so() -> None:
    result = staple(Votes.from_matrix(drawn()[0]), max_iter=1)
    assert not result.converged
    assert "After 1 rounds" in result.warnings[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": [1.0]}, "prior has shape"),
        ({"prior": [0.5, 0.2]}, "prior sums to 0.7"),
        ({"prior": [-0.5, 1.5]}, "prior has shape"),
        ({"start": 0.5}, "start is 0.5"),
        ({"smoothing": -1.0}, "smoothing is -1"),
        ({"max_iter": 0}, "max_iter is 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        staple(Votes.from_matrix([[0, 1]]), **options)  # type: ignore[arg-type]


def test_it_is_registered() -> None:
    assert CROWD["staple"].load() is staple
