"""What a person sees of a pixel: the picture around it with the given outline and the suggested one, and its place."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.cards import Card, Media
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.prompts import colour_image

__all__ = ["pixel_cards", "region_cards", "region_of", "review_picture", "suggested_maps"]

#: Colours of the given outline, of the suggested one, and of the region in question.
GIVEN, SUGGESTED, REGION = (255, 196, 0), (0, 224, 255), (255, 0, 160)
#: Longest side of the whole picture and of the crop, and the least pixels that the crop shows around a region.
WHOLE, CROP, AROUND = 320, 420, 12
_LEAST_CROP = 48
#: Cards from here on get the enlarged part alone, at half the size, so that a page of a thousand regions still opens.
_LARGE = 200


def pixel_cards(dataset: MaskDataset, units: Sequence[int]) -> list[Card]:
    """One card per pixel: its object, or the area of one label around it, enlarged, and the whole picture.

    Parameters
    ----------
    dataset : MaskDataset
        Without images the labels alone are drawn.
    units : sequence of int

    Returns
    -------
    list of Card

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> card = pixel_cards(scenes(2), [4096 + 65])[0]
    >>> card.title, card.facts[0], card.media[0].text[:17]
    ('scene-001, row 1, column 1', ('region', 'area labelled background, 3030 pixels'), 'Around the region')
    """
    draw = _Drawing(dataset, None)
    images, rows, columns = dataset.position(list(units))
    cards, first = [], dict[tuple[int, bytes], str]()
    for i, y, x in zip(images.tolist(), rows.tolist(), columns.tolist()):
        region, what = region_of(dataset, i, y, x)
        title = f"{dataset.image_ids[i]}, row {y}, column {x}"
        seen = first.setdefault((i, np.packbits(region).tobytes()), title)
        # A region's further pixels get a small picture: a page of a thousand pixels stays small enough to open.
        same = [("same region as", seen)] if seen != title else []
        cards.append(draw.card(title, i, (y, x), region, what, same, small=seen != title))
    return cards


def region_cards(
    dataset: MaskDataset,
    units: Sequence[int],
    members: Sequence[NDArray[np.int64]],
    suggested: Mapping[int, NDArray[Any]],
) -> list[Card]:
    """One card per region that is decided at once, with the given outline and the suggested one.

    Parameters
    ----------
    dataset : MaskDataset
    units : sequence of int
        A pixel of each region, which names it.
    members : sequence of ndarray of int64
        The pixels of each region, all in one image.
    suggested : mapping of int to ndarray of int, shape (h, w)
        By image: the class map that is suggested.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(2)
    >>> pixels = 4096 + np.array([65, 66, 130])
    >>> card = region_cards(data, [4096 + 65], [pixels], {1: data.mask(1)})[0]
    >>> card.title, card.facts[0]
    ('scene-001, rows 1 to 2, columns 1 to 2', ('region', '3 pixels'))
    """
    draw = _Drawing(dataset, suggested)
    images, rows, columns = dataset.position(list(units))
    cards = []
    for k, (i, y, x, pixels) in enumerate(zip(images.tolist(), rows.tolist(), columns.tolist(), members)):
        region = np.zeros(dataset.size(i), dtype=bool)
        region.reshape(-1)[pixels - dataset.offsets[i]] = True
        top, left, bottom, right = _frame(region)
        where = f"{_span('row', top, bottom)}, {_span('column', left, right)}"
        cards.append(
            draw.card(f"{dataset.image_ids[i]}, {where}", i, (y, x), region, "", [], small=k >= _LARGE)
        )
    return cards


def _span(what: str, first: int, end: int) -> str:
    return f"{what} {first}" if end - first == 1 else f"{what}s {first} to {end - 1}"


class _Drawing:
    """Cards of regions of one data set."""

    def __init__(self, dataset: MaskDataset, suggested: Mapping[int, NDArray[Any]] | None) -> None:
        self.dataset, self.suggested = dataset, suggested
        # Regions of one image follow each other, and each is drawn on its own.
        self.image = lru_cache(maxsize=4)(self._image)

    def _image(self, i: int) -> NDArray[np.uint8]:
        if self.dataset.images is None:
            return np.full((*self.dataset.size(i), 3), 128, dtype=np.uint8)
        return colour_image(self.dataset.images[i])

    def card(
        self,
        title: str,
        image: int,
        place: tuple[int, int],
        region: NDArray[np.bool_],
        what: str,
        more: Sequence[tuple[str, str]],
        *,
        small: bool = False,
    ) -> Card:
        given, names = self.dataset.mask(image), [*self.dataset.class_names, "no label"]
        answer = None if self.suggested is None else self.suggested.get(image)
        size = int(region.sum())
        count = f"{size} pixel{'s' if size > 1 else ''}"
        facts = [
            ("region", f"{what}, {count}" if what else count),
            ("given there", names[int(given[place])]),
        ]
        legend = "yellow: given outline; "
        if answer is not None:
            facts.append(("suggested there", names[int(answer[place])]))
            legend += "blue: suggested outline; yellow and blue: both; "
        legend += "pink: the region"
        facts += [("colours", legend), *more]
        picture = review_picture(self.image(image), given, answer, region, small=small)
        text = f"Around the region{'' if small else ', and the whole picture'}; {legend}"
        return Card(title, facts, [Media("image", _uri(picture), text)])


def suggested_maps(
    dataset: MaskDataset, index: NDArray[np.int64], names: Sequence[str], units: Sequence[int]
) -> dict[int, NDArray[Any]]:
    """The class maps that a table of issues suggests, for the images in which some units lie.

    Parameters
    ----------
    dataset : MaskDataset
    index : ndarray of int64, shape (r,)
        Pixels of the table.
    names : sequence of str, length r
        Suggested classes; empty for none.
    units : sequence of int

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 0, 1]]], ("no", "yes"))
    >>> suggested_maps(data, np.array([1]), ["yes"], [1])
    {0: array([[0, 1, 1]], dtype=int8)}
    """
    number = {name: k for k, name in enumerate(dataset.class_names)}
    wanted = set(dataset.image_of(list(units)).tolist()) if len(units) else set()
    classes = np.array([number.get(str(name), -1) for name in names], dtype=np.int64)
    images = dataset.image_of(index) if len(index) else np.zeros(0, dtype=np.int64)
    made = {}
    for i in sorted(wanted):
        answer = dataset.mask(i).copy()
        own = (images == i) & (classes >= 0)
        answer.reshape(-1)[index[own] - dataset.offsets[i]] = classes[own]
        made[i] = answer
    return made


def region_of(dataset: MaskDataset, image: int, row: int, column: int) -> tuple[NDArray[np.bool_], str]:
    """The object, or else the area of one label, that holds a pixel, shape (h, w), and what it is in words.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1, 1, 0, 1]]], ("no", "yes"))
    >>> region_of(data, 0, 0, 1)[0].astype(int).tolist(), region_of(data, 0, 0, 1)[1]
    ([[0, 1, 1, 0, 0]], 'area labelled yes')
    """
    from scipy import ndimage

    labels = dataset.mask(image)
    for item in [] if dataset.objects is None else sorted(dataset.objects[image], key=lambda o: o.area):
        y, x = row - item.top, column - item.left
        if 0 <= y < item.shape[0] and 0 <= x < item.shape[1] and item.mask[y, x]:
            name = dataset.class_names[item.label] if item.label >= 0 else "without a class"
            return item.full(dataset.size(image)), f"object {item.object_id} ({name})"
    label = int(labels[row, column])
    parts, _ = ndimage.label(labels == label, structure=np.ones((3, 3)))
    what = f"area labelled {dataset.class_names[label]}" if label >= 0 else "area without a label"
    return parts == parts[row, column], what


def review_picture(
    image: NDArray[np.uint8],
    given: NDArray[Any],
    suggested: NDArray[Any] | None,
    region: NDArray[np.bool_],
    *,
    small: bool = False,
) -> bytes:
    """A JPEG: the part around a region, enlarged, with outlines and the region; beside it the whole picture.

    Outlines are drawn after enlarging, one or two pixels wide between the pixels they part, so that they hide little.
    Lightness is stretched to the range of what is shown.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
    given, suggested : ndarray of int, shape (h, w)
    region : ndarray of bool, shape (h, w)
    small : bool
        The enlarged part alone, at half the size.

    Examples
    --------
    >>> blank = np.zeros((20, 30, 3), np.uint8)
    >>> review_picture(blank, np.eye(20, 30, dtype=int), None, np.eye(20, 30) > 0)[6:10]
    b'JFIF'
    """
    from PIL import Image

    close = _close(image, given, suggested, region, CROP // 2 if small else CROP)
    shown = close if small else _beside(close, _whole(image, region))
    out = io.BytesIO()
    # Colours at full resolution, or the outlines would lose theirs; a PNG takes a hundred times as long.
    picture = Image.fromarray(np.clip(np.rint(shown), 0, 255).astype(np.uint8))
    picture.save(out, format="JPEG", quality=75 if small else 85, subsampling=0)
    return out.getvalue()


def _close(
    image: NDArray[np.uint8],
    given: NDArray[Any],
    suggested: NDArray[Any] | None,
    region: NDArray[np.bool_],
    longest: int,
) -> NDArray[np.float32]:
    """A square around the region, with everything drawn in."""
    spans = []
    low_high = _frame(region)
    side = max(_LEAST_CROP, *(low_high[k + 2] - low_high[k] + 2 * AROUND for k in (0, 1)))
    for k in (0, 1):
        first = int(np.clip((low_high[k] + low_high[k + 2] - side) // 2, 0, max(region.shape[k] - side, 0)))
        spans.append(slice(first, min(first + side, region.shape[k])))
    pixels, grid, zoom = _enlarged(image, spans[0], spans[1], longest)
    slanted = np.add.outer(np.arange(pixels.shape[0]), np.arange(pixels.shape[1]))
    # Stripes leave the picture to be seen between them, unless the region is tiny.
    tint = region[grid] & ((slanted // 3 % 3 == 0) | (region.sum() * zoom * zoom < 60))
    pixels[tint] = 0.35 * pixels[tint] + 0.65 * np.array(REGION, dtype=np.float32)
    thick = 2 if zoom >= 3 else 1
    line = _borders(given[grid], thick)
    pixels[line] = GIVEN
    if suggested is not None:
        other = _borders(suggested[grid], thick)
        # Where both outlines run they alternate.
        pixels[other & (~line | (slanted // 6 % 2 == 0))] = SUGGESTED
    return pixels


def _whole(image: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The picture with a frame around the region."""
    pixels, _, zoom = _enlarged(image, slice(0, region.shape[0]), slice(0, region.shape[1]), WHOLE)
    top, left, bottom, right = _frame(region)
    a, b = max(int(top * zoom) - 4, 0), min(int(np.ceil(bottom * zoom)) + 4, pixels.shape[0])
    c, d = max(int(left * zoom) - 4, 0), min(int(np.ceil(right * zoom)) + 4, pixels.shape[1])
    pixels[a : a + 2, c:d] = pixels[max(b - 2, 0) : b, c:d] = REGION
    pixels[a:b, c : c + 2] = pixels[a:b, max(d - 2, 0) : d] = REGION
    return pixels


