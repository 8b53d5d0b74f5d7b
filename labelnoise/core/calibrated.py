"""A calibrated answer on top of any probabilities and any score: how many labels are wrong, and how surely which.

Out-of-fold probabilities say how often the given label was expected, not how often it is wrong; a quality score
orders units and says nothing about numbers. Here both are turned into P(label is wrong) per unit, an expected count
with an interval, a decision and suggestions, from the given labels alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.calibration import (
    OVERLAP,
    Reading,
    assumed_ambiguity,
    count_estimate,
    probability_wrong,
    read_with_ambiguity,
    shift_to_total,
    simulate_count_ratios,
)
from labelnoise.core.decision import Rule, decide
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.flips import blend, logistic_fit, to_mean
from labelnoise.core.stacking import StackerFit, fit_stacker, predict
from labelnoise.core.validation import InputError, as_labels, as_probs, check_same_length, choose

__all__ = ["LINKS", "calibrate_scores"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: How a quality score is turned into probabilities.
LINKS = ("logistic", "monotone")
#: Probabilities below this say no more than "very small".
PROB_FLOOR = 1e-3
#: Below this many labelled units per class the count is not to be trusted.
FEW_UNITS = 30
#: Where a wrong class is this often as frequent as the right one, the two may as well be exchanged.
NEAR_EXCHANGE = 0.3
#: A simulated bias beyond this factor is not corrected, but named.
UNSTABLE = 1.5


def calibrate_scores(
    given: ArrayLike,
    probs: ArrayLike,
    quality: ArrayLike | None = None,
    *,
    link: str = "logistic",
    rule: Rule = "expected-f1",
    fdr: float | None = None,
    resamples: int = 5,
    seed: int = 0,
) -> Detection:
    """Probability that each label is wrong, their expected number and a decision, from probabilities and a score.

    Parameters
    ----------
    given : array_like of int, shape (n,)
        Labels, -1 for "no label": such units get a suggestion and change nothing else.
    probs : array_like of float, shape (n, K)
        Out-of-sample probabilities (`labelnoise.core.crossval.out_of_fold`), from any model trained on the
        given labels. In-sample ones give counts that are far too low.
    quality : array_like of float, shape (n,), optional
        Any label quality, high = right, finite; it decides the order. By default the posterior under the
        estimated transition matrix does.
    link : {"logistic", "monotone"}
        From the score to probabilities: a logistic curve, which keeps the order strictly; or isotonic
        regression, which makes ties but takes a score on any scale.
    rule, fdr
        See `labelnoise.core.decision.decide`.
    resamples : int
        Simulations of the count, which give its bias and interval; 0 for the plain sum without interval, else
        at least 2.
    seed : int

    Returns
    -------
    Detection
        With ``p_wrong``, ``count``, ``transition`` and the evidence column ``p_given``, the estimated
        probability that the given class is the true one before the label was seen.

    Raises
    ------
    InputError
        Shapes, ranges or lengths that do not fit; NaN; labels of fewer than two classes.

    Notes
    -----
    ``labelnoise.core.stacking.fit_stacker`` on the one expert ``log p`` finds the sharpness of the
    probabilities and T together; the posterior under T gives the total (`labelnoise.core.calibration`), and
    soft targets to which the score is fitted. The simulation redraws labels with the probabilities as they
    are: that the model itself was trained on wrong labels is not part of the interval.

    With two classes, or probabilities that separate classes weakly, sharpness and noise rate explain the same
    labels; the warnings say so. Towards 40% pair errors the count comes out too low and false alarms exceed
    their bound.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 600)
    >>> z = rng.normal(size=(600, 3)) + 4 * np.eye(3)[true]
    >>> probs = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    >>> given = np.where(rng.random(600) < 0.1, (true + 1) % 3, true)
    >>> found = calibrate_scores(given, probs)
    >>> int((given != true).sum()), round(found.count.low) <= 69 <= round(found.count.high)
    (69, True)
    """
    started = time.process_time()
    choose(link, LINKS, "link")
    p = np.asarray(as_probs(probs), dtype=np.float64)
    ids = as_labels(given, n_classes=p.shape[1])
    check_same_length(given=ids, probs=p, quality=quality)
    has = np.flatnonzero(ids >= 0)
    g = ids[has]
    check_calibratable(g, resamples)
    evidence = np.log(np.clip(p, PROB_FLOOR, 1.0))
    evidence = ((evidence - evidence.mean(axis=1, keepdims=True)) / _spread(evidence[has]))[None]

    fit = fit_stacker(evidence[:, has], g)
    before = predict(fit, evidence)
    blind = before[has]
    overlap = float((1 - blind.max(axis=1)).mean())
    share, careful = assumed_ambiguity(fit.uniform, overlap)
    reading = read_with_ambiguity(blind, fit, g, share)

    def repeat(labels: Labels) -> tuple[StackerFit, Array]:
        later = fit_stacker(evidence[:, has], labels, start=fit)
        return later, predict(later, evidence[:, has])

    count, ratios = estimate_count(repeat, fit, reading, g, careful, resamples=resamples, seed=seed)
    p_wrong = shift_to_total(probability_wrong(reading.posterior, g), count.expected)
    if quality is not None:
        order = -_as_quality(quality, len(ids))[has]
        p_wrong = logistic_of(order, p_wrong) if link == "logistic" else monotone_of(order, p_wrong)
    answer = spread_out(len(ids), has, p_wrong, blend(g, reading.posterior, p_wrong))
    answer["flagged"] = decide(answer["p_wrong"], rule=rule, fdr=fdr)
    outside = np.flatnonzero(ids < 0)
    answer["suggested"][outside] = before[outside].argmax(axis=1)
    answer["confidence"][outside] = before[outside].max(axis=1)
    return Detection(
        method="calibrated",
        **answer,
        count=count,
        transition=reading.transition,
        evidence={"p_given": np.where(ids >= 0, before[np.arange(len(ids)), np.maximum(ids, 0)], 0.0)},
        warnings=(*warnings_about(g, overlap, reading.transition, ratios), *_about_score(p_wrong)),
        info={
            "errors": "uniform" if fit.uniform else "class-dependent",
            "overlap": round(overlap, 4),
            "ambiguity": share,
            "sharpness": round(float(fit.weights[0]), 4),
            "simulated_count_ratios": [round(float(r), 4) for r in ratios],
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )


def estimate_count(
    repeat: Callable[[Labels], tuple[StackerFit, Array]],
    fit: StackerFit,
    reading: Reading,
    g: Labels,
    careful: float,
    *,
    resamples: int,
    seed: int,
) -> tuple[CountEstimate, Array]:
    """The number of wrong labels among labelled units, debiased by ``repeat`` on simulated labels."""
    total = float(probability_wrong(reading.posterior, g).sum())
    if not resamples:
        return CountEstimate(
            total, total, total, 0.0, "sum of probabilities, no interval asked for"
        ), np.ones(0)

    def again(labels: Labels) -> float:
        if len(np.unique(labels)) < 2:
            return 0.0
        later, blind = repeat(labels)
        # the whole estimate anew: other labels may look like other errors, with another share set aside
        odd, _ = assumed_ambiguity(later.uniform, float((1 - blind.max(axis=1)).mean()))
        return float(
            probability_wrong(read_with_ambiguity(blind, later, labels, odd).posterior, labels).sum()
        )

    ratios = simulate_count_ratios(
        reading.posterior, reading.transition, g, again, n_simulations=resamples, seed=seed
    )
    cautious = read_with_ambiguity(reading.probs, fit, g, careful).posterior
    least = float(probability_wrong(cautious, g).sum())
    count = count_estimate(total, least, ratios)
    if unstable(ratios):
        # a bias this large is no correction but a sign that the rate is not identified: keep both readings
        plain = count_estimate(total, least, ratios / np.exp(np.log(ratios).mean()))
        count = replace(plain, low=min(plain.low, count.low), high=max(plain.high, count.high))
    most = float(len(g))
    expected, high = min(count.expected, most), min(count.high, most)
    low = min(count.low, expected)
    return replace(count, expected=expected, low=0.0 if low < 0.5 else low, high=high), ratios


def unstable(ratios: Array) -> bool:
    """Whether the simulated counts miss their truth by more than half, up or down, on average."""
    return bool(ratios.size and abs(np.log(ratios).mean()) > np.log(UNSTABLE))


def logistic_of(order: Array, target: Array) -> Array:
    """``sigmoid(a order + b)`` nearest in likelihood to soft targets; keeps the order and the targets' sum.

    A score that points the wrong way gets a slope of 0: everybody the mean.
    """
    if np.ptp(order) < 1e-12 or target.sum() < 1e-6 or target.sum() > len(target) - 1e-6:
        return np.full(len(target), target.mean()) if np.ptp(order) < 1e-12 else target
    centred = (order - order.mean()) / float(order.std())
    slope, shift = logistic_fit(centred[:, None], target, penalty=100.0)
    return to_mean(max(float(slope), 0.0) * centred + shift, float(target.mean()))


def monotone_of(order: Array, target: Array) -> Array:
    """The rising step function of the score nearest to soft targets in squares; keeps their sum."""
    from scipy.optimize import isotonic_regression

    # units of equal score share one value
    _, member, size = np.unique(order, return_inverse=True, return_counts=True)
    means = np.bincount(member, weights=target) / size
    fitted: Array = np.clip(isotonic_regression(means, weights=size).x[member], 0.0, 1.0)
    return fitted


def spread_out(n: int, has: NDArray[np.intp], p_wrong: Array, truth: Array) -> dict[str, Any]:
    """The answer for the labelled units put where they belong among all."""
    p, confidence, suggested = np.zeros(n), np.zeros(n), np.full(n, -1, dtype=np.int64)
    p[has] = p_wrong
    suggested[has], confidence[has] = truth.argmax(axis=1), truth.max(axis=1)
    return {
        "p_wrong": p,
        "quality": 1.0 - p,
        "flagged": decide(p),
        "suggested": suggested,
        "confidence": confidence,
    }


def warnings_about(g: Labels, overlap: float, transition: Array, ratios: Array) -> tuple[str, ...]:
    """Where the number of wrong labels is not identified, or hardly."""
    found = []
    present = len(np.unique(g))
    if present == 2:
        found.append(
            "Two classes: the noise rate is identified only by how well the evidence separates them; "
            "trust the ranking more than the count."
        )
    if overlap > OVERLAP:
        found.append(
            f"Classes overlap: {overlap:.0%} of the units could as well belong to another class, so read the "
            "count as labels that conflict with the evidence, not as errors."
        )
    if len(g) / present < FEW_UNITS:
        found.append(
            f"Only {len(g) / present:.0f} labelled units per class: the count may be several times too low or "
            "high; trust the ranking."
        )
    off = transition - np.diag(np.diag(transition))
    worst = np.unravel_index(int(np.argmax(off)), off.shape)
    if off[worst] > NEAR_EXCHANGE * transition[worst[0], worst[0]]:
        found.append(
            f"Class {worst[0]} seems to be labelled {worst[1]} in {off[worst]:.0%} of the cases: with so many "
            "errors in one direction the count is rather too low and more flags are false than stated."
        )
    if unstable(ratios):
        found.append(
            f"Repeated on simulated labels the count comes out at {np.exp(np.log(ratios).mean()):.2g} of their truth: the "
            "noise rate is not identified here; trust neither the count nor the probabilities.",
        )
    return tuple(found)


def _about_score(p_wrong: Array) -> tuple[str, ...]:
    if p_wrong.sum() < 1 or p_wrong.max() >= 0.5:
        return ()
    return (
        f"About {p_wrong.sum():.0f} labels are expected to be wrong, but none is more likely wrong than right by this "
        "score: it does not tell which, and flags are guesses.",
    )


def check_calibratable(g: Labels, resamples: int) -> None:
    """Refuse labels of one class and a number of simulations without spread."""
    present = len(np.unique(g))
    if present < 2:
        raise InputError(
            f"The labels hold {present} class(es); a wrong label can only be told when there are at least 2."
        )
    if resamples < 0 or resamples == 1:
        raise InputError(f"resamples is {resamples}; give 0 (no interval) or at least 2.")


def _as_quality(quality: ArrayLike, n: int) -> Array:
    q = np.asarray(quality, dtype=np.float64)
    if q.shape != (n,) or not np.isfinite(q).all():
        raise InputError(
            f"quality has shape {q.shape} for {n} units, or NaN; give one finite number per unit."
        )
    return q


def _spread(evidence: Array) -> float:
    centred = evidence - evidence.mean(axis=1, keepdims=True)
    return max(float(centred.std()), 1e-12)
