"""What a noise model is estimated from: agreement within and between the cells of `_noise_groups`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from labelnoise.core._noise_groups import EDGE, Cells, beta_quantile, error_by_size

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Pseudo-disagreements by which the correlation of one class is drawn towards that of all classes.
_SHRINKAGE = 10.0
#: A size effect is kept when it is this many standard errors from 0 and there are this many cells.
_SLOPE_Z = 4.0
_SLOPE_CELLS = 50
#: A coupling is bounded already and leaves the rates of each class alone, so a hint of it is enough.
_COUPLING_Z = 1.0


def smooth_counts(counts: Floats, smoothing: float) -> Floats:
    """Row-normalised counts with ``smoothing`` average units per class; a row of nothing stays clean."""
    k = len(counts)
    rate = 1.0 - np.trace(counts) / counts.sum()
    off = counts * (1.0 - np.eye(k))
    goals = np.tile(off.sum(axis=0), (k, 1)) * (1.0 - np.eye(k))
    empty = goals.sum(axis=1) == 0
    goals[empty] = (1.0 - np.eye(k))[empty]
    average = (1.0 - rate) * np.eye(k) + rate * goals / goals.sum(axis=1, keepdims=True)
    total = counts.sum(axis=1, keepdims=True) + smoothing
    return np.where(total > 0, (counts + smoothing * average) / np.where(total > 0, total, 1.0), np.eye(k))


@dataclass(frozen=True)
class Values:
    """How often each given label occurs in a cell, where it does."""

    cell: Ints
    label: Ints
    count: Ints


def count_values(cell: Ints, given: Ints, k: int) -> Values:
    code, count = np.unique(cell * k + given, return_counts=True)
    return Values(cell=code // k, label=code % k, count=count.astype(np.int64))


def observed_consistency(cells: Cells, values: Values, k: int) -> tuple[float, Floats]:
    """Agreement beyond chance of given labels within cells: over all classes, and per class."""
    within, freedom, between = disagreement(
        cells.label, cells.size, values.cell, values.label, values.count, k
    )
    expected = freedom * between
    overall = 1.0 - within.sum() / expected.sum() if expected.sum() > 0 else 0.0
    per_class = np.where(expected > 0, 1.0 - within / np.where(expected > 0, expected, 1.0), overall)
    return float(np.clip(overall, 0.0, 1.0)), np.clip(per_class, 0.0, 1.0)


def _shrink(within: Floats, expected: Floats) -> Floats:
    """Correlations from observed and expected disagreement, drawn towards that of all classes."""
    if expected.sum() <= 0:
        return np.zeros(len(within))
    ratio = min(within.sum() / expected.sum(), 1.0)
    return np.clip(1.0 - (within + _SHRINKAGE * ratio) / (expected + _SHRINKAGE), 0.0, 1.0)


def error_consistency(cells: Cells, wrong: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Correlation of errors and size effect per class, and the error probability of each cell."""
    k = len(counts)
    index = np.arange(len(wrong))
    pairs = Values(
        cell=np.tile(index, 2),
        label=np.repeat([0, 1], len(wrong)),
        count=np.concatenate([cells.size - wrong, wrong]).astype(np.int64),
    )
    within, freedom, between = disagreement(cells.label, cells.size, pairs.cell, pairs.label, pairs.count, k)
    expected = freedom * between
    first = _shrink(within, expected)
    slope, error, share = np.zeros(k), np.zeros(len(wrong)), cells.share
    for c in np.unique(cells.label):
        mine = cells.label == c
        size = cells.size[mine]
        slope[c] = fit_size_slope(wrong[mine], size, share[mine], float(first[c]))
        rate = float(wrong[mine].sum() / size.sum())
        error[mine] = error_by_size(rate, float(slope[c]), size, share[mine])
        if slope[c] != 0.0:
            expected[c] = float(((size - 1.0) * 2.0 * error[mine] * (1.0 - error[mine])).sum())
    return _shrink(within, expected), slope, error


def label_consistency(cells: Cells, values: Values, k: int) -> Floats:
    """Correlation of the wrong labels of two errors of one cell, per class."""
    error = values.label != cells.label[values.cell]
    used, cell = np.unique(values.cell[error], return_inverse=True)
    count = values.count[error]
    size = np.bincount(cell.ravel(), weights=count, minlength=len(used)).astype(np.int64)
    within, freedom, between = disagreement(
        cells.label[used], size, cell.ravel(), values.label[error], count, k
    )
    return _shrink(within, freedom * between)


def clustered_error(cells: Cells, values: Values, transition: Floats) -> Floats:
    """Standard error of T with groups as the independent units; binomial where a class has one group."""
    k = len(transition)
    code = cells.label[values.cell] * k + values.label
    count = values.count.astype(np.float64)

    def per_entry(weights: Floats) -> Floats:
        sums = np.bincount(code, weights=weights, minlength=k * k)
        return np.asarray(sums.reshape(k, k), dtype=np.float64)

    total = np.bincount(cells.label, weights=cells.size, minlength=k)[:, None]
    squares = np.bincount(cells.label, weights=cells.size.astype(np.float64) ** 2, minlength=k)[:, None]
    n_cells = np.bincount(cells.label, minlength=k)[:, None]
    spread = per_entry(count**2) - 2.0 * transition * per_entry(count * cells.size[values.cell])
    spread = np.maximum(spread + transition**2 * squares, 0.0)
    correction = n_cells / np.maximum(n_cells - 1, 1)
    binomial = np.sqrt(transition * (1.0 - transition) / np.maximum(total, 1.0))
    return np.where(n_cells > 1, np.sqrt(correction * spread) / np.maximum(total, 1.0), binomial)


