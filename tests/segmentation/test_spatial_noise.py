"""Noise kinds of whole data sets of masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation import cli
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.files import read_masks
from labelnoise.segmentation.noise import NOISES

RATES = {
    "coco-n": 0.08,
    "relative": 0.08,
    "organ-scale": 0.08,
    "markov": 0.12,
    "displacement": 0.08,
    "objects": 0.08,
    "polygons": 0.02,
    "prompts": 0.012,
}


def clean(n: int = 10) -> MaskDataset:
    data = scenes(n)
    given = data.true.copy()
    given[5:40] = -1
    return replace(data, given=given, true=None, objects=data.true_objects, true_objects=None)


def test_every_kind_is_tried() -> None:
    assert set(RATES) == set(NOISES)


@pytest.mark.parametrize("kind", RATES)
def test_rate_is_met_and_the_truth_kept(kind: str) -> None:
    data = clean()
    noisy, made = SegmentationDomain().corrupt(data, kind=kind, rate=RATES[kind], seed=1)
    assert abs(made.rate - RATES[kind]) < 0.15 * RATES[kind]
    assert made.rate == (noisy.given != data.given).sum() / (data.given >= 0).sum()
    assert (noisy.true == data.given).all()
    assert ((noisy.given == -1) == (data.given == -1)).all()
    assert noisy.true_objects == data.objects
    before = [(o.box, o.label, o.area) for row in data.objects for o in row]
    assert [(o.box, o.label, o.area) for row in noisy.objects for o in row] != before
    for row in noisy.objects:
        for item in row:
            if item.area:
                assert item.mask.any(axis=1)[[0, -1]].all()
                assert item.mask.any(axis=0)[[0, -1]].all()


@pytest.mark.parametrize("kind", RATES)
def test_order_of_images_does_not_matter(kind: str) -> None:
    data = clean(6)
    order = np.array([3, 0, 5, 1, 4, 2])
    entry = NOISES[kind]
    a = entry.load()(data, RATES[kind], 0)
    b = entry.load()(data.take(order), RATES[kind], 0)
    assert (replace(data, given=a.labels).take(order).given == b.labels).all()
    for place, i in enumerate(order):
        assert [(o.box, o.label, o.packed.tobytes()) for o in a.objects[i]] == [
            (o.box, o.label, o.packed.tobytes()) for o in b.objects[place]
        ]


def test_rate_zero_changes_nothing_and_too_much_is_refused() -> None:
    assert not NOISES["coco-n"].load()(clean(2), 0.0, 0).changed.any()
    with pytest.raises(InputError, match="at most"):
        NOISES["polygons"].load()(clean(2), 0.9, 0)
    with pytest.raises(InputError, match="background"):
        NOISES["markov"].load()(clean(2), 0.1, 0, background=9)


def test_verb_writes_a_folder_that_reads_back(tmp_path: Path) -> None:
    out = tmp_path / "noisy"
    command = ["corrupt", "scenes", "--kind", "displacement", "--rate", "0.05", "--out", str(out)]
    assert cli.main(command) in (0, None)
    back = read_masks(out)
    assert abs((back.given != back.true).mean() - 0.05) < 0.005


@pytest.mark.parametrize(("kind", "rate"), [("displacement", 1e-6), ("markov", 1e-3), ("coco-n", 1e-4)])
def test_a_share_that_the_noise_has_no_step_near_is_refused(kind: str, rate: float) -> None:
    with pytest.raises(InputError, match="ask for (more|that)"):
        SegmentationDomain().corrupt(clean(4), kind=kind, rate=rate, seed=1)
    noisy, made = SegmentationDomain().corrupt(clean(4), kind=kind, rate=0.0, seed=1)
    assert made.rate == 0
    assert (noisy.given == clean(4).given).all()
