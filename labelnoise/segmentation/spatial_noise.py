"""Noise kinds of whole data sets of masks: strength found for a share of wrong pixels, objects kept in step.

Every kind is ``f(dataset, rate, seed, **options) -> MaskCorruption``. Draws are fixed per image and object, and only
the strength is searched, so that neither order nor number of processes matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.corruption import Corruption
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.segmentation.coco_n import LEVELS, OPERATIONS, coco_n
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.displacement import displace_boundaries
from labelnoise.segmentation.instance_errors import instance_errors
from labelnoise.segmentation.markov import markov_boundary
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.organ_scale import organ_scale
from labelnoise.segmentation.polygons import coarse_polygon
from labelnoise.segmentation.relative import relative_noise

__all__ = [
    "MaskCorruption",
    "coarse_polygons",
    "coco",
    "displacement",
    "follow_labels",
    "markov",
    "object_noise",
    "objects_of_classes",
    "of_objects",
    "organ_scales",
    "relative",
    "repaint",
]

Labels = NDArray[Any]
Objects = tuple[MaskObject, ...]
_ROUNDS = 12
_CLOSE = 0.01
#: By how much the reachable share of wrong pixels may fall short before the request is refused.
_SHORT = 0.05


@dataclass(frozen=True, kw_only=True)
class MaskCorruption(Corruption):
    """What noise did to masks.

    Attributes
    ----------
    objects : list of tuples of MaskObject, optional
        The objects afterwards, image by image, where the data set has objects.
    severity : float
        The strength that was found, in the unit of the kind.
    """

    objects: list[Objects] | None = None
    severity: float = 0.0


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


Change = Callable[[int, float], tuple[Labels, Objects | None]]


def _searched(dataset: MaskDataset, rate: float, change: Change, high: float, *, whole: bool = False) -> Any:
    """Find the strength in [0, high] whose share of wrong pixels is nearest to ``rate``, by bisection."""
    rate = as_rate(rate, name="rate")
    labelled = max(int((dataset.given >= 0).sum()), 1)

    def run(strength: float) -> tuple[float, Labels, list[Objects | None]]:
        labels, objects = dataset.given.copy(), []
        for i in range(dataset.n_images):
            made, own = change(i, strength)
            labels[dataset.window(i)] = made.ravel()
            objects.append(own)
        return float((labels != dataset.given).sum()) / labelled, labels, objects

    def answer(strength: float, found: tuple[float, Labels, list[Objects | None]]) -> MaskCorruption:
        _, labels, objects = found
        changed = labels != dataset.given
        return MaskCorruption(
            labels=labels,
            changed=changed,
            rate=int(changed.sum()) / labelled,
            objects=None if dataset.objects is None else [row or () for row in objects],
            severity=strength,
        )

    if rate == 0:
        return answer(0.0, run(0.0))
    low, top = 0.0, run(high)
    best, best_at, most = top, high, top[0]
    if top[0] > rate:
        upper = high
        for _ in range(_ROUNDS):
            middle = 0.5 * (low + upper)
            middle = round(middle) if whole else middle
            if middle in (low, upper):
                break
            found = run(middle)
            most = max(most, found[0])
            if abs(found[0] - rate) < abs(best[0] - rate):
                best, best_at = found, middle
            if abs(best[0] - rate) <= _CLOSE * rate:
                break
            low, upper = (middle, upper) if found[0] < rate else (low, middle)
    if most < rate * (1 - _SHORT):
        raise InputError(
            f"rate is {rate:g}, and this noise reaches {most:.4f} at most on {dataset.name}; ask for less, "
            "or change its options."
        )
    return answer(best_at, best)


def object_noise(
    dataset: MaskDataset,
    rate: float,
    background: int,
    high: float,
    made: Callable[[Objects, tuple[int, int], str, float], Objects],
) -> MaskCorruption:
    """Noise that acts on objects; where a data set has none, on the connected parts of its classes."""
    _check_background(dataset, background)
    known: dict[int, Objects] = {}

    def change(i: int, strength: float) -> tuple[Labels, Objects | None]:
        if i not in known:
            given = None if dataset.objects is None else dataset.objects[i]
            known[i] = (
                objects_of_classes(dataset.mask(i), background=background) if given is None else tuple(given)
            )
        old = known[i]
        new = made(old, dataset.size(i), dataset.image_ids[i], strength) if strength > 0 else old
        return repaint(dataset.mask(i), old, new, background=background), new

    result: MaskCorruption = _searched(dataset, rate, change, high)
    return result


def _map_noise(
    dataset: MaskDataset,
    rate: float,
    background: int,
    high: float,
    made: Callable[[Labels, str, float], Labels],
    *,
    whole: bool = False,
) -> MaskCorruption:
    """Noise that acts on class maps; objects follow once the strength is found."""
    _check_background(dataset, background)
    result: MaskCorruption = _searched(
        dataset, rate, lambda i, s: (made(dataset.mask(i), dataset.image_ids[i], s), None), high, whole=whole
    )
    if dataset.objects is None:
        return result
    noisy = replace(dataset, given=result.labels, true=None, objects=None, true_objects=None)
    followed = [
        follow_labels(row, dataset.mask(i), noisy.mask(i), background=background)
        for i, row in enumerate(dataset.objects)
    ]
    return replace(result, objects=followed)


def _check_background(dataset: MaskDataset, background: int) -> None:
    if not 0 <= background < dataset.n_classes:
        raise InputError(f"background is {background}; class ids are 0 to {dataset.n_classes - 1}.")


def coco(
    dataset: MaskDataset, rate: float, seed: int, *, level: str = "hard", background: int = 0
) -> MaskCorruption:
    """COCO-N noise: severity up to 1 is the share of objects hit at the level, above 1 a factor on its pixels.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> made = coco(scenes(12), 0.05, 0)
    >>> abs(made.rate - 0.05) < 0.005
    True
    """
    chosen = LEVELS[choose(level, LEVELS, "level")]

    def made(objects: Objects, size: tuple[int, int], image_id: str, strength: float) -> Objects:
        new = coco_n(
            objects,
            size,
            chosen.scaled(max(strength, 1.0)),
            seed=seed,
            image_id=image_id,
            n_classes=dataset.n_classes,
            background=background,
        )
        return tuple(
            b if generator(seed, "coco-n-hit", image_id, a.object_id).random() < strength else a
            for a, b in zip(objects, new)
        )

    return object_noise(dataset, rate, background, 4.0, made)


def relative(
    dataset: MaskDataset, rate: float, seed: int, *, operation: str = "any", background: int = 0
) -> MaskCorruption:
    """The outlines of COCO-N relative to each object's size; severity is 1 - IoU, the same for all objects.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> made = relative(scenes(6), 0.05, 0)
    >>> abs(made.rate - 0.05) < 0.005
    True
    """
    names = OPERATIONS if operation == "any" else (choose(operation, (*OPERATIONS, "any"), "operation"),)
    return object_noise(
        dataset,
        rate,
        background,
        0.9,
        lambda objects, size, image_id, s: relative_noise(
            objects, size, 1 - s, seed=seed, image_id=image_id, operations=names
        ),
    )


def coarse_polygons(dataset: MaskDataset, rate: float, seed: int, *, background: int = 0) -> MaskCorruption:
    """Coarse polygons; severity is the tolerance as a fraction of sqrt(area). No draw is made, any seed is alike.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> round(coarse_polygons(scenes(6), 0.02, 0).rate, 2)
    0.02
    """
    return object_noise(
        dataset,
        rate,
        background,
        0.6,
        lambda objects, size, image_id, s: tuple(coarse_polygon(item, size, s) for item in objects),
    )


def of_objects(
    dataset: MaskDataset, rate: float, seed: int, *, kind: str = "any", background: int = 0
) -> MaskCorruption:
    """Errors of whole objects; severity is the share of objects hit. A split alone changes no pixel's class.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> abs(of_objects(scenes(20), 0.05, 0).rate - 0.05) < 0.01
    True
    """
    weights = None if kind == "any" else {kind: 1.0}

    def made(objects: Objects, size: tuple[int, int], image_id: str, strength: float) -> Objects:
        return instance_errors(
            objects,
            size,
            strength,
            seed=seed,
            image_id=image_id,
            n_classes=dataset.n_classes,
            background=background,
            weights=weights,
        )[0]

    return object_noise(dataset, rate, background, 1.0, made)


def organ_scales(dataset: MaskDataset, rate: float, seed: int, *, background: int = 0) -> MaskCorruption:
    """SegTHOR noise; severity is a factor on the published radius.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> abs(organ_scales(scenes(6), 0.05, 0).rate - 0.05) < 0.01
    True
    """
    return _map_noise(
        dataset,
        rate,
        background,
        4.0,
        lambda labels, image_id, s: organ_scale(
            labels, s, seed=seed, image_id=image_id, background=background
        ),
    )


def markov(
    dataset: MaskDataset,
    rate: float,
    seed: int,
    *,
    expand: float = 0.8,
    flip: float = 0.05,
    speckle: float = 0.2,
    background: int = 0,
) -> MaskCorruption:
    """Markov noise of boundaries; severity is the number of steps, up to 400.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> abs(markov(scenes(2), 0.1, 0).rate - 0.1) < 0.02
    True
    """
    return _map_noise(
        dataset,
        rate,
        background,
        400,
        lambda labels, image_id, s: markov_boundary(
            labels,
            int(s),
            seed=seed,
            image_id=image_id,
            expand=expand,
            flip=flip,
            speckle=speckle,
            background=background,
        ),
        whole=True,
    )


def displacement(
    dataset: MaskDataset,
    rate: float,
    seed: int,
    *,
    length: float = 16.0,
    bias: float = 0.0,
    background: int = 0,
) -> MaskCorruption:
    """Smoothly displaced outlines; severity is the standard deviation in pixels, up to a quarter of the image.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> abs(displacement(scenes(6), 0.05, 0).rate - 0.05) < 0.005
    True
    """
    return _map_noise(
        dataset,
        rate,
        background,
        float(dataset.sizes.max()) / 4,
        lambda labels, image_id, s: displace_boundaries(
            labels, s, seed=seed, image_id=image_id, length=length, bias=bias, background=background
        ),
    )
