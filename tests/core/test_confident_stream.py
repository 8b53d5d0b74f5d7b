"""Streaming confident learning against cleanlab's segmentation filter, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.confident_stream import confident_learning_stream
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def images(
    seed: int, n: int, k: int, h: int, w: int, *, dtype: type = np.float64, steps: int = 0, absent: int = -1
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Masks (n, h, w) with one pixel in ten redrawn and probabilities (n, k, h, w)."""
    rng = generator(seed, "images", n, k)
    true = rng.integers(0, k, (n, h, w))
    given = np.where(rng.random(true.shape) < 0.1, rng.integers(0, k, true.shape), true)
    if absent >= 0:
        given[given == absent] = (absent + 1) % k
    logits = rng.normal(size=(n, k, h, w))
    logits += 2.0 * (true[:, None] == np.arange(k)[:, None, None])
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if steps:
        probs = (probs * steps).round() + 1e-3
        probs /= probs.sum(axis=1, keepdims=True)
    return given, probs.astype(dtype)


def stream(labels: NDArray[Any], probs: NDArray[Any], **options: Any) -> NDArray[np.bool_]:
    k = probs.shape[1]
    flags = confident_learning_stream(
        lambda: ((m.reshape(-1), p.reshape(k, -1).T) for m, p in zip(labels, probs)), **options
    )
    return np.array(flags).reshape(labels.shape)


CASES: dict[str, dict[str, Any]] = {
    "plain": {"seed": 1, "n": 6, "k": 5, "h": 64, "w": 48},
    "float32": {"seed": 2, "n": 6, "k": 5, "h": 64, "w": 48, "dtype": np.float32},
    "two classes": {"seed": 3, "n": 3, "k": 2, "h": 90, "w": 90},
    "ties": {"seed": 4, "n": 6, "k": 4, "h": 64, "w": 48, "steps": 6},
    "ties, float32": {"seed": 5, "n": 6, "k": 4, "h": 64, "w": 48, "steps": 4, "dtype": np.float32},
    "absent class": {"seed": 6, "n": 4, "k": 5, "h": 64, "w": 48, "absent": 3},
    "many classes": {"seed": 7, "n": 4, "k": 40, "h": 32, "w": 32, "dtype": np.float32},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_masks_are_those_of_cleanlab(case: dict[str, Any]) -> None:
    module = pytest.importorskip("cleanlab.segmentation.filter", reason="parity needs the dev extra")
    labels, probs = images(**case)
    # One image per batch of cleanlab's, which is what it does with images of usual size.
    expected = module.find_label_issues(labels, probs, n_jobs=1, verbose=False, batch_size=1000)
    assert expected.any()
    np.testing.assert_array_equal(stream(labels, probs), expected)


@pytest.mark.parametrize("ties", ["numpy", "first"])
@pytest.mark.parametrize("name", ["plain", "ties, float32"])
def test_pixels_without_a_label_change_nothing(name: str, ties: Any) -> None:
    labels, probs = images(**CASES[name])
    k = probs.shape[1]
    keep = generator(3, "keep").random(labels.shape) < 0.7
    keep[2] = False
    masked = stream(np.where(keep, labels, -1), probs, ties=ties)
    assert not masked[~keep].any()
    pairs = [(m[w], p.reshape(k, -1).T[w.reshape(-1)]) for m, p, w in zip(labels, probs, keep)]
    alone = confident_learning_stream(lambda: pairs, ties=ties)
    np.testing.assert_array_equal(masked[keep], np.concatenate(alone))


def test_layout_changes_nothing() -> None:
    labels, probs = images(**CASES["float32"])
    rows = [(m.reshape(-1), np.ascontiguousarray(p.reshape(5, -1).T)) for m, p in zip(labels, probs)]
    flags = np.array(confident_learning_stream(lambda: rows)).reshape(labels.shape)
    np.testing.assert_array_equal(flags, stream(labels, probs))


def test_first_agrees_where_nothing_is_tied_and_in_number_where_something_is() -> None:
    labels, probs = images(**CASES["plain"])
    np.testing.assert_array_equal(stream(labels, probs, ties="first"), stream(labels, probs))
    labels, probs = images(**CASES["ties"])
    first, sort = stream(labels, probs, ties="first"), stream(labels, probs)
    # "first" spends no flag on tied pixels that agree with the model, so it flags at least as many.
    assert first.sum() >= sort.sum() > 0
    own = np.take_along_axis(probs, labels[:, None], axis=1)[:, 0]
    cut = own[first].max()
    tied = first & (own == cut)
    rivals = (probs.argmax(axis=1) != labels) & (own == cut)
    assert np.flatnonzero(tied).tolist() == np.flatnonzero(rivals)[: tied.sum()].tolist()


def test_what_is_kept_does_not_grow_with_the_classes() -> None:
    import tracemalloc

    labels, probs = images(8, 20, 30, 64, 64, dtype=np.float32)
    stream(labels, probs, ties="first")
    tracemalloc.start()
    stream(labels, probs, ties="first")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < probs.nbytes / 3


def test_nothing_to_flag() -> None:
    assert confident_learning_stream(lambda: []) == []
    empty = confident_learning_stream(lambda: [([], np.zeros((0, 2))), ([-1], [[0.5, 0.5]])])
    assert [flags.tolist() for flags in empty] == [[], [False]]
    right = confident_learning_stream(lambda: [([0, 1], [[0.9, 0.1], [0.2, 0.8]])])
    assert not right[0].any()


def test_chunks_that_change_are_refused() -> None:
    chunk = ([0, 1], [[0.9, 0.1], [0.2, 0.8]])
    used_up = iter([chunk, chunk])
    with pytest.raises(InputError, match="same chunks every time"):
        confident_learning_stream(lambda: used_up)
    calls = iter([[chunk, chunk], [chunk, ([0], [[1.0, 0.0]])]])
    with pytest.raises(InputError, match="Chunk 1 has 1 units after 2 units"):
        confident_learning_stream(lambda: next(calls))
    longer = iter([[chunk], [chunk, chunk]])
    with pytest.raises(InputError, match="after no chunk"):
        confident_learning_stream(lambda: next(longer))


def test_chunks_of_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="3 classes"):
        confident_learning_stream(lambda: [([0], [[0.5, 0.5]]), ([0], [[0.5, 0.25, 0.25]])])
    with pytest.raises(InputError, match="NaN"):
        confident_learning_stream(lambda: [([0], [[np.nan, 0.5]])])
    with pytest.raises(InputError, match="ties"):
        confident_learning_stream(lambda: [], ties="none")  # type: ignore[arg-type]
