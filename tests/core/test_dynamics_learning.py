"""First k-epoch learning, streaks and forgetting, against their definitions on whole histories."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from labelnoise.core.dynamics_learning import CorrectStreak, FirstLearning, ForgettingEvents, first_learned
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

EPOCHS, N = 12, 300
#: Whether each unit came in each epoch, and whether it was predicted as given.
CAME = generator(0, "came").random((EPOCHS, N)) < 0.8
RIGHT = generator(0, "right").random((EPOCHS, N)) < 0.6


def replay(statistic: Any, right: Any = RIGHT, came: Any = CAME) -> Any:
    for epoch in range(len(right)):
        ids = np.flatnonzero(came[epoch])
        statistic.update(
            np.c_[right[epoch, ids], ~right[epoch, ids]].astype(float), np.zeros(len(ids), int), ids
        )
        statistic.end_epoch()
    return statistic


def history(unit: int) -> tuple[list[int], list[bool]]:
    epochs = np.flatnonzero(CAME[:, unit]).tolist()
    return epochs, RIGHT[epochs, unit].tolist()


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_first_learning_is_the_first_row_of_k(k: int) -> None:
    first = replay(FirstLearning(N, k=k)).first
    for unit in range(N):
        epochs, right = history(unit)
        ends = [epochs[i] for i in range(k - 1, len(right)) if all(right[i - k + 1 : i + 1])]
        assert first[unit] == (ends[0] if ends else -1)


def test_the_epoch_that_has_just_ended_counts() -> None:
    learning = FirstLearning(1, k=2)
    for expected in (-1, 1):
        learning.update([[1.0, 0.0]], [0], [0])
        learning.end_epoch()
        assert learning.first.tolist() == [expected]
    assert learning.learned.all()


def test_warmup_epochs_do_not_count() -> None:
    late = replay(FirstLearning(N, k=2, warmup=4))
    shifted = replay(FirstLearning(N, k=2), RIGHT[4:], CAME[4:])
    np.testing.assert_array_equal(late.first, np.where(shifted.first < 0, -1, shifted.first + 4))


def test_first_learned_epoch_stays() -> None:
    right = np.array([[True], [False], [True], [True]])
    learning = replay(FirstLearning(1), right, np.ones_like(right))
    assert learning.first.tolist() == [0]
    assert learning.run.tolist() == [2]


def test_values_put_units_not_learnt_last() -> None:
    learning = replay(FirstLearning(N, k=4))
    assert not learning.learned.all()
    assert (learning.values()[~learning.learned] == EPOCHS).all()
    assert learning.values()[learning.learned].max() < EPOCHS


def test_late_stopping_selects_who_was_learnt_first() -> None:
    first = replay(FirstLearning(N, k=3)).first
    for target in (0, 1, 50, 120, N):
        kept = first_learned(first, target)
        assert kept.sum() >= min(target, (first >= 0).sum())
        assert not kept[first < 0].any()
        if 0 < target <= (first >= 0).sum():
            last = first[kept].max()
            assert (first[~kept & (first >= 0)] > last).all()
            assert (first[kept] < last).sum() < target
    assert first_learned([], 3).tolist() == []
    assert first_learned([-1, -1], 2).tolist() == [False, False]


def test_streaks_are_the_present_and_the_longest_run() -> None:
    streak = replay(CorrectStreak(N))
    for unit in range(N):
        runs = [0]
        for right in history(unit)[1]:
            runs.append(runs[-1] + 1 if right else 0)
        assert streak.run[unit] == runs[-1]
        assert streak.longest[unit] == max(runs)


def test_forgetting_is_right_and_then_wrong() -> None:
    forgetting = replay(ForgettingEvents(N))
    for unit in range(N):
        right = history(unit)[1]
        assert forgetting.events[unit] == sum(a and not b for a, b in pairwise(right))
        assert forgetting.ever[unit] == any(right)
        assert forgetting.visits[unit] == len(right)
    hopeless = replay(ForgettingEvents(1), np.zeros((5, 1), bool), np.ones((5, 1), bool))
    assert hopeless.values().tolist() == [5.0]


@pytest.mark.parametrize("kind", [FirstLearning, CorrectStreak, ForgettingEvents])
def test_a_unit_is_right_in_an_epoch_if_it_was_each_time(kind: Any) -> None:
    twice, once = kind(2), kind(2)
    for rights, one in (((True, True), True), ((True, False), False), ((False, True), False)):
        for right in rights:
            twice.update([[right, not right]], [0], [1])
        once.update([[one, not one]], [0], [1])
        twice.end_epoch()
        once.end_epoch()
    assert all(np.array_equal(twice.state_dict()[key], value) for key, value in once.state_dict().items())


def test_of_equal_logits_the_first_class_is_predicted() -> None:
    learning = FirstLearning(2)
    learning.update([[1.0, 1.0], [1.0, 1.0]], [0, 1], [0, 1])
    learning.end_epoch()
    assert learning.learned.tolist() == [True, False]


def test_bad_input_is_refused() -> None:
    for options in ({"k": 0}, {"warmup": -1}):
        with pytest.raises(InputError, match="at least"):
            FirstLearning(3, **options)
    with pytest.raises(InputError, match="epochs"):
        first_learned([0.5], 1)
    with pytest.raises(InputError, match="epochs"):
        first_learned([-2], 1)
    with pytest.raises(InputError, match="target"):
        first_learned([0], -1)
