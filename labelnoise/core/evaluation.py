"""How well wrong labels were found: measures that a detector which flags nothing cannot win."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.detection import CountEstimate
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, check_same_length

__all__ = [
    "METRICS",
    "Interval",
    "MetricInfo",
    "bootstrap_interval",
    "detection_metrics",
    "mean_interval",
    "reliability_bins",
    "wilson_interval",
]


@dataclass(frozen=True)
class MetricInfo:
    """How a report names and reads one measure.

    Attributes
    ----------
    label : str
        Short name.
    better : str
        ``"high"``, ``"low"``, ``"one"`` (nearest to 1) or ``""`` (a count, neither good nor bad).
    explain : str
        One sentence.
    """

    label: str
    better: str
    explain: str


#: What `detection_metrics` answers, in order. Wrong labels are the positive class throughout.
METRICS: Mapping[str, MetricInfo] = {
    "n": MetricInfo("Units", "", "Labels whose truth is known and that were scored."),
    "n_wrong": MetricInfo("Wrong", "", "Labels that are wrong."),
    "n_flagged": MetricInfo("Flagged", "", "Labels that the method flagged at its own threshold."),
    "auroc": MetricInfo(
        "AUROC", "high", "Chance that a wrong label is more suspect than a right one; ties count half."
    ),
    "average_precision": MetricInfo(
        "AP",
        "high",
        "Average precision of the ranking; equal suspicion is one step; chance level is the rate.",
    ),
    "precision_at_true_count": MetricInfo(
        "P@n",
        "high",
        "Share of wrong labels among the n most suspect, n = true count; expected value over ties.",
    ),
    "precision": MetricInfo("Precision", "high", "Share of the flagged labels that are wrong."),
    "recall": MetricInfo("Recall", "high", "Share of the wrong labels that were flagged."),
    "f1": MetricInfo("F1", "high", "Harmonic mean of precision and recall at the method's own threshold."),
    "mcc": MetricInfo(
        "MCC", "high", "Matthews correlation at the method's own threshold; 0 where it flags all or none."
    ),
    "fdr": MetricInfo(
        "FDR", "low", "Realised share of right labels among the flagged; 0 where nothing is flagged."
    ),
    "flagged_ratio": MetricInfo(
        "Flagged / true", "one", "Number of flagged labels over the number of wrong ones."
    ),
    "expected": MetricInfo("Expected", "", "Number of wrong labels that the method expects."),
    "count_ratio": MetricInfo("Count ratio", "one", "Expected over true number of wrong labels."),
    "count_covered": MetricInfo(
        "Covered", "high", "1 if the interval of the expected count holds the true count, else 0."
    ),
    "ece": MetricInfo("ECE", "low", "Expected calibration error of P(wrong), ten bins of equal mass."),
    "brier": MetricInfo("Brier", "low", "Mean squared distance of P(wrong) from the truth."),
    "brier_skill": MetricInfo(
        "Brier skill", "high", "1 - Brier / Brier of always saying the true rate; 0 is worthless."
    ),
}


class Interval(NamedTuple):
    """A mean with an interval; `low` and `high` are None where fewer than two values leave it open."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


def _as_truth(is_wrong: ArrayLike) -> NDArray[np.int8]:
    truth = np.asarray(is_wrong)
    if truth.ndim != 1:
        raise InputError(f"is_wrong has shape {truth.shape}; a vector with one entry per unit is needed.")
    if truth.size and not np.isin(truth, (-1, 0, 1)).all():
        raise InputError(
            "is_wrong holds values other than 0, 1 (wrong) and -1 (truth unknown); pass given != true."
        )
    return truth.astype(np.int8)


def _as_numbers(values: ArrayLike, name: str, *, probability: bool = False) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; a vector with one number per unit is needed.")
    if array.size and not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinity; every scored unit needs a number.")
    if probability and array.size and (array.min() < 0 or array.max() > 1):
        raise InputError(
            f"{name} has values from {array.min():.3g} to {array.max():.3g}; probabilities lie in [0, 1]."
        )
    return array


