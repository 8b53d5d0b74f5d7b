"""Masks of confident learning against cleanlab, bit for bit, and the properties that cleanlab's lack."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.confident_learning import PRUNE_RULES, RULES, confident_learning, lowest
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def units(
    seed: int, n: int, k: int, *, dtype: type = np.float64, absent: tuple[int, ...] = (), steps: int = 0
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Labels of which a quarter is redrawn, probabilities that mostly know better; tied with ``steps``."""
    rng = generator(seed, "units", n, k)
    true = rng.integers(0, k, n)
    given = np.where(rng.random(n) < 0.25, rng.integers(0, k, n), true)
    for c in absent:
        given[given == c] = (c + 1) % k
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), true] += rng.choice([1.0, 2.0, 4.0])
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if steps:
        probs = rng.multinomial(steps, probs) / steps
    return given, probs.astype(dtype)


CASES: dict[str, dict[str, Any]] = {
    "two classes": {"seed": 1, "n": 500, "k": 2},
    "ten classes": {"seed": 2, "n": 3000, "k": 10},
    "float32": {"seed": 3, "n": 3000, "k": 10, "dtype": np.float32},
    "absent class": {"seed": 4, "n": 800, "k": 5, "absent": (2,)},
    "absent classes, float32": {"seed": 5, "n": 800, "k": 5, "absent": (0, 4), "dtype": np.float32},
    "ties": {"seed": 6, "n": 2000, "k": 4, "steps": 10},
    "ties, float32": {"seed": 7, "n": 2000, "k": 4, "steps": 8, "dtype": np.float32},
    "ties, two classes": {"seed": 8, "n": 1000, "k": 2, "steps": 5},
    "sure": {"seed": 9, "n": 1000, "k": 3, "steps": 1},
    "few units": {"seed": 10, "n": 9, "k": 3},
    "many classes": {"seed": 11, "n": 4000, "k": 60},
    "more classes than a byte": {"seed": 12, "n": 2000, "k": 200, "dtype": np.float32},
}


@pytest.fixture(scope="module")
def find() -> Any:
    module = pytest.importorskip("cleanlab.filter", reason="parity with cleanlab needs the dev extra")

    def run(labels: Any, probs: Any, **options: Any) -> NDArray[np.bool_]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(module.find_label_issues(labels, probs, n_jobs=1, **options))

    return run


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_mask_is_that_of_cleanlab(find: Any, case: dict[str, Any], rule: str) -> None:
    labels, probs = units(**case)
    expected = find(labels, probs, filter_by=rule)
    np.testing.assert_array_equal(confident_learning(labels, probs, rule=rule), expected)


@pytest.mark.parametrize("rule", PRUNE_RULES)
@pytest.mark.parametrize("options", [(0.5, 1), (0.3, 1), (1.0, 40), (0.7, 5), (1.0, 0), (0.0, 1)])
@pytest.mark.parametrize("name", ["ten classes", "ties", "absent class", "float32"])
def test_options_of_pruning_are_those_of_cleanlab(
    find: Any, name: str, options: tuple[float, int], rule: str
) -> None:
    labels, probs = units(**CASES[name])
    fraction, minimum = options
    expected = find(labels, probs, filter_by=rule, frac_noise=fraction, min_examples_per_class=minimum)
    ours = confident_learning(labels, probs, rule=rule, frac_noise=fraction, min_per_class=minimum)
    np.testing.assert_array_equal(ours, expected)


def test_many_random_cases_are_those_of_cleanlab(find: Any) -> None:
    for seed in range(240):
        rng = generator(seed, "random case")
        n, k = int(rng.integers(4, 120)), int(rng.integers(2, 7))
        labels, probs = units(
            seed, n, k, steps=[0, 4, 10][seed % 3], dtype=[np.float64, np.float32][seed % 2]
        )
        if len(np.unique(labels)) < 2:  # cleanlab refuses a single class
            continue
        rule = RULES[seed % len(RULES)]
        options: dict[str, Any] = {}
        if rule in PRUNE_RULES and seed % 4 == 1:
            options = {"frac_noise": float(rng.random())}
        expected = find(labels, probs, filter_by=rule, **options)
        ours = confident_learning(labels, probs, rule=rule, **options)
        np.testing.assert_array_equal(ours, expected, err_msg=f"seed {seed}, rule {rule}, {options}")


