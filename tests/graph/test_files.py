"""The user's own files: what goes out comes back, and what is broken is said in one sentence."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.embedded import papers
from labelnoise.graph.files import read_graph, write_graph

Arrays = Callable[..., dict[str, Any]]
Equal = Callable[[GraphDataset, GraphDataset], None]

FORMATS = ["graph.npz", "graph.pt", "nodes.csv", "nodes.tsv", "nodes.parquet", "my_nodes.csv", "folder"]


def needs_torch(name: str) -> None:
    if name.endswith(".pt"):
        pytest.importorskip("torch")


@pytest.mark.parametrize("name", FORMATS)
def test_there_and_back(
    any_graph: GraphDataset, assert_equal_graphs: Equal, name: str, tmp_path: Path
) -> None:
    needs_torch(name)
    written = write_graph(any_graph, tmp_path / name)
    assert all(path.is_file() for path in written)
    assert_equal_graphs(read_graph(tmp_path / name), any_graph)
    if name != "folder":
        # Nothing else was left lying about.
        assert sorted(item.name for item in tmp_path.iterdir()) == sorted(path.name for path in written)


@pytest.mark.parametrize("name", FORMATS)
def test_the_embedded_graph_there_and_back(assert_equal_graphs: Equal, name: str, tmp_path: Path) -> None:
    needs_torch(name)
    graph = papers(200)
    write_graph(graph, tmp_path / name)
    assert_equal_graphs(read_graph(tmp_path / name), graph)


@pytest.mark.parametrize("name", ["graph.npz", "graph.pt", "nodes.csv"])
def test_a_failed_write_leaves_the_old_files(
    name: str,
    plain_graph: GraphDataset,
    full_graph: GraphDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_torch(name)
    write_graph(plain_graph, tmp_path / name)
    before = {item.name: item.read_bytes() for item in tmp_path.iterdir()}

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("labelnoise.core.files.flush_to_disk", fail)
    with pytest.raises(OSError, match="disk full"):
        write_graph(full_graph, tmp_path / name)
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == before


def test_paths_that_cannot_be_written(plain_graph: GraphDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has the extension '.xls'"):
        write_graph(plain_graph, tmp_path / "graph.xls")
    with pytest.raises(InputError, match="does not exist"):
        write_graph(plain_graph, tmp_path / "nowhere" / "graph.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file without an ending"):
        write_graph(plain_graph, tmp_path / "file")


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        read_graph(tmp_path / "graph.npz")
    (tmp_path / "graph.xls").write_text("")
    with pytest.raises(InputError, match=r"ends in \.xls"):
        read_graph(tmp_path / "graph.xls")
    with pytest.raises(InputError, match=r"holds no node table.*graph\.xls"):
        read_graph(tmp_path)


def npz(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


def test_layout_of_the_benchmark_files_keeps_values_and_direction(
    shchur_arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    graph = read_graph(npz(tmp_path / "g.npz", **shchur_arrays))
    assert graph.x.toarray().tolist() == [[0.5, 0], [0, 3], [0, 0]]
    assert graph.edge_index.tolist() == [[0, 0, 1], [0, 1, 2]]
    assert graph.edge_weight is not None
    assert graph.edge_weight.tolist() == [1, 1, 2]


def test_layout_of_the_heterophilous_files(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "g.npz",
        node_features=np.eye(3),
        node_labels=np.array([0, 1, 1]),
        edges=np.array([[0, 1], [2, 1]]),
        train_masks=np.array([[True, False, False]]),
    )
    graph = read_graph(path)
    assert graph.edge_index.tolist() == [[0, 2], [1, 1]]
    assert graph.masks["train"].tolist() == [True, False, False]


def test_arrays_of_objects_are_not_unpickled(graph_arrays: Arrays, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "made"),)

    evil = np.array([Evil()], dtype=object)
    graph = read_graph(npz(tmp_path / "g.npz", **graph_arrays(), extra=evil))
    assert graph.n_nodes == 4
    with pytest.raises(InputError, match="has no y"):
        read_graph(npz(tmp_path / "g.npz", **graph_arrays(y=evil)))
    (tmp_path / "g.npz").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match=r"not a whole \.npz file|damaged or no zip file"):
        read_graph(tmp_path / "g.npz")
    assert not (tmp_path / "made").exists()


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    for content in (b"", b"PK\x03\x04", b"hello", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"not a whole \.npz file|damaged or no zip file"):
            read_graph(path)
    bare = io.BytesIO()
    np.save(bare, np.eye(3))
    path.write_bytes(bare.getvalue())
    with pytest.raises(InputError, match="one bare array"):
        read_graph(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "y.npy",
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }",
        )
    with pytest.raises(InputError, match=r"not a whole \.npz file|damaged or no zip file"):
        read_graph(path)


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def test_pt_of_a_dict_of_tensors(torch: Any, graph_arrays: Arrays, tmp_path: Path) -> None:
    content = {key: torch.from_numpy(value) for key, value in graph_arrays().items()}
    content["train_mask"] = torch.tensor([True, False, True, False])
    torch.save(content, tmp_path / "mine.pt")
    graph = read_graph(tmp_path / "mine.pt")
    assert graph.name == "mine"
    assert graph.masks["train"].tolist() == [True, False, True, False]
    np.testing.assert_array_equal(graph.x, graph_arrays()["x"])


@pytest.mark.parametrize("layout", ["csr", "coo"])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_pt_with_sparse_features(torch: Any, graph_arrays: Arrays, layout: str, tmp_path: Path) -> None:
    dense = torch.from_numpy(graph_arrays()["x"])
    x = dense.to_sparse_csr() if layout == "csr" else dense.to_sparse()
    torch.save(
        {**{key: torch.from_numpy(value) for key, value in graph_arrays().items()}, "x": x}, tmp_path / "g.pt"
    )
    graph = read_graph(tmp_path / "g.pt")
    np.testing.assert_array_equal(graph.x.toarray(), graph_arrays()["x"])


def test_pt_of_torch_geometrics_data(torch: Any, graph_arrays: Arrays, tmp_path: Path) -> None:
    pyg = pytest.importorskip("torch_geometric.data")
    data = pyg.Data(**{key: torch.from_numpy(value) for key, value in graph_arrays().items()})
    torch.save(data, tmp_path / "data.pt")
    whole = read_graph(tmp_path / "data.pt")
    torch.save(data.to_dict(), tmp_path / "dict.pt")
    pyg.InMemoryDataset.save([data], tmp_path / "processed.pt")
    for name in ("dict.pt", "processed.pt"):
        assert read_graph(tmp_path / name).content_hash() == whole.content_hash()
    pyg.InMemoryDataset.save([data, data], tmp_path / "two.pt")
    with pytest.raises(InputError, match="several graphs"):
        read_graph(tmp_path / "two.pt")


def test_pt_never_runs_anything(torch: Any, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "made"),)

    for content in (Evil(), {"y": Evil()}):
        torch.save(content, tmp_path / "g.pt")
        with pytest.raises(InputError, match=r"nothing but tensors is read; .*data\.to_dict\(\)"):
            read_graph(tmp_path / "g.pt")
    assert not (tmp_path / "made").exists()


def test_pt_of_something_else(torch: Any, tmp_path: Path) -> None:
    torch.save(torch.eye(3), tmp_path / "g.pt")
    with pytest.raises(InputError, match="holds a Tensor, not a graph"):
        read_graph(tmp_path / "g.pt")
    for content in (b"", b"PK\x03\x04", b"hello"):
        (tmp_path / "g.pt").write_bytes(content)
        with pytest.raises(InputError, match=r"not a whole file of torch\.save|is damaged"):
            read_graph(tmp_path / "g.pt")


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    names = ["graph.npz", "graph.pt", "nodes.csv", "nodes.parquet"]
    pytest.importorskip("torch")
    for name in names:
        write_graph(papers(100), folder / name)
    return folder


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_end_in_one_kind_of_error(
    data: st.DataObject, whole_files: Path, tmp_path: Path
) -> None:
    files = {item.name: item.read_bytes() for item in whole_files.iterdir()}
    name = data.draw(st.sampled_from(sorted(files)))
    for other, content in files.items():
        (tmp_path / other).write_bytes(content)
    content = files[name]
    if data.draw(st.booleans(), label="cut"):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        damaged = content[:position] + data.draw(st.binary(min_size=1, max_size=4)) + content[position + 1 :]
    (tmp_path / name).write_bytes(damaged)
    ending = Path(name).suffix if not name.endswith(".json") else ".csv"
    start = tmp_path / (f"graph{ending}" if ending in (".npz", ".pt") else f"nodes{ending}")
    message = ""
    try:
        read_graph(start)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
