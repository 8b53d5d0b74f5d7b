"""The zero of a rising function."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core._roots import rising_root


@given(
    root=st.floats(-50, 50),
    steepness=st.floats(0.01, 30),
    below=st.floats(0.1, 500),
    above=st.floats(0.1, 500),
)
@settings(max_examples=200, deadline=None)
def test_it_finds_the_zero_of_flat_and_steep_functions(
    root: float, steepness: float, below: float, above: float
) -> None:
    calls = []

    def sigmoid(x: float) -> float:
        calls.append(x)
        return math.tanh(steepness * (x - root))

    found = rising_root(sigmoid, root - below, root + above)
    assert found == pytest.approx(root, abs=1e-9 / steepness + 1e-9)
    assert len(calls) < 150


def test_a_step_is_located() -> None:
    assert rising_root(lambda x: 1.0 if x > 0.3 else -1.0, 0.0, 1.0) == pytest.approx(0.3, abs=1e-12)


def test_without_a_crossing_the_nearer_end_is_returned() -> None:
    assert rising_root(lambda x: x + 5, 0.0, 1.0) == 0.0
    assert rising_root(lambda x: x - 5, 0.0, 1.0) == 1.0
