"""COCO instance annotations: polygons, run lengths and crowds read; boxes and areas always made from the masks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.files import check_output, replacing
from labelnoise.core.reading import check_inside, file_is_there, read_json
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.images import LazyImages, image_size
from labelnoise.segmentation.objects import MaskObject, paint_classes

__all__ = ["decode_segmentation", "encode_mask", "read_coco", "write_coco"]

BACKGROUND = "background"
#: Pixels of an image whose size is believed without seeing it.
LARGEST_CLAIM = 1 << 26
#: What to do where a file names pictures elsewhere.
_INSIDE = "put the pictures below it or, where the file is your own, use read_coco(path, outside=True)"


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask of a COCO ``segmentation``: polygons, run lengths as a list, or compressed as a text.

    Parameters
    ----------
    segmentation : list of list of float, or dict
        Polygons ``[x0, y0, x1, y1, ...]`` whose union is meant; or ``{"size": [h, w], "counts": ...}``.
    size : tuple of int
        Height and width of the image.

    Returns
    -------
    ndarray of bool, shape (h, w)

    Raises
    ------
    InputError
        Another layout, a size that is not the image's, or a polygon of fewer than three points.

    Examples
    --------
    >>> decode_segmentation([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3)).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    >>> decode_segmentation({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    height, width = size
    try:
        if isinstance(segmentation, dict):
            if tuple(segmentation["size"]) != (height, width):
                raise InputError(
                    f"The run lengths are for {tuple(segmentation['size'])} and the image is {height} x {width}; "
                    "they belong to another image."
                )
            return _mask_of_runs(_run_lengths(segmentation["counts"]), height, width)
        polygons = [list(map(float, polygon)) for polygon in segmentation]
    except InputError:
        raise
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InputError(
            "A segmentation is neither a list of polygons nor run lengths with size and counts "
            f"({type(error).__name__}: {error})."
        ) from error
    if not polygons:
        return np.zeros(size, dtype=bool)
    if any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise InputError("A polygon has fewer than three points, or an odd number of coordinates.")
    # Compiled code walks along every side, however long it is.
    reach = 4 * max(height, width) + 1000
    if not all(-reach <= value <= reach for polygon in polygons for value in polygon):
        raise InputError(
            f"A polygon reaches far beyond its image of {height} x {width}, or is not made of numbers."
        )
    masks = _masks()
    return np.asarray(masks.decode(masks.merge(masks.frPyObjects(polygons, height, width))), dtype=bool)


def _run_lengths(counts: Any) -> NDArray[np.int64]:
    """Lengths of runs, from a list or from COCO's text, in which each is written in base 32.

    Done here, since compiled code that is handed wrong lengths writes where nothing is its own.
    """
    if isinstance(counts, list):
        if not all(type(count) is int and 0 <= count < 1 << 40 for count in counts):
            raise InputError("Run lengths are no whole numbers from 0.")
        return np.array(counts, dtype=np.int64)
    data = counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
    digits = np.frombuffer(data, dtype=np.uint8).astype(np.int64) - 48
    last = (digits & 32) == 0
    ends = np.flatnonzero(last)
    if len(digits) and (digits.min() < 0 or digits.max() > 63 or not last[-1]):
        raise InputError("Run lengths hold characters that COCO's text has not, or are cut off.")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    if len(ends) and (ends - starts).max() > 7:
        raise InputError("Run lengths hold a number that is too large.")
    place = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((digits & 31) << (5 * place), starts) if len(ends) else np.zeros(0, np.int64)
    negative = (digits[ends] & 16) > 0
    values[negative] -= np.int64(1) << (5 * (ends - starts + 1)[negative])
    # From the fourth on each is written as its difference to the last but one.
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return values


def _mask_of_runs(counts: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
    """Runs of 0 and 1 in turn, column by column."""
    total = int(counts.sum())
    if total != height * width or (len(counts) and int(counts.min()) < 0):
        raise InputError(f"Run lengths add up to {total}, not to {height * width} pixels.")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(width, height).T


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask as compressed run lengths, JSON-able.

    Examples
    --------
    >>> encode_mask(np.array([[False, True], [True, True]]))
    {'size': [2, 2], 'counts': '13'}
    """
    rle = _masks().encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def read_coco(
    path: str | Path, images: str | Path | None = None, *, name: str | None = None, outside: bool = False
) -> MaskDataset:
    """Read COCO instances; each pixel's class is that of the smallest object on it.

    Class 0 is the background, then the categories in the order of their ids. Pixels that lie in crowds only
    have no label. Boxes and areas of the file are not trusted: they follow from the masks.

    Parameters
    ----------
    path : str or Path
        The JSON file.
    images : str or Path, optional
        The folder of the images; by default one that holds them is looked for beside the file. Without the
        images the masks alone are read.
    name : str, optional
        How reports call it; the file's stem by default.
    outside : bool
        Whether the file may name pictures that do not lie in that folder: absolute names, those through ``..``, and
        links that lead out. Say so of your own files; one from elsewhere could show any picture of yours to whoever
        gets the report.

    Returns
    -------
    MaskDataset
        With ``objects``; ``meta["categories"]`` keeps the category id of every class but the first.

    Raises
    ------
    InputError
        Not a COCO file, an unknown image or category, or a broken segmentation; pictures elsewhere.
    """
    path = Path(path)
    content = _load(path)
    pictures = sorted(_entries(content, "images", path, file_name=str), key=lambda item: item["id"])
    categories = sorted(_entries(content, "categories", path, name=str), key=lambda item: item["id"])
    place = {item["id"]: index for index, item in enumerate(categories, start=1)}
    row_of = {item["id"]: index for index, item in enumerate(pictures)}
    stems = [Path(item["file_name"]).stem for item in pictures]
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in _entries(content, "annotations", path, image_id=int, category_id=int):
        if annotation["image_id"] not in row_of:
            raise InputError(f"{path}: annotation {annotation['id']} names an image that is not listed.")
        if annotation["category_id"] not in place:
            raise InputError(f"{path}: annotation {annotation['id']} names a category that is not listed.")
        by_image[annotation["image_id"]].append(annotation)
    if not pictures:
        raise InputError(f"{path} lists no image; at least one is needed.")
    files = [item["file_name"] for item in pictures]
    if not outside:
        check_inside(files, None, str(path), _INSIDE)
    folder = _find_images(path, files, images)
    if folder is not None and not outside:
        check_inside(files, folder, str(path), _INSIDE)
    paths = None if folder is None else [folder / item["file_name"] for item in pictures]
    sizes = [_size(path, item, paths[i] if paths else None) for i, item in enumerate(pictures)]
    objects = []
    for item, size in zip(pictures, sizes):
        row = []
        for annotation in by_image[item["id"]]:
            try:
                mask = decode_segmentation(annotation["segmentation"], size)
            except (InputError, KeyError) as error:
                raise InputError(f"{path}: annotation {annotation['id']}: {error}") from error
            row.append(
                MaskObject.from_mask(
                    mask,
                    label=place[annotation["category_id"]],
                    object_id=annotation["id"],
                    crowd=bool(annotation.get("iscrowd", 0)),
                    score=_score(annotation.get("score")),
                )
            )
        objects.append(tuple(row))
    unique = len(set(stems)) == len(stems) and all(stems)
    return MaskDataset.from_masks(
        (paint_classes(row, size) for row, size in zip(objects, sizes)),
        (BACKGROUND, *(str(item["name"]) for item in categories)),
        name=name or path.stem,
        image_ids=tuple(stems if unique else [str(item["id"]) for item in pictures]),
        images=None if paths is None else LazyImages(paths),
        objects=objects,
        source=str(path),
        meta={
            "categories": {str(item["name"]): item["id"] for item in categories},
            "coco_images": [{"id": item["id"], "file_name": item["file_name"]} for item in pictures],
        },
    )