def _enlarged(
    image: NDArray[np.uint8], rows: slice, cols: slice, longest: int
) -> tuple[NDArray[np.float32], Any, float]:
    """A part of the picture resized, the index that resizes a map alike, and by how much."""
    from PIL import Image

    height, width = rows.stop - rows.start, cols.stop - cols.start
    zoom = longest / max(height, width)
    shape = (max(round(height * zoom), 1), max(round(width * zoom), 1))
    method = Image.Resampling.BICUBIC if zoom > 1 else Image.Resampling.BOX
    part = Image.fromarray(np.ascontiguousarray(image[rows, cols])).resize((shape[1], shape[0]), method)
    pixels = np.array(part, dtype=np.float32)
    low, high = np.quantile(pixels, [0.005, 0.995])
    if high - low > 4:
        pixels = ((pixels - low) * (255 / (high - low))).clip(0, 255)
    y, x = np.arange(shape[0]) * height // shape[0], np.arange(shape[1]) * width // shape[1]
    return pixels, np.ix_(y + rows.start, x + cols.start), zoom


def _beside(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.full((max(len(a), len(b)), a.shape[1] + b.shape[1] + 8, 3), 255, dtype=np.float32)
    out[: len(a), : a.shape[1]] = a
    out[: len(b), -b.shape[1] :] = b
    return out


def _frame(region: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, cols = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return 0, 0, region.shape[0], region.shape[1]
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def _borders(labels: NDArray[Any], thick: int) -> NDArray[np.bool_]:
    """Where labels change, on the lower and right side of the change."""
    edge = np.zeros(labels.shape, dtype=bool)
    for k in range(1, thick + 1):
        edge[k:] |= labels[k:] != labels[:-k]
        edge[:, k:] |= labels[:, k:] != labels[:, :-k]
    return edge


def _uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
