"""Cutting arrays into chunks, and noticing when a second reading differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.chunks import Passes, row_chunks
from labelnoise.core.validation import InputError

LABELS = np.array([0, 1, -1, 2, 1, 0, 2])
PROBS = np.full((7, 3), 1 / 3, dtype=np.float32)


@pytest.mark.parametrize("units", [1, 3, 7, 100, None])
def test_chunks_cover_every_row_once_at_every_reading(units: int | None) -> None:
    read = row_chunks(LABELS, PROBS, units=units)
    for _ in range(2):
        labels, probs = zip(*read())
        assert np.concatenate(labels).tolist() == LABELS.tolist()
        np.testing.assert_array_equal(np.concatenate(probs), PROBS)
        assert all(np.shares_memory(part, PROBS) for part in probs)
        assert max(len(part) for part in labels) <= (units or 7)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_maps_keep_what_was_written(tmp_path: Path, mode: Any) -> None:
    np.save(tmp_path / "probs.npy", PROBS)
    probs = np.load(tmp_path / "probs.npy", mmap_mode=mode)
    if mode != "r":
        probs[2:5] = [0.5, 0.25, 0.25]
    expected = np.array(probs)
    for _ in range(2):
        np.testing.assert_array_equal(
            np.concatenate([p for _, p in row_chunks(LABELS, probs, units=2)()]), expected
        )
    np.testing.assert_array_equal(probs, expected)


@pytest.mark.parametrize(
    ("labels", "probs", "units", "message"),
    [
        (LABELS, PROBS[:5], None, r"shapes \(7,\) and \(5, 3\)"),
        (LABELS[:, None], PROBS, None, "shapes"),
        (LABELS.tolist(), PROBS, None, "shapes list"),
        (LABELS, PROBS, 0, "units is 0"),
        (LABELS, PROBS, 1.5, "units is 1.5"),
    ],
)
def test_what_cannot_be_cut_is_refused(labels: Any, probs: Any, units: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        row_chunks(labels, probs, units=units)


def test_readings_know_their_place_and_their_counts() -> None:
    passes = Passes(row_chunks(LABELS, PROBS, units=3), "test")
    passes.check()
    assert (passes.n, passes.k, passes.per_class.tolist()) == (7, 3, [2, 2, 2])
    for where, ids, probs in passes.again("test"):
        assert ids.tolist() == LABELS[where].tolist()
        assert ids.dtype == np.int8
        assert probs.shape == (len(ids), 3)


def test_a_reading_that_differs_is_refused() -> None:
    first = [(LABELS, PROBS)]
    for second in (
        [],
        first * 2,
        [(LABELS[:5], PROBS[:5])],
        [(LABELS, PROBS[:, :2])],
        [(LABELS, PROBS.astype("f8"))],
    ):
        calls = iter([first, second])
        passes = Passes(lambda calls=calls: next(calls), "test")  # type: ignore[misc]
        passes.check()
        with pytest.raises(InputError, match="not the same at every reading"):
            list(passes.again("test"))
    with pytest.raises(InputError, match="generator, which cannot be read several times"):
        Passes((chunk for chunk in first), "test")
    with pytest.raises(InputError, match="int, which cannot be read"):
        Passes(3, "test")  # type: ignore[arg-type]
