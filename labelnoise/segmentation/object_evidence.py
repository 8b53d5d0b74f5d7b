"""What an image and a foreground probability say about each annotated object, and about objects nobody annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from labelnoise.segmentation.objects import MaskObject

__all__ = ["GIVEN_COLUMNS", "MISSING_COLUMNS", "ImageEvidence", "image_evidence", "predicted_objects"]

Floats = NDArray[np.float64]

#: Evidence about an annotated object; shares and probabilities 0 to 1, sizes as logarithms.
GIVEN_COLUMNS = (
    "foreground_inside",
    "foreground_core",
    "foreground_rim",
    "foreground_outside",
    "share_unlikely",
    "own_class",
    "other_class",
    "best_iou",
    "covered_by_best",
    "second_share",
    "of_best",
    "predicted_inside",
    "given_in_best",
    "contrast",
    "relative_contrast",
    "edge",
    "relative_edge",
    "inner_spread",
    "watershed_iou",
    "size",
    "relative_size",
    "compactness",
    "box_share",
    "touching",
    "contact_foreground",
    "contact_lightness",
    "seam",
    "seam_foreground",
    "seam_lightness",
    "roundness",
    "relative_iou",
    "relative_foreground",
    "relative_watershed",
    "at_border",
    "image_iou",
)
#: Evidence about a predicted object that no annotation covers.
MISSING_COLUMNS = (
    "foreground_inside",
    "foreground_most",
    "foreground_rim",
    "foreground_outside",
    "covered",
    "relative_contrast",
    "relative_edge",
    "inner_spread",
    "size",
    "relative_size",
    "compactness",
    "at_border",
    "image_iou",
    "image_unmatched",
)
_RING, _LEAST_AREA = 3, 12


@dataclass(frozen=True)
class ImageEvidence:
    """Evidence about one image.

    Attributes
    ----------
    given : ndarray of float, shape (a, len(GIVEN_COLUMNS))
        About the annotated objects, in their order; NaN where a number does not exist.
    missing : ndarray of float, shape (b, len(MISSING_COLUMNS))
        About the predicted objects that are candidates.
    predicted : ndarray of int32, shape (h, w)
        Numbers of predicted objects from 1, 0 for background.
    candidates : ndarray of int64, shape (b,)
        Which of them less than half lies on annotated objects.
    overlap : ndarray of int64, shape (a + 1, p + 1)
        Common pixels of annotated (rows) and predicted objects, background first.
    """

    given: Floats
    missing: Floats
    predicted: NDArray[np.int32]
    candidates: NDArray[np.int64]
    overlap: NDArray[np.int64]


def predicted_objects(foreground: ArrayLike, *, threshold: float = 0.5) -> NDArray[np.int32]:
    """Objects of a foreground probability: parts above a threshold, cut where they are narrow.

    Parameters
    ----------
    foreground : array_like of float, shape (h, w)
        From 0 to 1.
    threshold : float

    Returns
    -------
    ndarray of int32, shape (h, w)
        Numbers from 1, 0 for background; parts of fewer than 12 pixels are left out.

    Examples
    --------
    >>> y, x = np.indices((30, 60))
    >>> two = (np.hypot(y - 15, x - 20) < 9) | (np.hypot(y - 15, x - 36) < 9)
    >>> int(predicted_objects(two).max())
    2
    """
    mask = np.asarray(foreground) >= threshold
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1], 1.0)
    # A peak is the deepest pixel within three.
    peaks = (depth == ndimage.maximum_filter(depth, size=7)) & mask & (depth > 1.0)
    parts, n = ndimage.label(mask)
    found = parts
    if peaks.any():
        seeds, _ = ndimage.label(ndimage.binary_dilation(peaks, iterations=2) & mask)
        # Discs around the peaks first, so that the larger of two neighbours keeps more, then the nearest disc.
        away, (y, x) = ndimage.distance_transform_edt(~peaks, return_indices=True)
        cores = (away <= 0.7 * depth[y, x]) & mask & (parts == parts[y, x])
        named = np.where(cores, seeds[y, x], 0)
        y, x = ndimage.distance_transform_edt(~cores, return_distances=False, return_indices=True)
        own = parts == parts[y, x]
        # A part too thin for a peak is an object of its own.
        found = np.where(mask, np.where(own, named[y, x] + n, parts), 0)
    sizes = np.bincount(found.ravel())
    keep = np.flatnonzero(sizes >= _LEAST_AREA)
    keep = keep[keep > 0]
    number = np.zeros(len(sizes), dtype=np.int32)
    number[keep] = np.arange(1, len(keep) + 1)
    return number[found]


def image_evidence(
    objects: Sequence[MaskObject],
    image: NDArray[Any],
    probs: NDArray[Any],
    *,
    background: int = 0,
    predicted: NDArray[np.int32] | None = None,
) -> ImageEvidence:
    """Evidence about the objects of one image.

    Parameters
    ----------
    objects : sequence of MaskObject
        Where they overlap a pixel counts for the smaller one.
    image : ndarray, shape (h, w) or (h, w, channels)
    probs : ndarray of float, shape (h, w, K)
        Class probabilities of pixels, from a model that has not seen these annotations.
    background : int
    predicted : ndarray of int, optional
        Of `predicted_objects`, if known.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(1)
    >>> probs = 0.9 * np.eye(5)[data.true_mask(0)] + 0.02
    >>> found = image_evidence(data.true_objects[0][1:], data.images[0], probs)
    >>> found.given.shape, len(found.candidates), found.given[:, 0].round(2).tolist()
    ((3, 35), 2, [0.98, 0.98, 0.98])
    """
    foreground = 1.0 - np.asarray(probs[..., background], dtype=np.float64)
    size = (foreground.shape[0], foreground.shape[1])
    ids = _numbered(objects, size)
    found = predicted_objects(foreground) if predicted is None else predicted
    m, p = len(objects), int(found.max(initial=0))
    cells = ids.astype(np.int64) * (p + 1) + found
    overlap = np.bincount(cells.ravel(), minlength=(m + 1) * (p + 1)).reshape(m + 1, p + 1)
    inner = overlap[1:, 1:]
    area, found_area = overlap[1:].sum(axis=1), overlap[:, 1:].sum(axis=0)
    iou = inner / np.maximum(area[:, None] + found_area[None] - inner, 1)
    best_iou = iou.max(axis=1, initial=0.0)
    image_iou = float(np.median(best_iou)) if m else 1.0
    grey, slope = _appearance(image)
    about = _of_regions(ids, m, grey, slope, foreground)
    middle = {name: _median(about[name]) for name in ("contrast", "edge", "area")}
    given = np.full((m, len(GIVEN_COLUMNS)), np.nan)
    if m:
        share = inner / np.maximum(area[:, None], 1)
        ranked = np.sort(share, axis=1)[:, ::-1] if p else np.zeros((m, 1))
        best = inner.argmax(axis=1) if p else np.zeros(m, dtype=np.int64)
        of_found = inner / np.maximum(found_area[None], 1)
        labels = np.array([item.label for item in objects])
        own, other = _class_shares(ids, labels, probs, background)
        marker = _watershed(ids, grey)
        both = np.bincount(ids[ids == marker], minlength=m + 1)[1:]
        either = area + np.bincount(marker.ravel().clip(0), minlength=m + 1)[1:] - both
        rows = {
            **about,
            "own_class": own,
            "other_class": other,
            "best_iou": best_iou,
            "covered_by_best": ranked[:, 0],
            "second_share": ranked[:, 1] if ranked.shape[1] > 1 else np.zeros(m),
            "of_best": of_found[np.arange(m), best] if p else np.zeros(m),
            "predicted_inside": ((of_found > 0.5) & (inner >= _LEAST_AREA)).sum(axis=1),
            "given_in_best": (share[:, best] > 0.5).sum(axis=0) if p else np.zeros(m),
            "relative_contrast": about["contrast"] / middle["contrast"],
            "relative_edge": about["edge"] / middle["edge"],
            "watershed_iou": both / np.maximum(either, 1),
            "relative_size": about["size"] - np.log(middle["area"]),
            "box_share": area / np.maximum([item.shape[0] * item.shape[1] for item in objects], 1),
            "image_iou": np.full(m, image_iou),
            "relative_iou": best_iou - image_iou,
            "relative_foreground": about["foreground_inside"] - _median(about["foreground_inside"]),
        }
        rows["relative_watershed"] = rows["watershed_iou"] - _median(rows["watershed_iou"])
        rows |= _seams(ids, m, found, grey, foreground, about)
        given = np.stack([rows[name] for name in GIVEN_COLUMNS], axis=1)
    on_given = 1.0 - overlap[0, 1:] / np.maximum(found_area, 1)
    candidates = np.flatnonzero(on_given < 0.5) + 1
    missing = np.full((len(candidates), len(MISSING_COLUMNS)), np.nan)
    if len(candidates):
        taken = np.zeros(p + 1, dtype=np.int64)
        taken[candidates] = np.arange(1, len(candidates) + 1)
        about = _of_regions(taken[found], len(candidates), grey, slope, foreground, others=ids > 0)
        rows = {
            **about,
            "covered": on_given[candidates - 1],
            "relative_contrast": about["contrast"] / middle["contrast"],
            "relative_edge": about["edge"] / middle["edge"],
            "relative_size": about["size"] - np.log(middle["area"]),
            "image_iou": np.full(len(candidates), image_iou),
            "image_unmatched": np.full(len(candidates), len(candidates) / (p + 1)),
        }
        missing = np.stack([rows[name] for name in MISSING_COLUMNS], axis=1)
    return ImageEvidence(given, missing, found, candidates, overlap)


def _numbered(objects: Sequence[MaskObject], size: tuple[int, int]) -> NDArray[np.int32]:
    """Positions of objects from 1, smaller ones on top; ids may be any, positions are dense."""
    out = np.zeros(size, dtype=np.int32)
    for k in sorted(range(len(objects)), key=lambda k: -objects[k].area):
        out[objects[k].window][objects[k].mask] = k + 1
    return out


def _appearance(image: NDArray[Any]) -> tuple[Floats, Floats]:
    """Lightness with its spread over the image as unit, and how steep it is when slightly smoothed."""
    array = np.asarray(image, dtype=np.float64)
    grey = array.mean(axis=2) if array.ndim == 3 else array
    grey = (grey - grey.mean()) / max(float(grey.std()), 1e-9)
    smooth = ndimage.gaussian_filter(grey, 0.7)
    dy, dx = np.gradient(smooth)
    return grey, np.hypot(dy, dx)


def _of_regions(
    ids: NDArray[Any],
    m: int,
    grey: Floats,
    slope: Floats,
    foreground: Floats,
    others: NDArray[np.bool_] | None = None,
) -> dict[str, Floats]:
    """Statistics of regions 1 to m of a map: inside, at the rim, and in a ring outside free of other objects."""
    least = ndimage.minimum_filter(ids, size=3, mode="nearest")
    most = ndimage.maximum_filter(ids, size=3, mode="nearest")
    rim = (ids > 0) & (least != most)
    # Next to another object: the largest number around is not its own, or the least but for the background.
    plain = ids > 0
    blocked = plain if others is None else plain | others
    raised = np.where(plain, ids, m + 1)
    touches = rim & ((most != ids) | (ndimage.minimum_filter(raised, size=3, mode="nearest") != ids))
    ring = ids
    for _ in range(_RING):
        wider = ndimage.maximum_filter(ring, size=3, mode="nearest")
        ring = np.where(ring > 0, ring, wider)
    ring = np.where(blocked, 0, ring)

    def mean(where: NDArray[Any], values: Floats) -> Floats:
        return _means(where, values, m)

    at_rim, core = np.where(rim, ids, 0), np.where(rim, 0, ids)
    area = np.bincount(ids.ravel(), minlength=m + 1)[1:].astype(np.float64)
    around = np.bincount(at_rim.ravel(), minlength=m + 1)[1:]
    inside = mean(ids, grey)
    edges = np.concatenate([ids[0], ids[-1], ids[:, 0], ids[:, -1]])
    numbers = np.arange(1, m + 1)
    top = ndimage.maximum(foreground, ids, numbers) if m else np.zeros(0)
    depth = ndimage.distance_transform_edt(np.pad(plain & ~rim, 1))[1:-1, 1:-1]
    deepest = np.asarray(ndimage.maximum(depth, ids, numbers) if m else np.zeros(0), dtype=np.float64) + 0.5
    contrast = inside - mean(ring, grey)
    contact = np.where(touches, ids, 0)
    return {
        "area": np.maximum(area, 1.0),
        "foreground_inside": mean(ids, foreground),
        "foreground_core": mean(core, foreground),
        "foreground_rim": mean(at_rim, foreground),
        "foreground_outside": mean(ring, foreground),
        "foreground_most": np.asarray(top, dtype=np.float64),
        "share_unlikely": mean(ids, (foreground < 0.5).astype(np.float64)),
        "contrast": contrast,
        "edge": mean(at_rim, slope),
        "inner_spread": np.sqrt(np.maximum(mean(ids, grey**2) - inside**2, 0.0)),
        "size": np.log(np.maximum(area, 1.0)),
        "compactness": around / np.sqrt(np.maximum(area, 1.0)),
        "touching": np.bincount(contact.ravel(), minlength=m + 1)[1:] / np.maximum(around, 1),
        "contact_foreground": mean(contact, foreground),
        "contact_lightness": (mean(contact, grey) - inside) * np.sign(contrast),
        "roundness": deepest * np.sqrt(np.pi / np.maximum(area, 1.0)),
        "at_border": (np.bincount(edges, minlength=m + 1)[1:] > 0).astype(np.float64),
    }


def _means(where: NDArray[Any], values: Floats, m: int) -> Floats:
    """Of the pixels of regions 1 to m; NaN for a region without any."""
    n = np.bincount(where.ravel(), minlength=m + 1)[1:]
    total = np.bincount(where.ravel(), weights=values.ravel(), minlength=m + 1)[1:]
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _seams(
    ids: NDArray[Any],
    m: int,
    found: NDArray[np.int32],
    grey: Floats,
    foreground: Floats,
    about: dict[str, Floats],
) -> dict[str, Floats]:
    """Where within an annotated object predicted ones end: how long, how likely, and whether the image shows it."""
    size = {"size": 3, "mode": "nearest"}
    within = (ids > 0) & (ndimage.minimum_filter(ids, **size) == ndimage.maximum_filter(ids, **size))
    ends = ndimage.minimum_filter(found, **size) != ndimage.maximum_filter(found, **size)
    seam = np.where(within & ends, ids, 0)
    inside = _means(ids, grey, m)
    return {
        "seam": np.bincount(seam.ravel(), minlength=m + 1)[1:] / np.sqrt(about["area"]),
        "seam_foreground": _means(seam, foreground, m),
        "seam_lightness": (_means(seam, grey, m) - inside) * np.sign(about["contrast"]),
    }


def _class_shares(
    ids: NDArray[Any], labels: NDArray[Any], probs: NDArray[Any], background: int
) -> tuple[Floats, Floats]:
    """Mean probability of each object's own class and of the best other one, among all but the background."""
    m, k = len(labels), probs.shape[-1]
    inside = ids > 0
    which, parts = ids[inside], np.asarray(probs[inside], dtype=np.float64)
    total = np.stack([np.bincount(which, weights=parts[:, c], minlength=m + 1)[1:] for c in range(k)], axis=1)
    total[:, background] = 0.0
    share = total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12)
    known = np.clip(labels, 0, k - 1)
    own = np.where(labels >= 0, share[np.arange(m), known], np.nan)
    share[np.arange(m), known] = 0.0
    return own, share.max(axis=1)


