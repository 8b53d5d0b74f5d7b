"""Confident learning on chunks gives the masks of confident learning on everything, bit for bit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labelnoise.core import _confident_cuts, _radix
from labelnoise.core.chunks import row_chunks
from labelnoise.core.confident_chunks import confident_learning_chunks
from labelnoise.core.confident_learning import PRUNE_RULES, RULES, confident_learning
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def units(
    seed: int, n: int, k: int, *, steps: int = 0, dtype: type = np.float64, unlabelled: float = 0.1
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Labels of which some are redrawn and some missing; probabilities tied with ``steps``."""
    rng = generator(seed, "chunks", n, k)
    true = rng.integers(0, k, n)
    labels = np.where(rng.random(n) < 0.3, rng.integers(0, k, n), true)
    labels[rng.random(n) < unlabelled] = -1
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), true] += rng.choice([0.5, 1.0, 3.0])
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if steps:
        probs = np.array([rng.multinomial(steps, row) for row in probs]).reshape(n, k) / steps
    return labels, probs.astype(dtype)


def cut(labels: NDArray[Any], probs: NDArray[Any], at: list[int]) -> list[tuple[Any, Any]]:
    return list(zip(np.split(labels, at), np.split(probs, at)))


def take_memory(patch: pytest.MonkeyPatch) -> None:
    """Every cut needs several readings, every tied group a sort of its own."""
    defaults: Any = _radix.GroupCuts.__init__.__kwdefaults__
    patch.setitem(defaults, "held", 3)
    patch.setitem(defaults, "counters", 64)
    patch.setattr(_confident_cuts, "_SORTED", 5)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    take_memory(monkeypatch)


CASES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "n": st.integers(1, 120),
        "k": st.integers(1, 6),
        "steps": st.sampled_from([0, 3, 10]),
        "dtype": st.sampled_from([np.float64, np.float32]),
        "unlabelled": st.sampled_from([0.0, 0.2]),
    }
)


