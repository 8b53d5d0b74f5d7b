"""Networks for training: what they gather, and nodes mixed in pairs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelnoise.core.validation import InputError
from labelnoise.graph.gathering import as_sparse, operator_of
from labelnoise.graph.networks import GCN, NETWORKS, Mixing, build_network


@pytest.fixture
def adjacency() -> sp.csr_array:
    draw = np.random.default_rng(0)
    upper = np.triu(draw.random((12, 12)) < 0.3, 1)
    upper[:, 11] = upper[11] = False  # a node without edges
    return sp.csr_array((upper + upper.T).astype(float))


@pytest.fixture
def x() -> torch.Tensor:
    draw = np.random.default_rng(1)
    return torch.from_numpy((draw.random((12, 5)) * (draw.random((12, 5)) < 0.5)).astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_only_what_is_within_reach_changes_a_node(
    name: str, adjacency: sp.csr_array, x: torch.Tensor
) -> None:
    torch.manual_seed(0)
    network = build_network(name, 5, 3).eval()
    operator = operator_of(adjacency, network.operator)
    before = network(x, operator)
    assert before.shape == (12, 3)
    other = x.clone()
    other[0] += 1.0
    changed = (network(other, operator) != before).any(1).numpy()
    reach = np.linalg.matrix_power(adjacency.toarray() + np.eye(12), 0 if name == "mlp" else 2)[0] > 0
    np.testing.assert_array_equal(changed, reach)
    torch.testing.assert_close(network(as_sparse(sp.csr_array(x.numpy())), operator), before)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_has_a_gradient(name: str, adjacency: sp.csr_array, x: torch.Tensor) -> None:
    torch.manual_seed(0)
    network = build_network(name, 5, 3)
    network(x, operator_of(adjacency, network.operator)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_gcn_is_equation_9_of_kipf_and_welling(adjacency: sp.csr_array, x: torch.Tensor) -> None:
    network = GCN(5, 3).eval()
    closed = adjacency.toarray() + np.eye(12)
    scale = 1 / np.sqrt(closed.sum(1))
    s = torch.from_numpy((scale[:, None] * closed * scale).astype(np.float32))
    first, second = network.layers
    hidden = torch.relu(s @ x @ first.weight + first.bias)
    expected = s @ hidden @ second.weight + second.bias
    torch.testing.assert_close(network(x, operator_of(adjacency, "gcn")), expected)


@pytest.mark.parametrize("name", ["gcn", "sgc", "mlp"])
def test_mixing_with_itself_changes_nothing(name: str, adjacency: sp.csr_array, x: torch.Tensor) -> None:
    network = build_network(name, 5, 3).eval()
    operator = operator_of(adjacency, network.operator)
    plain = network(x, operator)
    alone = Mixing(torch.arange(12), torch.full((12,), 0.3))
    torch.testing.assert_close(network(x, operator, alone), plain)
    swapped = Mixing(torch.arange(12).flip(0), torch.ones(12))
    torch.testing.assert_close(network(x, operator, swapped), plain)
    handed_over = Mixing(torch.arange(12).flip(0), torch.zeros(12))
    torch.testing.assert_close(network(x, operator, handed_over), plain.flip(0))


def test_without_edges_mixing_is_that_of_features(x: torch.Tensor) -> None:
    mixing = Mixing(torch.arange(12).flip(0), torch.full((12,), 0.3))
    empty = sp.csr_array((12, 12))
    for name in ("gcn", "mlp"):
        network = build_network(name, 5, 3).eval()
        operator = operator_of(empty, network.operator)
        expected = network(0.3 * x + 0.7 * x.flip(0), operator)
        torch.testing.assert_close(network(x, operator, mixing), expected)


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="no option 'heads'"):
        build_network("gcn", 5, 3, heads=2)
    with pytest.raises(InputError, match="must divide the width"):
        build_network("gat", 5, 3, heads=5)
    with pytest.raises(InputError, match="dropout is 1"):
        build_network("gin", 5, 3, dropout=1)
    with pytest.raises(InputError, match="layers is 0"):
        build_network("mlp", 5, 3, layers=0)
    with pytest.raises(InputError, match="hops is 0"):
        build_network("sgc", 5, 3, hops=0)
