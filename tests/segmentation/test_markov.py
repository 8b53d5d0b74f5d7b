"""Wandering boundaries."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.markov import markov_boundary, markov_mask

SQUARE = np.pad(np.ones((50, 50), dtype=bool), 30)


def area(expand: float) -> float:
    return float(
        np.mean([markov_mask(SQUARE, 60, np.random.default_rng(s), expand=expand).sum() for s in range(6)])
    )


def test_expansion_is_biased_and_one_half_is_not() -> None:
    assert area(0.2) < 2300 < 2700 < area(0.8)
    assert abs(area(0.5) - 2500) < 150


def test_edges_labels_and_empty_masks() -> None:
    labels = np.zeros((60, 60), dtype=np.int8)
    labels[:30], labels[40:, 40:] = 1, -1
    made = markov_boundary(labels, 40, seed=0, image_id="a")
    assert ((made == -1) == (labels == -1)).all()
    assert (made[:15] == 1).mean() > 0.99
    assert not markov_boundary(np.zeros((5, 5), int), 9, seed=0, image_id="a").any()
    with pytest.raises(InputError, match="probabilities"):
        markov_mask(SQUARE, 3, np.random.default_rng(0), flip=2)
