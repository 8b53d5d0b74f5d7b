"""The public node-classification graphs: where each lies, and how its raw files are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import sparse_from_parts
from labelnoise.graph.dataset import GraphDataset, distinct_pairs
from labelnoise.graph.files import open_npz
from labelnoise.graph.planetoid import PLANETOID_PARTS, read_planetoid

__all__ = ["PUBLIC", "PublicGraph"]

PLANETOID_URL = (
    "https://raw.githubusercontent.com/kimiyoung/planetoid/af6abf468a772cc055bec88c52e4d6f51b7c37e3/data/"
)
SHCHUR_URL = "https://raw.githubusercontent.com/shchur/gnn-benchmark/1e72912a0810cdf27ae54fd589a3b43358a2b161/data/npz/"
# Not raw.githubusercontent.com: one of these files is kept in Git LFS, which that host does not serve.
GAUSS_URL = "https://github.com/abojchevski/graph2gauss/raw/master/data/"
HETEROPHILOUS_URL = (
    "https://raw.githubusercontent.com/yandex-research/heterophilous-graphs/"
    "a431395582e929d88271309716bea4fe24ce6318/data/"
)


@dataclass(frozen=True)
class PublicGraph:
    """Where a public graph lies and how it is read.

    Attributes
    ----------
    info : DatasetInfo
    folder : str
        Folder and file names are torch-geometric's, so that both can share one root.
    files : tuple of str
        Its raw files.
    url : str
        What stands before each file name.
    read : callable
        ``read(folder, graph) -> GraphDataset``.
    class_names : tuple of str
        Where they are known and the files do not hold them.
    aliases : tuple of str
        Other names for it.
    """

    info: DatasetInfo
    folder: str
    files: tuple[str, ...]
    url: str
    read: Callable[[Path, PublicGraph], GraphDataset]
    class_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def _read_planetoid(folder: Path, graph: PublicGraph) -> GraphDataset:
    return read_planetoid(folder, graph.info.name, graph.class_names)


def _read_shchur(folder: Path, graph: PublicGraph) -> GraphDataset:
    """The layout of the GNN benchmark: features made binary and edges undirected, as in torch-geometric.

    References
    ----------
    Shchur et al. 2018, Pitfalls of Graph Neural Network Evaluation; Bojchevski and Guennemann 2018.
    """
    parts = (f"{what}_{part}" for what in ("adj", "attr") for part in ("data", "indices", "indptr", "shape"))
    arrays = _open(folder / graph.files[0], ("labels", *parts))
    x = sparse_from_parts(arrays, "attr").astype(np.float32)
    x.sum_duplicates()
    x.eliminate_zeros()
    x.data[x.data > 0] = 1.0
    adjacency = sparse_from_parts(arrays, "adj").tocoo()
    labels = _labels(arrays["labels"])
    class_names, stated = graph.class_names, arrays.get("class_names")
    if stated is not None and stated.dtype.kind == "U" and len(stated) > int(labels.max()):
        class_names = tuple(str(item) for item in stated)
        if len(set(class_names)) < len(class_names):
            raise InputError("The raw file gives two classes the same name; download it again.")
    return GraphDataset(
        name=graph.info.name,
        given=labels,
        class_names=class_names or _numbered(labels),
        x=x,
        edge_index=_undirected(adjacency.row, adjacency.col, len(labels)),
    )


def _read_heterophilous(folder: Path, graph: PublicGraph) -> GraphDataset:
    """Ten splits: "train", "val", "test" are the first, "train_1" ... the others.

    References
    ----------
    Platonov et al. 2023, A critical look at the evaluation of GNNs under heterophily.
    """
    arrays = _open(folder / graph.files[0], ("node_features", "node_labels", "edges"))
    labels, edges = _labels(arrays["node_labels"]), arrays["edges"]
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise InputError("The raw file holds no table of edges; download it again.")
    if arrays["node_features"].dtype.kind not in "fiub":
        raise InputError("The raw file holds no features of nodes; download it again.")
    masks: dict[str, NDArray[np.bool_]] = {}
    for split in ("train", "val", "test"):
        for index, mask in enumerate(np.atleast_2d(arrays.get(f"{split}_masks", np.zeros((0, len(labels)))))):
            masks[f"{split}_{index}" if index else split] = mask.astype(bool)
    return GraphDataset(
        name=graph.info.name,
        given=labels,
        class_names=graph.class_names or _numbered(labels),
        x=arrays["node_features"].astype(np.float32),
        edge_index=_undirected(edges[:, 0], edges[:, 1], len(labels)),
        masks=masks,
    )


def _open(path: Path, needed: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    arrays = open_npz(path)
    lacking = [key for key in needed if key not in arrays]
    if lacking:
        raise InputError(
            f"{path} lacks {', '.join(lacking)}; it is not the published file, download it again."
        )
    return arrays


def _labels(labels: NDArray[Any]) -> NDArray[np.int64]:
    """One class per node, from 0 and fewer than nodes: names of classes are made for all numbers up to the largest."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or labels.max() >= len(labels):
        raise InputError("The raw file holds no class number per node; download it again.")
    return labels.astype(np.int64)


