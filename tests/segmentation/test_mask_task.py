"""Pixels as units of the training loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.mask_task import MaskTask, Pictures, image_splits
from labelnoise.segmentation.train_methods import fit, train_network
from labelnoise.segmentation.trainers import TRAINERS

SMALL = {"network": "unet-half", "network_options": {"width": 4}}


def mixed_sizes() -> MaskDataset:
    rng = np.random.default_rng(0)
    sizes = [(20, 30), (40, 16), (20, 30)]
    masks = [rng.integers(-1, 3, size) for size in sizes]
    return MaskDataset.from_masks(masks, ("a", "b", "c"), images=[rng.normal(size=s) for s in sizes])


def test_every_pixel_is_one_unit_whatever_the_sizes() -> None:
    data = mixed_sizes()
    for longest in (None, 24):
        task = MaskTask(data, longest=longest, batch_size=2, **SMALL)
        model = task.build().eval()
        parts = [task.forward(model, batch) for batch in task.batches("train", np.random.default_rng(1))]
        ids = torch.cat([part.ids for part in parts]).numpy()
        labels = torch.cat([part.labels for part in parts]).numpy()
        assert set(ids) == set(range(data.n_units))
        assert (data.given[ids] == labels).all()
        assert sum(len(part.logits) for part in parts) == len(ids)


def test_logits_are_in_the_order_of_the_pixels() -> None:
    data = mixed_sizes()
    task = MaskTask(data, longest=None, batch_size=3, **SMALL)

    class Copy(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    (batch,) = task.batches("train", None)
    found = task.forward(Copy(), batch).logits[:, 0].numpy()
    flat = np.concatenate([np.asarray(image).ravel() for image in data.images])
    assert np.corrcoef(found, flat)[0, 1] > 0.9999


def test_splits_of_the_data_set_are_used_and_said_so() -> None:
    data = scenes(8, 32)
    part = np.arange(8)
    data = replace(data, splits={"train": part < 5, "val": part == 5, "test": part > 5})
    assert {name: rows.tolist() for name, rows in image_splits(data).items()} == {
        "train": [0, 1, 2, 3, 4],
        "validation": [5],
        "test": [6, 7],
    }
    result = train_network(data, 0, epochs=2, **SMALL)
    assert result.selected_by == "noisy validation mean IoU"
    assert len(result.predicted) == data.n_units


def test_other_images_do_not_matter_to_training() -> None:
    data = scenes(6, 32)
    splits = {"train": np.arange(6) < 4}
    given = data.given.copy()
    given[data.window(5)] = 1
    one = train_network(replace(data, splits=splits), 0, epochs=2, **SMALL)
    other = train_network(replace(data, given=given, splits=splits), 0, epochs=2, **SMALL)
    assert (one.probs == other.probs).all()


@pytest.mark.parametrize("strategy", ["elr", "small_loss", "co_teaching", "bootstrapping"])
def test_strategies_of_the_core_run_pixel_by_pixel(strategy: str) -> None:
    result = train_network(scenes(4, 24), 0, strategy=strategy, epochs=2, **SMALL)
    assert np.isfinite(result.probs).all()


def test_the_loop_keeps_one_byte_per_pixel() -> None:
    task = MaskTask(scenes(4, 24), **SMALL)
    found = fit(task, 0, epochs=1, strategy=Strategy())
    assert sum(values.element_size() * values.numel() for values in found.units.values()) == task.n_units
    assert task.given.dtype == np.int8


def test_what_is_refused() -> None:
    data = scenes(3, 24)
    with pytest.raises(InputError, match="no images"):
        MaskTask(replace(data, images=None))
    with pytest.raises(InputError, match="NaN"):
        Pictures(replace(data, images=[np.full((24, 24), np.nan)] * 3))
    with pytest.raises(InputError, match="true labels"):
        MaskTask(replace(data, true=None), train=[0], validation=[1], validation_labels="clean")
    with pytest.raises(InputError, match="different sizes"):
        train_network(mixed_sizes(), 0, strategy="bootstrapping", epochs=1, **SMALL)
    with pytest.raises(InputError, match="beyond"):
        MaskTask(data, train=[3])


@pytest.mark.parametrize("name", [name for name in TRAINERS if name.startswith("unet+")])
def test_every_strategy_of_the_core_trains_on_pixels(name: str) -> None:
    entry = TRAINERS[name]
    data = scenes(6, 24)
    result = entry.load()(data, 0, epochs=7, batch_size=3, **SMALL, **entry.options)
    assert result.probs.shape == (data.n_units, 5)
    assert np.isfinite(result.probs).all()
