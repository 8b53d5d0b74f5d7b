"""Training on clips that survives wrong and missing labels: ``f(dataset, seed, **options) -> Trained``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.splits import Splits, clip_splits, split_info
from labelnoise.core.threads import one_thread
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose

if TYPE_CHECKING:
    from labelnoise.core.training.strategy import Strategy

__all__ = ["train_audio", "train_by_origin", "train_clips", "train_noisy_then_curated"]

_HERE = "labelnoise.audio.strategies"
#: Strategies of this modality: class, and the options that the name fixes. Others are the core's.
_OWN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "lq": ("ByOrigin", {"loss": "gce"}),
    "soft-bootstrap": ("ByOrigin", {"loss": "soft_bootstrap"}),
    "outlier-rejection": ("OutlierRejection", {}),
    "ousm": ("LateSelection", {}),
    "or-gate": ("OrGate", {}),
    "class-smoothing": ("ClassSmoothing", {}),
    "mixup": ("Mixup", {}),
    "unequal-tags": ("UnequalTags", {}),
}
#: Settings where a published one differs from the option's default.
_PUBLISHED: Mapping[str, Mapping[str, Any]] = {"soft-bootstrap": {"parameters": {"beta": 0.3}}}


def train_audio(dataset: AudioDataset, method: str = "plain", seed: int = 0, **options: Any) -> Trained:
    """Train by name.

    Parameters
    ----------
    dataset : AudioDataset
    method : str
        Of `labelnoise.audio.trainers.TRAINERS`.
    seed : int
    **options
        Of the trainer.

    Raises
    ------
    InputError
        An unknown trainer, options or data that do not fit it.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> result = train_audio(events(4), "lq", epochs=1)
    >>> result.method, result.probs.shape, result.selected_by
    ('lq', (40, 10), 'noisy validation accuracy')
    """
    from labelnoise.audio.trainers import TRAINERS

    entry = TRAINERS[method]
    for key in options:
        if key in entry.options:
            raise InputError(f"The trainer {method!r} fixes {key!r}; choose another trainer to change it.")
    result: Trained = entry.load()(dataset, seed, **{**entry.options, **options})
    return replace(result, method=method)


def train_clips(
    dataset: AudioDataset,
    seed: int,
    *,
    strategy: str | Strategy = "plain",
    parameters: Mapping[str, Any] | None = None,
    network: str = "cnn",
    network_options: Mapping[str, Any] | None = None,
    features: str = "16k64",
    cache: str | None = None,
    embeddings: Any = None,
    frames: int = 96,
    crops: int = 1,
    batch_size: int = 32,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
    curated: str = "curated",
    initial: Mapping[str, Any] | None = None,
    epochs: int = 40,
    lr: float = 2e-3,
    weight_decay: float = 1e-4,
    schedule: Literal["constant", "cosine", "linear"] = "cosine",
    optimizer: Literal["adam", "adamw", "sgd"] = "adam",
    select: Literal["auto", "validation", "last"] = "auto",
    patience: int | None = None,
    device: Literal["auto", "cpu"] = "cpu",
    folder: str | None = None,
) -> Trained:
    """A network on clips under any strategy, the core's or this modality's.

    Parameters
    ----------
    dataset : AudioDataset
    seed : int
        Of weights and draws, and of splits where there are none.
    strategy : str or Strategy
        A name of `labelnoise.core.training.STRATEGIES`, one of this modality's ("lq", "ousm" ...), or one made by hand.
    parameters : mapping, optional
        Of the strategy. Its warm-up and ramp, if it has any, are a quarter of the epochs unless they are given.
    network, network_options, features, cache, embeddings, frames, crops, batch_size, splits, validation_labels, \
