"""One run of each published setting of this modality, as the files in ``experiments`` name them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from labelnoise.core.domain import data_root
from labelnoise.core.evaluation import detection_metrics
from labelnoise.graph.dataset import GraphDataset

__all__ = ["erase", "graphcleaner"]


@lru_cache(maxsize=1)
def _graph(name: str) -> GraphDataset:
    from labelnoise.graph.data import load_graph

    return load_graph(name, root=data_root("graph"))


def graphcleaner(
    setting: Mapping[str, Any], options: Mapping[str, Any], seed: int
) -> dict[str, float | None]:
    """GraphCleaner as published, scored on test nodes; ``noise_seed`` draws the wrong labels, ``seed`` the rest."""
    from labelnoise.graph.graphcleaner import detect_faithful
    from labelnoise.graph.noise import graphcleaner_protocol

    options = dict(options)
    noise_seed = options.pop("noise_seed")
    graph = _graph(setting["dataset"])
    made = graphcleaner_protocol(graph, setting["kind"], setting["rate"], seed=noise_seed)
    noisy = graph.with_labels(made.labels, true=graph.given)
    assert noisy.is_wrong is not None
    found = detect_faithful(noisy, seed, **options)
    scored = np.asarray(graph.masks["test"])
    measured = detection_metrics(
        noisy.is_wrong[scored], 1 - found.quality[scored], flagged=found.flagged[scored]
    )
    wanted = ("f1", "precision", "recall", "mcc", "precision_at_true_count", "auroc")
    return {name: measured[name] for name in wanted}


def erase(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """ERASE as published: noise on training nodes alone, the epoch chosen by clean validation, test accuracy in %."""
    from labelnoise.graph.erase import erase_protocol, train_erase

    options = {**options, **setting.get("options", {})}
    noise_seed = options.pop("noise_seed")
    graph = _graph(setting["dataset"])
    made = erase_protocol(graph, setting["kind"], setting["rate"], noise_seed)
    trained = train_erase(graph.with_labels(made.labels, true=graph.given), seed, **options)
    test = np.asarray(graph.masks["test"])
    return {"accuracy": 100 * float((trained.predicted == graph.given)[test].mean())}