def test_counts_above_the_disputed_units_are_those_of_cleanlab(find: Any) -> None:
    # Calibration scales the few confident counts of class 0 up beyond its disputed units, so the cut of
    # a pair of classes falls among units that prefer their given class.
    rng = generator(3, "few confident")
    n = 400
    labels = np.repeat([0, 1], n // 2)
    p = np.where(labels == 0, rng.uniform(0.3, 1.0, n), rng.uniform(0.0, 0.65, n))
    p[:8] = 0.01
    probs = np.stack([p, 1 - p], axis=1)
    for rule in PRUNE_RULES:
        expected = find(labels, probs, filter_by=rule)
        np.testing.assert_array_equal(confident_learning(labels, probs, rule=rule), expected)


def test_token_labels_are_those_of_cleanlab() -> None:
    module = pytest.importorskip("cleanlab.token_classification.filter")
    labels, probs = units(21, 2500, 9, dtype=np.float32)
    lengths = generator(21, "lengths").integers(1, 40, 200)
    ends = np.minimum(np.cumsum(lengths), len(labels))
    ends[-1] = len(labels)
    sentences = [part.tolist() for part in np.split(labels, ends[:-1])]
    expected = module.find_label_issues(sentences, np.split(probs, ends[:-1]), n_jobs=1)
    starts = np.concatenate([[0], ends[:-1]])
    positions = sorted(starts[i] + j for i, j in expected)
    assert np.flatnonzero(confident_learning(labels, probs)).tolist() == positions


@pytest.mark.parametrize("ties", ["numpy", "first"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["ten classes", "ties, float32", "absent class"])
def test_units_without_a_label_change_nothing(name: str, rule: str, ties: Any) -> None:
    labels, probs = units(**CASES[name])
    keep = generator(1, "keep").random(len(labels)) < 0.8
    ours = confident_learning(np.where(keep, labels, -1), probs, rule=rule, ties=ties)
    assert not ours[~keep].any()
    alone = confident_learning(labels[keep], probs[keep], rule=rule, ties=ties)
    np.testing.assert_array_equal(ours[keep], alone)


@pytest.mark.parametrize("rule", RULES)
def test_layout_and_memory_maps_change_nothing(tmp_path: Path, rule: str) -> None:
    labels, probs = units(**CASES["float32"])
    expected = confident_learning(labels, probs, rule=rule)
    np.save(tmp_path / "probs.npy", probs)
    mapped = np.load(tmp_path / "probs.npy", mmap_mode="r")
    for same in (np.asfortranarray(probs), np.repeat(probs, 2, axis=1)[:, ::2], mapped, probs.tolist()):
        if isinstance(same, list):
            same = np.array(same, dtype=np.float32)
        np.testing.assert_array_equal(confident_learning(labels, same, rule=rule), expected)


@pytest.mark.parametrize("rule", RULES)
def test_first_breaks_ties_by_order_and_only_ties(rule: str) -> None:
    labels, probs = units(**CASES["ties"])
    assert confident_learning(labels, probs, rule=rule, ties="first").sum() > 0
    labels, probs = units(**CASES["ten classes"])
    np.testing.assert_array_equal(
        confident_learning(labels, probs, rule=rule, ties="first"),
        confident_learning(labels, probs, rule=rule, ties="numpy"),
    )


def test_lowest_takes_exactly_the_count() -> None:
    values = np.array([3.0, 1.0, 1.0, 2.0, 1.0])
    assert np.flatnonzero(lowest(values, 2, "first")).tolist() == [1, 2]
    for count in range(-1, 8):
        for ties in ("numpy", "first"):
            assert lowest(values, count, ties).sum() == np.clip(count, 0, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES)
def test_nothing_to_flag(rule: str) -> None:
    assert confident_learning([], np.zeros((0, 3)), rule=rule).shape == (0,)
    assert not confident_learning([0, 0, 0], np.ones((3, 1)), rule=rule).any()
    assert not confident_learning([-1, -1], [[0.5, 0.5], [0.9, 0.1]], rule=rule).any()
    assert not confident_learning([0, 1, 0], np.eye(2)[[0, 1, 0]], rule=rule).any()


def test_a_single_given_class_can_be_judged() -> None:
    # cleanlab refuses this input.
    _, probs = units(14, 60, 3)
    flagged = confident_learning(np.zeros(60, dtype=int), probs, rule="predicted_neq_given")
    np.testing.assert_array_equal(flagged, probs.argmax(axis=1) != 0)
    assert not confident_learning(np.zeros(60, dtype=int), probs).any()


def test_input_is_not_changed() -> None:
    labels, probs = units(**CASES["ten classes"])
    before = labels.copy(), probs.copy()
    for rule in RULES:
        confident_learning(labels, probs, rule=rule)
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(probs, before[1])


def test_planted_errors_are_found() -> None:
    rng = generator(5, "planted")
    true = rng.integers(0, 4, 2000)
    given = np.where(rng.random(2000) < 0.15, (true + 1) % 4, true)
    logits = rng.normal(size=(2000, 4)) + 5 * np.eye(4)[true]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = given != true
    for rule in RULES:
        flagged = confident_learning(given, probs, rule=rule)
        assert (flagged & wrong).sum() / flagged.sum() > 0.9, rule
        assert (flagged & wrong).sum() / wrong.sum() > 0.8, rule


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "prune_by_noise"}, "Did you mean 'prune_by_noise_rate'"),
        ({"rule": "confident_learning", "frac_noise": 0.5}, "knows neither frac_noise"),
        ({"rule": "low_self_confidence", "min_per_class": 2}, "knows neither frac_noise"),
        ({"frac_noise": 1.5}, "frac_noise is 1.5"),
        ({"min_per_class": -1}, "min_per_class is -1"),
        ({"ties": "random"}, "Unknown way to break ties"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        confident_learning([0, 1], [[0.5, 0.5], [0.5, 0.5]], **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.5, -0.2])
def test_probabilities_out_of_range_are_refused(bad: float) -> None:
    probs = np.full((3, 2), 0.5)
    probs[1, 0] = bad
    with pytest.raises(InputError):
        confident_learning([0, 1, 0], probs)


def test_every_rule_is_documented() -> None:
    text = inspect.getdoc(confident_learning) or ""
    assert all(f'"{rule}"' in text for rule in RULES)
