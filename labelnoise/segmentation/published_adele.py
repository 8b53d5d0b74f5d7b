"""ADELE on chest X-rays under the noise of its SegTHOR experiments, as `labelnoise reproduce` runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.evaluation import ConfusionCounts
from labelnoise.segmentation.jsrt import read_jsrt
from labelnoise.segmentation.organ_scale import organ_scale

__all__ = ["adele_jsrt", "reduced"]


def reduced(dataset: MaskDataset, factor: int) -> MaskDataset:
    """Every so-manieth true label, and means over squares of grey values; the true labels are the given ones too.

    Examples
    --------
    >>> data = MaskDataset.from_masks([np.eye(4, dtype=int)], ("a", "b"), images=[np.arange(16.0).reshape(4, 4)],
    ...     true=[np.eye(4, dtype=int)])
    >>> small = reduced(data, 2)
    >>> small.mask(0).tolist(), small.images[0].tolist()
    ([[1, 0], [0, 1]], [[2.5, 4.5], [10.5, 12.5]])
    """
    assert dataset.images is not None
    assert dataset.true is not None
    masks, images = [], []
    for i in range(dataset.n_images):
        image = np.asarray(dataset.images[i], dtype=np.float32)
        image = image[..., 0] if image.ndim == 3 else image
        height, width = (side // factor for side in image.shape)
        image = image[: height * factor, : width * factor]
        images.append(image.reshape(height, factor, width, factor).mean(axis=(1, 3)))
        masks.append(np.asarray(dataset.true_mask(i))[::factor, ::factor][:height, :width])
    return MaskDataset.from_masks(
        masks,
        dataset.class_names,
        name=dataset.name,
        true=masks,
        images=images,
        image_ids=dataset.image_ids,
        splits=dataset.splits,
    )


def adele_jsrt(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Mean IoU, and IoU of each class, on clean test images at the last epoch; and that of the training labels."""
    from labelnoise.segmentation.trainers import TRAINERS

    root = data_root("segmentation")
    if root is None:
        raise InputError("Chest X-rays are needed; set LABELNOISE_DATA to the folder that holds JSRT.")
    full = read_jsrt(root / "jsrt", noise=None, splits=("train", "test"))
    rows = [np.flatnonzero(full.splits[name])[: options[f"n_{name}"]] for name in ("train", "test")]
    data = reduced(full.take(np.concatenate(rows)), options["factor"])
    given = np.full(data.n_units, -1, dtype=data.given.dtype)
    trained = np.zeros(data.n_units, dtype=bool)
    for i in np.flatnonzero(data.splits["train"]).tolist():
        mask = np.asarray(data.true_mask(i))
        if setting["noisy"]:
            mask = organ_scale(mask, seed=seed, image_id=data.image_ids[i])
        given[data.window(i)], trained[data.window(i)] = mask.ravel(), True
    noisy = replace(data, given=given)
    result = TRAINERS[setting["trainer"]].load()(
        blind(noisy),
        seed,
        epochs=options["epochs"],
        network=options["network"],
        network_options={"width": options["width"]},
        optimizer="adam",
        schedule="constant",
        ema=None,
        longest=None,
        **setting.get("options", {}),
    )
    assert data.true is not None
    found, labels = ConfusionCounts(data.n_classes), ConfusionCounts(data.n_classes)
    found.update(data.true[~trained], np.asarray(result.predicted)[~trained])
    labels.update(data.true[trained], given[trained])
    classes = {f"iou_{name}": float(value) for name, value in zip(data.class_names, found.iou)}
    return {
        "mean_iou": float(np.mean(found.iou)),
        "label_mean_iou": float(np.mean(labels.iou)),
        **classes,
    }
