"""Pictures of a review page: the part around a region with the given outline and the suggested one, and its place."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.cards import Media, View
from labelnoise.segmentation.prompts import colour_image

__all__ = ["Region", "Sheet", "drawing"]

#: Longest side on the page of the enlarged part and of the whole picture.
CLOSE, WHOLE = 420, 320
#: Pictures up to this side are stored as they are, once, and enlarged parts are views of them; of a larger picture the
#: whole is stored reduced, and each enlarged part by itself.
KEPT = 512
#: Least pixels of the picture that are shown around a region, and in all.
_AROUND, _LEAST = 12, 48
#: Places in the palette of drawings: nothing, given outline, suggested outline, region.
COLOURS = ((0, 0, 0), (255, 196, 0), (0, 224, 255), (255, 0, 160))
_GIVEN, _SUGGESTED, _REGION = 1, 2, 3
_OPACITY = bytes((0, 255, 255, 166))
#: A part whose lightness spans less than this share of the stored picture's is stored by itself, stretched.
_DULL = 0.6


@dataclass(frozen=True)
class Region:
    """Pixels of one image that are decided at once.

    Attributes
    ----------
    mask : ndarray of bool
        Within the smallest box that holds them.
    top, left : int
        Of that box.

    Examples
    --------
    >>> region = Region.of(np.array([12, 13, 23]), 10)
    >>> region.mask.astype(int).tolist(), region.rows, region.columns, region.size
    ([[1, 1], [0, 1]], (1, 3), (2, 4), 3)
    """

    mask: NDArray[np.bool_]
    top: int
    left: int

    @classmethod
    def of(cls, pixels: NDArray[np.int64], width: int) -> Region:
        """Pixels numbered row by row in an image of some width; at least one."""
        rows, columns = np.divmod(pixels, width)
        top, left = int(rows.min()), int(columns.min())
        mask = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=bool)
        mask[rows - top, columns - left] = True
        return cls(mask, top, left)

    @property
    def rows(self) -> tuple[int, int]:
        """First row, and the one after the last."""
        return self.top, self.top + self.mask.shape[0]

    @property
    def columns(self) -> tuple[int, int]:
        """First column, and the one after the last."""
        return self.left, self.left + self.mask.shape[1]

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(self.mask.sum())

    def within(self, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """The mask of a part of the image."""
        out = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=bool)
        spans = [
            (max(own[0], part.start), min(own[1], part.stop))
            for own, part in ((self.rows, rows), (self.columns, columns))
        ]
        if any(first >= end for first, end in spans):
            return out
        mine = tuple(slice(a - start, b - start) for (a, b), start in zip(spans, (self.top, self.left)))
        theirs = tuple(slice(a - p.start, b - p.start) for (a, b), p in zip(spans, (rows, columns)))
        out[theirs] = self.mask[mine]
        return out


class Sheet:
    """The pictures of one image, made once for all of its cards.

    Parameters
    ----------
    image : array_like, optional
        Grey or colour, of any type; without one the labels are drawn on grey.
    size : tuple of int
        Height and width.
    given : ndarray of int, shape (h, w)
        Labels.

    Examples
    --------
    >>> sheet = Sheet(None, (20, 30), np.eye(20, 30, dtype=int))
    >>> close, whole = sheet.media(None, Region.of(np.array([0, 31]), 30), "yellow: given outline")
    >>> close.src == whole.src, close.view.width, whole.view.frame is not None
    (True, 420, True)
    """

    def __init__(self, image: Any, size: tuple[int, int], given: NDArray[Any]) -> None:
        self.size, self.given = size, given
        self._pixels = np.full((*size, 1), 128, dtype=np.uint8) if image is None else _bytes_of(image)
        self._alone = max(size) > KEPT
        shown = _reduced(self._pixels, WHOLE) if self._alone else self._pixels
        self._range = _range(shown)
        self._whole = _photo(_stretched(shown, self._range), 85)

    def media(
        self, suggested: NDArray[Any] | None, region: Region, legend: str, *, small: bool = False
    ) -> list[Media]:
        """The part around a region, enlarged, with outlines; and the whole picture, unless that costs and is not wanted.

        Parameters
        ----------
        suggested : ndarray of int, shape (h, w), optional
        region : Region
        legend : str
            What the colours mean.
        small : bool
            The enlarged part at half the size, and of a large picture nothing else.
        """
        height, width = self.size
        rows, columns = _window(region, self.size)
        side = (rows.stop - rows.start, columns.stop - columns.start)
        longest = CLOSE // 2 if small else CLOSE
        over = drawing(
            self.given[rows, columns],
            None if suggested is None else suggested[rows, columns],
            region.within(rows, columns),
            longest,
        )
        part = (columns.start / width, rows.start / height, side[1] / width, side[0] / height)
        seen = self._pixels[rows, columns]
        low, high = _range(seen)
        source = self._whole
        if self._alone or high - low < _DULL * (self._range[1] - self._range[0]):
            # Compression leaves little of what is stretched after it.
            source = _photo(_stretched(_reduced(seen, longest), (low, high)), 80)
            part = (0.0, 0.0, 1.0, 1.0)
        # Outlines need the pixels of the page, whatever size the part is drawn at.
        shown = _fitted(side, CLOSE)
        view = View(shown[1], shown[0], part, _uri(over, "png"))
        media = [Media("image", source, f"Around the region; {legend}", view)]
        if not (small and self._alone):
            place = _fitted(self.size, WHOLE)
            frame = _frame(region, self.size, place)
            view = View(place[1], place[0], frame=frame)
            media.append(Media("image", self._whole, "The whole picture; pink: where the region is", view))
        return media


def drawing(
    given: NDArray[Any], suggested: NDArray[Any] | None, region: NDArray[np.bool_], longest: int
) -> bytes:
    """A PNG to lay over a picture: the outlines of two maps, and a region in stripes, on nothing.

    Outlines are drawn after enlarging, one or two pixels wide between the pixels they part, so that they hide little.

    Parameters
    ----------
    given : ndarray of int, shape (h, w)
    suggested : ndarray of int, shape (h, w), optional
    region : ndarray of bool, shape (h, w)
    longest : int
        Longer side of the drawing.

    Examples
    --------
    >>> drawing(np.eye(20, 30, dtype=int), None, np.eye(20, 30) > 0, 420)[1:4]
    b'PNG'
    """
    from PIL import Image

    shape = _fitted(given.shape, longest)
    zoom = longest / max(given.shape)
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, given.shape))
    stripes, turns = _slanted(shape)
    # Stripes leave the picture to be seen between them, unless the region is tiny.
    solid = region.sum() * zoom * zoom < 60
    places = np.zeros(shape, dtype=np.uint8)
    inside = region[rows][:, columns]
    places[inside if solid else inside & stripes] = _REGION
    thick = 2 if zoom >= 3 else 1
    line = _borders(given[rows][:, columns], thick)
    places[line] = _GIVEN
    if suggested is not None:
        other = _borders(suggested[rows][:, columns], thick)
        # Where both outlines run they alternate.
        places[other & (~line | turns)] = _SUGGESTED
    made = Image.fromarray(places, "P")
    made.putpalette([value for colour in COLOURS for value in colour])
    out = io.BytesIO()
    made.save(out, format="PNG", bits=2, transparency=_OPACITY)
    return out.getvalue()


@lru_cache(maxsize=8)
def _slanted(shape: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Stripes that leave two thirds free, and stripes that leave half."""
    place = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))
    return place // 3 % 3 == 0, place // 6 % 2 == 0


