"""One object (instance) of an image: a class and a mask, cut to its box and packed to bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError

__all__ = ["MaskObject", "objects_from_ids", "paint_classes", "paint_ids"]


@dataclass(frozen=True, eq=False)
class MaskObject:
    """An object's class and pixels; an eighth of a byte per pixel of its box is kept.

    Attributes
    ----------
    object_id : int
        How the source numbers it, unique within its image.
    label : int
        Class id, -1 for none.
    top, left : int
        The first row and column of its box.
    shape : tuple of int
        Height and width of its box, in pixels.
    packed : ndarray of uint8
        `numpy.packbits` of the mask within the box.
    crowd : bool
        A region of many objects, marked as one.
    score : float, optional
        For predictions: how sure the model is.

    Examples
    --------
    >>> mask = np.zeros((4, 6), bool)
    >>> mask[1:3, 2:5] = True
    >>> cell = MaskObject.from_mask(mask, label=1, object_id=7)
    >>> cell.box, cell.area, cell.mask.all()
    ((1, 2, 2, 3), 6, np.True_)
    >>> (cell.full((4, 6)) == mask).all()
    np.True_
    """

    object_id: int
    label: int
    top: int
    left: int
    shape: tuple[int, int]
    packed: NDArray[np.uint8]
    crowd: bool = False
    score: float | None = None

    @classmethod
    def from_mask(
        cls,
        mask: ArrayLike,
        *,
        label: int,
        object_id: int,
        top: int = 0,
        left: int = 0,
        crowd: bool = False,
        score: float | None = None,
    ) -> Self:
        """Cut a mask to its box and pack it.

        Parameters
        ----------
        mask : array_like of bool, shape (h, w)
            The object's pixels; may be empty.
        label, object_id, crowd, score
            As the attributes.
        top, left : int
            Where the mask's first row and column lie in the image.
        """
        full = np.asarray(mask, dtype=bool)
        if full.ndim != 2:
            raise InputError(f"An object's mask has shape {full.shape}; (height, width) is needed.")
        rows, cols = np.flatnonzero(full.any(axis=1)), np.flatnonzero(full.any(axis=0))
        if len(rows):
            full = full[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
            top, left = top + int(rows[0]), left + int(cols[0])
        else:
            full = full[:0, :0]
        return cls(
            object_id, label, top, left, (full.shape[0], full.shape[1]), np.packbits(full), crowd, score
        )

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The pixels within the box, shape ``self.shape``."""
        bits = np.unpackbits(self.packed, count=self.shape[0] * self.shape[1])
        return bits.reshape(self.shape).astype(bool)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, height, width in pixels."""
        return self.top, self.left, *self.shape

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (
            int(np.bitwise_count(self.packed).sum()) if hasattr(np, "bitwise_count") else int(self.mask.sum())
        )

    @property
    def window(self) -> tuple[slice, slice]:
        """The box as an index into an image."""
        return slice(self.top, self.top + self.shape[0]), slice(self.left, self.left + self.shape[1])

    def full(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask in an image of height and width ``size``."""
        out = np.zeros(size, dtype=bool)
        out[self.window] = self.mask
        return out

    def with_label(self, label: int) -> Self:
        """The same pixels with another class."""
        return replace(self, label=label)


def objects_from_ids(ids: ArrayLike, labels: Any = 0) -> tuple[MaskObject, ...]:
    """Objects of an id map, 0 for background, in the order of their ids.

    Parameters
    ----------
    ids : array_like of int, shape (h, w)
        The object of each pixel.
    labels : int, or mapping of id to int
        Their classes.

    Examples
    --------
    >>> [(cell.object_id, cell.box) for cell in objects_from_ids([[1, 1, 0], [0, 0, 5]])]
    [(1, (0, 0, 1, 2)), (5, (1, 2, 1, 1))]
    """
    from scipy import ndimage

    id_map = np.asarray(ids)
    if id_map.ndim != 2 or id_map.dtype.kind not in "iu" or (id_map.size and id_map.min() < 0):
        raise InputError(
            f"An id map has shape {id_map.shape} and type {id_map.dtype}; (height, width) of whole numbers "
            "from 0 is needed."
        )
    present = np.unique(id_map)
    present = present[present > 0]
    # Positions instead of ids: the boxes of all objects in one pass, however large the ids are.
    ranks = np.searchsorted(present, id_map) + 1
    ranks[id_map == 0] = 0
    found = []
    for rank, (object_id, window) in enumerate(zip(present.tolist(), ndimage.find_objects(ranks)), start=1):
        label = labels if isinstance(labels, int) else labels[object_id]
        rows, cols = window
        found.append(
            MaskObject.from_mask(
                ranks[window] == rank, label=label, object_id=object_id, top=rows.start, left=cols.start
            )
        )
    return tuple(found)


def paint_ids(objects: Sequence[MaskObject], size: tuple[int, int]) -> NDArray[np.int32]:
    """The id map of objects, 0 for background; where objects overlap the smaller one is seen.

    Examples
    --------
    >>> ids = [[1, 1, 0], [0, 0, 5]]
    >>> paint_ids(objects_from_ids(ids), (2, 3)).tolist() == ids
    True
    """
    out = np.zeros(size, dtype=np.int32)
    for item in _large_first(objects):
        out[item.window][item.mask] = item.object_id
    return out


def paint_classes(
    objects: Sequence[MaskObject], size: tuple[int, int], *, background: int = 0
) -> NDArray[np.int16]:
    """The class of each pixel; the smaller of two overlapping objects is seen, a crowd where nothing else is.

    A crowd's outline is coarse, so its pixels get -1, "no label".

    Examples
    --------
    >>> cell, crowd = objects_from_ids([[1, 1, 0], [0, 2, 2]], {1: 4, 2: 3})
    >>> from dataclasses import replace
    >>> paint_classes([cell, replace(crowd, crowd=True)], (2, 3)).tolist()
    [[4, 4, 0], [0, -1, -1]]
    """
    out = np.full(size, background, dtype=np.int16)
    for item in [item for item in objects if item.crowd] + _large_first(
        [item for item in objects if not item.crowd]
    ):
        out[item.window][item.mask] = -1 if item.crowd else item.label
    return out


def _large_first(objects: Sequence[MaskObject]) -> list[MaskObject]:
    return sorted(objects, key=lambda item: -item.area)
