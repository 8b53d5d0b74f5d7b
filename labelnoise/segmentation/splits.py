"""How good a trained model is on the images of each split: pixel accuracy and mean IoU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import score_row
from labelnoise.core.trained import Trained
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.evaluation import ConfusionCounts

__all__ = ["pixels_of", "split_scores"]


def pixels_of(dataset: MaskDataset, images: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of some images, as a mask over units.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1]], [[1, 1]]], ("a", "b"))
    >>> pixels_of(data, np.array([False, True]))
    array([False, False,  True,  True])
    """
    return np.repeat(np.asarray(images, dtype=bool), np.diff(dataset.offsets))


def split_scores(dataset: MaskDataset, trained: Trained) -> list[dict[str, Any]]:
    """Accuracy and mean IoU (over classes that occur) in each split of the data set; one row without splits.

    Measured on the true labels where all of a split's are known, else on the given ones.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1]], [[1, 1]]], ("a", "b"), true=[[[0, 1]], [[0, 1]]],
    ...                               splits={"test": np.array([False, True])})
    >>> made = Trained(method="m", predicted=np.array([0, 1, 1, 1]), probs=np.ones((4, 2)) / 2, history=(),
    ...                selected_by="last epoch", chosen=0)
    >>> split_scores(data, made)
    [{'split': 'test', 'accuracy': 0.5, 'labels': 'true', 'units': 2, 'mean_iou': 0.25}]
    """
    everything = {"all": np.ones(dataset.n_images, dtype=bool)}
    rows = []
    for name, images in (dataset.splits or everything).items():
        row = score_row(dataset, trained, name, pixels_of(dataset, np.asarray(images)))
        labels = dataset.true if row["labels"] == "true" and dataset.true is not None else dataset.given
        counts = ConfusionCounts(dataset.n_classes)
        for image in np.flatnonzero(images):
            window = dataset.window(int(image))
            counts.update(labels[window], trained.predicted[window])
        row["mean_iou"] = None if counts.mean_iou is None else round(counts.mean_iou, 4)
        rows.append(row)
    return rows
