"""Coarse polygons: outlines drawn with few points, as a hurried annotator does."""

from __future__ import annotations

import numpy as np

from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco_n import approximation
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import edit_object, fill_outlines, trace_outlines

__all__ = ["coarse_polygon"]


def coarse_polygon(item: MaskObject, size: tuple[int, int], tolerance: float) -> MaskObject:
    """An object redrawn with outlines whose dropped points lie within a part of its size.

    Parts too small for a polygon of four points stay; holes are filled.

    Parameters
    ----------
    item : MaskObject
        Crowds and empty ones are left as they are.
    size : tuple of int
        Height and width of the image.
    tolerance : float
        Of Douglas and Peucker's method, as a fraction of sqrt(area); 0 only fills holes.

    Examples
    --------
    >>> disc = np.hypot(*(np.indices((41, 41)) - 20)) <= 18
    >>> item = MaskObject.from_mask(disc, label=1, object_id=1)
    >>> [coarse_polygon(item, (41, 41), t).area for t in (0, 0.05, 0.2)]
    [1009, 1007, 685]
    """
    if tolerance < 0:
        raise InputError(f"tolerance is {tolerance}; give a fraction of sqrt(area), 0 or more.")
    if item.crowd or item.area == 0:
        return item
    pixels = tolerance * float(np.sqrt(item.area))

    def redraw(mask: np.ndarray) -> np.ndarray:
        tiny = [ring for ring in trace_outlines(mask) if len(ring) < 4]
        return approximation(mask, pixels) | fill_outlines(tiny, (mask.shape[0], mask.shape[1]))

    return edit_object(item, size, 0, redraw)
