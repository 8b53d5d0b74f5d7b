"""ERASE against direct formulas, on a tiny graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.erase import (
    PUBLISHED,
    EraseConfig,
    erase_protocol,
    lazy_walk,
    semantic_labels,
    train_erase,
)

torch = pytest.importorskip("torch")

FAST = EraseConfig(hidden=16, width=12, heads=4, epochs=12, patience=12, evaluate_every=4, lr=1e-2)


def communities(*, sparse: bool = True, n_classes: int = 3) -> GraphDataset:
    """Three groups of 20 joined within, a word of its own per group and noise; one isolated node."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 20)
    pairs = [
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if rng.random() < (0.3 if group[i] == group[j] else 0.02) and 59 not in (i, j)
    ]
    x = (rng.random((60, 30)) < 0.1).astype(float)
    for c in range(3):
        x[group == c, 3 * c : 3 * c + 3] = rng.random((20, 3)) < 0.6
    train = np.arange(60) % 20 < 8
    given = group.copy()
    given[[0, 21, 42]] = [1, 2, 0]
    return GraphDataset(
        name="communities",
        given=given,
        true=group,
        class_names=tuple("abcd")[:n_classes],
        x=sp.csr_array(x) if sparse else x,
        edge_index=np.array(pairs).T,
        masks={"train": train, "val": (np.arange(60) % 20 >= 8) & (np.arange(60) % 20 < 12)},
    )


def direct_loss(z: Any, labels: Any, k: int, eps: float, expansion: float) -> Any:
    n, d = z.shape
    one = torch.eye(d, dtype=z.dtype)
    total = -expansion / 2 * torch.logdet(one + d / (n * eps) * z.T @ z)
    for c in range(k):
        rows = z[labels == c]
        total = total + len(rows) / (2 * n) * torch.logdet(one + d / (len(rows) + 1e-8) / eps * rows.T @ rows)
    return total


@pytest.mark.parametrize("width", [4, 40], ids=["more rows than columns", "fewer"])
def test_loss_and_gradient_equal_the_dense_formula_and_an_empty_class_adds_nothing(width: int) -> None:
    from labelnoise.graph.erase_loss import coding_rate_loss

    rng = np.random.default_rng(1)
    z = torch.tensor(rng.normal(size=(30, width)), requires_grad=True)
    labels = torch.tensor(rng.choice([0, 1, 1, 1, 3], 30))
    fast = coding_rate_loss(z, labels, n_classes=5, eps=0.3, expansion=2.0)
    slow = direct_loss(z, labels, 5, 0.3, 2.0)
    assert fast.item() == pytest.approx(slow.item(), rel=1e-9)
    (3 * fast).backward()
    (expected,) = torch.autograd.grad(3 * slow, z)
    np.testing.assert_allclose(z.grad, expected, atol=1e-10)


def test_walk_is_column_normalised_and_lazy() -> None:
    graph = communities()
    dense = graph.adjacency.toarray()
    degree = dense.sum(axis=0)
    walk = np.divide(dense, degree, out=np.zeros_like(dense), where=degree > 0)
    values = np.random.default_rng(0).random((60, 3))
    expected = values
    for _ in range(4):
        expected = 0.4 * walk @ expected + 0.6 * expected
    np.testing.assert_allclose(lazy_walk(graph.adjacency, values, own=0.6, steps=4), expected)
    np.testing.assert_allclose(expected[59], 0.6**4 * values[59])


def test_semantic_labels_match_a_loop_and_survive_a_class_without_members() -> None:
    rng = np.random.default_rng(2)
    z, train = rng.random((9, 4)), np.array([0, 2, 3, 5, 8])
    soft = np.zeros((9, 3))
    soft[train, [0, 1, 1, 0, 0]] = 0.7
    logits = 0.6 * soft
    for c, members in enumerate(([0, 5, 8], [2, 3])):
        centre = z[members].mean(axis=0)
        for i in range(9):
            logits[i, c] += 0.4 * abs(z[i] @ centre) / np.linalg.norm(z[i]) / np.linalg.norm(centre)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(semantic_labels(z, soft, train, beta=0.6), expected)


