"""Displaced outlines as a forward layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.displacement_forward import (
    DisplacementTask,
    displaced,
    label_maps,
    outward,
    train_displacement_forward,
)
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.mask_task import MaskTask
from labelnoise.segmentation.trainers import TRAINERS

SMALL = {"network_options": {"width": 4}, "batch_size": 4}


def test_whole_steps_move_maps_as_indices_would() -> None:
    maps = torch.randn(1, 3, 9, 7, dtype=torch.float64)
    flow = torch.zeros(1, 2, 9, 7, dtype=torch.float64)
    flow[:, 0], flow[:, 1] = 2.0, -3.0
    y, x = np.mgrid[:9, :7]
    expected = maps.numpy()[0][:, np.clip(y + 2, 0, 8), np.clip(x - 3, 0, 6)]
    assert np.allclose(displaced(maps, flow).numpy()[0], expected)
    assert torch.allclose(displaced(maps, torch.zeros_like(flow)), maps)


def test_a_field_is_found_by_its_gradient() -> None:
    edge = torch.sigmoid(torch.arange(20.0) - 8).expand(1, 1, 20, 20)
    label = torch.sigmoid(torch.arange(20.0) - 6).expand(1, 1, 20, 20)
    step = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([step], lr=0.1)
    for _ in range(100):
        flow = torch.stack([torch.zeros(20, 20), step.expand(20, 20)])[None]
        loss = (displaced(edge, flow) - label).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(step.detach()) == pytest.approx(2.0, abs=0.05)
    both = torch.cat([1 - edge, edge], dim=1)
    # The label is wider than the prediction, which reads inwards.
    assert float(outward(both, flow.detach())) == pytest.approx(2.0, abs=0.05)


def test_labels_become_maps_of_their_image() -> None:
    rng = np.random.default_rng(0)
    masks = [rng.integers(-1, 3, (20, 30)), rng.integers(-1, 3, (16, 18))]
    data = MaskDataset.from_masks(masks, ("a", "b", "c"), images=[rng.normal(size=m.shape) for m in masks])
    task = DisplacementTask(data, longest=None, **SMALL)
    (batch,) = task.batches("train", None)
    made = label_maps(batch.labels, batch, 3)
    for i, mask in enumerate(masks):
        own = made[i, :, : mask.shape[0], : mask.shape[1]]
        assert (own.sum(0).numpy() == (mask >= 0)).all()
        assert (own.argmax(0).numpy()[mask >= 0] == mask[mask >= 0]).all()
    model = task.build()
    assert model(batch.images).shape == (2, 3, 20, 30)
    flow = model.flow(batch.images, model(batch.images).softmax(1), made)
    assert float(flow.detach().abs().max()) == 0


def test_phases_and_names() -> None:
    data = scenes(6, 32)
    options = {"epochs": 6, "warmup": 2, "field_only": 2, "reach": 2.0, **SMALL}
    first, again = (TRAINERS["displacement-forward"].load()(data, 1, **options) for _ in range(2))
    steps = [record["mean_step"] for record in first.history]
    assert steps[:2] == [0.0, 0.0]
    assert 0 < steps[-1] < 2.0
    assert (first.probs == again.probs).all()
    with pytest.raises(InputError, match="first phases"):
        train_displacement_forward(data, 0, epochs=10, **SMALL)
    with pytest.raises(InputError, match="reach"):
        train_displacement_forward(data, 0, reach=0.0, epochs=30, **SMALL)


def test_a_plain_task_is_refused() -> None:
    from labelnoise.segmentation.displacement_forward import DisplacementForward
    from labelnoise.segmentation.train_methods import fit

    with pytest.raises(InputError, match="DisplacementTask"):
        fit(MaskTask(scenes(4, 32), **SMALL), 0, strategy=DisplacementForward(), epochs=1)
