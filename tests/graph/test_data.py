"""Graphs by name: which one is meant, where it comes from, whether it can be judged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.named_sets import folded
from labelnoise.core.validation import InputError
from labelnoise.graph import data
from labelnoise.graph.arrays import from_arrays
from labelnoise.graph.checksums import SHA256
from labelnoise.graph.data import DATASETS, check_detectable, load_graph
from labelnoise.graph.public import PUBLIC


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that plays the published source: a download copies from it, byte for byte."""
    import pooch

    source = tmp_path / "published"
    source.mkdir()

    def copy(url: str, output: str, _: object) -> None:
        file = source / url.rsplit("/", 1)[-1]
        if not file.is_file():
            raise ConnectionError(url)
        Path(output).write_bytes(file.read_bytes())

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda timeout, hooks: copy)
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path / "cache"))
    return source


def put_minesweeper(path: Path) -> str:
    labels = np.array([0, 1, 0, 1])
    np.savez(path, node_features=np.eye(4), node_labels=labels, edges=np.array([[0, 1], [2, 3]]))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_download_then_cache_with_a_published_checksum(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put_minesweeper(published / "minesweeper.npz")
    monkeypatch.setattr(data, "SHA256", {"minesweeper.npz": digest})
    graph = load_graph("minesweeper")
    assert graph.meta["checksum"] == "SHA-256 as published"
    cached = tmp_path / "cache" / "graph" / "minesweeper" / "raw" / "minesweeper.npz"
    assert graph.source == str(cached.parent)
    (published / "minesweeper.npz").unlink()
    assert load_graph("Minesweeper").content_hash() == graph.content_hash()
    # Damaged in the cache, with no connection to mend it: said, not used.
    cached.write_bytes(cached.read_bytes()[:-20])
    with pytest.raises(InputError, match="Could not download"):
        load_graph("minesweeper")


def test_tampered_download_is_refused(published: Path) -> None:
    put_minesweeper(published / "minesweeper.npz")  # not the bytes that are pinned
    with pytest.raises(InputError, match="expected SHA-256 " + SHA256["minesweeper.npz"]):
        load_graph("minesweeper")


def test_first_download_without_published_checksum_is_recorded_and_said(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put_minesweeper(published / "minesweeper.npz")
    monkeypatch.setattr(data, "SHA256", {})
    with pytest.raises(InputError, match="LABELNOISE_TRUST_FIRST_DOWNLOAD=1"):
        load_graph("minesweeper")
    monkeypatch.setenv("LABELNOISE_TRUST_FIRST_DOWNLOAD", "1")
    with pytest.warns(UserWarning, match=f"No checksum is published .*{digest}"):
        graph = load_graph("minesweeper")
    lock = tmp_path / "cache" / "graph" / "checksums.json"
    assert str(lock) in graph.meta["checksum"]
    assert digest in lock.read_text()
    # Another file under the same address, after the cache was lost: refused.
    np.savez(published / "minesweeper.npz", node_features=np.eye(2))
    (tmp_path / "cache" / "graph" / "minesweeper" / "raw" / "minesweeper.npz").unlink()
    with pytest.raises(InputError, match="source changed"):
        load_graph("minesweeper")


def test_a_local_folder_comes_first(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "minesweeper" / "raw"
    folder.mkdir(parents=True)
    put_minesweeper(folder / "minesweeper.npz")
    graph = load_graph("minesweeper", root=tmp_path / "root")
    assert graph.meta["checksum"] == "local files, not checked"
    assert graph.source == str(folder)


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_graph("Cora", root=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("PAPERS", "papers"),
        (" Digits ", "digits"),
    ],
)
def test_names_in_any_case(typed: str, meant: str) -> None:
    assert load_graph(typed).name == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cora-ml", "Cora_ML"),
        ("CoraFull", "Cora_full"),
        ("citationfull_dblp", "DBLP"),
        ("coauthor cs", "CS"),
        ("AmazonRatings", "Amazon-ratings"),
        ("roman_empire", "Roman-empire"),
    ],
)
def test_other_spellings(typed: str, meant: str) -> None:
    assert data._NAMES[folded(typed)] == meant


@pytest.mark.parametrize(("typed", "hint"), [("corra", "Cora"), ("phsyics", "Physics"), ("paper", "papers")])
def test_unknown_names_get_a_suggestion(typed: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"Unknown graph '{typed}'.*Did you mean '{hint}'"):
        load_graph(typed)


def test_every_known_graph_says_what_it_is() -> None:
    assert set(DATASETS) == {"papers", "digits", *PUBLIC}
    for name, info in DATASETS.items():
        assert info.name == name
        assert info.summary
        assert info.licence
        assert info.source
        assert info.embedded == (name not in PUBLIC)


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone's folder "papers" with a node table must not silently become the embedded graph."""
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "nodes.csv").write_text("id,label\na,x\nb,y\n")
    (folder / "edges.csv").write_text("source,target\na,b\n")
    monkeypatch.chdir(tmp_path)
    assert load_graph("papers").n_nodes == 2
    (folder / "nodes.csv").unlink()
    assert load_graph("papers").n_nodes == 1500


@pytest.mark.parametrize("typed", ["nowhere.npz", "nowhere.csv", "some/nowhere", "./nowhere"])
def test_a_path_that_is_not_there(typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no file or folder|Unknown graph"):
        load_graph(typed)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([-1, -1, -1], "No node of 'g' carries a label"),
        ([0, 0, -1], "All labelled nodes of 'g' are 'a'"),
        ([0, 0, 1], r"Class 'b' has one labelled node \(2\)"),
        ([0, 1, -1], r"Classes 'a', 'b' have one labelled node \(0\)"),
    ],
)
def test_graphs_that_cannot_be_judged(labels: list[int], message: str) -> None:
    arrays = {"y": labels, "class_names": ["a", "b"], "edge_index": [[0], [1]]}
    graph = from_arrays(arrays, name="g")  # loading accepts it, also with a class that no node has
    with pytest.raises(InputError, match=message):
        check_detectable(graph)


def test_graphs_that_can_be_judged() -> None:
    check_detectable(from_arrays({"y": [0, 0, 2, 2, -1], "edge_index": [[0], [1]]}, name="g"))
