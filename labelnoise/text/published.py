"""One run of each published setting of this modality, as the files in ``experiments`` name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.core.random import generator
from labelnoise.core.transition_pairs import expected_error
from labelnoise.text.data import load_text
from labelnoise.text.dataset import entity_noise
from labelnoise.text.evidence import type_ids

__all__ = ["noise_level", "noise_model_error"]


def noise_level(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Wrong entities of a set in % (1 - micro F1 of given against true), its entities and its tags' accuracy in %."""
    data = load_text(setting["dataset"], root=data_root("text"))
    assert data.true is not None
    known = data.labelled & (data.true >= 0)
    return {
        "noise": 100 * entity_noise(data),
        "entities": float(len(data.spans())),
        "token_accuracy": 100 * float(np.mean(data.given[known] == data.true[known])),
    }


def noise_model_error(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Squared error of a confusion matrix of types counted from few pairs, mean over many draws.

    Beside it is what is to be expected by `labelnoise.core.transition_pairs.expected_error`, a class of which nothing
    was drawn being a row of zeros in both.
    """
    data = load_text(setting["dataset"], root=data_root("text"))
    assert data.true is not None
    known = data.labelled & (data.true >= 0)
    counts = np.zeros((len(data.types) + 1,) * 2)
    np.add.at(counts, (type_ids(data.true[known]), type_ids(data.given[known])), 1.0)
    transition = counts / counts.sum(axis=1, keepdims=True)
    draw, draws = generator(seed, "pairs of tags"), int(options["draws"])
    if "per_class" in setting:
        each = int(setting["per_class"])
        found = draw.multinomial(each, transition, size=(draws, len(transition)))
        expected = expected_error(transition, per_class=each)
    else:
        shares = counts / counts.sum()
        found = draw.multinomial(int(setting["pairs"]), shares.ravel(), size=draws).reshape(-1, *counts.shape)
        expected = expected_error(transition, n=int(setting["pairs"]), prior=shares.sum(axis=1))
    estimate = found / np.maximum(found.sum(axis=2, keepdims=True), 1)
    error = ((estimate - transition) ** 2).sum(axis=(1, 2))
    return {"squared_error": float(error.mean()), "expected_here": expected}
