"""Label quality against cleanlab and against its definition, at the ends of its range in particular."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.quality import (
    QUALITY_SCORES,
    confidence_weighted_entropy,
    multilabel_quality,
    normalized_margin,
    self_confidence,
)
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

Score = Callable[[Any, Any], NDArray[np.float64]]
SCORES: list[Score] = [self_confidence, normalized_margin, confidence_weighted_entropy]


def units(seed: int, n: int, k: int, dtype: type = np.float64) -> tuple[NDArray[np.int64], NDArray[Any]]:
    rng = generator(seed, "units")
    return rng.integers(0, k, n), rng.dirichlet(np.full(k, 0.5), n).clip(1e-5).astype(dtype)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("k", "dtype"), [(2, np.float64), (10, np.float64), (10, np.float32), (150, np.float64)]
)
def test_equals_cleanlab(score: Score, k: int, dtype: type) -> None:
    rank = pytest.importorskip("cleanlab.rank", reason="parity with cleanlab needs the dev extra")
    labels, probs = units(1, 2000, k, dtype)
    if k == 150:
        probs /= probs.sum(axis=1, keepdims=True)
    expected = rank.get_label_quality_scores(labels, probs, method=score.__name__)
    tolerance = 1e-12 if dtype is np.float64 else 2e-6
    np.testing.assert_allclose(score(labels, probs), np.clip(expected, 0, 1), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("score", ["self_confidence", "normalized_margin", "confidence_weighted_entropy"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pooled_equals_cleanlab(score: str, dtype: type) -> None:
    rank = pytest.importorskip("cleanlab.multilabel_classification.rank")
    rng = generator(2, "tags")
    labels = (rng.random((500, 12)) < 0.3).astype(int)
    probs = rng.beta(0.5, 0.5, labels.shape).clip(1e-4, 1 - 1e-4).astype(dtype)
    lists = [np.flatnonzero(row).tolist() for row in labels]
    expected = rank.get_label_quality_scores(lists, probs, method=score)
    tolerance = 1e-12 if dtype is np.float64 else 2e-6
    ours = multilabel_quality(labels, probs, score=score, pool="ema")
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("score", SCORES)
def test_range_order_and_missing_labels(score: Score) -> None:
    labels, probs = units(3, 500, 6)
    probs[:6] = np.eye(6)
    keep = generator(3, "keep").random(500) < 0.8
    quality = score(np.where(keep, labels, -1), probs)
    assert quality.dtype == np.float64
    assert quality.min() >= 0
    assert quality.max() <= 1
    assert (quality[~keep] == 1).all()
    np.testing.assert_array_equal(quality[keep], score(labels[keep], probs[keep]))
    np.testing.assert_array_equal(quality[keep], score(labels, np.asfortranarray(probs))[keep])


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_falls_with_the_probability_down_to_nothing(score: Score, dtype: type) -> None:
    tail = 10.0 ** np.array([-1, -2, -4, -6, -7, -9, -12, -30])
    p = np.concatenate([1 - tail[::-1], [0.5], tail])
    probs = np.stack([p, 1 - p], axis=1)
    probs = np.concatenate([[[1.0, 0.0]], probs, [[0.0, 1.0]]]).astype(dtype)
    quality = score(np.zeros(len(probs), dtype=int), probs)
    assert (np.diff(quality) <= 1e-9).all()
    assert quality[0] == 1
    assert quality[-1] == 0


@pytest.mark.parametrize("score", SCORES)
def test_one_class_and_nothing(score: Score) -> None:
    assert score([0, 0], [[1.0], [1.0]]).tolist() == [1, 1]
    assert score([], np.zeros((0, 3))).shape == (0,)
    assert score([-1], [[0.5, 0.5]]).tolist() == [1]


@pytest.mark.parametrize("score", SCORES)
def test_a_memory_map_stays_on_disk(tmp_path: Path, score: Score) -> None:
    labels, probs = units(4, 40_000, 60, np.float32)
    probs /= probs.sum(axis=1, keepdims=True)
    np.save(tmp_path / "probs.npy", probs)
    mapped = np.load(tmp_path / "probs.npy", mmap_mode="r")
    score(labels[:10], mapped[:10])
    tracemalloc.start()
    quality = score(labels, mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6 < probs.nbytes / 3
    np.testing.assert_array_equal(quality, score(labels, probs))


def test_cells() -> None:
    labels = np.array([[1, 0, -1], [0, -1, -1], [-1, -1, -1]])
    probs = np.array([[0.9, 0.2, 0.4], [0.7, 0.5, 0.5], [0.1, 0.1, 0.1]])
    for score in QUALITY_SCORES:
        cells = multilabel_quality(labels, probs, score=score)
        assert (cells[labels < 0] == 1).all()
        assert cells[0, 0] > cells[1, 0]
        for pool, expected in (("min", cells.min(axis=1)), (None, cells)):
            pooled = multilabel_quality(labels, probs, score=score, pool=pool)  # type: ignore[arg-type]
            np.testing.assert_array_equal(pooled, expected)
    np.testing.assert_allclose(multilabel_quality(labels, probs, pool="ema"), [0.82, 0.3, 1])


def test_every_score_is_registered_and_loads() -> None:
    assert [entry.load() for entry in QUALITY_SCORES.values()] == SCORES


@pytest.mark.parametrize("score", SCORES)
def test_bad_input_is_refused(score: Score) -> None:
    with pytest.raises(InputError, match="class id 2"):
        score([2], [[0.5, 0.5]])
    with pytest.raises(InputError, match="Lengths differ"):
        score([0, 1], [[0.5, 0.5]])
    with pytest.raises(InputError, match="softmax"):
        score([0], [[3.0, -1.0]])


def test_bad_options_are_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'self_confidence'"):
        multilabel_quality([[1]], [[0.5]], score="self_confidense")
    with pytest.raises(InputError, match="way to pool"):
        multilabel_quality([[1]], [[0.5]], pool="max")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="indicator matrix"):
        multilabel_quality([[1, 0]], [[0.5]])
