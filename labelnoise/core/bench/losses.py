"""Where a method loses: said as plainly as where it wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["find_losses", "find_training_losses"]

#: An expected count off by more than this factor is listed.
COUNT_TOLERANCE = 1.25


def find_losses(method: str, real: Sequence[str], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What can be held against one method.

    Parameters
    ----------
    method : str
    real : sequence of str
        The methods that count as rivals (no trivial ones).
    results : sequence of mapping
        Rows of a summary: one per setting and method, with marks.

    Returns
    -------
    dict
        Number of settings won or tied and clearly lost (AUROC), the widest gap to the best with its setting
        and winner, settings without a ranking better than chance, settings where its decision has no higher
        F1 than flagging at random, counts that miss, and failed cells.
    """
    mine = [row for row in results if row["method"] == method]
    trivial: dict[str, list[Mapping[str, Any]]] = {}
    for row in results:
        if row["method"] not in real:
            trivial.setdefault(row["setting"], []).append(row)
    scored = [row for row in mine if row["metrics"]["auroc"]["mean"] is not None]
    ratios = [row["metrics"]["count_ratio"]["mean"] for row in mine]
    known = [ratio for ratio in ratios if ratio is not None]
    covered = [
        value for row in mine for value in row["metrics"]["count_covered"]["values"] if value is not None
    ]
    return {
        **_standing(method, real, results, "auroc"),
        "not_above_chance": [row["setting"] for row in scored if _not_above_chance(row)],
        "f1_not_above_random": [row["setting"] for row in mine if _f1_not_above(row, trivial)],
        "counts": {
            "settings": len(known),
            "off": sum(not 1 / COUNT_TOLERANCE <= ratio <= COUNT_TOLERANCE for ratio in known),
            "intervals": len(covered),
            "intervals_missed": sum(value == 0 for value in covered),
        },
        "failed_cells": sum(row["failed"] for row in mine),
    }


def find_training_losses(
    method: str, real: Sequence[str], results: Sequence[Mapping[str, Any]], plain: str
) -> dict[str, Any]:
    """What can be held against one trainer: as `find_losses`, and the settings where plain training does better.

    ``below_plain`` lists settings where the mean gain over plain training is negative, ``clearly_below_plain``
    those where its interval over seeds lies below zero.
    """
    gains = [
        (row["setting"], row["metrics"]["gain"])
        for row in results
        if row["method"] == method and method != plain and row["metrics"]["gain"]["mean"] is not None
    ]
    return {
        **_standing(method, real, results, "score"),
        "below_plain": [setting for setting, gain in gains if gain["mean"] < 0],
        "clearly_below_plain": [
            setting for setting, gain in gains if gain["high"] is not None and gain["high"] < 0
        ],
        "failed_cells": sum(row["failed"] for row in results if row["method"] == method),
    }


def _standing(
    method: str, real: Sequence[str], results: Sequence[Mapping[str, Any]], measure: str
) -> dict[str, Any]:
    """Settings won or tied, clearly lost, and the widest gap to the best."""
    scored = [row for row in results if row["metrics"][measure]["mean"] is not None]
    mine = [row for row in scored if row["method"] == method]
    lost = [row for row in mine if row["metrics"][measure]["mark"] is None]
    gaps = []
    for row in lost:
        rivals = [other for other in scored if other["setting"] == row["setting"] and other["method"] in real]
        best = max(rivals, key=lambda rival: rival["metrics"][measure]["mean"])
        gap = best["metrics"][measure]["mean"] - row["metrics"][measure]["mean"]
        gaps.append({"gap": gap, "setting": row["setting"], "winner": best["method"]})
    return {
        "method": method,
        "settings": len(mine),
        "best_or_tied": len(mine) - len(lost),
        "clearly_worse": len(lost),
        "widest_gap": max(gaps, key=lambda item: item["gap"], default=None),
    }


def _not_above_chance(row: Mapping[str, Any]) -> bool:
    auroc = row["metrics"]["auroc"]
    lowest = auroc["mean"] if auroc["low"] is None else auroc["low"]
    return bool(lowest <= 0.5)


def _f1_not_above(row: Mapping[str, Any], trivial: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    own = row["metrics"]["f1"]["mean"]
    random = [
        other["metrics"]["f1"]["mean"]
        for other in trivial.get(row["setting"], ())
        if other["method"] == "random" and other["metrics"]["f1"]["mean"] is not None
    ]
    return own is not None and bool(random) and own <= random[0]
