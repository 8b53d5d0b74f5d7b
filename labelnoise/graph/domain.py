"""Node classification, as the core sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import DatasetInfo, Domain, data_root
from labelnoise.core.registry import Registry
from labelnoise.graph.dataset import GraphDataset

__all__ = ["GraphDomain"]

NOISES = Registry("graph noise kind")
DETECTORS = Registry("graph detector")

_LI_2023 = "Li, Xiong, Hooi 2023, GraphCleaner, ICML, arXiv 2306.00015"
_TRIVIAL = "this project: a bar that any better detector has to clear"
DETECTORS.add(
    Entry(
        "graphcleaner",
        "labelnoise.graph.calibrated:detect_calibrated",
        "Probability that each label is wrong, from features and neighbours, with an expected count.",
        f"this project, after the neighbourhood agreement of {_LI_2023}",
        helps="No held-out set; says how many are wrong; isolated nodes are judged by their features.",
        hurts="Labels that are wrong in the original data count as wrong too.",
        calibrated=True,
    ),
    Entry(
        "graphcleaner-faithful",
        "labelnoise.graph.graphcleaner:detect_faithful",
        "GraphCleaner as published: a detector of synthetic mislabels of validation nodes, threshold 0.97.",
        _LI_2023,
        formula="flag if g(P0[v,l], P1[v,l] .. P3[v,l], L1[v,l] .. L3[v,l]) > 0.97, Mk = (S^k - diag S^k) M",
        helps="Comparing with the published method: F1 .78 on Cora, 10 % symmetric noise.",
        hurts="Flags nodes without edges; precision .47 on CiteSeer; needs labelled validation nodes.",
    ),
    Entry(
        "votes",
        "labelnoise.graph.baselines:detect_votes",
        "Labels of nodes within two steps vote; flag where another class leads by more than half.",
        _TRIVIAL,
        formula="v = D (W + W^2 - diag W^2) Y + pi / 2, margin > .5",
        helps="No features, no training, well under a second: F1 .73 on Cora, 10 % symmetric noise.",
        hurts="Assumes that neighbours agree; F1 .51 on CiteSeer, where nodes have few neighbours.",
    ),
    Entry(
        "sgc",
        "labelnoise.graph.baselines:detect_sgc",
        "Out-of-fold logistic regression on features smoothed over two steps; flag by a margin of 0.5.",
        f"Wu et al. 2019, Simplifying Graph Convolutional Networks; {_TRIVIAL}",
        formula="p = softmax((S^2 X) B), margin > .5",
        helps="Good ranking for its price: AUC .94 to .98 on Cora and CiteSeer, 10 % noise.",
        hurts="Flags too few where confusions have a direction: recall .53 on Cora, asymmetric noise.",
    ),
    Entry(
        "votes+sgc",
        "labelnoise.graph.baselines:detect_votes_sgc",
        "The mean of the two.",
        _TRIVIAL,
        helps="Features and neighbours' labels together: AUC .981 on Cora, 10 % symmetric noise.",
        hurts="Equal weights, whichever of the two is right.",
    ),
    Entry(
        "confident-learning",
        "labelnoise.graph.baselines:detect_confident_learning",
        "Confident learning on the out-of-fold probabilities of 'sgc'.",
        "Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70",
        formula="prune by noise rate, quality = p[given]",
        helps="Asymmetric noise: F1 .79 on Cora at 10 %.",
        hurts="Precision .44 on CiteSeer, 10 % symmetric noise; sees neighbours' features, not their labels.",
    ),
    Entry(
        "flag-nothing",
        "labelnoise.core.bench.baselines:flag_nothing",
        "Trust every label.",
        "this project: what a metric gives for doing nothing",
    ),
    Entry(
        "random",
        "labelnoise.core.bench.baselines:flag_randomly",
        "Ranks labels at random and flags half of them.",
        "this project: what a metric gives for chance",
    ),
)


class GraphDomain(Domain):
    """Wrong labels of nodes."""

    name: ClassVar[str] = "graph"
    unit: ClassVar[str] = "node"
    summary: ClassVar[str] = "Node classification: wrong labels of nodes in a graph."
    default_dataset: ClassVar[str] = "papers"
    default_detector: ClassVar[str] = "graphcleaner"
    noises: ClassVar[Registry] = NOISES
    detectors: ClassVar[Registry] = DETECTORS

    def datasets(self) -> Mapping[str, DatasetInfo]:
        from labelnoise.graph.data import DATASETS

        return DATASETS

    def load(self, source: str, *, root: Path | None = None) -> GraphDataset:
        from labelnoise.graph.data import load_graph

        return load_graph(source, root=root or data_root("graph"))

    def save(self, dataset: Dataset, path: Path) -> list[Path]:
        from labelnoise.graph.files import write_graph

        assert isinstance(dataset, GraphDataset)
        return write_graph(dataset, path)

    def describe(self, dataset: Dataset) -> dict[str, Any]:
        raise NotImplementedError

    def unit_context(self, dataset: Dataset, units: Sequence[int]) -> dict[str, list[Any]]:
        raise NotImplementedError
