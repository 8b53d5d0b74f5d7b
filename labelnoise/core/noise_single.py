"""Noise for single labels: drawn from a transition matrix, or from each unit's own features."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._roots import rising_root
from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, as_rate, as_transition

__all__ = ["corrupt", "draw_iid", "instance_dependent"]


def corrupt(labels: ArrayLike, transition: ArrayLike, seed: int, *, exact: bool = False) -> Corruption:
    """Replace labels by wrong ones, class by class as a transition matrix says.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class ids, -1 for "no label" (stays -1).
    transition : array_like of shape (K, K)
        ``T[i, j] = P(given = j | true = i)``, rows sum to 1.
    seed : int
    exact : bool
        False: every unit is drawn on its own, by inverse CDF from one uniform number per position, so that
        what happens to one unit never depends on another; the units that flip under a lower rate are among
        those that flip under a higher one. True: the number of units of class i that become j is
        ``n_i T[i, j]``, rounded up or down such that each count, each class's sum and the total are right to
        within one and on average exactly; which units they are is drawn without replacement.

    Returns
    -------
    Corruption
        With ``transition`` as passed.

    Raises
    ------
    InputError
        A matrix that is not row-stochastic or has one class only; labels outside it.

    Examples
    --------
    >>> from labelnoise.core.noise_matrices import pair_transition, symmetric_transition
    >>> noise = corrupt([0, 1, 2, 0, 1, 2, -1], pair_transition(3, 0.5), seed=1)
    >>> noise.labels, noise.rate
    (array([ 1,  1,  0,  0,  2,  2, -1]), 0.5)
    >>> corrupt([0, 1] * 50, symmetric_transition(2, 0.1), seed=1, exact=True).changed.sum()
    np.int64(10)
    """
    matrix = np.clip(as_transition(transition), 0.0, None)
    k = len(matrix)
    if k < 2:
        raise InputError(
            f"transition covers {k} class(es); label noise needs at least 2, or no label can be wrong."
        )
    true = as_labels(labels, n_classes=k)
    wrong = matrix * (1.0 - np.eye(k))
    uniform = generator(seed, "noise", "corrupt").random(len(true))
    if exact:
        given = _draw_exact(true, wrong, uniform, generator(seed, "noise", "corrupt", "rounding").random())
    else:
        given = draw_iid(true, wrong, uniform)
    return compare_labels(true, given, transition=matrix)


def draw_iid(
    true: NDArray[np.int64], wrong: NDArray[np.float64], uniform: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Flip where u falls below the row's error, to the class in whose stretch of the row's CDF it falls."""
    k = len(wrong)
    bounds = wrong.cumsum(axis=1)
    # Row -1 (the last one appended) is for units without a label: its error is 0, so they never flip.
    error = np.append(bounds[:, -1], 0.0)
    flipped = np.flatnonzero(uniform < error[true])
    source = true[flipped]
    # One search for all rows: row i of the CDF is moved to [i, i + 1]. A number rounded up to the end of its
    # row would land in the next one, hence the cap at the row's last class that has any probability.
    last = k - 1 - np.argmax(wrong[:, ::-1] > 0, axis=1)
    flat = (bounds + np.arange(k)[:, None]).ravel()
    found = np.searchsorted(flat, uniform[flipped] + source, side="right") - source * k
    given = true.copy()
    given[flipped] = np.minimum(found, last[source])
    return given


