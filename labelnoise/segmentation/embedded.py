"""Images without a download: generated scenes of textured shapes, some of which carry another's class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.objects import MaskObject, paint_classes

__all__ = ["CLASSES", "SCENES", "scenes"]

SCENES = DatasetInfo(
    "scenes",
    "40 generated images of textured shapes, 5 classes with objects, 10 % of the objects in a wrong class",
    "Apache-2.0",
    "generated (labelnoise.segmentation.embedded.scenes)",
    embedded=True,
)

#: Class names of `scenes`.
CLASSES = ("background", "disc", "square", "triangle", "cross")
# Colours overlap under the pixel noise, so that neither colour nor outline alone tells every class.
_COLOURS = np.array(
    [[96, 104, 110], [150, 92, 84], [92, 138, 90], [98, 96, 156], [146, 132, 84]], dtype=float
)
_COLOUR_SPREAD = 14.0
_PIXEL_NOISE = 18.0
_STRIPES = 16.0
_LEAST_VISIBLE = 0.5


def scenes(n_images: int = 40, size: int = 64, *, wrong_objects: float = 0.1, seed: int = 0) -> MaskDataset:
    """Generate images of discs, squares, triangles and crosses, with the truth at hand.

    Three to six shapes per image, turned at random and partly hidden by later ones, each class with a colour and
    stripes of its own under noise. Outlines are exact; wrong labels are whole objects in a wrong class.

    Parameters
    ----------
    n_images : int
        At least 1. The first images do not depend on how many follow.
    size : int
        Height and width in pixels, at least 24.
    wrong_objects : float
        Share of objects whose class is another's, from 0 to 0.5; the count is exact to within rounding.
    seed : int

    Returns
    -------
    MaskDataset
        With ``images`` (uint8, colour), ``objects`` as given and ``true_objects``; every fourth image is for testing.

    Raises
    ------
    InputError
        No image, one too small, a rate out of range.

    Examples
    --------
    >>> data = scenes()
    >>> data.n_images, data.size(0), data.n_units, data.images[0].shape
    (40, (64, 64), 163840, (64, 64, 3))
    >>> sum(map(len, data.objects)), round(float(data.is_wrong.mean()), 3)
    (170, 0.022)
    """
    if int(n_images) != n_images or n_images < 1 or int(size) != size or size < 24:
        raise InputError(
            f"{n_images} images of {size} pixels were asked for; give whole numbers from 1, and from 24."
        )
    rate = as_rate(wrong_objects, name="wrong_objects", upper=0.5)
    images, right = [], []
    for i in range(int(n_images)):
        rng = generator(seed, "scenes", i)
        truth = _place(rng, int(size))
        right.append(truth)
        images.append(_picture(truth, rng, int(size)))
    given = _mislabel(right, rate, generator(seed, "scenes", "labels"))
    sides = (int(size), int(size))
    last = np.arange(int(n_images)) % 4 == 3 if n_images > 3 else np.arange(int(n_images)) == n_images - 1
    width = max(3, len(str(int(n_images) - 1)))
    return MaskDataset.from_masks(
        (paint_classes(row, sides) for row in given),
        CLASSES,
        name="scenes",
        true=(paint_classes(row, sides) for row in right),
        image_ids=tuple(f"scene-{i:0{width}d}" for i in range(int(n_images))),
        images=images,
        objects=given,
        true_objects=right,
        splits={"train": ~last, "test": last} if n_images > 1 else {},
        source=SCENES.source,
        meta={"licence": SCENES.licence, "wrong_objects": float(rate), "seed": seed},
    )


def _shape(kind: int, rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """One shape anywhere in the image, its centre within it."""
    y, x = np.mgrid[:size, :size].astype(float)
    radius = size * rng.uniform(0.1, 0.22)
    centre = rng.uniform(0.1 * size, 0.9 * size, 2)
    angle = rng.uniform(0, 2 * np.pi)
    v, u = (y - centre[0]) / radius, (x - centre[1]) / radius
    p, q = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    if kind == 1:
        return p**2 + q**2 <= 1
    if kind == 2:
        return np.maximum(np.abs(p), np.abs(q)) <= 0.85
    if kind == 3:
        return np.maximum.reduce([-q, q / 2 + 0.866 * p, q / 2 - 0.866 * p]) <= 0.55
    arms = (np.abs(p) <= 0.35) | (np.abs(q) <= 0.35)
    return np.asarray(arms & (np.maximum(np.abs(p), np.abs(q)) <= 1.1))


def _place(rng: np.random.Generator, size: int) -> tuple[MaskObject, ...]:
    """Shapes that hide parts of earlier ones, each at least half to be seen."""
    shown: list[tuple[int, NDArray[np.bool_], int]] = []
    for _ in range(int(rng.integers(3, 7))):
        kind = int(rng.integers(1, len(CLASSES)))
        mask = _shape(kind, rng, size)
        covered = [(k, old & ~mask, area) for k, old, area in shown]
        # Hidden parts would be labels that nobody can see; a shape that hides too much is not placed.
        if mask.any() and all(old.sum() >= _LEAST_VISIBLE * area for _, old, area in covered):
            shown = [*covered, (kind, mask, int(mask.sum()))]
    return tuple(
        MaskObject.from_mask(mask, label=kind, object_id=number)
        for number, (kind, mask, _) in enumerate(shown, start=1)
    )


def _picture(objects: Sequence[MaskObject], rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:size, :size].astype(float)
    tilt = rng.uniform(-0.3, 0.3, 2)
    slope = tilt[0] * (y - size / 2) + tilt[1] * (x - size / 2)
    image = _COLOURS[0] + slope[..., None]
    for item in objects:
        colour = _COLOURS[item.label] + rng.normal(0, _COLOUR_SPREAD, 3)
        # Discs have no stripes, squares broad ones, triangles middling ones, crosses fine ones.
        period = (np.inf, 12.0, 7.0, 4.0)[item.label - 1]
        angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        wave = np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period + phase)
        surface = colour + (_STRIPES * wave * np.isfinite(period))[..., None]
        image[item.window][item.mask] = surface[item.window][item.mask]
    image += rng.normal(0, _PIXEL_NOISE, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _mislabel(
    objects: Sequence[Sequence[MaskObject]], rate: float, rng: np.random.Generator
) -> list[tuple[MaskObject, ...]]:
    """Some objects, an exact share of all, get one of the other shapes' classes."""
    places = [(i, j) for i, row in enumerate(objects) for j in range(len(row))]
    chosen = rng.choice(len(places), round(rate * len(places)), replace=False)
    step = rng.integers(1, len(CLASSES) - 1, len(chosen))
    found = [list(row) for row in objects]
    for place, shift in zip(chosen.tolist(), step.tolist()):
        i, j = places[place]
        item = found[i][j]
        found[i][j] = item.with_label(1 + (item.label - 1 + shift) % (len(CLASSES) - 1))
    return [tuple(row) for row in found]
