"""Wrong labels of pixels and objects: mask data sets, their file formats, and what masks are measured by.

Names are imported when they are first used, so that reading masks loads no more than numpy and Pillow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelnoise.segmentation.data import load_masks
    from labelnoise.segmentation.dataset import MaskDataset
    from labelnoise.segmentation.objects import MaskObject

__all__ = ["MaskDataset", "MaskObject", "load_masks"]

_HOMES = {
    "MaskDataset": "labelnoise.segmentation.dataset",
    "MaskObject": "labelnoise.segmentation.objects",
    "load_masks": "labelnoise.segmentation.data",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
