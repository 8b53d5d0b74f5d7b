"""GraphCleaner: learn from synthetic mislabels how wrong labels sit among others (Li et al. 2023)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.detection import Detection
from labelnoise.core.random import generator
from labelnoise.core.transition import confident_joint, transition_from_joint
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.propagation import symmetric_adjacency, walk_means

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FEATURES",
    "SPLITS",
    "GraphCleaner",
    "detect_faithful",
    "mislabel",
    "neighbourhood_features",
    "split_nodes",
]

#: Names of the seven columns of `neighbourhood_features`.
FEATURES = ("prob_own", "prob_1hop", "prob_2hop", "prob_3hop", "label_1hop", "label_2hop", "label_3hop")
#: How nodes are divided into training, validation and test.
SPLITS = ("auto", "published", "random", "sequential")

_SHARES = (0.6, 0.2)
_HIDDEN = 32


class GraphCleaner:
    """Find wrong node labels from synthetic mislabels and neighbourhood agreement (Li et al., ICML 2023).

    Parameters
    ----------
    mode : str
        ``"calibrated"``: this project's detector, with probabilities, an expected count and no held-out set
        (`labelnoise.graph.calibrated.detect_calibrated`). ``"faithful"``: the published recipe with its fixed
        threshold (`detect_faithful`).
    **options
        Options of the mode's function, for instance ``base="gat"`` or ``threshold=0.9`` for ``"faithful"``.

    Raises
    ------
    InputError
        Unknown mode, or an option that the mode does not have.

    Examples
    --------
    >>> GraphCleaner("faithful", threshold=0.9)
    GraphCleaner('faithful', threshold=0.9)
    >>> GraphCleaner("faithful", treshold=0.9)
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown option of mode 'faithful' 'treshold'. Choose one of: ...
    """

    def __init__(self, mode: str = "calibrated", **options: Any) -> None:
        self.mode = choose(mode, ("calibrated", "faithful"), "mode of GraphCleaner")
        self.options = options
        self._detect = _detector_of(mode)
        known = [
            name for name, p in inspect.signature(self._detect).parameters.items() if p.kind is p.KEYWORD_ONLY
        ]
        for name in options:
            choose(name, known, f"option of mode {mode!r}")

    def detect(self, dataset: GraphDataset, seed: int = 0) -> Detection:
        """Judge every given label of a graph; the seed decides all that is random."""
        return self._detect(dataset, seed, **self.options)

    def __repr__(self) -> str:
        return (
            f"GraphCleaner({', '.join([repr(self.mode), *(f'{k}={v!r}' for k, v in self.options.items())])})"
        )


def _detector_of(mode: str) -> Callable[..., Detection]:
    if mode == "faithful":
        return detect_faithful
    from labelnoise.graph.calibrated import detect_calibrated

    return detect_calibrated


def detect_faithful(
    dataset: GraphDataset,
    seed: int = 0,
    *,
    base: str = "gcn",
    threshold: float = 0.97,
    split: str = "auto",
    epochs: int = 200,
    lr: float = 1e-3,
    weight_decay: float = 5e-4,
    flip_fraction: float = 0.5,
    detector_epochs: int = 500,
) -> Detection:
    """GraphCleaner as published: a detector of synthetic mislabels of validation nodes, a fixed threshold.

    1. A base network is trained on the training nodes; its probabilities are kept at the epoch of best
       accuracy on the (noisy) validation labels, and at the last epoch.
    2. Confident learning on the validation nodes gives T[y, s] = P(given s | true y).
    3. ``flip_fraction`` of the validation nodes get another label s drawn from T[y, .], given s != y.
    4. A small network (7-32-2, batch normalisation) learns to tell them by `neighbourhood_features`.
    5. It scores every labelled node; those above ``threshold`` are flagged.

    Parameters
    ----------
    dataset : GraphDataset
        With labels on all or some nodes.
    seed : int
        Of the split (if drawn), the base network, the flips and the detector.
    base : str
        A name from `labelnoise.graph.node_classifier.MODELS`.
    threshold : float
        Flag where the detector's probability exceeds it; 0.97 is the paper's.
    split : str
        See `split_nodes`.
    epochs, lr, weight_decay : int, float, float
        Of the base network.
    flip_fraction : float
        Share of the labelled validation nodes that are mislabelled on purpose.
    detector_epochs : int
        Full-batch steps of the detector (Adam, 1e-3, L2 penalty 5e-4, L1 loss).

    Returns
    -------
    Detection
        ``quality`` = 1 - the detector's probability, which is not calibrated (``p_wrong`` is None): half of
        what it learned from was wrong. ``evidence`` holds the seven features. The paper suggests no new
        label; ``suggested`` and ``confidence`` are the base network's, at the selected epoch.

    Raises
    ------
    InputError
        No labelled node to train or validate on, or validation labels that the base network confuses
        nowhere, so that no mislabel can be drawn.

    Notes
    -----
    The published figures are those of test nodes. Labels of training nodes are judged less well, because the
    base network has fitted them: F1 of all nodes .77, of test nodes .89 on Coauthor CS with 60 % of the nodes
    in training and 10 % uniform noise.

    References
    ----------
    Y. Li, M. Xiong, B. Hooi: GraphCleaner: Detecting Mislabelled Samples in Popular Graph Learning
    Benchmarks, ICML 2023.
    """
    from labelnoise.graph.node_classifier import train_node_classifier

    threshold = as_rate(threshold, name="threshold")
    flip_fraction = as_rate(flip_fraction, name="flip_fraction")
    if detector_epochs < 1:
        raise InputError(f"detector_epochs is {detector_epochs}; at least one step is needed.")
    given = dataset.given
    train, val, _ = split_nodes(dataset, seed, split)
    probs_best, probs_last = train_node_classifier(
        dataset, given, train, val, model=base, epochs=epochs, lr=lr, weight_decay=weight_decay, seed=seed
    )
    val_rows = np.flatnonzero(val & dataset.labelled)
    transition = transition_from_joint(confident_joint(given[val_rows], probs_best[val_rows]))
    changed, flipped = mislabel(
        given[val_rows], transition, flip_fraction, generator(seed, "graphcleaner mislabels")
    )
    if not flipped.any():
        raise InputError(
            f"The base network confuses no two classes on the {len(val_rows)} validation labels, so there is "
            'no mislabel to learn from; use mode="calibrated", which needs none, or more validation nodes.'
        )
    hops = _hops(dataset, probs_last)
    features = neighbourhood_features(probs_last, hops, given)
    detector = _fit_detector(
        neighbourhood_features(probs_last, hops, changed, val_rows), flipped, detector_epochs, seed
    )
    labelled = dataset.labelled
    score = np.zeros(dataset.n_nodes)
    score[labelled] = detector(features[labelled])
    return Detection(
        method="graphcleaner-faithful",
        quality=1 - score,
        flagged=score > threshold,
        suggested=probs_best.argmax(axis=1),
        confidence=probs_best.max(axis=1),
        transition=transition,
        evidence=dict(zip(FEATURES, features.T)),
        warnings=_warnings(dataset, given[val_rows], transition, score > threshold),
        info={
            "base": base,
            "threshold": threshold,
            "split": split,
            "train_nodes": int((train & labelled).sum()),
            "validation_nodes": len(val_rows),
            "synthetic_mislabels": int(flipped.sum()),
        },
    )


def split_nodes(
    dataset: GraphDataset, seed: int, how: str = "auto"
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Training, validation and test nodes, as masks of shape (n,).

    Parameters
    ----------
    dataset : GraphDataset
    seed : int
        Used by ``"random"``.
    how : str
        ``"published"``: the data set's own masks. ``"random"``: 60, 20, 20 per cent of the labelled nodes,
        drawn class by class. ``"sequential"``: the first 60, next 20, last 20 per cent of all nodes in their
        order, as the official code divides the Amazon graphs. ``"auto"``: published, else random.

    Examples
    --------
    >>> import numpy as np
    >>> graph = GraphDataset(name="ten", given=np.arange(10) % 2, class_names=("a", "b"),
    ...     x=np.zeros((10, 0)), edge_index=np.zeros((2, 0), int))
    >>> [np.flatnonzero(mask).tolist() for mask in split_nodes(graph, 0, "sequential")]
    [[0, 1, 2, 3, 4, 5], [6, 7], [8, 9]]
    >>> [int(mask.sum()) for mask in split_nodes(graph, 0)]
    [6, 2, 2]
    """
    choose(how, SPLITS, "split")
    names = ("train", "val", "test")
    published = all(name in dataset.masks for name in names)
    if how == "published" and not published:
        raise InputError(
            f"The graph has masks for {sorted(dataset.masks) or 'nothing'}; a published split needs train, "
            'val and test. Use split="random".'
        )
    if how == "published" or (how == "auto" and published):
        train, val, test = (np.asarray(dataset.masks[name], dtype=bool) for name in names)
        return train, val, test
    n = dataset.n_nodes
    place = np.full(n, -1)
    if how == "sequential":
        place[:] = np.searchsorted(np.cumsum(_SHARES) * n, np.arange(n), side="right")
    else:
        rng = generator(seed, "graph split")
        for c in range(dataset.n_classes):
            rows = rng.permutation(np.flatnonzero(dataset.given == c))
            place[rows] = np.searchsorted(np.cumsum(_SHARES) * len(rows), np.arange(len(rows)), side="right")
    return place == 0, place == 1, place == 2


