"""From evidence to P(true class) under an estimated transition matrix: a stacker that knows labels are noisy.

Several experts each give every unit a log-odds-like score per class. A small softmax model combines them into
P(true class) and, at the same time, the transition matrix from true to given labels is fitted, so that the
posterior of the true class given both the evidence and the label can be read off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["StackerFit", "fit_stacker", "posterior", "predict"]

Array = NDArray[np.float64]

#: Standard deviation of the per-class noise rates (logits) around their mean.
SPREAD = 0.2
#: The same for the slopes of the covariates.
SLOPE_SPREAD = 0.5
#: Logit of the noise rate that the prior is centred on (about 7.6%), weakly.
RATE_LOGIT = -2.5
#: Where the fit starts (about 27%): from below, strong class-pair noise ends in a solution without noise.
START_LOGIT = -1.0
#: The concentration that a fit without a warm start begins with: few kinds of confusion per class.
SPARSE = 1.0
#: Sum of the experts' weights in the sharpened start.
SHARP = 10.0
#: A concentration at which errors are uniform over the other classes for all purposes.
UNIFORM = 1e5


@dataclass(frozen=True)
class StackerFit:
    """A fitted stacker.

    Attributes
    ----------
    weights : ndarray, shape (M,)
        Weight of each expert.
    slopes : ndarray, shape (q, M)
        How the weights change with each of q covariates.
    bias : ndarray, shape (K,)
    transition : ndarray, shape (K, K)
        Estimated ``T[i, j] = P(given = j | true = i)``.
    concentration : float
        Dirichlet concentration of the off-diagonal rows; large means "errors are uniform".
    theta : ndarray
        Raw parameters, a warm start for a refit.
    objective : float
        Penalised negative log-likelihood at the solution.
    converged : bool
    """

    weights: Array
    slopes: Array
    bias: Array
    transition: Array
    concentration: float
    theta: Array
    objective: float
    converged: bool

    @property
    def uniform(self) -> bool:
        """Whether errors are taken to be uniform over the other classes."""
        return self.concentration >= UNIFORM


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _unpack(theta: Array, m: int, q: int, k: int) -> tuple[Array, Array, Array, Array, Array]:
    w, v = theta[:m], theta[m : m + q * m].reshape(q, m)
    rest = theta[m + q * m :]
    b, eta = rest[:k], rest[k : 2 * k]
    rho = rest[2 * k :].reshape(k, k - 1) if k > 2 else np.zeros((k, max(k - 1, 0)))
    return w, v, b, eta, rho


def _transition(eta: Array, rho: Array) -> tuple[Array, Array, Array]:
    """T, the per-class rates and the off-diagonal shares R from their logits."""
    k = len(eta)
    rate = 1.0 / (1.0 + np.exp(-eta))
    share = np.zeros((k, k))
    if k > 1:
        share[~np.eye(k, dtype=bool)] = _softmax(rho).ravel()
    matrix = rate[:, None] * share
    matrix[np.diag_indices(k)] = 1.0 - rate
    return matrix, rate, share


def _logits(evidence: NDArray[Any], covariates: Array, w: Array, v: Array, b: Array) -> Array:
    """Class scores: experts weighted by w + covariates' slopes, plus a bias per class. Evidence is (M, n, K)."""
    # single precision stays single, so that blocks of many units stay small
    kind: Any = np.float32 if evidence.dtype == np.float32 else np.float64
    w, v, b, covariates = (part.astype(kind, copy=False) for part in (w, v, b, covariates))
    z = np.tensordot(w, evidence, axes=1)
    for slope, u in zip(v, covariates, strict=True):
        z += u[:, None] * np.tensordot(slope, evidence, axes=1)
    return z + b


