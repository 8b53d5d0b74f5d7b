"""Two networks on two views of the images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.training.loop import Run
from labelnoise.core.two_source import two_source
from labelnoise.core.validation import InputError
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.mask_task import MaskTask
from labelnoise.segmentation.train_methods import fit
from labelnoise.segmentation.trainers import TRAINERS
from labelnoise.segmentation.two_views import TwoViews, TwoViewTask, train_two_views

SMALL = {"network_options": {"width": 4}, "batch_size": 4}


def test_each_network_sees_its_channels_alone_also_when_averaged() -> None:
    data = scenes(6, 32)
    task = TwoViewTask(data, **SMALL)
    groups = ((0,), (1, 2))
    result = fit(task, 0, strategy=TwoViews(channels=groups), epochs=60, ema=0.9)
    (batch,) = task.batches("test", None)
    for model, group in zip(result.models, groups):
        model.eval()
        with torch.no_grad():
            before = model(batch.images)
            for channel in range(3):
                changed = batch.images.clone()
                changed[:, channel] += 1.0
                assert bool((model(changed) == before).all()) == (channel not in group)


def test_weights_are_those_of_the_core_rule() -> None:
    found = []

    class Spy(TwoViews):
        def _judged(self, run: Run, outputs: list) -> tuple:  # type: ignore[type-arg]
            weights, sure = super()._judged(run, outputs)
            found.append((run.epoch, outputs, weights, sure))
            return weights, sure

    fit(TwoViewTask(scenes(4, 32), **SMALL), 0, strategy=Spy(keep=0.4, ramp=1), epochs=2)
    epoch, outputs, weights, sure = found[-1]
    assert epoch == 1
    probs = [out.logits.detach().double().softmax(1).numpy() for out in outputs]
    expected = two_source(outputs[0].labels.numpy(), *probs, keep=0.4)
    assert np.allclose(weights.numpy(), expected.weights, atol=1e-4)
    assert np.allclose(sure.numpy(), expected.certainty, atol=1e-4)
    # In the first epoch everything is kept, so that each class is weighed by its least believed label alone.
    assert (found[0][2] > 0.999).all()


def test_by_name_and_what_does_not_fit() -> None:
    data = scenes(4, 32)
    first, again = (TRAINERS["two-views"].load()(data, 3, epochs=2, **SMALL) for _ in range(2))
    assert (first.probs == again.probs).all()
    assert first.method == "two-views"
    for wrong in ({"channels": [[0], [3]]}, {"channels": [[0, 1]]}, {"keep": 0.0}, {"measure": "variance"}):
        with pytest.raises(InputError):
            train_two_views(data, 0, epochs=1, **SMALL, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="TwoViewTask"):
        fit(MaskTask(data, **SMALL), 0, strategy=TwoViews(), epochs=1)