def mislabel(
    labels: NDArray[np.int64], transition: NDArray[np.float64], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give a share of units another label s != y, drawn from P(given s | true y).

    Parameters
    ----------
    labels : ndarray of int, shape (m,)
        Labels y, taken as true.
    transition : ndarray of float, shape (K, K)
        T[y, s], row-stochastic.
    fraction : float
        Share of the units that is drawn, whatever their class. A drawn unit of a class that is never
        confused (its row holds nothing off the diagonal) stays as it is.
    rng : numpy.random.Generator

    Returns
    -------
    changed : ndarray of int, shape (m,)
        The labels afterwards.
    flipped : ndarray of bool, shape (m,)
        Where they differ.

    Examples
    --------
    >>> t = np.array([[0.9, 0.1], [0.0, 1.0]])
    >>> mislabel(np.array([0, 0, 1, 1]), t, 1.0, np.random.default_rng(0))
    (array([1, 1, 1, 1]), array([ True,  True, False, False]))
    """
    other = transition * (1 - np.eye(len(transition)))
    upto = np.cumsum(other, axis=1)
    drawn = rng.permutation(len(labels))[: round(fraction * len(labels))]
    drawn = drawn[upto[labels[drawn], -1] > 0]
    # side="right" of a search in the cumulated row; a class of probability 0 is never met
    level = rng.random(len(drawn)) * upto[labels[drawn], -1]
    changed = labels.copy()
    changed[drawn] = (upto[labels[drawn]] <= level[:, None]).sum(axis=1)
    return changed, changed != labels


Hops = tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]


def _hops(dataset: GraphDataset, probs: NDArray[np.float64]) -> Hops:
    """Probabilities and given labels as they arrive over one to three steps, each node's own left out."""
    k = dataset.n_classes
    one_hot = np.zeros((dataset.n_nodes, k))
    rows = np.flatnonzero(dataset.labelled)
    one_hot[rows, dataset.given[rows]] = 1
    both = walk_means(symmetric_adjacency(dataset.adjacency), np.hstack([probs, one_hot]))
    return [hop[:, :k] for hop in both], [hop[:, k:] for hop in both]


def neighbourhood_features(
    probs: NDArray[np.float64], hops: Hops, labels: NDArray[np.int64], rows: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """How well a label agrees with the base network and with what arrives from one, two and three steps away.

    Parameters
    ----------
    probs : ndarray of shape (n, K)
        Of the base network.
    hops : tuple of two lists of three ndarrays of shape (n, K)
        ``probs`` and one-hot given labels after `labelnoise.graph.propagation.walk_means` with
        S = D^-1/2 A D^-1/2.
    labels : ndarray of int, shape (r,)
        The label to judge for each row; 0 is read for -1, and the row is not meant to be used.
    rows : ndarray of int, shape (r,), optional
        Which nodes; all by default.

    Returns
    -------
    ndarray of shape (r, 7)
        Columns as in `FEATURES`.
    """
    rows = np.arange(len(probs)) if rows is None else rows
    column = np.maximum(labels, 0)
    return np.stack([matrix[rows, column] for matrix in (probs, *hops[0], *hops[1])], axis=1)


def _fit_detector(
    features: NDArray[np.float64], wrong: NDArray[np.bool_], epochs: int, seed: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Train the 7-32-2 network and return its scoring function, features (r, 7) -> P(wrong) (r,)."""
    import torch
    from torch.nn import functional

    from labelnoise.core.threads import one_thread

    rng = generator(seed, "graphcleaner detector")

    def uniform(*shape: int) -> Tensor:
        bound = shape[-1] ** -0.5
        return torch.from_numpy(rng.uniform(-bound, bound, shape).astype(np.float32)).requires_grad_(True)

    def as_tensor(array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.float32))

    width = features.shape[1]
    first, last = uniform(_HIDDEN, width), uniform(2, _HIDDEN)
    first_bias, last_bias = torch.zeros(_HIDDEN, requires_grad=True), torch.zeros(2, requires_grad=True)
    scale, shift = torch.ones(_HIDDEN, requires_grad=True), torch.zeros(_HIDDEN, requires_grad=True)
    mean, variance = torch.zeros(_HIDDEN), torch.ones(_HIDDEN)

    def wrongness(x: Tensor, training: bool) -> Tensor:
        hidden = functional.linear(x, first, first_bias)
        hidden = functional.batch_norm(hidden, mean, variance, scale, shift, training=training)
        return functional.linear(torch.relu(hidden), last, last_bias).softmax(1)[:, 1]

    x, target = as_tensor(features), as_tensor(wrong)
    parameters = [first, first_bias, scale, shift, last, last_bias]
    with one_thread():
        optimiser = torch.optim.Adam(parameters, lr=1e-3, weight_decay=5e-4, fused=True)
        for _ in range(epochs):
            optimiser.zero_grad()
            (wrongness(x, True) - target).abs().mean().backward()
            optimiser.step()

    def score(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        with one_thread(), torch.no_grad():
            return wrongness(as_tensor(rows), False).double().numpy()

    return score


def _warnings(
    dataset: GraphDataset,
    val_labels: NDArray[np.int64],
    transition: NDArray[np.float64],
    flagged: NDArray[np.bool_],
) -> tuple[str, ...]:
    warnings = []
    alone = dataset.labelled & (dataset.degree == 0)
    if alone.any():
        warnings.append(
            f"{alone.sum()} labelled nodes have no edge, so nothing around them agrees with their label, right or "
            f"wrong; {(alone & flagged).sum()} of them are flagged."
        )
    never = [name for c, name in enumerate(dataset.class_names) if transition[c, c] == 1 and c in val_labels]
    if never:
        warnings.append(
            f"On validation the base network confuses no node of {', '.join(map(repr, never))} with another "
            "class; the detector has seen no mislabel of these."
        )
    return tuple(warnings)
