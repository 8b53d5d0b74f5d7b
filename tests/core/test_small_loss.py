"""Small-loss selection: how many, which, per class, and the schedule of co-teaching."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.random import generator
from labelnoise.core.small_loss import keep_schedule, small_loss
from labelnoise.core.validation import InputError


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.7, 1.0])
def test_keeps_the_lowest_and_no_more(keep: float) -> None:
    losses = generator(1, "losses").exponential(size=200)
    kept = small_loss(losses, keep=keep)
    assert kept.sum() == round(keep * 200)
    if 0 < keep < 1:
        assert losses[kept].max() < losses[~kept].min()


def test_number_is_the_floor_in_exact_arithmetic() -> None:
    # 0.29 * 100 is 28.999... in floating point.
    assert small_loss(np.arange(100.0), keep=0.29).sum() == 29
    assert small_loss(np.arange(10.0), keep=0.79).sum() == 7


def test_ties_go_to_the_first() -> None:
    assert small_loss([1.0, 1.0, 1.0, 0.0], keep=0.5).tolist() == [True, False, False, True]


def test_per_class_keeps_the_share_of_hard_classes() -> None:
    rng = generator(2, "losses")
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    losses = rng.exponential(size=160) + labels * 10.0
    kept = small_loss(losses, keep=0.6, labels=labels, per_class=True)
    assert np.bincount(labels[kept]).tolist() == [60, 30, 6]
    assert np.bincount(labels[small_loss(losses, keep=0.6)], minlength=3).tolist() == [96, 0, 0]


@pytest.mark.parametrize("per_class", [True, False])
def test_units_without_a_label_are_not_counted(per_class: bool) -> None:
    rng = generator(3, "losses")
    losses, labels = rng.exponential(size=100), rng.integers(-1, 3, 100)
    kept = small_loss(losses, keep=0.5, labels=labels, per_class=per_class)
    known = labels >= 0
    assert not kept[~known].any()
    alone = small_loss(losses[known], keep=0.5, labels=labels[known], per_class=per_class)
    np.testing.assert_array_equal(kept[known], alone)


def test_infinite_losses_come_last() -> None:
    assert small_loss([np.inf, 1.0, 2.0], keep=0.67).tolist() == [False, True, True]


def test_schedule() -> None:
    assert keep_schedule(0, 0.45) == 1
    assert keep_schedule(10, 0.45) == keep_schedule(200, 0.45) == pytest.approx(0.55)
    assert keep_schedule(5, 0.4, exponent=2) == pytest.approx(0.9)
    assert keep_schedule(3, 0.0) == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        small_loss([np.nan], keep=0.5)
    with pytest.raises(InputError, match=r"keep is 1\.5"):
        small_loss([1.0], keep=1.5)
    with pytest.raises(InputError, match="per_class needs"):
        small_loss([1.0], keep=0.5, per_class=True)
    with pytest.raises(InputError, match="Lengths differ"):
        small_loss([1.0], keep=0.5, labels=[0, 1])
    with pytest.raises(InputError, match="vector"):
        small_loss([[1.0]], keep=0.5)
    for options in ({"epoch": -1}, {"epoch": 1, "ramp": 0}, {"epoch": 1, "exponent": 0.0}):
        with pytest.raises(InputError):
            keep_schedule(noise_rate=0.3, **options)  # type: ignore[arg-type]
