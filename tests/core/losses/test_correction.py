"""Forward, backward and importance against NumPy, and what each of them promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses import _transition
from labelnoise.core.losses.correction import (
    backward_corrected,
    forward_corrected,
    importance_reweighted,
    importance_weights,
)
from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.noise_matrices import symmetric_transition
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(2)
K = 4
T = np.array([[0.7, 0.3, 0.0, 0.0], [0.1, 0.8, 0.1, 0.0], [0.0, 0.1, 0.6, 0.3], [0.05, 0.05, 0.1, 0.8]])
Z = torch.tensor(RNG.normal(0, 2, (100, K)))
Y = torch.tensor(RNG.integers(0, K, 100))
P = np.exp(Z.numpy()) / np.exp(Z.numpy()).sum(1, keepdims=True)
TAGS = torch.tensor(RNG.integers(0, 2, (100, K)))
SIGMOID = 1 / (1 + np.exp(-Z.numpy()))
CELLS = np.array([[[1 - a, a], [d, 1 - d]] for a, d in ((0.0, 0.4), (0.1, 0.1), (0.2, 0.0), (0.05, 0.3))])


def test_forward_against_numpy():
    expected = -np.log((P @ T)[np.arange(100), Y])
    np.testing.assert_allclose(forward_corrected(Z, Y, transition=T), expected)


def test_forward_of_tags_against_numpy():
    one = SIGMOID * CELLS[:, 1, 1] + (1 - SIGMOID) * CELLS[:, 0, 1]
    expected = -np.log(np.where(TAGS.numpy() == 1, one, 1 - one))
    np.testing.assert_allclose(forward_corrected(Z, TAGS, transition=CELLS, multilabel=True), expected)
    same = forward_corrected(Z, TAGS, transition=CELLS[1], multilabel=True)
    every = forward_corrected(Z, TAGS, transition=np.stack([CELLS[1]] * K), multilabel=True)
    torch.testing.assert_close(same, every)


@pytest.mark.parametrize("loss", [forward_corrected, backward_corrected, importance_reweighted])
def test_without_noise_all_are_cross_entropy(loss):
    torch.testing.assert_close(loss(Z, Y, transition=np.eye(K)), cross_entropy(Z, Y))
    expected = cross_entropy(Z, TAGS, multilabel=True)
    torch.testing.assert_close(loss(Z, TAGS, transition=np.eye(2), multilabel=True), expected)
    far = torch.tensor([[1e4, -1e4]])
    torch.testing.assert_close(loss(far, [1], transition=np.eye(2)), cross_entropy(far, [1]))


def test_forward_is_least_at_the_clean_posterior():
    """Gradient descent on the expected forward loss under noise finds the clean posterior, CE the noisy one."""
    clean = np.array([[0.6, 0.1, 0.1, 0.2]])
    noisy = torch.tensor(clean @ T)

    def fit(loss):
        z = torch.zeros(1, K, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([z], lr=0.5, max_iter=200, tolerance_grad=1e-10, tolerance_change=1e-14)

        def closure():
            optimiser.zero_grad()
            value = loss(z, noisy).sum()
            value.backward()
            return value

        optimiser.step(closure)
        return torch.softmax(z.detach(), 1).numpy()

    np.testing.assert_allclose(fit(lambda z, t: forward_corrected(z, t, transition=T)), clean, atol=1e-4)
    np.testing.assert_allclose(fit(lambda z, t: backward_corrected(z, t, transition=T)), clean, atol=1e-4)
    np.testing.assert_allclose(fit(cross_entropy), noisy, atol=1e-4)


def test_backward_is_unbiased():
    """Averaged over the noise of every true class, the value and its gradient are those of clean cross-entropy."""
    z = Z.clone().requires_grad_()
    per_given = torch.stack([backward_corrected(z, torch.full((100,), j), transition=T) for j in range(K)], 1)
    for true in range(K):
        mean = (per_given * torch.tensor(T[true])).sum(1)
        clean = cross_entropy(z, torch.full((100,), true))
        torch.testing.assert_close(mean, clean)
        gradients = [torch.autograd.grad(v.sum(), z, retain_graph=True)[0] for v in (mean, clean)]
        torch.testing.assert_close(*gradients)
    assert (per_given < 0).any()


def test_backward_of_tags_is_unbiased():
    given = [
        backward_corrected(Z, torch.full_like(TAGS, j), transition=CELLS, multilabel=True) for j in (0, 1)
    ]
    for true in (0, 1):
        mean = given[0] * torch.tensor(CELLS[:, true, 0]) + given[1] * torch.tensor(CELLS[:, true, 1])
        torch.testing.assert_close(mean, cross_entropy(Z, torch.full_like(TAGS, true), multilabel=True))


def test_backward_refuses_an_ill_conditioned_matrix():
    # r = .749 of 4 classes: the smallest singular value is 1 - 4/3 r
    nearly_uniform = symmetric_transition(K, 0.7499)
    with pytest.raises(
        InputError, match=r"condition number 7.5e\+03, above the limit of 1000.*forward correction"
    ):
        backward_corrected(Z, Y, transition=nearly_uniform)
    assert backward_corrected(Z, Y, transition=nearly_uniform, limit=1e4).isfinite().all()
    with pytest.raises(InputError, match="condition number"):
        backward_corrected(Z, Y, transition=np.full((K, K), 1 / K))
    with pytest.raises(InputError, match="condition number"):
        backward_corrected(Z, TAGS, transition=[[0.5, 0.5], [0.5, 0.5]], multilabel=True)


def test_backward_inverts_a_matrix_once():
    _transition._inverse.cache_clear()
    for _ in range(5):
        backward_corrected(Z, Y, transition=T)
    assert _transition._inverse.cache_info().misses == 1


def test_importance_weights_against_numpy():
    own = np.arange(100), Y.numpy()
    expected = P[own] / (P @ T)[own]
    weights = importance_weights(Z.clone().requires_grad_(), Y, transition=T)
    np.testing.assert_allclose(weights, expected)
    assert not weights.requires_grad
    assert (weights.numpy() <= 1 / T.diagonal()[Y] + 1e-12).all()
    hidden = Y.clone()
    hidden[:10] = -1
    assert (importance_weights(Z, hidden, transition=T)[:10] == 0).all()


def test_importance_gradient_treats_the_weight_as_constant():
    for labels, transition, multilabel in ((Y, T, False), (TAGS, CELLS[1], True)):
        z = Z.clone().requires_grad_()
        weights = importance_weights(Z, labels, transition=transition, multilabel=multilabel)
        ours = importance_reweighted(z, labels, transition=transition, multilabel=multilabel)
        by_hand = weights * cross_entropy(z, labels, multilabel=multilabel)
        torch.testing.assert_close(ours, by_hand)
        torch.testing.assert_close(
            torch.autograd.grad(ours.sum(), z)[0], torch.autograd.grad(by_hand.sum(), z)[0]
        )


def test_importance_weighted_mean_over_noisy_labels_is_the_clean_risk():
    """With the true posterior: sum_j P(given = j | x) w_j f(j) = sum_j P(true = j | x) f(j) for any f."""
    noisy = P @ T
    w = torch.stack([importance_weights(Z, torch.full((100,), j), transition=T) for j in range(K)], 1).numpy()
    np.testing.assert_allclose(noisy * w, P)


def test_a_tensor_transition_is_trained():
    start = torch.tensor(T, requires_grad=True)
    forward_corrected(Z, Y, transition=start).sum().backward()
    # d/dT[k, j] of -log (T'p)_j summed over units given j
    expected = np.zeros((K, K))
    for i in range(100):
        expected[:, Y[i]] -= P[i] / (P @ T)[i, Y[i]]
    np.testing.assert_allclose(np.where(T > 0, start.grad.numpy(), 0), np.where(T > 0, expected, 0))
    assert start.grad.isfinite().all()


def test_a_class_that_is_never_given():
    """Its column is 0: fine while nobody is given it, refused when somebody is; nothing in between is NaN."""
    never = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.3, 0.7, 0.0]])
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    values = forward_corrected(z, [0, 1, 1, 0, -1, 1], transition=never)
    values.sum().backward()
    assert values.isfinite().all()
    assert z.grad.isfinite().all()
    with pytest.raises(InputError, match="1 labels are of that class"):
        forward_corrected(z, [0, 1, 1, 0, -1, 2], transition=never)
    with pytest.raises(InputError, match="of that class"):
        forward_corrected(z, torch.full((6, 3), 1 / 3), transition=never)
    added_only = [[1.0, 0.0], [1.0, 0.0]]
    assert forward_corrected(z, torch.zeros(6, 3), transition=added_only, multilabel=True).isfinite().all()
    with pytest.raises(InputError, match="of that class"):
        forward_corrected(z, torch.ones(6, 3), transition=added_only, multilabel=True)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: forward_corrected(Z, Y, transition=T.T), "rows that do not sum to 1"),
        (lambda: forward_corrected(Z, Y, transition=np.eye(3)), "is 3 x 3 but the logits have 4 classes"),
        (lambda: forward_corrected(Z, TAGS, transition=T, multilabel=True), "one 2 x 2 matrix per class"),
        (lambda: importance_weights(Z, Y, transition=np.roll(np.eye(K), 1, axis=1)), "zero on its diagonal"),
    ],
)
def test_wrong_matrices_are_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
