"""Training that survives wrong labels of nodes, by name: ``f(dataset, seed, **options) -> GraphTraining``.

Accuracies in the entries are means over five draws of noise on training and validation nodes (30% symmetric / 30% by a
random map of classes), public splits, test labels clean, at the epoch that the noisy validation labels chose:
"Cora s / a, CiteSeer s / a". Measured by ``experiments/graph_training.py``. A plain GCN has @plain-gcn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.training import STRATEGIES
from labelnoise.core.validation import InputError, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.propagation import gcn_adjacency, symmetric_adjacency
from labelnoise.graph.training_result import GraphTraining

if TYPE_CHECKING:
    from labelnoise.core.training.strategy import Strategy

__all__ = [
    "GRAPH_TRAINERS",
    "propagate_labels",
    "train_curriculum",
    "train_graph",
    "train_neighbour_relabel",
    "train_network",
    "train_sgc",
]

Splits = Mapping[str, NDArray[np.bool_]]
#: The published setting of citation graphs (Kipf & Welling 2017; NoisyGL, Wang et al. 2024).
_CONFIG: Mapping[str, Any] = {"epochs": 200, "lr": 0.01, "weight_decay": 5e-4, "device": "cpu"}


def train_graph(
    dataset: GraphDataset, method: str = "plain-gcn", seed: int = 0, **options: Any
) -> GraphTraining:
    """Train by name.

    Parameters
    ----------
    dataset : GraphDataset
    method : str
        Of `GRAPH_TRAINERS`.
    seed : int
    **options
        Of the trainer.

    Raises
    ------
    InputError
        An unknown trainer, options or data that do not fit it.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> result = train_graph(papers(300), "label-propagation")
    >>> result.method, result.probs.shape, result.selected_by
    ('label-propagation', (300, 7), 'noisy validation accuracy')
    """
    from dataclasses import replace

    entry = GRAPH_TRAINERS[method]
    for key in options:
        if key in entry.options:
            raise InputError(f"The trainer {method!r} fixes {key!r}; choose another trainer to change it.")
    result: GraphTraining = entry.load()(dataset, seed, **{**entry.options, **options})
    return replace(result, method=method)


def train_network(
    dataset: GraphDataset,
    seed: int,
    *,
    strategy: str | Strategy = "plain",
    parameters: Mapping[str, Any] | None = None,
    network: str = "gcn",
    network_options: Mapping[str, Any] | None = None,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
    normalise: bool = True,
    **config: Any,
) -> GraphTraining:
    """A graph network under any strategy of the core.

    Parameters
    ----------
    dataset : GraphDataset
    seed : int
        Of weights and draws, and of splits where there are none.
    strategy : str or Strategy
        Of `labelnoise.core.training.STRATEGIES`.
    parameters : mapping, optional
        Of the strategy. A strategy by name warms up for a quarter of the epochs unless ``warmup`` is given: an epoch
        is a single step here, and the strategies' own defaults count epochs of many.
    network, network_options, splits, validation_labels, normalise
        Of `labelnoise.graph.gnn_task.GraphTask`.
    **config
        Of `labelnoise.core.training.config.TrainConfig`; by default 200 epochs, learning rate .01, weight decay
        5e-4, on the CPU.

    Returns
    -------
    GraphTraining

    Raises
    ------
    InputError
        Options that do not fit, no training labels, no features.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> result = train_network(papers(300), 0, strategy="elr", epochs=5)
    >>> result.method, len(result.history), result.selected_by
    ('gcn+elr', 5, 'noisy validation accuracy')
    """
    from labelnoise.core.training.loop import train
    from labelnoise.core.training.result import combine
    from labelnoise.graph.gnn_task import GraphTask
    from labelnoise.graph.models import one_thread

    task = GraphTask(
        dataset,
        network=network,
        network_options=network_options,
        splits=splits,
        validation_labels=validation_labels,
        normalise=normalise,
        seed=seed,
    )
    made = _config(seed, config)
    chosen = dict(parameters or {})
    if isinstance(strategy, str):
        chosen = {**_for_single_steps(strategy, made.epochs), **chosen}
    with one_thread():
        result = train(task, strategy, made, **chosen)
        everything = task.everything()
        outputs = [task.forward(model, everything).logits.detach().float() for model in result.models]
        probs = combine(outputs, False).double().softmax(1).numpy()
    return GraphTraining(
        method=f"{network}+{result.strategy}",
        predicted=probs.argmax(axis=1),
        probs=probs,
        history=result.history,
        selected_by=result.selected_by,
        chosen=result.epoch,
    )


def train_neighbour_relabel(
    dataset: GraphDataset,
    seed: int,
    *,
    neighbours: int = 3,
    least: float = 0.3,
    parameters: Mapping[str, Any] | None = None,
    splits: Splits | None = None,
    **options: Any,
) -> GraphTraining:
    """Edges from training nodes to nodes alike, pseudo labels for confident nodes, contradicted labels replaced.

    Parameters
    ----------
    dataset, seed, splits
        As in `train_network`.
    neighbours, least
        Of `labelnoise.graph.neighbour_relabel.with_similar_edges`; with ``neighbours=0`` the graph stays as it is.
    parameters : mapping, optional
        Of `labelnoise.graph.neighbour_relabel.NeighbourRelabel`.
    **options
        Others of `train_network`.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> train_neighbour_relabel(papers(300), 0, epochs=5).history[-1]["pseudo_labels"]
    0
    """
    from labelnoise.graph.gnn_task import node_splits
    from labelnoise.graph.neighbour_relabel import NeighbourRelabel, with_similar_edges

    used = node_splits(dataset, seed) if splits is None else splits
    made = _strategy(NeighbourRelabel, parameters)
    if neighbours and dataset.x.shape[1] and "train" in used:
        dataset = with_similar_edges(dataset, used["train"], neighbours=neighbours, least=least)
    return train_network(dataset, seed, strategy=made, splits=used, **options)


def train_curriculum(
    dataset: GraphDataset, seed: int, *, parameters: Mapping[str, Any] | None = None, **options: Any
) -> GraphTraining:
    """Nodes whose neighbourhood agrees with their label first, the others later.

    Parameters
    ----------
    dataset, seed
        As in `train_network`.
    parameters : mapping, optional
        Of `labelnoise.graph.curriculum.Curriculum`.
    **options
        Others of `train_network`.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> result = train_curriculum(papers(300), 0, epochs=6, parameters={"warmup": 2, "full_after": 3})
    >>> [round(epoch["kept"], 2) for epoch in result.history]
    [1.0, 1.0, 0.5, 0.63, 0.8, 1.0]
    """
    from labelnoise.graph.curriculum import Curriculum

    return train_network(dataset, seed, strategy=_strategy(Curriculum, parameters), **options)


def train_sgc(
    dataset: GraphDataset,
    seed: int,
    *,
    inverse_penalties: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0),
    hops: int = 2,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
) -> GraphTraining:
    """Logistic regression on smoothed features; the penalty is chosen on the validation split.

    Parameters
    ----------
    dataset : GraphDataset
        With features.
    seed : int
        Of splits where there are none; nothing else is drawn.
    inverse_penalties : tuple of float
        Candidates, above 0. The middle one is used where there is no validation split.
    hops : int
        From 1.
    splits, validation_labels
        As in `train_network`.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> [entry["inverse_penalty"] for entry in train_sgc(papers(300), 0).history]
    [0.3, 1.0, 3.0, 10.0, 30.0]
    """
    from sklearn.preprocessing import maxabs_scale, normalize

    from labelnoise.graph.sgc import SmoothedLogistic

    if dataset.x.shape[1] == 0:
        raise InputError("The graph has no node features; use 'label-propagation', which needs none.")
    if hops < 1 or not inverse_penalties or min(inverse_penalties) <= 0:
        raise InputError(
            f"hops is {hops} and inverse_penalties {inverse_penalties}; at least 1, and numbers above 0, are needed."
        )
    train, validation = _targets(dataset, splits, validation_labels, seed)
    features: Any = normalize(maxabs_scale(dataset.x.astype(np.float64)))
    smooth = gcn_adjacency(dataset.adjacency)
    rows = np.flatnonzero(train >= 0)
    if len(np.unique(train[rows])) < 2:
        raise InputError("The training labels name one class only; a classifier needs at least two.")
    candidates = []
    for penalty in inverse_penalties:
        model = SmoothedLogistic(features, smooth, hops=hops, inverse_penalty=penalty).fit(rows, train[rows])
        probs = np.zeros((dataset.n_nodes, dataset.n_classes))
        probs[:, model.classes_] = model.predict_proba(np.arange(dataset.n_nodes))
        candidates.append(({"inverse_penalty": penalty}, probs))
    return _best("sgc-lr", candidates, validation, validation_labels)


def propagate_labels(
    dataset: GraphDataset,
    seed: int,
    *,
    alphas: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95, 0.99),
    steps: int = 50,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
) -> GraphTraining:
    """Training labels spread along edges; how far is chosen on the validation split.

    Parameters
    ----------
    dataset : GraphDataset
        Features are not looked at.
    seed : int
        Of splits where there are none; nothing else is drawn.
    alphas : tuple of float
        Candidates for the share that comes from neighbours, from 0 to below 1. The middle one is used where there
        is no validation split.
    steps : int
        From 1.
    splits, validation_labels
        As in `train_network`.

    Notes
    -----
    A node that no label reaches gets the shares of classes among the training labels.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> graph = papers(600, noise_rate=0.0)
    >>> round(propagate_labels(graph, 0).accuracy(graph.given), 2) > 0.7
    True
    """
    if steps < 1 or not alphas or min(alphas) < 0 or max(alphas) >= 1:
        raise InputError(
            f"steps is {steps} and alphas {alphas}; at least 1, and shares from 0 to below 1, are needed."
        )
    train, validation = _targets(dataset, splits, validation_labels, seed)
    start = np.zeros((dataset.n_nodes, dataset.n_classes))
    known = train >= 0
    start[known, train[known]] = 1.0
    shares = start.sum(axis=0) / known.sum()
    matrix = symmetric_adjacency(dataset.adjacency)
    candidates = []
    for alpha in alphas:
        spread = start
        for _ in range(steps):
            spread = alpha * (matrix @ spread) + (1 - alpha) * start
        total = spread.sum(axis=1, keepdims=True)
        probs = np.where(total > 0, spread / np.where(total > 0, total, 1.0), shares)
        candidates.append(({"alpha": alpha}, probs))
    return _best("label-propagation", candidates, validation, validation_labels)


def _config(seed: int, config: Mapping[str, Any]) -> Any:
    from dataclasses import fields

    from labelnoise.core.training.config import TrainConfig

    known = [field.name for field in fields(TrainConfig) if field.name != "seed"]
    for key in config:
        choose(key, known, "setting of the training")
    return TrainConfig(**{**_CONFIG, **config, "seed": seed})


def _for_single_steps(strategy: str, epochs: int) -> dict[str, Any]:
    """Options of a strategy where an epoch is one step."""
    from labelnoise.core.training import get_strategy

    if strategy == "late_stopping":
        # Its warm-up is that of every round, and a round has to last until most labels are learnt.
        return {"runs": (1, 2, 3), "patience": max(epochs // 4, 1)}
    return {"warmup": max(epochs // 4, 1)} if "warmup" in get_strategy(strategy).options() else {}


def _strategy(kind: type[Any], parameters: Mapping[str, Any] | None) -> Any:
    from dataclasses import fields

    for key in parameters or {}:
        choose(key, [field.name for field in fields(kind)], f"option of {kind.__name__}")
    return kind(**dict(parameters or {}))


def _targets(
    dataset: GraphDataset, splits: Splits | None, validation_labels: str, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of training and of validation nodes, -1 elsewhere."""
    from labelnoise.graph.gnn_task import split_labels

    labels = split_labels(dataset, splits, validation_labels, seed)[1]
    return labels["train"], labels.get("validation", np.full(dataset.n_nodes, -1))


