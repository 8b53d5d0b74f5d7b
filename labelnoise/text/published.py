"""One run of each published setting of this modality, as the files in ``experiments`` name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.text.data import load_text
from labelnoise.text.dataset import entity_noise

__all__ = ["noise_level"]


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
