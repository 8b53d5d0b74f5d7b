"""Coarse polygons."""

from __future__ import annotations

import numpy as np

from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.polygons import coarse_polygon


def test_a_rectangle_stays_and_a_disc_does_not() -> None:
    square = MaskObject.from_mask(np.ones((20, 30)), label=1, object_id=1)
    assert coarse_polygon(square, (40, 40), 0.1).area == 600
    dot = MaskObject.from_mask([[1]], label=1, object_id=1)
    assert coarse_polygon(dot, (40, 40), 0.5).area == 1
    disc = MaskObject.from_mask(np.hypot(*(np.indices((40, 40)) - 20)) < 15, label=1, object_id=1)
    assert coarse_polygon(disc, (40, 40), 0.1).area < disc.area
