"""The checks bite: for every promise a function that breaks it, and is found out."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from tests.checks.case import PROMISES, Case
from tests.checks.contracts import CHECKS
from tests.checks.problem import IDS, PER_UNIT, Array, Arrays

CALLS: list[int] = []
LEFT_BEHIND: list[Array] = []


def right(given: Array, probs: Array, seed: int) -> Array:
    """Keeps every promise that a drawn answer can keep."""
    if np.isnan(probs).any():
        raise InputError("probs holds NaN; check the model that made it, nothing was guessed.")
    own = probs[np.arange(len(given)), np.maximum(given, 0)].astype(np.float64)
    return np.where(given >= 0, np.minimum(own * (1 + 1e-3 * seed), 1), 1.0)


def writes(given: Array, probs: Array, seed: int) -> Array:
    probs[0] = 0.25
    return right(given, probs, seed)


def remembers(given: Array, probs: Array, seed: int) -> Array:
    CALLS.append(1)
    return right(given, probs, seed) + len(CALLS)


def ignores_seed(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, 0)


def by_position(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) + np.arange(len(given))


def by_class_id(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) + given


def counts_masked(given: Array, probs: Array, seed: int) -> Array:
    return np.where(given >= 0, right(given, probs, seed) - probs[:, 0].mean(), 1.0)


def masked_are_wrong(given: Array, probs: Array, seed: int) -> Array:
    return np.where(given >= 0, right(given, probs, seed), 0.0)


def counts_all(given: Array, probs: Array, seed: int) -> Array:
    return np.where(given >= 0, right(given, probs, seed) * len(given), 1.0)


def coarse(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) if probs.dtype == np.float64 else right(given, probs.round(1), seed)


def first_of_all(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) + 0 * probs[0, 0]


def needs_class_1(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) + 0 * np.flatnonzero(given == 1)[0]


def needs_labels(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) + 0 * given[given >= 0].max()


def hides_nan(given: Array, probs: Array, seed: int) -> Array:
    return right(given, np.nan_to_num(probs), seed)


def all_pairs(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed) + 0 * np.subtract.outer(given, given).sum(axis=1)


def hoards(given: Array, probs: Array, seed: int) -> Array:
    LEFT_BEHIND.append(np.ones((len(given), 100)))
    return right(given, probs, seed)


def short_answer(given: Array, probs: Array, seed: int) -> Array:
    return right(given, probs, seed)[:-1]


BREAKERS: list[tuple[str, Callable[..., Any]]] = [
    ("pure", writes),
    ("pure", remembers),
    ("pure", short_answer),
    ("seeded", ignores_seed),
    ("unit order", by_position),
    ("class names", by_class_id),
    ("masks", counts_masked),
    ("masks", masked_are_wrong),
    ("masks drop", counts_all),
    ("single precision", coarse),
    ("empty", first_of_all),
    ("few classes", needs_class_1),
    ("all masked", needs_labels),
    ("all masked", masked_are_wrong),
    ("refuses NaN", hides_nan),
    ("shows NaN", hides_nan),
    ("pickles", lambda given, probs, seed: right(given, probs, seed)),
    ("linear memory", all_pairs),
    ("linear memory", hoards),
]


def case_of(function: Callable[..., Any]) -> Case:
    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        return function(arrays["given"], arrays["probs"], seed)

    return Case(
        label="TEETH[x]",
        function=function,
        takes=("given", "probs"),
        run=run,
        read=lambda raw: {"quality": raw},
        answers={"quality": PER_UNIT},
        neutral={"quality": 1.0},
    )


@pytest.mark.parametrize("promise", PROMISES)
def test_a_function_that_keeps_all_promises_passes(promise: str) -> None:
    CHECKS[promise](case_of(right))


@pytest.mark.parametrize(("promise", "function"), BREAKERS, ids=[f"{p}-{f.__name__}" for p, f in BREAKERS])
def test_a_function_that_breaks_a_promise_is_found_out(promise: str, function: Callable[..., Any]) -> None:
    with pytest.raises((AssertionError, IndexError, ValueError, AttributeError, pickle.PicklingError)):
        CHECKS[promise](case_of(function))


def test_every_promise_has_somebody_who_breaks_it() -> None:
    assert {promise for promise, _ in BREAKERS} == set(PROMISES)


def test_names_of_classes_in_an_answer_follow() -> None:
    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        return function(arrays["probs"])

    def read(raw: Array) -> Arrays:
        return {"guess": raw}

    kind = {"guess": IDS}
    CHECKS["class names"](Case("TEETH[y]", lambda p: p.argmax(axis=1), ("probs",), run, read, kind))
    with pytest.raises(AssertionError):
        CHECKS["class names"](
            Case("TEETH[y]", lambda p: p[:, :3].argmax(axis=1), ("probs",), run, read, kind)
        )
