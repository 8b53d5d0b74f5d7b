"""The trainer and the detector that work by signed distances with an offset per image."""

from __future__ import annotations

import math
import time
from dataclasses import fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelnoise.core.detection import Detection
from labelnoise.core.threads import one_thread
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset, label_dtype
from labelnoise.segmentation.factorised import (
    DistanceConfig,
    DistanceModel,
    centres,
    fit_distance,
    image_offsets,
    resized_mask,
    signed_distance,
    unit_of,
)
from labelnoise.segmentation.mask_task import Pictures, image_splits
from labelnoise.segmentation.pixel_detectors import answer_of, image_folds, own_probability

__all__ = ["background_of", "detect_signed_distance", "distance_probs", "train_signed_distance"]

#: Names under which the class that surrounds all others goes.
_BACKGROUNDS = ("background", "bg", "_background_", "none", "void", "other", "unlabeled", "unlabelled")


def background_of(dataset: MaskDataset) -> int | None:
    """The class that surrounds the others, by its name; None where no class is called so.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> background_of(scenes(2))
    0
    """
    names = [name.strip().lower() for name in dataset.class_names]
    return next((names.index(name) for name in _BACKGROUNDS if name in names), None)


def train_signed_distance(
    dataset: MaskDataset,
    seed: int,
    *,
    background: int | None = None,
    longest: int | None = 256,
    epochs: int = 160,
    centre: Literal["midpoint", "mean"] = "midpoint",
    offsets: bool = True,
    network: str = "unet-half",
    **options: Any,
) -> Trained:
    """Where the foreground ends as a regression with an offset per image, and the class within it.

    Parameters
    ----------
    dataset : MaskDataset
        With images. Trains on the split "train" where there is one, else on all images with labels.
    seed : int
    background : int, optional
        The class that surrounds the others; by default the one called so.
    longest : int, optional
        Longer sides are reduced to this for the network.
    epochs, centre, offsets, network, **options
        Of `labelnoise.segmentation.factorised.DistanceConfig`.

    Returns
    -------
    Trained
        Probabilities are logistic in the distance, with the spread that the labels show around it. ``info`` holds the
        spread of the offsets per foreground class, in pixels of the prepared image. Without a background class the
        result is that of plain training under augmentation, and a warning says so.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_signed_distance(scenes(4, 32), 0, epochs=2)
    >>> result.probs.shape, result.selected_by, sorted(result.info["offset_spread"])
    ((4096, 5), 'last epoch', ['cross', 'disc', 'triangle'])
    """
    outside = _background(dataset, background)
    config = _config({"epochs": epochs, "centre": centre, "offsets": offsets, "network": network, **options})
    if outside is None:
        return _without_background(dataset, seed, config, longest)
    pictures = Pictures(dataset, longest)
    rows = image_splits(dataset)["train"]
    with one_thread():
        model = fit_distance(dataset, pictures, rows, seed, background=outside, config=config)
        scale = _spread(model, dataset, pictures, rows)
        probs = np.empty((dataset.n_units, dataset.n_classes), dtype=np.float32)
        predicted = np.empty(dataset.n_units, dtype=label_dtype(dataset.n_classes))
        for i in range(dataset.n_images):
            distance, classes = model.answer(pictures, i)
            # As frequent as they are: training weighed rare classes up.
            classes = classes / model.class_weights
            classes /= classes.sum(axis=2, keepdims=True)
            part = distance_probs(distance, classes, scale * unit_of(pictures.sizes[i]), model, dataset, i)
            probs[dataset.window(i)] = part
            predicted[dataset.window(i)] = _most(part, model)
    spread = np.array(list(model.offsets.values())).std(axis=0)
    return Trained(
        method="signed-distance",
        predicted=predicted,  # type: ignore[arg-type]
        probs=probs,  # type: ignore[arg-type]
        history=model.history,
        selected_by="last epoch",
        chosen=config.epochs - 1,
        info={
            "offset_spread": {
                dataset.class_names[c]: round(float(s), 3) for c, s in zip(model.foreground, spread)
            }
        },
    )


