"""Wrong objects: annotated ones that are spurious, merged, split, badly outlined or of another class, and missing ones.

Evidence per object comes from foreground probabilities and from the image alone; what it means is learnt from errors
planted in the same data, whose share is then brought in line with the real objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.object_evidence import GIVEN_COLUMNS, ImageEvidence, image_evidence
from labelnoise.segmentation.object_probs import probabilities_of
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.planted_objects import ISSUE_KINDS, plant_object_errors

__all__ = ["ObjectIssue", "find_object_issues", "network_warning"]

Floats = NDArray[np.float64]
#: Share of objects at which an error is planted, and the most images that errors are planted in.
SHARE, MOST_IMAGES = 0.35, 400
_LEAST_EXAMPLES = 8
_BEST_IOU = GIVEN_COLUMNS.index("best_iou")


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectIssue:
    """An object that is probably wrong.

    Attributes
    ----------
    image : int
        Number of the image.
    kind : str
        Of `labelnoise.segmentation.planted_objects.ISSUE_KINDS`, the most probable one.
    p_wrong : float
        Probability that something is wrong with it.
    object : MaskObject
        The annotated object; for a missing one the predicted object.
    repair : tuple of MaskObject
        What to put in its place; nothing for a spurious one.
    replaced : tuple of int
        Ids of the annotated objects that the repair takes the place of; none for a missing one.
    agreement : float
        Median IoU of the image's annotated objects with predicted ones: how well the network knows such images. A
        few wrong objects do not move it.
    """

    image: int
    kind: str
    p_wrong: float
    object: MaskObject
    repair: tuple[MaskObject, ...]
    replaced: tuple[int, ...]
    agreement: float = 1.0


def find_object_issues(
    dataset: MaskDataset,
    probs: ArrayLike | str | Path,
    seed: int = 0,
    *,
    background: int = 0,
) -> list[ObjectIssue]:
    """Every annotated object, and every predicted one that no annotation covers, with the probability of an error.

    Parameters
    ----------
    dataset : MaskDataset
        With images, and with objects (or those of `labelnoise.segmentation.spatial_noise.objects_of_classes`).
    probs : array_like or path
        Of `labelnoise.segmentation.object_probs.probabilities_of`, from a model that has not seen the image's
        annotations.
    seed : int
        Of the planted errors.
    background : int

    Returns
    -------
    list of ObjectIssue
        The most probably wrong first.

    Raises
    ------
    InputError
        No images or objects, or fewer objects than planted errors can teach anything about.

    Notes
    -----
    Errors are planted in up to 400 images; a boosted ensemble of trees learns from the images of one half what an
    error looks like, and judges those of the other. Its probabilities are moved from the planted share to the one
    under which their mean agrees with itself (Saerens, Latinne, Decaestecker 2002, equation 2.7). That takes it for
    granted that no right object looks like a planted error more often than those in which none was planted; where
    the network fails on whole images this does not hold, and `network_warning` says so.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(24, wrong_objects=0.1)
    >>> probs = 0.9 * np.eye(5)[data.true] + 0.02
    >>> found = find_object_issues(data, probs)
    >>> found[0].kind, len(found) >= sum(map(len, data.objects))
    ('class', True)
    """
    if dataset.images is None or dataset.objects is None:
        raise InputError(
            "Looking for wrong objects needs a data set with images and objects; this one lacks them."
        )
    of_image = probabilities_of(dataset, probs, background=background)
    rng = generator(seed, "planted objects")
    order = rng.permutation(dataset.n_images)
    half = np.zeros(dataset.n_images, dtype=np.int64)
    half[order[1::2]] = 1
    planted = set(order[:MOST_IMAGES].tolist())
    real: list[ImageEvidence] = []
    lessons: list[tuple[int, Floats, list[str], Floats, NDArray[np.bool_]]] = []
    for i in range(dataset.n_images):
        row, image, part = _visible(dataset.objects[i]), dataset.images[i], of_image(i)
        found = image_evidence(row, image, part, background=background)
        real.append(found)
        if i in planted:
            made, kinds, missed = plant_object_errors(
                row,
                dataset.size(i),
                SHARE,
                seed=seed,
                image_id=dataset.image_ids[i],
                n_classes=dataset.n_classes,
                background=background,
            )
            shown = image_evidence(made, image, part, background=background, predicted=found.predicted)
            sizes = np.bincount(found.predicted.ravel())
            lost = np.zeros(len(sizes), dtype=bool)
            for item in missed:
                inside = np.bincount(found.predicted[item.window][item.mask], minlength=len(sizes))
                lost |= inside > 0.5 * sizes
            lessons.append((int(half[i]), shown.given, list(kinds), shown.missing, lost[shown.candidates]))
    about_given = _judge(
        [(h, x, np.array([_number(k) for k in kinds])) for h, x, kinds, _, _ in lessons],
        [found.given for found in real],
        half,
        seed,
        _number("spurious"),
    )
    about_missing = _judge(
        [(h, x, np.where(lost, _number("missing"), 0)) for h, _, _, x, lost in lessons],
        [found.missing for found in real],
        half,
        seed,
        _number("missing"),
    )
    issues = []
    for i, found in enumerate(real):
        row, part = _visible(dataset.objects[i]), of_image(i)
        agreement = float(np.median(found.given[:, _BEST_IOU])) if len(found.given) else 1.0
        top = max((item.object_id for item in row), default=0)
        classes = part.copy()
        classes[..., background] = -1.0
        windows = ndimage.find_objects(found.predicted)
        for place, (item, odds) in enumerate(zip(row, about_given[i])):
            kind = ISSUE_KINDS[int(odds[1:].argmax())]
            p_wrong = float(1 - odds[0])
            repair, replaced = _repair(kind, place, row, found, windows, classes, top)
            issues.append(
                ObjectIssue(
                    image=i,
                    kind=kind,
                    p_wrong=p_wrong,
                    object=item,
                    repair=repair,
                    replaced=replaced,
                    agreement=agreement,
                )
            )
        for number, odds in zip(found.candidates.tolist(), about_missing[i]):
            inside = windows[number - 1]
            label = int(classes[inside][found.predicted[inside] == number].mean(axis=0).argmax())
            item = _predicted(found, windows, number, label, top + number)
            issues.append(
                ObjectIssue(
                    image=i,
                    kind="missing",
                    p_wrong=float(1 - odds[0]),
                    object=item,
                    repair=(item,),
                    replaced=(),
                    agreement=agreement,
                )
            )
    return sorted(issues, key=lambda issue: -issue.p_wrong)


def network_warning(issues: Sequence[ObjectIssue]) -> str | None:
    """A sentence if doubtful objects crowd where the network knows the images least; None if they do not.

    Parameters
    ----------
    issues : sequence of ObjectIssue
        All of a data set.

    Notes
    -----
    Looked at are the images with an `ObjectIssue.agreement` below one half: most of their annotated objects match no
    predicted one. If they hold one and a half times their share of the objects that are expected to be wrong, and three
    or more such objects beyond it, then either these images were annotated otherwise or the network fails on them, and
    nothing in the data tells which.

    Examples
    --------
    >>> blob = MaskObject.from_mask(np.ones((1, 1), dtype=bool), label=1, object_id=1)
    >>> def issue(image, p_wrong, agreement):
    ...     return ObjectIssue(image=image, kind="boundary", p_wrong=p_wrong, object=blob, repair=(), replaced=(),
    ...         agreement=agreement)
    >>> network_warning([issue(i, 0.1, 0.8) for i in range(100)]) is None
    True
    >>> found = network_warning([issue(i, 0.9 if i < 10 else 0.1, 0.2 if i < 10 else 0.8) for i in range(100)])
    >>> found.split(",")[0]
    '9 of the 18 objects expected to be wrong lie in 10 of 100 images'
    """
    images = np.array([issue.image for issue in issues], dtype=np.int64)
    wrong = np.array([issue.p_wrong for issue in issues])
    agreement = np.array([issue.agreement for issue in issues])
    if not len(issues):
        return None
    poor = agreement < 0.5
    share, expected, there = float(poor.mean()), float(wrong.sum()), float(wrong[poor].sum())
    if there < 1.5 * share * expected or there < share * expected + 3:
        return None
    return (
        f"{there:.0f} of the {expected:.0f} objects expected to be wrong lie in {len(np.unique(images[poor]))} of "
        f"{len(np.unique(images))} images, with {share:.0%} of the objects, in which the network agrees with fewer than "
        "half of the annotated objects. Probabilities assume that right objects look right to the network; if it fails on "
        "these images, they are too high: look at some of them first."
    )


def _visible(objects: Sequence[MaskObject]) -> list[MaskObject]:
    return [item for item in objects if not item.crowd and item.area]


def _number(kind: str) -> int:
    return ISSUE_KINDS.index(kind) + 1 if kind else 0


def _judge(
    lessons: list[tuple[int, Floats, NDArray[np.int64]]],
    real: list[Floats],
    half: NDArray[np.int64],
    seed: int,
    kind: int,
) -> list[Floats]:
    """Probabilities of "right" and of each kind, per image, (a, 1 + kinds), by trees taught on the other half."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    width = len(ISSUE_KINDS) + 1
    made = [np.zeros((len(x), width)) for x in real]
    for side in (0, 1):
        rows = [i for i in range(len(real)) if half[i] == side and len(real[i])]
        taught = [(x, y) for h, x, y in lessons if h != side and len(x)]
        if not rows:
            continue
        y = np.concatenate([part for _, part in taught] or [np.zeros(0, dtype=np.int64)])
        wrong = int((y > 0).sum())
        if min(wrong, len(y) - wrong) < _LEAST_EXAMPLES:
            # Nothing to learn from: the first column, how likely the foreground is, says what there is to say.
            for i in rows:
                likely = real[i][:, 0]
                made[i][:, [0, kind]] = np.stack(
                    [likely, 1 - likely] if kind != width - 1 else [1 - likely, likely], 1
                )
            continue
        x = np.concatenate([part for part, _ in taught])
        trees = HistGradientBoostingClassifier(
            max_iter=120,
            learning_rate=0.08,
            max_leaf_nodes=12,
            min_samples_leaf=max(4, min(40, len(y) // 50)),
            l2_regularization=5.0,
            early_stopping=False,
            random_state=seed % 2**31,
        ).fit(x, y)
        judged = trees.predict_proba(np.concatenate([real[i] for i in rows]))
        full = np.zeros((len(judged), width))
        full[:, trees.classes_.astype(int)] = judged
        full = _shifted(full, np.bincount(y, minlength=width) / len(y))
        at = 0
        for i in rows:
            made[i] = full[at : at + len(real[i])]
            at += len(real[i])
    return made


def _shifted(probs: Floats, planted: Floats) -> Floats:
    """Probabilities under the share of each kind at which their means are those shares themselves."""
    known = planted > 0
    # Half an object of each kind beforehand: a data set without errors still has an order.
    rates, least = planted.copy(), 0.5 * known
    for _ in range(500):
        moved = probs * np.where(known, rates / np.maximum(planted, 1e-300), 0.0)
        moved /= np.maximum(moved.sum(axis=1, keepdims=True), 1e-300)
        new = (moved.sum(axis=0) + least) / (len(probs) + least.sum())
        if np.abs(new - rates).max() < 1e-7:
            break
        rates = new
    return moved


def _repair(
    kind: str,
    place: int,
    row: list[MaskObject],
    found: ImageEvidence,
    windows: list[Any],
    classes: NDArray[np.float32],
    top: int,
) -> tuple[tuple[MaskObject, ...], tuple[int, ...]]:
    """What to put in an object's place, and which annotated objects that replaces."""
    item, inner = row[place], found.overlap[1:, 1:]
    overlap = inner[place]
    own = (item.object_id,)
    if kind == "spurious" or not overlap.any():
        return (), own
    sizes = found.overlap[:, 1:].sum(axis=0)
    best = int(overlap.argmax())
    if kind == "class":
        inside = classes[item.window][item.mask].mean(axis=0)
        if item.label >= 0:
            inside[item.label] = -1.0
        return (item.with_label(int(inside.argmax())),), own
    if kind == "merged":
        parts = np.flatnonzero((overlap > 0.5 * sizes) & (overlap > 0))
        if len(parts) > 1:
            return tuple(
                _predicted(found, windows, part + 1, item.label, top + part + 1 if k else item.object_id)
                for k, part in enumerate(parts.tolist())
            ), own
    mask = _predicted(found, windows, best + 1, item.label, item.object_id)
    if kind == "split":
        pieces = np.flatnonzero(inner[:, best] > 0.5 * np.maximum(found.overlap[1:].sum(axis=1), 1))
        return (mask,), tuple(sorted({item.object_id, *(row[k].object_id for k in pieces.tolist())}))
    return (mask,), own


def _predicted(
    found: ImageEvidence, windows: list[Any], number: int, label: int, object_id: int
) -> MaskObject:
    rows, cols = windows[number - 1]
    return MaskObject.from_mask(
        found.predicted[rows, cols] == number,
        label=label,
        object_id=object_id,
        top=rows.start,
        left=cols.start,
    )
