"""LDR and ALDR against their definition as a maximum, solved by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from labelnoise.core.losses.ldr import adaptive_ldr, ldr
from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(4)
K = 6
Z = torch.tensor(RNG.normal(0, 2, (60, K)))
Y = torch.tensor(RNG.integers(0, K, 60))
RAW = {"normalize": "none"}


def gaps(z: np.ndarray, y: np.ndarray, margin: float) -> np.ndarray:
    """s_k - s_y + margin [k != y]."""
    n = np.arange(len(y))
    result = z - z[n, y][:, None] + margin
    result[n, y] = 0
    return result


def test_ldr_is_cross_entropy_less_log_k():
    values = ldr(Z, Y, temperature=1.0, margin=0.0, **RAW)
    torch.testing.assert_close(values, cross_entropy(Z, Y) - math.log(K))


def test_ldr_is_cross_entropy_of_cooled_logits():
    values = ldr(Z, Y, temperature=3.0, margin=0.0, **RAW)
    torch.testing.assert_close(values, 3 * (cross_entropy(Z / 3, Y) - math.log(K)))


def test_ldr_goes_to_the_hinge_and_to_the_mean():
    g = gaps(Z.numpy(), Y.numpy(), 0.5)
    np.testing.assert_allclose(ldr(Z, Y, temperature=1e-4, margin=0.5, **RAW), g.max(1), atol=1e-3)
    np.testing.assert_allclose(ldr(Z, Y, temperature=1e7, margin=0.5, **RAW), g.mean(1), atol=1e-5)
    over_labels = sum(ldr(Z, torch.full((60,), k), temperature=1e7, margin=0.0, **RAW) for k in range(K))
    np.testing.assert_allclose(over_labels, 0, atol=1e-4)


def test_ldr_is_a_maximum_over_label_distributions():
    """No distribution beats the closed form, and the softmax of the gaps reaches it."""
    g = gaps(Z.numpy(), Y.numpy(), 0.5)

    def objective(p: np.ndarray, heat: float) -> np.ndarray:
        return (p * g).sum(1) - heat * (p * np.log(np.maximum(p * K, 1e-300))).sum(1)

    values = ldr(Z, Y, temperature=2.0, margin=0.5, **RAW).numpy()
    best = np.exp(g / 2) / np.exp(g / 2).sum(1, keepdims=True)
    np.testing.assert_allclose(values, objective(best, 2.0))
    for p in RNG.dirichlet(np.ones(K), (200, 60)):
        assert (objective(p, 2.0) <= values + 1e-12).all()


@pytest.mark.parametrize("normalize", ["softplus", "l1"])
def test_normalised_scores(normalize):
    z = np.log1p(np.exp(Z.numpy())) if normalize == "softplus" else Z.numpy()
    s = z / np.abs(z).mean(1, keepdims=True)
    by_hand = ldr(torch.tensor(s), Y, temperature=2.0, margin=0.5, **RAW)
    torch.testing.assert_close(ldr(Z, Y, temperature=2.0, margin=0.5, normalize=normalize), by_hand)
    if normalize == "l1":
        torch.testing.assert_close(ldr(9 * Z, Y, normalize="l1"), ldr(Z, Y, normalize="l1"))


@pytest.mark.parametrize(("temperature", "alpha"), [(1.0, 2.0), (3.0, 1.2), (10.0, 5.0)])
def test_aldr_is_a_maximum_over_temperatures_too(temperature, alpha):
    """Against a fine grid of temperatures, the inner maximum in closed form."""
    g = gaps(Z.numpy(), Y.numpy(), 0.1)
    grid = np.linspace(temperature * (1 - 1 / alpha), temperature, 4001)[1:]
    inner = np.stack(
        [h * (np.log(np.exp((g - g.max(1, keepdims=True)) / h).mean(1)) + g.max(1) / h) for h in grid]
    )
    price = alpha * np.log(K) / (2 * temperature) * (grid - temperature) ** 2
    objective = inner - price[:, None]
    # The stationary point with the highest temperature: where the objective, followed downwards, first turns.
    falling = np.diff(objective[::-1], axis=0) < 0
    turn = np.where(falling.any(0), falling.argmax(0), len(grid) - 1)
    expected = objective[::-1][turn, np.arange(60)]
    values = adaptive_ldr(Z, Y, temperature=temperature, alpha=alpha, steps=300, **RAW)
    np.testing.assert_allclose(values, expected, atol=2e-5)


def test_aldr_rises_with_its_steps_from_ldr():
    plain = ldr(Z, Y, temperature=2.0, **RAW)
    last = plain
    for steps in (1, 2, 5, 20):
        values = adaptive_ldr(Z, Y, temperature=2.0, steps=steps, **RAW)
        assert (values >= last - 1e-12).all()
        last = values
    converged = adaptive_ldr(Z, Y, temperature=2.0, steps=500, **RAW)
    five = adaptive_ldr(Z, Y, temperature=2.0, steps=5, **RAW)
    assert (converged - plain).max() > 0.1
    assert (converged - five).max() < 0.2 * (converged - plain).max()
    torch.testing.assert_close(adaptive_ldr(Z, Y, alpha=math.inf, **RAW), ldr(Z, Y, **RAW))


def test_aldr_gradient_is_that_at_constant_temperature():
    """At the stationary point it is the gradient of the value itself."""
    z = Z[:8].clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: adaptive_ldr(x, Y[:8], temperature=10.0, steps=60, **RAW), (z,), rtol=1e-4, atol=1e-6
    )


def test_undecided_units_get_a_higher_temperature():
    """The derivative of the value along the gap of a two-class unit shows the temperature: slope = p_wrong."""
    for gap in (0.2, 6.0):
        z = torch.tensor([[0.0, gap]], dtype=torch.float64, requires_grad=True)
        adaptive_ldr(z, [0], temperature=2.0, alpha=1.5, margin=0.0, steps=100, **RAW).backward()
        slope = float(z.grad[0, 1])
        heat = gap / math.log(slope / (1 - slope))
        assert heat == pytest.approx(2.0, rel=0.01) if gap < 1 else heat < 1.3


@pytest.mark.parametrize("loss", [ldr, adaptive_ldr])
@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"margin": -1}, "margin is -1"),
        ({"normalize": "l2"}, "Unknown normalisation 'l2'"),
    ],
)
def test_parameters_out_of_range_are_refused(loss, parameters, says):
    with pytest.raises(InputError, match=says):
        loss(Z, Y, **parameters)


def test_aldr_refuses_temperatures_that_could_reach_zero():
    with pytest.raises(InputError, match="alpha is 1"):
        adaptive_ldr(Z, Y, alpha=1.0)
    with pytest.raises(InputError, match="steps is 0"):
        adaptive_ldr(Z, Y, steps=0)