def _draw_exact(
    true: NDArray[np.int64], wrong: NDArray[np.float64], uniform: NDArray[np.float64], offset: float
) -> NDArray[np.int64]:
    """Systematic rounding of the expected counts, then that many units of each class in random order."""
    k = len(wrong)
    n_per_class = np.bincount(true[true >= 0], minlength=k)
    expected = (n_per_class[:, None] * wrong).ravel()
    # Rounding the running sum by one common offset rounds every cell, every row and the total at once.
    # Whole numbers must stay whole in spite of the sum's last bits.
    running = np.round(np.concatenate([[0.0], expected.cumsum()]), 6)
    counts = np.diff(np.floor(running + (1.0 - 1e-7) * offset)).astype(np.int64).reshape(k, k)
    # Small integers sort by radix; units without a label come first.
    order = np.argsort(true.astype(np.int16) if k < 2**15 else true, kind="stable")
    starts = len(true) - int(n_per_class.sum()) + np.concatenate([[0], n_per_class.cumsum()])
    given = true.copy()
    for i in np.flatnonzero(counts.sum(axis=1)):
        members, n_wrong = order[starts[i] : starts[i + 1]], int(counts[i].sum())
        # The units with the smallest numbers flip; sorting just those settles which class each one gets.
        chosen = members[np.argpartition(uniform[members], n_wrong - 1)[:n_wrong]]
        given[chosen[np.argsort(uniform[chosen])]] = np.repeat(np.arange(k), counts[i])
    return given


def instance_dependent(
    labels: ArrayLike, features: Any, rate: float, seed: int, *, n_classes: int, std: float = 0.1
) -> Corruption:
    """Part-dependent noise: what a unit is mistaken for, and how easily, depends on its features.

    Unit i flips with probability ``q_i`` from a normal distribution around the rate, cut to [0, 1]; its wrong
    class follows ``softmax(x_i W_c)`` over the classes other than its own c, with one Gaussian matrix
    ``W_c`` per true class. Two choices differ from the first publication: the centre of the cut normal is
    moved so that its *mean* is the rate (cut at 0, a normal around 0.1 with std 0.1 has mean 0.129), and
    features are standardised and each unit's vector brought to length 1, so that the logits have unit
    variance whatever the number of features (raw ones saturate the softmax into a fixed map).

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class ids, -1 for "no label".
    features : array_like or scipy sparse of shape (n, d)
        Dense features are centred and divided by their standard deviation; sparse ones divided by their root
        mean square and not centred. Both are computed on the labelled units only.
    rate : float
        Expected P(given != true), from 0 to 1.
    seed : int
    n_classes : int
        K, at least 2.
    std : float
        Standard deviation of the normal before the cut, >= 0; 0 gives every unit the same ``q``.

    Returns
    -------
    Corruption
        ``posterior`` is the per-unit truth; ``transition`` its mean over the units of each true class.

    Raises
    ------
    InputError
        Features of other length or with NaN; rate, std or classes out of range.

    References
    ----------
    Xia et al. 2020, Part-dependent Label Noise, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(2000, 20))
    >>> noise = instance_dependent(np.arange(2000) % 4, x, 0.3, seed=1, n_classes=4)
    >>> noise.rate, noise.posterior[0].round(3)
    (0.315, array([0.765, 0.087, 0.084, 0.063]))
    """
    rate = as_rate(rate)
    if int(n_classes) != n_classes or n_classes < 2:
        raise InputError(
            f"n_classes is {n_classes}; label noise needs at least 2 classes, or no label can be wrong."
        )
    if not np.isfinite(std) or std < 0:
        raise InputError(f"std is {std}; a standard deviation is 0 or more.")
    true = as_labels(labels, n_classes=n_classes)
    x = _as_matrix(features)
    if x.ndim != 2 or x.shape[0] != len(true):
        raise InputError(f"features have shape {x.shape} for {len(true)} labels; give one row per label.")
    centre, scale = _feature_scale(x, np.flatnonzero(true >= 0))
    flip = _flip_probabilities(generator(seed, "noise", "instance", "flip").random(len(true)), rate, std)
    uniform = generator(seed, "noise", "instance", "draw").random(len(true))
    posterior = np.zeros((len(true), n_classes))
    transition = np.eye(n_classes)
    given = true.copy()
    for c in np.flatnonzero(np.bincount(true[true >= 0], minlength=n_classes)):
        rows = np.flatnonzero(true == c)
        weights = generator(seed, "noise", "instance", "weights", int(c)).standard_normal(
            (x.shape[1], n_classes)
        )
        logits = _unit_rows(x[rows], centre, scale) @ weights
        logits[:, c] = -np.inf
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        share *= (flip[rows] / share.sum(axis=1))[:, None]
        bounds = share.cumsum(axis=1)
        flipped = uniform[rows] < bounds[:, -1]
        found = (uniform[rows, None] >= bounds).sum(axis=1)
        given[rows[flipped]] = found[flipped]
        share[:, c] = 1.0 - flip[rows]
        posterior[rows] = share
        transition[c] = share.mean(axis=0)
    return compare_labels(true, given, transition=transition, posterior=posterior)


