"""Node classification, as the core sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.bench.baselines import TRIVIAL_DETECTORS
from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import Detection
from labelnoise.core.domain import DatasetInfo, Domain, data_root
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.review.cards import Card
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset, distinct_pairs
from labelnoise.graph.homophily import edge_homophily
from labelnoise.graph.noise import ENTRIES as NOISE_ENTRIES
from labelnoise.graph.noise_structure import ENTRIES as STRUCTURE_ENTRIES
from labelnoise.graph.trainers import GRAPH_TRAINERS

__all__ = ["GraphDomain"]

NOISES = Registry("graph noise kind")
NOISES.add(*NOISE_ENTRIES, *STRUCTURE_ENTRIES)
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
        helps="Comparing with the published method: F1 .77 on Cora, 10 % symmetric noise.",
        hurts="Flags half of the nodes without edges; precision .46 on CiteSeer; needs validation labels.",
        calibrated=False,
    ),
    Entry(
        "votes",
        "labelnoise.graph.baselines:detect_votes",
        "Labels of nodes within two steps vote; flag where another class leads by more than half.",
        _TRIVIAL,
        formula="v = D (W + W^2 - diag W^2) Y + pi / 2, margin > .5",
        helps="No features, no training, well under a second: F1 .73 on Cora, 10 % symmetric noise.",
        hurts="Assumes that neighbours agree; F1 .51 on CiteSeer, where nodes have few neighbours.",
        calibrated=False,
    ),
    Entry(
        "sgc",
        "labelnoise.graph.baselines:detect_sgc",
        "Out-of-fold logistic regression on features smoothed over two steps; flag by a margin of 0.5.",
        f"Wu et al. 2019, Simplifying Graph Convolutional Networks; {_TRIVIAL}",
        formula="p = softmax((S^2 X) B), margin > .5",
        helps="Good ranking for its price: AUC .94 to .98 on Cora and CiteSeer, 10 % noise.",
        hurts="Flags too few where confusions have a direction: recall .53 on Cora, asymmetric noise.",
        calibrated=False,
    ),
    Entry(
        "votes+sgc",
        "labelnoise.graph.baselines:detect_votes_sgc",
        "The mean of the two.",
        _TRIVIAL,
        helps="Features and neighbours' labels together: AUC .982 on Cora, 10 % symmetric noise.",
        hurts="Equal weights, whichever of the two is right.",
        calibrated=False,
    ),
    Entry(
        "confident-learning",
        "labelnoise.graph.baselines:detect_confident_learning",
        "Confident learning on the out-of-fold probabilities of 'sgc'.",
        "Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70",
        formula="prune by noise rate, quality = p[given]",
        helps="Asymmetric noise: F1 .79 on Cora at 10 %.",
        hurts="Precision .43 on CiteSeer, 10 % symmetric noise; sees neighbours' features, not their labels.",
        calibrated=False,
    ),
    *TRIVIAL_DETECTORS,
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
    trainers: ClassVar[Registry] = GRAPH_TRAINERS
    default_trainer: ClassVar[str] = "sgc-lr"
    plain_trainer: ClassVar[str] = "plain-gcn"

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
        """Size, classes, edges and homophily of a graph, as far as its given labels tell.

        ``edge_homophily`` is the share of edges, both ends labelled, whose labels agree;
        ``adjusted_homophily`` is ``(agreement - chance) / (1 - chance)`` with the chance that two ends of
        random edges agree, ``sum_k (D_k / 2m)^2``: 1 for neighbours that always agree, 0 for edges that
        ignore labels, negative for neighbours that differ. Both are None where there is no such edge.

        References
        ----------
        Platonov et al. 2023, Characterizing Graph Datasets for Node Classification, equation 1.

        Examples
        --------
        >>> facts = GraphDomain().describe(GraphDomain().load("digits"))
        >>> facts["nodes"], facts["edges"], facts["edge_homophily"], facts["adjusted_homophily"]
        (1797, 7522, 0.969, 0.9656)
        """
        assert isinstance(dataset, GraphDataset)
        counts = np.bincount(dataset.given[dataset.labelled], minlength=dataset.n_classes)
        homophily, adjusted = edge_homophily(dataset)
        weight = dataset.edge_weight
        facts: dict[str, Any] = {
            "name": dataset.name,
            "source": dataset.source,
            "nodes": dataset.n_nodes,
            "labelled": int(dataset.labelled.sum()),
            "classes": {name: int(count) for name, count in zip(dataset.class_names, counts)},
            "features": int(dataset.x.shape[1]),
            "sparse_features": bool(sp.issparse(dataset.x)),
            "edges": dataset.adjacency.nnz // 2,
            "stored_edges": dataset.edge_index.shape[1],
            "directed": _direction(dataset),
            "weighted": bool(weight is not None and len(weight) and (weight != weight[0]).any()),
            "isolated_nodes": int((dataset.degree == 0).sum()),
            "mean_degree": round(float(dataset.degree.mean()), 2),
            "max_degree": int(dataset.degree.max()),
            "edge_homophily": homophily,
            "adjusted_homophily": adjusted,
            "splits": {name: int(np.asarray(mask).sum()) for name, mask in dataset.masks.items()},
        }
        if dataset.is_wrong is not None:
            facts["known_wrong_labels"] = int(dataset.is_wrong.sum())
        blank = dataset.meta.get("nodes_without_published_label")
        if blank:
            facts["note"] = (
                f"{len(blank)} nodes have no published label; as in torch-geometric they carry "
                f"{dataset.class_names[0]!r}."
            )
        return facts

    def detect(
        self, dataset: Dataset, *, method: str | None = None, seed: int = 0, **options: Any
    ) -> Detection:
        """Judge every given label; a graph whose labels cannot be judged is refused first."""
        from labelnoise.graph.data import check_detectable

        assert isinstance(dataset, GraphDataset)
        check_detectable(dataset)
        return super().detect(dataset, method=method, seed=seed, **options)

    def train(self, dataset: Dataset, *, method: str | None = None, seed: int = 0, **options: Any) -> Trained:
        """Train on the given labels of the training split, and predict every node."""
        from labelnoise.graph.train_methods import train_graph

        assert isinstance(dataset, GraphDataset)
        return train_graph(dataset, method or self.default_trainer, seed, **options)

    def training_scores(self, dataset: Dataset, trained: Trained) -> list[dict[str, Any]]:
        """Accuracy in the training, validation and test split."""
        from labelnoise.graph.splits import split_scores

        assert isinstance(dataset, GraphDataset)
        return split_scores(dataset, trained)

    def review_cards(self, dataset: Dataset, units: Sequence[int]) -> list[Card]:
        """A picture of each node's neighbourhood and its neighbours' labels."""
        from labelnoise.graph.review import node_cards

        assert isinstance(dataset, GraphDataset)
        return node_cards(dataset, units)

    def unit_context(self, dataset: Dataset, units: Sequence[int]) -> dict[str, list[Any]]:
        """For each node its degree and its neighbours' given labels, the most frequent first.

        Examples
        --------
        >>> domain = GraphDomain()
        >>> domain.unit_context(domain.load("papers"), [41, 42])
        {'degree': [4, 3], 'neighbours': ['security 2, languages 1, networks 1', 'networks 2, languages 1']}
        """
        assert isinstance(dataset, GraphDataset)
        rows = np.asarray(units, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= dataset.n_nodes):
            raise InputError(
                f"units holds {rows.min()} to {rows.max()}; nodes are numbered 0 to {dataset.n_nodes - 1}."
            )
        names = [*dataset.class_names, "no label"]
        counts = _neighbour_labels(dataset, rows)
        return {
            "degree": dataset.degree[rows].tolist(),
            "neighbours": [
                ", ".join(
                    f"{names[label]} {int(row[label])}"
                    for label in np.argsort(-row, kind="stable")
                    if row[label]
                )
                for row in counts
            ],
        }


def _direction(dataset: GraphDataset) -> str:
    """Whether edges are stored in both directions, and what is made of it."""
    row, col = dataset.edge_index
    if not (row != col).any():
        return "no edges"
    if dataset.arcs is not None:
        pairs = len(distinct_pairs(row, col, dataset.n_nodes)[0])
        share = 2 * (pairs - dataset.adjacency.nnz // 2) / pairs
        how = f"yes, {share:.0%} of the edges go both ways" if share else "each edge is stored once"
        if share == 1.0:
            how = "yes, by the weights of the two directions"
        return f"{how}; votes count along, against and in both directions"
    if (row >= col).all() or (row <= col).all():
        return "each edge is stored once; both directions are used"
    return "no, both directions are stored"


def _neighbour_labels(dataset: GraphDataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of the given labels among each row's neighbours, those without a label last; (rows, K + 1)."""
    part = dataset.adjacency[rows]
    k = dataset.n_classes + 1
    label = dataset.given[part.indices] % k  # -1, no label, becomes K
    unit = np.repeat(np.arange(len(rows)), np.diff(part.indptr))
    return np.bincount(unit * k + label, minlength=len(rows) * k).reshape(len(rows), k)
