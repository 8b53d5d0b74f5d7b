"""Two-component mixtures of the units' losses: the low one is what the model has learnt, the high one what it resists."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._mixture import as_losses
from labelnoise.core.mixture_beta import BetaMixture, fit_beta_mixture
from labelnoise.core.mixture_gaussian import GaussianMixture, fit_gaussian_mixture
from labelnoise.core.validation import as_rate, choose

__all__ = [
    "BetaMixture",
    "GaussianMixture",
    "beta_mixture",
    "fit_beta_mixture",
    "fit_gaussian_mixture",
    "gaussian_mixture",
]


def gaussian_mixture(
    losses: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    threshold: float = 0.5,
    monotone: bool = False,
    unseparated: Literal["split", "keep"] = "split",
) -> NDArray[np.bool_]:
    """Select the units to keep: those that belong to the lower of two Gaussians of the losses.

    Parameters
    ----------
    losses : array_like of float, shape (n,)
        One loss per unit, any scale; finite.
    labels : array_like of int, shape (n,), optional
        Given labels; units of label -1 take no part and are not selected.
    threshold : float
        In [0, 1]: units with a posterior above it are kept; 0.5 published.
    monotone : bool
        As in `GaussianMixture.posterior`.
    unseparated : {"split", "keep"}
        What to do if the losses form one group only: split it all the same, as published, with a
        ``UserWarning``; or keep all labelled units.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the units to keep as clean.

    Raises
    ------
    InputError
        As in `fit_gaussian_mixture`; a threshold outside [0, 1], unknown ``unseparated``.

    References
    ----------
    Li, Socher, Hoi (2020), DivideMix: learning with noisy labels as semi-supervised learning, ICLR, section 3.1.

    Examples
    --------
    >>> gaussian_mixture([0.1, 2.0, 0.3, 0.2, 2.1])
    array([ True, False,  True,  True, False])
    """
    mixture = fit_gaussian_mixture(losses, labels=labels)
    return _keep(mixture, losses, labels, threshold, unseparated, monotone)


def beta_mixture(
    losses: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    threshold: float = 0.5,
    monotone: bool = True,
    unseparated: Literal["split", "keep"] = "split",
) -> NDArray[np.bool_]:
    """Select the units to keep: those that belong to the lower of two beta distributions of the losses.

    Parameters
    ----------
    losses, labels, threshold, unseparated
        As in `gaussian_mixture`.
    monotone : bool
        As in `BetaMixture.posterior`.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the units to keep as clean.

    Raises
    ------
    InputError
        As in `fit_beta_mixture`; a threshold outside [0, 1], unknown ``unseparated``.

    References
    ----------
    Arazo, Ortego, Albert, O'Connor, McGuinness (2019), Unsupervised label noise modeling and loss correction, ICML,
    section 3.1.

    Examples
    --------
    >>> beta_mixture([0.1, 0.2, 0.15, 0.3, 0.25, 0.2, 2.0, 2.2, 2.4, 2.1]).astype(int)
    array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    """
    mixture = fit_beta_mixture(losses, labels=labels)
    return _keep(mixture, losses, labels, threshold, unseparated, monotone)


def _keep(
    mixture: GaussianMixture | BetaMixture,
    losses: ArrayLike,
    labels: ArrayLike | None,
    threshold: float,
    unseparated: str,
    monotone: bool,
) -> NDArray[np.bool_]:
    level = as_rate(threshold, name="threshold")
    choose(unseparated, ("split", "keep"), "unseparated")
    values, labelled = as_losses(losses, labels)
    known = np.ones(len(values), dtype=bool) if labelled is None else labelled
    if not mixture.fitted or (unseparated == "keep" and not mixture.separated):
        return known
    if not mixture.separated:
        warnings.warn(mixture.warning, UserWarning, stacklevel=3)
    return np.asarray((mixture.posterior(values, monotone=monotone) > level) & known)
