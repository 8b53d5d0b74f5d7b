"""A segmentation network under any strategy of the core: ``f(dataset, seed, **options) -> Trained``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelnoise.core.trained import Trained
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import Callback, train
from labelnoise.core.training.result import TrainResult, combine
from labelnoise.core.training.strategy import Strategy
from labelnoise.segmentation.dataset import MaskDataset, label_dtype
from labelnoise.segmentation.mask_task import MaskTask, Pictures

__all__ = ["fit", "pixel_probs", "train_network"]


def train_network(
    dataset: MaskDataset,
    seed: int,
    *,
    strategy: str | Strategy = "plain",
    parameters: Mapping[str, Any] | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
    longest: int | None = 256,
    epochs: int = 60,
    network: str = "unet-half",
    **options: Any,
) -> Trained:
    """A network on masks under any strategy of the core, every pixel a unit.

    Parameters
    ----------
    dataset : MaskDataset
        With images. Trains on the split "train" where there is one, else on all images with labels; a split "val"
        chooses the epoch.
    seed : int
    strategy : str or Strategy
        Of `labelnoise.core.training.STRATEGIES`.
    parameters : mapping, optional
        Of the strategy.
    validation_labels, longest, network
        Of `labelnoise.segmentation.mask_task.MaskTask`.
    epochs : int
    **options
        Of `fit`.

    Returns
    -------
    Trained
        ``predicted`` is as narrow as the labels and ``probs`` float32: 4 K bytes per pixel.

    Raises
    ------
    InputError
        No images, no labels, options that do not fit.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_network(scenes(4, 32), 0, epochs=2)
    >>> result.probs.shape, len(result.history), result.selected_by
    ((4096, 5), 2, 'last epoch')
    """
    task_options = {key: options.pop(key) for key in ("network_options", "batch_size") if key in options}
    task = MaskTask(
        dataset, validation_labels=validation_labels, longest=longest, network=network, **task_options
    )
    result = fit(task, seed, strategy=strategy, parameters=parameters, epochs=epochs, **options)
    return trained_of(result, dataset, task.pictures)


def fit(
    task: MaskTask,
    seed: int,
    *,
    strategy: str | Strategy = "plain",
    parameters: Mapping[str, Any] | None = None,
    epochs: int = 60,
    lr: float = 2e-3,
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw",
    schedule: Literal["constant", "cosine", "linear"] = "cosine",
    ema: float | None = 0.97,
    device: Literal["auto", "cpu"] = "cpu",
    callbacks: Sequence[Callback] = (),
    **config: Any,
) -> TrainResult:
    """Train on a `MaskTask`; the remaining options are those of `labelnoise.core.training.config.TrainConfig`."""
    if epochs * -(-len(task.rows["train"]) // task.batch_size) < 100:
        # An average over 30 steps would still be the first weights.
        ema = None
    made = TrainConfig(
        epochs=epochs,
        lr=lr,
        optimizer=optimizer,
        schedule=schedule,
        ema=ema,
        device=device,
        seed=seed,
        **config,
    )
    return train(task, strategy, made, callbacks=callbacks, **dict(parameters or {}))


def pixel_probs(
    models: Sequence[nn.Module], dataset: MaskDataset, pictures: Pictures, rows: Sequence[int] | None = None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Mean probabilities of the models, image by image, shape (h w, K) each; O(one image) memory."""
    for model in models:
        model.eval()
    for image in range(dataset.n_images) if rows is None else rows:
        shape = tuple(dataset.sizes[image].tolist())
        with torch.no_grad():
            x = pictures[int(image)][None]
            answers = []
            for model in models:
                z = model(x)
                if z.shape[-2:] != shape:
                    z = nn.functional.interpolate(z, size=shape, mode="bilinear", align_corners=False)
                answers.append(z[0].float().permute(1, 2, 0).reshape(-1, z.shape[1]))
            probs = combine(answers, False).softmax(1)
        yield int(image), probs.numpy()


def trained_of(result: TrainResult, dataset: MaskDataset, pictures: Pictures, **info: Any) -> Trained:
    """Predictions of all pixels by a trained model."""
    probs = np.empty((dataset.n_units, dataset.n_classes), dtype=np.float32)
    predicted = np.empty(dataset.n_units, dtype=label_dtype(dataset.n_classes))
    for image, part in pixel_probs(result.models, dataset, pictures):
        window = dataset.window(image)
        probs[window], predicted[window] = part, part.argmax(axis=1)
    return Trained(
        method=result.strategy,
        predicted=predicted,  # type: ignore[arg-type]
        probs=probs,  # type: ignore[arg-type]
        history=result.history,
        selected_by=result.selected_by,
        chosen=result.epoch,
        info=info,
    )
