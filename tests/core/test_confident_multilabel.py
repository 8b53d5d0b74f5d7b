"""Multi-label masks against cleanlab, cell by cell and unit by unit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.confident_learning import PRUNE_RULES, RULES, confident_learning
from labelnoise.core.confident_multilabel import confident_learning_multilabel
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def tags(
    seed: int, n: int, k: int, *, dtype: type = np.float64, steps: int = 0, rate: float = 0.3
) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Indicator labels of which some cells are flipped, with probabilities that mostly know better."""
    rng = generator(seed, "tags", n, k)
    true = rng.random((n, k)) < rate
    given = true ^ (rng.random((n, k)) < 0.08)
    probs = 1 / (1 + np.exp(-(rng.normal(size=(n, k)) * 1.5 + np.where(true, 1.5, -1.5))))
    if steps:
        probs = probs.round(1) if steps == 10 else (probs * steps).round() / steps
    return given.astype(np.int8), probs.astype(dtype)


CASES: dict[str, dict[str, Any]] = {
    "plain": {"seed": 1, "n": 600, "k": 7},
    "float32": {"seed": 2, "n": 600, "k": 7, "dtype": np.float32},
    "ties": {"seed": 3, "n": 900, "k": 5, "steps": 10},
    "ties, float32": {"seed": 4, "n": 900, "k": 5, "steps": 8, "dtype": np.float32},
    "rare": {"seed": 5, "n": 300, "k": 20, "rate": 0.02},
    "few units": {"seed": 6, "n": 8, "k": 3},
}


@pytest.fixture(scope="module")
def module() -> Any:
    return pytest.importorskip(
        "cleanlab.multilabel_classification.filter", reason="parity with cleanlab needs the dev extra"
    )


def quietly(find: Any, labels: NDArray[np.int8], probs: NDArray[Any], **options: Any) -> NDArray[np.bool_]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lists = [np.flatnonzero(row).tolist() for row in labels]
        return np.asarray(find(lists, probs, n_jobs=1, **options))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_masks_are_those_of_cleanlab(module: Any, case: dict[str, Any], rule: str) -> None:
    labels, probs = tags(**case)
    cells = quietly(module.find_multilabel_issues_per_class, labels, probs, filter_by=rule)
    np.testing.assert_array_equal(confident_learning_multilabel(labels, probs, rule=rule), cells)
    by_unit = quietly(module.find_label_issues, labels, probs, filter_by=rule)
    ours = confident_learning_multilabel(labels, probs, rule=rule, level="unit")
    np.testing.assert_array_equal(ours, by_unit)


@pytest.mark.parametrize("rule", PRUNE_RULES)
@pytest.mark.parametrize("options", [(0.5, 1), (1.0, 60), (0.4, 3)])
@pytest.mark.parametrize("name", ["plain", "ties", "float32"])
def test_options_are_those_of_cleanlab(module: Any, name: str, options: tuple[float, int], rule: str) -> None:
    labels, probs = tags(**CASES[name])
    fraction, minimum = options
    expected = quietly(
        module.find_multilabel_issues_per_class,
        labels,
        probs,
        filter_by=rule,
        frac_noise=fraction,
        min_examples_per_class=minimum,
    )
    ours = confident_learning_multilabel(labels, probs, rule=rule, frac_noise=fraction, min_per_class=minimum)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("ties", ["numpy", "first"])
@pytest.mark.parametrize("name", ["plain", "ties, float32", "rare"])
def test_each_class_is_a_problem_of_two(name: str, ties: Any, rule: str) -> None:
    labels, probs = tags(**CASES[name])
    labels = np.where(generator(7, "unknown").random(labels.shape) < 0.2, -1, labels)
    ours = confident_learning_multilabel(labels, probs, rule=rule, ties=ties)
    for c in range(labels.shape[1]):
        pair = np.stack([1 - probs[:, c], probs[:, c]], axis=1)
        np.testing.assert_array_equal(
            ours[:, c], confident_learning(labels[:, c], pair, rule=rule, ties=ties)
        )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("level", ["cell", "unit"])
def test_unknown_cells_change_nothing(rule: str, level: Any) -> None:
    labels, probs = tags(**CASES["plain"])
    labels = np.where(generator(8, "unknown").random(labels.shape) < 0.2, -1, labels)
    labels[:5] = -1
    ours = confident_learning_multilabel(labels, probs, rule=rule, level=level)
    assert not ours[:5].any()
    other = np.where(labels >= 0, probs, generator(9, "other").random(probs.shape))
    np.testing.assert_array_equal(confident_learning_multilabel(labels, other, rule=rule, level=level), ours)
    alone = confident_learning_multilabel(labels[5:], probs[5:], rule=rule, level=level)
    np.testing.assert_array_equal(ours[5:], alone)


def test_a_class_that_everyone_or_no_one_has() -> None:
    labels, probs = tags(**CASES["plain"])
    labels[:, 0], labels[:, 1] = 1, 0
    flagged = confident_learning_multilabel(labels, probs)
    assert flagged.shape == labels.shape
    assert not flagged[:, :2].any()


def test_nothing_to_flag() -> None:
    assert confident_learning_multilabel(np.zeros((0, 3), int), np.zeros((0, 3))).shape == (0, 3)
    assert confident_learning_multilabel(np.zeros((2, 0), int), np.zeros((2, 0)), level="unit").tolist() == [
        False,
        False,
    ]
    labels = np.array([[1, 0], [0, 1]])
    assert not confident_learning_multilabel(labels, labels.astype(float)).any()


@pytest.mark.parametrize(
    ("labels", "probs", "options", "message"),
    [
        ([0, 1], [[0.5, 0.5]], {}, "matrix"),
        ([[0, 1]], [[0.5, 0.5], [0.1, 0.1]], {}, "indicator matrix"),
        ([[0, 2]], [[0.5, 0.5]], {}, "other than 0, 1 and -1"),
        ([[0, 1]], [[0.5, np.nan]], {}, "NaN"),
        ([[0, 1]], [[0.5, 0.5]], {"level": "item"}, "Unknown level"),
        ([[0, 1]], [[0.5, 0.5]], {"rule": "both", "frac_noise": 2}, "frac_noise"),
    ],
)
def test_bad_input_is_refused(labels: Any, probs: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        confident_learning_multilabel(labels, probs, **options)
