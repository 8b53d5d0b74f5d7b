"""Votes of detectors and classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelnoise.core.agreement import consensus_filter, majority_filter, vote
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def test_filters_equal_a_loop_over_units() -> None:
    rng = generator(1, "votes")
    labels, predictions = rng.integers(-1, 3, 300), rng.integers(-1, 3, (5, 300))
    majority, consensus = [], []
    for given, votes in zip(labels, predictions.T):
        cast = [v for v in votes if v >= 0]
        against = [v for v in cast if v != given]
        majority.append(given >= 0 and len(against) > len(cast) / 2)
        consensus.append(given >= 0 and len(cast) > 0 and len(against) == len(cast))
    assert majority_filter(labels, predictions).tolist() == majority
    assert consensus_filter(labels, predictions).tolist() == consensus


def test_half_is_no_majority() -> None:
    assert vote(np.array([[True, True], [False, True]])).tolist() == [False, True]


def test_order_of_agreements() -> None:
    flags = generator(2, "flags").random((4, 200)) < 0.5
    strict, half, loose = (vote(flags, agreement=a) for a in ("consensus", "majority", "any"))  # type: ignore[arg-type]
    assert (strict <= half).all()
    assert (half <= loose).all()
    assert strict.sum() < half.sum() < loose.sum()


def test_one_detector_is_itself() -> None:
    flags = np.array([[True, False]])
    for agreement in ("any", "majority", "consensus"):
        assert vote(flags, agreement=agreement).tolist() == [True, False]  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", [[[0.2, 0.3]], [True], np.zeros((0, 3), bool), [[0, 1]]])
def test_bad_flags_are_refused(flags: Any) -> None:
    with pytest.raises(InputError, match="flags has shape"):
        vote(flags)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown agreement"):
        vote([[True]], agreement="all")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="predictions has shape"):
        majority_filter([0, 1], [[0]])
    with pytest.raises(InputError, match="predictions of classifier 1"):
        consensus_filter([0], [[0], [-2]])
