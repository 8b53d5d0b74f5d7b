"""Detectors of wrong pixels by networks that have not seen the image: ``f(dataset, seed, **options) -> Detection``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.confident_stream import confident_learning_stream
from labelnoise.core.decision import decide
from labelnoise.core.detection import Detection
from labelnoise.core.random import generator
from labelnoise.core.threads import one_thread
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset, label_dtype
from labelnoise.segmentation.mask_task import MaskTask, Pictures
from labelnoise.segmentation.object_probs import probabilities_of
from labelnoise.segmentation.pixel_audit import audit_pixels
from labelnoise.segmentation.pixel_calibration import calibrate_pixels, image_quality
from labelnoise.segmentation.train_methods import fit, pixel_probs

__all__ = ["answer_of", "detect_confident_learning", "detect_network", "image_folds", "out_of_fold_probs"]

#: Steps that a small U-Net needs to see shapes but not yet every label.
STEPS = 300


def image_folds(dataset: MaskDataset, folds: int, seed: int) -> list[NDArray[np.int64]]:
    """Images dealt into folds at random; every image is in one."""
    if not 2 <= folds <= dataset.n_images:
        raise InputError(
            f"folds is {folds} for {dataset.n_images} images; give 2 or more, and no more than images."
        )
    order = generator(seed, "folds of images").permutation(dataset.n_images)
    return [np.sort(order[i::folds]) for i in range(folds)]


def out_of_fold_probs(
    dataset: MaskDataset,
    seed: int,
    *,
    folds: int = 3,
    epochs: int | None = None,
    longest: int | None = 256,
    augment: bool = True,
    **options: Any,
) -> NDArray[np.float32]:
    """Class probabilities of every pixel by a network trained on the images of the other folds, shape (n, K).

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    folds : int
        From 2 to the number of images.
    epochs : int, optional
        By default as many as make `STEPS` steps.
    longest : int, optional
        Longer sides are reduced to this for the network.
    augment : bool
        Vary brightness and contrast while training.
    **options
        Of `labelnoise.segmentation.mask_task.MaskTask` (``network``, ``batch_size``) and
        `labelnoise.segmentation.train_methods.fit`.

    Raises
    ------
    InputError
        No images, too many folds, options that do not fit.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> probs = out_of_fold_probs(scenes(4, 32), 0, folds=2, epochs=1)
    >>> probs.shape, bool(np.allclose(probs.sum(axis=1), 1, atol=1e-5))
    ((4096, 5), True)
    """
    pictures = Pictures(dataset, longest)
    names = ("network", "network_options", "batch_size")
    task_options = {key: options.pop(key) for key in names if key in options}
    made = np.empty((dataset.n_units, dataset.n_classes), dtype=np.float32)
    with one_thread():
        for number, held_out in enumerate(image_folds(dataset, folds, seed)):
            rest = np.setdiff1d(np.arange(dataset.n_images), held_out)
            task = MaskTask(dataset, train=rest, pictures=pictures, **task_options)
            steps = -(-len(rest) // task.batch_size)
            result = fit(
                task,
                seed * 1000 + number,
                epochs=epochs or max(5, round(STEPS / steps)),
                parameters={"augment": augment},
                **options,
            )
            for image, part in pixel_probs(result.models, dataset, pictures, held_out.tolist()):
                made[dataset.window(image)] = part
    return made


def detect_confident_learning(
    dataset: MaskDataset,
    seed: int,
    *,
    probs: ArrayLike | str | Path | None = None,
    folds: int = 3,
    epochs: int | None = None,
    longest: int | None = 256,
    network: str = "unet-half",
    **options: Any,
) -> Detection:
    """Confident learning on out-of-fold probabilities of a small U-Net, or on a user's own, pixel by pixel.

    Parameters
    ----------
    dataset : MaskDataset
    seed : int
    probs : array_like or path, optional
        Of `labelnoise.segmentation.object_probs.probabilities_of`, in place of the network's; a file stays on disk.
    folds, epochs, longest, network, **options
        Of `out_of_fold_probs`; without effect, or refused, where ``probs`` are given.

    Returns
    -------
    Detection
        ``quality`` is the probability of the given class. ``info["worst_images"]`` names the images with the lowest
        pooled quality.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> found = detect_confident_learning(scenes(4, 32), 0, folds=2, epochs=1)
    >>> len(found.quality), found.p_wrong is None
    (4096, True)
    """
    if probs is not None:
        if epochs is not None or options:
            name = "epochs" if epochs is not None else sorted(options)[0]
            raise InputError(f"{name!r} is an option of the network, and probs are given; leave one out.")
        of_image = probabilities_of(dataset, probs)
        return audit_pixels(dataset, lambda i: np.ascontiguousarray(np.moveaxis(of_image(i), 2, 0)))
    started = time.process_time()
    made = out_of_fold_probs(
        dataset, seed, folds=folds, epochs=epochs, longest=longest, network=network, **options
    )

    def chunks() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        for i in range(dataset.n_images):
            window = dataset.window(i)
            yield dataset.given[window], made[window]

    flagged = np.concatenate(confident_learning_stream(chunks, ties="first"))
    return answer_of(
        dataset, "confident-learning", made, own_probability(dataset, made), started, flagged=flagged
    )


def detect_network(
    dataset: MaskDataset,
    seed: int,
    *,
    calibrate: bool = True,
    folds: int = 3,
    epochs: int | None = None,
    longest: int | None = 256,
    network: str = "unet-half",
    **options: Any,
) -> Detection:
    """Calibrated probabilities from out-of-fold probabilities of a small U-Net.

    Parameters
    ----------
    dataset : MaskDataset
    seed : int
    calibrate : bool
        Estimate how many labels are wrong; else flag where another class is more probable.
    folds, epochs, longest, network, **options
        Of `out_of_fold_probs`.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> found = detect_network(scenes(4, 32), 0, folds=2, epochs=1)
    >>> found.p_wrong.shape, found.count.low <= found.count.expected <= found.count.high
    ((4096,), True)
    """
    started = time.process_time()
    probs = out_of_fold_probs(
        dataset, seed, folds=folds, epochs=epochs, longest=longest, network=network, **options
    )
    own = own_probability(dataset, probs)
    return answer_of(dataset, "network", probs, own, started, seed=seed if calibrate else None)


def own_probability(dataset: MaskDataset, probs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of each pixel's given class; 1 without a label."""
    own = np.ones(dataset.n_units)
    for i in range(dataset.n_images):
        window = dataset.window(i)
        given = dataset.given[window].astype(np.intp)
        part = probs[window][np.arange(len(given)), np.maximum(given, 0)]
        own[window] = np.where(given >= 0, part, 1.0)
    return np.clip(own, 0.0, 1.0)


