"""Masks of several annotators: one folder each, stacked pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import flatten_masks, label_dtype
from labelnoise.segmentation.files import MASK_ENDINGS, files_by_stem
from labelnoise.segmentation.images import image_size, read_index_png

__all__ = ["AnnotatorMasks", "annotator_files", "read_annotators", "stack_votes"]

#: What the folder of an annotator in a data set's folder begins with.
PREFIX = "masks-"


@dataclass(frozen=True, kw_only=True)
class AnnotatorMasks:
    """What each annotator said of each pixel.

    Attributes
    ----------
    votes : ndarray of int8 or int16, shape (n, A)
        Class ids, -1 where an annotator gave none; pixels as in a `MaskDataset` of the same images.
    annotators : tuple of str
        Their names, in the order of the columns.
    image_ids : tuple of str
    sizes : ndarray of int64, shape (m, 2)
        Height and width of the images.
    class_names : tuple of str
    """

    votes: NDArray[Any]
    annotators: tuple[str, ...]
    image_ids: tuple[str, ...]
    sizes: NDArray[np.int64]
    class_names: tuple[str, ...]

    @property
    def disputed(self) -> NDArray[np.bool_]:
        """Pixels on which two annotators differ, shape (n,).

        Examples
        --------
        >>> found = AnnotatorMasks(votes=np.array([[0, 0], [0, 1], [-1, 1]]), annotators=("a", "b"),
        ...     image_ids=("x",), sizes=np.array([[1, 3]]), class_names=("no", "yes"))
        >>> found.disputed.tolist()
        [False, True, False]
        """
        from labelnoise.segmentation.consensus import disputed

        return disputed(self.votes)


def read_annotators(
    folder: str | Path, class_names: Sequence[str], *, ignore: int | None = 255
) -> AnnotatorMasks:
    """Read one subfolder of index PNGs per annotator; not everybody has to have drawn every image.

    Parameters
    ----------
    folder : str or Path
        ``folder/<annotator>/<image>.png``.
    class_names : sequence of str
    ignore : int, optional
        The number that means "no label".

    Raises
    ------
    InputError
        No annotator, or masks of one image with different sizes.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.segmentation.images import write_png
    >>> base = Path(tempfile.mkdtemp())
    >>> for who, mask in {"ann": [[0, 1]], "bob": [[1, 1]]}.items():
    ...     (base / who).mkdir()
    ...     write_png(np.array(mask, dtype=np.uint8), base / who / "x.png")
    >>> read_annotators(base, ("no", "yes")).votes.tolist()
    [[0, 1], [1, 1]]
    """
    base = Path(folder)
    folders = [item for item in sorted(base.iterdir()) if item.is_dir()] if base.is_dir() else []
    maps = {item.name: files_by_stem(item, MASK_ENDINGS) for item in folders}
    maps = {name: files for name, files in maps.items() if files}
    if not maps:
        raise InputError(f"{base} holds no folder of masks; make one folder per annotator.")
    order = sorted(set().union(*maps.values()))
    votes, sizes = stack_votes(maps, order, len(class_names), ignore=ignore)
    return AnnotatorMasks(
        votes=votes,
        annotators=tuple(maps),
        image_ids=tuple(order),
        sizes=sizes,
        class_names=tuple(class_names),
    )


def annotator_files(folder: str | Path) -> dict[str, dict[str, Path]]:
    """The mask files of each folder ``masks-NAME`` by the annotator's name, then by image.

    Examples
    --------
    >>> annotator_files("no-such-folder")
    {}
    """
    base = Path(folder)
    folders = sorted(base.glob(f"{PREFIX}?*")) if base.is_dir() else []
    maps = {
        item.name.removeprefix(PREFIX): files_by_stem(item, MASK_ENDINGS) for item in folders if item.is_dir()
    }
    return {name: files for name, files in maps.items() if files}


def stack_votes(
    maps: Mapping[str, Mapping[str, Path]], order: Sequence[str], n_classes: int, *, ignore: int | None = 255
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Masks of several annotators as one column each, -1 where one drew nothing, and the sizes of the images.

    Parameters
    ----------
    maps : mapping of str to mapping of str to Path
        Annotator, then image, to file.
    order : sequence of str
        Images, each drawn by somebody.
    n_classes : int
    ignore : int, optional

    Returns
    -------
    votes : ndarray of int8 or wider, shape (n, A)
    sizes : ndarray of int64, shape (m, 2)

    Raises
    ------
    InputError
        Masks of one image with different sizes, ids beyond the classes.
    """
    sizes = np.array([image_size(next(f[stem] for f in maps.values() if stem in f)) for stem in order])
    offsets = np.concatenate([[0], np.cumsum(sizes.prod(axis=1))])
    votes = np.full((int(offsets[-1]), len(maps)), -1, dtype=label_dtype(n_classes))
    for column, files in enumerate(maps.values()):
        for i, stem in enumerate(order):
            if stem not in files:
                continue
            flat, found = flatten_masks([read_index_png(files[stem])], n_classes, ignore=ignore)
            if not np.array_equal(found[0], sizes[i]):
                raise InputError(
                    f"{files[stem]} is {found[0][0]} x {found[0][1]} and another annotator's mask of {stem!r} is "
                    f"{sizes[i][0]} x {sizes[i][1]}; they must be of one size."
                )
            votes[offsets[i] : offsets[i + 1], column] = flat
    return votes, sizes.astype(np.int64)
