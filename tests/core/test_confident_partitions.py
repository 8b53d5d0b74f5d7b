"""Confident learning on partitions held by workers gives the masks of one process, bit for bit."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core import _radix, _streamed_mean
from labelnoise.core.confident_learning import RULES, confident_learning
from labelnoise.core.confident_partitions import confident_learning_partitions, dask_partitions
from labelnoise.core.validation import InputError
from tests.core.test_confident_chunks import units


def cut(labels, probs, sizes):
    """Partitions of these sizes, the last one takes what is left."""
    ends = np.minimum(np.cumsum([0, *sizes]), len(labels)).tolist()
    ends = [*ends, len(labels)]
    return [(labels[a:b], probs[a:b]) for a, b in pairwise(ends)]


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 400),
    k=st.sampled_from([2, 3, 7, 40]),
    steps=st.sampled_from([0, 4, 20]),
    dtype=st.sampled_from([np.float32, np.float64]),
    sizes=st.lists(st.integers(0, 150), max_size=4),
    rule=st.sampled_from(RULES),
)
@settings(max_examples=60, deadline=None)
def test_masks_are_those_of_one_process(seed, n, k, steps, dtype, sizes, rule):
    labels, probs = units(seed, n, k, steps=steps, dtype=dtype)
    masks = confident_learning_partitions(cut(labels, probs, sizes), rule=rule)
    assert [len(mask) for mask in masks] == [len(part) for part, _ in cut(labels, probs, sizes)]
    expected = confident_learning(labels, probs, rule=rule, ties="first")
    np.testing.assert_array_equal(np.concatenate(masks), expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_larger_ones_too_with_histograms_instead_of_sorting(rule, dtype, monkeypatch):
    monkeypatch.setattr(_radix.GroupCuts.__init__, "__kwdefaults__", {"counters": 1 << 12, "held": 100})
    labels, probs = units(3, 20_000, 5, steps=50, dtype=dtype)
    parts = cut(labels, probs, [1, 7000, 0, 2999, 5000])
    with ThreadPoolExecutor(2) as pool:
        masks = confident_learning_partitions(parts, rule=rule, executor=pool)
    expected = confident_learning(labels, probs, rule=rule, ties="first")
    assert expected.any()
    np.testing.assert_array_equal(np.concatenate(masks), expected)


def test_the_mean_is_numpys_however_the_values_are_cut():
    rng = np.random.default_rng(0)
    for n in (1, 7, 1024, 1025, 8193, 50_001):
        for dtype in (np.float32, np.float64):
            values = rng.random(n).astype(dtype)
            found = [np.add.reduce(values[a : a + size]) for a, size in _streamed_mean.leaves(n, 0, n)]
            assert _streamed_mean.mean_of_leaves(n, iter(found)) == np.mean(values)
            low, high = sorted(rng.integers(0, n + 1, 2).tolist())
            some = list(_streamed_mean.leaves(n, low, high))
            whole = list(_streamed_mean.leaves(n, 0, n))
            assert some == [(a, size) for a, size in whole if a < high and a + size > low and low < high]


def read(folder, place):
    """Chunks of a partition, out of files that the worker opens."""
    labels = np.load(folder / f"labels-{place}.npy", mmap_mode="r")
    probs = np.load(folder / f"probs-{place}.npy", mmap_mode="r")
    half = len(labels) // 2
    return [(labels[:half], probs[:half]), (labels[half:], probs[half:])]


@pytest.fixture
def files(tmp_path):
    labels, probs = units(5, 3000, 4, steps=30, dtype=np.float32)
    parts = cut(labels, probs, [1000, 900])
    for place, (given_labels, found) in enumerate(parts):
        np.save(tmp_path / f"labels-{place}.npy", given_labels)
        np.save(tmp_path / f"probs-{place}.npy", found)
    return labels, probs, [partial(read, tmp_path, place) for place in range(len(parts))]


@pytest.mark.slow
def test_a_process_pool_gives_the_same(files):
    labels, probs, parts = files
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for rule in ("prune_by_noise_rate", "both", "low_normalized_margin"):
            masks = confident_learning_partitions(parts, rule=rule, executor=pool)
            expected = confident_learning(labels, probs, rule=rule, ties="first")
            np.testing.assert_array_equal(np.concatenate(masks), expected)


@pytest.mark.slow
def test_a_dask_cluster_on_loopback_gives_the_same(files):
    distributed = pytest.importorskip("distributed", reason="install labelnoise[cluster]")
    labels, probs, parts = files
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pool = client.get_executor(pure=False)
        client.run(_find_tests, str(Path.cwd()))
        for rule in ("prune_by_noise_rate", "both"):
            expected = confident_learning(labels, probs, rule=rule, ties="first")
            masks = confident_learning_partitions(parts, rule=rule, executor=pool)
            np.testing.assert_array_equal(np.concatenate(masks), expected)
        array = pytest.importorskip("dask.array")
        held = dask_partitions(
            array.from_array(labels, chunks=700), array.from_array(probs, chunks=(1100, 2)), client
        )
        assert len(held) == 3
        masks = confident_learning_partitions(held, executor=pool)
        np.testing.assert_array_equal(np.concatenate(masks), confident_learning(labels, probs, ties="first"))


def _find_tests(folder):
    import sys

    if folder not in sys.path:
        sys.path.insert(0, folder)


def test_partitions_that_do_not_go_together_are_refused():
    labels, probs = units(0, 30, 3)
    with pytest.raises(InputError, match="Partition 1 has 2 classes"):
        confident_learning_partitions(
            [(labels, probs), (labels % 2, probs[:, :2] / probs[:, :2].sum(1)[:, None])]
        )
    with pytest.raises(InputError, match="Partition 1 holds float32"):
        confident_learning_partitions([(labels, probs), (labels, probs.astype(np.float32))])
    with pytest.raises(InputError, match="prune rule|confident learning rule"):
        confident_learning_partitions([(labels, probs)], rule="none")
    with pytest.raises(InputError, match="shapes"):
        dask_partitions(labels[:5], probs, None)


def test_partitions_that_change_between_readings_are_refused():
    labels, probs = units(0, 30, 3)
    times = []

    def shrinking():
        times.append(1)
        return labels[: 31 - len(times)], probs[: 31 - len(times)]

    with pytest.raises(InputError, match="not the same at every reading"):
        confident_learning_partitions([shrinking])

    def flipping():
        times.append(1)
        return np.roll(labels, len(times)), probs

    with pytest.raises(InputError, match="not the same at every reading"):
        confident_learning_partitions([flipping, flipping])


@pytest.mark.parametrize("rule", RULES)
def test_nothing_and_no_labels(rule):
    assert confident_learning_partitions([], rule=rule) == []
    probs = np.full((4, 3), 1 / 3)
    masks = confident_learning_partitions([(np.full(4, -1), probs), (np.zeros(0, int), probs[:0])], rule=rule)
    assert [mask.tolist() for mask in masks] == [[False] * 4, []]
