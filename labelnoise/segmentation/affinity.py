"""Affinity between images: whether a pixel looks like pixels of its class in neighbouring slices or similar images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from labelnoise.core.detection import Detection
from labelnoise.core.threads import one_thread
from labelnoise.core.validation import InputError, choose
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.mask_task import MaskTask, Pictures
from labelnoise.segmentation.networks import UNet
from labelnoise.segmentation.pixel_detectors import STEPS, answer_of, image_folds
from labelnoise.segmentation.train_methods import fit

__all__ = ["NEIGHBOURS", "affinities", "detect_affinity", "pixel_features"]

#: Which images a pixel is compared with.
NEIGHBOURS = ("order", "nearest")
#: Turns cosine similarities, which differ little, into shares of classes.
_SHARPNESS = 10.0

Array = NDArray[np.float64]


def affinities(features: NDArray[Any], other: NDArray[Any], other_labels: NDArray[Any], k: int) -> Array:
    """Mean cosine similarity of each pixel to the pixels of each class elsewhere, shape (n, K); NaN without any.

    The mean of products with m pixels is the product with their mean, so that the cost is O((n + m) K).

    Parameters
    ----------
    features : ndarray of float, shape (n, F)
        Rows of length 1.
    other : ndarray of float, shape (m, F)
        Rows of length 1, of the images compared with.
    other_labels : ndarray of int, shape (m,)
        -1 is left out.
    k : int

    Examples
    --------
    >>> right, up = [1.0, 0.0], [0.0, 1.0]
    >>> affinities(np.array([right]), np.array([right, up, up]), np.array([0, 0, 1]), 3).tolist()
    [[0.5, 0.0, nan]]
    """
    known = other_labels >= 0
    labels = other_labels[known].astype(np.intp)
    counts = np.bincount(labels, minlength=k).astype(np.float64)
    sums = np.stack([np.bincount(labels, column, minlength=k) for column in other[known].T], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts[:, None]
    return np.asarray(features @ means.T, dtype=np.float64)


def confidence_of(table: Array, counts: NDArray[Any], given: NDArray[Any]) -> Array:
    """``p + 1 - n``: similarity to pixels of the own class, and dissimilarity to all others, shape (n,).

    Parameters
    ----------
    table : ndarray of float, shape (n, K)
        As `affinities` gives it.
    counts : ndarray of int, shape (K,)
        Pixels of each class that were compared with.
    given : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float
        From -1 to 3; 1, which says nothing, where the class or all others do not occur, or without a label.

    Examples
    --------
    >>> confidence_of(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([3, 5]), np.array([0, 1])).round(2).tolist()
    [1.8, 0.2]
    """
    shares = np.nan_to_num(table) * counts
    rows = np.arange(len(given))
    own = np.maximum(given, 0).astype(np.intp)
    rest = counts.sum() - counts[own]
    negative = (shares.sum(axis=1) - shares[rows, own]) / np.maximum(rest, 1)
    known = (given >= 0) & (counts[own] > 0) & (rest > 0)
    return np.where(known, np.nan_to_num(table[rows, own]) + 1 - negative, 1.0)


@torch.no_grad()
def pixel_features(model: nn.Module, pictures: Pictures, image: int, shape: Sequence[int]) -> NDArray[Any]:
    """What a U-Net's last layer sees of each pixel, centred over the image and scaled to length 1, shape (h w, F)."""
    assert isinstance(model, UNet)
    kept: list[Tensor] = []
    hook = model.head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    try:
        model.eval()
        model(pictures[image][None])
    finally:
        hook.remove()
    height, width = pictures.sizes[image].tolist()
    full = F.interpolate(kept[0], scale_factor=2, mode="bilinear") if model.half else kept[0]
    own = full[..., :height, :width]
    if own.shape[-2:] != tuple(shape):
        own = F.interpolate(own, size=tuple(shape), mode="bilinear", align_corners=False)
    flat = own[0].permute(1, 2, 0).reshape(-1, own.shape[1])
    # Features behind a ReLU all point one way; without their mean similar and dissimilar would hardly differ.
    flat = flat - flat.mean(dim=0)
    return np.asarray(F.normalize(flat, dim=1).numpy(), dtype=np.float32)


