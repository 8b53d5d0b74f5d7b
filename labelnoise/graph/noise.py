"""Wrong labels of nodes, simulated: the core's noise on all nodes or one split, and a published protocol.

Every kind is a function ``f(dataset, rate, seed, **options) -> Corruption``. Nodes without a label keep none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.noise import (
    Corruption,
    compare_labels,
    corrupt,
    instance_dependent,
    pair_transition,
    random_map_transition,
    symmetric_transition,
)
from labelnoise.core.registry import Entry
from labelnoise.core.validation import NO_LABEL, InputError, as_rate, choose
from labelnoise.graph.dataset import GraphDataset

__all__ = [
    "ENTRIES",
    "asymmetric",
    "graphcleaner_noise",
    "graphcleaner_protocol",
    "graphcleaner_splits",
    "instance",
    "pair",
    "symmetric",
]

#: Seed with which the GraphCleaner experiments were published.
GRAPHCLEANER_SEED = 1119


def symmetric(
    dataset: GraphDataset, rate: float, seed: int, *, nodes: str = "all", exact: bool = False
) -> Corruption:
    """Uniform noise: a wrong label is any other class, all equally likely.

    Parameters
    ----------
    dataset : GraphDataset
    rate : float
        P(given != true) among the chosen nodes, from 0 to 1.
    seed : int
    nodes : str
        "all", or the name of a split ("train"): labels outside it stay as they are.
    exact : bool
        Draw the counts per class instead of each node on its own, see `labelnoise.core.noise.corrupt`.

    Returns
    -------
    Corruption
        ``rate`` is over all labelled nodes, ``rates["nodes"]`` over the chosen ones.

    Raises
    ------
    InputError
        Rate out of range, unknown split, fewer than two classes.

    References
    ----------
    Dai et al. 2021 (NRGNN) and Chen et al. 2024 (ERASE) on training nodes.

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> symmetric(digits(), 0.1, seed=0, exact=True).changed.sum()
    np.int64(180)
    """
    return _class_noise(dataset, symmetric_transition(dataset.n_classes, rate), seed, nodes, exact)


def pair(
    dataset: GraphDataset, rate: float, seed: int, *, nodes: str = "all", exact: bool = False, step: int = 1
) -> Corruption:
    """Pair noise: a wrong label of class c is always class (c + step) mod K.

    Parameters
    ----------
    dataset, rate, seed, nodes, exact
        As in `symmetric`.
    step : int
        Which neighbouring class; 1 is the next one (GraphCleaner's "asymmetric" noise).

    References
    ----------
    Han et al. 2018 (Co-teaching); Wang et al. 2024 (NoisyGL).

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> noise = pair(digits(), 0.2, seed=0)
    >>> noise.rate, noise.transition[9, [9, 0]]
    (0.2020033388981636, array([0.8, 0.2]))
    """
    return _class_noise(dataset, pair_transition(dataset.n_classes, rate, step=step), seed, nodes, exact)


def asymmetric(
    dataset: GraphDataset, rate: float, seed: int, *, nodes: str = "all", exact: bool = False
) -> Corruption:
    """Asymmetric noise: each class is mistaken for one other class, drawn at random once per seed.

    Parameters
    ----------
    dataset, rate, seed, nodes, exact
        As in `symmetric`; ``transition`` of the result shows which class was drawn for which.

    References
    ----------
    Chen et al. 2024 (ERASE). What GraphCleaner calls asymmetric is `pair`.

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> (asymmetric(digits(), 0.3, seed=0).transition > 0).sum(axis=1)
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    transition = random_map_transition(dataset.n_classes, rate, seed)
    return _class_noise(dataset, transition, seed, nodes, exact)


def instance(
    dataset: GraphDataset, rate: float, seed: int, *, nodes: str = "all", std: float = 0.1
) -> Corruption:
    """Part-dependent noise: which node is mistaken, and for what, depends on its features.

    Parameters
    ----------
    dataset, rate, seed, nodes
        As in `symmetric`. Sparse features stay sparse.
    std : float
        How much the nodes differ in how easily they are mistaken.

    Raises
    ------
    InputError
        Also for a graph without features.

    References
    ----------
    Xia et al. 2020, algorithm 2; see `labelnoise.core.noise.instance_dependent`.

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> instance(digits(), 0.2, seed=0).rate
    0.21368948247078465
    """
    if dataset.x.shape[1] == 0:
        raise InputError(
            f"{dataset.name!r} has no features, on which instance-dependent noise depends; "
            "choose another kind."
        )
    chosen = _chosen(dataset, nodes)
    noise = instance_dependent(
        np.where(chosen, dataset.given, NO_LABEL), dataset.x, rate, seed, n_classes=dataset.n_classes, std=std
    )
    return _only(dataset, chosen, noise)


def graphcleaner_protocol(
    dataset: GraphDataset, kind: str, rate: float, seed: int = GRAPHCLEANER_SEED
) -> Corruption:
    """The noise of the GraphCleaner experiments: a fixed count per class in every split.

    In each split on its own (see `graphcleaner_splits`), ``floor(rate * n)`` of the n nodes of each class get
    a wrong label, drawn without replacement by numpy's legacy generator. So the realised rate is a little
    below the asked one (Cora at 0.1: 9.64 %).

    The counts are those of the published protocol. In which order its draws were made is not documented: here
    it is train, val, test; within each, class by class; within each, first the nodes, then their new labels.
    So the corrupted nodes are not the very ones of the published experiments.

    Parameters
    ----------
    dataset : GraphDataset
    kind : {"symmetric", "asymmetric"}
        A uniformly drawn other class, or class (c + 1) mod K.
    rate : float
        From 0 to 1; published: 0.1, 0.05, 0.025.
    seed : int
        Published: 1119.

    Returns
    -------
    Corruption
        ``rates`` holds the realised rate of each split; ``transition`` is the limit for large classes.

    Raises
    ------
    InputError
        Unknown kind, rate out of range, fewer than two classes.

    References
    ----------
    Li, Xiong and Hooi 2023 (GraphCleaner).

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> noise = graphcleaner_protocol(digits(), "asymmetric", 0.1)
    >>> noise.changed.sum(), noise.rates["test"] < 0.1
    (np.int64(161), True)
    """
    choose(kind, ("symmetric", "asymmetric"), "kind of GraphCleaner noise")
    rate, k = as_rate(rate), dataset.n_classes
    transition = symmetric_transition(k, rate) if kind == "symmetric" else pair_transition(k, rate)
    draw = np.random.RandomState(seed)
    given = dataset.given.copy()
    splits = graphcleaner_splits(dataset)
    for mask in splits.values():
        for c in range(k):
            members = np.flatnonzero(mask & (dataset.given == c))
            chosen = draw.choice(members, size=int(np.floor(len(members) * rate)), replace=False)
            shift = 1 if kind == "asymmetric" else draw.randint(1, k, size=len(chosen))
            given[chosen] = (c + shift) % k
    changed = given != dataset.given
    labelled = dataset.labelled
    rates = {
        name: float(changed[mask & labelled].mean()) if (mask & labelled).any() else 0.0
        for name, mask in splits.items()
    }
    return compare_labels(dataset.given, given, transition=transition, rates=rates)


def graphcleaner_noise(
    dataset: GraphDataset, rate: float, seed: int = GRAPHCLEANER_SEED, *, flips: str = "symmetric"
) -> Corruption:
    """`graphcleaner_protocol` in the form that the registry of noise kinds needs."""
    return graphcleaner_protocol(dataset, flips, rate, seed)


def graphcleaner_splits(dataset: GraphDataset) -> dict[str, NDArray[np.bool_]]:
    """The three parts of a graph in the GraphCleaner experiments: train, val, test.

    Where "val" and "test" are published, train is everything else (in Planetoid also the nodes of no split);
    other graphs are cut by node number into 60, 20 and 20 %, as the experiments did with the Amazon graphs.

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> {name: int(mask.sum()) for name, mask in graphcleaner_splits(digits()).items()}
    {'train': 1078, 'val': 359, 'test': 360}
    """
    n = dataset.n_nodes
    if "val" in dataset.masks and "test" in dataset.masks:
        val, test = (np.asarray(dataset.masks[name], dtype=bool) for name in ("val", "test"))
    else:
        row, first, second = np.arange(n), int(n * 0.6), int(n * 0.8)
        val, test = (row >= first) & (row < second), row >= second
    return {"train": ~(val | test), "val": val & ~test, "test": test}


def _chosen(dataset: GraphDataset, nodes: str) -> NDArray[np.bool_]:
    if nodes == "all":
        return dataset.labelled
    choose(nodes, ["all", *dataset.masks], f"split of {dataset.name!r}")
    return dataset.labelled & np.asarray(dataset.masks[nodes], dtype=bool)


def _class_noise(
    dataset: GraphDataset, transition: NDArray[np.float64], seed: int, nodes: str, exact: bool
) -> Corruption:
    chosen = _chosen(dataset, nodes)
    masked = np.where(chosen, dataset.given, NO_LABEL)
    return _only(dataset, chosen, corrupt(masked, transition, seed, exact=exact))


def _only(dataset: GraphDataset, chosen: NDArray[np.bool_], noise: Corruption) -> Corruption:
    """Put labels outside the chosen nodes back, and count over all labelled nodes."""
    given = np.where(chosen, noise.labels, dataset.given)
    extra: dict[str, Any] = {"transition": noise.transition, "rates": {"nodes": noise.rate}}
    if noise.posterior is not None:
        extra["posterior"] = noise.posterior
    return compare_labels(dataset.given, given, **extra)


#: For the registry of the graph domain.
ENTRIES: tuple[Entry, ...] = (
    Entry(
        "symmetric",
        "labelnoise.graph.noise:symmetric",
        "Any other class, all equally likely.",
        "van Rooyen et al. 2015; ERASE (Chen et al. 2024) and NoisyGL (Wang et al. 2024) on graphs",
        formula="T = (1 - r) I + r / (K - 1) (11' - I)",
        helps="the reference against which published results are compared",
        hurts="easiest to find: no wrong class is favoured, so neighbours agree against it",
    ),
    Entry(
        "pair",
        "labelnoise.graph.noise:pair",
        "Always the next class.",
        "Han et al. 2018; GraphCleaner's asymmetric noise (Li et al. 2023)",
        formula="T[c, (c + 1) mod K] = r",
        helps="harder than symmetric: wrong labels of a class agree with each other",
        hurts="the order of the classes has no meaning in most graphs",
    ),
    Entry(
        "asymmetric",
        "labelnoise.graph.noise:asymmetric",
        "One other class per class, drawn at random.",
        "ERASE (Chen et al. 2024)",
        formula="T[c, t(c)] = r, t(c) uniform over the other classes",
        helps="as pair, but independent of the order of the classes",
        hurts="one seed is one map of classes: average over seeds",
    ),
    Entry(
        "instance",
        "labelnoise.graph.noise:instance",
        "Depends on the node's features.",
        "Xia et al. 2020, algorithm 2",
        formula="q_i ~ N(r, 0.1) cut to [0, 1]; P(given = j | i) = q_i softmax_{j != c}(x_i W_c)",
        helps="nearest to how people err: similar nodes are mistaken for the same class",
        hurts="needs features; says nothing about edges",
    ),
    Entry(
        "graphcleaner-symmetric",
        "labelnoise.graph.noise:graphcleaner_noise",
        "Published counts per class and split, any other class; published with seed 1119.",
        "Li, Xiong and Hooi 2023 (GraphCleaner)",
        formula="floor(r n_c) nodes of each class in each split",
        helps="comparing with the published tables",
        hurts="small classes get no wrong label at all",
        options={"flips": "symmetric"},
    ),
    Entry(
        "graphcleaner-asymmetric",
        "labelnoise.graph.noise:graphcleaner_noise",
        "Published counts per class and split, always the next class; published with seed 1119.",
        "Li, Xiong and Hooi 2023 (GraphCleaner)",
        formula="floor(r n_c) nodes of each class in each split, class (c + 1) mod K",
        helps="comparing with the published tables",
        hurts="small classes get no wrong label at all",
        options={"flips": "asymmetric"},
    ),
)
