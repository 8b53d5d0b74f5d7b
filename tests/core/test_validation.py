"""Checks of input: what passes, and that bad entries are found wherever they are."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from labelnoise.core.validation import InputError, as_multilabel, as_probs


@pytest.mark.parametrize("row", [0, 40_000, 99_999])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "NaN or infinity"),
        (-np.inf, "NaN or infinity"),
        (1.2, "from 0.5 to 1.2"),
        (0.9, "sums to 1.4"),
    ],
)
def test_bad_probabilities_are_found_in_every_block(row: int, value: float, message: str) -> None:
    probs = np.full((100_000, 2), 0.5, dtype=np.float32)
    probs[row, 1] = value
    with pytest.raises(InputError, match=message) as caught:
        as_probs(probs)
    if value == 0.9:
        assert f"row {row} " in str(caught.value)


def test_probabilities_are_checked_without_copies() -> None:
    probs = np.full((200_000, 4), 0.25)
    tracemalloc.start()
    assert as_probs(probs) is probs
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < probs.nbytes / 5


def test_independent_columns_need_not_sum_to_one() -> None:
    assert as_probs([[0.9, 0.9]], multilabel=True).tolist() == [[0.9, 0.9]]
    for shape in ((0, 3), (3, 0), (0, 0)):
        assert as_probs(np.zeros(shape), multilabel=True).shape == shape


@pytest.mark.parametrize("kind", [bool, np.int8, np.int64, np.float64])
def test_indicator_matrices_of_every_type(kind: type) -> None:
    assert as_multilabel(np.array([[0, 1], [1, 0]], dtype=kind)).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("bad", [[[2, 0]], [[-2, 0]], [[0.5, 1.0]], [[np.nan, 1.0]], [["a", "b"]], [0, 1]])
def test_bad_indicator_matrices_are_refused(bad: Any) -> None:
    with pytest.raises(InputError):
        as_multilabel(bad)


def test_empty_indicator_matrix() -> None:
    assert as_multilabel(np.zeros((0, 4), dtype=int)).shape == (0, 4)
    assert as_multilabel(np.array([[255, 0]], dtype=np.uint8) // 255).tolist() == [[1, 0]]
