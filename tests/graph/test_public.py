"""Public graphs: as torch-geometric reads them, number by number, and never half-read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.validation import InputError
from labelnoise.graph.checksums import SHA256
from labelnoise.graph.data import load_graph
from labelnoise.graph.public import PUBLIC

Arrays = dict[str, np.ndarray]

LOCAL = ["Cora", "CiteSeer", "Photo", "CS", "DBLP", "Tolokers", "Minesweeper"]
N_CLASSES = {"Cora": 7, "CiteSeer": 6, "Photo": 8, "CS": 15, "DBLP": 4, "Tolokers": 2, "Minesweeper": 2}


def torch_geometric_data(name: str, root: Path) -> Any:
    datasets = pytest.importorskip("torch_geometric.datasets")
    readers = {
        "Cora": lambda: datasets.Planetoid(str(root), "Cora"),
        "CiteSeer": lambda: datasets.Planetoid(str(root), "CiteSeer"),
        "Photo": lambda: datasets.Amazon(str(root), "Photo"),
        "CS": lambda: datasets.Coauthor(str(root), "CS"),
        "DBLP": lambda: datasets.CitationFull(str(root), "dblp"),
        "Tolokers": lambda: datasets.HeterophilousGraphDataset(str(root), "Tolokers"),
        "Minesweeper": lambda: datasets.HeterophilousGraphDataset(str(root), "Minesweeper"),
    }
    return readers[name]()[0]


def in_order(edges: np.ndarray) -> np.ndarray:
    return edges[:, np.lexsort((edges[1], edges[0]))]


@pytest.mark.real_data
@pytest.mark.parametrize("name", LOCAL)
def test_equal_to_torch_geometric(name: str, real_data: Path, tmp_path: Path) -> None:
    folder = PUBLIC[name].folder
    # torch-geometric writes beside the raw files, and these may be read-only.
    shutil.copytree(
        real_data / "graph" / folder / "raw", tmp_path / folder / "raw", copy_function=shutil.copyfile
    )
    theirs = torch_geometric_data(name, tmp_path)
    ours = load_graph(name, root=tmp_path)
    assert ours.x.dtype == np.float32
    x = ours.x.toarray() if sp.issparse(ours.x) else ours.x
    np.testing.assert_array_equal(x, theirs.x.numpy())
    np.testing.assert_array_equal(ours.given, theirs.y.numpy())
    np.testing.assert_array_equal(ours.edge_index, in_order(theirs.edge_index.numpy()))
    assert ours.n_classes == N_CLASSES[name] == len(np.unique(ours.given))
    splits = [key for key in ("train", "val", "test") if f"{key}_mask" in theirs]
    assert {key.split("_")[0] for key in ours.masks} == set(splits)
    for split in splits:
        columns = theirs[f"{split}_mask"].numpy().reshape(ours.n_nodes, -1).T
        for index, mask in enumerate(columns):
            np.testing.assert_array_equal(ours.masks[f"{split}_{index}" if index else split], mask)


@pytest.mark.real_data
def test_class_names_stand_beside_the_right_counts(real_data: Path) -> None:
    """Counts per topic as the collectors of the data published them (Sen et al. 2008)."""
    cora = load_graph("Cora", root=real_data / "graph")
    counts = dict(zip(cora.class_names, np.bincount(cora.given).tolist()))
    assert counts == {
        "Theory": 351,
        "Reinforcement Learning": 217,
        "Genetic Algorithms": 418,
        "Neural Networks": 818,
        "Probabilistic Methods": 426,
        "Case Based": 298,
        "Rule Learning": 180,
    }
    citeseer = load_graph("CiteSeer", root=real_data / "graph")
    assert len(citeseer.meta["nodes_without_published_label"]) == 15
    counts = dict(zip(citeseer.class_names, np.bincount(citeseer.given).tolist()))
    assert counts == {"AI": 249 + 15, "ML": 590, "IR": 668, "DB": 701, "Agents": 596, "HCI": 508}


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["Cora", "CiteSeer", "Minesweeper", "Tolokers"])
def test_pinned_checksums_are_those_of_the_files(name: str, real_data: Path) -> None:
    from labelnoise.core.download import sha256_of

    graph = PUBLIC[name]
    for file in graph.files:
        assert SHA256[file] == sha256_of(real_data / "graph" / graph.folder / "raw" / file)


def test_every_file_has_a_pinned_checksum_or_is_known_to_have_none() -> None:
    files = {file for graph in PUBLIC.values() for file in graph.files}
    assert SHA256.keys() <= files
    assert files - SHA256.keys() == {
        "amazon_electronics_computers.npz",
        "amazon_electronics_photo.npz",
        "ms_academic_cs.npz",
        "ms_academic_phy.npz",
        "cora_ml.npz",
        "citeseer.npz",
        "dblp.npz",
        "pubmed.npz",
    }
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in SHA256.values())


def test_folders_and_files_are_torch_geometrics() -> None:
    datasets = pytest.importorskip("torch_geometric.datasets")
    theirs = {
        "PubMed": (datasets.Planetoid, "PubMed"),
        "Computers": (datasets.Amazon, "Computers"),
        "Physics": (datasets.Coauthor, "Physics"),
        "Cora_full": (datasets.CitationFull, "cora"),
        "Cora_ML": (datasets.CitationFull, "cora_ml"),
        "PubMed_full": (datasets.CitationFull, "pubmed"),
        "Roman-empire": (datasets.HeterophilousGraphDataset, "Roman-empire"),
    }
    for name, (cls, theirs_name) in theirs.items():
        dataset = cls.__new__(cls)
        dataset.root, dataset.split = "root", "public"
        dataset.name = theirs_name if cls in (datasets.Planetoid, datasets.Coauthor) else theirs_name.lower()
        dataset.name = dataset.name.replace("-", "_")
        ours = PUBLIC[name]
        assert dataset.raw_dir == f"root/{ours.folder}/raw"
        files = dataset.raw_file_names
        assert {files} if isinstance(files, str) else set(files) == set(ours.files)


def put(tmp_path: Path, name: str, **arrays: np.ndarray) -> Path:
    folder = tmp_path / PUBLIC[name].folder / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / PUBLIC[name].files[0], **arrays)
    return tmp_path


def test_benchmark_layout_is_made_binary_and_undirected(tmp_path: Path, shchur_arrays: Arrays) -> None:
    names = np.array(["red", "green"])
    graph = load_graph("computers", root=put(tmp_path, "Computers", **shchur_arrays, class_names=names))
    assert graph.x.toarray().tolist() == [[1, 0], [0, 1], [0, 0]]
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph.class_names == ("red", "green")


def test_two_classes_of_one_name(tmp_path: Path, shchur_arrays: Arrays) -> None:
    names = np.array(["red", "red"])
    with pytest.raises(InputError, match="same name"):
        load_graph("computers", root=put(tmp_path, "Computers", **shchur_arrays, class_names=names))


def test_class_names_stored_as_objects_are_left_alone(tmp_path: Path, shchur_arrays: Arrays) -> None:
    """The published files keep some names as pickled objects; the numbers beside them are read."""
    names = np.array(["red", "green"], dtype=object)
    graph = load_graph("computers", root=put(tmp_path, "Computers", **shchur_arrays, class_names=names))
    assert graph.class_names == ("0", "1")


@pytest.mark.parametrize("key", ["labels", "adj_indices", "attr_shape"])
def test_a_missing_array_is_named(tmp_path: Path, shchur_arrays: Arrays, key: str) -> None:
    arrays = dict(shchur_arrays)
    del arrays[key]
    with pytest.raises(InputError, match=f"lacks {key}"):
        load_graph("computers", root=put(tmp_path, "Computers", **arrays))


@pytest.mark.parametrize("key", ["adj_indices", "attr_indices", "adj_indptr"])
def test_indices_out_of_range_never_reach_compiled_code(
    tmp_path: Path, shchur_arrays: Arrays, key: str
) -> None:
    arrays = dict(shchur_arrays)
    arrays[key] = arrays[key] + 1000
    with pytest.raises(InputError):
        load_graph("computers", root=put(tmp_path, "Computers", **arrays))


def test_heterophilous_layout(tmp_path: Path) -> None:
    masks = np.array([[True, False, False], [False, True, True]])
    root = put(
        tmp_path,
        "Questions",
        node_features=np.eye(3),
        node_labels=np.array([0, 1, 1]),
        edges=np.array([[0, 1], [1, 1]]),
        train_masks=masks,
        val_masks=~masks,
        test_masks=~masks,
    )
    graph = load_graph("questions", root=root)
    assert graph.edge_index.tolist() == [[0, 1], [1, 0]]
    assert list(graph.masks) == ["train", "train_1", "val", "val_1", "test", "test_1"]
    assert graph.masks["train_1"].tolist() == [False, True, True]


def test_heterophilous_edges_to_nowhere(tmp_path: Path) -> None:
    root = put(
        tmp_path, "Questions", node_features=np.eye(3), node_labels=np.zeros(3, int), edges=np.array([[0, 3]])
    )
    with pytest.raises(InputError, match="outside 0 to 2"):
        load_graph("Questions", root=root)
