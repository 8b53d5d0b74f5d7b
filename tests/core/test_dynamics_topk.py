"""Top-k counts: against sorting, ties, the default k, and units that come back."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.dynamics_topk import TopKCounts, default_k
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


@pytest.mark.parametrize("k", [1, 3, 7, 8])
def test_counts_are_those_of_a_stable_sort(k: int) -> None:
    n, classes = 120, 8
    top, expected = TopKCounts(n, classes, k=k), np.zeros(n, dtype=int)
    labels = generator(0, "labels").integers(0, classes, n)
    for epoch in range(4):
        # Whole numbers, so that there are ties.
        z = generator(0, "logits", epoch).integers(0, 5, (n, classes)).astype(float)
        top.update(z, labels, np.arange(n))
        order = np.argsort(-z, axis=1, kind="stable")[:, :k]
        expected += (order == labels[:, None]).any(axis=1)
    np.testing.assert_array_equal(top.counts, expected)
    np.testing.assert_allclose(top.values(), expected / 4)
    assert (top.selected(2) == (expected >= 2)).all()
    if k == classes:
        assert top.selected(4).all()


def test_a_unit_left_out_comes_back_and_stays() -> None:
    top = TopKCounts(1, 2)
    kept = []
    for right in (False, False, True, False):
        top.update([[float(right), 0.5]], [0], [0])
        kept.append(bool(top.selected()[0]))
    assert kept == [False, False, True, True]


def test_a_network_that_says_nothing_puts_only_the_first_k_classes_on_top() -> None:
    top = TopKCounts(10, 10, k=2)
    top.update(np.zeros((10, 10)), np.arange(10), np.arange(10))
    assert top.selected().tolist() == [True, True] + [False] * 8


def test_k_is_scaled_to_the_number_of_classes() -> None:
    assert default_k(1211) == 90
    assert TopKCounts(1, 100).k == 7
    assert TopKCounts(1, 1).k == 1


def test_bad_input_is_refused() -> None:
    for k in (0, 4):
        with pytest.raises(InputError, match=f"k is {k}"):
            TopKCounts(2, 3, k=k)
    with pytest.raises(InputError, match="at least one class"):
        TopKCounts(2, 0)
    with pytest.raises(InputError, match="4 columns for 3 classes"):
        TopKCounts(2, 3).update(np.zeros((1, 4)), [0], [0])
    with pytest.raises(InputError, match="at_least"):
        TopKCounts(2, 3).selected(0)
