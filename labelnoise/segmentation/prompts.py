"""Masks drawn by a promptable segmenter from a weak prompt: a box, a point or a scribble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, choose
from labelnoise.segmentation.objects import MaskObject

if TYPE_CHECKING:
    from labelnoise.segmentation.dataset import MaskDataset
    from labelnoise.segmentation.strength import MaskCorruption

__all__ = [
    "CENTRES",
    "PROMPTS",
    "Prompt",
    "PromptSegmenter",
    "colour_image",
    "grow_colour_region",
    "make_prompt",
    "prompt_noise",
    "prompted_object",
]

#: What an annotator can point with, and where a single click goes.
PROMPTS, CENTRES = ("box", "point", "scribble"), ("box", "mask")
# Added to the variance of colours, so that one flat colour does not exclude the slightest shade.
_LEAST_VARIANCE = 25.0


@dataclass(frozen=True, eq=False)
class Prompt:
    """What an annotator points at.

    Attributes
    ----------
    kind : str
        "box", "point" or "scribble".
    box : tuple of int, optional
        First row, first column, row and column behind the last, for a box.
    points : ndarray of int64, shape (p, 2)
        Rows and columns meant to be inside; none for a box.
    """

    kind: str
    box: tuple[int, int, int, int] | None
    points: NDArray[np.int64]


class PromptSegmenter(Protocol):
    """Any function from an image (h, w, 3) of uint8 and a prompt to a mask (h, w)."""

    def __call__(self, image: NDArray[np.uint8], prompt: Prompt) -> NDArray[np.bool_]:
        """The object that is meant."""
        ...


def colour_image(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Any image as three channels of bytes: grey is repeated, other ranges are stretched to 0 to 255.

    Examples
    --------
    >>> colour_image(np.array([[0.0, 0.5, 1.0]]))[0, :, 0].tolist()
    [0, 128, 255]
    """
    array = np.asarray(image)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        if not np.isfinite(low + high):
            raise InputError("The image holds NaN or infinity; repair or drop it.")
        array = np.rint((array - low) * (255.0 / (high - low) if high > low else 0.0)).astype(np.uint8)
    return np.ascontiguousarray(
        array[..., :3] if array.shape[2] >= 3 else np.repeat(array[..., :1], 3, axis=2)
    )


