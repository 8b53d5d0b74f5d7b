"""The most probable valid tags."""

from itertools import pairwise, product

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.viterbi import valid_tags


def test_tags_are_the_best_of_all_valid_sequences() -> None:
    rng = np.random.default_rng(0)
    sizes = [1, 4, 2, 3, 4]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    p = rng.dirichlet(np.full(5, 0.5), starts[-1])
    found = valid_tags(p, starts)

    def valid(tags: tuple[int, ...]) -> bool:
        return all(
            tag in (0, 1, 3) or before in (tag, tag - 1)
            for before, tag in zip((0, *tags), tags, strict=False)
        )

    for first, last in pairwise(starts):
        sequences = [tags for tags in product(range(5), repeat=int(last - first)) if valid(tags)]
        scores = [sum(np.log(p[first + i, tag]) for i, tag in enumerate(tags)) for tags in sequences]
        assert tuple(found[first:last]) == sequences[int(np.argmax(scores))]


def test_an_even_number_of_tags_is_refused() -> None:
    with pytest.raises(InputError, match="odd"):
        valid_tags(np.full((2, 2), 0.5), np.array([0, 2]))
