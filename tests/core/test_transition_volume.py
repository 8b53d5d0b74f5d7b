"""T of least volume: found where classes are apart, honest about what was never given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.noise_matrices import pair_transition
from labelnoise.core.noise_single import corrupt
from labelnoise.core.training.volume import VolumeTransition
from labelnoise.core.transition_estimators import TRANSITIONS
from labelnoise.core.transition_volume import transition_by_volume
from labelnoise.core.validation import InputError


def blobs(n: int = 1500, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    return 5 * np.eye(k)[true] + rng.normal(size=(n, k)), true


def test_a_known_matrix_is_found_and_classes_may_change_names() -> None:
    torch.set_num_threads(1)
    x, true = blobs()
    given = corrupt(true, pair_transition(3, 0.3), 1).labels
    estimate = TRANSITIONS["volume"].load()(given, x, resamples=2, seed=3)
    assert np.abs(estimate.matrix - pair_transition(3, 0.3)).max() < 0.08
    names = np.array([2, 0, 1])
    renamed = transition_by_volume(names[given], x, resamples=2, seed=3)
    assert np.abs(renamed.matrix[np.ix_(names, names)] - estimate.matrix).max() < 0.03
    assert estimate.prior is not None
    assert estimate.prior.sum() == pytest.approx(1)


def test_unlabelled_units_and_classes_without_units() -> None:
    torch.set_num_threads(1)
    x, true = blobs(300)
    masked = np.where(np.arange(300) < 100, -1, true)
    few = transition_by_volume(true[100:], x[100:], n_classes=4, resamples=2)
    same = transition_by_volume(masked, x, n_classes=4, resamples=2)
    np.testing.assert_array_equal(few.matrix, same.matrix)
    assert np.isinf(few.standard_error[3]).all()
    assert "class 3" in few.warnings[0]


def test_the_diagonal_stays_the_largest_whatever_the_weights() -> None:
    volume = VolumeTransition(4)
    torch.nn.init.normal_(volume.weight, std=3)
    matrix = volume().detach()
    assert (matrix.argmax(1) == torch.arange(4)).all()
    assert torch.allclose(matrix.sum(1), torch.ones(4))
    assert float(volume.log_volume()) <= 0


def test_losses_are_those_of_probabilities_through_the_matrix() -> None:
    volume, logits = VolumeTransition(3), torch.randn(5, 3)
    labels = torch.tensor([0, 1, 2, -1, 0])
    expected = -torch.log((logits.softmax(1) @ volume())[torch.arange(5), labels.clamp(min=0)])
    assert torch.allclose(volume.losses(logits, labels), torch.where(labels >= 0, expected, 0.0), atol=1e-6)


def test_input_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="fewer than two classes"):
        transition_by_volume([0, 0, -1], np.zeros((3, 2)))
    with pytest.raises(InputError, match="at least 2 are needed"):
        transition_by_volume([0, 1], np.zeros((2, 2)), resamples=1)
    with pytest.raises(InputError, match="NaN"):
        transition_by_volume([0, 1], [[np.nan], [0.0]])