def _numbered(labels: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(str(index) for index in range(int(labels.max()) + 1))


def _undirected(row: NDArray[Any], col: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Both directions of every edge, each once, sorted, without self loops."""
    if len(row) and (min(row.min(), col.min()) < 0 or max(row.max(), col.max()) >= n):
        raise InputError(f"The raw file names nodes outside 0 to {n - 1}; download it again.")
    return np.stack(distinct_pairs(np.concatenate([row, col]), np.concatenate([col, row]), n))


def _graphs() -> list[PublicGraph]:
    graphs = []
    planetoid = {
        "Cora": (
            "2,708 machine-learning papers, 7 topics, citations",
            (
                "Theory",
                "Reinforcement Learning",
                "Genetic Algorithms",
                "Neural Networks",
                "Probabilistic Methods",
                "Case Based",
                "Rule Learning",
            ),
        ),
        "CiteSeer": (
            "3,327 computer-science papers, 6 topics, citations, 48 isolated",
            ("AI", "ML", "IR", "DB", "Agents", "HCI"),
        ),
        "PubMed": (
            "19,717 papers on diabetes, 3 types, citations",
            ("Experimental", "Type 1", "Type 2"),
        ),
    }
    for name, (summary, classes) in planetoid.items():
        graphs.append(
            PublicGraph(
                info=DatasetInfo(name, summary, "MIT", "github.com/kimiyoung/planetoid"),
                folder=name,
                files=tuple(f"ind.{name.lower()}.{part}" for part in PLANETOID_PARTS),
                url=PLANETOID_URL,
                read=_read_planetoid,
                class_names=classes,
                aliases=(f"planetoid-{name}",),
            )
        )
    benchmark = {
        "Computers": (
            "amazon_electronics_computers",
            "13,752 computer goods bought together, 10 categories",
            "amazon",
        ),
        "Photo": ("amazon_electronics_photo", "7,650 photo goods bought together, 8 categories", "amazon"),
        "CS": ("ms_academic_cs", "18,333 computer scientists, 15 fields, co-authorship", "coauthor"),
        "Physics": ("ms_academic_phy", "34,493 physicists, 5 fields, co-authorship", "coauthor"),
    }
    for name, (file, summary, family) in benchmark.items():
        graphs.append(
            PublicGraph(
                info=DatasetInfo(name, summary, "MIT", "github.com/shchur/gnn-benchmark"),
                folder=name,
                files=(f"{file}.npz",),
                url=SHCHUR_URL,
                read=_read_shchur,
                aliases=(f"{family}-{name}",),
            )
        )
    citation = {
        "Cora_full": ("cora", "19,793 papers, 70 topics, citations"),
        "Cora_ML": ("cora_ml", "2,995 machine-learning papers, 7 topics, citations"),
        "CiteSeer_full": ("citeseer", "4,230 papers, 6 topics, citations"),
        "DBLP": ("dblp", "17,716 papers, 4 fields, citations"),
        "PubMed_full": ("pubmed", "19,717 papers on diabetes, 3 types, citations"),
    }
    for name, (file, summary) in citation.items():
        graphs.append(
            PublicGraph(
                info=DatasetInfo(name, summary, "MIT", "github.com/abojchevski/graph2gauss"),
                folder=file,
                files=(f"{file}.npz",),
                url=GAUSS_URL,
                read=_read_shchur,
                aliases=(f"citationfull-{file}", name.replace("_", "")),
            )
        )
    heterophilous = {
        "Roman-empire": ("22,662 words of an article, 18 syntactic roles, word order and dependencies", ()),
        "Amazon-ratings": ("24,492 goods bought together, 5 ratings", ()),
        "Minesweeper": ("10,000 cells of a 100 x 100 grid, mine or not", ("no mine", "mine")),
        "Tolokers": ("11,758 crowd workers on common tasks, banned or not", ("not banned", "banned")),
        "Questions": ("48,921 users of a question site, 2 classes, answers", ()),
    }
    for name, (summary, classes) in heterophilous.items():
        folder = name.lower().replace("-", "_")
        graphs.append(
            PublicGraph(
                info=DatasetInfo(name, summary, "MIT", "github.com/yandex-research/heterophilous-graphs"),
                folder=folder,
                files=(f"{folder}.npz",),
                url=HETEROPHILOUS_URL,
                read=_read_heterophilous,
                class_names=classes,
                aliases=(name.replace("-", ""),),
            )
        )
    return graphs


#: Public graphs by name.
PUBLIC: dict[str, PublicGraph] = {graph.info.name: graph for graph in _graphs()}