def write_coco(dataset: MaskDataset, path: str | Path, *, which: str = "objects") -> Path:
    """Write objects as COCO instances: run lengths, with boxes and areas that follow from them.

    Objects without a class or without a pixel are left out: COCO has no way to write them.

    Parameters
    ----------
    dataset : MaskDataset
        With objects.
    path : str or Path
        A ``.json`` file; the file that the data set was read from is refused.
    which : str
        ``"objects"`` or ``"true_objects"``.

    Raises
    ------
    InputError
        No objects, or a path that cannot be written.
    """
    if which not in ("objects", "true_objects"):
        raise InputError(f"which is {which!r}; choose 'objects' or 'true_objects'.")
    rows: Sequence[Sequence[MaskObject]] | None = getattr(dataset, which)
    if rows is None:
        raise InputError(
            f"{dataset.name} has no {which}; only data sets with objects can be written as COCO."
        )
    source = [Path(dataset.source)] if dataset.source else []
    path = check_output(Path(path), extensions=(".json",), inputs=source, what="the COCO file")
    known = dataset.meta.get("coco_images")
    pictures = known if known and len(known) == dataset.n_images else None
    numbers = dataset.meta.get("categories", {})
    first = 1 if dataset.class_names[0] == BACKGROUND else 0
    ids = {
        label: numbers.get(dataset.class_names[label], label + 1 - first)
        for label in range(dataset.n_classes)
    }
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    taken = [item.object_id for row in rows for item in row]
    # pycocotools takes an annotation of id 0 for "no match", and ids must differ over the whole file.
    keep_ids = len(set(taken)) == len(taken) and min(taken, default=1) > 0
    for i, row in enumerate(rows):
        height, width = dataset.size(i)
        picture = pictures[i] if pictures else {"id": i + 1, "file_name": f"{dataset.image_ids[i]}.png"}
        images.append({**picture, "height": height, "width": width})
        for item in row:
            if item.label < first or not item.area:
                continue
            top, left, box_height, box_width = item.box
            annotations.append(
                {
                    "id": item.object_id if keep_ids else len(annotations) + 1,
                    "image_id": picture["id"],
                    "category_id": ids[item.label],
                    "segmentation": encode_mask(item.full((height, width))),
                    "bbox": [left, top, box_width, box_height],
                    "area": item.area,
                    "iscrowd": int(item.crowd),
                }
            )
    categories = [{"id": ids[k], "name": dataset.class_names[k]} for k in range(first, dataset.n_classes)]
    with replacing(path) as temporary:
        content = {"images": images, "annotations": annotations, "categories": categories}
        temporary.write_text(json.dumps(content), encoding="utf-8")
    return path


