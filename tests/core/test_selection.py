"""The registry of selectors: everything in it loads, runs and says what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import labelnoise.core.selection as selection
from labelnoise.core.confident_learning import RULES, confident_learning
from labelnoise.core.selection import SELECTORS

LABELS = np.array([0, 0, 0, 1, 1, 1, -1])
PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1], [0.5, 0.5]])

INPUTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    **{rule: ((LABELS, PROBS), {}) for rule in RULES},
    "small_loss": ((-np.log(PROBS[:, 0]),), {"keep": 0.5, "labels": LABELS}),
    "gaussian_mixture": ((-np.log(PROBS[np.arange(7), LABELS]),), {"labels": LABELS}),
    "beta_mixture": ((-np.log(PROBS[np.arange(7), LABELS]),), {"labels": LABELS}),
    "majority_filter": ((LABELS, PROBS.argmax(axis=1)[None]), {}),
    "consensus_filter": ((LABELS, PROBS.argmax(axis=1)[None]), {}),
    "simifeat_mv": ((LABELS, PROBS), {"k": 3}),
    "simifeat_rank": ((LABELS, PROBS), {"k": 3, "diagonal_scale": 0.5}),
    "knn_vote": ((LABELS, PROBS), {"k": 2}),
    "recov": ((LABELS, lambda train, test: own(test).min()), {"repeats": 100, "n_folds": 3}),
    "fast_recov": ((LABELS, lambda train, test: own(test)), {"count": 2, "n_folds": 3}),
    "two_source": ((LABELS, PROBS, PROBS**2 / (PROBS**2).sum(axis=1, keepdims=True)), {"keep": 0.5}),
}


def own(units: NDArray[np.int64]) -> NDArray[np.float64]:
    return PROBS[units, LABELS[units]]


def test_every_selector_has_an_input_here() -> None:
    assert set(INPUTS) == set(SELECTORS)


@pytest.mark.parametrize("name", SELECTORS)
def test_every_selector_runs(name: str) -> None:
    entry = SELECTORS[name]
    arguments, options = INPUTS[name]
    mask = entry.load()(*arguments, **{**entry.options, **options})
    assert mask.dtype == bool
    assert mask.shape == LABELS.shape
    assert 0 < mask.sum() < len(LABELS)
    assert not mask[-1]


@pytest.mark.parametrize("name", SELECTORS)
def test_every_selector_says_what_it_is(name: str) -> None:
    entry = SELECTORS[name]
    assert all((entry.summary, entry.source, entry.formula, entry.helps, entry.hurts))


@pytest.mark.parametrize("rule", RULES)
def test_names_of_rules_select_that_rule(rule: str) -> None:
    entry = SELECTORS[rule]
    np.testing.assert_array_equal(
        entry.load()(LABELS, PROBS, **entry.options), confident_learning(LABELS, PROBS, rule=rule)
    )


def test_all_names_exist() -> None:
    assert all(hasattr(selection, name) for name in selection.__all__)