curated, initial
        Of `labelnoise.audio.clip_task.clip_task`.
    epochs, lr, weight_decay, schedule, optimizer, select, patience, device, folder
        Of `labelnoise.core.training.config.TrainConfig`.

    Returns
    -------
    Trained
        For tags, ``probs`` are those of "absent" and "present" of every (clip, tag) pair.

    Raises
    ------
    InputError
        Options that do not fit, no sound, no training label.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> result = train_clips(events(4), 0, strategy="elr", network="linear", epochs=3)
    >>> result.method, len(result.history), result.selected_by
    ('linear+elr', 3, 'noisy validation accuracy')
    """
    _, result = _fit(**locals())
    return result


def _fit(
    dataset: AudioDataset,
    seed: int,
    strategy: str | Strategy,
    parameters: Mapping[str, Any] | None,
    epochs: int,
    lr: float,
    weight_decay: float,
    schedule: Any,
    optimizer: Any,
    select: Any,
    patience: int | None,
    device: Any,
    folder: str | None,
    **task_options: Any,
) -> tuple[Any, Trained]:
    """The weights of the (first) network, and its predictions."""
    from labelnoise.audio.clip_task import clip_task
    from labelnoise.core.training.config import TrainConfig
    from labelnoise.core.training.loop import train
    from labelnoise.core.training.result import predict

    config = TrainConfig(
        seed=seed,
        epochs=epochs,
        lr=lr,
        weight_decay=weight_decay,
        schedule=schedule,
        optimizer=optimizer,
        select=select,
        patience=patience,
        device=device,
        folder=folder,
    )
    made, name = _strategy(strategy, parameters, epochs), strategy
    if not isinstance(name, str):
        name = type(name).__name__
    task = clip_task(dataset, seed=seed, **task_options)
    with one_thread():
        result = train(task, made, config)
        logits = predict(result, task, "all").logits.double()  # type: ignore[arg-type]
    if dataset.multilabel:
        present = logits.sigmoid().reshape(-1).numpy()
        probs = np.stack([1 - present, present], axis=1)
    else:
        probs = logits.softmax(1).numpy()
    trained = Trained(
        method=f"{task_options['network']}+{name}",
        predicted=probs.argmax(axis=1),
        probs=probs,
        history=result.history,
        selected_by=result.selected_by,
        chosen=result.epoch,
        info={
            **split_info(task_options["splits"], seed),
            "network": task_options["network"],
            "strategy": name,
        },
    )
    return result.models[0].state_dict(), trained


def train_by_origin(
    dataset: AudioDataset,
    seed: int,
    *,
    only_curated: bool,
    curated: str = "curated",
    splits: Splits | None = None,
    network: str = "cnn",
    embeddings: Any = None,
    epochs: int = 40,
    lr: float = 2e-3,
    batch_size: int = 32,
    **options: Any,
) -> Trained:
    """Train on curated clips alone, or on all as if there were one origin: what a use of origins has to beat.

    Parameters
    ----------
    dataset : AudioDataset
        With the column ``origin``.
    only_curated : bool
        Leave out training clips of other origins.
    curated : str
        The entry of ``origin`` whose labels are trusted.
    seed, splits, network, embeddings, epochs, lr, batch_size, **options
        Of `train_clips`.

    Raises
    ------
    InputError
        No column ``origin``, or no training clip of the curated origin.
    """
    trusted = _curated(dataset, curated)
    used = clip_splits(dataset, seed) if splits is None else dict(splits)
    if only_curated:
        used = {**used, "train": used["train"] & trusted}
        _check_some(used["train"], curated)
    made = train_clips(
        dataset,
        seed,
        splits=used,
        curated=curated,
        network=network,
        embeddings=embeddings,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        **options,
    )
    return replace(made, info={**made.info, **split_info(splits, seed)})


def train_noisy_then_curated(
    dataset: AudioDataset,
    seed: int,
    *,
    curated: str = "curated",
    splits: Splits | None = None,
    network: str = "cnn",
    embeddings: Any = None,
    epochs: int = 40,
    noisy_epochs: int | None = None,
    lr: float = 2e-3,
    noisy_lr: float = 1e-3,
    smoothing: float = 0.1,
    noisy_smoothing: float = 0.3,
    batch_size: int = 32,
    **options: Any,
) -> Trained:
    """Train on clips of noisy origin first, then go on from there with the curated ones.

    Parameters
    ----------
    dataset : AudioDataset
        With the column ``origin``.
    curated : str
        The entry of ``origin`` whose labels are trusted.
    epochs, lr, smoothing
        Of the second stage; the share that label smoothing gives to the other classes.
    noisy_epochs, noisy_lr, noisy_smoothing
        Of the first; half as many epochs by default.
    seed, splits, network, embeddings, batch_size, **options
        Of `train_clips`.

    Raises
    ------
    InputError
        No column ``origin``, or no training clip of one of the origins.
    """
    trusted = _curated(dataset, curated)
    used = clip_splits(dataset, seed) if splits is None else dict(splits)
    first, second = ({**used, "train": used["train"] & some} for some in (~trusted, trusted))
    _check_some(second["train"], curated)
    if not first["train"].any():
        raise InputError(f"All training clips are of origin {curated!r}, none is noisy; use 'plain'.")
    choose_free = {"strategy", "parameters", "initial"} & set(options)
    if choose_free:
        raise InputError(f"This trainer fixes {sorted(choose_free)[0]!r}; leave it out.")
    common = {
        **options,
        "network": network,
        "embeddings": embeddings,
        "curated": curated,
        "batch_size": batch_size,
        "strategy": "plain",
    }
    weights, _ = _fit(
        **_complete(
            dataset,
            seed,
            {
                **common,
                "splits": first,
                "epochs": max(epochs // 2, 1) if noisy_epochs is None else noisy_epochs,
                "lr": noisy_lr,
                "select": "last",
                "patience": None,
                "parameters": {"loss": "label_smoothing", "parameters": {"epsilon": noisy_smoothing}},
            },
        )
    )
    made = train_clips(
        dataset,
        seed,
        **{
            **common,
            "splits": second,
            "epochs": epochs,
            "lr": lr,
            "initial": weights,
            "parameters": {"loss": "label_smoothing", "parameters": {"epsilon": smoothing}},
        },
    )
    return replace(made, info={**made.info, **split_info(splits, seed)})


def _complete(dataset: AudioDataset, seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of `train_clips`."""
    import inspect

    known = inspect.signature(train_clips).parameters
    for key in options:
        choose(key, [name for name in known if name not in ("dataset", "seed")], "option of the training")
    defaults = {name: item.default for name, item in known.items() if name not in ("dataset", "seed")}
    return {"dataset": dataset, "seed": seed, **defaults, **options}