@settings(max_examples=250, deadline=None)
@given(
    case=CASES,
    at=st.lists(st.integers(0, 120), max_size=8).map(sorted),
    rule=st.sampled_from(RULES),
    ties=st.sampled_from(["first", "numpy"]),
    fraction=st.sampled_from([1.0, 0.6, 0.0]),
    minimum=st.sampled_from([0, 1, 7]),
)
@pytest.mark.parametrize("memory", ["much", "little"])
def test_masks_are_those_of_all_units_together(
    request: pytest.FixtureRequest,
    memory: str,
    case: dict[str, Any],
    at: list[int],
    rule: str,
    ties: Any,
    fraction: float,
    minimum: int,
) -> None:
    labels, probs = units(**case)
    options: dict[str, Any] = {"rule": rule, "ties": ties}
    if rule in PRUNE_RULES:
        options |= {"frac_noise": fraction, "min_per_class": minimum}
    expected = confident_learning(labels, probs, **options)
    with pytest.MonkeyPatch.context() as patch:
        if memory == "little":
            take_memory(patch)
        ours = confident_learning_chunks(cut(labels, probs, at), **options)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("ties", ["first", "numpy"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "case",
    [
        {"seed": 1, "n": 20_000, "k": 3, "dtype": np.float32},
        {"seed": 2, "n": 5_000, "k": 40, "dtype": np.float32},
        {"seed": 3, "n": 6_000, "k": 4, "steps": 12},
        {"seed": 4, "n": 3_000, "k": 150, "steps": 40},
    ],
    ids=["float32", "many classes", "ties", "ties, more classes than a byte"],
)
@pytest.mark.usefixtures("little_memory")
def test_larger_masks_too(case: dict[str, Any], rule: str, ties: Any) -> None:
    labels, probs = units(**case)
    if case.get("steps", 0) == 40:  # some hundred tied pairs, one after the other: a part will do
        labels, probs = labels[:600], probs[:600]
    expected = confident_learning(labels, probs, rule=rule, ties=ties)
    assert expected.any()
    ours = confident_learning_chunks(row_chunks(labels, probs, units=997), rule=rule, ties=ties)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("ties", ["first", "numpy"])
@pytest.mark.parametrize("rule", PRUNE_RULES)
def test_cuts_among_undisputed_units(rule: str, ties: Any) -> None:
    # Calibration asks for more units than are disputed, so cuts fall, and ties are broken, beyond those.
    for seed in range(30):
        rng = generator(seed, "few confident")
        labels = np.repeat([0, 1], 200)
        p = np.where(labels == 0, rng.uniform(0.3, 1.0, 400), rng.uniform(0.0, 0.65, 400))
        p[:8] = 0.01
        p = p.round(2) if seed % 2 else p
        order = rng.permutation(400)
        labels, probs = labels[order], np.stack([p, 1 - p], axis=1)[order]
        expected = confident_learning(labels, probs, rule=rule, ties=ties)
        ours = confident_learning_chunks(cut(labels, probs, [1, 150, 151]), rule=rule, ties=ties)
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("rule", RULES)
def test_memory_maps_in_and_out(tmp_path: Path, rule: str) -> None:
    labels, probs = units(5, 4000, 5, dtype=np.float32)
    np.save(tmp_path / "labels.npy", labels.astype(np.int8))
    np.save(tmp_path / "probs.npy", probs)
    for mode in ("r", "c"):
        maps = [np.load(tmp_path / name, mmap_mode=mode) for name in ("labels.npy", "probs.npy")]
        if mode == "c":  # what is changed in a private copy is read, and is not lost
            maps[1][:2000] = probs[2000:]
        out = np.lib.format.open_memmap(tmp_path / "mask.npy", mode="w+", dtype=np.bool_, shape=(4000,))
        out[:] = True
        mask = confident_learning_chunks(row_chunks(*maps, units=300), rule=rule, out=out)
        assert mask is out
        expected = confident_learning(labels, np.array(maps[1]), rule=rule, ties="first")
        np.testing.assert_array_equal(np.load(tmp_path / "mask.npy"), expected)
        assert set(np.asarray(mask).view(np.uint8).tolist()) <= {0, 1}


def test_a_function_is_called_anew_for_every_reading() -> None:
    labels, probs = units(6, 1000, 3)
    readings = []

    def chunks() -> Any:
        readings.append(1)
        yield from cut(labels, probs, [100, 100, 640])

    ours = confident_learning_chunks(chunks)
    np.testing.assert_array_equal(ours, confident_learning(labels, probs))
    assert len(readings) == 5


def test_memory_is_a_byte_per_unit() -> None:
    n, step = 600_000, 10_000
    labels, probs = units(7, step, 4, dtype=np.float32)
    jitter = generator(7, "jitter").random(n // step, dtype=np.float32) * 1e-3

    def chunks() -> Any:
        return ((labels, probs * (1 - j) + j / 4) for j in jitter)

    for rule in RULES:
        tracemalloc.start()
        confident_learning_chunks(chunks, rule=rule)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # One reading of the cuts holds up to a million numbers and their keys, whatever n is.
        assert peak < n + 48 * 2**20, rule


@pytest.mark.parametrize("rule", RULES)
def test_nothing_to_flag(rule: str) -> None:
    assert confident_learning_chunks([], rule=rule).shape == (0,)
    assert confident_learning_chunks([([], np.zeros((0, 3)))], rule=rule).shape == (0,)
    for labels, probs in (([0, 0, 0], np.ones((3, 1))), ([-1, -1], [[0.5, 0.5], [0.9, 0.1]])):
        assert not confident_learning_chunks(
            [(labels, probs), ([], np.zeros((0, len(probs[0]))))], rule=rule
        ).any()


def test_chunks_that_change_are_refused() -> None:
    labels, probs = units(8, 60, 3)
    good = cut(labels, probs, [20])
    with pytest.raises(InputError, match="cannot be read several times"):
        confident_learning_chunks(iter(good))
    used_up = iter(good)
    with pytest.raises(InputError, match="same chunks every time"):
        confident_learning_chunks(lambda: used_up)
    for other in (
        good[:1],
        [*good, good[0]],
        good[::-1],
        cut(labels, probs.astype(np.float32), [20]),
        cut(labels, probs[:, :2], [20]),
        cut(np.where(labels == 0, 1, 0), probs, [20]),
    ):
        for rule in RULES:
            calls = iter([good, *([other] * 12)])
            out = np.ones(60, dtype=bool)
            if (
                rule == "predicted_neq_given"
                and other[0][0].tolist() != labels[:20].tolist()
                and len(other) == 2
            ):
                continue  # nothing to hold other labels against
            with pytest.raises(InputError, match="same chunks|not the same"):
                confident_learning_chunks(lambda calls=calls: next(calls), rule=rule, out=out)  # type: ignore[misc]
            assert not out.any()


def test_what_does_not_fit_together_is_refused() -> None:
    labels, probs = units(9, 30, 3)
    with pytest.raises(InputError, match="Chunk 1 has 2 classes, those before it 3"):
        confident_learning_chunks([(labels, probs), ([0], [[0.5, 0.5]])])
    with pytest.raises(InputError, match="Chunk 1 holds float32"):
        confident_learning_chunks([(labels, probs), (labels, probs.astype(np.float32))])
    with pytest.raises(InputError, match="NaN"):
        confident_learning_chunks([([0], [[np.nan, 0.5]])])
    with pytest.raises(InputError, match="knows neither frac_noise"):
        confident_learning_chunks([(labels, probs)], rule="low_self_confidence", frac_noise=0.5)
    for out in (np.zeros(29, dtype=bool), np.zeros(30), [False] * 30):
        with pytest.raises(InputError, match=r"array of bool of shape \(30,\)"):
            confident_learning_chunks([(labels, probs)], out=out)  # type: ignore[arg-type]
    fixed = np.zeros(30, dtype=bool)
    fixed.flags.writeable = False
    with pytest.raises(InputError, match="may not be written to"):
        confident_learning_chunks([(labels, probs)], out=fixed)


def test_errors_of_the_caller_are_its_own() -> None:
    labels, probs = units(10, 40, 3)
    calls = iter([[(labels, probs)]])

    def chunks() -> Any:
        for some in calls:
            return some
        raise ValueError("the disk is gone")

    out = np.ones(40, dtype=bool)
    with pytest.raises(ValueError, match="the disk is gone"):
        confident_learning_chunks(chunks, out=out)
    assert not out.any()
