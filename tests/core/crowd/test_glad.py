"""GLAD: better than counting votes where units differ in difficulty, equal to crowd-kit's, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import check_grad

from labelnoise.core.crowd import CROWD, Votes
from labelnoise.core.crowd.glad import glad
from labelnoise.core.validation import InputError

Drawn = tuple[Votes, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def drawn(seed: int = 0, n: int = 500, annotators: int = 20, k: int = 3, each: int = 5) -> Drawn:
    """Votes by the model itself, with truth, abilities and eases."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    ability, ease = rng.normal(1, 1, annotators), np.exp(rng.normal(0.5, 1, n))
    unit = np.repeat(np.arange(n), each)
    who = np.concatenate([rng.choice(annotators, each, replace=False) for _ in range(n)])
    right = rng.random(len(unit)) < 1 / (1 + np.exp(-ability[who] * ease[unit]))
    label = np.where(right, truth[unit], (truth[unit] + rng.integers(1, k, len(unit))) % k)
    votes = Votes.from_arrays(unit, who, label, n_units=n, n_annotators=annotators, n_classes=k)
    return votes, truth, ability, ease


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("each", [3, 5, 8])
def test_is_not_worse_than_the_majority(k: int, each: int) -> None:
    votes, truth, _, _ = drawn(k=k, each=each)
    result = glad(votes)
    assert (result.labels == truth).mean() >= (votes.counts().argmax(1) == truth).mean()
    assert result.converged


def test_finds_abilities_and_difficulties() -> None:
    votes, truth, ability, ease = drawn(n=1500, each=8)
    result = glad(votes)
    assert result.difficulty is not None
    assert np.corrcoef(np.log(result.difficulty), -np.log(ease))[0, 1] > 0.6
    assert np.corrcoef(result.accuracy, ability)[0, 1] > 0.8
    hits = np.bincount(votes.annotator, votes.label == truth[votes.unit])
    realised = hits / votes.per_annotator()
    assert np.corrcoef(result.accuracy, realised)[0, 1] > 0.97
    assert np.abs(result.accuracy - realised).max() < 0.1  # point estimates of the eases: too far from a half
    assert (result.accuracy_error < 0.05).all()


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_crowd_kit() -> None:
    pytest.importorskip("crowdkit")
    import pandas as pd
    from crowdkit.aggregation import GLAD

    votes, _, _, _ = drawn(seed=1, n=120, annotators=12, k=3, each=6)
    table = pd.DataFrame({"task": votes.unit, "worker": votes.annotator, "label": votes.label})
    other = GLAD(n_iter=100, tol=1e-5, silent=True).fit(table).probas_.sort_index()
    ours = glad(votes)
    assert np.abs(ours.posterior - other[[0, 1, 2]].to_numpy()).mean() < 0.005
    assert (ours.labels == other[[0, 1, 2]].to_numpy().argmax(1)).mean() > 0.98


def test_the_slope_is_that_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, _, _, _ = drawn(n=30, annotators=5, each=3)
    caught = {}

    def catch(loss, state, **options):  # type: ignore[no-untyped-def]
        caught["loss"] = loss
        return type("Found", (), {"x": state})

    monkeypatch.setattr("labelnoise.core.crowd.glad.minimize", catch)
    glad(votes, max_iter=1)
    at = np.random.default_rng(0).normal(0.5, 0.5, 35)
    assert check_grad(lambda x: caught["loss"](x)[0], lambda x: caught["loss"](x)[1], at) < 1e-4


def test_a_prior_is_used() -> None:
    votes = Votes.from_matrix([[0, 1], [0, 0], [1, 1]])
    assert glad(votes, prior=[0.9, 0.1]).labels[0] == 0
    assert glad(votes, prior=[0.1, 0.9]).labels[0] == 1


def test_nothing_is_drawn_and_order_does_not_matter() -> None:
    votes, _, _, _ = drawn(n=150)
    rng = np.random.default_rng(5)
    units, annotators = rng.permutation(votes.n_units), rng.permutation(votes.n_annotators)
    moved = Votes.from_arrays(units[votes.unit], annotators[votes.annotator], votes.label, n_classes=3)
    first, again, second = glad(votes), glad(votes), glad(moved)
    np.testing.assert_array_equal(again.posterior, first.posterior)
    # The path of L-BFGS follows the order of sums, hence the width.
    np.testing.assert_allclose(second.posterior[units], first.posterior, atol=5e-3)
    np.testing.assert_allclose(second.accuracy[annotators], first.accuracy, atol=5e-3)


def test_units_and_annotators_without_votes_get_the_prior() -> None:
    votes, _, _, _ = drawn(n=100)
    more = Votes.from_arrays(
        votes.unit, votes.annotator, votes.label, n_units=102, n_annotators=21, n_classes=3
    )
    first, second = glad(votes), glad(more)
    np.testing.assert_allclose(second.posterior[:100], first.posterior, atol=5e-3)
    assert second.labels[100:].tolist() == [-1, -1]
    np.testing.assert_allclose(second.posterior[100:], 1 / 3)
    assert second.difficulty is not None
    np.testing.assert_allclose(second.difficulty[100:], np.exp(-1))
    assert np.isinf(second.accuracy_error[20])
    assert np.isfinite(second.accuracy).all()


def test_one_annotator_one_class_no_votes() -> None:
    assert glad(Votes.from_matrix([[0], [2], [1]])).labels.tolist() == [0, 2, 1]
    one = glad(Votes.from_matrix([[0, 0], [0, -1]]))
    assert one.labels.tolist() == [0, 0]
    np.testing.assert_allclose(one.posterior, 1)
    none = glad(Votes.from_matrix([[-1], [-1]], n_classes=2))
    assert none.labels.tolist() == [-1, -1]
    np.testing.assert_allclose(none.posterior, 0.5)
    assert glad(Votes.from_arrays([], [], [])).posterior.shape == (0, 0)


def test_a_run_cut_short_says_so() -> None:
    result = glad(drawn()[0], max_iter=1)
    assert not result.converged
    assert "After 1 rounds" in result.warnings[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ability_scale": 0.0}, "ability_scale is 0"),
        ({"log_ease_mean": np.inf}, "log_ease_mean is inf"),
        ({"prior": [0.5, 0.4]}, "prior sums to 0.9"),
        ({"prior": [1.0]}, "prior has shape"),
        ({"inner_iter": 0}, "inner_iter is 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        glad(Votes.from_matrix([[0, 1]]), **options)  # type: ignore[arg-type]


def test_it_is_registered() -> None:
    assert CROWD["glad"].load() is glad