def _as_matrix(features: Any) -> Any:
    """CSR if sparse (rows are picked), else an array."""
    from scipy.sparse import issparse

    if issparse(features):
        return cast(Any, features).tocsr()
    return np.asarray(features)


def _feature_scale(x: Any, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
    """Centre (None for sparse) and divisor of each feature over the given rows; constant features get 1."""
    part: Any = x[rows]
    sparse = not isinstance(part, np.ndarray)
    values = part.data if sparse else part
    if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
        raise InputError(
            "features hold NaN, infinity or something other than numbers; fill or drop them first."
        )
    if not len(rows):
        return (None if sparse else np.zeros(x.shape[1])), np.ones(x.shape[1])
    centre = None
    if sparse:
        scale = np.sqrt(np.asarray(part.astype(np.float64).power(2).mean(axis=0)).ravel())
    else:
        centre = part.mean(axis=0, dtype=np.float64)
        scale = part.std(axis=0, dtype=np.float64)
        scale[scale <= 1e-12 * np.abs(centre)] = 0.0
    return centre, np.where(scale > 0, scale, 1.0)


def _unit_rows(x: Any, centre: NDArray[np.float64] | None, scale: NDArray[np.float64]) -> Any:
    """Standardised rows of length 1; a row of zeros stays zero (all wrong classes equally likely)."""
    if centre is None:
        x = x.astype(np.float64).multiply(1.0 / scale).tocsr()
        norm = np.sqrt(np.asarray(x.power(2).sum(axis=1)).ravel())
        return x.multiply(np.where(norm > 0, 1.0 / np.where(norm > 0, norm, 1.0), 0.0)[:, None]).tocsr()
    x = (x - centre) / scale
    norm = np.sqrt(np.einsum("nd,nd->n", x, x))
    return x / np.where(norm > 0, norm, 1.0)[:, None]


def _flip_probabilities(uniform: NDArray[np.float64], rate: float, std: float) -> NDArray[np.float64]:
    """Quantiles of the normal cut to [0, 1] whose mean is ``rate``."""
    if std == 0 or rate in (0.0, 1.0):
        return np.full(len(uniform), rate)
    if rate > 0.5:
        return 1.0 - _flip_probabilities(uniform, 1.0 - rate, std)
    from scipy.special import log_ndtr, ndtri_exp

    def quantile(location: float, u: NDArray[np.float64]) -> NDArray[np.float64]:
        # In logarithms of the upper tail: locations far below 0 (rates well below std) stay accurate.
        low, high = log_ndtr(location / std), log_ndtr((location - 1.0) / std)
        tail = np.logaddexp(low + np.log1p(-u), high + np.log(u))
        return np.clip(location - std * ndtri_exp(tail), 0.0, 1.0)

    grid = (np.arange(4000) + 0.5) / 4000
    # Far below 0 the cut normal is close to an exponential with mean std^2 / |location|.
    low = -10 * std - std**2 / rate
    location = rising_root(lambda m: float(quantile(m, grid).mean()) - rate, low, 0.6, tolerance=1e-7 * rate)
    return quantile(location, np.maximum(uniform, np.finfo(float).tiny))