def _watershed(ids: NDArray[np.int32], grey: Floats) -> NDArray[np.int32]:
    """Objects as the image's own edges bound them: flooded from their cores and from the far background."""
    least = ndimage.minimum_filter(ids, size=5, mode="nearest")
    core = np.where(least == ndimage.maximum_filter(ids, size=5, mode="nearest"), ids, 0)
    # Objects too thin for a core keep all their pixels as a seed.
    thin = np.setdiff1d(np.unique(ids), np.unique(core))
    seeds = np.where(np.isin(ids, thin[thin > 0]), ids, core)
    far = ndimage.maximum_filter(ids, size=9, mode="nearest") == 0
    seeds = np.where(far, -1, seeds).astype(np.int32)
    if not (seeds > 0).any():
        return np.zeros_like(ids)
    # The flood's cost of a step is the difference in lightness, so edges hold it up.
    smooth = ndimage.gaussian_filter(grey, 0.7)
    low, high = np.quantile(smooth, [0.002, 0.998])
    levels = (255 * ((smooth - low) / max(high - low, 1e-9)).clip(0, 1)).astype(np.uint8)
    return np.asarray(ndimage.watershed_ift(levels, seeds).clip(0))


def _median(values: Floats) -> float:
    """Of the finite ones, never zero: a unit that others are measured in."""
    known = values[np.isfinite(values)]
    middle = float(np.median(known)) if len(known) else 1.0
    return middle if abs(middle) > 1e-6 else 1e-6
