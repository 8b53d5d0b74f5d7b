"""Rows as runs: there and back, and what a damaged file may hold."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelnoise.core.review.runs import as_runs, overlap, rows_of, runs_of
from labelnoise.core.validation import InputError


@given(st.sets(st.integers(0, 60)))
def test_runs_hold_the_rows_and_no_two_touch(rows: set[int]) -> None:
    runs = runs_of(sorted(rows))
    assert rows_of(runs).tolist() == sorted(rows)
    assert all(a[0] + a[1] < b[0] for a, b in pairwise(runs))
    assert as_runs(json.loads(json.dumps(runs))) == runs
    assert overlap(runs) is None
    if rows:
        assert overlap([*runs, (max(rows), 1)]) == max(rows)


@pytest.mark.parametrize(
    "value",
    [None, 3, {}, [3], [[3]], [[3, 0]], [[-1, 2]], [[True, 1]], [["3", 1]], [[3, 2], [4, 1]], [[9, 1], [3, 1]],
     [[0, 2**63]], [[1.5, 1]]],
)  # fmt: skip
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        as_runs(value)


def test_counts_are_never_expanded_before_they_are_checked() -> None:
    assert as_runs([[0, 2**60]]) == ((0, 2**60),)
    assert rows_of(()).dtype == np.int64
