"""T of least volume from features and labels, without anchor points (VolMinNet)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError, as_labels, check_same_length

__all__ = ["transition_by_volume"]


def transition_by_volume(
    labels: ArrayLike,
    features: ArrayLike,
    *,
    n_classes: int | None = None,
    hidden: int = 0,
    steps: int = 600,
    lr: float = 0.02,
    lr_factor: float = 1.0,
    weight_decay: float = 0.0,
    volume_weight: float = 1e-4,
    resamples: int = 5,
    seed: int = 0,
) -> TransitionEstimate:
    """Estimate T together with a classifier of the true class: the T of least volume that explains the labels.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    features : array_like of float, shape (n, d)
        Scaled to mean 0 and variance 1 here.
    n_classes : int, optional
        K, by default the largest label plus 1.
    hidden : int
        Width of the classifier's hidden layer; 0 (default) is a linear classifier, which hardly memorises.
    steps : int
        Of the fit, by Adam on batches of 128.
    lr, weight_decay : float
        Of the classifier.
    lr_factor : float
        Learning rate of T as a share of ``lr``.
    volume_weight : float
        Of ``log |det T|``; 1e-4 as published.
    resamples : int
        Fits to bootstrap samples behind the standard errors, at least 2.
    seed : int

    Returns
    -------
    TransitionEstimate
        With the standard deviation over bootstrap samples as standard error: sampling and the optimiser's chance,
        not the bias of a classifier that is too weak or memorises. ``prior`` is the mean prediction.

    Raises
    ------
    InputError
        Fewer than two classes, shapes that differ, options out of range.

    References
    ----------
    Li et al. (2021), Provably end-to-end label-noise learning without anchor points, ICML. Identified if the
    posteriors are sufficiently scattered; with two well-mixed classes they are not.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 900)
    >>> x = 4 * np.eye(3)[true] + rng.normal(size=(900, 3))
    >>> given = np.where(rng.random(900) < 0.3, (true + 1) % 3, true)
    >>> estimate = transition_by_volume(given, x, resamples=2)
    >>> bool(np.abs(np.diag(estimate.matrix) - 0.7).max() < 0.1)
    True
    """
    from labelnoise.core.training.arrays import ArrayTask

    ids = as_labels(labels, n_classes=n_classes)
    x = np.asarray(features, dtype=np.float64)
    check_same_length(labels=ids, features=x)
    k = int(ids.max(initial=-1)) + 1 if n_classes is None else n_classes
    if resamples < 2:
        raise InputError(f"resamples is {resamples}; at least 2 are needed for a standard error.")
    if hidden < 0:
        raise InputError(f"hidden is {hidden}; a width, or 0 for a linear classifier.")
    has = ids >= 0
    counts = np.bincount(ids[has], minlength=max(k, 1))
    if np.count_nonzero(counts) < 2:
        raise InputError("The labels hold fewer than two classes; T cannot be learnt from them.")
    ArrayTask(x, ids, n_classes=k)
    z = (x[has] - x[has].mean(axis=0)) / np.maximum(x[has].std(axis=0), 1e-9)
    known = ids[has]

    def fit(rows: NDArray[np.int64], number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _fit(
            z[rows],
            known[rows],
            k,
            hidden=hidden,
            steps=steps,
            lr=lr,
            lr_factor=lr_factor,
            weight_decay=weight_decay,
            volume_weight=volume_weight,
            seed=int(generator(seed, "volume", number).integers(1 << 31)),
        )

    matrix, prior = fit(np.arange(len(known)), -1)
    draws = [
        fit(generator(seed, "volume rows", number).integers(0, len(known), len(known)), number)[0]
        for number in track(range(resamples), "bootstrap of T")
    ]
    never = counts == 0
    error = np.std(draws, axis=0, ddof=1)
    error[never] = np.inf
    warnings: tuple[str, ...] = ()
    if never.any():
        warnings = (
            f"No unit is given class {', '.join(map(str, np.flatnonzero(never)))}; its row is a guess.",
        )
    return TransitionEstimate(
        matrix=matrix,
        standard_error=error,
        method="volume minimisation",
        n_units=len(known),
        prior=prior,
        warnings=warnings,
    )


def _fit(
    x: NDArray[np.float64],
    given: NDArray[np.int64],
    k: int,
    *,
    hidden: int,
    steps: int,
    lr: float,
    lr_factor: float,
    weight_decay: float,
    volume_weight: float,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from torch import nn

    from labelnoise.core.training.arrays import ArrayTask, perceptron
    from labelnoise.core.training.config import TrainConfig
    from labelnoise.core.training.loop import Run, train
    from labelnoise.core.training.result import predict
    from labelnoise.core.training.volume import VolumeMinimisation

    task = ArrayTask(
        x,
        given,
        n_classes=k,
        network=lambda: perceptron(x.shape[1], k, hidden=hidden) if hidden else nn.Linear(x.shape[1], k),
    )
    epochs = max(-(-steps // -(-len(x) // 128)), 1)
    found: list[NDArray[np.float64]] = []

    def keep(run: Run) -> None:
        if run.epoch == epochs - 1 and isinstance(run.strategy, VolumeMinimisation):
            found.append(run.strategy.matrix().numpy())

    config = TrainConfig(
        epochs=epochs, lr=lr, weight_decay=weight_decay, schedule="linear", seed=seed, device="cpu"
    )
    result = train(
        task, VolumeMinimisation(volume_weight=volume_weight, lr_factor=lr_factor), config, callbacks=[keep]
    )
    prior = predict(result, task, "train").logits.softmax(1).mean(0).double().numpy()
    matrix = found[-1] / found[-1].sum(axis=1, keepdims=True)
    return matrix, prior / prior.sum()
