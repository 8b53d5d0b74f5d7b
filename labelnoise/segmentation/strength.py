"""How strong a kind of mask noise must be for a share of wrong pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.corruption import Corruption
from labelnoise.core.validation import InputError, as_rate
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.objects import MaskObject

__all__ = ["MaskCorruption", "searched"]

Labels = NDArray[Any]
Objects = tuple[MaskObject, ...]
#: The class map of an image, and its objects, at a strength.
Change = Callable[[int, float], tuple[Labels, Objects | None]]

_ROUNDS = 12
#: So many where the nearest share is still off by more than `_SHORT`, as it is for rates of a few pixels.
_MOST_ROUNDS = 30
_CLOSE = 0.01
#: By how much the reachable share of wrong pixels may fall short before the request is refused.
_SHORT = 0.05
#: A share that is off by more than this factor is no answer: the noise's steps are too coarse for the rate.
_FAR = 2.0
#: Of more images than twice this, as many evenly spaced ones say where to begin.
_SAMPLE = 32


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


def searched(
    dataset: MaskDataset, rate: float, change: Change, high: float, *, whole: bool = False
) -> MaskCorruption:
    """Noise at the strength in [0, high] whose share of wrong pixels is nearest to ``rate``.

    Parameters
    ----------
    dataset : MaskDataset
    rate : float
        Share of the labelled pixels.
    change : callable
        ``change(image number, strength)``; its draws must not depend on the strength.
    high : float
        The greatest strength.
    whole : bool
        Only whole numbers are strengths.

    Raises
    ------
    InputError
        The greatest strength falls short of the rate by more than a twentieth; or no strength comes near to it, as for
        rates of a few pixels.

    Notes
    -----
    Bisection. Of many images evenly spaced ones say where to begin, and the next strengths follow the power law
    through the last two, so that most images are drawn two to four times instead of twelve.
    """
    rate = as_rate(rate, name="rate")
    labels_of: Labels = dataset.given
    images = np.arange(dataset.n_images)

    def run(strength: float, rows: NDArray[np.intp]) -> _Draw:
        labels, objects, wrong, labelled = labels_of.copy(), [], 0, 0
        for i in rows.tolist():
            made, own = change(i, strength)
            before = labels_of[dataset.window(i)]
            labels[dataset.window(i)] = made.ravel()
            wrong += int((made.ravel() != before).sum())
            labelled += int((before >= 0).sum())
            objects.append(own)
        return _Draw(strength, wrong / max(labelled, 1), labels, objects)

    if rate == 0:
        return _answer(dataset, run(0.0, images))
    start = None
    if len(images) > 2 * _SAMPLE:
        few = images[:: len(images) // _SAMPLE]
        start = _bisected(lambda s: run(s, few), rate, high, whole)[0].strength
    best, most = _bisected(lambda s: run(s, images), rate, high, whole, start)
    if most < rate * (1 - _SHORT):
        raise InputError(
            f"rate is {rate:g}, and this noise reaches {most:.4f} at most on {dataset.name}; ask for less, "
            "or change its options."
        )
    if best.share == 0:
        raise InputError(
            f"rate is {rate:g}, {rate * int((labels_of >= 0).sum()):.3g} of the pixels of {dataset.name}, which is less "
            "than this noise changes at its weakest; ask for more."
        )
    if not rate / _FAR < best.share < rate * _FAR:
        raise InputError(
            f"rate is {rate:g}, and the nearest share that this noise gives on {dataset.name} is {best.share:.2g}; "
            "ask for that."
        )
    return _answer(dataset, best)


class _Draw(NamedTuple):
    strength: float
    share: float
    labels: Labels
    objects: list[Objects | None]


def _bisected(
    run: Callable[[float], _Draw], rate: float, high: float, whole: bool, start: float | None = None
) -> tuple[_Draw, float]:
    """The draw nearest to ``rate`` and the largest share seen; begins at ``start``, in the middle without one."""
    low, upper = 0.0, high
    best = run(high if start is None else start)
    most = best.share
    if start is None and best.share <= rate:
        return best, most
    # The share is about a power of the strength.
    found, tried, power = best, {best.strength}, 1.0
    for number in range(_MOST_ROUNDS):
        if number >= _ROUNDS and abs(best.share - rate) <= _SHORT * rate:
            break
        if abs(best.share - rate) <= _CLOSE * rate or (found.strength == high and found.share < rate):
            break
        low, upper = (found.strength, upper) if found.share < rate else (low, found.strength)
        near = found.strength * (rate / found.share) ** (1 / power) if start and found.share > 0 else -1.0
        middle = near if low < near < upper else high if low < high < near else 0.5 * (low + upper)
        middle = round(middle) if whole else middle
        if middle in tried:
            break
        last, found = found, run(middle)
        tried.add(middle)
        if min(last.share, found.share, last.strength) > 0:
            ratio = math.log(found.share / last.share) / math.log(found.strength / last.strength)
            power = min(max(ratio, 0.25), 4.0)
        most = max(most, found.share)
        if abs(found.share - rate) < abs(best.share - rate):
            best = found
    return best, most


def _answer(dataset: MaskDataset, found: _Draw) -> MaskCorruption:
    changed = found.labels != dataset.given
    return MaskCorruption(
        labels=found.labels,
        changed=changed,
        rate=int(changed.sum()) / max(int((dataset.given >= 0).sum()), 1),
        objects=None if dataset.objects is None else [row or () for row in found.objects],
        severity=found.strength,
    )