def disagreement(
    label: Ints, size: Ints, pair_cell: Ints, pair_value: Ints, pair_count: Ints, k: int
) -> Floats:
    """Per class: disagreement within cells, degrees of freedom, and disagreement between cells.

    ``1 - within / (freedom * between)`` is the correlation of two units of one cell, unbiased in numerator
    and denominator whatever the number of cells (the form of Krippendorff's alpha with cells as units).

    Parameters
    ----------
    label, size : ndarray, shape (C,)
        Class and number of units of each cell.
    pair_cell, pair_value, pair_count : ndarray, shape (P,)
        How often each value occurs in a cell, where it does.
    k : int
        Number of classes.

    Returns
    -------
    ndarray of shape (3, k)
        Sums over cells of ``size`` times the chance that two draws *with* replacement differ; sums of
        ``size - 1``; the chance that two units of different cells differ (0 with fewer than two cells).
    """
    squares = np.bincount(pair_cell, weights=pair_count.astype(np.float64) ** 2, minlength=len(size))
    within = np.bincount(label, weights=size - squares / size, minlength=k)
    freedom = np.bincount(label, weights=size - 1.0, minlength=k)
    total = np.bincount(label, weights=size, minlength=k)
    pairs = total**2 - np.bincount(label, weights=size.astype(np.float64) ** 2, minlength=k)
    values = int(pair_value.max(initial=0)) + 1
    marginal = np.bincount(
        label[pair_cell] * values + pair_value, weights=pair_count, minlength=k * values
    ).reshape(k, values)
    equal = (marginal**2).sum(axis=1) - np.bincount(label, weights=squares, minlength=k)
    between = np.where(pairs > 0, 1.0 - equal / np.where(pairs > 0, pairs, 1.0), 0.0)
    return np.stack([within, freedom, np.clip(between, 0.0, 1.0)])


def fit_size_slope(wrong: Floats, size: Ints, share: Floats, rho: float) -> float:
    """Slope of the log-odds of an error in the log share of a cell; 0 unless it stands out from its error.

    Quasi-likelihood with the working variance of correlated units (so that one huge cell does not decide)
    and a sandwich standard error.
    """
    total = float(wrong.sum())
    if len(size) < _SLOPE_CELLS or len(np.unique(size)) < 2 or total < 10 or float(size.sum()) - total < 10:
        return 0.0
    weight = size / (1.0 + (size - 1.0) * rho)
    x = np.log(share)
    x = x - weight @ x / weight.sum()
    design = np.column_stack([np.ones(len(x)), x])
    # A weak normal prior of unit variance on the slope keeps separated data finite.
    ridge = np.array([0.0, 1.0])
    beta = np.array([logit((weight @ (wrong / size) + 0.5) / (weight.sum() + 1.0)), 0.0])
    for _ in range(50):
        mean = expit(design @ beta)
        score = design.T @ (weight * (wrong / size - mean)) - ridge * beta
        information = (design * (weight * mean * (1.0 - mean))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(information, score)
        beta = beta + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    residual = design * (weight * (wrong / size - expit(design @ beta)))[:, None]
    bread = np.linalg.inv(information)
    error = float(np.sqrt((bread @ (residual.T @ residual) @ bread)[1, 1]))
    return float(beta[1]) if abs(beta[1]) > _SLOPE_Z * error else 0.0


def coupling_of_groups(cells: Cells, wrong: Floats, error: Floats, rho: Floats) -> float:
    """Linear correlation, from 0 to 1, of the error probabilities of one group's cells across classes."""
    weight = 1.0 / (1.0 + (cells.size - 1.0) * rho[cells.label])
    residual = weight * (wrong - cells.size * error)
    spread = weight * cells.size * np.sqrt(rho[cells.label] * error * (1.0 - error))

    def products(values: Floats) -> Floats:
        sums = np.asarray(np.bincount(cells.group, weights=values), dtype=np.float64)
        return sums**2 - np.bincount(cells.group, weights=values**2)

    observed, most = products(residual), float(products(spread).sum())
    if most <= 0 or observed.sum() <= _COUPLING_Z * np.sqrt((observed**2).sum()):
        return 0.0
    return float(np.clip(observed.sum() / most, 0.0, 1.0))


def latent_coupling(linear: float, rate: float, rho: float) -> float:
    """Correlation of the normals of the copula that gives Beta variables this linear correlation."""
    if linear <= 0.0 or linear >= 1.0 or rho < EDGE or not 0 < rate < 1:
        return float(np.clip(linear, 0.0, 1.0)) if rho >= EDGE else 0.0
    z = ndtri((np.arange(200) + 0.5) / 200)
    tau = np.linspace(0.0, 1.0, 33)
    rate_of = np.full((len(z), len(z)), rate)
    shared = [
        beta_quantile(ndtr(np.sqrt(t) * z[:, None] + np.sqrt(1 - t) * z), rate_of, np.full_like(rate_of, rho))
        .mean(axis=1)
        .var()
        for t in tau
    ]
    return float(np.interp(linear, np.maximum.accumulate(shared) / max(shared), tau))
