"""Objects from class maps, and class maps that follow changed objects or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.objects import MaskObject

__all__ = ["follow_labels", "objects_of_classes", "repaint", "share_of_wrong_objects"]

Labels = NDArray[Any]
Objects = tuple[MaskObject, ...]


def objects_of_classes(labels: Labels, *, background: int = 0) -> Objects:
    """The 8-connected parts of every class but the background, as objects numbered from 1.

    Examples
    --------
    >>> [(o.label, o.box) for o in objects_of_classes(np.array([[1, 0, 2], [0, 1, 2]]))]
    [(1, (0, 0, 2, 2)), (2, (0, 2, 2, 1))]
    """
    from scipy import ndimage

    found: list[MaskObject] = []
    for label in np.unique(labels[labels >= 0]).tolist():
        if label == background:
            continue
        parts, _ = ndimage.label(labels == label, structure=np.ones((3, 3)))
        for number, (rows, cols) in enumerate(ndimage.find_objects(parts), start=1):
            found.append(
                MaskObject.from_mask(
                    parts[rows, cols] == number,
                    label=label,
                    object_id=len(found) + 1,
                    top=rows.start,
                    left=cols.start,
                )
            )
    return tuple(found)


def repaint(
    labels: Labels, before: Sequence[MaskObject], after: Sequence[MaskObject], *, background: int = 0
) -> Labels:
    """The class map after objects changed; pixels whose painted class stays, and those without one, are kept.

    Examples
    --------
    >>> old = objects_of_classes(np.array([[1, 1, 0]]))
    >>> repaint(np.array([[1, 1, -1]]), old, [o.with_label(2) for o in old]).tolist()
    [[2, 2, -1]]
    """
    old, new = _painted(before, labels.shape, background), _painted(after, labels.shape, background)
    out = labels.copy()
    changed = (old != new) & (labels >= 0)
    out[changed] = new[changed]
    return out


def _painted(objects: Sequence[MaskObject], size: Any, background: int) -> Labels:
    out = np.full(size, background, dtype=np.int32)
    # Ties by number, so that the order in which objects are listed does not matter.
    for item in sorted((o for o in objects if not o.crowd), key=lambda o: (-o.area, o.object_id)):
        if item.label >= 0:
            out[item.window][item.mask] = item.label
    return out


def follow_labels(
    objects: Sequence[MaskObject], before: Labels, after: Labels, *, background: int = 0
) -> Objects:
    """Objects whose pixels follow a changed class map.

    An object loses the pixels that left its class; a pixel that came to a class joins its nearest object.

    Examples
    --------
    >>> before, after = np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])
    >>> follow_labels(objects_of_classes(before), before, after)[0].box
    (0, 1, 1, 2)
    """
    from scipy import ndimage

    changed = before != after
    if not changed.any():
        return tuple(objects)
    full: dict[int, NDArray[np.bool_]] = {}
    size = (before.shape[0], before.shape[1])
    for item in objects:
        if not item.crowd and (changed[item.window] & item.mask).any():
            mask = item.full(size)
            mask &= ~(changed & (before == item.label))
            full[item.object_id] = mask
    for label in np.unique(after[changed]).tolist():
        own = [o for o in objects if o.label == label and not o.crowd and o.area]
        if label == background or not own:
            continue
        ids = np.zeros(size, dtype=np.int64)
        for item in sorted(own, key=lambda o: (-o.area, o.object_id)):
            ids[item.window][item.mask] = item.object_id + 1
        came = changed & (after == label)
        near = ndimage.distance_transform_edt(ids == 0, return_distances=False, return_indices=True)
        owner = np.where(came, ids[near[0], near[1]], 0)
        for item in own:
            joined = owner == item.object_id + 1
            if joined.any():
                full[item.object_id] = full.get(item.object_id, item.full(size)) | joined
    return tuple(
        MaskObject.from_mask(
            full[o.object_id], label=o.label, object_id=o.object_id, crowd=o.crowd, score=o.score
        )
        if o.object_id in full
        else o
        for o in objects
    )


def share_of_wrong_objects(dataset: MaskDataset, *, background: int = 0) -> float:
    """True objects with a pixel of another given class, as a share of all; without objects, of connected parts.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(6, 32)
    >>> share_of_wrong_objects(data.with_labels(data.true, true=data.true)), share_of_wrong_objects(data) > 0
    (0.0, True)
    """
    n_objects = n_wrong = 0
    for i in range(dataset.n_images):
        true = dataset.true_mask(i)
        if true is None:
            raise InputError(
                f"{dataset.name} has no true labels; which of its objects are wrong is not known."
            )
        objects = (
            objects_of_classes(true, background=background)
            if dataset.true_objects is None
            else dataset.true_objects[i]
        )
        given = dataset.mask(i)
        wrong = (given != true) & (given >= 0) & (true >= 0)
        n_objects += len(objects)
        n_wrong += sum(bool((wrong[item.window] & item.mask).any()) for item in objects) if wrong.any() else 0
    return n_wrong / max(n_objects, 1)
