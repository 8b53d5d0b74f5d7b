"""Cityscapes: label ids become the 19 classes that are trained on, everything else "no label"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.images import LazyImages, read_index_png
from labelnoise.segmentation.objects import MaskObject, objects_from_ids

__all__ = ["CLASSES", "read_cityscapes", "train_ids"]

# Label id of each class that is trained on, in the order of the train ids.
_LABEL_IDS = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
CLASSES = tuple(_LABEL_IDS)
_LAST_LABEL_ID = 33


def train_ids(label_ids: ArrayLike) -> NDArray[np.int8]:
    """Label ids (0 to 33, -1 for the licence plate) as classes 0 to 18, -1 for those not trained on.

    Parameters
    ----------
    label_ids : array_like of int, any shape
        255 is read as -1: it is what 8 bits make of it.

    Raises
    ------
    InputError
        Another number.

    Examples
    --------
    >>> train_ids([7, 33, 0, 9, 255]).tolist()
    [0, 18, -1, -1, -1]
    """
    ids = np.asarray(label_ids).astype(np.int64)
    ids = np.where(ids == 255, -1, ids)
    if ids.size and (ids.min() < -1 or ids.max() > _LAST_LABEL_ID):
        raise InputError(
            f"Label ids hold {int(ids.max())}; Cityscapes has -1 to {_LAST_LABEL_ID}. Give *_labelIds.png files."
        )
    table = np.full(_LAST_LABEL_ID + 2, -1, dtype=np.int8)
    table[list(_LABEL_IDS.values())] = np.arange(len(CLASSES))
    return table[ids]


def read_cityscapes(folder: str | Path, *, split: str = "train", annotation: str = "gtFine") -> MaskDataset:
    """Read one split of all cities.

    Parameters
    ----------
    folder : str or Path
        With ``leftImg8bit/<split>/<city>`` and ``gtFine/<split>/<city>``. Without the images masks alone are read.
    split : str
        "train" or "val"; the test split has no public labels.
    annotation : str
        "gtFine" or "gtCoarse".

    Returns
    -------
    MaskDataset
        With ``objects`` where ``*_instanceIds.png`` are there; a group that was marked as one is a crowd.

    Raises
    ------
    InputError
        No masks, or an image without one.

    References
    ----------
    Cordts et al. 2016, The Cityscapes Dataset, CVPR; ids as in its published table of labels.
    """
    base = Path(folder)
    ending = f"_{annotation}_labelIds.png"
    masks = sorted((base / annotation / split).glob(f"*/*{ending}"))
    if not masks:
        raise InputError(
            f"{base / annotation / split} holds no *{ending}; name the folder that holds {annotation}."
        )
    stems = [path.name.removesuffix(ending) for path in masks]
    fields: dict[str, Any] = {}
    if (base / "leftImg8bit" / split).is_dir():
        images = [
            base / "leftImg8bit" / split / path.parent.name / f"{stem}_leftImg8bit.png"
            for path, stem in zip(masks, stems)
        ]
        lacking = [path for path in images if not path.is_file()]
        if lacking:
            raise InputError(f"{len(lacking)} masks have no image, the first would be {lacking[0]}.")
        fields["images"] = LazyImages(images)
    numbers = [path.with_name(f"{stem}_{annotation}_instanceIds.png") for path, stem in zip(masks, stems)]
    if all(path.is_file() for path in numbers):
        fields["objects"] = [_objects(read_index_png(path)) for path in numbers]
    return MaskDataset.from_masks(
        (train_ids(read_index_png(path)) for path in masks),
        CLASSES,
        name=f"Cityscapes {split}",
        image_ids=tuple(stems),
        source=str(base),
        **fields,
    )


def _objects(ids: NDArray[Any]) -> tuple[MaskObject, ...]:
    """Objects are ``label id * 1000 + number``; a bare label id of a class with objects is a group."""
    from dataclasses import replace

    counted = {_LABEL_IDS[name] for name in CLASSES[11:]}
    ids = ids.astype(np.int64)
    label_ids = np.where(ids >= 1000, ids // 1000, ids)
    ids = np.where(np.isin(label_ids, sorted(counted)), ids, 0)
    present = np.unique(ids[ids > 0]).tolist()
    labels = {number: int(train_ids(number // 1000 if number >= 1000 else number)) for number in present}
    return tuple(replace(item, crowd=item.object_id < 1000) for item in objects_from_ids(ids, labels))