def answer_of(
    dataset: MaskDataset,
    method: str,
    probs: NDArray[np.float32],
    quality: NDArray[np.float64],
    started: float,
    *,
    flagged: NDArray[np.bool_] | None = None,
    seed: int | None = None,
    warnings: tuple[str, ...] = (),
    **info: Any,
) -> Detection:
    """The detection from probabilities and a quality: calibrated if a seed is given, else ``flagged`` or argmax."""
    suggested = np.empty(dataset.n_units, dtype=label_dtype(dataset.n_classes))
    confidence = np.empty(dataset.n_units)
    for i in range(dataset.n_images):
        window = dataset.window(i)
        suggested[window], confidence[window] = probs[window].argmax(axis=1), probs[window].max(axis=1)
    labelled = dataset.given >= 0
    p_wrong = count = None
    if seed is not None:
        found = calibrate_pixels(dataset, probs, quality, seed)
        p_wrong = np.where(labelled, found(quality), 0.0)
        count, warnings = found.count, (*warnings, *found.warnings)
        flagged = decide(p_wrong) & labelled
    elif flagged is None:
        flagged = labelled & (suggested != dataset.given)
    pooled = image_quality(dataset, quality)
    worst = np.argsort(pooled, kind="stable")[:10]
    return Detection(
        method=method,
        quality=quality,
        flagged=flagged,
        suggested=suggested,  # type: ignore[arg-type]
        confidence=np.clip(confidence, 0.0, 1.0),
        p_wrong=p_wrong,
        count=count,
        warnings=warnings,
        info={
            "worst_images": {dataset.image_ids[i]: round(float(pooled[i]), 4) for i in worst},
            "cpu_seconds": round(time.process_time() - started, 2),
            **info,
        },
    )
