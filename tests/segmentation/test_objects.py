"""Objects cut to their boxes, against whole masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.objects import MaskObject, objects_from_ids, paint_classes, paint_ids


@pytest.mark.parametrize("seed", range(5))
def test_cutting_and_painting_loses_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.choice([0, 0, 3, 700, 65535], size=(9, 13)).astype(np.uint16)
    found = objects_from_ids(ids, {3: 1, 700: 2, 65535: 0})
    assert [item.object_id for item in found] == [3, 700, 65535]
    for item in found:
        assert (item.full((9, 13)) == (ids == item.object_id)).all()
        assert item.area == (ids == item.object_id).sum()
    assert (paint_ids(found, (9, 13)) == ids).all()


def test_the_smaller_object_is_seen() -> None:
    large = MaskObject.from_mask(np.ones((4, 4)), label=1, object_id=1)
    small = MaskObject.from_mask(np.ones((2, 2)), label=2, object_id=2, top=1, left=1)
    crowd = replace(small, crowd=True)
    assert (paint_classes([small, large], (4, 4))[1:3, 1:3] == 2).all()
    assert paint_ids([large, small], (4, 4)).sum() == 16 + 4
    assert (paint_classes([large, crowd], (4, 4)) == 1).all()
    assert (paint_classes([crowd], (4, 4)) == -1).sum() == 4


def test_an_empty_object() -> None:
    nothing = MaskObject.from_mask(np.zeros((3, 3)), label=1, object_id=1)
    assert nothing.area == 0
    assert not nothing.full((3, 3)).any()
    assert objects_from_ids(np.zeros((2, 2), int)) == ()


@pytest.mark.parametrize("ids", [[1, 2], [[-1]], [[0.5]]])
def test_refused_id_maps(ids: list) -> None:
    with pytest.raises(InputError, match="An id map has shape"):
        objects_from_ids(ids)
