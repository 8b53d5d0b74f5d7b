"""ERASE: robust node embeddings by coding rate reduction with labels denoised over the edges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.noise import Corruption
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError, as_rate, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.splits import Splits, split_info, split_labels

__all__ = [
    "ERASE_SEED",
    "PUBLISHED",
    "EraseConfig",
    "erase_protocol",
    "lazy_walk",
    "semantic_labels",
    "train_erase",
]

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Seed of the corruption in the published experiments.
ERASE_SEED = 123


@dataclass(frozen=True, kw_only=True)
class EraseConfig:
    """Hyper-parameters of ERASE.

    Attributes
    ----------
    expansion : float
        Weight gamma of the coding rate of all nodes.
    eps : float
        Squared distortion of the coding rates.
    alpha : float
        Weight of a node's own label in a step of the walk.
    beta : float
        Weight of the labels against the similarity to prototypes.
    steps : int
        T, steps of the walk.
    hidden, width, heads, dropout
        Of the network.
    lr, weight_decay : float
        Of Adam (amsgrad).
    epochs, patience : int
        Most epochs, and epochs without a better validation accuracy before the end.
    evaluate_every : int
        Epochs from one evaluation to the next; published: 1.
    """

    expansion: float = 2.0
    eps: float = 0.05
    alpha: float = 0.6
    beta: float = 0.6
    steps: int = 5
    hidden: int = 256
    width: int = 512
    heads: int = 8
    dropout: float = 0.5
    lr: float = 1e-3
    weight_decay: float = 5e-4
    epochs: int = 400
    patience: int = 150
    evaluate_every: int = 1

    def __post_init__(self) -> None:
        if self.eps <= 0 or not 0 <= self.alpha <= 1 or not 0 <= self.beta <= 1:
            raise InputError(
                f"eps is {self.eps}, alpha {self.alpha}, beta {self.beta}; eps must be above 0, alpha and beta in 0 to 1."
            )
        if min(self.epochs, self.patience, self.evaluate_every, self.width, self.heads) < 1 or self.steps < 0:
            raise InputError(
                "epochs, patience, evaluate_every, width and heads must be at least 1 and steps at least 0."
            )
        if self.hidden % self.heads:
            raise InputError(f"hidden is {self.hidden}, no multiple of {self.heads} heads.")


#: Published settings per data set (those of ogbn-arxiv use another label propagation and are not among them).
PUBLISHED: Mapping[str, EraseConfig] = {
    "Cora": EraseConfig(),
    "CiteSeer": EraseConfig(eps=0.4, beta=0.7, steps=4),
    "PubMed": EraseConfig(expansion=3.0, steps=3),
    "CoraFull": EraseConfig(eps=0.01, alpha=0.7, beta=0.7, steps=2),
}


def erase_protocol(
    dataset: GraphDataset, kind: str, rate: float, seed: int = ERASE_SEED, *, nodes: str = "train"
) -> Corruption:
    """The noise of the ERASE experiments: training nodes only, each label drawn on its own.

    Parameters
    ----------
    dataset : GraphDataset
    kind : {"symmetric", "asymmetric"}
        Any other class, or for each class one other class that is drawn once.
    rate : float
        Probability that a label is wrong; the realised rate is random.
    seed : int
        Of numpy's legacy generator; published: 123.
    nodes : str
        Split whose labels are drawn.

    Returns
    -------
    Corruption

    Raises
    ------
    InputError
        Unknown kind or split, fewer than two classes, rate out of range.

    Notes
    -----
    Which node gets which draw follows from the order of calls: here one other class for each class in turn
    (asymmetric), then one class per node in the order of their numbers. On Cora's 140 training nodes this has the
    rates of the published draws (0.3 asked): 20.0 % symmetric, 25.0 % asymmetric.

    References
    ----------
    Chen et al. 2024, ERASE.

    Examples
    --------
    >>> graph = GraphDataset(name="forty", given=np.repeat([0, 1], 20), class_names=("a", "b"), x=np.eye(40),
    ...     edge_index=np.zeros((2, 0), dtype=int), masks={"train": np.arange(40) < 30})
    >>> noise = erase_protocol(graph, "symmetric", 0.3)
    >>> np.flatnonzero(noise.changed)
    array([ 4,  6, 11, 15, 27, 28])
    """
    from labelnoise.core.noise import compare_labels, symmetric_transition

    choose(kind, ("symmetric", "asymmetric"), "kind of ERASE noise")
    rate, k = as_rate(rate), dataset.n_classes
    if nodes not in dataset.masks:
        raise InputError(
            f"{dataset.name!r} has no split {nodes!r}; it has: {', '.join(dataset.masks) or 'none'}."
        )
    if k < 2:
        raise InputError("Labels have one class; a wrong label needs another.")
    draw = np.random.RandomState(seed)
    if kind == "symmetric":
        transition = symmetric_transition(k, rate)
    else:
        transition = np.eye(k) * (1 - rate)
        for c in range(k):
            transition[c, draw.choice(np.delete(np.arange(k), c))] = rate
    given = dataset.given.copy()
    for node in np.flatnonzero(np.asarray(dataset.masks[nodes]) & dataset.labelled):
        given[node] = draw.choice(k, p=transition[given[node]])
    return compare_labels(dataset.given, given, transition=transition)


def lazy_walk(adjacency: Any, values: Matrix, *, own: float, steps: int) -> Matrix:
    """``Y <- (1 - own) A D^-1 Y + own Y``, ``steps`` times; a node without edges is scaled by ``own`` each time.

    Parameters
    ----------
    adjacency : sparse matrix of shape (n, n)
    values : ndarray, shape (n, K)
    own : float
        Weight of a node's own row, 0 to 1.
    steps : int

    Examples
    --------
    >>> pair = sp.csr_array(np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    >>> lazy_walk(pair, np.eye(3)[:, [0, 2]], own=0.75, steps=1)
    array([[0.75, 0.  ],
           [0.25, 0.  ],
           [0.  , 0.75]])
    """
    walk = _walk(adjacency, own)
    result = np.asarray(values, dtype=np.float64)
    for _ in range(steps):
        result = walk @ result
    return result


def _walk(adjacency: Any, own: float) -> sp.csr_array:
    """``(1 - own) A D^-1 + own I``."""
    columns = np.asarray(adjacency.sum(axis=0)).ravel()
    scale = np.divide(1 - own, columns, out=np.zeros(len(columns)), where=columns > 0)
    return sp.csr_array(adjacency @ sp.diags_array(scale) + own * sp.eye_array(len(columns)))


def semantic_labels(z: Matrix, soft: Matrix, train: Labels, *, beta: float) -> Matrix:
    """Softmax of ``beta * soft + (1 - beta) |cos(z, prototype)|`` for all nodes, shape (n, K).

    A class's prototype is the mean embedding of the training nodes whose soft label is highest for it; a class
    without any has no similarity to anyone.

    Parameters
    ----------
    z : ndarray, shape (n, d)
    soft : ndarray, shape (n, K)
    train : ndarray of int, shape (m,)
        Row numbers.
    beta : float
        0 to 1.
    """
    k = soft.shape[1]
    member = np.zeros((len(train), k), dtype=z.dtype)
    member[np.arange(len(train)), soft[train].argmax(axis=1)] = 1
    means = member.T @ z[train] / np.maximum(member.sum(axis=0), 1)[:, None]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    length = np.maximum(np.sqrt(np.einsum("ij,ij->i", z, z)), 1e-12)[:, None]
    # both parts lie in 0 to 1, so no exponential can be too large
    share = np.exp(beta * soft + (1 - beta) * np.abs(z @ means.T / length))
    return share / share.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def train_erase(
    dataset: GraphDataset,
    seed: int,
    *,
    config: EraseConfig | None = None,
    splits: Splits | None = None,
    validation_labels: Literal["auto", "clean", "noisy"] = "auto",
    select: Literal["best", "last"] = "best",
    **changes: Any,
) -> Trained:
    """Embeddings by coding rate reduction on labels denoised over the edges, a logistic regression on top.

    Labels of training nodes are smoothed over the edges among them, once. In each epoch the embeddings' similarity
    to class prototypes joins them, a walk over all edges follows, and the most likely classes of all nodes shape
    the embeddings by the coding-rate loss. A logistic regression on the embeddings of the training nodes, with
    those classes for targets, predicts.

    Parameters
    ----------
    dataset : GraphDataset
        With features. Labels of nodes outside the splits are not looked at.
    seed : int
        Of weights and dropout, and of splits where there are none.
    config : EraseConfig, optional
        By default the published one for the dataset's name, or that for Cora.
    splits : mapping of str to ndarray of bool, optional
        "train", "validation", "test"; by default `labelnoise.graph.splits.node_splits`.
    validation_labels : str
        Which labels of the validation nodes choose the epoch: ``"clean"`` (published), ``"noisy"``, or ``"auto"``:
        clean ones where ``dataset.true`` is known, else noisy ones. `Trained.selected_by` says which.
    select : str
        ``"best"``: the epoch with the highest validation accuracy; ``"last"``, as without validation nodes.
    **changes
        Single fields of the configuration, such as ``epochs=100``.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        No features, no labelled training node, clean selection without true labels, options out of range.

    Notes
    -----
    Time per epoch O(m d + n d^2 + K d^3), d the width, m the edges; the loss needs O(d^2) memory beside the embeddings.

    References
    ----------
    Chen et al. 2024, ERASE: Error-resilient representation learning on graphs (arXiv 2312.08852).

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> result = train_erase(papers(300), 0, hidden=16, width=12, epochs=3)
    >>> result.selected_by, [entry["epoch"] for entry in result.history]
    ('clean validation accuracy', [0, 1, 2])
    """
    import torch

    from labelnoise.core.threads import one_thread
    from labelnoise.graph.erase_head import classify
    from labelnoise.graph.erase_loss import coding_rate_loss
    from labelnoise.graph.erase_network import ErasedGAT

    started = time.process_time()
    config = _configured(config or PUBLISHED.get(dataset.name, EraseConfig()), changes)
    choose(select, ("best", "last"), "selection")
    choose(validation_labels, ("auto", "clean", "noisy"), "kind of validation labels")
    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; ERASE needs some.")
    if validation_labels == "auto":
        validation_labels = "noisy" if dataset.true is None else "clean"
    labels = split_labels(dataset, splits, validation_labels if select == "best" else "noisy", seed)[1]
    train = np.flatnonzero(labels["train"] >= 0)
    judge = labels.get("validation", np.full(dataset.n_nodes, NO_LABEL))
    val = np.flatnonzero(judge >= 0) if select == "best" else np.zeros(0, dtype=np.int64)
    n, k = dataset.n_nodes, dataset.n_classes
    soft = np.zeros((n, k))
    soft[train, dataset.given[train]] = 1.0
    inside = sp.diags_array(np.isin(np.arange(n), train).astype(float))
    soft = lazy_walk(inside @ dataset.adjacency @ inside, soft, own=config.alpha, steps=config.steps)
    walk = _walk(dataset.adjacency, config.alpha)
    best, kept, chosen, history = -1.0, np.zeros((n, k)), 0, []
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "erase").integers(2**62)))
        network = ErasedGAT(
            dataset, hidden=config.hidden, width=config.width, heads=config.heads, dropout=config.dropout,
            features=_unit_sum(dataset.x),
        )  # fmt: skip
        optimiser = torch.optim.Adam(
            network.parameters(), lr=config.lr, weight_decay=config.weight_decay, amsgrad=True, fused=True
        )
        for epoch in range(config.epochs):
            network.train()
            z = network()
            mixed = semantic_labels(z.detach().numpy(), soft, train, beta=config.beta)
            for _ in range(config.steps):
                mixed = walk @ mixed
            hard = mixed.argmax(axis=1)
            loss = coding_rate_loss(
                z, torch.from_numpy(hard), n_classes=k, eps=config.eps, expansion=config.expansion
            )
            if not torch.isfinite(loss):
                raise InputError(f"ERASE diverged in epoch {epoch}; lower lr or raise eps.")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            entry: dict[str, Any] = {"epoch": epoch, "loss": float(loss.detach())}
            history.append(entry)
            final = epoch == config.epochs - 1
            if not final and (len(val) == 0 or epoch % config.evaluate_every):
                continue
            network.eval()
            if len(val) == 0:
                kept, chosen = classify(network, hard[train], train, np.arange(n), k), epoch
                continue
            # other nodes wait until the epoch has proven the best so far: most never are
            guess = classify(network, hard[train], train, val, k).argmax(axis=1)
            accuracy = entry["validation"] = float((guess == judge[val]).mean())
            if accuracy > best:
                best, chosen = accuracy, epoch
                kept = classify(network, hard[train], train, np.arange(n), k)
            elif epoch - chosen >= config.patience:
                break
    return Trained(
        method="erase",
        predicted=kept.argmax(axis=1).astype(np.int64),
        probs=kept,
        history=tuple(history),
        selected_by=f"{validation_labels} validation accuracy" if len(val) else "last epoch",
        chosen=chosen,
        info={
            **asdict(config),
            **split_info(splits, seed),
            "seed": seed,
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )


def _configured(config: EraseConfig, changes: Mapping[str, Any]) -> EraseConfig:
    for name in changes:
        choose(name, [field.name for field in fields(EraseConfig)], "option of ERASE")
    return replace(config, **changes)


def _unit_sum(x: Any) -> Any:
    """Rows divided by their sum where it is above 1, as in the published preprocessing."""
    total = np.maximum(np.asarray(x.sum(axis=1), dtype=np.float64).ravel(), 1.0)
    if sp.issparse(x):
        return sp.csr_array(sp.diags_array(1 / total) @ x)
    return x / total[:, None]
