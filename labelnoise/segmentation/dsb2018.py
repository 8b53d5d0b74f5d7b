"""Nuclei of the 2018 Data Science Bowl: masks as released, with the corrections of volunteers as the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.files import IMAGE_ENDINGS, files_by_stem, pair_by_stem
from labelnoise.segmentation.images import LazyImages, read_index_png
from labelnoise.segmentation.objects import objects_from_ids

__all__ = ["CLASSES", "read_dsb2018"]

CLASSES = ("background", "nucleus")


def read_dsb2018(folder: str | Path, *, every: int = 1) -> MaskDataset:
    """Read real annotation errors: ``orig`` is given, ``fixed`` is true.

    Images that the volunteers removed altogether have no truth and are left out; ``meta["removed"]`` names them.

    Parameters
    ----------
    folder : str or Path
        With ``images``, ``orig`` and ``fixed``: PNGs of object ids (0 is background) by the same stem.
    every : int
        Read one image in so many, in the order of their names.

    Returns
    -------
    MaskDataset
        With ``objects`` as released and ``true_objects`` as corrected. Nobody published a split: every fourth image,
        in the order of their names, is for testing.

    Raises
    ------
    InputError
        A folder is missing, or two masks of an image differ in size.

    References
    ----------
    Caicedo et al. 2019, Nucleus segmentation across imaging experiments, Nature Methods 16; fixes by
    K. Lopuhin and others 2018.
    """
    base = Path(folder)
    released = files_by_stem(base / "orig", (".png",))
    fixed = files_by_stem(base / "fixed", (".png",))
    images = files_by_stem(base / "images", IMAGE_ENDINGS)
    if not released or not fixed:
        raise InputError(f"{base} lacks masks in orig/ or fixed/; this is no copy of the corrected nuclei.")
    order = sorted(released.keys() & fixed.keys())[::every]
    fields: dict[str, Any] = {}
    masks: dict[str, list[NDArray[np.int8]]] = {}
    for what, files in (("objects", released), ("true_objects", fixed)):
        # One map at a time: its objects and its foreground take a tenth of its memory.
        maps = (read_index_png(files[stem]) for stem in order)
        pairs = [(objects_from_ids(ids, 1), (ids > 0).astype(np.int8)) for ids in maps]
        fields[what] = [row for row, _ in pairs]
        masks[what] = [mask for _, mask in pairs]
    last = np.arange(len(order)) % 4 == 3
    return MaskDataset.from_masks(
        masks["objects"],
        CLASSES,
        name="DSB2018" if every == 1 else f"DSB2018, one image in {every}",
        true=masks["true_objects"],
        images=LazyImages([item for _, item in pair_by_stem(order, images, base / "images")]),
        image_ids=tuple(order),
        splits={"train": ~last, "test": last} if last.any() else {},
        source=str(base),
        meta={"removed": sorted(released.keys() - fixed.keys())},
        **fields,
    )
