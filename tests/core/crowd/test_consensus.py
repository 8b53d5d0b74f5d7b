"""Consensus with shared confusions and hard units: on the judgements of ESC-50, on simulated ones, at the edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.crowd import CROWD, Votes
from labelnoise.core.crowd.consensus import consensus
from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.validation import InputError


def simulated(
    seed: int = 0, n: int = 600, annotators: int = 30, k: int = 6, each: int = 3
) -> tuple[Votes, NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Votes with truth, hard units and the abilities; errors go to the next class four times in five."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    hard = rng.random(n) < 0.35
    ability = rng.normal(1.5, 1.0, annotators)
    unit = np.repeat(np.arange(n), each)
    who = np.concatenate([rng.choice(annotators, each, replace=False) for _ in range(n)])
    logit = ability[who] + np.where(hard[unit], -2.5, 0.8)
    right = rng.random(len(unit)) < 1 / (1 + np.exp(-logit))
    step = np.where(rng.random(len(unit)) < 0.8, 1, rng.integers(1, k, len(unit)))
    label = np.where(right, truth[unit], (truth[unit] + step) % k)
    votes = Votes.from_arrays(unit, who, label, n_units=n, n_annotators=annotators, n_classes=k)
    return votes, truth, hard, ability


def majority(votes: Votes) -> NDArray[np.int64]:
    return votes.counts().argmax(1)


def test_the_judgements_of_esc50(real_data: Path) -> None:
    import pandas as pd

    table = pd.read_csv(real_data / "audio" / "esc50_crowd" / "annotations.csv")
    table = table.drop_duplicates(["recording", "worker_id"])  # two workers judged a clip twice, alike
    votes = Votes.from_frame(table, unit="recording", annotator="worker_id", label="prediction")
    names = table.groupby("recording")["truth"].first().reindex(list(votes.unit_names))
    truth = names.map({name: i for i, name in enumerate(votes.class_names)}).to_numpy()
    result = consensus(votes)
    wrong = result.labels != truth
    p_wrong = np.clip(1 - result.posterior.max(1), 0, 1)
    ece = detection_metrics(wrong, p_wrong, p_wrong=p_wrong)["ece"]
    chance = result.posterior[np.arange(len(truth)), truth]
    assert 1 - wrong.mean() >= 0.855
    assert ece is not None
    assert ece <= 0.035
    assert -np.log(chance).mean() <= 0.61
    assert result.converged
    # More than two percentage points above counting votes, and right where votes disagree far less often.
    assert (majority(votes) != truth).mean() - wrong.mean() > 0.03
    assert result.difficulty is not None
    assert np.corrcoef(result.difficulty, wrong)[0, 1] > 0.3


def test_finds_labels_abilities_and_hard_units() -> None:
    votes, truth, hard, ability = simulated(n=3000)
    result = consensus(votes)
    assert (result.labels == truth).mean() > (majority(votes) == truth).mean() + 0.01
    easy, difficult = (1 / (1 + np.exp(-(ability + offset))) for offset in (0.8, -2.5))
    expected = 0.65 * easy + 0.35 * difficult
    assert np.corrcoef(result.accuracy, expected)[0, 1] > 0.9
    assert np.abs(result.accuracy - expected).mean() < 0.1
    assert result.difficulty is not None
    assert result.difficulty[hard].mean() > result.difficulty[~hard].mean() + 0.1


def test_mistakes_that_all_make_alike_are_reckoned_with() -> None:
    votes, truth, _, _ = simulated(seed=1, n=2000)

    def excess(shared_error: float) -> float:
        result = consensus(votes, shared_error=shared_error)
        return float(result.posterior.max(1).mean() - (result.labels == truth).mean())

    # Four errors in five go to one class here, far more than the confusions are let: some excess stays.
    assert excess(0.03) < excess(0.0) - 0.015
    assert excess(0.03) < 0.08


@pytest.mark.parametrize("k", [2, 4])
def test_many_votes_on_units_of_every_difficulty_do_not_make_classes_collapse(k: int) -> None:
    rng = np.random.default_rng(0)
    n, annotators, each = 500, 20, 8
    truth, ease = rng.integers(0, k, n), np.exp(rng.normal(0.5, 1, n))
    ability = rng.normal(1, 1, annotators)
    unit = np.repeat(np.arange(n), each)
    who = np.concatenate([rng.choice(annotators, each, replace=False) for _ in range(n)])
    right = rng.random(len(unit)) < 1 / (1 + np.exp(-ability[who] * ease[unit]))
    label = np.where(right, truth[unit], (truth[unit] + rng.integers(1, k, len(unit))) % k)
    votes = Votes.from_arrays(unit, who, label, n_annotators=annotators, n_classes=k)
    assert (consensus(votes).labels == truth).mean() > (majority(votes) == truth).mean() - 0.01


def test_the_standard_error_of_an_accuracy_shrinks_with_votes() -> None:
    few, many = (consensus(simulated(n=n)[0]).accuracy_error for n in (150, 2400))
    assert np.median(many) < np.median(few) / 2


def test_the_order_of_units_and_annotators_does_not_matter() -> None:
    votes, _, _, _ = simulated(n=200)
    rng = np.random.default_rng(3)
    units, annotators = rng.permutation(votes.n_units), rng.permutation(votes.n_annotators)
    moved = Votes.from_arrays(
        units[votes.unit],
        annotators[votes.annotator],
        votes.label,
        n_units=votes.n_units,
        n_annotators=votes.n_annotators,
        n_classes=votes.n_classes,
    )
    first, second = consensus(votes), consensus(moved)
    np.testing.assert_allclose(second.posterior[units], first.posterior, atol=1e-9)
    np.testing.assert_allclose(second.accuracy[annotators], first.accuracy, atol=1e-9)


def test_units_and_annotators_without_votes_change_nothing() -> None:
    votes, _, _, _ = simulated(n=100)
    more = Votes.from_arrays(
        votes.unit, votes.annotator, votes.label, n_units=103, n_annotators=32, n_classes=6
    )
    first, second = consensus(votes), consensus(more)
    np.testing.assert_allclose(second.posterior[:100], first.posterior, atol=1e-12)
    assert second.labels[100:].tolist() == [-1, -1, -1]
    np.testing.assert_allclose(second.posterior[100:], 1 / 6)
    assert np.isinf(second.accuracy_error[30:]).all()
    mean = np.average(first.accuracy, weights=votes.per_annotator())
    np.testing.assert_allclose(second.accuracy[30:], mean)


def test_transitions_are_stochastic_and_lean_to_the_common_confusion() -> None:
    result = consensus(simulated()[0], confusion_strength=20)
    assert result.transitions is not None
    np.testing.assert_allclose(result.transitions.sum(2), 1)
    mean = result.transitions.mean(0)
    np.fill_diagonal(mean, 0)
    assert mean.argmax(1).tolist() == [1, 2, 3, 4, 5, 0]


@pytest.mark.parametrize("n_votes", range(1, 8))
def test_with_two_classes_agreement_is_never_turned_round(n_votes: int) -> None:
    matrix = np.zeros((40, n_votes), dtype=int)
    matrix[20:] = 1
    result = consensus(Votes.from_matrix(matrix))
    assert result.labels.tolist() == [0] * 20 + [1] * 20
    assert result.posterior[0, 0] > 0.7


def test_one_annotator_is_believed() -> None:
    labels = [0, 1, 2, 2, 1]
    result = consensus(Votes.from_matrix(np.array(labels)[:, None]))
    assert result.labels.tolist() == labels


def test_one_class_no_votes_and_nothing_at_all() -> None:
    one = consensus(Votes.from_matrix([[0, 0], [0, -1]]))
    assert one.labels.tolist() == [0, 0]
    np.testing.assert_allclose(one.posterior, 1)
    none = consensus(Votes.from_matrix([[-1, -1], [-1, -1]], n_classes=3))
    assert none.labels.tolist() == [-1, -1]
    np.testing.assert_allclose(none.posterior, 1 / 3)
    assert np.isinf(none.accuracy_error).all()
    assert np.isfinite(none.accuracy).all()
    assert consensus(Votes.from_arrays([], [], [])).posterior.shape == (0, 0)


def test_a_run_cut_short_says_so() -> None:
    result = consensus(simulated()[0], max_iter=2)
    assert not result.converged
    assert "After 2 rounds" in result.warnings[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hard_share": 1.0}, "hard_share is 1"),
        ({"shared_error": 1.5}, "shared_error is 1.5"),
        ({"strength": 0.0}, "strength is 0"),
        ({"offsets": (-1.0, 1.0)}, "offsets is"),
        ({"max_iter": 0}, "max_iter is 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        consensus(Votes.from_matrix([[0, 1]]), **options)  # type: ignore[arg-type]


def test_it_is_registered() -> None:
    assert CROWD["consensus"].load() is consensus
