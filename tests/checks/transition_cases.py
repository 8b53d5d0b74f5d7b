"""Cases of the estimators of T."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from labelnoise.core.registry import Registry
from labelnoise.core.transition_estimate import TransitionEstimate
from tests.checks.case import Case
from tests.checks.problem import N_CLASSES, Arrays, Axes

DRAWS = {"seeded": "only the standard errors are drawn, the matrix is not"}
NO_UNITS = {"masks": "one matrix, no answer per unit: see masks drop"}
PER_TAKES: dict[str, tuple[str, ...]] = {
    "pairs": ("true", "given"),
    "hoc": ("given", "features"),
    "volume": ("given", "features"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "hoc": {"n_bootstrap": 4},
    "volume": {"steps": 6, "resamples": 2},
}
WITHOUT: dict[str, Mapping[str, str]] = {
    "pairs": {
        "seeded": "nothing is drawn",
        "refuses NaN": "class ids hold no NaN",
        "linear memory": "counts of class ids, K x K",
    },
    "volume": {
        "seeded": "the network's start is drawn, tested with the strategy",
        "unit order": "batches go by position",
        "class names": "the network's weights are drawn in the order of the classes",
        "masks drop": "tested with the estimator, where units without a label lead",
        "single precision": "the network is single precision throughout, sums differ in the last digits",
        "linear memory": "tracemalloc does not see torch",
    },
}


def estimate(raw: Any) -> Arrays:
    """The matrix and, where there is one, the prior; errors must be there and may be infinite."""
    assert isinstance(raw, TransitionEstimate)
    assert raw.standard_error.shape == raw.matrix.shape
    found = {"matrix": raw.matrix}
    if raw.prior is not None:
        found["prior"] = np.asarray(raw.prior)
    return found


def transitions(make: Callable[[str], Callable[..., Any]], registry: Registry) -> Iterator[Case]:
    """One case per estimator."""
    for name in registry:
        takes = PER_TAKES.get(name, ("given", "probs"))

        def run(
            function: Callable[..., Any], arrays: Arrays, seed: int, takes: tuple[str, ...] = takes
        ) -> Any:
            first, second = (arrays[of] for of in takes)
            keywords = {"n_classes": N_CLASSES} if takes[1] != "probs" else {}
            if takes[0] == "given":
                keywords["seed"] = seed
            return function(first, second, **keywords)

        yield Case(
            label=f"TRANSITIONS[{name}]",
            function=make(name)(**OPTIONS.get(name, {})),
            takes=takes,
            run=run,
            read=estimate,
            answers={"matrix": Axes(classes=(0, 1)), "prior": Axes(classes=(0,))},
            without={
                **DRAWS,
                **NO_UNITS,
                "shows NaN": "refuses it, which says more",
                **WITHOUT.get(name, {}),
            },
            n_units=120 if name == "hoc" else 40,
            memory_units=3000,
        )
