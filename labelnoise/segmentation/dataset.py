"""Images whose pixels carry labels: one narrow flat array for all of them, images read on demand, objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.made_ids import MadeIds
from labelnoise.core.validation import InputError
from labelnoise.segmentation.images import image_digest
from labelnoise.segmentation.objects import MaskObject

__all__ = ["MaskDataset", "PixelIds", "flatten_masks", "label_dtype"]

Objects = Sequence[Sequence[MaskObject]]


@dataclass(frozen=True, kw_only=True)
class MaskDataset(Dataset):
    """Pixels with a given label, image after image, each row by row.

    ``given`` and ``true`` hold int8 up to 127 classes (int16 above): one byte per pixel each, while names of
    pixels and the image that each belongs to are computed when asked for.

    Attributes
    ----------
    sizes : ndarray of int, shape (m, 2)
        Height and width of every image, in pixels.
    image_ids : tuple of str
        Names of the images.
    images : sequence of ndarray, optional
        (h, w) or (h, w, channels) each; a `LazyImages` reads them when needed. None: labels only.
    objects, true_objects : sequence of sequences of MaskObject, optional
        The objects of each image as they are given, and as they truly are where that is known.
    splits : mapping of str to ndarray of bool, shape (m,)
        Published splits of the images.
    votes : ndarray of int8 or wider, shape (n, A), optional
        What each of several annotators called each pixel, -1 for none; ``given`` is then what they say together.
    annotators : tuple of str
        Their names.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1], [1, 255]], [[0, 0, 1]]], ("sky", "tree"), ignore=255)
    >>> data.n_images, data.n_units, data.given.dtype
    (2, 7, dtype('int8'))
    >>> data.mask(0).tolist(), data.ids[[1, 6]].tolist(), data.image_of([3, 4]).tolist()
    ([[0, 1], [1, -1]], ['0:0:1', '1:0:2'], [0, 1])
    """

    sizes: NDArray[np.int64]
    image_ids: tuple[str, ...] = ()
    images: Sequence[NDArray[Any]] | None = None
    objects: Objects | None = None
    true_objects: Objects | None = None
    splits: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    votes: NDArray[Any] | None = None
    annotators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        dtype = label_dtype(self.n_classes)
        for name in ("given", "true"):
            value = getattr(self, name)
            if value is not None and value.dtype != dtype:
                object.__setattr__(self, name, value.astype(dtype))
        sizes = np.asarray(self.sizes, dtype=np.int64)
        object.__setattr__(self, "sizes", sizes)
        if sizes.ndim != 2 or sizes.shape[1] != 2 or len(sizes) == 0 or sizes.min() < 1:
            raise InputError(
                f"sizes has shape {sizes.shape}; give height and width, 1 or more, of at least one image."
            )
        if int(sizes.prod(axis=1).sum()) != self.n_units:
            raise InputError(
                f"The images have {int(sizes.prod(axis=1).sum())} pixels and there are {self.n_units} labels; "
                "give one label per pixel."
            )
        m = len(sizes)
        if not self.image_ids:
            object.__setattr__(self, "image_ids", tuple(str(index) for index in range(m)))
        if len(set(self.image_ids)) != len(self.image_ids):
            raise InputError("Two images have the same name; give every image a name of its own.")
        lists = {what: getattr(self, what) for what in ("image_ids", "images", "objects", "true_objects")}
        for what, value in {
            **lists,
            **{f"The split {key!r}": mask for key, mask in self.splits.items()},
        }.items():
            if value is not None and len(value) != m:
                raise InputError(f"{what} has {len(value)} entries for {m} images; give one per image.")
        for group in (self.objects, self.true_objects):
            for i, row in enumerate(group or ()):
                _check_objects(row, tuple(sizes[i]), self.n_classes, self.image_ids[i])
        if self.votes is not None:
            _check_votes(self.votes, (self.n_units, len(self.annotators)), self.n_classes)

    @classmethod
    def from_masks(
        cls,
        masks: Iterable[ArrayLike],
        class_names: Sequence[str],
        *,
        name: str = "masks",
        true: Iterable[ArrayLike] | None = None,
        ignore: int | None = None,
        **fields: Any,
    ) -> Self:
        """Build a data set from one class map per image.

        Parameters
        ----------
        masks : iterable of array_like of int, shape (h, w)
            Class ids, or -1, or ``ignore``, for "no label". Read one at a time.
        class_names : sequence of str
        name : str
        true : iterable of array_like, optional
            The true class maps.
        ignore : int, optional
            The number that stands for "no label", often 255.
        **fields
            Any other attribute of the class.
        """
        k = len(class_names)
        given, sizes = flatten_masks(masks, k, ignore=ignore)
        right = None
        if true is not None:
            right, true_sizes = flatten_masks(true, k, ignore=ignore)
            if not np.array_equal(sizes, true_sizes):
                raise InputError("Given and true masks differ in number or size; give one of each per image.")
        return cls(name=name, given=given, true=right, class_names=tuple(class_names), sizes=sizes, **fields)

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.sizes)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each image's pixels start, and the total, shape (m + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes.prod(axis=1))])

    @property
    def ids(self) -> Any:
        """Names of pixels, ``image:row:column``, made when indexed."""
        return PixelIds(self) if self.unit_ids is None else self.unit_ids

    def size(self, image: int) -> tuple[int, int]:
        """Height and width of one image."""
        height, width = self.sizes[image]
        return int(height), int(width)

    def window(self, image: int) -> slice:
        """The units of one image."""
        return slice(int(self.offsets[image]), int(self.offsets[image + 1]))

    def mask(self, image: int) -> NDArray[Any]:
        """The given class map of one image, shape (h, w), -1 for "no label"; a view, do not write to it."""
        return self.given[self.window(image)].reshape(self.size(image))

    def true_mask(self, image: int) -> NDArray[Any] | None:
        """The true class map of one image, or None; a view."""
        return None if self.true is None else self.true[self.window(image)].reshape(self.size(image))

    def fold(self, values: ArrayLike, image: int) -> NDArray[Any]:
        """One image's part of any array over pixels (n, ...) as (h, w, ...).

        Examples
        --------
        >>> data = MaskDataset.from_masks([[[0, 1]], [[1], [0]]], ("a", "b"))
        >>> data.fold([0.1, 0.2, 0.3, 0.4], 1).tolist()
        [[0.3], [0.4]]
        """
        array = np.asarray(values)
        if len(array) != self.n_units:
            raise InputError(f"There are {len(array)} values for {self.n_units} pixels; give one per pixel.")
        return array[self.window(image)].reshape(*self.size(image), *array.shape[1:])

    def class_counts(self) -> NDArray[np.int64]:
        """Number of pixels given to each class, shape (K,), counted image by image."""
        counts = np.zeros(self.n_classes + 1, dtype=np.int64)
        for i in range(self.n_images):
            # Counting widens to eight bytes per pixel, so never all pixels at once.
            counts += np.bincount(self.given[self.window(i)] + np.int64(1), minlength=self.n_classes + 1)
        return counts[1:]

    def image_of(self, units: ArrayLike) -> NDArray[np.int64]:
        """The image that each of these units lies in."""
        return np.searchsorted(self.offsets, np.asarray(units, dtype=np.int64), side="right") - 1

    def position(self, units: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Image, row and column of these units."""
        rows = np.asarray(units, dtype=np.int64)
        image = self.image_of(rows)
        y, x = np.divmod(rows - self.offsets[image], self.sizes[image, 1])
        return image, y, x

    def image_groups(self) -> NDArray[np.int32]:
        """The image of every pixel, shape (n,): four bytes per pixel, made anew at every call."""
        return np.repeat(np.arange(self.n_images, dtype=np.int32), self.sizes.prod(axis=1))

    def take(self, images: ArrayLike) -> Self:
        """The data set of some images, by number, in that order."""
        from dataclasses import replace

        chosen = np.asarray(images)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        if not len(chosen):
            raise InputError("No image was chosen; a data set has at least one.")

        def rows(values: Any) -> Any:
            return None if values is None else [values[int(i)] for i in chosen]

        def pixels(flat: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if flat is None else np.concatenate([flat[self.window(int(i))] for i in chosen])

        given = pixels(self.given)
        assert given is not None
        return replace(
            self,
            given=given,
            true=pixels(self.true),
            groups=pixels(self.groups),
            unit_ids=pixels(self.unit_ids),
            sizes=self.sizes[chosen],
            image_ids=tuple(rows(self.image_ids)),
            images=None if self.images is None else _Chosen(self.images, chosen),
            objects=rows(self.objects),
            true_objects=rows(self.true_objects),
            splits={name: mask[chosen] for name, mask in self.splits.items()},
            votes=pixels(self.votes),
        )

    def arrays(self) -> dict[str, Any]:
        found = {**super().arrays(), "sizes": self.sizes, "image_ids": np.array(self.image_ids, dtype=object)}
        if self.images is not None:
            found["images"] = np.array(_digests(self.images), dtype=object)
        if self.objects is not None:
            flat = [(i, item) for i, row in enumerate(self.objects) for item in row]
            found["object_table"] = np.array(
                [(i, item.object_id, item.label, *item.box, item.crowd) for i, item in flat], dtype=np.int64
            ).reshape(-1, 8)
            parts = [item.packed for _, item in flat]
            found["object_bits"] = np.concatenate(parts) if parts else np.zeros(0, np.uint8)
        if self.votes is not None:
            found["votes"], found["annotators"] = self.votes, np.array(self.annotators, dtype=object)
        return found


class PixelIds(MadeIds):
    """Names of pixels, ``image:row:column``, made when read."""

    def __init__(self, data: MaskDataset) -> None:
        self._data = data

    def __len__(self) -> int:
        return self._data.n_units

    def named(self, units: NDArray[np.int64]) -> list[str]:
        image, y, x = self._data.position(units)
        names = self._data.image_ids
        return [f"{names[i]}:{row}:{col}" for i, row, col in zip(image.tolist(), y.tolist(), x.tolist())]


def label_dtype(n_classes: int) -> np.dtype[Any]:
    """The narrowest signed integer that holds -1 and every class id.

    Examples
    --------
    >>> label_dtype(4), label_dtype(150)
    (dtype('int8'), dtype('int16'))
    """
    return np.dtype(np.int8 if n_classes <= 127 else np.int16 if n_classes <= 32767 else np.int32)


def flatten_masks(
    masks: Iterable[ArrayLike], n_classes: int, *, ignore: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """All class maps in one narrow array, and their sizes; each is read, checked and let go.

    Parameters
    ----------
    masks : iterable of array_like of int, shape (h, w)
    n_classes : int
        K; other ids are refused, and so is a class whose id is ``ignore``.
    ignore : int, optional
        Becomes -1.

    Returns
    -------
    flat : ndarray of int8 or wider, shape (n,)
    sizes : ndarray of int64, shape (m, 2)

    Examples
    --------
    >>> flat, sizes = flatten_masks([[[0, 255]], [[1], [1]]], 2, ignore=255)
    >>> flat.tolist(), sizes.tolist()
    ([0, -1, 1, 1], [[1, 2], [2, 1]])
    """
    if ignore is not None and 0 <= ignore < n_classes:
        raise InputError(
            f"ignore is {ignore}, which is a class (ids 0 to {n_classes - 1}); choose a number outside."
        )
    dtype = label_dtype(n_classes)
    parts, sizes = [], []
    for i, mask in enumerate(masks):
        array = np.asarray(mask)
        if array.ndim != 2 or array.dtype.kind not in "iub":
            raise InputError(
                f"Mask {i} has shape {array.shape} and type {array.dtype}; (height, width) class ids are needed."
            )
        sizes.append(array.shape)
        blank = array == -1 if array.dtype.kind == "i" else np.zeros(array.shape, dtype=bool)
        if ignore is not None:
            blank |= array == ignore
        wrong = ~blank & ((array < 0) | (array >= n_classes))
        if wrong.any():
            y, x = (int(v[0]) for v in np.nonzero(wrong))
            raise InputError(
                f"Mask {i} holds {int(array[y, x])} at row {y}, column {x}; class ids are 0 to {n_classes - 1}. "
                "Name more classes, or say which number means 'no label' (ignore)."
            )
        narrow = array.astype(dtype)
        narrow[blank] = -1
        parts.append(narrow.ravel())
    if not parts:
        raise InputError("There is no mask; give at least one.")
    return np.concatenate(parts), np.array(sizes, dtype=np.int64)


class _Chosen(Sequence[NDArray[Any]]):
    """Some images of another sequence, still read on demand."""

    def __init__(self, images: Sequence[NDArray[Any]], rows: NDArray[np.int64]) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Chosen(self._images, self._rows[index])
        return self._images[int(self._rows[index])]


_KNOWN_DIGESTS = "_labelnoise_digests"


def _digests(images: Sequence[NDArray[Any]]) -> list[str]:
    """Hashes of all images; remembered with lazy ones, whose files are not expected to change meanwhile."""
    known = getattr(images, _KNOWN_DIGESTS, None)
    if known is None:
        known = [image_digest(np.asarray(image)) for image in images]
        if hasattr(images, "__dict__"):
            setattr(images, _KNOWN_DIGESTS, known)
    return list(known)


def _check_objects(row: Sequence[MaskObject], size: tuple[int, ...], k: int, image: str) -> None:
    for item in row:
        top, left, height, width = item.box
        if top < 0 or left < 0 or top + height > size[0] or left + width > size[1]:
            raise InputError(
                f"Object {item.object_id} of image {image!r} reaches beyond it "
                f"(box {item.box}, image {size[0]} x {size[1]}); check that it belongs to this image."
            )
        if not -1 <= item.label < k:
            raise InputError(
                f"Object {item.object_id} of image {image!r} has class {item.label}; ids are 0 to {k - 1}, or -1."
            )


def _check_votes(votes: NDArray[Any], shape: tuple[int, int], k: int) -> None:
    if votes.shape != shape or votes.dtype.kind != "i":
        raise InputError(
            f"votes has shape {votes.shape} and type {votes.dtype}; signed class ids of shape {shape} are needed, one "
            "row per pixel and one column per annotator."
        )
    if votes.size and (votes.min() < -1 or votes.max() >= k):
        raise InputError(
            f"votes holds {votes.min()} to {votes.max()}; class ids are 0 to {k - 1}, and -1 for none."
        )
