"""One run of each published setting of this modality, as the files in ``experiments`` name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco import read_coco
from labelnoise.segmentation.coco_n import LEVELS, coco_n_object
from labelnoise.segmentation.outlines import intersection_over_union

__all__ = ["coco_n_iou"]

#: Areas in pixels between which COCO calls objects medium.
_MEDIUM = (32**2, 96**2)


def coco_n_iou(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Mean IoU that one level of COCO-N leaves altered outlines, by the object's size."""
    root = data_root("segmentation")
    if root is None:
        raise InputError(
            "COCO-N needs COCO's annotations; set LABELNOISE_DATA to the folder that holds them."
        )
    parts = [read_coco(Path(root) / "coco_mini" / "annotations" / name) for name in options["files"]]
    found: dict[str, list[float]] = {"small": [], "medium": [], "large": []}
    for data in parts:
        assert data.objects is not None
        for i, objects in enumerate(data.objects):
            for item in objects:
                rng = generator(seed, "coco-n", data.image_ids[i], item.object_id)
                made, operation = coco_n_object(
                    item, data.size(i), rng, LEVELS[setting["level"]], n_classes=options["n_classes"]
                )
                if operation != "none":
                    size = list(found)[int(np.digitize(item.area, _MEDIUM))]
                    found[size].append(intersection_over_union(item, made))
    return {size: float(np.mean(values)) for size, values in found.items()}