def detect_affinity(
    dataset: MaskDataset,
    seed: int,
    *,
    neighbours: str = "nearest",
    n_neighbours: int = 4,
    folds: int = 3,
    epochs: int | None = None,
    longest: int | None = 256,
    network: str = "unet-half",
    **options: Any,
) -> Detection:
    """Pixels that look less like their own class than like another in neighbouring slices or similar images.

    Features are those of a U-Net that has not seen the image.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    neighbours : {"nearest", "order"}
        "order": the images before and after, for slices and frames. "nearest": those whose means of the features per
        class are most alike.
    n_neighbours : int
        Images compared with; of "order" as many on either side as make this number.
    folds, epochs, longest, **options
        Of `labelnoise.segmentation.pixel_detectors.out_of_fold_probs`.
    network : {"unet", "unet-half"}

    Returns
    -------
    Detection
        ``quality`` is (p + 1 - n + 1) / 4; a pixel is flagged where another class of the neighbours is more alike.

    Raises
    ------
    InputError
        No images, too few of them, a network without accessible features.

    References
    ----------
    Liang et al. 2023, MS-TFAL, MICCAI: confidence p + 1 - n between adjacent frames.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> found = detect_affinity(scenes(6, 32), 0, folds=2, epochs=1)
    >>> found.method, len(found.quality)
    ('affinity', 6144)
    """
    choose(neighbours, NEIGHBOURS, "neighbours")
    choose(network, ("unet", "unet-half"), "network with features")
    if n_neighbours < 1 or dataset.n_images < 3:
        raise InputError(
            f"n_neighbours is {n_neighbours} for {dataset.n_images} images; at least 1, and three images, are needed."
        )
    started = time.process_time()
    pictures, k = Pictures(dataset, longest), dataset.n_classes
    task_options = {key: options.pop(key) for key in ("network_options", "batch_size") if key in options}
    probs = np.empty((dataset.n_units, k), dtype=np.float32)
    quality = np.empty(dataset.n_units)
    with one_thread():
        for number, held_out in enumerate(image_folds(dataset, folds, seed)):
            rest = np.setdiff1d(np.arange(dataset.n_images), held_out)
            task = MaskTask(dataset, train=rest, pictures=pictures, network=network, **task_options)
            steps = -(-len(rest) // task.batch_size)
            result = fit(
                task,
                seed * 1000 + number,
                epochs=epochs or max(5, round(STEPS / steps)),
                parameters={"augment": True},
                **options,
            )
            _judge(result.models[0], dataset, pictures, held_out, neighbours, n_neighbours, probs, quality)
    return answer_of(dataset, "affinity", probs, quality, started, neighbours=neighbours)


def _judge(
    model: nn.Module,
    dataset: MaskDataset,
    pictures: Pictures,
    held_out: NDArray[np.int64],
    neighbours: str,
    number: int,
    probs: NDArray[np.float32],
    quality: Array,
) -> None:
    """Fill in the images of a fold, compared by one network's features with any other image."""
    m, k = dataset.n_images, dataset.n_classes
    sums: list[Array] = []
    counts = np.zeros((m, k))
    signatures = []
    for i in range(m):
        features = pixel_features(model, pictures, i, dataset.size(i))
        given = dataset.given[dataset.window(i)].astype(np.intp)
        known = given >= 0
        counts[i] = np.bincount(given[known], minlength=k)
        sums.append(np.stack([np.bincount(given[known], c, minlength=k) for c in features[known].T], axis=1))
        signatures.append(np.abs(features).mean(axis=0))
    marks = np.array(signatures) - np.mean(signatures, axis=0)
    marks /= np.maximum(np.linalg.norm(marks, axis=1, keepdims=True), 1e-12)
    for i in held_out.tolist():
        if neighbours == "order":
            half = -(-number // 2)
            near = [j for j in range(i - half, i + half + 1) if j != i and 0 <= j < m]
        else:
            alike = marks @ marks[i]
            alike[i] = -np.inf
            near = np.argsort(-alike, kind="stable")[:number].tolist()
        total = counts[near].sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.sum([sums[j] for j in near], axis=0) / total[:, None]
        window = dataset.window(i)
        table = pixel_features(model, pictures, i, dataset.size(i)) @ means.T
        quality[window] = (confidence_of(table, total, dataset.given[window]) + 1) / 4
        scores = _SHARPNESS * np.where(np.isnan(table), -1.0, table)
        made = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs[window] = made / made.sum(axis=1, keepdims=True)