def _window(region: Region, size: tuple[int, int]) -> tuple[slice, slice]:
    """A square around a region, as far as the image goes."""
    spans = (region.rows, region.columns)
    side = max(_LEAST, *(end - first + 2 * _AROUND for first, end in spans))
    made = []
    for (begin, end), length in zip(spans, size):
        first = int(np.clip((begin + end - side) // 2, 0, max(length - side, 0)))
        made.append(slice(first, min(first + side, length)))
    return made[0], made[1]


def _frame(
    region: Region, size: tuple[int, int], place: tuple[int, int]
) -> tuple[float, float, float, float]:
    """A box 4 pixels of the page around the region, in shares."""
    spans = []
    for (begin, end), length, shown in zip((region.columns, region.rows), size[::-1], place[::-1]):
        # The line is 2 pixels wide and half of it would lie outside at the edge.
        first, last = begin / length - 4 / shown, end / length + 4 / shown
        spans.append((max(first, 1 / shown), min(last, 1 - 1 / shown)))
    (left, right), (top, bottom) = spans
    return round(left, 4), round(top, 4), round(right - left, 4), round(bottom - top, 4)


def _bytes_of(image: Any) -> NDArray[np.uint8]:
    """Rows, columns and one channel or three; one costs a third."""
    array = np.asarray(image)
    if array.ndim == 2 or array.shape[2] < 3:
        return colour_image(array)[..., :1]
    return colour_image(array)


def _fitted(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    zoom = longest / max(shape)
    return max(round(shape[0] * zoom), 1), max(round(shape[1] * zoom), 1)


def _reduced(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Means over pixels, so that the longer side fits; what fits stays."""
    from PIL import Image

    if max(pixels.shape[:2]) <= longest:
        return pixels
    height, width = _fitted(pixels.shape[:2], longest)
    picture = _opened(pixels).resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture).reshape(height, width, -1)


def _range(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """The lightness of nearly all pixels; a few of many are enough to know it."""
    few = pixels[:: max(pixels.shape[0] // 256, 1), :: max(pixels.shape[1] // 256, 1)]
    low, high = np.quantile(few, [0.005, 0.995])
    return float(low), float(high)


def _stretched(pixels: NDArray[np.uint8], span: tuple[float, float]) -> NDArray[np.uint8]:
    """Lightness to all the range there is, unless next to nothing is to be seen."""
    low, high = span
    if high - low <= 4:
        return pixels
    table = ((np.arange(256) - low) * (255 / (high - low))).clip(0, 255).round().astype(np.uint8)
    return np.asarray(table[pixels])


def _opened(pixels: NDArray[np.uint8]) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _photo(pixels: NDArray[np.uint8], quality: int) -> str:
    out = io.BytesIO()
    _opened(pixels).save(out, format="WEBP", quality=quality, method=2)
    return _uri(out.getvalue(), "webp")


def _borders(labels: NDArray[Any], thick: int) -> NDArray[np.bool_]:
    """Where labels change, on the lower and right side of the change."""
    edge = np.zeros(labels.shape, dtype=bool)
    for k in range(1, thick + 1):
        edge[k:] |= labels[k:] != labels[:-k]
        edge[:, k:] |= labels[:, k:] != labels[:, :-k]
    return edge


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")
