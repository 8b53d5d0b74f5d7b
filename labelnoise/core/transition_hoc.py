"""T and the class prior from how often neighbours share labels (high-order consensuses, HOC), without a model.

If a unit and its two nearest neighbours are of one true class, their three labels are three independent draws from
the same row of T; how often each triple of labels occurs then determines T up to the order of the true classes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment, minimize

from labelnoise.core.neighbours import Metric, NeighbourGraph, labelled_part, nearest_neighbours
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import NO_LABEL, InputError, as_labels, check_same_length, choose

__all__ = [
    "ClusterCheck",
    "HocFit",
    "check_clusters",
    "fit_hoc",
    "hoc_objective",
    "hoc_transition",
    "triple_counts",
]

Floats = NDArray[np.float64]
Solver = Literal["lbfgs", "adam"]

#: More classes have more triples than any data set has units, and a dense table of them no longer fits.
_MOST_CLASSES = 200
#: Rounds the corner of each norm at 0, where it has no gradient; below the noise of 10^8 units.
_ROUND = 1e-5
_CORNERS = (0.1, 1e-2, 1e-3, _ROUND)
#: Published settings of Adam, and its two moments' decay.
_RATE, _STEPS, _DECAY = 0.1, 1501, (0.9, 0.999)


class HocFit(NamedTuple):
    """What fits the counts best: T, the prior, and the distance that is left.

    Attributes
    ----------
    matrix : ndarray, shape (K, K)
        Row-stochastic, rows in the order that makes the diagonal heaviest.
    prior : ndarray, shape (K,)
    objective : float
        See `hoc_objective`.
    """

    matrix: Floats
    prior: Floats
    objective: float


class ClusterCheck(NamedTuple):
    """How often labels agree across the graph; all four are equal where neighbours share their true class.

    Attributes
    ----------
    first, second : float
        Share of units whose first, second neighbour has the same label.
    between : float
        Share whose two neighbours have the same label.
    two_steps : float
        Share that has the label of the nearest neighbour's nearest neighbour (another unit).
    chance : float
        Agreement of two units drawn at random.
    clusterable : float
        ``(two_steps - chance) / (first - chance)`` in [0, 1], an upper estimate of the share of neighbours of the
        unit's true class. It sees agreement fade with distance. It does not see classes that overlap evenly, whose
        neighbours at any distance are equally mixed: to labels alone that is noise.
    """

    first: float
    second: float
    between: float
    two_steps: float
    chance: float
    clusterable: float

    @property
    def drop(self) -> float:
        """How much agreement is lost from the first neighbour to two steps away; 0 if it is not."""
        return self.first - self.two_steps


def hoc_transition(
    labels: ArrayLike,
    features: ArrayLike | None = None,
    *,
    graph: NeighbourGraph | None = None,
    n_classes: int | None = None,
    metric: Metric = "cosine",
    groups: ArrayLike | None = None,
    solver: Solver = "lbfgs",
    starts: int = 4,
    n_bootstrap: int = 30,
    min_per_class: int = 50,
    seed: int = 0,
) -> TransitionEstimate:
    """Estimate T and the class prior from the labels of every unit and its two nearest neighbours.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; such units are left out.
    features : array_like of float, shape (n, d), optional
        In which neighbours share their class, for instance a pretrained encoder's. Or give ``graph``.
    graph : NeighbourGraph, optional
        Two or more neighbours of every unit; a triple with an unlabelled unit is not counted.
    n_classes : int, optional
        K, by default the largest label plus 1; at most 200.
    metric, groups :
        See `nearest_neighbours`; used with ``features``.
    solver : {"lbfgs", "adam"}
        See `fit_hoc`.
    starts : int
        Starting points, the best of which counts.
    n_bootstrap : int
        Simulated repeats for the standard errors, >= 2; with 30 an error is itself known to an eighth.
    min_per_class : int
        Warn about classes with fewer expected units.
    seed : int

    Returns
    -------
    TransitionEstimate
        ``warnings`` says when neighbours often seem to be of different classes (that counts as noise and makes T too
        noisy), when classes are small or absent, and when a row's largest entry is off the diagonal.

    Raises
    ------
    InputError
        Fewer than three labelled units, more than 200 classes, both or neither of ``features`` and ``graph``.

    Notes
    -----
    Triples overlap: a label is counted once as the unit's own and once for every unit that it is a neighbour of, so
    drawing triples afresh gives errors that are too small. The standard errors come from drawing labels afresh: every
    triple is given its most plausible true class, every unit one random number, shared by all triples that it is in;
    triples of one class then see the same new label of it. T is fitted again, and the error is the root mean square
    deviation from the T drawn from (the estimate, a little blunted). With 10 000 units of 10 classes (20 and 40%
    symmetric, 30% random, 30% pair noise, 6 seeds each) the mean error is 1.07, 1.10, 1.10 and 1.27 times the spread
    between samples, and 93, 93, 96 and 98% of the entries lie within 1.96 errors.

    The errors hold for labels that are independent given the true class and for neighbours of one class. How far T is
    off where classes overlap is not in them: in three clusters of 4000 units whose nearest neighbour was of another
    class in 26%, T was off by up to 0.13 and nothing warned.

    References
    ----------
    Zhu, Song, Liu (2021), Clusterability as an alternative to anchor points, ICML, eq. 8-11.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 4000)
    >>> given = np.where(rng.random(4000) < np.where(true == 0, 0.1, 0.3), 1 - true, true)
    >>> features = np.eye(2)[true] + 0.05 * rng.normal(size=(4000, 2))
    >>> estimate = hoc_transition(given, features)
    >>> np.abs(estimate.matrix - [[0.9, 0.1], [0.3, 0.7]]).max() < 3 * estimate.standard_error.max()
    np.True_
    >>> estimate.warnings
    ()
    """
    ids, graph = _labels_and_graph(labels, features, graph, metric, groups)
    k = _n_classes(ids, n_classes)
    if n_bootstrap < 2 or starts < 1:
        raise InputError(
            f"n_bootstrap is {n_bootstrap} and starts {starts}; at least 2 repeats and 1 start are needed."
        )
    used = _triples(ids, graph)
    if not len(used):
        raise InputError("No unit has a label and two labelled neighbours; label more units first.")
    # A class that nobody is given says nothing about its row, and would only be one more name for noise.
    present = np.flatnonzero(np.bincount(ids[used].ravel(), minlength=k))
    small = np.full(k, NO_LABEL)
    small[present] = np.arange(len(present))
    compact = np.where(ids >= 0, small[np.maximum(ids, 0)], NO_LABEL)

    fit = fit_hoc(_count(compact[used], len(present)), solver=solver, starts=starts, seed=seed)
    deviation = _bootstrap(compact, used, fit, n_bootstrap, seed)

    matrix, prior = np.eye(k), np.zeros(k)
    error = np.full((k, k), np.inf)
    matrix[np.ix_(present, present)] = fit.matrix
    prior[present] = fit.prior
    expected = prior * len(used)
    error[np.ix_(present, present)] = deviation
    absent = np.setdiff1d(np.arange(k), present)
    error[np.ix_(present, absent)] = 0.0
    error[expected < 3] = np.inf
    return TransitionEstimate(
        matrix=matrix,
        standard_error=error,
        method="hoc",
        n_units=len(used),
        prior=prior,
        warnings=_warnings(ids, graph, used, matrix, expected, absent.tolist(), min_per_class),
    )


def triple_counts(labels: ArrayLike, graph: NeighbourGraph, *, n_classes: int | None = None) -> Floats:
    """How often each triple of labels (unit, first neighbour, second neighbour) occurs.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label"; triples with such a unit are left out.
    graph : NeighbourGraph
        At least two neighbours of every unit.
    n_classes : int, optional
        K, by default the largest label plus 1.

    Returns
    -------
    ndarray of float64, shape (K, K, K)
        Shares that sum to 1; zeros without any triple. Its margins are the consensuses of lower order.

    References
    ----------
    Zhu, Song, Liu (2021), Clusterability as an alternative to anchor points, ICML, eq. 11.

    Examples
    --------
    >>> graph = nearest_neighbours([[0.0], [1.0], [2.5], [4.5]], 2, metric="euclidean")
    >>> triple_counts([0, 0, 1, 1], graph)[0]
    array([[0. , 0.5],
           [0. , 0. ]])
    """
    ids = as_labels(labels, n_classes=n_classes)
    return _count(ids[_triples(ids, graph)], _n_classes(ids, n_classes))


def fit_hoc(counts: ArrayLike, *, solver: Solver = "lbfgs", starts: int = 4, seed: int = 0) -> HocFit:
    """Fit T and the prior to the shares of triples.

    Parameters
    ----------
    counts : array_like of float, shape (K, K, K)
        From `triple_counts`.
    solver : {"lbfgs", "adam"}
        L-BFGS until nothing moves, or Adam as published (rate 0.1, 1501 steps), which stops higher.
    starts : int
        The first is the published one (logits 5 on the diagonal of T over -1), the others vary it.
    seed : int

    Returns
    -------
    HocFit
        The lowest objective of all starts, true classes named so that the diagonal is heaviest.

    References
    ----------
    Zhu, Song, Liu (2021), Clusterability as an alternative to anchor points, ICML, eq. 10 and appendix D.

    Examples
    --------
    >>> transition, prior = np.array([[0.8, 0.2], [0.1, 0.9]]), np.array([0.4, 0.6])
    >>> counts = np.einsum("k,ka,kb,kc->abc", prior, transition, transition, transition)
    >>> fit = fit_hoc(counts)
    >>> fit.matrix.round(3), fit.prior.round(3)
    (array([[0.8, 0.2],
           [0.1, 0.9]]), array([0.4, 0.6]))
    """
    choose(solver, ("lbfgs", "adam"), "solver")
    shares = np.asarray(counts, dtype=np.float64)
    target = _Target(shares)
    k = target.k
    # The starts differ between classes: by what was seen of them, not by their ids, which say nothing.
    order = _class_order(target)
    target = _Target(shares[np.ix_(order, order, order)])
    back = np.argsort(order)
    rng = generator(seed, "hoc starts")
    best: HocFit | None = None
    for start in range(starts):
        diagonal = 6.0 if start == 0 else rng.uniform(1.0, 5.0)
        logits = diagonal * np.eye(k) - 1.0 + (0.0 if start == 0 else 0.3 * rng.normal(size=(k, k)))
        prior = 1 / k + rng.uniform(0, 0.1, k)
        theta = np.concatenate([logits.ravel(), prior])
        fit = target.descend(theta) if solver == "lbfgs" else target.descend_adam(theta)
        if best is None or fit.objective < best.objective:
            best = fit
    if best is None:
        raise InputError(f"starts is {starts}; at least one start is needed.")
    return HocFit(best.matrix[np.ix_(back, back)], best.prior[back], best.objective)


def _class_order(target: _Target) -> NDArray[np.intp]:
    """Classes by numbers that go along when classes are renamed: their shares alone, in pairs and in triples."""
    triple = np.einsum("kkk->k", target.third)
    spread = (target.second**2).sum(axis=1)
    keys = (spread, triple, np.diag(target.second), target.first)
    return np.lexsort([key.round(12) for key in keys])


def hoc_objective(counts: ArrayLike, transition: ArrayLike, prior: ArrayLike) -> float:
    """Sum over the orders 1, 2, 3 of the Frobenius distance between the consensuses seen and those of T and prior.

    Examples
    --------
    >>> counts = np.zeros((2, 2, 2)); counts[0, 0, 0] = counts[1, 1, 1] = 0.5
    >>> hoc_objective(counts, np.eye(2), [0.5, 0.5])
    0.0
    """
    seen = np.asarray(counts, dtype=np.float64)
    t, p = np.asarray(transition, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    first, second = p @ t, np.einsum("k,ka,kb->ab", p, t, t)
    third = np.einsum("k,ka,kb,kc->abc", p, t, t, t)
    gaps = (seen.sum((1, 2)) - first, seen.sum(2) - second, seen - third)
    return float(sum(np.sqrt((gap**2).sum()) for gap in gaps))


def check_clusters(labels: ArrayLike, graph: NeighbourGraph) -> ClusterCheck:
    """Measure from labels alone whether units and their nearest neighbours seem to share their true class.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    graph : NeighbourGraph
        At least two neighbours of every unit.

    Returns
    -------
    ClusterCheck
        NaN nowhere: shares of nothing are 0, and ``clusterable`` is 1 where labels agree no more than by chance.

    Examples
    --------
    >>> graph = nearest_neighbours([[0.0], [1.0], [2.5], [9.0], [10.0], [11.5]], 2, metric="euclidean")
    >>> check_clusters([0, 0, 0, 1, 1, 1], graph).clusterable
    1.0
    """
    ids = as_labels(labels)
    used = _triples(ids, graph)
    return _agreements(ids, graph, used)


class _Target:
    """The objective at softmax parameters, with its gradient, in O(K^4) flops and without (K, K, K) residuals.

    ``|seen - model|^2 = |seen|^2 - 2 <seen, model> + |model|^2``, and the last term of order m is
    ``p' (T T')^m p`` with the power taken entry by entry. The model is symmetric, so only the symmetric part of what
    was seen meets it.
    """

    def __init__(self, counts: Floats) -> None:
        if counts.ndim != 3 or len(set(counts.shape)) != 1:
            raise InputError(f"counts has shape {counts.shape}; shares of triples (K, K, K) are needed.")
        self.k = counts.shape[0]
        self.first = counts.sum((1, 2))
        second = counts.sum(2)
        self.second = (second + second.T) / 2
        axes = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        self.third = np.ascontiguousarray(sum(counts.transpose(axis) for axis in axes) / 6.0)
        self.squares = np.array([(self.first**2).sum(), (second**2).sum(), (counts**2).sum()])

    def unpack(self, theta: Floats) -> tuple[Floats, Floats]:
        k = self.k
        return _softmax(theta[: k * k].reshape(k, k)), _softmax(theta[k * k :])

    def value(self, theta: Floats, corner: float = _ROUND) -> tuple[float, Floats]:
        k = self.k
        t, p = self.unpack(theta)
        gram = t @ t.T
        # What each order's counts make of a row k once, and of all its factors: <seen, T_k x ... x T_k>.
        pairs = t @ self.second
        triples = ((t @ self.third.reshape(k, -1)).reshape(k, k, k) @ t[:, :, None])[:, :, 0]
        partial = (np.broadcast_to(self.first, (k, k)), pairs, triples)
        total, to_t, to_p = 0.0, np.zeros((k, k)), np.zeros(k)
        for order, (factor, square) in enumerate(zip(partial, self.squares, strict=True), start=1):
            inner = (factor * t).sum(axis=1)
            power = gram**order
            mass = power @ p
            distance = np.sqrt(max(square - 2 * p @ inner + p @ mass, 0.0) + corner**2)
            total += distance
            # Half the gradient of the square over the distance.
            to_p += (mass - inner) / distance
            cross = (p[:, None] * p) * gram ** (order - 1)
            to_t += order * (cross @ t - p[:, None] * factor) / distance
        to_logits = t * (to_t - (to_t * t).sum(axis=1, keepdims=True))
        to_prior = p * (to_p - p @ to_p)
        return total, np.concatenate([to_logits.ravel(), to_prior])

    def descend(
        self, theta: Floats, corners: tuple[float, ...] = _CORNERS, tolerance: float = 1e-8
    ) -> HocFit:
        """L-BFGS on norms with ever sharper corners: the blunt ones lead past poor minima, the last is the target."""
        for corner in corners:
            theta = minimize(
                self.value,
                theta,
                args=(corner,),
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": 300, "maxfun": 500, "ftol": tolerance, "gtol": 1e-7, "maxcor": 20},
            ).x
        return self.named(theta)

    def descend_adam(self, theta: Floats) -> HocFit:
        theta, mean, square = theta.copy(), np.zeros(len(theta)), np.zeros(len(theta))
        for step in range(1, _STEPS + 1):
            gradient = self.value(theta)[1]
            mean += (1 - _DECAY[0]) * (gradient - mean)
            square += (1 - _DECAY[1]) * (gradient**2 - square)
            scale = np.sqrt(square / (1 - _DECAY[1] ** step)) + 1e-8
            theta -= _RATE * mean / (1 - _DECAY[0] ** step) / scale
        return self.named(theta)

    def named(self, theta: Floats) -> HocFit:
        """Rows in the order of the labels: any order fits alike, the diagonal says which is meant."""
        t, p = self.unpack(theta)
        rows, columns = linear_sum_assignment(-(p[:, None] * t))
        order = rows[np.argsort(columns)]
        return HocFit(t[order], p[order], self.value(theta)[0] - 3 * _ROUND)


def _bootstrap(
    ids: NDArray[np.int64], used: NDArray[np.int64], fit: HocFit, repeats: int, seed: int
) -> Floats:
    """Root mean square deviation of T when labels are drawn afresh on the same graph."""
    k, n = len(fit.prior), len(used)
    classes = _triple_classes(ids, used, fit)
    # An entry estimated too low would look too certain as well: two units more per entry, of the third of a row's
    # units that HOC's errors amount to.
    members = np.maximum(fit.prior * n, 1.0)[:, None] / 3
    transition = (fit.matrix * members + 2.0) / (members + 2.0 * k)
    ends = np.cumsum(transition, axis=1)
    ends[:, -1] = 1.0
    rng = generator(seed, "hoc bootstrap")
    # From a blunted T, since the gradient of a softmax vanishes where an entry is next to 0.
    blunt = 0.9 * fit.matrix + 0.1 / k
    theta = np.concatenate([np.log(blunt).ravel(), np.log(np.maximum(fit.prior, 1e-6))])
    square = np.zeros((k, k))
    for _ in track(range(repeats), "standard errors of T", repeats):
        # The number belongs to the unit, the class to the triple.
        uniform = rng.random(len(ids))[used]
        drawn = np.zeros(used.shape, dtype=np.int64)
        row_ends = ends[classes]
        for c in range(k - 1):
            drawn += uniform >= row_ends[:, c, None]
        again = _Target(_count(drawn, k)).descend(theta, _CORNERS[1:3], 1e-6)
        square += (again.matrix - transition) ** 2
    deviation: Floats = np.sqrt(square / repeats)
    return deviation


def _triple_classes(ids: NDArray[np.int64], used: NDArray[np.int64], fit: HocFit) -> NDArray[np.int64]:
    """The most plausible true class of every triple, from all labels within two steps of its unit."""
    n = len(ids)
    starts, ends = np.repeat(used[:, 0], 2), used[:, 1:].ravel()
    step = sparse.coo_array((np.ones(len(starts)), (starts, ends)), shape=(n, n)).tocsr()
    near = step + step.T + sparse.eye_array(n, format="csr")
    near = near[used[:, 0]] @ (step + sparse.eye_array(n, format="csr"))
    near.data[:] = 1.0
    evidence = np.zeros((n, len(fit.prior)))
    known = ids >= 0
    evidence[known] = np.log(np.maximum(fit.matrix, 1e-6)).T[ids[known]]
    return np.asarray((near @ evidence + np.log(np.maximum(fit.prior, 1e-12))).argmax(axis=1))


def _warnings(
    ids: NDArray[np.int64],
    graph: NeighbourGraph,
    used: NDArray[np.int64],
    matrix: Floats,
    expected: Floats,
    absent: list[int],
    min_per_class: int,
) -> tuple[str, ...]:
    found = []
    check = _agreements(ids, graph, used)
    # Triples overlap, hence twice the error of independent ones.
    noise = 2 * np.sqrt(check.first * (1 - check.first) / len(used))
    if check.drop > 3 * noise and check.clusterable < 0.98:
        found.append(
            f"Neighbours often differ in their true class (label agreement {check.first:.3f} with the nearest, "
            f"{check.two_steps:.3f} two steps away, {check.chance:.3f} by chance; perhaps "
            f"{1 - check.clusterable:.0%} of nearest neighbours): T is estimated too noisy; use better features."
        )
    few = [c for c in range(len(expected)) if expected[c] < min_per_class and c not in absent]
    if few:
        found.append(
            f"Fewer than {min_per_class} units are expected of {_listed(few)}; these rows of T are hardly known."
        )
    if absent:
        found.append(f"No unit is given {_listed(absent)}; nothing was learnt about these rows of T.")
    present = [c for c in range(len(expected)) if c not in absent]
    turned = [c for c in present if matrix[c].max() > matrix[c, c]]
    if turned:
        found.append(
            f"{_listed(turned).capitalize()}: another label is likelier than the right one, "
            "so which true class a row means is a guess."
        )
    return tuple(found)


def _agreements(ids: NDArray[np.int64], graph: NeighbourGraph, used: NDArray[np.int64]) -> ClusterCheck:
    own, first, second = ids[used].T if len(used) else (np.empty(0, np.int64),) * 3
    units, nearest = used[:, 0], used[:, 1]
    # The nearest neighbour's own nearest neighbour, or its second where the nearest is the unit itself.
    back = graph.indices[nearest, 0]
    further = np.where(back == units, graph.indices[nearest, 1], back)
    seen = ids[further] >= 0
    shares = np.bincount(own) / max(len(own), 1)
    chance = float((shares**2).sum())
    agree, two = _mean(own == first), _mean((own == ids[further])[seen])
    lead = agree - chance
    clusterable = float(np.clip((two - chance) / lead, 0, 1)) if lead > 0 else 1.0
    return ClusterCheck(agree, _mean(own == second), _mean(first == second), two, chance, clusterable)


def _labels_and_graph(
    labels: ArrayLike,
    features: ArrayLike | None,
    graph: NeighbourGraph | None,
    metric: Metric,
    groups: ArrayLike | None,
) -> tuple[NDArray[np.int64], NeighbourGraph]:
    if (features is None) == (graph is None):
        raise InputError("Give either features or graph: neighbours are found among features, or known.")
    if graph is not None:
        if groups is not None:
            raise InputError("groups belong to features; a graph is made with its groups already.")
        return as_labels(labels), graph
    ids, chosen, x, items = labelled_part(labels, features, groups)  # type: ignore[arg-type]
    if len(chosen) < 3:
        raise InputError(f"{len(chosen)} units have a label; at least three are needed for a triple.")
    return ids[chosen], nearest_neighbours(x, 2, metric=metric, groups=items)


def _triples(ids: NDArray[np.int64], graph: NeighbourGraph) -> NDArray[np.int64]:
    """Positions (unit, first, second neighbour) of the triples that are labelled throughout."""
    check_same_length(labels=ids, graph=graph.indices)
    if graph.k < 2:
        raise InputError(f"graph has {graph.k} neighbour per unit; two are needed.")
    triples = np.column_stack([np.arange(len(ids)), graph.indices[:, :2]])
    return triples[(ids[triples] >= 0).all(axis=1)]


def _count(triples: NDArray[np.int64], k: int) -> Floats:
    if k > _MOST_CLASSES:
        raise InputError(
            f"There are {k} classes; triples of labels tell at most {_MOST_CLASSES} apart. "
            "Merge rare classes, or estimate T from a model's probabilities."
        )
    cells = (triples[:, 0] * k + triples[:, 1]) * k + triples[:, 2]
    return np.bincount(cells, minlength=k**3).reshape(k, k, k) / max(len(triples), 1)


def _n_classes(ids: NDArray[np.int64], n_classes: int | None) -> int:
    found = int(ids.max(initial=NO_LABEL)) + 1
    if n_classes is None:
        return found
    as_labels(ids, n_classes=n_classes)
    return n_classes


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _listed(classes: list[int]) -> str:
    shown = ", ".join(map(str, classes[:8])) + (" and more" if len(classes) > 8 else "")
    return f"{'class' if len(classes) == 1 else 'classes'} {shown}"
