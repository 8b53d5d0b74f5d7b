"""Early-learning curves: counted by hand, and what they say without the truth."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.dynamics_curves import EarlyLearningCurves
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

N, K = 90, 4


def test_shares_are_those_of_the_units() -> None:
    rng = generator(0, "units")
    true = rng.integers(-1, K, N)
    given = rng.integers(-1, K, N)
    curves, blind = EarlyLearningCurves(N, true=true), EarlyLearningCurves(N)
    known = given >= 0
    right, wrong = known & (given == true), known & (true >= 0) & (given != true)
    for epoch in range(3):
        z = rng.normal(size=(N, K))
        guess = z.argmax(axis=1)
        for part in np.array_split(np.arange(N), 4):
            curves.update(z[part], given[part], part)
            blind.update(z[part], given[part], part)
        curves.end_epoch()
        blind.end_epoch()
        shares = {name: values[epoch] for name, values in curves.values().items()}
        assert shares["as_given"] == pytest.approx((guess == given)[known].mean())
        assert shares["right_as_given"] == pytest.approx((guess == given)[right].mean())
        assert shares["memorised"] == pytest.approx((guess == given)[wrong].mean())
        assert shares["correct"] == pytest.approx((guess == true)[wrong].mean())
        assert shares["memorised"] + shares["correct"] + shares["wrong"] == pytest.approx(1)
    assert set(blind.values()) == {"as_given"}
    np.testing.assert_array_equal(blind.values()["as_given"], curves.values()["as_given"])
    assert curves.epochs[:, 0].tolist() == [known.sum()] * 3


def test_an_epoch_without_units_is_0_and_says_so() -> None:
    curves = EarlyLearningCurves(2, true=[0, 1])
    curves.end_epoch()
    assert all(values.tolist() == [0.0] for values in curves.values().values())
    assert curves.epochs[0, 0] == 0
    assert all(len(values) == 0 for values in EarlyLearningCurves(2).values().values())


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="true has 1"):
        EarlyLearningCurves(2, true=[0])
    curves = EarlyLearningCurves(2)
    with pytest.raises(InputError, match="not one of"):
        curves.load_state_dict({})
    with pytest.raises(InputError, match="do not fit"):
        curves.load_state_dict({**curves.state_dict(), "corrected": np.zeros(3)})
