"""Training that survives wrong labels of nodes, by name: ``f(dataset, seed, **options) -> GraphTraining``.

Accuracies in the entries are means over five draws of noise on training and validation nodes (30% symmetric / 30% by a
random map of classes), public splits (20 labels per class), test labels clean, at the epoch that the noisy validation
labels chose: "Cora s / a, CiteSeer s / a". Over draws they vary by 3 to 5 points (symmetric) and 7 to 15 (random map), so
that few differences mean anything. Measured by ``experiments/graph_training.py``.
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
from labelnoise.graph.training_result import GraphTraining

if TYPE_CHECKING:
    from labelnoise.core.training.strategy import Strategy

__all__ = [
    "GRAPH_TRAINERS",
    "train_curriculum",
    "train_graph",
    "train_neighbour_relabel",
    "train_network",
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
        Of the strategy. A strategy by name warms up (ELR's weight grows) for a quarter of the epochs unless its
        option is given: an epoch is a single step here, and the strategies' own defaults count epochs of many.
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
    if strategy == "elr":
        # At full weight from the first step, its pull makes one class swallow the others.
        return {"ramp": epochs // 4}
    return {"warmup": max(epochs // 4, 1)} if "warmup" in get_strategy(strategy).options() else {}


def _strategy(kind: type[Any], parameters: Mapping[str, Any] | None) -> Any:
    from dataclasses import fields

    for key in parameters or {}:
        choose(key, [field.name for field in fields(kind)], f"option of {kind.__name__}")
    return kind(**dict(parameters or {}))


_HERE = "labelnoise.graph.train_methods:"

#: Ways to train on a graph, by name.
GRAPH_TRAINERS = Registry("trainer")


#: What each strategy of the core is good and bad for on graphs with few labels.
_ON_GRAPHS: Mapping[str, tuple[str, str]] = {
    "plain": (
        "The row that every other trainer has to beat: @plain-gcn; with clean labels @oracle.",
        "Fits wrong labels after some 50 steps: without a validation split, stop there.",
    ),
    "small_loss": (
        "No better than plain here: @gcn+small_loss; its use is with many labels.",
        "Its noise rate comes from 140 losses or fewer; worst where errors agree with each other.",
    ),
    "co_teaching": (
        "As small_loss, judged by a peer: @gcn+co_teaching.",
        "Two networks on one graph see the same neighbours and make the same mistakes.",
    ),
    "elr": (
        "No noise rate to know: @gcn+elr, its weight growing over a quarter of the epochs.",
        "With its weight at full size from the first step one class swallows the others (13% on Cora).",
    ),
    "adaptive_k": (
        "Nothing to choose; no better than plain here: @gcn+adaptive_k.",
        "About half of the labels stay out, whatever the noise is, and labels are what is scarce.",
    ),
    "self_distillation": (
        "No noise rate: @gcn+self_distillation.",
        "Its teachers share a budget of epochs that is short already.",
    ),
    "sharpness_aware": (
        "Combines with any network; as plain here: @gcn+sharpness_aware.",
        "Two passes a step for what dropout and weight decay do here already.",
    ),
    "cross_split": (
        "Labels softened by a peer that has not seen them, nodes mixed: @gcn+cross_split.",
        "Each network has half of the few labels, and eight times the cost.",
    ),
    "divide_mix": (
        "Graphs with many labels; here @gcn+divide_mix.",
        "A mixture of two on 140 losses is badly determined; nine times the cost.",
    ),
    "bootstrapping": (
        "The best here on symmetric noise: @gcn+bootstrapping. It mixes labelled nodes.",
        "Confirms confusions of classes: below plain on Cora's random maps; more than twice the cost.",
    ),
    "forward": (
        "Class-dependent noise with enough labels per class to estimate T; as plain here: @gcn+forward.",
        "20 labels per class are few to estimate T from.",
    ),
    "backward": (
        "As forward: @gcn+backward.",
        "As forward, and its loss is unbounded below.",
    ),
    "rent": (
        "Better use of a rough T than a corrected loss: @gcn+rent.",
        "A draw with replacement leaves out a third of the few labels in each step.",
    ),
    "dws": (
        "As rent, softer: @gcn+dws.",
        "One more constant; within its spread of rent.",
    ),
    "late_stopping": (
        "Graphs with many labels; no better than plain here: @gcn+late_stopping.",
        "Its rounds need epochs: two or three of them fit into 200.",
    ),
    "rescaling": (
        "Nothing to know beforehand; as plain here: @gcn+rescaling.",
        "Plants errors among labels that are scarce already.",
    ),
    "volume": (
        "No anchor points: @gcn+volume.",
        "T moves little in 200 steps.",
    ),
}


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
        "labelnoise.graph.closed_form:train_sgc",
        "Logistic regression on features smoothed over two steps, penalty by validation.",
        "Wu et al. 2019, Simplifying graph convolutional networks, ICML, equation 8",
        formula="p = softmax(S^2 X B + b), |B|^2 / (2 C n)",
        helps="A fifth of the cost of a GCN and no worse: @sgc-lr.",
        hurts="Linear; one penalty for all classes.",
    ),
    Entry(
        "label-propagation",
        "labelnoise.graph.closed_form:propagate_labels",
        "Labels spread along edges, how far by validation; no features, no network.",
        "Zhou et al. 2004, Learning with local and global consistency, NeurIPS, equation 4",
        formula="F <- alpha D^-1/2 A D^-1/2 F + (1 - alpha) Y",
        helps="Graphs without features; instant: @label-propagation.",
        hurts="Wrong labels spread like right ones; nodes out of reach of any label get the most frequent class.",
    ),
    Entry(
        "neighbour-relabel",
        _HERE + "train_neighbour_relabel",
        "Edges to nodes alike, pseudo labels for confident nodes, contradicted labels replaced.",
        "this project, after Dai, Aggarwal, Wang 2021, NRGNN, KDD, whose edges are learnt and whose labels stay",
        formula="m_i = (mean p_i + mean over neighbours p_j) / 2; target argmax m_i where max m_i >= .6",
        helps="Many confident nodes beside few labels: @neighbour-relabel.",
        hurts="Pseudo labels confirm the confusions of class-dependent noise; the .8 published for pseudo labels "
        "replaces no label on Cora.",
    ),
    Entry(
        "curriculum",
        _HERE + "train_curriculum",
        "Nodes whose neighbourhood agrees with their label first, the others later.",
        "Wei et al. 2023, CLNode: curriculum learning for node classification, WSDM",
        formula="order by -sum_c q_c log q_c + 1 - p[y] / max p, q the classes around a node",
        helps="Right labels inside of classes come first: @curriculum.",
        hurts="Neighbours without a label are judged by a network that has seen the noise; all labels are back in the end.",
    ),
)