def _objective(
    theta: Array,
    evidence: Array,
    covariate: Array,
    given: NDArray[np.int64],
    concentration: float,
    rate_spread: float = SPREAD,
) -> tuple[float, Array]:
    """Penalised negative log-likelihood and its gradient; evidence is (M, K, n), classes before units.

    This order keeps every reduction over classes contiguous, which is most of the cost.
    """
    m, k, n = evidence.shape
    w, v, b, eta, rho = _unpack(theta, m, len(covariate), k)
    transition, rate, share = _transition(eta, rho)
    flat = evidence.reshape(m, k * n)
    z = (w @ flat).reshape(k, n)
    for slope, u in zip(v, covariate, strict=True):
        z += u * (slope @ flat).reshape(k, n)
    z += b[:, None]
    z -= z.max(axis=0)
    p = np.exp(z, out=z)
    p /= p.sum(axis=0)
    r = p * transition[:, given]
    total = np.maximum(r.sum(axis=0), 1e-300)
    r /= total
    loss = -float(np.log(total).sum())

    residual = p - r
    gw = flat @ residual.ravel()
    gv = np.array([flat @ (residual * u).ravel() for u in covariate]).reshape(v.shape)
    gb = residual.sum(axis=1)
    counts = np.stack([np.bincount(given, weights=row, minlength=k) for row in r])  # counts[true, given]
    stay = np.diag(counts).copy()
    counts[np.diag_indices(k)] = 0.0
    left = counts.sum(axis=1)
    geta = stay * rate - left * (1.0 - rate)

    loss += (
        float((v * v).sum()) / (2 * SLOPE_SPREAD**2)
        + float(b @ b) / 2
        + 0.005 * float(((w - w.mean()) ** 2).sum())
    )
    gw += 0.01 * (w - w.mean())
    gv += v / SLOPE_SPREAD**2
    gb += b
    loss += float(((eta - eta.mean()) ** 2).sum()) / (2 * rate_spread**2)
    geta += (eta - eta.mean()) / rate_spread**2
    loss += float(((eta - RATE_LOGIT) ** 2).mean()) / 8
    geta += (eta - RATE_LOGIT) / (4 * k)

    parts = [gw, gv.ravel(), gb, geta]
    if k > 2:
        off = ~np.eye(k, dtype=bool)
        shares = share[off].reshape(k, k - 1)
        prior = concentration / (k - 1)
        # measured from even shares, so that a strong prior does not drown the rest in rounding
        loss -= prior * float(np.log(np.maximum(shares * (k - 1), 1e-300)).sum())
        pull = counts[off].reshape(k, k - 1) + prior
        parts.append((pull.sum(axis=1, keepdims=True) * shares - pull).ravel())
    return loss, np.concatenate(parts)


def _fit_once(
    evidence: Array,
    covariate: Array,
    given: NDArray[np.int64],
    concentration: float,
    rate_spread: float,
    start: Array,
    iterations: int,
    tolerance: float,
) -> StackerFit:
    from scipy.optimize import minimize

    m, k, _ = evidence.shape
    result = minimize(
        _objective,
        start,
        args=(evidence, covariate, given, concentration, rate_spread),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 20, "ftol": tolerance, "gtol": 1e-4},
    )
    w, v, b, eta, rho = _unpack(result.x, m, len(covariate), k)
    matrix, _, _ = _transition(eta, rho)
    return StackerFit(w, v, b, matrix, concentration, result.x, float(result.fun), bool(result.success))


def _best_concentration(probs: Array, given: NDArray[np.int64], fit: StackerFit) -> float:
    """The Dirichlet concentration under which the expected confusions are most likely (type II likelihood)."""
    from scipy.special import gammaln

    k = probs.shape[1]
    r = posterior(probs, fit.transition, given)
    counts = np.stack([np.bincount(given, weights=row, minlength=k) for row in r.T])
    off = counts[~np.eye(k, dtype=bool)].reshape(k, k - 1)
    grid = np.geomspace(0.5, 1e4, 40)
    each = grid[:, None, None] / (k - 1)
    score = (
        k * gammaln(grid)
        - gammaln(grid[:, None] + off.sum(axis=1)).sum(axis=1)
        + (gammaln(each + off) - gammaln(each)).sum(axis=(1, 2))
    )
    return float(grid[int(np.argmax(score))])


