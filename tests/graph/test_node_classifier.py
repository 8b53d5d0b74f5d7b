"""Base networks: equal to torch-geometric's layers, on any rows; reproducible; without side effects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelnoise.core.random import generator
from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.gathering import Product, affine, as_sparse
from labelnoise.graph.networks import _half_dropped, _Network
from labelnoise.graph.node_classifier import MODELS, base_network, plan_rows, train_node_classifier


def two_blocks(n: int = 60, *, sparse: bool = True, seed: int = 0, isolated: int = 2) -> GraphDataset:
    """Two groups that mostly link within themselves, features that hint at the group."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    joined = rng.random((n, n)) < np.where(y[:, None] == y, 0.15, 0.02)
    joined[:isolated] = joined[:, :isolated] = False
    edges = np.array(np.nonzero(np.triu(joined, 1)))
    x = (rng.random((n, 20)) < np.where(np.arange(20) % 2 == y[:, None], 0.3, 0.1)).astype(float)
    return GraphDataset(
        name="blocks", given=y, class_names=("a", "b"), x=sp.csr_array(x) if sparse else x, edge_index=edges
    )


def masks(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(n) % 5 == 0, np.arange(n) % 5 == 1


def reference(graph: GraphDataset, model: str, network: _Network) -> Any:
    """The same network from torch-geometric's own layers, with the same parameters, over the whole graph."""
    nn = pytest.importorskip("torch_geometric.nn")
    x = graph.x.toarray() if sp.issparse(graph.x) else graph.x
    h = torch.tensor(x, dtype=torch.float32)
    edges = torch.tensor(np.array(graph.adjacency.nonzero()))
    with torch.no_grad():
        for position, layer in enumerate(network.layers):
            weight, bias = layer.weight, layer.bias
            d_in, d_out = weight.shape
            if model == "gcn":
                conv = nn.GCNConv(d_in, d_out)
                conv.lin.weight.copy_(weight.T), conv.bias.copy_(bias)
                h = conv(h, edges)
            elif model == "sgc":
                conv = nn.SGConv(d_in, d_out, K=2)
                conv.lin.weight.copy_(weight.T), conv.lin.bias.copy_(bias)
                h = conv(h, edges)
            elif model == "gat":
                conv = nn.GATConv(d_in, d_out)
                source, receiver = network.scores[position]
                conv.lin.weight.copy_(weight.T), conv.bias.copy_(bias)
                (
                    conv.att_src.copy_(source.view_as(conv.att_src)),
                    conv.att_dst.copy_(receiver.view_as(conv.att_dst)),
                )
                h = conv(h, edges)
            elif model == "gin" and position % 2 == 0:
                h = nn.GINConv(lambda z, w=weight, b=bias: z @ w + b)(h, edges)
            else:
                h = h @ weight + bias
            if position < len(network.layers) - 1:
                h = torch.relu(h)
    return h.numpy()


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_logits_equal_torch_geometric_on_any_rows(model: str, sparse: bool) -> None:
    graph = two_blocks(sparse=sparse)
    network = base_network(graph, model, generator(0, "test")).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # biases too
            parameter += torch.from_numpy(
                generator(1, "test").normal(0, 0.1, parameter.shape).astype(np.float32)
            )
    expected = reference(graph, model, network)
    for rows in (np.arange(graph.n_nodes), np.array([0]), np.array([3, 17, 40])):
        np.testing.assert_allclose(
            network(*plan_rows(graph, network, rows)).detach(), expected[rows], atol=2e-5
        )


@pytest.mark.parametrize("model", MODELS)
def test_restricted_gradients_equal_those_of_the_whole_graph(model: str) -> None:
    graph = two_blocks()
    rows = np.array([5, 20, 33])
    gradients = []
    for restricted in (True, False):
        network = base_network(graph, model, generator(0, "test")).eval()
        logits = network(*plan_rows(graph, network, rows if restricted else np.arange(graph.n_nodes)))
        (logits if restricted else logits[torch.from_numpy(rows)]).pow(2).sum().backward()
        gradients.append([p.grad.numpy() for p in network.parameters()])
    for ours, whole in zip(*gradients):
        np.testing.assert_allclose(ours, whole, rtol=1e-3, atol=1e-4 * max(1, np.abs(whole).max()))


def test_a_plan_holds_no_more_than_the_neighbourhood() -> None:
    chain = GraphDataset(
        name="chain",
        given=np.zeros(100, int),
        class_names=("a",),
        x=np.eye(100)[:, :5],
        edge_index=np.array([np.arange(99), np.arange(1, 100)]),
    )
    plan = plan_rows(chain, base_network(chain, "gcn", generator(0, "test")), np.array([50]))
    assert [len(step.starts) for block in plan.blocks for step in block.steps] == [3, 1]
    assert len(plan.features) == 5, "the third hop is folded into the dense features"


def test_both_orders_of_multiplication_agree() -> None:
    rng = np.random.default_rng(0)
    step = sp.random_array((4, 30), density=0.2, rng=rng, format="csr")
    hidden = torch.from_numpy(rng.normal(size=(30, 8)).astype(np.float32))
    for width in (2, 64):
        weight = torch.from_numpy(rng.normal(size=(8, width)).astype(np.float32))
        expected = step @ (hidden @ weight).numpy()
        np.testing.assert_allclose(affine([as_sparse(step)], hidden, weight), expected, atol=1e-5)


def test_sparse_product_gradient_and_empty_rows() -> None:
    matrix = sp.csr_array(np.array([[0, 2.0, 0], [0, 0, 0], [1, 0, 3], [0, 0, 0]]))
    dense = torch.ones(3, 2, requires_grad=True)
    result = Product.apply(as_sparse(matrix), dense)
    np.testing.assert_array_equal(result.detach(), [[2, 2], [0, 0], [4, 4], [0, 0]])
    result.sum().backward()
    np.testing.assert_array_equal(dense.grad, [[1, 1], [2, 2], [3, 3]])
    nothing = Product.apply(as_sparse(sp.csr_array((2, 3))), torch.ones(3, 2))
    assert nothing.tolist() == [[0, 0], [0, 0]]


def test_dropout_halves_and_doubles() -> None:
    hidden = torch.linspace(-1, 1, 10_001).reshape(-1, 1).requires_grad_()
    out = _half_dropped(torch.relu(hidden), np.random.default_rng(0))
    kept = (out != 0).numpy().ravel()
    values = hidden.detach().numpy().ravel()
    assert not kept[values <= 0].any()
    assert abs(kept[values > 0].mean() - 0.5) < 0.03
    np.testing.assert_allclose(out.detach().numpy().ravel()[kept], 2 * values[kept])
    out.sum().backward()
    np.testing.assert_array_equal(hidden.grad.numpy().ravel(), 2.0 * kept)


@pytest.mark.parametrize("model", MODELS)
def test_every_network_learns_two_blocks(model: str) -> None:
    graph = two_blocks(isolated=0)
    train, val = masks(graph.n_nodes)
    best, last = train_node_classifier(
        graph, graph.given, train, val, model=model, epochs=60, lr=0.01, seed=0
    )
    for probs in (best, last):
        assert probs.shape == (60, 2)
        np.testing.assert_allclose(probs.sum(axis=1), 1)
        assert (probs.argmax(axis=1) == graph.given).mean() > (0.6 if model == "mlp" else 0.75)


def test_same_seed_same_numbers_and_nothing_global_changes() -> None:
    graph = two_blocks()
    train, val = masks(graph.n_nodes)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()  # noqa: NPY002
    first = train_node_classifier(graph, graph.given, train, val, epochs=5, seed=3)
    torch.rand(7)
    second = train_node_classifier(graph, graph.given, train, val, epochs=5, seed=3)
    other = train_node_classifier(graph, graph.given, train, val, epochs=5, seed=4)
    np.testing.assert_array_equal(first[1], second[1])
    assert np.abs(first[1] - other[1]).max() > 1e-4
    torch.set_rng_state(before[0])
    train_node_classifier(graph, graph.given, train, val, epochs=2, seed=3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert torch.get_num_threads() == before[2]


def test_only_labels_under_the_masks_count() -> None:
    graph = two_blocks()
    train, val = masks(graph.n_nodes)
    hidden = np.where(train | val, graph.given, -1)
    everything = train_node_classifier(graph, graph.given, train, val, epochs=4, seed=0)
    needed = train_node_classifier(graph, hidden, train, val, epochs=4, seed=0)
    np.testing.assert_array_equal(everything[0], needed[0])


def test_selection_is_the_best_epoch_on_validation() -> None:
    """With labels on validation that are all flipped, the chosen epoch is the worst one, not the last."""
    graph = two_blocks(isolated=0)
    train, val = masks(graph.n_nodes)
    labels = np.where(val, 1 - graph.given, graph.given)
    best, last = train_node_classifier(graph, labels, train, val, epochs=60, seed=0)
    right = [(probs.argmax(axis=1) == labels)[val].mean() for probs in (best, last)]
    assert right[0] > right[1]
    same, end = train_node_classifier(graph, labels, train, val, epochs=60, seed=0, select="last")
    np.testing.assert_array_equal(same, end)
    np.testing.assert_array_equal(end, last)


def test_refusals() -> None:
    graph = two_blocks()
    train, val = masks(graph.n_nodes)
    none = np.zeros(graph.n_nodes, bool)
    bare = replace(graph, x=np.zeros((graph.n_nodes, 0)))
    with pytest.raises(InputError, match="no node features"):
        train_node_classifier(bare, graph.given, train, val, seed=0)
    for arguments, options, words in (
        ((graph.given, none, val), {}, "No training node"),
        ((graph.given, train, none), {}, "No validation node"),
        ((graph.given, train[:5], val), {}, "60 booleans"),
        ((graph.given[:5], train, val), {}, "5 entries for 60 nodes"),
        ((graph.given, train, val), {"model": "gnc"}, "Choose one of: gat, gcn, gin, mlp, sgc"),
        ((graph.given, train, val), {"select": "test"}, "Unknown selection"),
        ((graph.given, train, val), {"epochs": 0}, "epochs is 0"),
    ):
        with pytest.raises(InputError, match=words):
            train_node_classifier(graph, *arguments, seed=0, **{"epochs": 2, **options})


def test_numbers_are_those_of_the_first_release() -> None:
    """20 epochs, seed 3, last epoch, nodes 0 and 7; the published GraphCleaner figures rest on these networks."""
    expected = {
        "gcn": (0.97877856, 0.28437659),
        "gin": (0.78206144, 0.0009166),
        "gat": (0.98982580, 0.17733572),
        "sgc": (0.66240345, 0.63082298),
        "mlp": (0.96138768, 0.33927548),
    }
    graph = two_blocks()
    train, val = masks(graph.n_nodes)
    for model, numbers in expected.items():
        _, last = train_node_classifier(graph, graph.given, train, val, model=model, epochs=20, seed=3)
        np.testing.assert_allclose(last[[0, 7], 0], numbers, atol=2e-5)