def _steps(
    wrong: NDArray[np.bool_], suspicion: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cumulative wrong and right labels down the ranking, one entry per distinct suspicion, from (0, 0)."""
    order = np.argsort(-suspicion, kind="stable")
    ranked = suspicion[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = np.cumsum(wrong[order], dtype=np.int64)[ends]
    return np.append(0, hits), np.append(0, ends + 1 - hits)


def _ranking(wrong: NDArray[np.bool_], suspicion: NDArray[np.float64]) -> dict[str, float | None]:
    positives, n = int(wrong.sum()), len(wrong)
    if positives == 0:
        return {"auroc": None, "average_precision": None, "precision_at_true_count": None}
    hits, misses = _steps(wrong, suspicion)
    auroc = None
    if positives < n:
        # Twice the area under the steps, in whole numbers, so that no rounding gathers.
        area = int(np.sum(np.diff(misses) * (hits[1:] + hits[:-1])))
        auroc = area / (2 * positives * (n - positives))
    flagged = hits[1:] + misses[1:]
    average_precision = float(np.sum(np.diff(hits) * (hits[1:] / flagged)) / positives)
    step = int(np.searchsorted(flagged, positives))  # the step in which the n-th place falls
    above_hits, above = int(hits[step]), int(hits[step] + misses[step])
    tied_hits, tied = int(hits[step + 1]) - above_hits, int(flagged[step]) - above
    expected_hits = above_hits + (positives - above) * tied_hits / tied
    return {
        "auroc": auroc,
        "average_precision": average_precision,
        "precision_at_true_count": expected_hits / positives,
    }


def _decision(wrong: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> dict[str, float | None]:
    n, positives, chosen = len(wrong), int(wrong.sum()), int(flagged.sum())
    hits = int((wrong & flagged).sum())
    false, missed = chosen - hits, positives - hits
    right = n - chosen - missed
    product = chosen * positives * (right + false) * (right + missed)
    mcc = (hits * right - false * missed) / math.sqrt(product) if product else 0.0
    return {
        "n_flagged": float(chosen),
        "precision": hits / chosen if chosen else None,
        "recall": hits / positives if positives else None,
        "f1": 2 * hits / (chosen + positives) if positives else None,
        "mcc": mcc if positives else None,
        "fdr": false / max(chosen, 1),
        "flagged_ratio": chosen / positives if positives else None,
    }


def _bin_of(p_wrong: NDArray[np.float64], n_bins: int) -> NDArray[np.int64]:
    """Bins of nearly equal mass; equal values share a bin, so that the order of units cannot matter."""
    n = len(p_wrong)
    ranked = np.sort(p_wrong)
    starts = np.unique(ranked[(np.arange(1, n_bins) * n) // n_bins])
    return np.unique(np.searchsorted(starts, p_wrong, side="right"), return_inverse=True)[1]


def detection_metrics(
    is_wrong: ArrayLike,
    suspicion: ArrayLike | None,
    *,
    flagged: ArrayLike | None = None,
    p_wrong: ArrayLike | None = None,
    count: CountEstimate | float | None = None,
) -> dict[str, float | None]:
    """Judge a detector of wrong labels: its ranking, its decision, its probabilities and its expected count.

    Parameters
    ----------
    is_wrong : array_like of shape (n,)
        1 (or True) where the given label is wrong, 0 where it is right, -1 where that is unknown; unknown
        units are left out of every measure.
    suspicion : array_like of shape (n,), optional
        High = probably wrong, on any scale; for a label quality pass ``1 - quality``. None: there is no ranking to judge.
    flagged : array_like of bool, shape (n,), optional
        The method's own decision.
    p_wrong : array_like of shape (n,), optional
        Probability in [0, 1] that the given label is wrong.
    count : CountEstimate or float, optional
        Expected number of wrong labels among the units whose truth is known; by default the sum of
        ``p_wrong``, where there is one.

    Returns
    -------
    dict of str to float or None
        The keys of `METRICS`, in its order. A measure that is not defined (no wrong label at all, nothing
        flagged, no probabilities) is None, never NaN. Ties: AUROC counts them half, average precision takes
        them in one step (both as scikit-learn), ``precision_at_true_count`` is the expected value when ties
        are broken at random. FDR and MCC are 0 where nothing is flagged.

    Raises
    ------
    InputError
        Lengths differ, numbers that are not finite, probabilities outside [0, 1].

    Notes
    -----
    AUROC and average precision: Davis & Goadrich (2006); MCC: Matthews (1975); calibration error with bins of
    equal mass: Nixon et al. (2019).

    Examples
    --------
    >>> found = detection_metrics([1, 0, 0, 1], [0.9, 0.8, 0.1, 0.7], flagged=[1, 1, 0, 0])
    >>> {name: found[name] for name in ("auroc", "precision_at_true_count", "f1", "fdr", "ece")}
    {'auroc': 0.75, 'precision_at_true_count': 0.5, 'f1': 0.5, 'fdr': 0.5, 'ece': None}

    A detector that flags nothing and cannot rank gets what it deserves:

    >>> nothing = detection_metrics([1, 0, 0, 1], [0, 0, 0, 0], flagged=[0, 0, 0, 0])
    >>> nothing["auroc"], nothing["f1"], nothing["precision"]
    (0.5, 0.0, None)
    """
    truth = _as_truth(is_wrong)
    scores = None if suspicion is None else _as_numbers(suspicion, "suspicion")
    chosen = None if flagged is None else np.asarray(flagged)
    if chosen is not None and (chosen.ndim != 1 or (chosen.size and not np.isin(chosen, (0, 1)).all())):
        raise InputError("flagged must be a vector of True and False, one per unit.")
    chances = None if p_wrong is None else _as_numbers(p_wrong, "p_wrong", probability=True)
    check_same_length(is_wrong=truth, suspicion=scores, flagged=chosen, p_wrong=chances)

    known = truth >= 0
    wrong = truth[known] == 1
    positives = int(wrong.sum())
    result: dict[str, float | None] = dict.fromkeys(METRICS)
    result.update(n=float(len(wrong)), n_wrong=float(positives))
    if scores is not None:
        result.update(_ranking(wrong, scores[known]))
    if chosen is not None:
        result.update(_decision(wrong, chosen[known].astype(bool)))
    if chances is not None and len(wrong):
        p = chances[known]
        bins = _bin_of(p, 10)
        gaps = np.abs(np.bincount(bins, p) - np.bincount(bins, wrong))
        brier = float(np.mean((p - wrong) ** 2))
        rate = positives / len(wrong)
        result["ece"] = float(gaps.sum() / len(wrong))
        result["brier"] = brier
        result["brier_skill"] = 1 - brier / (rate * (1 - rate)) if 0 < rate < 1 else None
        if count is None:
            count = float(p.sum())
    if count is not None:
        expected = float(getattr(count, "expected", count))  # type: ignore[arg-type]
        result["expected"] = expected
        result["count_ratio"] = expected / positives if positives else None
        if isinstance(count, CountEstimate):
            result["count_covered"] = float(count.low <= positives <= count.high)
    return result


def reliability_bins(is_wrong: ArrayLike, p_wrong: ArrayLike, *, n_bins: int = 10) -> list[dict[str, float]]:
    """Claimed against realised share of wrong labels, in bins of equal mass.

    Parameters
    ----------
    is_wrong : array_like of shape (n,)
        1 wrong, 0 right, -1 unknown (left out).
    p_wrong : array_like of shape (n,)
        Probability that the given label is wrong.
    n_bins : int
        Number of bins; fewer come back where equal probabilities do not allow it.

    Returns
    -------
    list of dict
        ``claimed`` (mean probability), ``wrong`` and ``count`` (labels in the bin), ``realised``
        (= wrong / count) with its 95 % Wilson interval ``low``, ``high``.

    Examples
    --------
    >>> for row in reliability_bins([0, 0, 0, 1], [0.1, 0.1, 0.5, 0.7], n_bins=2):
    ...     print(round(row["claimed"], 3), row["realised"], int(row["count"]))
    0.1 0.0 2
    0.6 0.5 2
    """
    if n_bins < 1:
        raise InputError(f"n_bins is {n_bins}; at least one bin is needed.")
    truth, p = _as_truth(is_wrong), _as_numbers(p_wrong, "p_wrong", probability=True)
    check_same_length(is_wrong=truth, p_wrong=p)
    known = truth >= 0
    truth, p = truth[known], p[known]
    if not len(p):
        return []
    bins = _bin_of(p, n_bins)
    rows = []
    for total, claimed, wrong in zip(np.bincount(bins), np.bincount(bins, p), np.bincount(bins, truth)):
        low, high = wilson_interval(int(wrong), int(total))
        rows.append(
            {
                "claimed": float(claimed / total),
                "realised": float(wrong / total),
                "low": low,
                "high": high,
                "wrong": float(wrong),
                "count": float(total),
            }
        )
    return rows


def wilson_interval(hits: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share from ``hits`` of ``n`` (Wilson 1927, equation 5).

    Examples
    --------
    >>> [round(end, 3) for end in wilson_interval(0, 10)]
    [0.0, 0.278]
    """
    from scipy.special import ndtri

    if not 0 <= hits <= n or n == 0:
        raise InputError(f"{hits} hits of {n} cannot be; hits run from 0 to n and n is at least 1.")
    z = float(ndtri(0.5 + level / 2))
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return 0.0 if hits == 0 else centre - half, 1.0 if hits == n else centre + half


def _present(values: Iterable[Any]) -> NDArray[np.float64]:
    return _as_numbers([float(value) for value in values if value is not None], "values")


def mean_interval(values: Iterable[float | None], level: float = 0.95) -> Interval:
    """Mean with Student's t interval; None values are left out and not counted.

    Parameters
    ----------
    values : iterable of float or None
        For instance one measure over seeds.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    Interval
        ``mean, low, high, n``; the ends are None for fewer than two values, the mean for none.

    Examples
    --------
    >>> mean, low, high, n = mean_interval([0.8, 0.9, 1.0, None])
    >>> round(mean, 3), round(low, 3), round(high, 3), n
    (0.9, 0.652, 1.148, 3)
    >>> mean_interval([0.8])
    Interval(mean=0.8, low=None, high=None, n=1)
    """
    from scipy.special import stdtrit

    _check_level(level)
    data = _present(values)
    n = len(data)
    if n == 0:
        return Interval(None, None, None, 0)
    if n == 1:
        return Interval(float(data[0]), None, None, 1)
    # Equal values must give an interval of width zero, which a rounded mean would miss by one ulp.
    mean = float(data[0] if np.ptp(data) == 0 else data.mean())
    half = float(stdtrit(n - 1, 0.5 + level / 2) * data.std(ddof=1) / math.sqrt(n)) if np.ptp(data) else 0.0
    return Interval(mean, mean - half, mean + half, n)


def bootstrap_interval(
    values: Iterable[float | None], level: float = 0.95, *, seed: int = 0, n_resamples: int = 10_000
) -> Interval:
    """Mean with a percentile bootstrap interval (Efron 1979); None values are left out and not counted.

    Examples
    --------
    >>> mean, low, high, n = bootstrap_interval([0.7, 0.8, 0.9, 1.0], seed=0)
    >>> round(mean, 3), round(low, 3), round(high, 3), n
    (0.85, 0.75, 0.95, 4)
    """
    _check_level(level)
    data = _present(values)
    n = len(data)
    if n < 2:
        return Interval(float(data[0]) if n else None, None, None, n)
    rng = generator(seed, "bootstrap", n, n_resamples)
    chunk = max(1, 1_000_000 // n)
    means = np.concatenate(
        [
            data[rng.integers(0, n, (min(chunk, n_resamples - start), n))].mean(axis=1)
            for start in range(0, n_resamples, chunk)
        ]
    )
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(data.mean()), float(low), float(high), n)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"level is {level}; a coverage between 0 and 1 is needed, for instance 0.95.")
