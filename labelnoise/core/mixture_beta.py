"""Two beta distributions of the losses, as dynamic bootstrapping fits them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._mixture import (
    Floats,
    Mixture,
    as_losses,
    blocks,
    labelled_losses,
    nothing_fitted,
    points_of,
    scaled,
    value_range,
    why_unseparated,
)
from labelnoise.core.mixture_gaussian import fit_gaussian_mixture
from labelnoise.core.validation import InputError

__all__ = ["BetaMixture", "fit_beta_mixture"]

#: How many of their own ranges beyond the percentiles losses may lie before they count as outliers.
_REACH = 3.0

#: Published for beta mixtures: how far values stay from 0 and 1 before and inside the fit, and the posterior.
_BETA_EDGE, _BETA_FIT_EDGE, _BETA_POSTERIOR_EDGE, _BETA_FLOOR = 1e-3, 1e-4, 1e-4, 1e-12

#: Densities stop here, so that a sum of two is a number.
_LARGEST = 1e300


@dataclass(frozen=True)
class BetaMixture(Mixture):
    """Two beta distributions of the losses between two percentiles; the further attributes are those of every mixture.

    Attributes
    ----------
    weights, means, log_likelihood, n_fitted, n_steps, converged, separation, warning, low, span
        Shares and means of the components, lower mean first; the mean log density of a unit; units and steps of
        the fit; Ashman's D; a sentence if the components are not separated, else empty; the scaling
        ``(loss - low) / span``, from the two percentiles.
    alphas, betas : ndarray of float, shape (2,)
        Parameters of the components of the scaled losses.
    """

    alphas: Floats
    betas: Floats

    def posterior(
        self,
        losses: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        monotone: bool = True,
        resolution: int = 100,
    ) -> NDArray[np.float64]:
        """Probability of the component with the lower mean, from 1e-4 to 1 - 1e-4.

        Parameters
        ----------
        losses : array_like of float, shape (n,)
        labels : array_like of int, shape (n,), optional
            Given labels; 1 is answered for units of label -1, whatever their loss.
        monotone : bool
            The posterior never rises with the loss. False is as published: it is only held from the loss on where
            the high component is most probable, and a wide high component can take the lowest losses too. With 8%
            of wrong labels among 20 000 synthetic losses, F1 of finding them is 0.91 against 0.53.
        resolution : int
            Steps of the table in which the posterior is looked up, >= 2; 100 published.

        Raises
        ------
        InputError
            NaN or infinity in the loss of a labelled unit, lengths that differ, a resolution below 2.

        Examples
        --------
        >>> losses = [0.1, 0.2, 0.15, 0.3, 0.25, 0.2, 2.0, 2.2, 2.4, 2.1]
        >>> mixture = fit_beta_mixture(losses)
        >>> mixture.posterior([0.1, 1.0, 2.3]).round(3)
        array([1.   , 0.999, 0.   ])
        """
        if resolution < 2:
            raise InputError(f"resolution is {resolution}; a table of at least 2 steps is needed.")
        values, known = as_losses(losses, labels)
        result = np.ones(len(values))
        if not self.fitted:
            return result
        grid = np.linspace(_BETA_FLOOR, 1 - _BETA_FLOOR, resolution)
        with np.errstate(over="ignore"):
            dense = np.exp(_beta_log(grid, self.weights, self.alphas, self.betas)).clip(max=_LARGEST)
        high = dense[1] / (dense.sum(axis=0) + _BETA_FLOOR)
        if monotone:
            middle = int((self.means[0] - self.low) / self.span * resolution)
            high[middle:] = np.maximum.accumulate(high[middle:])
            high[: middle + 1] = np.minimum.accumulate(high[middle::-1])[::-1]
        else:
            high[high.argmax() :] = high.max()
        table = np.clip(1 - high, _BETA_POSTERIOR_EDGE, 1 - _BETA_POSTERIOR_EDGE)
        for rows in blocks(len(values)):
            x = scaled(values[rows], self.low, self.span)
            np.clip(x, _BETA_EDGE, 1 - _BETA_EDGE, out=x)
            result[rows] = table[(x * resolution).astype(np.intp)]
        return result if known is None else np.where(known, result, 1.0)


def fit_beta_mixture(
    losses: ArrayLike, *, labels: ArrayLike | None = None, max_steps: int = 10, bins: int = 4096
) -> BetaMixture:
    """Fit two beta distributions to the losses from the 5th to the 95th percentile, scaled to (0, 1).

    Steps of expectation by Bayes' rule and maximisation by moments, from (alpha, beta) = (1, 2) and (2, 1) with equal
    weights.

    Parameters
    ----------
    losses : array_like of float, shape (n,)
        One loss per unit, any scale; finite.
    labels : array_like of int, shape (n,), optional
        Given labels; units of label -1 take no part, whatever their loss.
    max_steps : int
        >= 1; all of them are made, as published with 10.
    bins : int
        Of the histogram, >= 16; up to as many units nothing is rounded.

    Returns
    -------
    BetaMixture
        With a `warning` if the losses form no two groups. If they hold no two different values between the
        percentiles, nothing is fitted and every posterior is 1. The component with the lower mean comes first, also
        in the rare case that the start's order turned.

    Raises
    ------
    InputError
        NaN or infinity in the loss of a labelled unit, lengths that differ, a setting outside of its range.

    References
    ----------
    Arazo, Ortego, Albert, O'Connor, McGuinness (2019), Unsupervised label noise modeling and loss correction, ICML,
    section 3.1.

    Examples
    --------
    >>> mixture = fit_beta_mixture([0.1, 0.2, 0.15, 0.3, 0.25, 0.2, 2.0, 2.2, 2.4, 2.1])
    >>> mixture.weights.round(2), mixture.means.round(2)
    (array([0.63, 0.37]), array([0.22, 2.1 ]))
    """
    if max_steps < 1 or bins < 16:
        raise InputError(f"max_steps is {max_steps} and bins {bins}; at least 1 step and 16 bins are needed.")
    values = labelled_losses(losses, labels)
    value_range(values)
    low, high = np.percentile(values, [5, 95]).tolist() if len(values) else (0.0, 0.0)
    inner = values[(values >= low) & (values <= high)]
    if not len(inner) or inner.min() == inner.max():
        nothing = nothing_fitted(values, low)
        return BetaMixture(
            **nothing, means=np.full(2, low), alphas=np.ones(2), betas=np.ones(2), converged=False
        )
    span = high - low
    points, counts = points_of(inner, low, span, bins)
    points = np.clip(points, _BETA_EDGE, 1 - _BETA_EDGE)
    x = np.clip(points, _BETA_FIT_EDGE, 1 - _BETA_FIT_EDGE)
    weights, alphas, betas = np.full(2, 0.5), np.array([1.0, 2.0]), np.array([2.0, 1.0])
    for _ in range(max_steps):
        share = _beta_responsibilities(x, weights, alphas, betas) * counts
        totals = share.sum(axis=1)
        mean = share @ x / totals
        variance = (share * (x - mean[:, None]) ** 2).sum(axis=1) / totals
        # A component on a single value would have no variance and infinite parameters.
        variance = np.maximum(variance, _BETA_FLOOR)
        alphas = mean * (mean * (1 - mean) / variance - 1)
        betas = alphas * (1 - mean) / mean
        weights = totals / totals.sum()
    means = alphas / (alphas + betas)
    order = np.argsort(means, kind="stable")
    weights, alphas, betas, means = weights[order], alphas[order], betas[order], means[order]
    density = np.logaddexp(*_beta_log(x, weights, alphas, betas))
    # Betas by moments are so wide that their own distance tells one group from two no better than chance.
    judge = fit_gaussian_mixture(np.clip(values, low - _REACH * span, high + _REACH * span), bins=bins)
    return BetaMixture(
        weights=weights,
        means=low + span * means,
        alphas=alphas,
        betas=betas,
        log_likelihood=float(density @ counts / counts.sum()) - math.log(span),
        n_fitted=len(inner),
        n_steps=max_steps,
        converged=False,
        separation=judge.separation,
        warning=why_unseparated(judge.separation, 0.5),
        low=low,
        span=span,
    )


def _beta_log(x: Floats, weights: Floats, alphas: Floats, betas: Floats) -> Floats:
    """Log of weight times density, shape (2, n)."""
    from scipy.special import betaln

    start = np.log(weights) - betaln(alphas, betas)
    log: Floats = start[:, None] + np.outer(alphas - 1, np.log(x)) + np.outer(betas - 1, np.log1p(-x))
    return log


def _beta_responsibilities(x: Floats, weights: Floats, alphas: Floats, betas: Floats) -> Floats:
    """Probabilities of the two components at each point, shape (2, n); weighted densities have a floor."""
    with np.errstate(over="ignore"):
        dense = np.clip(np.exp(_beta_log(x, weights, alphas, betas)), _BETA_FLOOR, _LARGEST)
    share: Floats = dense / dense.sum(axis=0)
    return share
