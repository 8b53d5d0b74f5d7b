"""Organs too large or too small."""

from __future__ import annotations

import numpy as np

from labelnoise.segmentation.organ_scale import organ_scale


def test_whole_slice_goes_one_way_and_growth_takes_background_only() -> None:
    labels = np.zeros((96, 96), dtype=np.int8)
    labels[20:50, 20:50], labels[20:50, 50:80], labels[80:90, 5:9] = 1, 2, -1
    ways = set()
    for seed in range(12):
        made = organ_scale(labels, seed=seed, image_id="a")
        change = [int((made == c).sum()) - int((labels == c).sum()) for c in (1, 2)]
        assert change[0] * change[1] > 0
        assert ((made == -1) == (labels == -1)).all()
        assert not ((made == 2) & (labels == 1)).any()
        ways.add(change[0] > 0)
    assert ways == {True, False}
    assert (organ_scale(labels, 0, seed=0, image_id="a") == labels).all()
