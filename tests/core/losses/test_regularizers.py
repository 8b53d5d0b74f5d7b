"""Entropy and class-prior terms against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses import REGULARIZERS
from labelnoise.core.losses.regularizers import class_prior, entropy, negative_entropy
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(9)
Z = torch.tensor(RNG.normal(0, 2, (80, 5)))
Y = torch.tensor(RNG.integers(-1, 5, 80))
P = np.exp(Z.numpy()) / np.exp(Z.numpy()).sum(1, keepdims=True)
KEPT = (Y >= 0).numpy()


def test_entropy_against_numpy():
    expected = np.where(KEPT, -(P * np.log(P)).sum(1), 0)
    np.testing.assert_allclose(entropy(Z, Y), expected)
    np.testing.assert_allclose(negative_entropy(Z, Y), -expected)
    s = 1 / (1 + np.exp(-Z.numpy()))
    cells = -(s * np.log(s) + (1 - s) * np.log(1 - s))
    np.testing.assert_allclose(entropy(Z, torch.zeros(80, 5), multilabel=True), cells)


def test_class_prior_against_numpy():
    uniform = (0.2 * np.log(0.2 / P.mean(0))).sum()
    assert float(class_prior(Z)) == pytest.approx(uniform)
    assert float(class_prior(Z, Y)) == pytest.approx((0.2 * np.log(0.2 / P[KEPT].mean(0))).sum())
    prior = np.array([0.5, 0.3, 0.2, 0.0, 0.0])
    expected = (prior[:3] * np.log(prior[:3] / P.mean(0)[:3])).sum()
    assert float(class_prior(Z, prior=prior)) == pytest.approx(expected)
    assert float(class_prior(Z, prior=P.mean(0))) == pytest.approx(0, abs=1e-12)


def test_gradients():
    z = Z[:6].clone().requires_grad_()
    labels = torch.tensor([0, 1, -1, 2, 3, 4])
    assert torch.autograd.gradcheck(lambda x: entropy(x, labels), (z,))
    assert torch.autograd.gradcheck(lambda x: class_prior(x, labels), (z,))
    collapsed = torch.tensor([[9.0, 0, 0], [9.0, 0, 0]], requires_grad=True)
    class_prior(collapsed).backward()
    assert (collapsed.grad[:, 0] > 0).all(), "a batch in one class only is pushed out of it"


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("garbage", [float("nan"), 1e30])
def test_units_without_a_label_change_nothing(name, garbage):
    term = REGULARIZERS[name].load()

    def run(filler):
        z = torch.where(torch.tensor(KEPT)[:, None], Z, filler).requires_grad_()
        value = term(z, Y)
        value.sum().backward()
        return value.detach(), z.grad

    for ours, clean in zip(run(garbage), run(0.0), strict=True):
        assert torch.equal(ours, clean)
    assert (run(garbage)[1][~KEPT] == 0).all()


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("scale", [1e4, 0.0])
def test_extreme_logits(name, scale):
    z = (scale * torch.eye(3)[[0, 0, 0]]).requires_grad_()
    value = REGULARIZERS[name].load()(z, torch.tensor([0, 1, 2]))
    value.sum().backward()
    assert value.isfinite().all()
    assert z.grad.isfinite().all()


def test_empty_and_all_unlabelled():
    for logits, labels in ((torch.zeros(0, 3), None), (torch.ones(2, 3), [-1, -1])):
        z = logits.requires_grad_()
        value = class_prior(z, labels)
        value.backward()
        assert value.item() == 0
        assert (z.grad == 0).all()


def test_wrong_input_is_refused():
    for prior in ([0.5, 0.5], [0.5, 0.5, 0.5, -0.5, 0.0], np.full(5, 0.3), np.full(5, np.nan)):
        with pytest.raises(InputError, match="5 frequencies >= 0 with sum 1"):
            class_prior(Z, prior=prior)
    with pytest.raises(InputError, match="torch tensor"):
        class_prior(np.zeros((2, 3)))
