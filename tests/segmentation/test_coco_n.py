"""The COCO-N noise of objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco import read_coco
from labelnoise.segmentation.coco_n import LEVELS, CocoLevel, class_noise, coco_n, coco_n_object, scale
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import intersection_over_union


def test_order_does_not_matter_and_boxes_are_tight() -> None:
    items = scenes(3).objects[2]
    made = coco_n(items, (64, 64), "hard", seed=1, image_id="a", n_classes=5)
    back = coco_n(items[::-1], (64, 64), "hard", seed=1, image_id="a", n_classes=5)[::-1]
    for a, b in zip(made, back):
        assert (a.box, a.label) == (b.box, b.label)
        assert (a.packed == b.packed).all()
        if a.area:
            assert a.mask.any(axis=1)[[0, -1]].all()
            assert a.mask.any(axis=0)[[0, -1]].all()


def test_classes_are_wrong_as_often_as_published() -> None:
    rng = np.random.default_rng(0)
    wrong = np.mean([class_noise(2, 0.4, rng, n_classes=5) != 2 for _ in range(8000)])
    assert abs(wrong - 0.4 * 3 / 4) < 0.02


def test_empty_masks_stay_and_crowds_are_altered_as_published() -> None:
    empty = MaskObject.from_mask(np.zeros((3, 3)), label=1, object_id=1)
    crowd = MaskObject.from_mask(np.ones((9, 9)), label=1, object_id=2, crowd=True)
    areas = set()
    for seed in range(8):
        made = coco_n([empty, crowd], (20, 20), "hard", seed=seed, image_id="a", n_classes=3)
        assert made[0].area == 0
        assert made[1].crowd
        areas.add(made[1].area)
    assert len(areas) > 2


def test_edge_of_the_image_does_not_tighten() -> None:
    assert scale(np.ones((5, 5)), 2, grow=False).all()


def test_bad_levels_are_refused() -> None:
    with pytest.raises(InputError, match="third"):
        CocoLevel(0.5, 1, 1, 1, 0)
    with pytest.raises(InputError, match="hard"):
        coco_n([], (4, 4), "harder", seed=0, image_id="a", n_classes=2)


def test_altered_outlines_keep_the_published_iou(real_data: Path) -> None:
    data = read_coco(real_data / "segmentation/coco_mini/annotations/instances_train2017.json")
    rows = []
    for seed in range(2):
        for i in range(data.n_images):
            for item in data.objects[i]:
                rng = generator(seed, "coco-n", data.image_ids[i], item.object_id)
                made, operation = coco_n_object(item, data.size(i), rng, LEVELS["hard"], n_classes=81)
                if operation != "none":
                    rows.append((np.digitize(item.area, [1024, 9216]), intersection_over_union(item, made)))
    found = np.array(rows)
    means = [found[found[:, 0] == size, 1].mean() for size in range(3)]
    # One draw of the published script left .42 / .74 / .90. The mean of 40 draws here is .433 / .726 / .902, the standard
    # deviation of one draw .010, .005 and .003.
    assert np.allclose(means, [0.42, 0.74, 0.90], atol=0.03)
