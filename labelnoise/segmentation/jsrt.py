"""Chest X-rays with lungs, heart and clavicles (JSRT), and the biased noise that was published for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.files import IMAGE_ENDINGS, files_by_stem, pair_by_stem
from labelnoise.segmentation.images import LazyImages, read_index_png

__all__ = ["CLASSES", "classes_of_bits", "read_jsrt"]

#: Class names; the number of a class but the first is 1 + the place of its bit.
CLASSES = ("background", "lung", "heart", "clavicle")
SPLITS = ("train", "val", "test")


def classes_of_bits(bits: ArrayLike) -> NDArray[np.int8]:
    """One class per pixel of a bit mask (1 lung, 2 heart, 4 clavicle): the highest bit that is set.

    Organs overlap in a projection; the clavicle is seen before the heart, and the heart before the lung.

    Parameters
    ----------
    bits : array_like of int, any shape
        From 0 to 7.

    Raises
    ------
    InputError
        A number above 7.

    Examples
    --------
    >>> classes_of_bits([0, 1, 2, 3, 5, 7]).tolist()
    [0, 1, 2, 2, 3, 3]
    """
    array = np.asarray(bits)
    if array.dtype.kind not in "iu" or (array.size and (array.min() < 0 or array.max() > 7)):
        raise InputError("A JSRT mask holds bits 1, 2 and 4, so numbers from 0 to 7; this is another file.")
    return np.array([0, 1, 2, 2, 3, 3, 3, 3], dtype=np.int8)[array]


def read_jsrt(
    folder: str | Path, *, noise: str | None = "noisy_j1", splits: tuple[str, ...] = SPLITS
) -> MaskDataset:
    """Read the three splits; where a noisy version is there it is what is given, and the clean one is true.

    Parameters
    ----------
    folder : str or Path
        With ``train``, ``val`` and ``test``, each with ``images`` and ``labels``.
    noise : str, optional
        The folder of noisy labels beside ``labels``; None gives the clean labels everywhere.
    splits : tuple of str
        Which to read.

    Raises
    ------
    InputError
        No such folder, or images without labels.

    References
    ----------
    Shiraishi et al. 2000 (JSRT); van Ginneken, Stegmann and Loog 2006 (outlines); Yao et al. 2023, Learning to
    Segment from Noisy Annotations: A Spatial Correction Approach, ICLR (noise).
    """
    base = Path(folder)
    if noise is not None and not any((base / split / noise).is_dir() for split in splits):
        raise InputError(
            f"{base} has no folder {noise!r} beside labels; give noise=None for the clean labels."
        )
    stems: list[str] = []
    images: list[Path] = []
    given: list[Path] = []
    clean: list[Path] = []
    of_split: list[str] = []
    for split in splits:
        labels = files_by_stem(base / split / "labels", (".png",))
        if not labels:
            raise InputError(f"{base / split / 'labels'} holds no PNG; this is no copy of JSRT.")
        pictures = files_by_stem(base / split / "images", IMAGE_ENDINGS)
        noisy_folder = base / split / (noise or "labels")
        noisy = files_by_stem(noisy_folder, (".png",)) if noisy_folder.is_dir() else labels
        order = sorted(labels)
        stems += order
        of_split += [split] * len(order)
        images += [item for _, item in pair_by_stem(order, pictures, base / split / "images")]
        given += [item for _, item in pair_by_stem(order, noisy, noisy_folder)]
        clean += [labels[stem] for stem in order]
    fields: dict[str, Any] = {
        "image_ids": tuple(stems),
        "images": LazyImages(images),
        "splits": {split: np.array(of_split) == split for split in splits},
        "source": str(base),
    }
    return MaskDataset.from_masks(
        (classes_of_bits(read_index_png(item)) for item in given),
        CLASSES,
        name="JSRT",
        true=(classes_of_bits(read_index_png(item)) for item in clean),
        **fields,
    )
