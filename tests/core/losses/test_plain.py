"""Cross-entropy, label smoothing, MaxSup and LogitNorm against PyTorch, NumPy and identities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from labelnoise.core.losses.plain import (
    cross_entropy,
    label_smoothing,
    logit_norm,
    max_suppression,
    max_suppression_weight,
)
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(0)
Z = torch.tensor(RNG.normal(0, 3, (200, 7)))
Y = torch.tensor(RNG.integers(0, 7, 200))


@pytest.mark.parametrize("k", [2, 10, 15, 16, 40])
def test_cross_entropy_is_pytorchs(k):
    """Narrow and wide rows take different code."""
    z = torch.tensor(RNG.normal(0, 3, (50, k)), dtype=torch.float32, requires_grad=True)
    y = torch.tensor(RNG.integers(0, k, 50))
    ours, theirs = cross_entropy(z, y), functional.cross_entropy(z, y, reduction="none")
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours.sum(), z)[0], torch.autograd.grad(theirs.sum(), z)[0], rtol=1e-5, atol=1e-6
    )
    soft = torch.softmax(torch.tensor(RNG.normal(0, 1, (50, k)), dtype=torch.float32), 1)
    torch.testing.assert_close(cross_entropy(z, soft), functional.cross_entropy(z, soft, reduction="none"))


def test_cross_entropy_keeps_small_losses_beside_a_large_offset():
    """1e4 added to all logits: what is left of z is exact in float32, and the loss with it."""
    z = torch.tensor([[8.0, 0.0, -4.0], [0.5, 0.25, 0.0]])
    y = torch.tensor([0, 1])
    torch.testing.assert_close(cross_entropy(z + 1e4, y), cross_entropy(z, y), rtol=1e-4, atol=0)


def test_binary_cross_entropy_is_pytorchs():
    targets = torch.tensor(RNG.integers(0, 2, (200, 7)))
    expected = functional.binary_cross_entropy_with_logits(Z, targets.double(), reduction="none")
    torch.testing.assert_close(cross_entropy(Z, targets, multilabel=True), expected)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0, -0.4])
def test_smoothing_is_a_logit_penalty(epsilon):
    own = Z.gather(1, Y[:, None])[:, 0]
    expected = cross_entropy(Z, Y) + epsilon * (own - Z.mean(1))
    torch.testing.assert_close(label_smoothing(Z, Y, epsilon=epsilon), expected)
    if epsilon >= 0:
        theirs = functional.cross_entropy(Z, Y, reduction="none", label_smoothing=epsilon)
        torch.testing.assert_close(label_smoothing(Z, Y, epsilon=epsilon), theirs)


def test_smoothing_per_class_follows_the_given_class():
    shares = torch.linspace(0, 0.3, 7, dtype=torch.float64)
    values = label_smoothing(Z, Y, epsilon=shares)
    for k in range(7):
        of_k = Y.eq(k)
        torch.testing.assert_close(values[of_k], label_smoothing(Z[of_k], Y[of_k], epsilon=float(shares[k])))
    soft = torch.softmax(Z.flip(0), 1)
    each = torch.stack([label_smoothing(Z, torch.full((200,), k), epsilon=shares) for k in range(7)], 1)
    torch.testing.assert_close(label_smoothing(Z, soft, epsilon=shares), (soft * each).sum(1))


def test_smoothing_of_tags_moves_targets_to_one_half():
    targets = torch.tensor(RNG.integers(0, 2, (200, 7)))
    moved = 0.7 * targets.double() + 0.3 * 0.5
    expected = functional.binary_cross_entropy_with_logits(Z, moved, reduction="none")
    torch.testing.assert_close(label_smoothing(Z, targets, epsilon=0.3, multilabel=True), expected)


def test_max_suppression_against_numpy():
    z = Z.numpy()
    log_norm = np.log(np.exp(z).sum(1))
    expected = log_norm - z[np.arange(200), Y] + 0.15 * (z.max(1) - z.mean(1))
    np.testing.assert_allclose(max_suppression(Z, Y, weight=0.15), expected)
    right = Z.argmax(1)
    torch.testing.assert_close(max_suppression(Z, right, weight=0.1), label_smoothing(Z, right, epsilon=0.1))


def test_max_suppression_schedule_ends_where_published():
    assert max_suppression_weight(0, 200) == 0.1
    assert max_suppression_weight(199, 200) == pytest.approx(0.2)
    assert max_suppression_weight(0, 1) == 0.1
    with pytest.raises(InputError, match="epochs count from 0 to 199"):
        max_suppression_weight(200, 200)


def test_logit_norm_against_numpy_and_its_bound():
    z = Z.numpy() / (0.04 * (np.linalg.norm(Z.numpy(), axis=1, keepdims=True) + 1e-7))
    top = z.max(1)
    expected = np.log(np.exp(z - top[:, None]).sum(1)) + top - z[np.arange(200), Y]
    np.testing.assert_allclose(logit_norm(Z, Y), expected, atol=1e-10)
    torch.testing.assert_close(logit_norm(50 * Z, Y), logit_norm(Z, Y), rtol=1e-5, atol=1e-8)
    # The best possible direction reaches the bound of the docstring, in which K = 7, tau = 1.
    best = torch.full((1, 7), -1.0, dtype=torch.float64)
    best[0, 3] = 6.0
    bound = np.log(1 + 6 * np.exp(-np.sqrt(7 / 6)))
    assert float(logit_norm(best, [3], temperature=1.0)) == pytest.approx(bound, abs=1e-6)
    assert (logit_norm(Z, Y, temperature=1.0) >= bound - 1e-6).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: label_smoothing(Z, Y, epsilon=1.1), "at most 1"),
        (lambda: label_smoothing(Z, Y, epsilon=float("nan")), "at most 1"),
        (lambda: label_smoothing(Z, Y, epsilon=[0.1, 0.2]), "one per class"),
        (lambda: max_suppression(Z, Y, weight=-1), ">= 0"),
        (lambda: logit_norm(Z, Y, temperature=0), "> 0"),
    ],
)
def test_parameters_out_of_range_are_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
