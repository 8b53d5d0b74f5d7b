"""Noise of a target IoU."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco_n import OPERATIONS
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import intersection_over_union
from labelnoise.segmentation.relative import relative_noise, relative_object


def blob(radius: float) -> MaskObject:
    return MaskObject.from_mask(
        np.hypot(*(np.indices((160, 160)) - 80)) <= radius, label=1, object_id=int(radius * 10)
    )


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("target", [0.9, 0.6])
def test_every_size_meets_the_target(operation: str, target: float) -> None:
    for radius, repeats in ((2.5, 60), (30, 4)):
        made = [
            intersection_over_union(
                item := blob(radius),
                relative_object(item, (160, 160), target, np.random.default_rng(s), operation),
            )
            for s in range(repeats)
        ]
        assert abs(np.mean(made) - target) < 0.02


def test_no_severity_is_no_change_and_bad_targets_are_refused() -> None:
    item = blob(5)
    assert relative_noise([item], (160, 160), 1.0, seed=0, image_id="a")[0] is item
    with pytest.raises(InputError, match="target_iou"):
        relative_noise([item], (160, 160), 0.0, seed=0, image_id="a")
