"""What can be said across modalities: methods side by side, and real noise against simulated noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelnoise.core.bench.gains import share_of_gap
from labelnoise.core.bench.grid import MATCHED_NOISE, OWN_NOISE, REAL_FOLDER
from labelnoise.core.bench.measures import DETECT, HEADLINE, MEASURES, TRAIN
from labelnoise.core.bench.training import CEILING
from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError

__all__ = ["across"]


def across(domains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up the parts of a summary over modalities.

    Returns
    -------
    dict
        ``standing``: per task, modality and method the mean of the first measure over all settings that every
        competing method of the part finished, the lowest and highest of them, its mean rank and, for training, the
        mean share of the gap to true labels that it closes. ``real``: per modality, data set and method its own
        noise beside simulated noise of the same size.
    """
    return {
        "standing": [row for part in domains for row in _standing(part)],
        "real": [row for part in domains for row in _real(part)],
    }


def _standing(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    measure = HEADLINE[part["task"]][0]
    higher = MEASURES[part["task"]][measure].better == "high"
    means: dict[str, dict[str, float]] = defaultdict(dict)
    for row in part["results"]:
        if row["metrics"][measure]["mean"] is not None:
            means[row["method"]][row["setting"]] = row["metrics"][measure]["mean"]
    competing = [
        method["label"] for method in part["methods"] if not method["trivial"] and means[method["label"]]
    ]
    shared = [
        setting["label"]
        for setting in part["settings"]
        if all(setting["label"] in means[method] for method in competing)
    ]
    ranks: dict[str, list[float]] = defaultdict(list)
    for setting in shared:
        values = {method: means[method][setting] * (1 if higher else -1) for method in competing}
        for method, value in values.items():
            better = sum(other > value for other in values.values())
            equal = sum(other == value for other in values.values())
            ranks[method].append(better + (equal + 1) / 2)
    rows = []
    for method in part["methods"]:
        label = method["label"]
        found = [means[label][setting] for setting in shared if setting in means[label]]
        if not found:
            continue
        known: list[float] = []
        if part["task"] == TRAIN:
            shares = [share_of_gap(part["results"], setting, label) for setting in shared]
            known = [share for share in shares if share is not None]
        rows.append(
            {
                "domain": part["domain"],
                "task": part["task"],
                "method": label,
                "trivial": method["trivial"],
                "mean": float(np.mean(found)),
                "low": min(found),
                "high": max(found),
                "settings": len(found),
                "rank": float(np.mean(ranks[label])) if ranks[label] else None,
                "of": len(competing),
                "share_of_gap": float(np.mean(known)) if known else None,
            }
        )
    return rows


def _real(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Own noise beside matched noise: for detection the first measure, for training what the noise costs."""
    kinds: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for setting in part["settings"]:
        if setting["noise"] in (OWN_NOISE, MATCHED_NOISE):
            kinds[setting["dataset"]][setting["noise"]] = setting
    measures = ("auroc", "f1") if part["task"] == DETECT else ("score",)
    results = {(row["setting"], row["method"]): row for row in part["results"]}
    rows = []
    for dataset, pair in kinds.items():
        if len(pair) < 2:
            continue
        for method in part["methods"]:
            sides = [
                results.get((pair[kind]["label"], method["label"])) for kind in (OWN_NOISE, MATCHED_NOISE)
            ]
            if (method["trivial"] and method["label"] != CEILING) or any(
                s is None or not s["seeds"] for s in sides
            ):
                continue
            rows.append(
                {
                    "domain": part["domain"],
                    "task": part["task"],
                    "dataset": dataset,
                    "people": _from_people(part["domain"], dataset),
                    "method": method["label"],
                    "rates": [pair[kind]["realised_rate"]["mean"] for kind in (OWN_NOISE, MATCHED_NOISE)],
                    "measures": {
                        name: _pair(*(side["metrics"][name] for side in sides if side is not None))
                        for name in measures
                    },
                }
            )
    return rows


def _from_people(domain: str, dataset: str) -> bool | None:
    """Whether a data set's own noise was made by people or tools at work, not generated; None if that is unknown."""
    if dataset.startswith(f"{REAL_FOLDER}/"):
        return True
    try:
        info = get_domain(domain).datasets().get(dataset)
    except InputError:
        return None
    return None if info is None else info.real_noise


def _pair(real: Mapping[str, Any], simulated: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("mean", "low", "high")
    known = real["mean"] is not None and simulated["mean"] is not None
    return {
        "real": {key: real[key] for key in keys},
        "simulated": {key: simulated[key] for key in keys},
        "difference": real["mean"] - simulated["mean"] if known else None,
    }
