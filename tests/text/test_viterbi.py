"""The most probable valid tags."""

from itertools import pairwise, product

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.embedded import news
from labelnoise.text.schemes import repair
from labelnoise.text.viterbi import best_tags


def test_tags_are_the_best_of_all_valid_sequences() -> None:
    rng = np.random.default_rng(0)
    sizes = [1, 4, 2, 3, 4]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    p = rng.dirichlet(np.full(5, 0.5), starts[-1])
    found = best_tags(p, starts)

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
        best_tags(np.full((2, 2), 0.5), np.array([0, 2]))


@pytest.mark.parametrize("starts", [[0, 1], [1, 2], [0, 0, 2], []])
def test_starts_that_do_not_span_the_rows_are_refused(starts: list[int]) -> None:
    with pytest.raises(InputError, match="starts must rise"):
        best_tags(np.full((2, 3), 0.3), np.array(starts, dtype=int))


def test_valid_tokenwise_tags_stay() -> None:
    data = news()
    probs = np.full((data.n_units, data.n_classes), 0.05)
    valid = repair(data.given, starts=data.starts)
    probs[np.arange(data.n_units), valid] = 0.9
    assert (best_tags(probs, data.starts) == valid).all()
