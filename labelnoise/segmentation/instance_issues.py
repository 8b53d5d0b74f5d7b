"""Wrong objects: annotated ones that are spurious, merged, split, badly outlined or of another class, and missing ones.

Evidence per object comes from foreground probabilities and from the image alone; what it means is learnt from errors
planted in the same data, whose share is then brought in line with the real objects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from labelnoise.core.detection import Detection
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.object_evidence import ImageEvidence, image_evidence
from labelnoise.segmentation.objects import MaskObject, paint_ids
from labelnoise.segmentation.planted_objects import ISSUE_KINDS, plant_object_errors

__all__ = ["ObjectIssue", "detect_objects", "find_object_issues", "probabilities_of", "with_gaps"]

Floats = NDArray[np.float64]
#: Share of objects at which an error is planted, and the most images that errors are planted in.
SHARE, MOST_IMAGES = 0.35, 400
_LEAST_EXAMPLES = 8


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
    """

    image: int
    kind: str
    p_wrong: float
    object: MaskObject
    repair: tuple[MaskObject, ...]
    replaced: tuple[int, ...]


def probabilities_of(
    dataset: MaskDataset, probs: ArrayLike | str | Path, *, background: int = 0
) -> Callable[[int], NDArray[np.float32]]:
    """Class probabilities of one image at a time, from an array or a ``.npy`` file that stays on disk.

    Parameters
    ----------
    dataset : MaskDataset
    probs : array_like or path
        One row per pixel in the data set's order: (n,) foreground or (n, K) classes; float from 0 to 1, or uint8 in
        steps of 1/255.
    background : int

    Returns
    -------
    callable
        Image number to (h, w, K). A foreground is shared evenly among the other classes.

    Raises
    ------
    InputError
        Another number of pixels or classes, or numbers beyond 0 to 1.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1]]], ("no", "yes"))
    >>> probabilities_of(data, np.array([0.25, 1.0]))(0).tolist()
    [[[0.75, 0.25], [0.0, 1.0]]]
    """
    if isinstance(probs, str | Path):
        try:
            values = np.load(probs, allow_pickle=False, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"{probs} is not a .npy file of numbers ({error}); save it with numpy.save."
            ) from error
    else:
        values = np.asarray(probs)
    n, k = dataset.n_units, dataset.n_classes
    if values.shape not in ((n,), (n, k)) or (values.dtype != np.uint8 and values.dtype.kind != "f"):
        raise InputError(
            f"The probabilities have shape {values.shape} and type {values.dtype}; ({n},) for the foreground or "
            f"({n}, {k}) for the classes is needed, float from 0 to 1 or uint8 from 0 to 255."
        )

    def of_image(image: int) -> NDArray[np.float32]:
        part = np.asarray(values[dataset.window(image)], dtype=np.float32)
        if values.dtype == np.uint8:
            part = part / np.float32(255)
        if not (part >= -1e-3).all() or not (part <= 1 + 1e-3).all():
            raise InputError(
                f"The probabilities of image {dataset.image_ids[image]} are not all from 0 to 1; pass softmax values."
            )
        if part.ndim == 1:
            spread = np.repeat(part[:, None] / np.float32(max(k - 1, 1)), k, axis=1)
            spread[:, background] = 1 - part
            part = spread
        return part.reshape(*dataset.size(image), k)

    return of_image


def with_gaps(dataset: MaskDataset, *, background: int = 0) -> MaskDataset:
    """The data set with background where objects touch, so that a network learns to keep them apart.

    Examples
    --------
    >>> from labelnoise.segmentation.objects import objects_from_ids
    >>> ids = np.array([[1, 1, 2, 2, 0]])
    >>> data = MaskDataset.from_masks([np.sign(ids)], ("no", "yes"), objects=[objects_from_ids(ids, 1)])
    >>> with_gaps(data).mask(0).tolist()
    [[1, 0, 0, 1, 0]]
    """
    if dataset.objects is None:
        return dataset
    given = dataset.given.copy()
    for i in range(dataset.n_images):
        ids = paint_ids(dataset.objects[i], dataset.size(i))
        touch = np.zeros(ids.shape, dtype=bool)
        for one, other, a, b in (
            (ids[1:], ids[:-1], touch[1:], touch[:-1]),
            (ids[:, 1:], ids[:, :-1], touch[:, 1:], touch[:, :-1]),
        ):
            apart = (one != other) & (one > 0) & (other > 0)
            a |= apart
            b |= apart
        part = given[dataset.window(i)]
        part[touch.ravel() & (part >= 0)] = background
    return replace(dataset, given=given, true=None)


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
        Of `probabilities_of`, from a model that has not seen the annotations of the image.
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
    under which their mean agrees with itself (Saerens, Latinne, Decaestecker 2002, equation 2.7).

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
                    image=i, kind=kind, p_wrong=p_wrong, object=item, repair=repair, replaced=replaced
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
                )
            )
    return sorted(issues, key=lambda issue: -issue.p_wrong)


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
        full = _shifted(full, wrong / len(y))
        at = 0
        for i in rows:
            made[i] = full[at : at + len(real[i])]
            at += len(real[i])
    return made


