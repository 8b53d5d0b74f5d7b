"""Wrong labels that follow the graph: towards the classes of neighbours, and where a cheap model is unsure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.noise import Corruption, compare_labels
from labelnoise.core.random import generator
from labelnoise.core.registry import Entry
from labelnoise.core.validation import InputError, as_rate
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.noise import _chosen

__all__ = ["ENTRIES", "confidence", "structure"]

#: Least share of foreign neighbours that a node is credited with, so that every rate can be reached.
_FLOOR = 1e-3


def structure(
    dataset: GraphDataset, rate: float, seed: int, *, nodes: str = "all", pull: float = 1.0
) -> Corruption:
    """Labels flip towards the classes of neighbours; the more neighbours of other classes, the sooner.

    A node's chance to flip is ``min(1, c u)`` with ``u`` its share of neighbours of other classes and ``c`` such that
    the chances add up to ``rate``; exactly so many nodes are drawn with these chances (systematic sampling in random
    order). The new class is drawn from the other classes among the neighbours.

    Parameters
    ----------
    dataset : GraphDataset
        Its given labels are taken as the true ones; neighbours without a label do not count.
    rate : float
        Share of the chosen nodes with a wrong label, from 0 to 1, met to within one node.
    seed : int
    nodes : str
        "all", or the name of a split ("train"): labels outside it stay as they are, but count as neighbours.
    pull : float
        Above 0. Neighbours of average composition that each node is given besides its own: nodes without neighbours
        flip as often as the average node, to a class drawn by size.

    Returns
    -------
    Corruption
        ``posterior`` holds each chosen node's P(given = j); ``rates["nodes"]`` is over the chosen nodes.

    Raises
    ------
    InputError
        Rate out of range, unknown split, fewer than two classes among the labels, ``pull`` not above 0.

    References
    ----------
    This project, after the topology-dependent noise of Kim et al. (2025), Delving into
    instance-dependent label noise in graph data (BeGIN), KDD.

    Examples
    --------
    >>> from labelnoise.graph.embedded import digits
    >>> noise = structure(digits(), 0.1, seed=0)
    >>> int(noise.changed.sum()), noise.rate
    (180, 0.1001669449081803)
    """
    rate, chosen = as_rate(rate), _chosen(dataset, nodes)
    if not pull > 0:
        raise InputError(f"pull is {pull}; it must be above 0.")
    n, k = dataset.n_nodes, dataset.n_classes
    sizes = np.bincount(dataset.given[dataset.labelled], minlength=k).astype(np.float64)
    if (sizes > 0).sum() < 2:
        raise InputError("The labels name fewer than two classes; a wrong label needs another class.")
    rows = np.flatnonzero(chosen)
    own = dataset.given[rows]
    one_hot = np.zeros((n, k))
    one_hot[dataset.labelled, dataset.given[dataset.labelled]] = 1.0
    counts = np.asarray(dataset.adjacency @ one_hot)[rows]
    total = counts.sum(axis=1)
    foreign = total - counts[np.arange(len(rows)), own]
    average = max(foreign.sum() / max(total.sum(), 1.0), _FLOOR)
    share = (foreign + pull * average) / (total + pull)

    # Where to: the other classes among the neighbours, and a little of every class by its size.
    towards = np.tile(sizes, (len(rows), 1))
    towards[np.arange(len(rows)), own] = 0.0
    towards *= pull * average / towards.sum(axis=1, keepdims=True)
    towards += counts
    towards[np.arange(len(rows)), own] = 0.0
    towards /= towards.sum(axis=1, keepdims=True)

    chance = _chances(share, rate)
    flipped = _systematic(chance, generator(seed, "structure noise", "which"))
    uniform = generator(seed, "structure noise", "class").random(n)[rows]
    drawn = (np.cumsum(towards, axis=1) < uniform[:, None]).sum(axis=1)
    # Rounding of the sums may leave a class of no weight at the end.
    last = k - 1 - np.argmax(towards[:, ::-1] > 0, axis=1)
    given = dataset.given.copy()
    given[rows[flipped]] = np.minimum(drawn, last)[flipped]
    posterior = np.zeros((n, k))
    posterior[rows] = chance[:, None] * towards
    posterior[rows, own] = 1.0 - chance
    return _result(dataset, given, chosen, posterior)


def confidence(
    dataset: GraphDataset, rate: float, seed: int, *, nodes: str = "all", temperature: float = 0.05
) -> Corruption:
    """The nodes that a cheap model is least sure of get the class that it holds for the runner-up.

    The model is `labelnoise.graph.sgc.sgc_probs`, out of fold. ``round(rate * n)`` of the n chosen nodes are drawn,
    the least confident first: with temperature t the weight of a node is ``exp(-p[given] / t)``, without replacement.

    Parameters
    ----------
    dataset : GraphDataset
        With features; its given labels are taken as the true ones.
    rate, seed, nodes
        As in `structure`.
    temperature : float
        0 takes the least confident ones without a draw.

    Returns
    -------
    Corruption

    Raises
    ------
    InputError
        Also for a graph without features, or too few labels for five folds.

    References
    ----------
    This project, after the confidence-dependent noise of Kim et al. (2025), Delving into
    instance-dependent label noise in graph data (BeGIN), KDD.

    Examples
    --------
    >>> from labelnoise.graph.embedded import papers
    >>> noise = confidence(papers(600, noise_rate=0.0), 0.1, seed=0)
    >>> int(noise.changed.sum())
    60
    """
    from labelnoise.graph.sgc import sgc_probs

    rate, chosen = as_rate(rate), _chosen(dataset, nodes)
    if not temperature >= 0:
        raise InputError(f"temperature is {temperature}; it must be 0 or more.")
    if dataset.x.shape[1] == 0:
        raise InputError(
            f"{dataset.name!r} has no features, which the model behind this noise needs; "
            "choose 'structure' or another kind."
        )
    if len(np.unique(dataset.given[dataset.labelled])) < 2:
        raise InputError("The labels name fewer than two classes; a wrong label needs another class.")
    rows = np.flatnonzero(chosen)
    own = dataset.given[rows]
    probs = sgc_probs(dataset, seed)
    sure = probs[rows, own]
    # A Gumbel variable per node turns the largest sums into a weighted draw without replacement.
    gumbel = generator(seed, "confidence noise").gumbel(size=dataset.n_nodes)[rows]
    order = np.argsort(sure - temperature * gumbel, kind="stable")
    flipped = order[: round(rate * len(rows))]
    others = probs[rows]
    others[np.arange(len(rows)), own] = -1.0
    given = dataset.given.copy()
    given[rows[flipped]] = others[flipped].argmax(axis=1)
    return _result(dataset, given, chosen, None)


def _chances(share: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """``min(1, c share)`` with the mean ``rate``: the largest are cut at 1, the rest scaled up, exactly."""
    n = len(share)
    if n == 0 or rate == 0.0:
        return np.zeros(n)
    if rate == 1.0:
        return np.ones(n)
    order = np.argsort(-share, kind="stable")
    falling = share[order]
    rest = np.cumsum(falling[::-1])[::-1]
    # With the first m cut at 1, c follows; the right m is the first that cuts nothing else.
    c = (rate * n - np.arange(n)) / rest
    m = int(np.argmax(c * falling <= 1.0 + 1e-12))
    return np.minimum(c[m] * share, 1.0) if m == 0 else np.where(share >= falling[m - 1], 1.0, c[m] * share)


def _systematic(chance: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A draw in which unit i takes part with its chance and the number of units is fixed."""
    n = len(chance)
    order = rng.permutation(n)
    reached = np.cumsum(chance[order])
    # Rounded sums: a total of 180 stays 180, so that the last unit is neither lost nor drawn twice.
    steps = np.floor(np.round(np.concatenate([[0.0], reached]), 9) + rng.random())
    taken = np.zeros(n, dtype=bool)
    taken[order] = np.diff(steps) > 0
    return taken


