"""Generated scenes: reproducible, with the truth as it is said to be."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.embedded import scenes


def test_the_truth_is_planted_exactly() -> None:
    data = scenes(20, seed=3, wrong_objects=0.2)
    assert data.objects is not None
    assert data.true_objects is not None
    pairs = [(a, b) for one, other in zip(data.objects, data.true_objects) for a, b in zip(one, other)]
    assert sum(a.label != b.label for a, b in pairs) == round(0.2 * len(pairs))
    assert all((a.packed == b.packed).all() and a.box == b.box for a, b in pairs)
    assert data.is_wrong is not None
    assert data.is_wrong.sum() == sum(a.area for a, b in pairs if a.label != b.label)
    assert min(a.label for a, _ in pairs) >= 1


def test_objects_do_not_overlap_and_all_classes_occur() -> None:
    data = scenes()
    assert data.true_objects is not None
    for i, row in enumerate(data.true_objects):
        assert sum(item.area for item in row) == (data.true_mask(i) > 0).sum()
    assert set(np.unique(data.true)) == set(range(5))


def test_a_longer_set_starts_alike_and_seeds_differ() -> None:
    few, many, other = scenes(3, wrong_objects=0), scenes(6, wrong_objects=0), scenes(3, seed=1)
    assert few.images is not None
    assert many.images is not None
    assert (few.given == many.given[: few.n_units]).all()
    assert all((few.images[i] == many.images[i]).all() for i in range(3))
    assert few.content_hash() != other.content_hash()
    assert scenes(3, seed=1).content_hash() == other.content_hash()


@pytest.mark.parametrize("arguments", [{"n_images": 0}, {"size": 10}, {"wrong_objects": 0.9}])
def test_refusals(arguments: dict) -> None:
    with pytest.raises(InputError):
        scenes(**arguments)
