"""A calibrated detector for anything that comes as features, one label per unit and, perhaps, groups.

Two kernel ridge experts predict every unit from units of other sources. A stacker reads from them how many labels are
wrong and where errors go; planted errors teach which labels look wrong; one refit on doubted labels sharpens both.
"""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import blocks
from labelnoise.core.calibrated import (
    check_calibratable,
    estimate_count,
    logistic_of,
    spread_out,
    warnings_about,
)
from labelnoise.core.calibration import (
    assumed_ambiguity,
    probability_wrong,
    read_with_ambiguity,
    shift_to_total,
)
from labelnoise.core.detection import Detection
from labelnoise.core.evidence import evidence_columns, evidence_matrix
from labelnoise.core.flips import DRAWS, blend, flip_scores, to_mean
from labelnoise.core.kernels import KernelExpert
from labelnoise.core.neighbours import NeighbourGraph, as_features, knn_votes, nearest_neighbours
from labelnoise.core.stacking import StackerFit, fit_stacker, posterior, predict
from labelnoise.core.validation import InputError, as_labels, check_same_length, choose

__all__ = ["SCALINGS", "FeatureModel", "detect_from_features", "scale_rows", "suggest_others"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Kernel and regularisation of the two experts.
EXPERTS = (("linear", 0.3), ("laplacian", 0.1))
#: Neighbours that vote, and how sharply: one at cosine c counts ``exp(VOTE_SHARPNESS c)``.
NEIGHBOURS, VOTE_SHARPNESS = 15, 8.0
#: What `scale_rows` knows.
SCALINGS = ("auto", "hellinger", "unit", "none")
#: Slope from a planted-error score to the log-odds of an error, for the refit.
REFIT_SLOPE = 1.5


def scale_rows(features: ArrayLike, scaling: str = "auto") -> Array:
    """Bring every row to length 1, square roots first where features are counts or activations.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
    scaling : {"auto", "hellinger", "unit", "none"}
        ``"hellinger"``: square root, then length 1 (needs values >= 0); ``"unit"``: length 1; ``"auto"``:
        ``"hellinger"`` where nothing is negative, else ``"unit"``.

    Examples
    --------
    >>> scale_rows([[9.0, 16.0], [0.0, 4.0]]).round(3).tolist()
    [[0.6, 0.8], [0.0, 1.0]]
    """
    choose(scaling, SCALINGS, "scaling")
    X = np.asarray(features, dtype=np.float64)
    X = as_features(X).astype(np.float64, copy=False)
    if scaling == "none":
        return X
    negative = bool(X.size and X.min() < 0)
    if scaling == "hellinger" and negative:
        raise InputError("features holds negative values; scaling 'hellinger' needs values >= 0, use 'unit'.")
    if scaling == "hellinger" or (scaling == "auto" and not negative):
        X = np.sqrt(X)
    result: Array = X / np.maximum(_lengths(X), 1e-12)
    return result


def _lengths(X: Array) -> Array:
    """Euclidean lengths of rows, shape (n, 1), without a copy of all of them."""
    parts = [np.linalg.norm(X[rows], axis=1, keepdims=True) for rows in blocks(*X.shape)]
    return np.concatenate(parts) if parts else np.zeros((0, 1))


class FeatureModel:
    """Leave-group-out experts and neighbours of labelled units; what does not depend on labels is made once.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Scaled features of the labelled units.
    n_classes : int
    groups : array_like, shape (n,), optional
    seed : int
    """

    def __init__(
        self, features: Array, n_classes: int, *, groups: ArrayLike | None = None, seed: int = 0
    ) -> None:
        self.n, self.k = len(features), n_classes
        self._X = features
        self._groups = np.arange(self.n) if groups is None else np.asarray(groups)
        self._experts = [
            KernelExpert(features, kernel=kernel, lam=lam, groups=groups, seed=seed)
            for kernel, lam in EXPERTS
        ]
        # A unit whose group is nearly everything has few neighbours outside; nobody gets more than it.
        self._near = min(NEIGHBOURS, self.n - int(np.unique(self._groups, return_counts=True)[1].max()))
        self.exact = self._experts[0].exact

    @cached_property
    def _graph(self) -> NeighbourGraph | None:
        # The dearest part where there are many units: made where votes are asked for.
        return nearest_neighbours(self._X, self._near, groups=self._groups) if self._near > 0 else None

    def probs(self, targets: Array, given: Labels) -> Array:
        """Geometric mean of the experts' softmax probabilities, each at the temperature that suits the labels."""
        scores = [expert.leave_group_out(targets) for expert in self._experts]
        return _softmax(
            sum((_log_softmax(_sharpness(s, given) * s) for s in scores), np.zeros(1)) / len(scores)
        )

    def predict(self, features: Array, targets: Array, given: Labels) -> Array:
        """The same for units outside, shape (m, K)."""
        total = np.zeros((len(features), self.k))
        for expert in self._experts:
            sharp = _sharpness(expert.leave_group_out(targets), given)
            total += _log_softmax(sharp * expert.predict(features, targets))
        return _softmax(total / len(self._experts))

    def evidence(self, given: Labels) -> tuple[Array, Array]:
        """Columns and probabilities for `labelnoise.core.flips.flip_scores`."""
        probs = self.probs(np.eye(self.k)[given], given)
        votes = None
        if self._graph is not None:
            votes = knn_votes(
                given, self._graph, n_classes=self.k, weights="exponential", exponent=VOTE_SHARPNESS
            )
        return evidence_matrix(evidence_columns(given, probs, votes=votes, groups=self._groups)), probs

    def scores(self, targets: Array) -> Array:
        """Scores of both experts, each of standard deviation 1, shape (2, n, K)."""
        found = np.stack([expert.leave_group_out(targets) for expert in self._experts])
        scaled: Array = found / np.maximum(found.std(axis=(1, 2), keepdims=True), 1e-12)
        return scaled

    def stack(self, given: Labels, start: StackerFit | None = None) -> tuple[StackerFit, Array]:
        """The stacker fitted to the labels, and P(true class) without the own label."""
        evidence = self.scores(np.eye(self.k)[given])
        fit = fit_stacker(evidence, given, start=start)
        return fit, predict(fit, evidence)


def _log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    result: Array = e / e.sum(axis=1, keepdims=True)
    return result


def _sharpness(scores: Array, given: Labels) -> float:
    """The factor under which softmax of the scores makes the labels most likely, from .37 to 148."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(given))
    shifted = scores - scores.max(axis=1, keepdims=True)
    own = shifted[rows, given]

    def loss(log_factor: float) -> float:
        factor = np.exp(log_factor)
        return float((np.log(np.exp(factor * shifted).sum(axis=1)) - factor * own).mean())

    found = minimize_scalar(loss, bounds=(-1.0, 5.0), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def _z(x: Array) -> Array:
    return (x - x.mean()) / max(float(x.std()), 1e-12)


def _logit(p: Array) -> Array:
    q = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(q) - np.log1p(-q)


def detect_from_features(
    features: ArrayLike,
    given: ArrayLike,
    groups: ArrayLike | None = None,
    seed: int = 0,
    *,
    n_classes: int | None = None,
    scaling: str = "auto",
    draws: int = DRAWS,
    resamples: int = 5,
) -> Detection:
    """Probability that each label is wrong, how many are, and what they should be, from features alone.

    Parameters
    ----------
    features : array_like of float, shape (n, d)
        Label-free features: embeddings, activations, pixels, counts. Finite.
    given : array_like of int, shape (n,)
        Labels, -1 for "no label": such units get a suggestion and change nothing else.
    groups : array_like, shape (n,), optional
        The source of each unit (a recording, a person, a document). Units of one source do not testify for
        each other. By default every unit is its own.
    seed : int
    n_classes : int, optional
        K; by default one more than the largest label.
    scaling : {"auto", "hellinger", "unit", "none"}
        See `scale_rows`.
    draws : int
        Draws of planted errors, at least 1.
    resamples : int
        Simulations of the estimated count, which give its bias and interval; 0 for the plain sum without
        interval, else at least 2.

    Returns
    -------
    Detection
        With ``p_wrong``, ``count``, ``transition`` and the evidence columns ``p_given`` (probability of the
        given label as seen from everything but itself) and ``planted`` (log-odds of a planted error).

    Raises
    ------
    InputError
        Features that are no finite matrix, labels of fewer than two classes, lengths that differ, options out
        of range.

    Notes
    -----
    1. Leave-group-out kernel ridge, linear and Laplacian (`labelnoise.core.kernels`), on the given labels;
       `labelnoise.core.stacking.fit_stacker` on both gives T, the posterior of the true class and the count.
    2. One refit on that posterior, read under the same T: p.
    3. Planted errors (`labelnoise.core.flips.flip_scores`) give s; a refit on the labels doubted by s gives l,
       the log of how much less than usual the given class is predicted.
    4. Where errors look uniform the order is ``z(s) + l' + z(logit p)`` with ``l' = z(l) / 2``, scaled to
       probabilities by a logistic regression on p; where they look class-dependent it is p's own. The sum is
       the debiased count.

    A unit's own label reaches its own refit at second order only: through the posteriors of the units that it
    helped to predict. Cost O(n^3) once and O(draws n^2 K); above 4,000 units O(n r^2) with r = 1,000 landmarks
    (neighbours stay exact, O(n^2 d)).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 150)
    >>> X = rng.normal(size=(150, 4)) + 4.0 * np.eye(4)[true]
    >>> given = true.copy(); given[:15] = (true[:15] + 1) % 3
    >>> found = detect_from_features(X, given, draws=4)
    >>> round(found.count.expected), int(found.flagged[:15].sum()), int(found.flagged[15:].sum())
    (16, 15, 2)
    """
    started = time.process_time()
    ids = as_labels(given, n_classes=n_classes)
    k = n_classes if n_classes is not None else int(ids.max(initial=-1)) + 1
    X = scale_rows(features, scaling)
    check_same_length(features=X, given=ids, groups=groups)
    has = np.flatnonzero(ids >= 0)
    g = ids[has]
    _check(g, draws, resamples)
    source = None if groups is None else np.asarray(groups)[has]
    model = FeatureModel(X if len(has) == len(X) else X[has], k, groups=source, seed=seed)
    rows = np.arange(len(g))

    fit, blind = model.stack(g)
    overlap = float((1 - blind.max(axis=1)).mean())
    share, careful = assumed_ambiguity(fit.uniform, overlap)
    reading = read_with_ambiguity(blind, fit, g, share)

    def repeat(labels: Labels) -> tuple[StackerFit, Array]:
        return model.stack(labels, fit)

    count, ratios = estimate_count(repeat, fit, reading, g, careful, resamples=resamples, seed=seed)

    again = model.scores(posterior(blind, fit.transition, g))
    refit = fit_stacker(again, g, start=fit)
    truth = posterior(predict(refit, again), fit.transition, g)
    p_wrong = shift_to_total(probability_wrong(truth, g), count.expected)

    planted = flip_scores(g, model.evidence, draws=draws, seed=seed)
    soft = blend(g, planted.probs, to_mean(REFIT_SLOPE * planted.score, count.expected / len(g)))
    probs = model.probs(soft, g)
    if fit.uniform:
        lift = np.log(np.maximum(probs.mean(axis=0), 1e-12))[g] - np.log(np.maximum(probs[rows, g], 1e-12))
        order = _z(planted.score) + 0.5 * _z(lift) + _z(_logit(p_wrong))
        p_wrong = logistic_of(order, p_wrong)
    truth = blend(g, truth, p_wrong)

    answer = spread_out(len(ids), has, p_wrong, truth)
    suggest_others(answer["flagged"], answer["suggested"], answer["confidence"], has, g, truth)
    if len(has) < len(ids):
        outside = np.flatnonzero(ids < 0)
        guess = model.predict(X[outside], soft, g)
        answer["suggested"][outside] = guess.argmax(axis=1)
        answer["confidence"][outside] = guess.max(axis=1)
    evidence = {name: np.zeros(len(ids)) for name in ("p_given", "planted")}
    evidence["p_given"][has], evidence["planted"][has] = blind[rows, g], planted.score
    return Detection(
        method="features",
        **answer,
        count=count,
        transition=reading.transition,
        evidence=evidence,
        warnings=warnings_about(g, overlap, reading.transition, ratios),
        info={
            "errors": "uniform" if fit.uniform else "class-dependent",
            "overlap": round(overlap, 4),
            "planted_auroc": round(planted.held_out_auroc, 4),
            "exact": model.exact,
            "simulated_count_ratios": [round(float(r), 4) for r in ratios],
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )


def suggest_others(
    flagged: NDArray[np.bool_],
    suggested: Labels,
    confidence: Array,
    has: NDArray[np.intp],
    g: Labels,
    truth: Array,
) -> None:
    """Write the likeliest other class where a flagged unit's likeliest class is the given one, in place.

    Rules for F1 flag below a probability of one half, where the given class may still be the likeliest.

    Examples
    --------
    >>> import numpy as np
    >>> suggested, confidence = np.array([0]), np.array([0.6])
    >>> suggest_others(np.array([True]), suggested, confidence, np.arange(1), np.array([0]), np.array([[0.6, 0.1, 0.3]]))
    >>> suggested, confidence
    (array([2]), array([0.3]))
    """
    rows = np.flatnonzero(flagged[has] & (suggested[has] == g))
    others = truth[rows].copy()
    others[np.arange(len(rows)), g[rows]] = -1.0
    suggested[has[rows]], confidence[has[rows]] = others.argmax(axis=1), others.max(axis=1)


def _check(g: Labels, draws: int, resamples: int) -> None:
    check_calibratable(g, resamples)
    if draws < 1 or draws != int(draws):
        raise InputError(f"draws is {draws}; a whole number of at least 1 is needed.")
