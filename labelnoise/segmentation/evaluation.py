"""What masks are measured by: IoU from streamed counts, boundary IoU, wrong pixels learnt, AP of objects."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.objects import MaskObject

__all__ = ["BoundaryCounts", "ConfusionCounts", "WrongPixelCounts", "label_iou", "object_ap"]


class ConfusionCounts:
    """How often each class was labelled and predicted as which, summed over any number of images.

    Pixels whose label is -1 do not count; a prediction of -1 ("none") is a miss of the labelled class.

    Attributes
    ----------
    counts : ndarray of int64, shape (K, K + 1)
        Rows are labels, columns predictions, the last one "none".

    Examples
    --------
    >>> found = ConfusionCounts(3)
    >>> found.update([[0, 0, 1, -1]], [[0, 1, 1, 2]])
    >>> found.iou.round(2), found.mean_iou, found.accuracy
    (array([0.5, 0.5, nan]), 0.5, 0.6666666666666666)
    """

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self.counts = np.zeros((n_classes, n_classes + 1), dtype=np.int64)

    def update(self, labels: ArrayLike, predicted: ArrayLike) -> None:
        """Add pixels.

        Parameters
        ----------
        labels, predicted : array_like of int, one shape
            Class ids from 0 to K - 1, or -1.

        Raises
        ------
        InputError
            Different shapes, or other numbers.
        """
        k = self.n_classes
        given, found = _pair(labels, predicted, k)
        known = given >= 0
        cells = given[known].astype(np.int64) * (k + 1) + found[known].astype(np.int64) % (k + 1)
        self.counts += np.bincount(cells, minlength=k * (k + 1)).reshape(k, k + 1)

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union per class, shape (K,); NaN for a class neither labelled nor predicted."""
        hit, labelled, predicted = self._sums()
        return _ratio(hit, labelled + predicted - hit)

    @property
    def dice(self) -> NDArray[np.float64]:
        """2 TP / (labelled + predicted) per class, shape (K,); NaN for a class that is in neither."""
        hit, labelled, predicted = self._sums()
        return _ratio(2 * hit, labelled + predicted)

    @property
    def mean_iou(self) -> float | None:
        """Mean over the classes that occur; None where none does."""
        return _mean(self.iou)

    @property
    def accuracy(self) -> float | None:
        """Share of labelled pixels that are predicted as labelled; None without any."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts) / total) if total else None

    def _sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        square = self.counts[:, : self.n_classes]
        return np.diag(square), self.counts.sum(axis=1), square.sum(axis=0)


class BoundaryCounts:
    """Boundary IoU: IoU of the pixels of a class that lie within a distance of its outline.

    The outline includes the image's edge. Pixels without a label belong to no class, in both maps.

    Parameters
    ----------
    n_classes : int
        K.
    width : float
        Distance as a share of the image's diagonal, rounded to pixels, at least 1.

    References
    ----------
    Cheng et al. 2021, Boundary IoU, CVPR: ``|(G_d & G) & (P_d & P)| / |(G_d & G) | (P_d & P)|``, d = 2 %.

    Examples
    --------
    >>> label = np.zeros((40, 40), int)
    >>> label[10:30, 10:30] = 1
    >>> found = BoundaryCounts(2)
    >>> found.update(label, np.roll(label, 1, axis=0))
    >>> found.iou.round(2)
    array([0.7 , 0.33])
    """

    def __init__(self, n_classes: int, *, width: float = 0.02) -> None:
        if not 0 < width <= 1:
            raise InputError(f"width is {width}; give a share of the image's diagonal above 0, up to 1.")
        self.n_classes, self.width = n_classes, width
        self.both = np.zeros(n_classes, dtype=np.int64)
        self.either = np.zeros(n_classes, dtype=np.int64)

    def update(self, label: ArrayLike, predicted: ArrayLike) -> None:
        """Add one image's class maps, shape (h, w) each."""
        given, found = _pair(label, predicted, self.n_classes)
        if given.ndim != 2:
            raise InputError(f"A class map has shape {given.shape}; (height, width) of one image is needed.")
        distance = max(1, round(self.width * float(np.hypot(*given.shape))))
        known = given >= 0
        for k in range(self.n_classes):
            one, other = given == k, (found == k) & known
            if not one.any() and not other.any():
                continue
            edge, other_edge = _edge(one, distance), _edge(other, distance)
            self.both[k] += int((edge & other_edge).sum())
            self.either[k] += int((edge | other_edge).sum())

    @property
    def iou(self) -> NDArray[np.float64]:
        """Boundary IoU per class, shape (K,), over all images; NaN for a class that never occurs."""
        return _ratio(self.both, self.either)

    @property
    def mean_iou(self) -> float | None:
        """Mean over the classes that occur; None where none does."""
        return _mean(self.iou)


