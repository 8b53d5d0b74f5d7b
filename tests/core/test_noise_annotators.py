"""Votes of several annotators, and noise from real dissent."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.corruption import Corruption
from labelnoise.core.noise_annotators import (
    annotate,
    annotator_transitions,
    dissenting_labels,
    dissenting_workers,
)
from labelnoise.core.validation import InputError


@pytest.mark.parametrize("distribution", ["normal", "beta"])
def test_one_coin_accuracies_have_their_mean_and_spread(distribution: str) -> None:
    matrices = annotator_transitions(4000, 3, 0, distribution=distribution, mean=0.7, std=0.08)
    np.testing.assert_allclose(matrices.sum(axis=2), 1)
    accuracy = matrices[:, 0, 0]
    assert accuracy.mean() == pytest.approx(0.7, abs=0.006)
    assert accuracy.std() == pytest.approx(0.08, abs=0.004)
    for c in range(3):
        np.testing.assert_allclose(matrices[:, c, c], accuracy)
        np.testing.assert_allclose(matrices[:, c, (c + 1) % 3], (1 - accuracy) / 2)


def test_two_coins_are_independent_and_for_two_classes_only() -> None:
    matrices = annotator_transitions(4000, 2, 0, kind="two-coin")
    specificity, sensitivity = matrices[:, 0, 0], matrices[:, 1, 1]
    assert abs(np.corrcoef(specificity, sensitivity)[0, 1]) < 0.05
    with pytest.raises(InputError, match="need 2 classes, not 3"):
        annotator_transitions(2, 3, 0, kind="two-coin")


def test_bad_annotators_are_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'one-coin'"):
        annotator_transitions(2, 3, 0, kind="onecoin")
    with pytest.raises(InputError, match="at least 1"):
        annotator_transitions(0, 3, 0)
    with pytest.raises(InputError, match="Beta of mean"):
        annotator_transitions(2, 3, 0, distribution="beta", mean=0.9, std=0.4)
    with pytest.raises(InputError, match="2 classes"):
        annotator_transitions(2, 1, 0)


def test_votes_follow_each_annotators_matrix() -> None:
    true = np.random.default_rng(0).integers(0, 3, 20_000)
    matrices = annotator_transitions(4, 3, 1)
    noise = annotate(true, matrices, 2)
    assert noise.labels.shape == (20_000, 4)
    for a in range(4):
        counts = np.zeros((3, 3))
        np.add.at(counts, (true, noise.labels[:, a]), 1)
        np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), matrices[a], atol=0.02)
        assert noise.rates[f"annotator {a}"] == pytest.approx((noise.labels[:, a] != true).mean())
    wrong = noise.changed
    assert np.corrcoef(wrong.T)[0, 1] == pytest.approx(0, abs=0.03)


def test_each_unit_gets_its_number_of_votes_by_workload() -> None:
    true = np.zeros(20_000, dtype=int)
    true[::4] = -1
    noise = annotate(true, annotator_transitions(5, 2, 1), 2, n_votes=2, workload=[8, 1, 1, 1, 1])
    votes = (noise.labels >= 0).sum(axis=1)
    assert set(votes[true >= 0].tolist()) == {2}
    assert set(votes[true < 0].tolist()) == {0}
    work = (noise.labels >= 0).mean(axis=0)
    assert work[0] > 2 * work[1:].max()
    np.testing.assert_allclose(work[1:], work[1:].mean(), atol=0.02)
    assert noise.rate == pytest.approx(noise.changed.sum() / votes.sum())
    one = annotate(true, annotator_transitions(3, 2, 1), 2, n_votes=1, workload=[2, 1, 1])
    np.testing.assert_allclose((one.labels[true >= 0] >= 0).mean(axis=0), [0.5, 0.25, 0.25], atol=0.02)


def test_masked_units_change_nobody_else() -> None:
    true = np.random.default_rng(0).integers(0, 3, 300)
    masked = true.copy()
    masked[::2] = -1
    matrices = annotator_transitions(4, 3, 1)
    a, b = (annotate(y, matrices, 2, n_votes=3).labels for y in (true, masked))
    np.testing.assert_array_equal(a[1::2], b[1::2])
    assert annotate([], matrices, 0).rate == 0.0


def test_bad_votes_are_refused() -> None:
    matrices = annotator_transitions(3, 2, 0)
    with pytest.raises(InputError, match="annotators, classes, classes"):
        annotate([0], matrices[0], 0)
    with pytest.raises(InputError, match="from 1 to 3"):
        annotate([0], matrices, 0, n_votes=4)
    with pytest.raises(InputError, match="pass n_votes"):
        annotate([0], matrices, 0, workload=[1, 1, 1])
    with pytest.raises(InputError, match="one number > 0"):
        annotate([0], matrices, 0, n_votes=1, workload=[1, 1, 0])


def votes_of(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    true = np.random.default_rng(0).integers(0, 4, n)
    true[::9] = -1
    return true, annotate(true, annotator_transitions(7, 4, 1, mean=0.7), 2, n_votes=4).labels


@pytest.mark.parametrize("make", [dissenting_labels, dissenting_workers])
def test_dissent_gives_the_asked_number_of_wrong_labels_out_of_real_votes(make) -> None:  # type: ignore[no-untyped-def]
    true, votes = votes_of()
    for consensus in (true, None):
        noise, again = make(votes, 0.2, 3, consensus=consensus), make(votes, 0.2, 3, consensus=consensus)
        np.testing.assert_array_equal(noise.labels, again.labels)
        labelled = noise.labels >= 0
        assert noise.changed.sum() == round(0.2 * labelled.sum())
        assert all(noise.labels[i] in votes[i] for i in np.flatnonzero(noise.changed))
        np.testing.assert_array_equal(labelled, true >= 0)
    with pytest.raises(InputError, match="ask for at most"):
        make(votes, 0.99, 0)
    with pytest.raises(InputError, match="consensus has 2"):
        make(votes, 0.1, 0, consensus=[0, 1])
    assert make(np.zeros((0, 3)), 0.5, 0).rate == 0.0


def test_the_posterior_of_dissent_is_its_frequency() -> None:
    votes = np.array([[0, 0, 0, 1, 2], [1, 1, 1, 1, 1], [2, 2, 2, 0, 0], [1, 1, 1, 1, 0]])
    draws = np.array([dissenting_labels(votes, 0.25, seed).labels for seed in range(3000)])
    posterior = dissenting_labels(votes, 0.25, 0).posterior
    frequency = np.stack([(draws == c).mean(axis=0) for c in range(3)], axis=1)
    np.testing.assert_allclose(frequency, posterior, atol=0.03)


def test_dissenting_workers_are_few() -> None:
    true, votes = votes_of()

    def most_by_one(noise: Corruption) -> float:
        wrong = noise.changed
        return max((votes[wrong, a] == noise.labels[wrong]).mean() for a in range(7))

    few = dissenting_workers(votes, 0.1, 0, consensus=true)
    many = dissenting_labels(votes, 0.1, 0, consensus=true)
    assert most_by_one(few) > most_by_one(many) + 0.2