def _curated(dataset: AudioDataset, curated: str) -> NDArray[np.bool_]:
    if dataset.origin is None:
        raise InputError(
            "This trainer tells curated from noisy clips by their column 'origin', which these do not have; "
            "add it, or use 'plain'."
        )
    return np.asarray(dataset.origin, dtype=str) == curated


def _check_some(train: NDArray[np.bool_], curated: str) -> None:
    if not train.any():
        raise InputError(f"No training clip is of origin {curated!r}; name the curated origin by curated=...")


def _strategy(strategy: str | Strategy, parameters: Mapping[str, Any] | None, epochs: int) -> Strategy:
    """The strategy, its warm-up and ramp fitted to the number of epochs unless they are given."""
    from labelnoise.core.training import STRATEGIES, get_strategy

    given = dict(parameters or {})
    if not isinstance(strategy, str):
        if given:
            raise InputError("parameters are for a strategy given by name; set them on the strategy itself.")
        return strategy
    choose(strategy, [*STRATEGIES, *_OWN], "strategy")
    fitting = {"warmup": max(epochs // 4, 1), "ramp": max(epochs // 4, 1)}
    if strategy in STRATEGIES:
        if strategy == "late_stopping":
            # Its warm-up is that of every round, and a round has to last until most labels are learnt.
            fitting = {"runs": (1, 2, 3), "patience": max(epochs // 4, 1)}  # type: ignore[dict-item]
        known = get_strategy(strategy).options()
        return get_strategy(strategy, **{**{k: v for k, v in fitting.items() if k in known}, **given})
    import importlib

    name, fixed = _OWN[strategy]
    kind = getattr(importlib.import_module(_HERE), name)
    names = [field.name for field in fields(kind) if field.name not in fixed]
    for key in given:
        choose(key, names, f"option of {strategy!r}")
    start = {key: value for key, value in fitting.items() if key in names}
    made: Strategy = kind(**{**start, **_PUBLISHED.get(strategy, {}), **given, **fixed})
    return made
