"""What a person is told and shown of a pixel, or of a region that is decided at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.cards import Card
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.review_pictures import Region, Sheet

__all__ = ["pixel_cards", "region_cards", "region_of", "suggested_maps"]

#: Colours of the given outline, of the suggested one, and of the region in question.
GIVEN, SUGGESTED, REGION = (255, 196, 0), (0, 224, 255), (255, 0, 160)
#: Cards from here on are drawn at half the detail, and those of large pictures without the whole, so that a page of a
#: thousand regions still opens.
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
        full, what = region_of(dataset, i, y, x)
        region = Region.of(np.flatnonzero(full), full.shape[1])
        title = f"{dataset.image_ids[i]}, row {y}, column {x}"
        seen = first.setdefault((i, np.packbits(full).tobytes()), title)
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
    images, rows, columns = (values.tolist() for values in dataset.position(list(units)))
    cards: list[Any] = [None] * len(units)
    # Image after image, so that each is read once; doubts order the cards across images.
    for k in np.argsort(images, kind="stable").tolist():
        i = images[k]
        region = Region.of(np.asarray(members[k]) - dataset.offsets[i], dataset.size(i)[1])
        where = f"{_span('row', *region.rows)}, {_span('column', *region.columns)}"
        title = f"{dataset.image_ids[i]}, {where}"
        cards[k] = draw.card(title, i, (rows[k], columns[k]), region, "", [], small=k >= _LARGE)
    return cards


def _span(what: str, first: int, end: int) -> str:
    return f"{what} {first}" if end - first == 1 else f"{what}s {first} to {end - 1}"


class _Drawing:
    """Cards of regions of one data set."""

    def __init__(self, dataset: MaskDataset, suggested: Mapping[int, NDArray[Any]] | None) -> None:
        self.dataset, self.suggested = dataset, suggested
        self.sheet = lru_cache(maxsize=2)(self._sheet)

    def _sheet(self, i: int) -> Sheet:
        images = self.dataset.images
        image = None if images is None else images[i]
        return Sheet(image, self.dataset.size(i), self.dataset.mask(i))

    def card(
        self,
        title: str,
        image: int,
        place: tuple[int, int],
        region: Region,
        what: str,
        more: Sequence[tuple[str, str]],
        *,
        small: bool = False,
    ) -> Card:
        sheet, names = self.sheet(image), [*self.dataset.class_names, "no label"]
        answer = None if self.suggested is None else self.suggested.get(image)
        size = region.size
        count = f"{size} pixel{'s' if size > 1 else ''}"
        facts = [
            ("region", f"{what}, {count}" if what else count),
            ("given there", names[int(sheet.given[place])]),
        ]
        legend = "yellow: given outline; "
        if answer is not None:
            facts.append(("suggested there", names[int(answer[place])]))
            legend += "blue: suggested outline; yellow and blue: both; "
        legend += "pink: the region"
        facts += [("colours", legend), *more]
        return Card(title, facts, sheet.media(answer, region, legend, small=small))


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