@pytest.mark.parametrize("sparse", [True, False])
def test_network_equals_attention_written_out_and_its_gradient_is_right(sparse: bool) -> None:
    from labelnoise.graph.erase_network import ErasedGAT

    graph = communities(sparse=sparse)
    torch.manual_seed(0)
    network = ErasedGAT(graph, hidden=8, width=6, heads=2, dropout=0.5).eval()
    for bias in (network.bias1, network.bias2):
        bias.data.uniform_(-0.1, 0.1)
    x = torch.tensor(graph.x.toarray() if sparse else graph.x, dtype=torch.float32)
    mask = torch.tensor(graph.adjacency.toarray() + np.eye(60)) > 0

    def attention(values: Any, scores: Any) -> Any:
        raw = torch.nn.functional.leaky_relu(
            (values @ scores[0])[None, :] + (values @ scores[1])[:, None], 0.2
        )
        return torch.where(mask, raw, -torch.inf).softmax(1) @ values

    def direct() -> Any:
        values = x @ network.weight1
        parts = [attention(values[:, 4 * h : 4 * h + 4], network.score1[:, h]) for h in range(2)]
        h = torch.nn.functional.leaky_relu(torch.cat(parts, 1) + network.bias1, 0.01)
        h = h / h.abs().sum(1, keepdim=True)
        z = attention(h @ network.weight2, network.score2[:, 0]) + network.bias2
        return (z / z.abs().sum(1, keepdim=True)).relu()

    torch.testing.assert_close(network(), direct())
    target = torch.rand(60, 6)
    found = torch.autograd.grad((network() * target).sum(), list(network.parameters()))
    expected = torch.autograd.grad((direct() * target).sum(), list(network.parameters()))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_noise_stays_in_the_training_nodes_and_follows_its_map() -> None:
    graph = communities().with_labels(communities().true, true=communities().true)
    noise = erase_protocol(graph, "asymmetric", 0.5, seed=3)
    assert noise.changed.any()
    assert not noise.changed[~graph.masks["train"]].any()
    assert (noise.transition[graph.given, noise.labels] > 0).all()
    np.testing.assert_array_equal(noise.labels, erase_protocol(graph, "asymmetric", 0.5, seed=3).labels)


@pytest.mark.parametrize(("n_classes", "width"), [(4, 40), (4, 6), (2, 40)])
def test_the_regression_is_that_of_scikit_learn(n_classes: int, width: int) -> None:
    from sklearn.linear_model import LogisticRegression

    from labelnoise.graph.erase_head import classify

    rng = np.random.default_rng(0)
    z = rng.random((30, width)).astype(np.float32) ** 3
    train, labels = np.arange(20), rng.choice(np.arange(n_classes) + 1, 20)

    def network(nodes: Any) -> Any:
        return torch.from_numpy(z)[nodes]

    found = classify(network, labels, train, np.arange(30), n_classes + 1)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    expected = LogisticRegression(max_iter=1000, tol=1e-7).fit(unit[:20], labels).predict_proba(unit)
    np.testing.assert_allclose(found[:, 1:], expected, atol=2e-3)
    assert (found[:, 0] == 0).all()


def test_training_learns_repeats_and_keeps_the_global_state() -> None:
    graph = communities()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again = train_erase(graph, 1, config=FAST), train_erase(graph, 1, config=FAST)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(first.probs, again.probs)
    assert not np.array_equal(first.probs, train_erase(graph, 2, config=FAST).probs)
    assert (first.predicted == graph.true).mean() > 0.8
    assert first.selected_by == "clean validation accuracy"
    judged = [row["validation"] for row in first.history if "validation" in row]
    assert len(judged) == 4
    assert max(judged) == first.history[first.chosen]["validation"]


def test_labels_outside_the_masks_change_nothing() -> None:
    graph = communities()
    other = graph.given.copy()
    hidden = ~(graph.masks["train"] | graph.masks["val"])
    other[hidden] = -1
    masked = graph.with_labels(other, true=graph.true)
    for options in ({"validation_labels": "noisy"}, {"select": "last"}):
        one, two = (train_erase(g, 0, config=FAST, **options) for g in (graph, masked))
        np.testing.assert_array_equal(one.probs, two.probs)


def test_what_chose_the_epoch_is_said() -> None:
    graph = communities()
    unknown = replace(graph, true=None)
    assert train_erase(unknown, 0, config=FAST).selected_by == "noisy validation accuracy"
    last = train_erase(graph, 0, config=FAST, select="last")
    assert (last.selected_by, last.chosen) == ("last epoch", 11)
    only = {"train": graph.masks["train"]}
    assert train_erase(graph, 0, config=FAST, splits=only, epochs=2).selected_by == "last epoch"


def test_a_class_without_a_training_node_survives() -> None:
    graph = communities(n_classes=4)
    assert train_erase(graph, 0, config=FAST).probs[:, 3].max() < 0.5


def test_refusals() -> None:
    graph = communities()
    unknown = replace(graph, true=None)
    with pytest.raises(InputError, match="true"):
        train_erase(unknown, 0, config=FAST, validation_labels="clean")
    with pytest.raises(InputError, match="No training node"):
        train_erase(graph, 0, config=FAST, splits={"train": np.zeros(60, dtype=bool)})
    with pytest.raises(InputError, match="multiple"):
        EraseConfig(hidden=30)
    with pytest.raises(InputError, match="option of ERASE"):
        train_erase(graph, 0, width_of_it=3)


def test_configuration_file_holds_the_published_settings() -> None:
    import tomllib

    file = Path(__file__).parents[2] / "experiments/erase2024_erase_planetoid.toml"
    settings = tomllib.loads(file.read_text())
    for name, config in PUBLISHED.items():
        assert EraseConfig(**settings["options"], **settings["dataset"][name]) == config


def test_published_rates_on_cora(real_data: Path) -> None:
    from labelnoise.graph.data import load_graph

    graph = load_graph("Cora", root=real_data / "graph")
    train = graph.masks["train"]
    rates = [erase_protocol(graph, kind, 0.3).changed[train].mean() for kind in ("symmetric", "asymmetric")]
    assert rates == [pytest.approx(0.2), pytest.approx(0.25)]
