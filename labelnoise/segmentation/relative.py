"""The operations of COCO-N relative to an object's size: severity is the IoU that is left.

The strength is found per object by bisection; then the shallowest pixels are taken off until the IoU is the one
asked for. Where pixels are too few for that IoU a coin decides between its two neighbours, so that the mean is met
for small objects as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, choose
from labelnoise.segmentation.coco_n import OPERATIONS, approximation, localisation
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import edit_object

__all__ = ["relative_noise", "relative_object"]

Mask = NDArray[np.bool_]
_HALVINGS = 7


def relative_object(
    item: MaskObject, size: tuple[int, int], target_iou: float, rng: np.random.Generator, operation: str
) -> MaskObject:
    """One object whose IoU with itself is the target, to within one pixel.

    Parameters
    ----------
    item : MaskObject
        Crowds and empty ones are left as they are.
    size : tuple of int
        Height and width of the image.
    target_iou : float
        Above 0, up to 1.
    rng : numpy.random.Generator
    operation : str
        "approximation", "localisation" or "scale".

    Raises
    ------
    InputError
        Target out of range, unknown operation.

    Examples
    --------
    >>> from labelnoise.segmentation.outlines import intersection_over_union
    >>> item = MaskObject.from_mask(np.ones((30, 30)), label=1, object_id=1, top=20, left=20)
    >>> made = relative_object(item, (80, 80), 0.75, np.random.default_rng(0), "localisation")
    >>> round(intersection_over_union(item, made), 2)
    0.75
    """
    choose(operation, OPERATIONS, "operation")
    if not 0 < target_iou <= 1:
        raise InputError(f"target_iou is {target_iou}; give a number above 0, up to 1.")
    if item.crowd or item.area == 0 or target_iou == 1:
        return item
    grow, coin = bool(rng.random() < 0.5), float(rng.random())
    normals = int(rng.integers(2**63))
    reach = float(np.sqrt(item.area))

    def change(mask: Mask) -> Mask:
        if operation == "scale":
            made = _grown(mask, target_iou, rng) if grow else None
            return _taken_off(mask, mask if made is None else made, target_iou, coin, rng)

        def at(strength: float) -> Mask:
            if operation == "approximation":
                return approximation(mask, strength)
            return localisation(mask, strength, np.random.default_rng(normals))

        return _taken_off(mask, _strongest(mask, at, target_iou, reach), target_iou, coin, rng)

    margin = int(np.ceil(reach * (1 / target_iou))) + 2 if operation != "approximation" else 1
    return edit_object(item, size, margin, change)


def _iou(a: Mask, b: Mask) -> float:
    return int((a & b).sum()) / max(int((a | b).sum()), 1)


def _strongest(mask: Mask, at: Callable[[float], Mask], target: float, high: float) -> Mask:
    """The result whose IoU is lowest among those not below the target."""
    best, best_iou, low = mask, 1.0, 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        made = at(middle)
        iou = _iou(mask, made)
        if iou >= target:
            low = middle
            if iou < best_iou:
                best, best_iou = made, iou
        else:
            high = middle
    return best


def _grown(mask: Mask, target: float, rng: np.random.Generator) -> Mask:
    """The mask and the nearest pixels around it, as many as the IoU allows."""
    from scipy import ndimage

    n = int(mask.sum())
    extra = min(int(n / target) - n, mask.size - n)
    if extra <= 0:
        return mask
    distance = ndimage.distance_transform_edt(~mask) + rng.uniform(0, 1e-3, mask.shape)
    distance[mask] = np.inf
    made = mask.copy()
    made.ravel()[np.argpartition(distance.ravel(), extra - 1)[:extra]] = True
    return made


def _taken_off(mask: Mask, made: Mask, target: float, coin: float, rng: np.random.Generator) -> Mask:
    """``made`` less the shallowest common pixels, until its IoU with ``mask`` is the target on average."""
    from scipy import ndimage

    common = made & mask
    inside, union = int(common.sum()), int((made | mask).sum())
    surplus = inside - target * union
    count = int(surplus) + (coin < surplus - int(surplus))
    if count <= 0:
        return made
    depth = ndimage.distance_transform_edt(np.pad(made, 1))[1:-1, 1:-1] + rng.uniform(0, 1e-3, made.shape)
    depth[~common] = np.inf
    left = made.copy()
    left.ravel()[np.argpartition(depth.ravel(), count - 1)[:count]] = False
    return left


def relative_noise(
    objects: Sequence[MaskObject],
    size: tuple[int, int],
    target_iou: float,
    *,
    seed: int,
    image_id: str,
    operations: Sequence[str] = OPERATIONS,
) -> tuple[MaskObject, ...]:
    """Noise of one severity on all objects of an image, one operation each, drawn uniformly.

    Parameters
    ----------
    objects : sequence of MaskObject
    size : tuple of int
    target_iou : float
        Mean IoU with the old masks, for small and large objects alike.
    seed : int
    image_id : str
        With the object's id it names the random stream.
    operations : sequence of str

    Examples
    --------
    >>> item = MaskObject.from_mask(np.ones((30, 30)), label=1, object_id=1, top=20, left=20)
    >>> relative_noise([item], (80, 80), 0.9, seed=0, image_id="a", operations=["scale"])[0].area
    810
    """
    names = list(operations)
    if not names:
        raise InputError("operations is empty; name at least one.")
    made = []
    for item in objects:
        rng = generator(seed, "relative", image_id, item.object_id)
        operation = names[int(rng.integers(len(names)))]
        made.append(relative_object(item, size, target_iou, rng, operation))
    return tuple(made)