def fit_stacker(
    evidence: NDArray[Any],
    given: NDArray[np.integer[Any]],
    *,
    covariate: Array | None = None,
    concentration: float | None = None,
    rate_spread: float = SPREAD,
    start: StackerFit | None = None,
    iterations: int = 120,
    tolerance: float = 1e-9,
    least_information: float = 0.0,
) -> StackerFit:
    """Fit class probabilities and the transition matrix together, from given labels alone.

    Parameters
    ----------
    evidence : ndarray, shape (M, n, K)
        Score of each of M experts for each unit and class (log-odds scale; any per-unit constant is ignored).
        Nothing in row i may depend on unit i's own given label.
    given : ndarray of int, shape (n,)
        Labels, all >= 0 (leave unlabelled units out of the fit, `predict` covers them).
    covariate : ndarray, shape (n,) or (q, n), optional
        Standardised numbers (such as log degree) with which the experts' weights may change.
    concentration : float, optional
        Fixed concentration of the errors' Dirichlet prior. By default it is found by empirical Bayes:
        uniform errors give a large value, class-pair errors a small one.
    rate_spread : float
        Prior standard deviation of the classes' error rates around their mean, in log-odds. A large one lets one
        class be all but free of errors while most labels of another are missing.
    start : StackerFit, optional
        Warm start.
    iterations : int
        Limit of the L-BFGS iterations per fit.
    tolerance : float
        Relative decrease of the objective at which a fit ends.
    least_information : float
        What class-dependent errors must tell about where a wrong label comes from, to be believed: log-likelihood
        gained over uniform errors per expected error, as a share of log(K - 1), which pair errors seen with perfect
        evidence would gain. Unlike the fixed price per kind of confusion it grows with the data, as does the gain
        that real classes bring by contradicting their evidence in their own way.

    Returns
    -------
    StackerFit

    Notes
    -----
    Maximises ``sum_i log sum_y T[y, given_i] p_i(y)`` with ``p = softmax(b + sum_m (w_m + v_m u_i) e_m)`` under
    weak priors: slopes v (sd 0.5), per-class rates near their mean (sd 0.2), rows of off-diagonal shares
    Dirichlet(concentration). Class-dependent errors are kept only if they raise the log-likelihood over uniform
    ones by 1 for each kind of confusion in T (Akaike 1974, with row perplexities as the number of parameters):
    classes that are hard to tell apart would otherwise pass for class-dependent noise. The forward-corrected likelihood is
    Patrini et al. 2017 (eq. 6); fitting T with it is identifiable only when the evidence separates the classes.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 3000)
    >>> scores = rng.normal(size=(1, 3000, 3)); scores[0, np.arange(3000), true] += 4
    >>> given = np.where(rng.random(3000) < 0.2, (true + 1) % 3, true)
    >>> fit = fit_stacker(scores, given)
    >>> abs(1 - np.diag(fit.transition).mean() - 0.2) < 0.03
    np.True_
    """
    evidence = np.ascontiguousarray(evidence, dtype=np.float64)
    labels = np.asarray(given, dtype=np.int64)
    k = evidence.shape[2]
    u = _rows(covariate, len(labels))
    by_class = np.ascontiguousarray(evidence.transpose(0, 2, 1))

    def fit_at(level: float, at: Array) -> StackerFit:
        return _fit_once(by_class, u, labels, level, rate_spread, at, iterations, tolerance)

    if start is not None:
        starts = [start.theta]
    else:
        starts = [_soft_start(len(evidence), len(u), k), _hard_start(evidence, len(u), labels)]
    level = concentration if concentration is not None else SPARSE if start is None else start.concentration
    fit = min((fit_at(min(level, UNIFORM), at) for at in starts), key=lambda found: found.objective)
    if concentration is not None or k < 3:
        return fit
    for _ in range(2):
        better = _best_concentration(predict(fit, evidence, u), labels, fit)
        moved = abs(np.log(better / fit.concentration))
        fit = fit_at(better, fit.theta)
        if moved < 0.3:
            break
    even_starts = [_even_start(at, k) for at in (fit.theta, starts[0])]
    even = min((fit_at(UNIFORM, at) for at in even_starts), key=lambda found: found.objective)
    gain = _likelihood(fit, evidence, u, labels) - _likelihood(even, evidence, u, labels)
    expected = float((1.0 - np.diag(fit.transition))[labels].sum())
    least = max(_kinds_of_error(fit.transition), least_information * expected * np.log(k - 1))
    return fit if gain > least else even


