"""The mean of pieces is numpy.mean of the whole, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core._streamed_mean import StreamedMean
from labelnoise.core.random import generator

SIZES = [*range(1, 300), 511, 1023, 1024, 1025, 4099, 8191, 8192, 8193, 65_535, 65_536, 100_003, 1_000_001]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pieces", [1, 7])
def test_equal_to_numpy_whatever_the_pieces(dtype: type, pieces: int) -> None:
    rng = generator(0, "values")
    for n in SIZES:
        values = rng.random(n).astype(dtype)
        mean = StreamedMean(n)
        for piece in np.split(values, np.sort(rng.integers(0, n + 1, pieces - 1))):
            mean.add(piece)
        assert mean.value() == np.mean(values), n
        assert mean.value().dtype == dtype


def test_a_running_sum_would_not_do() -> None:
    values = generator(0, "values").random(100_003).astype(np.float32)
    assert np.float32(np.cumsum(values)[-1] / len(values)) != np.mean(values)


def test_the_number_must_be_kept() -> None:
    mean = StreamedMean(5)
    mean.add(np.ones(3))
    with pytest.raises(ValueError, match="fewer"):
        mean.value()
    with pytest.raises(ValueError, match="more"):
        mean.add(np.ones(3))
