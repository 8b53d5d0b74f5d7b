"""Cuts of groups against sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core._radix import GroupCuts, float_of_key, ordered_key


def numbers(width: int) -> Any:
    some = st.floats(-1, 1, width=width)  # type: ignore[arg-type]
    return st.one_of(some, st.sampled_from([-1.0, -0.5, -0.0, 0.0, 0.25, 1.0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_keys_are_in_the_order_of_the_floats(dtype: type, data: Any) -> None:
    width = 32 if dtype is np.float32 else 64
    values: Any = np.array(data.draw(st.lists(numbers(width), min_size=2, max_size=20)), dtype=dtype)
    keys = ordered_key(values)
    for a in range(len(values)):
        assert ((keys < keys[a]) == (values < values[a])).all()
        assert ((keys == keys[a]) == (values == values[a])).all()
    np.testing.assert_array_equal(float_of_key(keys, dtype), values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data(), held=st.sampled_from([0, 5, 1000]), counters=st.sampled_from([1, 64, 1 << 16]))
@settings(max_examples=150, deadline=None)
def test_cuts_are_those_of_sorting(dtype: type, data: Any, held: int, counters: int) -> None:
    width = 32 if dtype is np.float32 else 64
    lists = data.draw(st.lists(st.lists(numbers(width), min_size=1, max_size=25), min_size=1, max_size=5))
    groups = np.repeat(np.arange(len(lists)), [len(some) for some in lists])
    values: Any = np.concatenate(lists).astype(dtype)
    sizes = np.array([len(some) for some in lists])
    ranks = np.array([data.draw(st.integers(1, size)) for size in sizes])
    order = np.array(data.draw(st.permutations(range(len(values)))))
    groups, values = groups[order], values[order]
    cuts = GroupCuts(ranks, sizes, dtype, -1.01, 1.01, counters=counters, held=held)
    while cuts.open:
        cuts.begin()
        for some in np.array_split(np.arange(len(values)), 3):
            cuts.add(groups[some], values[some])
        cuts.end()
    for g, cut in enumerate(cuts.cuts()):
        mine = np.sort(values[groups == g])
        assert cut == mine[ranks[g] - 1]
        assert cuts.inside[g] == np.count_nonzero(mine == cut)
        assert cuts.left[g] == ranks[g] - np.count_nonzero(mine < cut)


def test_numbers_that_change_between_readings_are_noticed() -> None:
    for held in (0, 100):
        cuts = GroupCuts(np.array([2]), np.array([3]), np.float32, -1, 1, held=held)
        cuts.begin()
        cuts.add(np.array([0, 0]), np.array([0.5, 0.25], dtype=np.float32))
        with pytest.raises(ValueError, match="differ"):
            cuts.end()
