"""The registry of noise kinds: every kind is described, cited, and does what its name says."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from labelnoise.core import noise
from labelnoise.core.noise import NOISES, Corruption, NoiseModel, annotate, annotator_transitions
from labelnoise.core.noise_kinds import random, random_map
from labelnoise.core.validation import InputError

N, K = 1200, 4
LABELS = np.random.default_rng(0).integers(0, K, N)
TAGS = (np.random.default_rng(1).random((N, K)) < 0.4).astype(int)
VOTES = annotate(LABELS, annotator_transitions(5, K, 0), 0).labels
FEATURES = np.random.default_rng(2).normal(size=(N, 8))
MODEL = NoiseModel.fit(LABELS, np.where(np.arange(N) % 5 == 0, 0, LABELS))

#: What each kind is called with; a kind without a line here fails the test below.
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "symmetric": (LABELS, {"n_classes": K}),
    "pair": (LABELS, {"n_classes": K}),
    "asymmetric": (LABELS, {"n_classes": K, "mapping": [1, 0, 3, 2]}),
    "random": (LABELS, {"n_classes": K}),
    "random-map": (LABELS, {"n_classes": K}),
    "confusion": (LABELS, {"n_classes": K, "matrix": np.arange(1, 17).reshape(4, 4)}),
    "instance-dependent": (
        LABELS,
        {"n_classes": K, "features": FEATURES},
    ),
    "fitted": (LABELS, {"model": MODEL}),
    "missing": (TAGS, {}),
    "extra": (TAGS, {}),
    "swapped": (TAGS, {}),
    "single-positive": (TAGS, {}),
    "set-level": (TAGS, {}),
    "open-set": (LABELS, {"n_classes": K, "n_outside": 50}),
    "annotators": (LABELS, {}),
    "dissenting-label": (VOTES, {}),
    "dissenting-worker": (VOTES, {}),
}
#: The realised rate that answers to the asked one.
RATE_OF = {"missing": "positives", "extra": "negatives", "swapped": "positives", "set-level": "units"}


def test_every_kind_has_a_case() -> None:
    assert set(CASES) == set(NOISES)


@pytest.mark.parametrize("kind", NOISES)
def test_every_kind_is_described_and_cited(kind: str) -> None:
    entry = NOISES[kind]
    for text in (entry.summary, entry.source, entry.formula, entry.helps, entry.hurts):
        assert text.strip()
    assert entry.summary.endswith(".")
    assert "Examples" in (inspect.getdoc(entry.load()) or "")


@pytest.mark.parametrize("kind", NOISES)
def test_every_kind_hits_the_rate_and_returns_the_truth(kind: str) -> None:
    labels, options = CASES[kind]
    target = NOISES[kind].load()
    second = annotator_transitions(5, K, 1, mean=0.8, std=0) if kind == "annotators" else 0.2
    result = target(labels, second, 3, **options)
    assert isinstance(result, Corruption)
    if kind != "single-positive":
        realised = result.rates[RATE_OF[kind]] if kind in RATE_OF else result.rate
        assert realised == pytest.approx(0.2, abs=0.05)
    else:
        several = (TAGS.sum(axis=1) > 1).mean()
        assert result.rates["units"] == pytest.approx(0.2 * several, abs=0.04)
    truth = result.transition if result.transition is not None else result.posterior
    assert truth is not None
    np.testing.assert_allclose(truth.sum(axis=-1), 1)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'symmetric'"):
        NOISES["symetric"]


def test_everything_that_is_exported_exists() -> None:
    for name in noise.__all__:
        assert hasattr(noise, name)


@pytest.mark.parametrize("make", [random, random_map])
def test_a_matrix_seed_fixes_the_matrix_over_draws(make: Any) -> None:
    a, b = (make(LABELS, 0.3, seed, n_classes=K, matrix_seed=9) for seed in (1, 2))
    np.testing.assert_array_equal(a.transition, b.transition)
    assert (a.labels != b.labels).any()
    c = make(LABELS, 0.3, 2, n_classes=K)
    assert not np.array_equal(c.transition, b.transition)


def test_a_confusion_is_scaled_to_the_labels_at_hand() -> None:
    skewed = np.where(np.random.default_rng(0).random(20_000) < 0.95, 0, 1)
    result = NOISES["confusion"].load()(skewed, 0.1, 0, n_classes=2, matrix=[[0.9, 0.1], [0.5, 0.5]])
    assert result.rate == pytest.approx(0.1, abs=0.008)
    own = NOISES["confusion"].load()(skewed, None, 0, n_classes=2, matrix=[[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(own.transition, [[0.9, 0.1], [0.5, 0.5]])
    assert NOISES["confusion"].load()([-1], 0.1, 0, n_classes=2, matrix=[[9, 1], [5, 5]]).rate == 0.0
