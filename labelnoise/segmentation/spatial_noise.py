"""Noise kinds of whole data sets of masks: strength found for a share of wrong pixels, objects kept in step.

Every kind is ``f(dataset, rate, seed, **options) -> MaskCorruption``. Draws are fixed per image and object, and only
the strength is searched, so that neither order nor number of processes matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

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
from labelnoise.segmentation.repaint import follow_labels, objects_of_classes, repaint
from labelnoise.segmentation.strength import MaskCorruption, searched

__all__ = [
    "coarse_polygons",
    "coco",
    "displacement",
    "markov",
    "object_noise",
    "of_objects",
    "organ_scales",
    "relative",
]

Labels = NDArray[Any]
Objects = tuple[MaskObject, ...]


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
        if len(new) == len(old) and all(a is b for a, b in zip(old, new)):
            return dataset.mask(i), old
        return repaint(dataset.mask(i), old, new, background=background), new

    result: MaskCorruption = searched(dataset, rate, change, high)
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
    result: MaskCorruption = searched(
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
    dataset: MaskDataset,
    rate: float,
    seed: int,
    *,
    operation: str = "any",
    share: float = 1.0,
    background: int = 0,
) -> MaskCorruption:
    """The outlines of COCO-N relative to each object's size; severity is 1 - IoU, the same for all objects hit.

    ``share`` of the objects are hit, all by default.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> made = relative(scenes(6), 0.05, 0)
    >>> abs(made.rate - 0.05) < 0.005
    True
    """
    names = OPERATIONS if operation == "any" else (choose(operation, (*OPERATIONS, "any"), "operation"),)
    share = as_rate(share, name="share")

    def made(objects: Objects, size: tuple[int, int], image_id: str, strength: float) -> Objects:
        hit = [
            item
            for item in objects
            if share == 1 or generator(seed, "relative-hit", image_id, item.object_id).random() < share
        ]
        new = relative_noise(hit, size, 1 - strength, seed=seed, image_id=image_id, operations=names)
        changed = {before.object_id: after for before, after in zip(hit, new)}
        return tuple(changed.get(item.object_id, item) for item in objects)

    return object_noise(dataset, rate, background, 0.9, made)


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
