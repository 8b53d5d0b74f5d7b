"""Pooling of qualities over cells and groups against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelnoise.core.pooling import POOLS, group_quality, pool_quality
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def slow_pool(entries: Any, method: str, alpha: float = 0.8, temperature: float = 0.1) -> float:
    if len(entries) == 0:
        return 1.0
    if method == "min":
        return float(min(entries))
    if method == "mean":
        return float(np.mean(entries))
    if method == "softmin":
        weights = np.exp((1 - np.asarray(entries)) / temperature)
        return float((weights * entries).sum() / weights.sum())
    ordered = sorted(entries, reverse=True)
    average = ordered[0]
    for entry in ordered[1:]:
        average = alpha * entry + (1 - alpha) * average
    return float(average)


@pytest.mark.parametrize("method", POOLS)
@pytest.mark.parametrize("alpha", [0.0, 0.8, 1.0])
def test_pool_equals_a_loop(method: Any, alpha: float) -> None:
    rng = generator(1, "pool")
    quality, mask = rng.random((60, 8)), rng.random((60, 8)) < 0.6
    mask[:3] = False
    ours = pool_quality(quality, method=method, mask=mask, alpha=alpha)
    expected = [slow_pool(row[known], method, alpha) for row, known in zip(quality, mask)]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    hidden = np.where(mask, quality, rng.random(quality.shape))
    np.testing.assert_array_equal(pool_quality(hidden, method=method, mask=mask, alpha=alpha), ours)


@pytest.mark.parametrize("method", ["min", "softmin", "mean"])
@pytest.mark.parametrize("ordered", [True, False])
def test_groups_equal_a_loop(method: Any, ordered: bool) -> None:
    rng = generator(2, "groups")
    quality, groups, mask = rng.random(400), rng.integers(0, 50, 400), rng.random(400) < 0.7
    groups[groups == 7] = 8
    if ordered:
        groups = np.sort(groups)
    ours = group_quality(quality, groups, method=method, mask=mask, n_groups=55, temperature=0.05)
    expected = [slow_pool(quality[(groups == g) & mask], method, temperature=0.05) for g in range(55)]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    assert ours[7] == 1


def test_softmin_is_that_of_cleanlab() -> None:
    module = pytest.importorskip("cleanlab.internal.multilabel_scorer")
    quality = generator(3, "softmin").random((30, 9))
    expected = module.softmin(quality, temperature=0.1)
    np.testing.assert_allclose(pool_quality(quality, method="softmin"), expected, rtol=1e-12)
    groups = np.repeat(np.arange(30), 9)
    np.testing.assert_allclose(group_quality(quality.ravel(), groups, method="softmin"), expected, rtol=1e-12)


@pytest.mark.parametrize("temperature", [1e-6, 1e6])
def test_softmin_reaches_the_minimum_and_the_mean(temperature: float) -> None:
    quality, groups = [0.0, 0.5, 1.0, 1.0, 1.0], [0, 0, 0, 1, 1]
    ours = group_quality(quality, groups, method="softmin", temperature=temperature)
    method: Any = "min" if temperature < 1 else "mean"
    np.testing.assert_allclose(ours, group_quality(quality, groups, method=method), atol=1e-6)


def test_nothing() -> None:
    assert group_quality([], []).shape == (0,)
    assert group_quality([], [], n_groups=2).tolist() == [1, 1]
    assert group_quality([0.1], [1], mask=[False], method="softmin").tolist() == [1, 1]
    assert pool_quality(np.zeros((2, 0))).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ([0, -1], {}, "start at 0"),
        ([0.5, 1.0], {}, "whole number"),
        ([0], {}, "Lengths differ"),
        ([0, 5], {"n_groups": 3}, "id 5 but n_groups is 3"),
        ([0, 10**12], {}, "number the groups"),
        ([0, 1], {"method": "max"}, "Unknown way"),
        ([0, 1], {"method": "softmin", "temperature": 0.0}, "temperature"),
        ([0, 1], {"mask": [True]}, "Lengths differ"),
    ],
)
def test_bad_groups_are_refused(groups: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        group_quality([0.5, 0.5], groups, **options)


def test_bad_qualities_are_refused() -> None:
    for bad in (np.nan, 1.5, -0.1):
        with pytest.raises(InputError, match=r"\[0, 1\]"):
            group_quality([bad], [0])
    with pytest.raises(InputError, match="matrix"):
        pool_quality([0.5])
    with pytest.raises(InputError, match="alpha"):
        pool_quality([[0.5]], alpha=2)
    with pytest.raises(InputError, match="mask"):
        pool_quality([[0.5]], mask=[[True, False]])
