"""Probabilities that the search for wrong objects looks at: a user's own, or of a network shown gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.array_files import read_npy
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.objects import paint_ids

__all__ = ["probabilities_of", "with_gaps"]


def probabilities_of(
    dataset: MaskDataset, probs: ArrayLike | str | Path, *, background: int = 0
) -> Callable[[int], NDArray[np.float32]]:
    """Class probabilities of one image at a time, from an array or a ``.npy`` file that stays on disk.

    Parameters
    ----------
    dataset : MaskDataset
    probs : array_like or path
        One row per pixel in the data set's order: (n,) foreground or (n, K) classes; float from 0 to 1, or uint8 in
        steps of 1/255.
    background : int

    Returns
    -------
    callable
        Image number to (h, w, K). A foreground is shared evenly among the other classes.

    Raises
    ------
    InputError
        Another number of pixels or classes, or numbers beyond 0 to 1.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1]]], ("no", "yes"))
    >>> probabilities_of(data, np.array([0.25, 1.0]))(0).tolist()
    [[[0.75, 0.25], [0.0, 1.0]]]
    """
    if isinstance(probs, str | Path):
        values = read_npy(probs, mapped=True, what="The file of probabilities")
    else:
        values = np.asarray(probs)
    n, k = dataset.n_units, dataset.n_classes
    if values.shape not in ((n,), (n, k)) or (values.dtype != np.uint8 and values.dtype.kind != "f"):
        raise InputError(
            f"The probabilities have shape {values.shape} and type {values.dtype}; ({n},) for the foreground or "
            f"({n}, {k}) for the classes is needed, float from 0 to 1 or uint8 from 0 to 255."
        )

    def of_image(image: int) -> NDArray[np.float32]:
        part = np.asarray(values[dataset.window(image)], dtype=np.float32)
        if values.dtype == np.uint8:
            part = part / np.float32(255)
        if not (part >= -1e-3).all() or not (part <= 1 + 1e-3).all():
            raise InputError(
                f"The probabilities of image {dataset.image_ids[image]} are not all from 0 to 1; pass softmax values."
            )
        if part.ndim == 1:
            spread = np.repeat(part[:, None] / np.float32(max(k - 1, 1)), k, axis=1)
            spread[:, background] = 1 - part
            part = spread
        return part.reshape(*dataset.size(image), k)

    return of_image


def with_gaps(dataset: MaskDataset, *, background: int = 0) -> MaskDataset:
    """The data set with background where objects touch, so that a network learns to keep them apart.

    Examples
    --------
    >>> from labelnoise.segmentation.objects import objects_from_ids
    >>> ids = np.array([[1, 1, 2, 2, 0]])
    >>> data = MaskDataset.from_masks([np.sign(ids)], ("no", "yes"), objects=[objects_from_ids(ids, 1)])
    >>> with_gaps(data).mask(0).tolist()
    [[1, 0, 0, 1, 0]]
    """
    if dataset.objects is None:
        return dataset
    given = dataset.given.copy()
    for i in range(dataset.n_images):
        ids = paint_ids(dataset.objects[i], dataset.size(i))
        touch = np.zeros(ids.shape, dtype=bool)
        for one, other, a, b in (
            (ids[1:], ids[:-1], touch[1:], touch[:-1]),
            (ids[:, 1:], ids[:, :-1], touch[:, 1:], touch[:, :-1]),
        ):
            apart = (one != other) & (one > 0) & (other > 0)
            a |= apart
            b |= apart
        part = given[dataset.window(i)]
        part[touch.ravel() & (part >= 0)] = background
    return replace(dataset, given=given, true=None)
