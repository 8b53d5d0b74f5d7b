"""Images as the tools of others show them: a picture with the outlines of its objects."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.samples import Mark, MediaFile, Sample, SampleSet, Suggestions
from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco import BACKGROUND, encode_mask
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.images import LazyImages
from labelnoise.segmentation.objects import MaskObject, objects_from_ids
from labelnoise.segmentation.outlines import simplify_ring, trace_outlines

__all__ = ["image_samples"]

#: Endings of files that browsers show.
SHOWN = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
#: Outlines that are handed over stray from the mask by this many pixels at most.
TOLERANCE = 0.5


def image_samples(dataset: MaskDataset, found: Suggestions) -> SampleSet:
    """One sample per image that has an issue, with the given objects and the suggested ones.

    Issues are pixels; a person and COCO deal with objects. With every suggestion painted in, an object's suggested
    class is that of most of its pixels; its score is the mean confidence that its pixels are of that class, where
    an unlisted pixel counts as surely what it is given as. An object that turns into background is not suggested.
    A connected part of pixels that suggestions lift out of the background is an object more, if it is as large as
    the smallest given one. Without objects, connected parts of each class take their place.

    Raises
    ------
    InputError
        A data set without pictures.
    """
    if dataset.images is None:
        raise InputError(
            f"{dataset.name} has masks without pictures; put the images beside them and detect anew."
        )
    first = 1 if dataset.class_names[0] == BACKGROUND else 0
    wanted, doubts = found.labels(dataset), found.doubts(dataset)
    # How sure each pixel is of what it is wanted to be.
    sure = np.ones(dataset.n_units, dtype=np.float32)
    some = found.suggested >= 0
    sure[found.units[some]] = found.confidence[some]
    sure[found.units[~some]] = 1.0 - found.doubt[~some]
    groups = list(found.groups(dataset.image_of(found.units)))
    objects = {image: _objects(dataset, image, first) for image, _ in groups}
    least = min((item.area for row in objects.values() for item in row if item.area), default=1)
    samples = []
    for image, rows in groups:
        size = dataset.size(image)
        given_map, wanted_map = dataset.mask(image), dataset.fold(wanted, image)
        sure_map, doubt_map = dataset.fold(sure, image), dataset.fold(doubts, image)
        given, suggested = [], []
        for item in objects[image]:
            mask, window = item.mask, item.window
            if item.label < first or not item.area:
                continue
            doubt = float(doubt_map[window][mask].mean())
            given.append(_mark(dataset, item, size, doubt=doubt))
            inside = wanted_map[window][mask]
            # Pixels that a smaller object on top hides say nothing about this one.
            own = given_map[window][mask] == item.label
            votes = np.bincount(inside[own & (inside >= 0)], minlength=dataset.n_classes)
            label = int(votes.argmax()) if votes.any() else item.label
            if label < first:
                continue
            agreed = own & (inside == label)
            weight = float(np.where(agreed, sure_map[window][mask], 0.0)[own].mean()) if own.any() else 1.0
            suggested.append(_mark(dataset, item.with_label(label), size, score=weight))
        for item in _risen(given_map, wanted_map, first, least):
            score = float(sure_map[item.window][item.mask].mean())
            suggested.append(_mark(dataset, item, size, score=score))
        samples.append(
            Sample(
                name=dataset.image_ids[image],
                kind="image",
                units=found.units[rows].tolist(),
                given=given,
                suggested=suggested,
                doubt=float(found.doubt[rows].max()),
                media=_picture(dataset, image),
                size=size,
            )
        )
    return SampleSet("image", dataset.class_names[first:], samples)


def _objects(dataset: MaskDataset, image: int, first: int) -> list[MaskObject]:
    if dataset.objects is not None:
        return list(dataset.objects[image])
    mask = dataset.mask(image)
    return [part for label in range(first, dataset.n_classes) for part in _parts(mask == label, label)]


def _risen(given: NDArray[Any], wanted: NDArray[Any], first: int, least: int) -> list[MaskObject]:
    """What suggestions lift out of the background: connected parts that are as large as an object."""
    if not first:
        return []
    return [
        part
        for label in range(first, int(wanted.max(initial=0)) + 1)
        for part in _parts((given < first) & (wanted == label), label)
        if part.area >= least
    ]


def _parts(mask: NDArray[np.bool_], label: int) -> list[MaskObject]:
    from scipy import ndimage

    numbered, count = ndimage.label(mask, structure=np.ones((3, 3)))
    return [replace(item, label=label) for item in objects_from_ids(numbered)] if count else []


def _mark(
    dataset: MaskDataset,
    item: MaskObject,
    size: tuple[int, int],
    *,
    score: float | None = None,
    doubt: float | None = None,
) -> Mark:
    rings = []
    for outline in trace_outlines(item.mask):
        ring = simplify_ring(outline, TOLERANCE)
        # Outlines run through centres of pixels, and polygons need three corners.
        points = [(float(x) + item.left + 0.5, float(y) + item.top + 0.5) for y, x in ring]
        if len(points) < 3:
            (x0, y0), (x1, y1) = points[0], points[-1]
            left, right = min(x0, x1) - 0.5, max(x0, x1) + 0.5
            upper, lower = min(y0, y1) - 0.5, max(y0, y1) + 0.5
            points = [(left, upper), (right, upper), (right, lower), (left, lower)]
        rings.append(points)
    top, left_edge, height, width = item.box
    return Mark(
        dataset.class_names[item.label],
        score=score,
        doubt=doubt,
        rings=rings,
        box=(left_edge, top, width, height),
        area=item.area,
        run_lengths=encode_mask(item.full(size)),
        crowd=item.crowd,
    )


def _picture(dataset: MaskDataset, image: int) -> MediaFile:
    images = dataset.images
    assert images is not None
    source = images.sources[image] if isinstance(images, LazyImages) else None
    if isinstance(source, Path) and source.suffix.lower() in SHOWN:
        return MediaFile(source)
    return MediaFile(ending=".png", content=lambda: _png(np.asarray(images[image])))


def _png(array: NDArray[Any]) -> bytes:
    """An image as a browser shows it: 8 bits, grey or colour; the first channel where there are others."""
    from PIL import Image

    if array.ndim == 3 and array.shape[2] != 3:
        array = array[..., 0]
    if array.dtype != np.uint8:
        wide = array.astype(np.float64)
        low, high = float(wide.min()), float(wide.max())
        array = np.rint(255 * (wide - low) / ((high - low) or 1.0)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(buffer, format="PNG")
    return buffer.getvalue()
