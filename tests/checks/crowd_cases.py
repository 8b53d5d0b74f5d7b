"""Cases of the crowd methods: four annotators who judge every unit of the problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.registry import Registry
from tests.checks.case import Case
from tests.checks.problem import CELLS, N_CLASSES, PER_UNIT, Arrays, Axes

WITHOUT = {
    "refuses NaN": "votes are class ids, which hold no NaN",
    "shows NaN": "votes are class ids, which hold no NaN",
    "linear memory": "tested with the votes: flat arrays",
    "seeded": "only ties are drawn, and posteriors have none: tested with each method",
}


def result(raw: Any) -> Arrays:
    """Posterior, accuracies, prior, and which units have a label; which label follows but for ties."""
    assert isinstance(raw, CrowdResult)
    assert np.allclose(raw.posterior.sum(axis=1), 1)
    assert not np.isnan(raw.accuracy).any()
    return {
        "posterior": raw.posterior,
        "accuracy": raw.accuracy,
        "prior": raw.prior,
        "labelled": raw.labels >= 0,
    }


def crowds(make: Callable[[str], Callable[..., Any]], registry: Registry) -> Iterator[Case]:
    """One case per method."""

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        return function(Votes.from_matrix(arrays["votes"], n_classes=N_CLASSES))

    for name in registry:
        yield Case(
            label=f"CROWD[{name}]",
            function=make(name)(),
            takes=("votes",),
            run=run,
            read=result,
            answers={
                "posterior": CELLS,
                "accuracy": Axes(),
                "prior": Axes(classes=(0,)),
                "labelled": PER_UNIT,
            },
            neutral={"labelled": False},
            without=WITHOUT,
        )
