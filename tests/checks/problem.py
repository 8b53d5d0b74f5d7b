"""One small seeded problem with every array that a registered function may ask for, and what may be done to it.

Every array says along which axes its units and its classes lie, and whether it holds class ids. So one definition of
"other units first" or "other names of the classes" serves inputs and outputs alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]

N_CLASSES = 4


class Axes(NamedTuple):
    """Where the units and the classes of an array lie."""

    units: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    holds_ids: bool = False


IDS = Axes(units=(0,), holds_ids=True)
PER_UNIT = Axes(units=(0,))
CELLS = Axes(units=(0,), classes=(1,))
SCALAR = Axes()

#: The arrays of the problem.
AXES: dict[str, Axes] = {
    "given": IDS,
    "true": IDS,
    "probs": CELLS,
    "other_probs": CELLS,
    "predictions": Axes(units=(1,), holds_ids=True),
    "losses": PER_UNIT,
    "features": PER_UNIT,
    "groups": PER_UNIT,
    "votes": IDS,
    "tags": CELLS,
    "logits": CELLS,
    "memory": CELLS,
    "noise_probs": PER_UNIT,
    "epoch_logits": Axes(units=(1,), classes=(2,)),
    "epoch_losses": Axes(units=(1,)),
    "transition": Axes(classes=(0, 1)),
    "annotators": Axes(classes=(1, 2)),
    "thresholds": Axes(classes=(0,)),
    "prior": Axes(classes=(0,)),
}
#: What has no label is marked in these.
LABELS = ("given", "true", "tags", "votes")


def problem(n: int = 40, seed: int = 0) -> Arrays:
    """Units of four classes, three in ten of their labels wrong, every class and every kind of error present."""
    rng = np.random.default_rng(seed)
    k = N_CLASSES
    true = rng.permutation(np.arange(n) % k)
    centres = np.array([[3.0, 0, 0, 1, 0], [0, 3.0, 0, 0, 1], [0, 0, 3.0, 1, 0], [1, 1, 0, 3.0, 0]])
    features = centres[true] + 0.6 * rng.normal(size=(n, 5))

    def noisy(share: float) -> Array:
        return np.where(rng.random(n) < share, (true + rng.integers(1, k, n)) % k, true)

    def believed(sharpness: float) -> Array:
        logits = sharpness * np.eye(k)[true] + rng.normal(size=(n, k))
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    given, probs = noisy(0.3), believed(2.5)
    transition = 0.6 * np.eye(k) + 0.4 * rng.dirichlet(np.ones(k), k)
    epochs = [np.log(believed(1.0 + epoch)) for epoch in range(3)]
    own = np.arange(n), given
    return {
        "given": given,
        "true": true,
        "probs": probs,
        "other_probs": believed(2.0),
        "predictions": np.stack([noisy(0.15) for _ in range(3)]).reshape(3, n),
        "losses": -np.log(probs[own]) + np.where(given == true, 0.1, 1.5),
        "features": features,
        "groups": np.arange(n) // 2,
        "votes": np.stack([noisy(0.35) for _ in range(4)], axis=1).reshape(n, 4),
        "tags": (rng.random((n, k)) < 0.4).astype(np.int64),
        "logits": np.log(probs),
        "memory": 0.6 * believed(1.0),
        "noise_probs": 0.05 + 0.9 * rng.random(n),
        "epoch_logits": np.stack(epochs),
        "epoch_losses": np.stack([-epoch[own] for epoch in epochs]),
        "transition": transition,
        "annotators": np.stack([0.5 * np.eye(k) + 0.5 * rng.dirichlet(np.ones(k), k) for _ in range(3)]),
        "thresholds": 0.55 + 0.1 * rng.random(k),
        "prior": rng.dirichlet(5 * np.ones(k)),
    }


def take(arrays: Mapping[str, Array], rows: Array, axes: Mapping[str, Axes] = AXES) -> Arrays:
    """The units ``rows`` of every array, in that order."""
    result = dict(arrays)
    for name, array in arrays.items():
        for axis in axes[name].units:
            array = np.take(array, rows, axis=axis)
        result[name] = array
    return result


def rename(arrays: Mapping[str, Array], names: Array, axes: Mapping[str, Axes] = AXES) -> Arrays:
    """Every array after class c was renamed to ``names[c]``."""
    result = dict(arrays)
    back = np.argsort(names)
    for name, array in arrays.items():
        for axis in axes[name].classes:
            array = np.take(array, back, axis=axis)
        if axes[name].holds_ids:
            array = np.where(array >= 0, names[np.maximum(array, 0)], array)
        result[name] = array
    return result


def relabel(arrays: Mapping[str, Array], old: Array, new: int) -> Arrays:
    """Class ids ``old`` become ``new``; tags of the old classes are taken away."""
    result = dict(arrays)
    for name in ("given", "true", "predictions", "votes"):
        result[name] = np.where(np.isin(arrays[name], old), new, arrays[name])
    result["tags"] = np.where(np.isin(np.arange(N_CLASSES), old), 0, arrays["tags"])
    return result


def mask(arrays: Mapping[str, Array], rows: Array) -> Arrays:
    """The same problem with no label for these units."""
    result = dict(arrays)
    for name in LABELS:
        result[name] = arrays[name].copy()
        result[name][rows] = -1
    return result


def scramble(arrays: Mapping[str, Array], rows: Array, seed: int = 5) -> Arrays:
    """The same problem with other numbers, valid ones, in these rows of everything but the labels."""
    other = problem(len(arrays["given"]), seed)
    result = dict(arrays)
    for name, array in arrays.items():
        if name in LABELS or not AXES[name].units:
            continue
        changed = array.copy()
        where = (slice(None),) * AXES[name].units[0] + (rows,)
        changed[where] = other[name][where]
        result[name] = changed
    return result


def narrow(arrays: Mapping[str, Array]) -> Arrays:
    """The same problem in single precision, ids in int32."""
    return {
        name: array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        for name, array in arrays.items()
    }