def detect_signed_distance(
    dataset: MaskDataset,
    seed: int,
    *,
    folds: int = 2,
    background: int | None = None,
    longest: int | None = 256,
    own: float = 0.25,
    calibrate: bool = True,
    **options: Any,
) -> Detection:
    """Pixels whose label contradicts the outline that label and network agree on once offsets are taken out.

    Parameters
    ----------
    dataset : MaskDataset
        With images and a background class.
    seed : int
    folds : int
        Each image is judged by a network trained on the other folds; 1 judges by a network trained on all.
    background : int, optional
        By default the class that is called so.
    longest : int, optional
    own : float
        Weight of the given outline, moved by the offset, beside that of the network; from 0 to below 1.
    calibrate : bool
        Estimate how many labels are wrong.
    **options
        Of `labelnoise.segmentation.factorised.DistanceConfig`; 80 epochs by default.

    Raises
    ------
    InputError
        No background class, weights or folds out of range.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> found = detect_signed_distance(scenes(4, 32), 0, epochs=2)
    >>> found.method, len(found.quality)
    ('signed-distance', 4096)
    """
    started = time.process_time()
    outside = _background(dataset, background)
    if outside is None:
        raise InputError(
            "No class is called background; name the one that surrounds the others (background=), or take another "
            "detector."
        )
    if not 0 <= own < 1:
        raise InputError(f"own is {own}; the weight of the given outline lies from 0 to below 1.")
    config, pictures = _config({"epochs": 80, **options}), Pictures(dataset, longest)
    everything = image_splits(dataset)
    labelled = np.sort(np.concatenate(list(everything.values()))) if dataset.splits else everything["train"]
    parts = [np.arange(dataset.n_images)] if folds == 1 else image_folds(dataset, folds, seed)
    probs = np.empty((dataset.n_units, dataset.n_classes), dtype=np.float32)
    spreads = []
    with one_thread():
        for number, held_out in enumerate(parts):
            rest = labelled if folds == 1 else np.setdiff1d(labelled, held_out)
            model = fit_distance(
                dataset, pictures, rest, seed * 1000 + number, background=outside, config=config
            )
            spreads.append(_judge(model, dataset, pictures, held_out, own, probs))
    return answer_of(
        dataset,
        "signed-distance",
        probs,
        own_probability(dataset, probs),
        started,
        seed=seed if calibrate else None,
        outline_spread=[round(value, 3) for value in spreads],
    )


def distance_probs(
    distance: NDArray[np.float64],
    classes: NDArray[np.float64],
    scale: float,
    model: DistanceModel,
    dataset: MaskDataset,
    image: int,
) -> NDArray[np.float32]:
    """Class probabilities (h w, K) at the original size: foreground logistic in the distance, times the class."""
    shape = dataset.size(image)
    if distance.shape != shape:
        factors = (shape[0] / distance.shape[0], shape[1] / distance.shape[1])
        distance = ndimage.zoom(distance, factors, order=1, grid_mode=True, mode="nearest")
        classes = ndimage.zoom(classes, (*factors, 1), order=1, grid_mode=True, mode="nearest")
    front = 1 / (1 + np.exp(-np.clip(distance / scale, -30, 30)))
    made = np.zeros((*shape, dataset.n_classes), dtype=np.float32)
    made[..., model.background] = 1 - front
    made[..., list(model.foreground)] = front[..., None] * classes
    made /= made.sum(axis=2, keepdims=True)
    return made.reshape(-1, dataset.n_classes)


def _most(probs: NDArray[np.float32], model: DistanceModel) -> NDArray[np.intp]:
    """Foreground where it is more probable than not, and there its likeliest class, rare ones somewhat preferred.

    A class of IoU q has its largest expected IoU with the pixels in which it is more probable than q / (1 + q), which
    is below a half; half of the training's weights, in logarithms, come near to that for classes of which one is ten
    times as large as the other.
    """
    foreground = np.array(model.foreground)
    likeliest = (probs[:, foreground] * np.sqrt(model.class_weights)).argmax(axis=1)
    found: NDArray[np.intp] = np.where(
        probs[:, model.background] < 0.5, foreground[likeliest], model.background
    )
    return found