def _best(
    method: str,
    candidates: list[tuple[dict[str, Any], NDArray[np.float64]]],
    validation: NDArray[np.int64],
    validation_labels: str,
) -> GraphTraining:
    """The candidate that is right most often on the validation split, the first of equals."""
    known = validation >= 0
    history = [entry for entry, _ in candidates]
    if known.any():
        scores = [float((probs.argmax(axis=1) == validation)[known].mean()) for _, probs in candidates]
        chosen = int(np.argmax(scores))
        history = [{**entry, "validation": score} for entry, score in zip(history, scores)]
        selected_by = f"{validation_labels} validation accuracy"
    else:
        chosen, selected_by = len(candidates) // 2, "the middle setting"
    probs = candidates[chosen][1]
    return GraphTraining(
        method=method,
        predicted=probs.argmax(axis=1),
        probs=probs,
        history=tuple(history),
        selected_by=selected_by,
        chosen=chosen,
    )


_HERE = "labelnoise.graph.train_methods:"

#: Ways to train on a graph, by name.
GRAPH_TRAINERS = Registry("trainer")


#: What each strategy is good and bad for on graphs.
_ON_GRAPHS: Mapping[str, tuple[str, str]] = dict.fromkeys(STRATEGIES, ("", ""))


def _entries() -> list[Entry]:
    """A GCN under each strategy of the core."""
    made = []
    for name, strategy in STRATEGIES.items():
        helps, hurts = _ON_GRAPHS[name]
        made.append(
            Entry(
                "plain-gcn" if name == "plain" else f"gcn+{name}",
                _HERE + "train_network",
                strategy.summary if name != "plain" else "A graph convolutional network, all labels alike.",
                strategy.source
                if name != "plain"
                else "Kipf, Welling 2017, Semi-supervised classification with graph convolutional networks, ICLR",
                formula=strategy.formula,
                helps=helps,
                hurts=hurts,
                options={"strategy": name},
            )
        )
    return made


