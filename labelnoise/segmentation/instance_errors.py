"""Errors of whole objects: another class, missed, invented, two drawn as one, one drawn as two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.segmentation.objects import MaskObject

__all__ = ["KINDS", "instance_errors"]

#: What can happen to an object.
KINDS = ("swapped", "missed", "spurious", "merged", "split")


def instance_errors(
    objects: Sequence[MaskObject],
    size: tuple[int, int],
    share: float,
    *,
    seed: int,
    image_id: str,
    n_classes: int,
    background: int = 0,
    weights: Mapping[str, float] | None = None,
) -> tuple[tuple[MaskObject, ...], tuple[tuple[int, str], ...]]:
    """Make errors of whole objects, each object being part of one at most.

    Parameters
    ----------
    objects : sequence of MaskObject
        Crowds and empty ones are left as they are.
    size : tuple of int
    share : float
        Probability that an object draws an error, from 0 to 1. Objects hit at one share are hit at a larger one.
    seed : int
    image_id : str
    n_classes : int
    background : int
    weights : mapping of str to float, optional
        How often each of `KINDS` is drawn; equally by default.

    Returns
    -------
    objects : tuple of MaskObject
        In the order of their ids; new ones come last and have new ids.
    record : tuple of (int, str)
        Which object drew what. A merge or a class swap that is impossible (no partner, no other class) and the
        split of a single pixel leave no record.

    Examples
    --------
    >>> item = MaskObject.from_mask(np.ones((4, 6)), label=1, object_id=3)
    >>> made, record = instance_errors([item], (9, 9), 1.0, seed=0, image_id="a", n_classes=3,
    ...                                weights={"split": 1})
    >>> record, [(part.object_id, part.box) for part in made]
    (((3, 'split'),), [(3, (0, 0, 4, 3)), (4, (0, 3, 4, 3))])
    """
    share = as_rate(share, name="share")
    wanted = dict.fromkeys(KINDS, 1.0) if weights is None else dict(weights)
    for name in wanted:
        choose(name, KINDS, "error of objects")
    odds = np.array([wanted.get(name, 0.0) for name in KINDS], dtype=float)
    if odds.min() < 0 or odds.sum() <= 0:
        raise InputError("weights holds a negative number or no positive one; give at least one above 0.")
    odds = np.cumsum(odds / odds.sum())
    kept = {item.object_id: item for item in sorted(objects, key=lambda item: item.object_id)}
    free = {key for key, item in kept.items() if not item.crowd and item.area}
    classes = [c for c in range(n_classes) if c != background]
    fresh, extra, record = max(kept, default=0) + 1, [], []
    for key in sorted(free):
        rng = generator(seed, "instance-errors", image_id, key)
        hit, which = rng.random(2)
        if hit >= share or key not in free:
            continue
        item, kind = kept[key], KINDS[min(int(np.searchsorted(odds, which, side="right")), len(KINDS) - 1)]
        if kind == "swapped":
            others = [c for c in classes if c != item.label]
            if not others:
                continue
            kept[key] = item.with_label(others[int(rng.integers(len(others)))])
        elif kind == "missed":
            del kept[key]
        elif kind == "spurious":
            top = int(rng.integers(size[0] - item.shape[0] + 1))
            left = int(rng.integers(size[1] - item.shape[1] + 1))
            label = classes[int(rng.integers(len(classes)))] if classes else item.label
            extra.append(replace(item, object_id=fresh, label=label, top=top, left=left))
            fresh += 1
        elif kind == "merged":
            partner = _nearest(item, [kept[other] for other in sorted(free) if other != key])
            if partner is None:
                continue
            kept[key] = _union(item, partner, size)
            del kept[partner.object_id]
            free.discard(partner.object_id)
        else:
            parts = _halves(item, fresh)
            if parts is None:
                continue
            kept[key] = parts[0]
            extra.append(parts[1])
            fresh += 1
        free.discard(key)
        record.append((key, kind))
    return (*kept.values(), *extra), tuple(record)


def _nearest(item: MaskObject, others: Sequence[MaskObject]) -> MaskObject | None:
    """The object with the smallest gap between boxes, then between their centres."""

    def gap(other: MaskObject) -> tuple[int, float]:
        spans = []
        for axis in (0, 1):
            a, b = item.box[axis], other.box[axis]
            spans.append(max(a, b) - min(a + item.shape[axis], b + other.shape[axis]))
        centre = sum(
            (item.box[x] + item.shape[x] / 2 - other.box[x] - other.shape[x] / 2) ** 2 for x in (0, 1)
        )
        return max(*spans, 0), centre

    return min(others, key=gap) if others else None


def _union(a: MaskObject, b: MaskObject, size: tuple[int, int]) -> MaskObject:
    label = a.label if a.area >= b.area else b.label
    return MaskObject.from_mask(a.full(size) | b.full(size), label=label, object_id=a.object_id)


def _halves(item: MaskObject, fresh: int) -> tuple[MaskObject, MaskObject] | None:
    """Two parts of equal size, cut across the longer axis."""
    mask = item.mask
    y, x = np.nonzero(mask)
    if len(y) < 2:
        return None
    spread = np.cov(np.stack([y, x])) if len(y) > 1 else np.eye(2)
    along = np.linalg.eigh(spread)[1][:, -1]
    along = along if along[np.abs(along).argmax()] > 0 else -along
    order = np.argsort((y * along[0] + x * along[1]).round(6), kind="stable")
    first = np.zeros_like(mask)
    half = order[: (len(order) + 1) // 2]
    first[y[half], x[half]] = True
    parts = [
        MaskObject.from_mask(part, label=item.label, object_id=key, top=item.top, left=item.left)
        for part, key in ((first, item.object_id), (mask & ~first, fresh))
    ]
    return parts[0], parts[1]