def _judge(
    model: DistanceModel,
    dataset: MaskDataset,
    pictures: Pictures,
    rows: NDArray[np.int64],
    own: float,
    probs: NDArray[np.float32],
) -> float:
    """Fill in the probabilities of some images; how far outlines lie from each other without their offsets."""
    k = len(model.foreground)
    offsets = np.full((len(rows), k), np.nan)
    units = np.array([unit_of(pictures.sizes[i]) for i in rows])
    # Twice through the network, so that nothing is held but for one image.
    for b, i in enumerate(rows):
        distance, classes = model.answer(pictures, int(i))
        given, known = _given(dataset, pictures, int(i), model.background)
        offsets[b] = image_offsets(given, distance, classes.argmax(axis=2), known, k, units[b])
    offsets = np.nan_to_num(offsets - centres(offsets, units, model.config.centre))
    offsets[:, offsets.std(axis=0) < model.config.least * units.mean()] = 0.0
    scale = _spread(model, dataset, pictures, rows, offsets)
    for b, i in enumerate(rows):
        distance, classes = model.answer(pictures, int(i))
        given, _ = _given(dataset, pictures, int(i), model.background)
        reach = model.config.reach * units[b]
        moved = given - ndimage.gaussian_filter(offsets[b][classes.argmax(axis=2)], 2 * units[b])
        fused = own * np.clip(moved, -reach, reach) + (1 - own) * distance
        probs[dataset.window(int(i))] = distance_probs(
            fused, classes, scale * units[b], model, dataset, int(i)
        )
    return scale


def _given(
    dataset: MaskDataset, pictures: Pictures, image: int, background: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    mask = resized_mask(dataset, pictures, image)
    known = mask >= 0
    return signed_distance(known & (mask != background), 30 * unit_of(mask.shape)), known


def _spread(
    model: DistanceModel,
    dataset: MaskDataset,
    pictures: Pictures,
    rows: NDArray[np.int64],
    offsets: NDArray[np.float64] | None = None,
) -> float:
    """Scale of a logistic distribution of given minus predicted outlines, in pixels of 128, at least a half."""
    total, squares, count = 0.0, 0.0, 0
    for b, i in enumerate(rows):
        own = model.offsets[int(i)] if offsets is None else offsets[b]
        unit = unit_of(pictures.sizes[i])
        distance, classes = model.answer(pictures, int(i))
        given, known = _given(dataset, pictures, int(i), model.background)
        near = known & (np.abs(distance) < 10 * unit) & (np.abs(given) < 28 * unit)
        left = (given - own[classes.argmax(axis=2)] - distance)[near] / unit
        total, squares, count = total + left.sum(), squares + np.square(left).sum(), count + len(left)
    if not count:
        return 1.0
    variance = max(squares / count - (total / count) ** 2, 0.0)
    return max(math.sqrt(3 * variance) / math.pi, 0.5)


def _background(dataset: MaskDataset, background: int | None) -> int | None:
    if background is not None and not 0 <= background < dataset.n_classes:
        raise InputError(f"background is {background}; classes are 0 to {dataset.n_classes - 1}.")
    return background_of(dataset) if background is None else int(background)


def _config(options: dict[str, Any]) -> DistanceConfig:
    known = [item.name for item in fields(DistanceConfig)]
    for key in options:
        if key not in known:
            raise InputError(f"There is no option {key!r}. Signed distances take: {', '.join(known)}.")
    return DistanceConfig(**options)


def _without_background(
    dataset: MaskDataset, seed: int, config: DistanceConfig, longest: int | None
) -> Trained:
    from dataclasses import replace

    from labelnoise.segmentation.train_methods import train_network

    made = train_network(
        dataset,
        seed,
        parameters={"augment": True},
        longest=longest,
        epochs=config.epochs,
        lr=config.lr,
        batch_size=config.batch_size,
        network=config.network,
        network_options=config.network_options,
    )
    warning = (
        "No class is called background, so there is no outline to measure distances from: this is plain training "
        "under augmentation. Name the class (background=) if there is one."
    )
    return replace(made, method="signed-distance", warnings=(*made.warnings, warning))