def _result(
    dataset: GraphDataset,
    given: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    posterior: NDArray[np.float64] | None,
) -> Corruption:
    changed = given != dataset.given
    rate = float(changed[chosen].mean()) if chosen.any() else 0.0
    return compare_labels(dataset.given, given, posterior=posterior, rates={"nodes": rate})


_BEGIN = "this project, after Kim et al. 2025, Delving into instance-dependent label noise in graph data (BeGIN), KDD"

#: For the registry of the graph domain.
ENTRIES: tuple[Entry, ...] = (
    Entry(
        "structure",
        "labelnoise.graph.noise_structure:structure",
        "Towards the classes of neighbours, most where neighbours disagree.",
        _BEGIN,
        formula="P(wrong | i) = min(1, c u_i), u_i = share of neighbours of other classes; given ~ their classes",
        helps="errors at the borders of classes, where annotators who look at the context make them",
        hurts="neighbours' votes cannot find it; on graphs whose neighbours all agree it is nearly uniform",
    ),
    Entry(
        "confidence",
        "labelnoise.graph.noise_structure:confidence",
        "The nodes that a linear model is least sure of get its runner-up class.",
        _BEGIN,
        formula="n r nodes by weight exp(-p_i[y_i] / t) of out-of-fold SGC, given = argmax of p_i without y_i",
        helps="the hardest errors: those that look right to a model",
        hurts="needs features; any detector built like the model that plants them is at its worst",
    ),
)
