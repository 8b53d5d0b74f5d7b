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
