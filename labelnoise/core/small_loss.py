"""Small-loss selection: train on what the model finds easy, because wrong labels are learnt late."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core._survey import by_class
from labelnoise.core.confident_learning import lowest
from labelnoise.core.validation import InputError, as_labels, as_rate, check_same_length

__all__ = ["keep_schedule", "small_loss"]


def small_loss(
    losses: ArrayLike, *, keep: float, labels: ArrayLike | None = None, per_class: bool = False
) -> NDArray[np.bool_]:
    """Select the fraction of units with the lowest losses.

    Parameters
    ----------
    losses : array_like of float, shape (n,)
        One loss per unit, any scale.
    keep : float
        Fraction R in [0, 1]; ``floor(R * m)`` of m units are selected.
    labels : array_like of int, shape (n,), optional
        Given labels; units of label -1 are not selected and not counted.
    per_class : bool
        Apply the fraction to each given class by itself, so that hard classes keep their share. Needs
        ``labels``.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the units to keep as clean. Of equal losses the first are selected.

    Raises
    ------
    InputError
        Losses with NaN, a fraction outside [0, 1], lengths that differ, ``per_class`` without labels.

    References
    ----------
    Han et al. (2018), Co-teaching, NeurIPS, algorithm 1, steps 4-5.

    Examples
    --------
    >>> small_loss([0.1, 2.0, 0.3, 0.2, 5.0], keep=0.6)
    array([ True, False,  True,  True, False])
    >>> small_loss([0.1, 2.0, 0.3, 0.2, 5.0], keep=0.5, labels=[0, 1, 0, 0, 1], per_class=True)
    array([ True,  True, False, False, False])
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"losses has shape {values.shape}; a vector with one loss per unit is needed.")
    if np.isnan(values).any():
        raise InputError("losses holds NaN; find out where it comes from before selecting by loss.")
    fraction = as_rate(keep, name="keep")
    if labels is None:
        if per_class:
            raise InputError("per_class needs the given labels; pass labels=...")
        return lowest(values, _floor(fraction, len(values)), "first")
    ids = as_labels(labels)
    check_same_length(losses=values, labels=ids)
    # Without classes, all labelled units are members of one.
    pools = ids if per_class else np.minimum(ids, 0)
    selected = np.zeros(len(values), dtype=bool)
    for units in by_class(pools, int(pools.max(initial=-1)) + 1):
        selected[units[lowest(values[units], _floor(fraction, len(units)), "first")]] = True
    return selected


def keep_schedule(epoch: int, noise_rate: float, *, ramp: int = 10, exponent: float = 1.0) -> float:
    """Fraction of the batch to keep in an epoch: everything at first, 1 - noise rate after a ramp.

    Parameters
    ----------
    epoch : int
        From 0.
    noise_rate : float
        Fraction of wrong labels to forget in the end, in [0, 1].
    ramp : int
        Epochs until all of it is forgotten, >= 1.
    exponent : float
        > 0; 1 is a straight line.

    Returns
    -------
    float
        ``1 - noise_rate * min((epoch / ramp) ** exponent, 1)``.

    Raises
    ------
    InputError
        A parameter outside of its range.

    References
    ----------
    Han et al. (2018), Co-teaching, NeurIPS, section 4: ``R(T)`` with ``T_k = 10``, ``c = 1``.

    Examples
    --------
    >>> [round(keep_schedule(e, 0.4), 2) for e in (0, 5, 10, 100)]
    [1.0, 0.8, 0.6, 0.6]
    """
    rate = as_rate(noise_rate, name="noise_rate")
    if epoch < 0:
        raise InputError(f"epoch is {epoch}; epochs count from 0.")
    if ramp < 1 or not exponent > 0:
        raise InputError(f"ramp is {ramp} and exponent {exponent}; ramp must be >= 1 and exponent > 0.")
    return float(1 - rate * min((epoch / ramp) ** exponent, 1.0))


def _floor(fraction: float, n: int) -> int:
    # 0.7 * 10 is 6.999...: a hair keeps whole products whole.
    return int(fraction * n + 1e-9)