class WrongPixelCounts:
    """What a model in training says of the wrongly labelled pixels: the truth, the wrong label, or a third.

    One row per true class; "corrected" falls and "memorised" rises as noise is learnt by heart.

    References
    ----------
    Liu et al. 2022, Adaptive Early-Learning Correction for Segmentation (ADELE), CVPR, section 3.

    Examples
    --------
    >>> found = WrongPixelCounts(3)
    >>> found.update(given=[0, 1, 2, 0], true=[1, 1, 1, 2], predicted=[1, 0, 2, 1])
    >>> found.counts.tolist(), round(found.corrected, 2), round(found.memorised, 2)
    ([[0, 0, 0], [1, 1, 0], [0, 0, 1]], 0.33, 0.33)
    """

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        #: Columns: predicted as the truth, as the wrong label, as a third class; rows: true classes.
        self.counts = np.zeros((n_classes, 3), dtype=np.int64)

    def update(self, given: ArrayLike, true: ArrayLike, predicted: ArrayLike) -> None:
        """Add pixels; three arrays of class ids of one shape, -1 where unknown (such pixels do not count)."""
        labels, right = _pair(given, true, self.n_classes)
        _, found = _pair(given, predicted, self.n_classes)
        wrong = (labels >= 0) & (right >= 0) & (labels != right)
        labels, right, found = labels[wrong], right[wrong], found[wrong]
        kind = np.where(found == right, 0, np.where(found == labels, 1, 2))
        cells = right.astype(np.int64) * 3 + kind
        self.counts += np.bincount(cells, minlength=self.n_classes * 3).reshape(-1, 3)

    @property
    def corrected(self) -> float | None:
        """Share of wrong pixels that are predicted as they truly are; None without a wrong pixel."""
        return self._share(0)

    @property
    def memorised(self) -> float | None:
        """Share of wrong pixels that are predicted as they are labelled; None without a wrong pixel."""
        return self._share(1)

    def _share(self, column: int) -> float | None:
        total = int(self.counts.sum())
        return float(self.counts[:, column].sum() / total) if total else None


def label_iou(dataset: MaskDataset) -> ConfusionCounts:
    """Given labels against true ones, image by image: its ``mean_iou`` is the quality of the labels.

    Raises
    ------
    InputError
        No true labels.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1]]], ("a", "b"), true=[[[1, 1]]])
    >>> label_iou(data).iou
    array([0. , 0.5])
    """
    if dataset.true is None:
        raise InputError(f"{dataset.name} has no true labels; the quality of labels cannot be told without.")
    counts = ConfusionCounts(dataset.n_classes)
    for i in range(dataset.n_images):
        counts.update(dataset.true_mask(i), dataset.mask(i))  # type: ignore[arg-type]
    return counts


