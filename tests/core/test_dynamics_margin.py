"""Area under the margin: against the authors' package, threshold samples, and planted errors."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.dynamics_margin import (
    AreaUnderMargin,
    aum_flag,
    aum_flag_all,
    margins,
    threshold_samples,
)
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def test_equals_the_official_package(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    official = pytest.importorskip("aum").AUMCalculator(str(tmp_path), compressed=True)
    n, k = 500, 7
    given = generator(0, "labels").integers(0, k, n)
    ours = AreaUnderMargin(n)
    for epoch in range(6):
        z = generator(0, "logits", epoch).normal(size=(n, k)).astype(np.float32)
        for ids in np.array_split(generator(0, "order", epoch).permutation(n), 9):
            ours.update(torch.tensor(z[ids]), torch.tensor(given[ids]), ids)
            official.update(torch.tensor(z[ids]), torch.tensor(given[ids]), ids.tolist())
    expected = [official.sums[i] / official.counts[i] for i in range(n)]
    np.testing.assert_allclose(ours.values(), expected, rtol=0, atol=1e-12)
    # Its file is sorted by value: who takes the row number for the unit id gets other units' areas.
    official.finalize()
    with open(tmp_path / "aum_values.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    by_row = np.array([float(row["aum"]) for row in rows])
    by_id = np.zeros(n)
    by_id[[int(row["sample_id"]) for row in rows]] = by_row
    np.testing.assert_allclose(ours.values(), by_id, atol=1e-12)
    assert np.abs(ours.values() - by_row).max() > 1


def test_margin_is_given_minus_the_best_other() -> None:
    z = generator(1, "logits").normal(size=(200, 5))
    y = generator(1, "labels").integers(-1, 5, 200)
    expected = [0.0 if c < 0 else row[c] - max(np.delete(row, c)) for row, c in zip(z, y)]
    np.testing.assert_allclose(margins(z, y), expected, atol=1e-12)


def test_a_unit_that_comes_twice_in_a_batch_counts_twice() -> None:
    aum = AreaUnderMargin(2)
    aum.update([[1.0, 0.0], [5.0, 0.0]], [0, 0], [1, 1])
    assert aum.values().tolist() == [0.0, 3.0]
    assert aum.counts.tolist() == [0, 2]


def test_minus_infinity_is_a_class_that_is_ruled_out() -> None:
    assert margins([[2.0, -np.inf, 1.0]], [0]).tolist() == [1.0]
    with pytest.raises(InputError, match="NaN or infinity"):
        margins([[2.0, -np.inf, 1.0]], [1])


def test_one_class_has_no_margin() -> None:
    with pytest.raises(InputError, match="at least two classes"):
        AreaUnderMargin(3).update([[1.0]], [0], [0])


def test_threshold_samples_are_disjoint_and_of_the_published_number() -> None:
    labels = generator(2, "labels").integers(-1, 10, 1000)
    first, a = threshold_samples(labels, 10, seed=3)
    second, b = threshold_samples(labels, 10, seed=3, part=1)
    known = labels >= 0
    assert a.sum() == b.sum() == known.sum() // 11
    assert not (a & b).any()
    assert (first[a] == 10).all()
    assert (second[b] == 10).all()
    assert not a[~known].any()
    np.testing.assert_array_equal(first[~a], labels[~a])
    assert (threshold_samples(labels, 10, seed=3)[0] == first).all()
    assert (threshold_samples(labels, 10, seed=4)[0] != first).any()
    for n_classes in (1, 2, 3):
        few = np.zeros(n_classes + 1, dtype=int)
        masks = [threshold_samples(few, n_classes, seed=0, part=part)[1] for part in (0, 1)]
        assert [mask.sum() for mask in masks] == [1, 1]
        assert not (masks[0] & masks[1]).any()


def test_flags_are_below_the_99th_percentile_of_threshold_samples() -> None:
    rng = generator(4, "aum")
    aum, threshold = rng.normal(size=2000), np.arange(2000) < 300
    flagged = aum_flag(aum, threshold)
    share_above = np.array([(aum[threshold] > value).mean() for value in aum])
    assert not flagged[threshold].any()
    # Flagged: more than 1% of the threshold samples lie above (the percentile is between two of them).
    assert (share_above[flagged] >= 0.01).all()
    assert (share_above[~flagged & ~threshold] <= 0.01).all()
    assert flagged.sum() > aum_flag(aum, threshold, percentile=1).sum()


def test_units_not_seen_have_no_say() -> None:
    aum = np.array([5.0, -5.0, 0.0, -3.0, 0.0])
    threshold = np.array([False, False, False, True, True])
    seen = np.array([True, True, False, True, False])
    assert aum_flag(aum, threshold, seen=seen).tolist() == [False, True, False, False, False]


def test_two_runs_judge_every_unit_and_find_planted_errors() -> None:
    """A linear softmax network on Gaussian classes with 20% of wrong labels."""
    rng = generator(5, "data")
    n, k = 1100, 10
    true = rng.integers(0, k, n)
    x = np.c_[3 * np.eye(k)[true] + rng.normal(size=(n, k)), np.ones(n)]
    wrong = rng.random(n) < 0.2
    given = np.where(wrong, (true + rng.integers(1, k, n)) % k, true)
    runs = []
    for part in (0, 1):
        labels, threshold = threshold_samples(given, k, seed=0, part=part)
        weights = np.zeros((k + 1, k + 1))
        aum = AreaUnderMargin(n)
        for epoch in range(15):
            for ids in np.array_split(generator(6, "order", part, epoch).permutation(n), 20):
                z = x[ids] @ weights
                aum.update(z, labels[ids], ids)
                p = np.exp(z - z.max(axis=1, keepdims=True))
                p /= p.sum(axis=1, keepdims=True)
                weights -= 0.2 * x[ids].T @ (p - np.eye(k + 1)[labels[ids]]) / len(ids)
        runs.append((aum.values(), threshold))
    flagged = aum_flag_all(*runs)
    assert flagged[wrong].mean() > 0.9
    assert flagged[~wrong].mean() < 0.1
    assert flagged[wrong & runs[0][1]].mean() > 0.8


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="part"):
        threshold_samples([0, 1, 1], 2, seed=0, part=2)
    with pytest.raises(InputError, match="at least 3 are needed"):
        threshold_samples([0, 1, -1], 2, seed=0)
    with pytest.raises(InputError, match="class"):
        threshold_samples([0], 0, seed=0)
    mask = [False, True]
    with pytest.raises(InputError, match="NaN"):
        aum_flag([np.nan, 0.0], mask)
    with pytest.raises(InputError, match="percentile"):
        aum_flag([1.0, 0.0], mask, percentile=101)
    with pytest.raises(InputError, match="No threshold sample"):
        aum_flag([1.0, 0.0], [False, False])
    with pytest.raises(InputError, match="Lengths differ"):
        aum_flag([1.0], mask)
    with pytest.raises(InputError, match="booleans"):
        aum_flag([1.0, 0.0], [0, 1])
    with pytest.raises(InputError, match="share 1 threshold"):
        aum_flag_all(([1.0, 0.0], mask), ([1.0, 0.0], mask))
