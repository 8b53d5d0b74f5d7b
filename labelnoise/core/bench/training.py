"""Training in the benchmark: the floor, plain training and the ceiling, and the score of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import Domain
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.trained import Trained
from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError

__all__ = [
    "CEILING",
    "PLAIN",
    "TRIVIAL_TRAINERS",
    "most_frequent",
    "test_scores",
    "train",
    "train_on_truth",
    "train_plainly",
]

#: The rows that every table of training has: what has to be beaten, and what cannot be.
PLAIN, CEILING = "plain", "clean-labels"


def most_frequent(domain: Domain, dataset: Dataset, seed: int = 0) -> Trained:
    """Predict the most frequent given class for every unit.

    Examples
    --------
    >>> data = Dataset(name="d", given=np.array([1, 1, 0, -1]), class_names=("a", "b"))
    >>> most_frequent(None, data).predicted
    array([1, 1, 1, 1])
    """
    counts = np.bincount(dataset.given[dataset.labelled], minlength=dataset.n_classes)
    if not counts.sum():
        raise InputError(f"{dataset.name} has no labelled unit; there is nothing to count.")
    # Float32, as masks have millions of pixels and this row says the same of each.
    shares = np.broadcast_to((counts / counts.sum()).astype(np.float32), (dataset.n_units, len(counts)))
    return Trained(
        method="most-frequent",
        predicted=np.full(dataset.n_units, int(counts.argmax()), dtype=np.int64),
        probs=shares,
        history=(),
        selected_by="nothing to choose",
        chosen=0,
        info={"splits_passed": False, "split_seed": seed},
    )


def train_plainly(domain: Domain, dataset: Dataset, seed: int = 0) -> Trained:
    """The modality's plain trainer, which takes every label for right."""
    return domain.train(dataset, method=domain.plain_trainer, seed=seed)


def train_on_truth(domain: Domain, dataset: Dataset, seed: int = 0) -> Trained:
    """The plain trainer on true labels; units whose truth is unknown go without a label."""
    assert dataset.true is not None
    true = np.where(dataset.labelled, dataset.true, -1).astype(dataset.given.dtype)
    return train_plainly(domain, blind(replace(dataset, given=true)), seed)


#: Added to every setting that trains. Targets are ``f(domain, dataset, seed)``; only "clean-labels" sees truth.
TRIVIAL_TRAINERS = Registry("trivial trainer")
TRIVIAL_TRAINERS.add(
    Entry(
        "most-frequent",
        "labelnoise.core.bench.training:most_frequent",
        "Predicts the most frequent given class.",
        "this project: the floor that a measure must not reward",
    ),
    Entry(
        "plain",
        "labelnoise.core.bench.training:train_plainly",
        "Trains as if every label were right.",
        "this project: what every robust method has to beat",
    ),
    Entry(
        "clean-labels",
        "labelnoise.core.bench.training:train_on_truth",
        "Plain training on the true labels.",
        "this project: the ceiling",
    ),
)


def train(domain: Domain, data: Dataset, method: str, seed: int, options: Mapping[str, Any]) -> Trained:
    """Run one trainer by name; only the ceiling, and what says that it needs the truth, is shown it."""
    if method not in TRIVIAL_TRAINERS:
        seen = data if domain.trainers[method].sees_truth else blind(data)
        return domain.train(seen, method=method, seed=seed, **options)
    seen = data if method == CEILING else blind(data)
    result: Trained = TRIVIAL_TRAINERS[method].load()(domain, seen, seed, **options)
    return result


def test_scores(domain: Domain, data: Dataset, trained: Trained) -> dict[str, Any]:
    """The modality's measure and the accuracy on true test labels, and how many units that were.

    Raises
    ------
    InputError
        The modality reports no test split, or not all of its true labels are known.
    """
    rows = {row["split"]: row for row in domain.training_scores(data, trained)}
    row = rows.get("test")
    if row is None:
        raise InputError(f"{data.name} has no test split to score on; its splits are {', '.join(rows)}.")
    measure = domain.training_measure(data)
    if row["labels"] != "true" or row.get(measure) is None:
        raise InputError(
            f"{data.name} has test units without a true label or nothing to score; training cannot be judged there."
        )
    return {"score": row[measure], "accuracy": row["accuracy"], "measure": measure, "units": row["units"]}
