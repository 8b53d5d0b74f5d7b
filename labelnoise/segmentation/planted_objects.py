"""Errors planted among objects that are taken as right: what a search for wrong objects is calibrated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.segmentation.coco_n import approximation, localisation, scale
from labelnoise.segmentation.instance_errors import instance_errors
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import edit_object, intersection_over_union

__all__ = ["ISSUE_KINDS", "plant_object_errors"]

#: What can be wrong with an annotated object, and "missing" for one that is not annotated.
ISSUE_KINDS = ("spurious", "merged", "split", "boundary", "class", "missing")
_NAMES = {"spurious": "spurious", "merged": "merged", "split": "split", "swapped": "class"}


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
    names = ["missed", "spurious", "merged", "split", *(["swapped"] if n_classes > 2 else [])]
    per_kind = share / (len(names) + 1)
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
    told = {key: _NAMES[kind] for key, kind in record if kind in ("merged", "split", "swapped")}
    # New objects come last, one per invention or split, in the order of the record.
    extra = [_NAMES[kind] for _, kind in record if kind in ("spurious", "split")]
    first_new = len(made) - len(extra)
    before = {item.object_id: item for item in objects}
    missed = tuple(before[key] for key, kind in record if kind == "missed")
    done, kinds = [], []
    for place, item in enumerate(made):
        kind = extra[place - first_new] if place >= first_new else told.get(item.object_id, "")
        if not kind and not item.crowd and item.area >= 4:
            rng = generator(seed, "planted outline", image_id, item.object_id)
            if rng.random() < per_kind:
                redrawn = _redrawn(item, size, rng)
                # An outline that hardly moved is no error to learn from, nor is one that vanished.
                if redrawn.area and intersection_over_union(item, redrawn) < 0.9:
                    item, kind = redrawn, "boundary"
        done.append(item)
        kinds.append(kind)
    return tuple(done), tuple(kinds), missed


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