def make_prompt(item: MaskObject, kind: str, rng: np.random.Generator, *, centre: str = "box") -> Prompt:
    """The prompt for an object.

    Parameters
    ----------
    item : MaskObject
    kind : str
        "box": its box. "point": one click. "scribble": clicks on the line between two of its pixels, as far as
        they lie on it.
    rng : numpy.random.Generator
        For the scribble.
    centre : str
        Where the click goes: "box", the middle of the box, which may lie off the object; or "mask", the pixel
        deepest inside.

    Raises
    ------
    InputError
        An unknown name, or an empty object.

    Examples
    --------
    >>> item = MaskObject.from_mask(np.ones((5, 7)), label=1, object_id=1)
    >>> make_prompt(item, "point", np.random.default_rng(0)).points.tolist()
    [[2, 3]]
    """
    choose(kind, PROMPTS, "prompt")
    choose(centre, CENTRES, "centre")
    if not item.area:
        raise InputError("The object is empty; there is nothing to point at.")
    top, left, height, width = item.box
    if kind == "box":
        return Prompt(kind, (top, left, top + height, left + width), np.zeros((0, 2), dtype=np.int64))
    if kind == "point":
        if centre == "box":
            return Prompt(kind, None, np.array([[top + height // 2, left + width // 2]], dtype=np.int64))
        from scipy import ndimage

        depth = ndimage.distance_transform_edt(np.pad(item.mask, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
        return Prompt(kind, None, np.array([[top + int(y), left + int(x)]], dtype=np.int64))
    mask = item.mask
    pixels = np.argwhere(mask)
    one, two = pixels[rng.integers(len(pixels), size=2)]
    steps = int(np.abs(two - one).max()) + 1
    line = np.rint(one + np.linspace(0, 1, steps)[:, None] * (two - one)).astype(np.int64)
    return Prompt(kind, None, line[mask[line[:, 0], line[:, 1]]] + (top, left))


def grow_colour_region(image: NDArray[np.uint8], prompt: Prompt) -> NDArray[np.bool_]:
    """The region whose colours resemble the prompt's more than its surroundings', connected to it, without holes.

    Two Gaussians over colours, inside and outside, are fitted and applied three times. Inside starts as the middle
    of the box, or as discs at the points; outside as the frame around.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
    prompt : Prompt

    Returns
    -------
    ndarray of bool, shape (h, w)

    References
    ----------
    This project; after Rother, Kolmogorov, Blake 2004, GrabCut, without the graph cut.

    Examples
    --------
    >>> image = np.zeros((40, 40, 3), np.uint8)
    >>> image[10:20, 10:20] = 200
    >>> int(grow_colour_region(image, Prompt("point", None, np.array([[15, 15]]))).sum())
    100
    """
    from scipy import ndimage

    height, width = image.shape[:2]
    if prompt.box is not None:
        top, left, bottom, right = prompt.box
        extra = max(3, (bottom - top + right - left) // 10)
    else:
        (top, left), (bottom, right) = prompt.points.min(axis=0), prompt.points.max(axis=0) + 1
        extra = max(height, width) // 3
    first_row, first_col = max(0, int(top) - extra), max(0, int(left) - extra)
    window = image[first_row : int(bottom) + extra, first_col : int(right) + extra]
    seeds = np.zeros(window.shape[:2], dtype=bool)
    allowed = np.ones_like(seeds)
    if prompt.box is not None:
        rows, cols = (
            slice(top - first_row, bottom - first_row),
            slice(left - first_col, right - first_col),
        )
        allowed[:] = False
        allowed[rows, cols] = True
        down, across = (bottom - top) // 4, (right - left) // 4
        seeds[rows.start + down : rows.stop - down, cols.start + across : cols.stop - across] = True
        outside = ~seeds if allowed.all() else ~allowed
    else:
        seeds[prompt.points[:, 0] - first_row, prompt.points[:, 1] - first_col] = True
        seeds = ndimage.binary_dilation(seeds, iterations=2)
        outside = np.ones_like(seeds)
        rim = max(1, extra // 4)
        outside[rim:-rim, rim:-rim] = False
        outside &= ~seeds
    colours = window.reshape(-1, 3).astype(np.float32)
    inside = seeds
    for _ in range(3):
        if not outside.any() or not inside.any():
            break
        score = _log_density(colours, inside.ravel()) - _log_density(colours, outside.ravel())
        parts, _found = ndimage.label((score.reshape(seeds.shape) > 0) & allowed | seeds)
        touched = np.unique(parts[seeds])
        inside = np.isin(parts, touched[touched > 0])
        outside = ~inside
    result = np.zeros((height, width), dtype=bool)
    result[first_row : first_row + window.shape[0], first_col : first_col + window.shape[1]] = (
        ndimage.binary_fill_holes(inside)
    )
    return result


def _log_density(colours: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of a Gaussian fitted to the chosen colours, at all of them."""
    sample = colours[chosen].astype(np.float64)
    spread = np.cov(sample.T, bias=True) + _LEAST_VARIANCE * np.eye(3)
    gap = colours - sample.mean(axis=0)
    squared = np.einsum("ij,ij->i", gap @ np.linalg.inv(spread), gap)
    return np.asarray(-0.5 * (squared + np.linalg.slogdet(spread)[1]), dtype=np.float32)


def prompted_object(
    item: MaskObject,
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    prompt: str = "box",
    centre: str = "box",
    segmenter: PromptSegmenter = grow_colour_region,
) -> MaskObject:
    """One object as the segmenter draws it; crowds and empty ones are left as they are.

    Parameters
    ----------
    item : MaskObject
    image : ndarray of uint8, shape (h, w, 3)
    rng : numpy.random.Generator
    prompt, centre : str
        Of `make_prompt`.
    segmenter : callable
        ``f(image, prompt) -> mask``. The one that ships is classical and much weaker than a network.

    Raises
    ------
    InputError
        An image that is no colour image of bytes, or a mask of another size.

    Examples
    --------
    >>> image = np.zeros((40, 40, 3), np.uint8)
    >>> image[10:20, 10:20] = 200
    >>> item = MaskObject.from_mask(np.ones((7, 9)), label=1, object_id=1, top=9, left=12)
    >>> prompted_object(item, image, np.random.default_rng(0), prompt="point").box
    (10, 10, 10, 10)
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            f"The image has type {pixels.dtype} and shape {pixels.shape}; uint8 of (height, width, 3) is needed."
        )
    if item.crowd or not item.area:
        return item
    mask = np.asarray(segmenter(pixels, make_prompt(item, prompt, rng, centre=centre)), dtype=bool)
    if mask.shape != pixels.shape[:2]:
        raise InputError(
            f"The segmenter answered a mask of shape {mask.shape} for an image of {pixels.shape[:2]}; "
            "it has to be of the image's size."
        )
    return MaskObject.from_mask(mask, label=item.label, object_id=item.object_id, score=item.score)


def prompt_noise(
    dataset: MaskDataset,
    rate: float,
    seed: int,
    *,
    prompt: str = "box",
    centre: str = "box",
    segmenter: PromptSegmenter = grow_colour_region,
    background: int = 0,
) -> MaskCorruption:
    """tuple[MaskObject, ...] redrawn by a promptable segmenter; severity is the share of objects redrawn. Needs images.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> abs(prompt_noise(scenes(12), 0.02, 0).rate - 0.02) < 0.005
    True
    """
    from labelnoise.segmentation.spatial_noise import object_noise

    choose(prompt, PROMPTS, "prompt")
    choose(centre, CENTRES, "centre")
    if dataset.images is None:
        raise InputError("The data set has no images, only labels; a segmenter needs images to look at.")
    images = dataset.images
    drawn: dict[str, list[MaskObject]] = {}

    def made(
        objects: tuple[MaskObject, ...], size: tuple[int, int], image_id: str, strength: float
    ) -> tuple[MaskObject, ...]:
        # What the segmenter draws does not depend on the share: each image is looked at once.
        if image_id not in drawn:
            pixels = colour_image(images[dataset.image_ids.index(image_id)])
            drawn[image_id] = [
                prompted_object(
                    item,
                    pixels,
                    generator(seed, "prompt", image_id, item.object_id),
                    prompt=prompt,
                    centre=centre,
                    segmenter=segmenter,
                )
                for item in objects
            ]
        return tuple(
            new if generator(seed, "prompt-hit", image_id, old.object_id).random() < strength else old
            for old, new in zip(objects, drawn[image_id])
        )

    return object_noise(dataset, rate, background, 1.0, made)
