"""Chest X-rays: bits to classes, and the published noise rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.images import read_index_png
from labelnoise.segmentation.jsrt import classes_of_bits, read_jsrt


def test_numbers_above_seven_are_no_bits() -> None:
    with pytest.raises(InputError, match="bits 1, 2 and 4"):
        classes_of_bits([8])


def test_the_real_one(real_data: Path) -> None:
    data = read_jsrt(real_data / "segmentation" / "jsrt")
    assert data.n_images == 247
    assert data.given.nbytes == data.n_units == 247 * 256 * 256
    counts = {name: int(mask.sum()) for name, mask in data.splits.items()}
    assert sum(counts.values()) == 247
    wrong = data.is_wrong
    assert wrong is not None
    train = data.splits["train"][data.image_groups()]
    assert wrong[train].mean() == pytest.approx(0.189, abs=0.005)
    assert not wrong[~train].any()
    bits = read_index_png(data.images.sources[0].parent.parent / "labels" / f"{data.image_ids[0]}.png")
    true = data.true_mask(0)
    assert true is not None
    assert (true == 3).sum() == (bits & 4 > 0).sum()
    assert (true == 0).sum() == (bits == 0).sum()
    clean = read_jsrt(real_data / "segmentation" / "jsrt", noise=None, splits=("train",))
    assert np.array_equal(clean.given, clean.true)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder 'noisy_j1'"):
        read_jsrt(tmp_path)
    with pytest.raises(InputError, match="holds no PNG"):
        read_jsrt(tmp_path, noise=None)
