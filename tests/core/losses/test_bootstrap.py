"""Bootstrapping against NumPy; what flows through the target and what does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses.bootstrap import (
    dynamic_bootstrap,
    dynamic_mixup_weight,
    hard_bootstrap,
    soft_bootstrap,
)
from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.losses.regularizers import entropy
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(3)
Z = torch.tensor(RNG.normal(0, 2, (100, 4)))
Y = torch.tensor(RNG.integers(0, 4, 100))
P = np.exp(Z.numpy()) / np.exp(Z.numpy()).sum(1, keepdims=True)
OWN = -np.log(P[np.arange(100), Y])
TAGS = torch.tensor(RNG.integers(0, 2, (100, 4)))
S = 1 / (1 + np.exp(-Z.numpy()))
TAG_CE = -np.log(np.where(TAGS.numpy() == 1, S, 1 - S))


def test_soft_against_numpy():
    target = 0.3 * np.eye(4)[Y] + 0.7 * P
    np.testing.assert_allclose(soft_bootstrap(Z, Y, beta=0.3), -(target * np.log(P)).sum(1))
    own = -(S * np.log(S) + (1 - S) * np.log(1 - S))
    np.testing.assert_allclose(soft_bootstrap(Z, TAGS, beta=0.3, multilabel=True), 0.3 * TAG_CE + 0.7 * own)


def test_hard_against_numpy():
    np.testing.assert_allclose(hard_bootstrap(Z, Y), 0.8 * OWN - 0.2 * np.log(P.max(1)))
    guess = -np.log(np.maximum(S, 1 - S))
    np.testing.assert_allclose(hard_bootstrap(Z, TAGS, multilabel=True), 0.8 * TAG_CE + 0.2 * guess)


def test_beta_one_is_cross_entropy():
    for loss in (soft_bootstrap, hard_bootstrap):
        torch.testing.assert_close(loss(Z, Y, beta=1.0), cross_entropy(Z, Y))


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_predicted_target_is_constant_unless_asked(multilabel):
    labels = TAGS if multilabel else Y

    def gradient(of):
        z = Z.clone().requires_grad_()
        return torch.autograd.grad(of(z).sum(), z)[0]

    own = torch.tensor(S if multilabel else P)
    if multilabel:
        by_hand = gradient(lambda z: cross_entropy(z, own, multilabel=True))
    else:
        by_hand = gradient(lambda z: -(own * torch.log_softmax(z, 1)).sum(1))
    constant = gradient(lambda z: soft_bootstrap(z, labels, beta=0.0, multilabel=multilabel))
    torch.testing.assert_close(constant, by_hand)
    # A target that equals the prediction pulls nowhere.
    torch.testing.assert_close(constant, torch.zeros_like(constant))
    through = gradient(
        lambda z: soft_bootstrap(z, labels, beta=0.0, through_target=True, multilabel=multilabel)
    )
    torch.testing.assert_close(through, gradient(lambda z: entropy(z, labels, multilabel=multilabel)))
    assert through.abs().max() > 0.1


def test_dynamic_interpolates_unit_by_unit():
    doubt = torch.tensor(RNG.random(100))
    hard = (1 - doubt.numpy()) * OWN - doubt.numpy() * np.log(P.max(1))
    np.testing.assert_allclose(dynamic_bootstrap(Z, Y, noise_probs=doubt), hard)
    soft = (1 - doubt.numpy()) * OWN - doubt.numpy() * (P * np.log(P)).sum(1)
    np.testing.assert_allclose(dynamic_bootstrap(Z, Y, noise_probs=doubt, kind="soft"), soft)
    cells = torch.tensor(RNG.random((100, 4)))
    guess = -np.log(np.maximum(S, 1 - S))
    np.testing.assert_allclose(
        dynamic_bootstrap(Z, TAGS, noise_probs=cells, multilabel=True),
        (1 - cells.numpy()) * TAG_CE + cells.numpy() * guess,
    )
    torch.testing.assert_close(dynamic_bootstrap(Z, Y, noise_probs=torch.zeros(100)), cross_entropy(Z, Y))


def test_no_gradient_reaches_the_noise_probabilities():
    doubt = torch.full((100,), 0.5, requires_grad=True)
    values = dynamic_bootstrap(Z.clone().requires_grad_(), Y, noise_probs=doubt)
    values.sum().backward()
    assert doubt.grad is None


def test_mixup_leads_with_the_believed_label():
    a, b = torch.tensor([0.0, 0.9, 1.0, 1.0]), torch.tensor([1.0, 0.1, 1.0, 0.0])
    torch.testing.assert_close(dynamic_mixup_weight(a, b), torch.tensor([1.0, 0.1, 0.5, 0.0]))
    torch.testing.assert_close(dynamic_mixup_weight(a, b) + dynamic_mixup_weight(b, a), torch.ones(4))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: soft_bootstrap(Z, Y, beta=1.2), "beta is 1.2"),
        (lambda: hard_bootstrap(Z, Y, beta=-0.2), "beta is -0.2"),
        (lambda: dynamic_bootstrap(Z, Y, noise_probs=[0.5]), r"shape \(100,\)"),
        (lambda: dynamic_bootstrap(Z, Y, noise_probs=np.full(100, np.nan)), "NaN"),
        (lambda: dynamic_bootstrap(Z, Y, noise_probs=np.full(100, 1.1)), r"outside of \[0, 1\]"),
        (lambda: dynamic_bootstrap(Z, Y, noise_probs=np.zeros(100), kind="firm"), "Unknown kind"),
        (lambda: dynamic_mixup_weight([2.0], [0.1]), r"outside of \[0, 1\]"),
    ],
)
def test_wrong_parameters_are_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
