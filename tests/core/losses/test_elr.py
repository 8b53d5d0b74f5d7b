"""ELR: the formula, and a memory that belongs to units, not to the order in which they come."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses.elr import EarlyLearning, early_learning, update_memory
from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(5)
N, K = 50, 4
Z = torch.tensor(RNG.normal(0, 2, (N, K)), dtype=torch.float32)
Y = torch.tensor(RNG.integers(0, K, N))


def test_formula_against_numpy():
    p = torch.softmax(Z.double(), 1).numpy()
    t = RNG.dirichlet(np.ones(K), N)
    expected = -np.log(p[np.arange(N), Y]) + 3 * np.log(1 - (t * np.clip(p, 1e-4, 1 - 1e-4)).sum(1))
    np.testing.assert_allclose(early_learning(Z.double(), Y, memory=t), expected)


def test_memory_over_epochs_against_numpy():
    elr = EarlyLearning(N, K, beta=0.9)
    t = np.zeros((N, K))
    for epoch in range(5):
        z = Z * (epoch + 1)
        elr(z, Y, np.arange(N))
        p = np.clip(torch.softmax(z.double(), 1).numpy(), 1e-4, 1 - 1e-4)
        t = 0.9 * t + 0.1 * p / p.sum(1, keepdims=True)
    np.testing.assert_allclose(elr.memory, t, atol=1e-6)


def test_value_uses_the_memory_with_the_present_prediction():
    elr = EarlyLearning(N, K)
    first = elr(Z, Y, torch.arange(N))
    torch.testing.assert_close(first, early_learning(Z, Y, memory=elr.memory))
    before = elr.memory.clone()
    torch.testing.assert_close(elr(Z, Y, torch.arange(N), update=False), first)
    assert torch.equal(elr.memory, before)


def test_order_and_batches_leave_no_trace():
    whole, parts = EarlyLearning(N, K), EarlyLearning(N, K)
    for epoch in range(3):
        whole(Z + epoch, Y, np.arange(N))
        for batch in torch.randperm(N, generator=torch.Generator().manual_seed(epoch)).split(7):
            values = parts((Z + epoch)[batch], Y[batch], batch)
            assert torch.equal(values, whole((Z + epoch)[batch], Y[batch], batch, update=False))
    assert torch.equal(whole.memory, parts.memory)


def test_a_unit_that_comes_twice_is_remembered_once():
    ids = torch.tensor([3, 8, 3, 3])
    z = Z[:4]
    elr, shuffled, once = EarlyLearning(N, K), EarlyLearning(N, K), EarlyLearning(N, K)
    values = elr(z, Y[:4], ids)
    order = torch.tensor([2, 3, 1, 0])
    assert torch.equal(shuffled(z[order], Y[order], ids[order]), values[order])
    assert torch.equal(elr.memory, shuffled.memory)
    mean = torch.softmax(z, 1)[ids == 3].mean(0, keepdim=True)
    torch.testing.assert_close(elr.memory[3:4], update_memory(torch.zeros(1, K), mean))
    # A unit's row depends neither on copies of others nor on whether there are any.
    once(z[1:2], Y[1:2], ids[1:2])
    torch.testing.assert_close(elr.memory[8], once.memory[8])


def test_units_without_a_label_are_not_remembered():
    hidden = Y.clone()
    hidden[::3] = -1
    elr, alone = EarlyLearning(N, K), EarlyLearning(N, K)
    z = Z.clone()
    z[::3] = float("nan")
    values = elr(z, hidden, np.arange(N))
    kept = np.flatnonzero(hidden.numpy() >= 0)
    assert torch.equal(values[kept], alone(Z[kept], Y[kept], kept))
    assert torch.equal(elr.memory, alone.memory)
    assert (values[::3] == 0).all()
    assert (elr.memory[::3] == 0).all()


def test_a_model_that_diverged_does_not_spoil_the_memory():
    elr = EarlyLearning(N, K)
    elr(Z, Y, np.arange(N))
    before = elr.memory.clone()
    with pytest.raises(InputError, match="nothing was remembered"):
        elr(Z * float("nan"), Y, np.arange(N))
    assert torch.equal(elr.memory, before)


def test_regulariser_pulls_towards_the_memory():
    """Against a wrong label, agreement with the memory is rewarded: the gradient of the true class is negative."""
    z = torch.tensor([[2.0, 0.0]], requires_grad=True)
    memory = [[0.95, 0.05]]
    early_learning(z, [1], memory=memory).backward()
    cross = torch.autograd.grad(cross_entropy(z, [1]).sum(), z)[0]
    assert cross[0, 0] > 0
    assert z.grad[0, 0] < 0


def test_half_precision_memory_stays_finite_and_close():
    """The row sum of half-precision means can round above 1; log(1 - <t, p>) must not become NaN."""
    array = np.zeros((N, K), dtype=np.float16)
    half, full = EarlyLearning(N, K, beta=0.9, memory=array), EarlyLearning(N, K, beta=0.9)
    sharp = 40 * torch.nn.functional.one_hot(Y, K).float()
    for _ in range(200):
        values = half(sharp.requires_grad_(), Y, np.arange(N))
        assert values.isfinite().all()
        full(sharp, Y, np.arange(N))
    assert half.memory.dtype == torch.float16
    # Steps below half a unit in the last place are lost: 0.1 * (1 - t) < 2.4e-4.
    assert (half.memory.float() - full.memory).abs().max() < 5e-3
    assert array.any(), "the array of the caller is written in place"


def test_memory_in_a_file(tmp_path):
    disk = np.memmap(tmp_path / "memory.f16", dtype=np.float16, mode="w+", shape=(N, K))
    EarlyLearning(N, K, memory=disk)(Z, Y, np.arange(N))
    disk.flush()
    again = np.memmap(tmp_path / "memory.f16", dtype=np.float16, mode="r", shape=(N, K))
    np.testing.assert_allclose(np.asarray(again).sum(1), 0.3, atol=1e-3)


def test_state_survives_a_checkpoint(tmp_path):
    elr = EarlyLearning(N, K, beta=0.8, weight=7.0)
    elr(Z, Y, np.arange(N))
    torch.save(elr.state_dict(), tmp_path / "elr.pt")
    other = EarlyLearning(N, K)
    other.load_state_dict(torch.load(tmp_path / "elr.pt", weights_only=True))
    elr(2 * Z, Y, np.arange(N))
    other(2 * Z, Y, np.arange(N))
    assert torch.equal(other.memory, elr.memory)
    assert (other.beta, other.weight) == (0.8, 7.0)
    with pytest.raises(InputError, match="another data set"):
        EarlyLearning(N + 1, K).load_state_dict(elr.state_dict())


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: EarlyLearning(0, 3), "at least 1"),
        (lambda: EarlyLearning(3, 3, beta=2), "beta is 2"),
        (lambda: EarlyLearning(3, 3, memory=np.zeros((3, 2))), r"floats of shape \(3, 3\)"),
        (lambda: EarlyLearning(3, 3, memory=np.zeros((3, 3), int)), "floats of shape"),
        (lambda: EarlyLearning(3, 3, memory=np.broadcast_to(0.0, (3, 3))), "read-only"),
        (lambda: EarlyLearning(N, K)(Z[:2], Y[:2], [0, N]), f"ids lie from 0 to {N - 1}"),
        (lambda: EarlyLearning(N, K)(Z[:2], Y[:2], [-1, 0]), "unit_ids run from -1"),
        (lambda: EarlyLearning(N, K)(Z[:2], Y[:2], [0]), "2 whole numbers"),
        (lambda: early_learning(Z, Y, memory=np.zeros((N, 2))), "one row per unit"),
        (lambda: early_learning(Z, Y, memory=np.full((N, K), np.nan)), "NaN"),
        (lambda: early_learning(Z, Y, memory=np.zeros((N, K)), weight=-1), "weight is -1"),
    ],
)
def test_wrong_input_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