GRAPH_TRAINERS.add(
    *_entries(),
    Entry(
        "sgc-lr",
        _HERE + "train_sgc",
        "Logistic regression on features smoothed over two steps, penalty by validation.",
        "Wu et al. 2019, Simplifying graph convolutional networks, ICML, equation 8",
        formula="p = softmax(S^2 X B + b), |B|^2 / (2 C n)",
        helps="",
        hurts="",
    ),
    Entry(
        "label-propagation",
        _HERE + "propagate_labels",
        "Labels spread along edges, how far by validation; no features, no network.",
        "Zhou et al. 2004, Learning with local and global consistency, NeurIPS, equation 4",
        formula="F <- alpha D^-1/2 A D^-1/2 F + (1 - alpha) Y",
        helps="",
        hurts="",
    ),
    Entry(
        "neighbour-relabel",
        _HERE + "train_neighbour_relabel",
        "Edges to nodes alike, pseudo labels for confident nodes, contradicted labels replaced.",
        "this project, after Dai, Aggarwal, Wang 2021, NRGNN, KDD, whose edges are learnt and whose labels stay",
        formula="m_i = (mean p_i + mean over neighbours p_j) / 2; target argmax m_i where max m_i >= .6",
        helps="",
        hurts="",
    ),
    Entry(
        "curriculum",
        _HERE + "train_curriculum",
        "Nodes whose neighbourhood agrees with their label first, the others later.",
        "Wei et al. 2023, CLNode: curriculum learning for node classification, WSDM",
        formula="order by -sum_c q_c log q_c + 1 - p[y] / max p, q the classes around a node",
        helps="",
        hurts="",
    ),
)
