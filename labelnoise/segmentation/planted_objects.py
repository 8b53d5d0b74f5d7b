"""Errors planted among objects that are taken as right: what a search for wrong objects is calibrated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelnoise.core.random import generator
from labelnoise.segmentation.coco_n import approximation, localisation, scale
from labelnoise.segmentation.instance_errors import instance_errors
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import edit_object, intersection_over_union

__all__ = ["ISSUE_KINDS", "plant_object_errors"]

#: What can be wrong with an annotated object, and "missing" for one that is not annotated.
ISSUE_KINDS = ("spurious", "merged", "split", "boundary", "class", "missing")
# How often an object without a neighbour is drawn as one with its nearest other.
_FAR = 0.5
_NAMES = {"spurious": "spurious", "split": "split", "swapped": "class"}


def plant_object_errors(
    objects: Sequence[MaskObject],
    size: tuple[int, int],
    share: float,
    *,
    seed: int,
    image_id: str,
    n_classes: int,
    background: int = 0,
) -> tuple[tuple[MaskObject, ...], tuple[str, ...], tuple[MaskObject, ...]]:
    """Plant errors of every kind, equally often, in one image.

    Parameters
    ----------
    objects : sequence of MaskObject
    size : tuple of int
    share : float
        Probability that an object draws an error, from 0 to 1.
    seed : int
    image_id : str
    n_classes, background : int

    Returns
    -------
    objects : tuple of MaskObject
    kinds : tuple of str
        What was planted at each of them, "" for nothing.
    missed : tuple of MaskObject
        Those that were taken away.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(1)
    >>> made, kinds, missed = plant_object_errors(data.true_objects[0], (64, 64), 0.9, seed=2, image_id="a",
    ...                                           n_classes=5)
    >>> len(data.true_objects[0]), kinds, len(missed)
    (4, ('split', 'split', 'class', 'split', 'split'), 1)
    """
    names = ["missed", "spurious", "split", *(["swapped"] if n_classes > 2 else [])]
    per_kind = share / (len(names) + 2)
    made, record = instance_errors(
        objects,
        size,
        per_kind * len(names),
        seed=seed,
        image_id=image_id,
        n_classes=n_classes,
        background=background,
        weights=dict.fromkeys(names, 1.0),
    )
    told = {key: _NAMES[kind] for key, kind in record if kind in ("split", "swapped")}
    # New objects come last, one per invention or split, in the order of the record.
    extra = [_NAMES[kind] for _, kind in record if kind in ("spurious", "split")]
    first_new = len(made) - len(extra)
    before = {item.object_id: item for item in objects}
    missed = tuple(before[key] for key, kind in record if kind == "missed")
    free = {
        item.object_id: item
        for item in made[:first_new]
        if item.object_id not in told and not item.crowd and item.area >= 4
    }
    streams = {item.object_id: generator(seed, "planted outline", image_id, item.object_id) for item in made}
    draws = {key: stream.random() for key, stream in streams.items()}
    mates: dict[int, MaskObject] = {}
    joined: set[int] = set()
    for key, item in free.items():
        # Few objects have a neighbour to be merged with, so twice as many try.
        if key not in joined and draws[key] < 2 * per_kind:
            others = [other for k, other in free.items() if k != key and k not in joined and k not in mates]
            mate = _neighbour(item, others)
            if mate is None and others and streams[key].random() < _FAR:
                mate = min(others, key=lambda other: _between(item, other))
            if mate is not None:
                mates[key] = mate
                joined.add(mate.object_id)
    done, kinds = [], []
    for place, item in enumerate(made):
        key, stream = item.object_id, streams[item.object_id]
        kind = extra[place - first_new] if place >= first_new else told.get(key, "")
        if key in joined:
            continue
        if kind == "spurious" and draws[key] < 0.5:
            item = _leftover(item, size, stream)
        elif key in mates:
            item, kind = _joined(item, mates[key]), "merged"
        elif key in free and 2 * per_kind <= draws[key] < 3 * per_kind:
            redrawn = _redrawn(item, size, stream)
            # An outline that hardly moved is no error to learn from, nor is one that vanished.
            if redrawn.area and intersection_over_union(item, redrawn) < 0.9:
                item, kind = redrawn, "boundary"
        done.append(item)
        kinds.append(kind)
    return tuple(done), tuple(kinds), missed


def _leftover(item: MaskObject, size: tuple[int, int], rng: np.random.Generator) -> MaskObject:
    """A thin strip of an object, as drawing tools leave behind, often at the image's edge."""
    thick, across, at_edge = int(rng.integers(1, 3)), bool(rng.random() < 0.5), bool(rng.random() < 0.6)
    mask = item.mask[:thick] if across else item.mask[:, :thick]
    top, left = item.top, item.left
    if at_edge:
        far = bool(rng.random() < 0.5)
        if across:
            top = size[0] - mask.shape[0] if far else 0
        else:
            left = size[1] - mask.shape[1] if far else 0
    return MaskObject.from_mask(mask, label=item.label, object_id=item.object_id, top=top, left=left)