def _soft_start(m: int, q: int, k: int) -> Array:
    """Experts taken at their word, a noise rate of 27% spread evenly."""
    return np.concatenate(
        [np.ones(m), np.zeros(q * m + k), np.full(k, START_LOGIT), np.zeros(k * (k - 1) * (k > 2))]
    )


def _hard_start(evidence: Array, q: int, given: NDArray[np.int64]) -> Array:
    """Experts sharpened, the transition matrix counted from their mean's favourite class.

    Where neighbours repeat the noise (a dense graph, 30% pair errors) the experts' shares already explain the
    given labels without any error; only from sharpened experts is the better solution reached.
    """
    m, _, k = evidence.shape
    counts = np.zeros((k, k))
    np.add.at(counts, (evidence.mean(axis=0).argmax(axis=1), given), 1.0)
    stay = np.diag(counts)
    left = counts.sum(axis=1) - stay
    rate = np.clip((left + 1) / (counts.sum(axis=1) + 4), 0.01, 0.6)
    parts = [np.full(m, SHARP / m), np.zeros(q * m + k), np.log(rate / (1 - rate))]
    if k > 2:
        parts.append(np.log(counts + 0.5)[~np.eye(k, dtype=bool)])
    return np.concatenate(parts)


def _kinds_of_error(transition: Array) -> float:
    """Effective number of confusions in T: 1 per class for pair errors, K - 1 for even ones (row perplexities)."""
    off = transition.copy()
    np.fill_diagonal(off, 0.0)
    share = off / np.maximum(off.sum(axis=1, keepdims=True), 1e-300)
    entropy = -(share * np.log(np.maximum(share, 1e-300))).sum(axis=1)
    return float(np.exp(entropy).sum())


def _rows(covariate: Array | None, n: int) -> Array:
    """Covariates as a matrix (q, n)."""
    if covariate is None:
        return np.zeros((0, n))
    return np.atleast_2d(np.asarray(covariate, dtype=np.float64))


def _even_start(theta: Array, k: int) -> Array:
    """The same parameters with even off-diagonal shares."""
    start = theta.copy()
    start[-k * (k - 1) :] = 0.0
    return start


def _likelihood(fit: StackerFit, evidence: Array, covariate: Array, given: NDArray[np.int64]) -> float:
    """Log-likelihood of the given labels, without the priors."""
    p = predict(fit, evidence, covariate)
    return float(np.log(np.maximum((p * fit.transition.T[given]).sum(axis=1), 1e-300)).sum())


def predict(fit: StackerFit, evidence: NDArray[Any], covariate: Array | None = None) -> Array:
    """P(true class | evidence), the given label not used; shape (n, K)."""
    u = _rows(covariate, evidence.shape[1])
    return _softmax(_logits(evidence, u, fit.weights, fit.slopes, fit.bias))


def posterior(probs: NDArray[Any], transition: Array, given: NDArray[np.integer[Any]]) -> Array:
    """P(true class | evidence, given label) by Bayes' rule; shape (n, K).

    Units without a label (-1) keep ``probs``.

    Examples
    --------
    >>> import numpy as np
    >>> T = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> posterior(np.array([[0.5, 0.5], [0.5, 0.5]]), T, np.array([0, -1])).round(2).tolist()
    [[0.9, 0.1], [0.5, 0.5]]
    """
    labels = np.asarray(given)
    has = labels >= 0
    result = probs.copy()
    back = transition.T.astype(np.float32) if probs.dtype == np.float32 else transition.T
    joint = probs[has] * back[labels[has]]
    result[has] = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)
    return result
