"""COCO-N: objects whose outline is coarse, shaky, too wide or too tight, or whose class is another's.

Each object gets at most one spatial operation, drawn by chance, and on its own a class drawn anew. Parameters are
in pixels, as published, so small objects lose far more than large ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, choose
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import edit_object, fill_outlines, simplify_ring, trace_outlines

__all__ = [
    "LEVELS",
    "CocoLevel",
    "approximation",
    "class_noise",
    "coco_n",
    "coco_n_object",
    "localisation",
    "scale",
]

Mask = NDArray[np.bool_]
OPERATIONS = ("approximation", "localisation", "scale")


@dataclass(frozen=True)
class CocoLevel:
    """How strong the noise is.

    Attributes
    ----------
    each : float
        Probability of each of the three spatial operations; the rest keeps its outline.
    tolerance : float
        Of the approximation, in pixels.
    sigma : float
        Standard deviation of the shift of an outline's points, in pixels.
    radius : float
        By how much the scale operation widens or tightens, in pixels.
    class_rate : float
        Probability that the class is drawn anew among all, the right one included.
    """

    each: float
    tolerance: float
    sigma: float
    radius: float
    class_rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.each <= 1 / 3 + 1e-9 or not 0 <= self.class_rate <= 1:
            raise InputError(
                f"each is {self.each} and class_rate {self.class_rate}; each of three operations may take up to a "
                "third, and class_rate is from 0 to 1."
            )
        if min(self.tolerance, self.sigma, self.radius) < 0:
            raise InputError("Tolerance, sigma and radius are in pixels; give 0 or more.")

    def scaled(self, factor: float) -> CocoLevel:
        """The same level with its pixel parameters multiplied."""
        return replace(
            self, tolerance=self.tolerance * factor, sigma=self.sigma * factor, radius=self.radius * factor
        )


#: The published levels (Kimhi et al. 2024).
LEVELS = {
    "easy": CocoLevel(0.20, 5, 2, 1, 0.2),
    "medium": CocoLevel(0.25, 10, 3, 2, 0.3),
    "hard": CocoLevel(0.30, 15, 4, 3, 0.4),
}


def approximation(mask: ArrayLike, tolerance: float) -> Mask:
    """Fill the simplified outer outlines; parts with an outline of fewer than four points are dropped.

    Parameters
    ----------
    mask : array_like of bool, shape (h, w)
    tolerance : float
        Of Douglas and Peucker's method, in pixels.

    Examples
    --------
    >>> disc = np.hypot(*(np.indices((21, 21)) - 10)) <= 9
    >>> int(disc.sum()), int(approximation(disc, 0).sum()), int(approximation(disc, 5).sum())
    (253, 253, 181)
    """
    array = np.asarray(mask, dtype=bool)
    rings = [simplify_ring(ring, tolerance) for ring in trace_outlines(array) if len(ring) >= 4]
    return fill_outlines(rings, (array.shape[0], array.shape[1]))


def localisation(mask: ArrayLike, sigma: float, rng: np.random.Generator) -> Mask:
    """Shift every point of the outer outlines at random and fill them; holes are lost.

    Parameters
    ----------
    mask : array_like of bool, shape (h, w)
    sigma : float
        Standard deviation of each coordinate's shift, in pixels.
    rng : numpy.random.Generator

    Examples
    --------
    >>> square = np.pad(np.ones((12, 12), bool), 8)
    >>> bool((localisation(square, 0, np.random.default_rng(0)) == square).all())
    True
    """
    array = np.asarray(mask, dtype=bool)
    rings = [ring + sigma * rng.standard_normal(ring.shape) for ring in trace_outlines(array)]
    return fill_outlines(rings, (array.shape[0], array.shape[1]))


def scale(mask: ArrayLike, radius: int, *, grow: bool) -> Mask:
    """Widen or tighten by a square of side ``2 radius + 1``; the image's edge does not tighten.

    Examples
    --------
    >>> square = np.pad(np.ones((4, 4), bool), 2)
    >>> int(scale(square, 1, grow=True).sum()), int(scale(square, 1, grow=False).sum())
    (36, 4)
    """
    from scipy import ndimage

    array = np.asarray(mask, dtype=np.uint8)
    if radius > 0:
        apply = ndimage.maximum_filter1d if grow else ndimage.minimum_filter1d
        for axis in (0, 1):
            array = apply(array, 2 * radius + 1, axis=axis, mode="constant", cval=0 if grow else 1)
    return array.astype(bool)


def class_noise(
    label: int, probability: float, rng: np.random.Generator, *, n_classes: int, background: int = 0
) -> int:
    """Draw the class anew with this probability, uniformly among all that are not background.

    Of K such classes one is the right one, so the class is wrong with probability ``m (K - 1) / K``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [class_noise(1, 1.0, rng, n_classes=4) for _ in range(6)]
    [1, 1, 3, 3, 3, 1]
    """
    draw, which = rng.random(), rng.random()
    others = [c for c in range(n_classes) if c != background]
    return others[int(which * len(others))] if label >= 0 and draw < probability and others else label


def coco_n_object(
    item: MaskObject,
    size: tuple[int, int],
    rng: np.random.Generator,
    level: CocoLevel,
    *,
    n_classes: int,
    background: int = 0,
) -> tuple[MaskObject, str]:
    """One object with noise, and which spatial operation it got ("none" for none).

    The mask may come out empty, as it does in the published data; crowds are altered like all others there.

    Examples
    --------
    >>> item = MaskObject.from_mask(np.ones((30, 30)), label=1, object_id=1, top=10, left=10)
    >>> made, operation = coco_n_object(item, (60, 60), np.random.default_rng(8), LEVELS["hard"], n_classes=3)
    >>> operation, made.box
    ('localisation', (1, 9, 43, 37))
    """
    # All draws come first, so that one operation's need never shifts another's numbers.
    place, side = rng.random(2)
    label = class_noise(item.label, level.class_rate, rng, n_classes=n_classes, background=background)
    number = int(place / level.each) if level.each > 0 else len(OPERATIONS)
    if number >= len(OPERATIONS):
        return item.with_label(label), "none"
    operation = OPERATIONS[number]
    if operation == "approximation":
        made = edit_object(item, size, 0, lambda mask: approximation(mask, level.tolerance))
    elif operation == "localisation":
        made = edit_object(
            item, size, int(np.ceil(5 * level.sigma)), lambda mask: localisation(mask, level.sigma, rng)
        )
    else:
        radius = round(level.radius)
        made = edit_object(item, size, radius + 1, lambda mask: scale(mask, radius, grow=bool(side < 0.5)))
    return made.with_label(label), operation


def coco_n(
    objects: Sequence[MaskObject],
    size: tuple[int, int],
    level: str | CocoLevel,
    *,
    seed: int,
    image_id: str,
    n_classes: int,
    background: int = 0,
) -> tuple[MaskObject, ...]:
    """Noise on all objects of an image, each from a random stream of its own.

    Parameters
    ----------
    objects : sequence of MaskObject
    size : tuple of int
        Height and width of the image.
    level : str or CocoLevel
        "easy", "medium", "hard", or parameters of your own.
    seed : int
    image_id : str
        With the object's id it names the random stream, so the order of images and objects does not matter.
    n_classes : int
    background : int
        The class that no object takes.

    Returns
    -------
    tuple of MaskObject
        In the same order; boxes and areas follow from the new masks.

    References
    ----------
    Kimhi et al. 2024, arXiv 2406.10891, the levels of COCO-N.

    Examples
    --------
    >>> item = MaskObject.from_mask(np.ones((30, 30)), label=1, object_id=1, top=10, left=10)
    >>> coco_n([item], (60, 60), "medium", seed=4, image_id="a", n_classes=3)[0].area
    900
    """
    chosen = LEVELS[choose(level, LEVELS, "level")] if isinstance(level, str) else level
    return tuple(
        coco_n_object(
            item,
            size,
            generator(seed, "coco-n", image_id, item.object_id),
            chosen,
            n_classes=n_classes,
            background=background,
        )[0]
        for item in objects
    )
