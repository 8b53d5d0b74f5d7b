"""Wrong pixels that are one mistake: those that touch and are to become the same thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from labelnoise.segmentation.dataset import MaskDataset

if TYPE_CHECKING:
    from labelnoise.core.issues import IssueTable

__all__ = ["connected_pixels", "issue_regions"]


def issue_regions(dataset: MaskDataset, table: IssueTable) -> NDArray[np.int64]:
    """The region of each row of a table of issues; rows that are not flagged are alone.

    Parameters
    ----------
    dataset : MaskDataset
        What the table judges.
    table : IssueTable

    Returns
    -------
    ndarray of int64, shape (r,)
        Equal for pixels of one image that touch, also at corners, and share given label, suggestion and kind.
    """
    columns = table.columns
    alike = _numbers(*(columns[name] for name in ("given", "suggested", "kind")))
    return connected_pixels(dataset, columns["index"], np.where(columns["flagged"], alike, -1))


def connected_pixels(dataset: MaskDataset, index: ArrayLike, alike: ArrayLike) -> NDArray[np.int64]:
    """Numbers of the connected parts among some pixels.

    Parameters
    ----------
    dataset : MaskDataset
    index : array_like of int, shape (r,)
        Pixels, each once, in any order.
    alike : array_like of int, shape (r,)
        Only pixels with the same number are joined; those below 0 are alone.

    Returns
    -------
    ndarray of int64, shape (r,)
        From 0 in the order of the parts' first rows.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 0, 0], [0, 1, 0]], [[0, 0]]], ("no", "yes"))
    >>> connected_pixels(data, [0, 2, 4, 5, 6, 7], [3, 3, 3, 3, 3, -1]).tolist()
    [0, 0, 0, 0, 1, 2]
    >>> connected_pixels(data, [0, 2, 4, 5], [3, 3, 8, 3]).tolist()
    [0, 1, 2, 1]
    """
    rows, kinds = np.asarray(index, dtype=np.int64), np.asarray(alike, dtype=np.int64)
    parts = np.arange(len(rows))
    joined = np.flatnonzero(kinds >= 0)
    image, y, x = dataset.position(rows[joined].tolist()) if len(joined) else (joined, joined, joined)
    order = np.lexsort((kinds[joined], image))
    ends = np.flatnonzero((np.diff(image[order]) != 0) | (np.diff(kinds[joined][order]) != 0)) + 1
    for block in np.split(order, ends) if len(order) else []:
        top, left = y[block].min(), x[block].min()
        mask = np.zeros((y[block].max() - top + 1, x[block].max() - left + 1), dtype=bool)
        mask[y[block] - top, x[block] - left] = True
        found, _ = ndimage.label(mask, structure=np.ones((3, 3)))
        number = found[y[block] - top, x[block] - left]
        # A part is called by the least of its rows, which no other part holds.
        least = np.full(number.max() + 1, len(rows))
        np.minimum.at(least, number, joined[block])
        parts[joined[block]] = least[number]
    _, numbers = np.unique(parts, return_inverse=True)
    return numbers.astype(np.int64)


def _numbers(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """A number per row, equal where all columns are."""
    made = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        # A few names on many rows: a look-up takes a fifth of the time of sorting text.
        seen: dict[Any, int] = {}
        found = (seen.setdefault(name, len(seen)) for name in column.tolist())
        codes = np.fromiter(found, dtype=np.int64, count=len(made))
        made = made * max(len(seen), 1) + codes
    return made
