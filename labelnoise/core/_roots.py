"""The zero of a rising function without loading an optimiser (`scipy.optimize` takes half a second)."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["rising_root"]


def rising_root(
    function: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-13
) -> float:
    """Where a rising function crosses zero between ``low`` and ``high``.

    False position with the Illinois correction, and a bisection whenever it has not halved the interval in
    three steps. Without a crossing the nearer end is returned.

    Parameters
    ----------
    function : callable
    low, high : float
    tolerance : float
        Value of the function that counts as zero.

    Examples
    --------
    >>> round(rising_root(lambda x: x**3 - 2, 0.0, 2.0), 6)
    1.259921
    """
    f_low, f_high = function(low), function(high)
    if f_low >= 0:
        return low
    if f_high <= 0:
        return high
    side, width, steps = 0, high - low, 0
    for _ in range(400):
        steps += 1
        middle = (low * f_high - high * f_low) / (f_high - f_low)
        if steps > 3 or not low < middle < high:
            middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        value = function(middle)
        if abs(value) <= tolerance:
            return middle
        if value < 0:
            # The end that stays put counts half, or it would never move.
            f_high = f_high * 0.5 if side < 0 else f_high
            low, f_low, side = middle, value, -1
        else:
            f_low = f_low * 0.5 if side > 0 else f_low
            high, f_high, side = middle, value, 1
        if high - low <= 0.5 * width:
            width, steps = high - low, 0
    return 0.5 * (low + high)