def _shifted(probs: Floats, planted: float) -> Floats:
    """Probabilities under the share of errors at which their mean is that share itself."""
    wrong, rate = 1 - probs[:, 0], planted
    for _ in range(200):
        up, down = rate / planted * wrong, (1 - rate) / (1 - planted) * (1 - wrong)
        moved = up / np.maximum(up + down, 1e-300)
        # Never quite zero: a data set without errors still has an order.
        new = max(float(moved.mean()), 0.5 / (len(probs) + 1))
        if abs(new - rate) < 1e-7:
            break
        rate = new
    out = probs * (moved / np.maximum(wrong, 1e-300))[:, None]
    out[:, 0] = 1 - moved
    return out


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


def detect_objects(
    dataset: MaskDataset,
    seed: int,
    *,
    probs: ArrayLike | str | Path | None = None,
    background: int = 0,
    listed: int = 500,
    **options: Any,
) -> Detection:
    """Wrong objects as a detection of pixels: each pixel has the quality of its most doubtful object.

    Parameters
    ----------
    dataset : MaskDataset
        With images; without objects, the connected parts of its classes are taken.
    seed : int
    probs : array_like or path, optional
        Of `probabilities_of`; by default out-of-fold ones of a small U-Net that is shown gaps between objects.
    background : int
    listed : int
        How many objects ``info["objects"]`` lists, with kind, box and the repair's boxes and areas.
    **options
        Of `labelnoise.segmentation.pixel_detectors.out_of_fold_probs`.

    Returns
    -------
    Detection
        ``flagged`` are pixels that repairs of objects with a probability above one half change, and ``suggested``
        what they change them to. Evidence: "object" (id, 0 for none) and "p_wrong_object".

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(24)
    >>> found = detect_objects(data, 0, probs=(0.9 * np.eye(5)[data.true] + 0.02).astype("float32"))
    >>> sorted(found.info["objects"][0])
    ['box', 'image', 'kind', 'object', 'p_wrong', 'repair', 'replaced']
    """
    started = time.process_time()
    if dataset.objects is None:
        from labelnoise.segmentation.spatial_noise import objects_of_classes

        dataset = replace(
            dataset,
            objects=[
                objects_of_classes(dataset.mask(i), background=background) for i in range(dataset.n_images)
            ],
        )
    if probs is None:
        from labelnoise.segmentation.pixel_detectors import out_of_fold_probs

        probs = out_of_fold_probs(with_gaps(dataset, background=background), seed, **options)
    elif options:
        raise InputError(
            f"{sorted(options)[0]!r} is an option of the network, and probs are given; leave one out."
        )
    issues = find_object_issues(dataset, probs, seed, background=background)
    doubt = np.zeros(dataset.n_units, dtype=np.float64)
    suggested = dataset.given.copy()
    object_of = np.zeros(dataset.n_units, dtype=np.int64)
    assert dataset.objects is not None
    for i in range(dataset.n_images):
        object_of[dataset.window(i)] = paint_ids(dataset.objects[i], dataset.size(i)).ravel()
    # The least doubtful first, so that more doubtful ones have the last word.
    for issue in reversed(issues):
        size, window = dataset.size(issue.image), dataset.window(issue.image)
        own = issue.object.full(size).ravel()
        touched = own.copy()
        for item in issue.repair:
            touched |= item.full(size).ravel()
        doubt[window][touched] = np.maximum(doubt[window][touched], issue.p_wrong)
        if issue.p_wrong > 0.5:
            answer = suggested[window]
            if issue.kind != "missing":
                answer[own] = background
            for item in issue.repair:
                answer[item.full(size).ravel()] = item.label
            suggested[window] = answer
    labelled = dataset.given >= 0
    suggested = np.where(labelled, suggested, dataset.given)
    return Detection(
        method="objects",
        quality=np.where(labelled, 1.0 - doubt, 1.0),
        flagged=labelled & (suggested != dataset.given),
        suggested=suggested,
        confidence=np.where(suggested != dataset.given, doubt, 1.0 - doubt),
        evidence={"object": object_of, "p_wrong_object": doubt},
        info={
            "objects": [_row(issue, dataset) for issue in issues[:listed]],
            "expected_wrong_objects": round(sum(issue.p_wrong for issue in issues), 1),
            "cpu_seconds": round(time.process_time() - started, 2),
        },
    )


def _row(issue: ObjectIssue, dataset: MaskDataset) -> dict[str, Any]:
    return {
        "image": dataset.image_ids[issue.image],
        "object": None if issue.kind == "missing" else issue.object.object_id,
        "kind": issue.kind,
        "p_wrong": round(issue.p_wrong, 4),
        "box": list(issue.object.box),
        "repair": [{"label": r.label, "box": list(r.box), "area": r.area} for r in issue.repair],
        "replaced": list(issue.replaced),
    }
