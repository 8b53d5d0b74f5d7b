"""GCE, SCE, MAE, NCE and APL against NumPy and the identities that tie them together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses import get_loss
from labelnoise.core.losses.bounded import (
    active_passive,
    generalized_cross_entropy,
    mean_absolute_error,
    normalized_cross_entropy,
    symmetric_cross_entropy,
)
from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(1)
Z = torch.tensor(RNG.normal(0, 2, (300, 5)))
Y = torch.tensor(RNG.integers(0, 5, 300))
P = np.exp(Z.numpy()) / np.exp(Z.numpy()).sum(1, keepdims=True)
OWN = P[np.arange(300), Y]
TAGS = torch.tensor(RNG.integers(0, 2, (300, 5)))
SIGMOID = 1 / (1 + np.exp(-Z.numpy()))
TAG_OWN = np.where(TAGS.numpy() == 1, SIGMOID, 1 - SIGMOID)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.7, 1.0])
def test_gce_against_numpy(q):
    np.testing.assert_allclose(generalized_cross_entropy(Z, Y, q=q), (1 - OWN**q) / q)
    np.testing.assert_allclose(generalized_cross_entropy(Z, TAGS, q=q, multilabel=True), (1 - TAG_OWN**q) / q)


def test_gce_lies_between_cross_entropy_and_half_the_mae():
    torch.testing.assert_close(generalized_cross_entropy(Z, Y, q=0.0), cross_entropy(Z, Y))
    torch.testing.assert_close(
        generalized_cross_entropy(Z, Y, q=1e-9), cross_entropy(Z, Y), rtol=1e-7, atol=0
    )
    torch.testing.assert_close(generalized_cross_entropy(Z, Y, q=1.0), mean_absolute_error(Z, Y) / 2)


def test_gce_of_tags_trains_negatives_too():
    """The form (1 - (p y)^q) / q in circulation leaves negatives without a gradient."""
    z = torch.tensor([[1.0, 1.0]], requires_grad=True)
    generalized_cross_entropy(z, torch.tensor([[0, 1]]), multilabel=True).sum().backward()
    assert z.grad[0, 0] > 0
    assert z.grad[0, 1] < 0


def test_truncated_gce_has_a_plateau_without_gradient():
    z = Z.clone().requires_grad_()
    values = generalized_cross_entropy(z, Y, truncate=0.3)
    below = torch.tensor(OWN <= 0.3)
    assert 50 < below.sum() < 250
    np.testing.assert_allclose(values[below].detach(), (1 - 0.3**0.7) / 0.7)
    torch.testing.assert_close(values[~below], generalized_cross_entropy(z, Y)[~below])
    values.sum().backward()
    assert (z.grad[below] == 0).all()
    assert (z.grad[~below].abs().sum(1) > 0).all()


def test_sce_against_numpy():
    expected = 0.1 * -np.log(OWN) + 1.0 * 4 * (1 - OWN)
    np.testing.assert_allclose(symmetric_cross_entropy(Z, Y), expected)
    tags = 6 * -np.log(TAG_OWN) + 0.1 * 2.5 * (1 - TAG_OWN)
    np.testing.assert_allclose(
        symmetric_cross_entropy(Z, TAGS, alpha=6, beta=0.1, log_zero=-2.5, multilabel=True), tags
    )


def test_sce_is_the_reverse_of_a_clamped_one_hot():
    """The common code, written out: -sum p log(one-hot clamped at 1e-4). It is A = log 1e-4, not a second CE."""
    one_hot = np.clip(np.eye(5)[Y], 1e-4, 1.0)
    reverse = -(P * np.log(one_hot)).sum(1)
    expected = -np.log(OWN) + reverse
    ours = symmetric_cross_entropy(Z, Y, alpha=1.0, beta=1.0, log_zero=float(np.log(1e-4)))
    np.testing.assert_allclose(ours, expected)
    # A second -log of the clamped prediction in its place is another loss.
    wrong = -np.log(OWN) - np.log(np.clip(OWN, 1e-7, 1))
    assert abs(wrong.mean() - expected.mean()) > 0.1


def test_sce_worked_by_hand():
    """p = (1/4, 3/4), given class 0: CE = ln 4, RCE = 4 * 3/4 = 3."""
    z = torch.tensor([[0.0, np.log(3)]], dtype=torch.float64)
    value = symmetric_cross_entropy(z, [0], alpha=0.1, beta=1.0)
    assert float(value) == pytest.approx(0.1 * np.log(4) + 3.0)
    clamped = symmetric_cross_entropy(z, [0], alpha=1.0, beta=1.0, log_zero=np.log(1e-4))
    assert float(clamped) == pytest.approx(1.3862943611 + 6.9077552790)


def test_mae_is_an_l1_distance_and_symmetric():
    np.testing.assert_allclose(mean_absolute_error(Z, Y), np.abs(P - np.eye(5)[Y]).sum(1))
    over_labels = sum(mean_absolute_error(Z, torch.full((300,), k)) for k in range(5))
    np.testing.assert_allclose(over_labels, 2 * 4)


def test_nce_against_numpy_and_sums_to_one():
    np.testing.assert_allclose(normalized_cross_entropy(Z, Y), np.log(OWN) / np.log(P).sum(1))
    over_labels = sum(normalized_cross_entropy(Z, torch.full((300,), k)) for k in range(5))
    np.testing.assert_allclose(over_labels, 1)
    both = sum(normalized_cross_entropy(Z, torch.full_like(TAGS, b), multilabel=True) for b in (0, 1))
    np.testing.assert_allclose(both, 1)


def test_apl_is_the_sum_of_its_parts():
    rce = symmetric_cross_entropy(Z, Y, alpha=0.0)
    nce = normalized_cross_entropy(Z, Y)
    torch.testing.assert_close(active_passive(Z, Y, alpha=10, beta=0.1), 10 * nce + 0.1 * rce)
    torch.testing.assert_close(
        active_passive(Z, Y, passive="mae", beta=3.0), nce + 3 * mean_absolute_error(Z, Y)
    )
    torch.testing.assert_close(get_loss("nce_mae")(Z, Y), nce + mean_absolute_error(Z, Y))


@pytest.mark.parametrize("name", ["gce", "sce", "mae", "nce", "nce_rce", "nce_mae"])
def test_bounded_losses_keep_the_best_class_under_symmetric_noise(name):
    """The risk over labels with symmetric noise has its least value at the true class where the loss is symmetric."""
    vertices = torch.eye(5, dtype=torch.float64) * 20
    noise = np.full(5, 0.1)
    noise[2] = 0.6
    risk = sum(noise[k] * get_loss(name)(vertices, torch.full((5,), k)) for k in range(5))
    assert int(risk.argmin()) == 2


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: generalized_cross_entropy(Z, Y, q=1.5), "q is 1.5"),
        (lambda: generalized_cross_entropy(Z, Y, q=-0.1), "q is -0.1"),
        (lambda: generalized_cross_entropy(Z, Y, truncate=1.0), "truncate is 1.0"),
        (lambda: symmetric_cross_entropy(Z, Y, log_zero=4), "log_zero is 4"),
        (lambda: symmetric_cross_entropy(Z, Y, alpha=-1), "alpha is -1"),
        (lambda: active_passive(Z, Y, beta=float("nan")), "beta is nan"),
        (lambda: active_passive(Z, Y, passive="mse"), "Unknown passive loss 'mse'"),
    ],
)
def test_parameters_out_of_range_are_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