def _neighbour(item: MaskObject, others: Sequence[MaskObject]) -> MaskObject | None:
    """Another object within two pixels, the one with the longest contact."""
    wide = ndimage.binary_dilation(np.pad(item.mask, 2), iterations=2)
    best, most = None, 0
    for other in others:
        top, left = other.top - (item.top - 2), other.left - (item.left - 2)
        rows = slice(max(top, 0), min(top + other.shape[0], wide.shape[0]))
        cols = slice(max(left, 0), min(left + other.shape[1], wide.shape[1]))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            continue
        part = other.mask[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
        common = int((wide[rows, cols] & part).sum())
        if common > most:
            best, most = other, common
    return best


def _between(a: MaskObject, b: MaskObject) -> float:
    """Distance of the boxes' centres."""
    down, across = (a.box[k] + a.box[k + 2] / 2 - b.box[k] - b.box[k + 2] / 2 for k in (0, 1))
    return float(np.hypot(down, across))


def _joined(a: MaskObject, b: MaskObject) -> MaskObject:
    """Two neighbours drawn as one, the gap between them filled."""
    top, left = min(a.top, b.top), min(a.left, b.left)
    height = max(a.top + a.shape[0], b.top + b.shape[0]) - top
    width = max(a.left + a.shape[1], b.left + b.shape[1]) - left
    both = np.zeros((height, width), dtype=bool)
    for item in (a, b):
        both[
            item.top - top : item.top - top + item.shape[0],
            item.left - left : item.left - left + item.shape[1],
        ] |= item.mask
    closed = ndimage.binary_closing(np.pad(both, 3), iterations=2)[3:-3, 3:-3] | both
    label = a.label if a.area >= b.area else b.label
    return MaskObject.from_mask(closed, label=label, object_id=a.object_id, top=top, left=left)


def _redrawn(item: MaskObject, size: tuple[int, int], rng: np.random.Generator) -> MaskObject:
    """Too wide, too tight, coarse, shaky, or cut off on one side, by a part of the object's own size."""
    way, unit = int(rng.integers(5)), float(np.sqrt(item.area))
    amount = float(rng.uniform(0.08, 0.3)) * unit
    if way < 2:
        radius = max(1, round(amount / 2))
        return edit_object(item, size, radius + 1, lambda mask: scale(mask, radius, grow=way == 0))
    if way == 2:
        return edit_object(item, size, 0, lambda mask: approximation(mask, 1.5 * amount))
    if way == 3:
        return edit_object(item, size, int(4 * amount) + 1, lambda mask: localisation(mask, amount, rng))
    angle, part = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.15, 0.55))

    def cut(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        y, x = np.nonzero(mask)
        along = np.cos(angle) * y + np.sin(angle) * x
        kept = along > np.quantile(along, part)
        out = np.zeros_like(mask)
        out[y[kept], x[kept]] = True
        return out

    return edit_object(item, size, 0, cut)
