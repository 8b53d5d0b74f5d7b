"""Training that survives wrong labels of nodes, by name: ``f(dataset, seed, **options) -> Trained``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Literal

from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.splits import Splits, node_splits, split_info
from labelnoise.graph.trainers import GRAPH_TRAINERS

if TYPE_CHECKING:
    from labelnoise.core.training.strategy import Strategy

__all__ = [
    "GRAPH_TRAINERS",
    "train_curriculum",
    "train_graph",
    "train_neighbour_relabel",
    "train_network",
]

#: The published setting of citation graphs (Kipf & Welling 2017; NoisyGL, Wang et al. 2024).
_EPOCHS, _LR, _WEIGHT_DECAY = 200, 0.01, 5e-4


def train_graph(dataset: GraphDataset, method: str = "plain-gcn", seed: int = 0, **options: Any) -> Trained:
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
    entry = GRAPH_TRAINERS[method]
    for key in options:
        if key in entry.options:
            raise InputError(f"The trainer {method!r} fixes {key!r}; choose another trainer to change it.")
    result: Trained = entry.load()(dataset, seed, **{**entry.options, **options})
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
    epochs: int = _EPOCHS,
    lr: float = _LR,
    weight_decay: float = _WEIGHT_DECAY,
    device: Literal["auto", "cpu"] = "cpu",
    **config: Any,
) -> Trained:
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
    epochs, lr, weight_decay, device, **config
        Of `labelnoise.core.training.config.TrainConfig`.

    Returns
    -------
    Trained

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
    from labelnoise.core.threads import one_thread
    from labelnoise.core.training.loop import train
    from labelnoise.core.training.result import combine
    from labelnoise.graph.gnn_task import GraphTask

    task = GraphTask(
        dataset,
        network=network,
        network_options=network_options,
        splits=splits,
        validation_labels=validation_labels,
        normalise=normalise,
        seed=seed,
    )
    made = _config(
        seed, {**config, "epochs": epochs, "lr": lr, "weight_decay": weight_decay, "device": device}
    )
    chosen = dict(parameters or {})
    if isinstance(strategy, str):
        chosen = {**_for_single_steps(strategy, made.epochs), **chosen}
    with one_thread():
        result = train(task, strategy, made, **chosen)
        everything = task.everything()
        outputs = [task.forward(model, everything).logits.detach().float() for model in result.models]
        probs = combine(outputs, False).double().softmax(1).numpy()
    return Trained(
        method=f"{network}+{result.strategy}",
        predicted=probs.argmax(axis=1),
        probs=probs,
        history=result.history,
        selected_by=result.selected_by,
        chosen=result.epoch,
        info=split_info(splits, seed),
    )


def train_neighbour_relabel(
    dataset: GraphDataset,
    seed: int,
    *,
    neighbours: int = 3,
    least: float = 0.3,
    parameters: Mapping[str, Any] | None = None,
    network: str = "gcn",
    splits: Splits | None = None,
    epochs: int = _EPOCHS,
    **options: Any,
) -> Trained:
    """Edges from training nodes to nodes alike, pseudo labels for confident nodes, contradicted labels replaced.

    Parameters
    ----------
    dataset, seed, network, splits, epochs
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
    from labelnoise.graph.neighbour_relabel import NeighbourRelabel, with_similar_edges

    used = node_splits(dataset, seed) if splits is None else splits
    made = _strategy(NeighbourRelabel, parameters)
    if neighbours and dataset.x.shape[1] and "train" in used:
        dataset = with_similar_edges(dataset, used["train"], neighbours=neighbours, least=least)
    result = train_network(
        dataset, seed, strategy=made, network=network, splits=used, epochs=epochs, **options
    )
    return replace(result, info=split_info(splits, seed))


def train_curriculum(
    dataset: GraphDataset,
    seed: int,
    *,
    parameters: Mapping[str, Any] | None = None,
    network: str = "gcn",
    epochs: int = _EPOCHS,
    **options: Any,
) -> Trained:
    """Nodes whose neighbourhood agrees with their label first, the others later.

    Parameters
    ----------
    dataset, seed, network, epochs
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

    made = _strategy(Curriculum, parameters)
    return train_network(dataset, seed, strategy=made, network=network, epochs=epochs, **options)


def _config(seed: int, config: Mapping[str, Any]) -> Any:
    from labelnoise.core.training.config import TrainConfig

    known = [field.name for field in fields(TrainConfig) if field.name != "seed"]
    for key in config:
        choose(key, known, "setting of the training")
    return TrainConfig(**{**config, "seed": seed})


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
    for key in parameters or {}:
        choose(key, [field.name for field in fields(kind)], f"option of {kind.__name__}")
    return kind(**dict(parameters or {}))
