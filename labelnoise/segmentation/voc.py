"""PASCAL VOC: palette masks, 255 for "no label", objects, and pseudo-labels in their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.reading import read_text
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.files import IMAGE_ENDINGS, MASK_ENDINGS, files_by_stem, pair_by_stem
from labelnoise.segmentation.images import LazyImages, read_index_png
from labelnoise.segmentation.objects import MaskObject, objects_from_ids

__all__ = ["CLASSES", "read_voc"]

CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
IGNORE = 255


def read_voc(
    folder: str | Path, *, split: str = "train", pseudo: str | Path | None = None, objects: bool = True
) -> MaskDataset:
    """Read one split; with a folder of pseudo-labels those are given, and the published masks are true.

    Parameters
    ----------
    folder : str or Path
        ``VOC2012``, with ``JPEGImages``, ``SegmentationClass`` and ``ImageSets/Segmentation/<split>.txt``.
    split : str
        The name of the list.
    pseudo : str or Path, optional
        Folder of index PNGs named like the images, for instance from class activation maps. Images without a
        published mask (as in "trainaug") have no truth then.
    objects : bool
        Read ``SegmentationObject`` where it is there. Objects follow the published masks, so they are
        ``true_objects`` beside pseudo-labels.

    Raises
    ------
    InputError
        A list, a mask or an image is missing.

    References
    ----------
    Everingham et al. 2015, The PASCAL Visual Object Classes Challenge: a retrospective, IJCV 111.
    """
    base = Path(folder)
    listed = base / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not listed.is_file():
        raise InputError(
            f"There is no list {listed}; name another split, or the folder that holds ImageSets."
        )
    order = read_text(listed).split()
    published = files_by_stem(base / "SegmentationClass", MASK_ENDINGS)
    images = files_by_stem(base / "JPEGImages", IMAGE_ENDINGS)
    fields: dict[str, Any] = {}
    if pseudo is None:
        given = [item for _, item in pair_by_stem(order, published, base / "SegmentationClass")]
    else:
        made = files_by_stem(Path(pseudo), MASK_ENDINGS)
        given = [item for _, item in pair_by_stem(order, made, Path(pseudo))]
        fields["true"] = _masks_or_blank(order, published, given)
    outlines = files_by_stem(base / "SegmentationObject", MASK_ENDINGS) if objects else {}
    if outlines and set(order) <= outlines.keys() & published.keys():
        found = [_objects(read_index_png(outlines[stem]), read_index_png(published[stem])) for stem in order]
        fields["objects" if pseudo is None else "true_objects"] = found
    return MaskDataset.from_masks(
        (read_index_png(item) for item in given),
        CLASSES,
        name=f"VOC {split}",
        ignore=IGNORE,
        image_ids=tuple(order),
        images=LazyImages([item for _, item in pair_by_stem(order, images, base / "JPEGImages")]),
        source=str(base),
        **fields,
    )


def _masks_or_blank(
    order: list[str], published: dict[str, Path], given: list[Path]
) -> Iterator[NDArray[Any]]:
    for stem, other in zip(order, given):
        if stem in published:
            yield read_index_png(published[stem])
        else:
            yield np.full(read_index_png(other).shape, IGNORE, dtype=np.uint8)


def _objects(ids: NDArray[Any], classes: NDArray[Any]) -> tuple[MaskObject, ...]:
    """Objects with the class that most of their pixels carry; outlines (255) belong to none."""
    if ids.shape != classes.shape:
        raise InputError(
            f"Masks of objects are {ids.shape[0]} x {ids.shape[1]} and those of classes {classes.shape[0]} x "
            f"{classes.shape[1]}; copy both folders again."
        )
    ids = np.where(ids == IGNORE, 0, ids)
    labels = {}
    for number in np.unique(ids[ids > 0]).tolist():
        inside = classes[ids == number]
        inside = inside[inside != IGNORE]
        labels[number] = int(np.bincount(inside).argmax()) if len(inside) else -1
    return objects_from_ids(ids, labels)