def object_ap(
    truth: Sequence[Sequence[MaskObject]],
    predicted: Sequence[Sequence[MaskObject]],
    sizes: Iterable[Sequence[int]],
    *,
    boxes: bool = False,
    max_objects: int | None = None,
) -> dict[str, float | None]:
    """Average precision of objects as COCO measures it, by masks or by boxes.

    Parameters
    ----------
    truth, predicted : sequence of sequences of MaskObject
        One sequence per image; a prediction without a ``score`` counts as sure (1).
    sizes : iterable of (int, int)
        Height and width of each image.
    boxes : bool
        Compare boxes instead of masks.
    max_objects : int, optional
        How many predictions of a class count per image, the surest first. COCO's own tables use 100, which
        costs images with more objects (cells) their recall; by default all count.

    Returns
    -------
    dict
        "ap" (mean over IoU .50 to .95), "ap50", "ap75", "ap_small", "ap_medium", "ap_large"; None where there is
        no true object to find.

    Raises
    ------
    InputError
        Different numbers of images, or pycocotools is missing.

    References
    ----------
    Lin et al. 2014, Microsoft COCO; pycocotools' COCOeval does the counting.

    Examples
    --------
    >>> cell = MaskObject.from_mask(np.ones((8, 8)), label=1, object_id=1)
    >>> half = MaskObject.from_mask(np.ones((8, 5)), label=1, object_id=1)
    >>> found = object_ap([[cell]], [[half]], [(8, 8)])
    >>> {name: round(found[name], 2) for name in ("ap", "ap50", "ap75")}
    {'ap': 0.3, 'ap50': 1.0, 'ap75': 0.0}
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise InputError(
            "AP of objects needs pycocotools; run pip install 'labelnoise[segmentation]'."
        ) from error
    from labelnoise.segmentation.coco import encode_mask

    shapes = [(int(height), int(width)) for height, width in sizes]
    if not len(truth) == len(predicted) == len(shapes):
        raise InputError(
            f"There are {len(truth)} images with true objects, {len(predicted)} with predicted ones and "
            f"{len(shapes)} sizes; give one each per image."
        )
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    if not any(item.label >= 0 and not item.crowd for row in truth for item in row):
        return dict.fromkeys(names)

    def rows(objects: Sequence[Sequence[MaskObject]]) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for i, row in enumerate(objects):
            for item in row:
                if item.label < 0 or not item.area:
                    continue
                top, left, height, width = item.box
                made.append(
                    {
                        "id": len(made) + 1,
                        "image_id": i,
                        "category_id": item.label,
                        "segmentation": encode_mask(item.full(shapes[i])),
                        "bbox": [left, top, width, height],
                        "area": item.area,
                        "iscrowd": int(item.crowd),
                        "score": 1.0 if item.score is None else float(item.score),
                    }
                )
        return made

    answers = rows(predicted)
    if not answers:
        return dict.fromkeys(names, 0.0)
    right = rows(truth)
    images = [{"id": i, "height": height, "width": width} for i, (height, width) in enumerate(shapes)]
    categories = [{"id": k, "name": str(k)} for k in sorted({item["category_id"] for item in right})]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        gold, found = COCO(), COCO()
        gold.dataset = {"images": images, "annotations": right, "categories": categories}
        found.dataset = {"images": images, "annotations": answers, "categories": categories}
        gold.createIndex()
        found.createIndex()
        judge = COCOeval(gold, found, "bbox" if boxes else "segm")
        most = max(len(row) for row in predicted)
        judge.params.maxDets = [most if max_objects is None else max_objects]
        judge.evaluate()
        judge.accumulate()
    # Axes: IoU from .50 in steps of .05, recall, class, area (all, small, medium, large), the limit.
    precision = judge.eval["precision"][..., 0]
    cuts = (
        precision[..., 0],
        precision[0, ..., 0],
        precision[5, ..., 0],
        *(precision[..., k] for k in (1, 2, 3)),
    )
    # COCOeval says -1 where there is nothing to find.
    found_cuts = [cut[cut > -1] for cut in cuts]
    return {name: float(cut.mean()) if cut.size else None for name, cut in zip(names, found_cuts)}


def _pair(one: ArrayLike, other: ArrayLike, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape:
        raise InputError(f"Class maps have shapes {a.shape} and {b.shape}; they must be of one size.")
    for array in (a, b):
        if array.dtype.kind not in "iu" or (array.size and (array.min() < -1 or array.max() >= k)):
            raise InputError(
                f"A class map of type {array.dtype} holds {array.min()} to {array.max()}; whole numbers from "
                f"0 to {k - 1} are classes, and -1 is 'no label'."
            )
    return a, b


def _edge(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """The pixels of a mask within ``distance`` (in both directions) of a pixel outside it or of the border."""
    inner = ndimage.minimum_filter(mask, size=2 * distance + 1, mode="constant", cval=False)
    return mask & ~inner


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean(values: NDArray[np.float64]) -> float | None:
    present = values[np.isfinite(values)]
    return float(present.mean()) if len(present) else None
