"""Detectors that know nothing or everything: the floor and the ceiling of every benchmark table."""

from __future__ import annotations

import numpy as np

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.random import generator
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError

__all__ = ["TRIVIAL", "TRIVIAL_DETECTORS", "flag_nothing", "flag_randomly", "oracle"]


def flag_nothing(dataset: Dataset, seed: int = 0) -> Detection:
    """Trust every label.

    Examples
    --------
    >>> data = Dataset(name="two", given=np.array([0, 1]), class_names=("a", "b"))
    >>> flag_nothing(data).flagged.any()
    np.False_
    """
    n = dataset.n_units
    return Detection(
        method="flag-nothing",
        quality=np.ones(n),
        flagged=np.zeros(n, dtype=bool),
        suggested=dataset.given.copy(),
        confidence=np.ones(n),
        p_wrong=np.zeros(n),
        count=CountEstimate(0.0, 0.0, 0.0, method="none expected"),
    )


def flag_randomly(dataset: Dataset, seed: int = 0) -> Detection:
    """Rank labels at random and flag those whose quality falls below one half.

    Examples
    --------
    >>> data = Dataset(name="three", given=np.array([0, 1, -1]), class_names=("a", "b"))
    >>> flag_randomly(data, seed=1).quality.round(2)
    array([0.77, 0.37, 1.  ])
    """
    quality = generator(seed, "random detector").random(dataset.n_units)
    quality[~dataset.labelled] = 1.0
    return Detection(
        method="random",
        quality=quality,
        flagged=quality < 0.5,
        suggested=np.full(dataset.n_units, -1),
        confidence=np.zeros(dataset.n_units),
    )


def oracle(dataset: Dataset, seed: int = 0) -> Detection:
    """Read the answer off the true labels: what no detector can exceed.

    Examples
    --------
    >>> data = Dataset(name="two", given=np.array([0, 1]), true=np.array([1, 1]), class_names=("a", "b"))
    >>> oracle(data).flagged
    array([ True, False])
    """
    wrong = dataset.is_wrong
    if wrong is None or dataset.true is None:
        raise InputError(f"{dataset.name} has no true labels; the oracle needs them.")
    total = float(wrong.sum())
    return Detection(
        method="oracle",
        quality=1.0 - wrong.astype(np.float64),
        flagged=wrong,
        suggested=dataset.true.copy(),
        confidence=np.ones(dataset.n_units),
        p_wrong=wrong.astype(np.float64),
        count=CountEstimate(total, total, total, method="counted"),
    )


#: What every modality lists among its own detectors.
TRIVIAL_DETECTORS = (
    Entry(
        "flag-nothing",
        "labelnoise.core.bench.baselines:flag_nothing",
        "Trust every label.",
        "this project: what a metric gives for doing nothing",
        calibrated=False,
    ),
    Entry(
        "random",
        "labelnoise.core.bench.baselines:flag_randomly",
        "Ranks labels at random and flags half of them.",
        "this project: what a metric gives for chance",
        calibrated=False,
    ),
)

#: Added to every setting of every grid. Only the oracle is shown the true labels.
TRIVIAL = Registry("trivial method")
TRIVIAL.add(
    *TRIVIAL_DETECTORS,
    Entry(
        "oracle",
        "labelnoise.core.bench.baselines:oracle",
        "Knows the true labels.",
        "this project: the ceiling",
    ),
)