def _masks() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise InputError(
            "COCO masks need pycocotools; run pip install 'labelnoise[segmentation]'."
        ) from error
    return mask


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is no COCO instances file; it holds a {type(content).__name__}.")
    return content


def _find_images(path: Path, files: list[str], images: str | Path | None) -> Path | None:
    """The folder that holds the files: as named, or in one of the usual places; None where there is none."""
    if images is not None:
        folder = Path(images)
        lacking = [file for file in files if not file_is_there(folder / file)]
        if lacking:
            raise InputError(
                f"{folder} has no file {lacking[0]!r} ({len(lacking)} of {len(files)} are missing)."
            )
        return folder
    split = path.stem.removeprefix("instances_")
    bases = (path.parent, path.parent.parent)
    for base in bases:
        for folder in (base, base / "images", base / split, base / "images" / split):
            if all(file_is_there(folder / file) for file in files):
                return folder
    return None


def _entries(content: dict[str, Any], key: str, path: Path, **needed: type) -> list[dict[str, Any]]:
    """The objects of a list, each with a number of its own and what else is needed."""
    found = content.get(key)
    if not isinstance(found, list):
        raise InputError(
            f"{path} is no COCO instances file ({key!r} is missing); images, categories and annotations with their "
            "ids are needed."
        )
    for row, item in enumerate(found):
        fields = {"id": int, **needed}
        wrong = [
            k for k, kind in fields.items() if not isinstance(item, dict) or type(item.get(k)) is not kind
        ]
        if wrong or abs(item["id"]) >= 1 << 62:
            raise InputError(
                f"{path} is no COCO instances file (in entry {row} of {key!r}, {', '.join(wrong or ['id'])} is "
                "missing or of another kind)."
            )
    if len({item["id"] for item in found}) < len(found) and key != "annotations":
        raise InputError(f"{path} lists two of its {key} under one id; give each an id of its own.")
    return found


def _size(path: Path, item: dict[str, Any], image: Path | None) -> tuple[int, int]:
    """Height and width of an image, as the file says or, where that cannot be believed, as the image has it."""
    if "height" not in item:
        if image is None:
            raise InputError(
                f"{path}: image {item['id']} has no height and width, and its file is not there."
            )
        return image_size(image)
    height, width = item.get("height"), item.get("width")
    if type(height) is not int or type(width) is not int or height < 1 or width < 1:
        raise InputError(
            f"{path}: image {item['id']} is {height!r} x {width!r}; whole numbers from 1 are needed."
        )
    if height * width > LARGEST_CLAIM and (image is None or image_size(image) != (height, width)):
        raise InputError(
            f"{path}: image {item['id']} claims {height:,} x {width:,} pixels; so many are read only where the image is "
            "there and has them."
        )
    return height, width


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
