"""Running means of losses and the adaptive threshold, step by step."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from labelnoise.core.dynamics_loss import AdaptiveThreshold, MeanLoss
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


def test_mean_loss_is_the_weighted_mean_of_the_epochs_in_which_a_unit_came() -> None:
    rng = generator(0, "losses")
    losses, came = rng.exponential(size=(8, 50)), rng.random((8, 50)) < 0.7
    mean = MeanLoss(50, beta=0.8)
    for epoch in range(8):
        mean.update(losses[epoch, came[epoch]], np.flatnonzero(came[epoch]))
        mean.end_epoch()
    for unit in range(50):
        own = losses[came[:, unit], unit]
        weights = 0.8 ** np.arange(len(own))[::-1]
        assert mean.values()[unit] == pytest.approx(np.average(own, weights=weights) if len(own) else 0.0)


def test_constant_losses_have_themselves_as_mean_from_the_start() -> None:
    mean = MeanLoss(1, beta=0.99)
    for _ in range(3):
        mean.update([2.5, 2.5], [0, 0])
        mean.end_epoch()
        assert mean.values()[0] == pytest.approx(2.5)


def test_beta_0_is_the_last_epoch() -> None:
    mean = MeanLoss(2, beta=0.0)
    for values in ([1.0, 3.0], [2.0, 1.0]):
        mean.update(values, [0, 1])
        mean.end_epoch()
    assert mean.values().tolist() == [2.0, 1.0]


def test_beta_is_checked() -> None:
    for beta in (1.0, -0.1):
        with pytest.raises(InputError, match="beta"):
            MeanLoss(2, beta=beta)


def batches(scale: float = 1.0) -> list[np.ndarray]:
    return [scale * generator(1, "batch", step).exponential(size=32) for step in range(200)]


@pytest.mark.parametrize("bias_correction", [False, True])
def test_adaptive_threshold_is_the_published_recursion(bias_correction: bool) -> None:
    adaptive = AdaptiveThreshold(bias_correction=bias_correction)
    m = v = 0.0
    for step, losses in enumerate(batches(), start=1):
        selected = adaptive.select(losses)
        m, v = 0.9 * m + 0.1 * losses.mean(), 0.999 * v + 0.001 * losses.mean() ** 2
        if bias_correction:
            threshold = m / (1 - 0.9**step) / (math.sqrt(v / (1 - 0.999**step)) + 1e-8)
        else:
            threshold = m / (math.sqrt(v) + 1e-8)
        assert adaptive.threshold == pytest.approx(threshold, rel=1e-12)
        np.testing.assert_array_equal(selected, losses <= threshold)


def test_without_bias_correction_it_starts_far_too_high_and_with_it_at_1() -> None:
    published, corrected = AdaptiveThreshold(), AdaptiveThreshold(bias_correction=True)
    assert published.threshold == math.inf
    trajectory = []
    for _ in range(5000):
        published.select([0.7])
        corrected.select([0.7])
        trajectory.append(published.threshold)
        assert corrected.threshold == pytest.approx(1.0, rel=1e-6)
    assert trajectory[0] == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-6)
    assert max(trajectory) == trajectory[11] == pytest.approx(6.57, abs=0.01)
    assert min(trajectory[:287]) > 2 > max(trajectory[287:])
    assert trajectory[-1] == pytest.approx(1.0, abs=0.01)


def test_nobody_selected_is_an_empty_mask_and_the_state_goes_on() -> None:
    adaptive = AdaptiveThreshold(bias_correction=True)
    assert not adaptive.select([4.0, 5.0]).any()
    assert adaptive.steps == 1
    assert adaptive.select([0.1, 5.0]).tolist() == [True, False]


def test_units_without_a_label_neither_count_nor_are_selected() -> None:
    a, b = AdaptiveThreshold(), AdaptiveThreshold()
    assert a.select([0.1, np.nan, 9.0], labels=[0, -1, 1]).tolist() == [True, False, False]
    assert b.select([0.1, 9.0]).tolist() == [True, False]
    assert (a.steps, a.mean, a.square) == (b.steps, b.mean, b.square)
    assert not a.select([1.0], labels=[-1]).any()
    assert not a.select([]).any()
    assert a.steps == 1


@pytest.mark.parametrize("bias_correction", [False, True])
def test_resumed_as_if_never_interrupted(bias_correction: bool) -> None:
    whole = AdaptiveThreshold(bias_correction=bias_correction)
    for losses in batches():
        whole.select(losses)
    before, after = (AdaptiveThreshold(bias_correction=bias_correction) for _ in range(2))
    for losses in batches()[:77]:
        before.select(losses)
    file = io.BytesIO()
    np.savez(file, **before.state_dict())
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        after.load_state_dict(state)
    for losses in batches()[77:]:
        after.select(losses)
    assert (after.steps, after.mean, after.square) == (whole.steps, whole.mean, whole.square)
    with pytest.raises(InputError, match="bias_correction"):
        AdaptiveThreshold(bias_correction=not bias_correction).load_state_dict(whole.state_dict())
    with pytest.raises(InputError, match="another kind"):
        whole.load_state_dict({})


def test_bad_input_is_refused_and_changes_nothing() -> None:
    adaptive = AdaptiveThreshold()
    for bad in ([np.nan, 1.0], [np.inf]):
        with pytest.raises(InputError, match="NaN or infinity"):
            adaptive.select(bad)
    with pytest.raises(InputError, match="shape"):
        adaptive.select([[1.0]])
    with pytest.raises(InputError, match="Lengths differ"):
        adaptive.select([1.0], labels=[0, 1])
    assert adaptive.steps == 0
    with pytest.raises(InputError, match="betas"):
        AdaptiveThreshold(betas=(0.9, 1.0))
