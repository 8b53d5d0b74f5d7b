"""Targets: readers of graphs."""

from __future__ import annotations

import io
import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fuzz.examples import written
from fuzz.mutate import Files
from fuzz.structured import json_files, table_files
from fuzz.target import Target, use_dataset

N = 12


def _arrays(**more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "y": np.array([0, 1, 2, -1] * 3),
        "edge_index": rng.integers(0, N, (2, 30)),
        "x": rng.random((N, 3)).astype(np.float32),
        "class_names": np.array(["cat", "dog", "é <b>"]),
        "node_ids": np.array([f"n{i}" for i in range(N)]),
        **more,
    }


def _npz(**arrays: Any) -> bytes:
    made = io.BytesIO()
    np.savez_compressed(made, allow_pickle=False, **arrays)
    return made.getvalue()


def own_npz() -> Files:
    return {"g.npz": _npz(**_arrays(train_mask=np.arange(N) < 5, meta=np.array('{"a": [1]}')))}


def sparse_npz() -> Files:
    x = sp.csr_array(np.eye(N, 4, dtype=np.float32))
    arrays = _arrays(edge_weight=np.ones(30), true=np.array([0, 1, 2, 0] * 3), groups=np.arange(N))
    del arrays["x"]
    parts = {"x_data": x.data, "x_indices": x.indices, "x_indptr": x.indptr, "x_shape": np.array(x.shape)}
    return {"g.npz": _npz(**arrays, **parts)}


def benchmark_npz(name: str = "g.npz") -> Files:
    arrays: dict[str, Any] = {"labels": np.arange(N) % 3}
    for what, matrix in (("adj", np.eye(N, k=1)), ("attr", np.eye(N, 4))):
        m = sp.csr_array(matrix.astype(np.float32))
        parts = (("data", m.data), ("indices", m.indices), ("indptr", m.indptr), ("shape", np.array(m.shape)))
        arrays |= {f"{what}_{key}": value for key, value in parts}
    return {name: _npz(**arrays, class_names=np.array(["a", "b", "c"]))}


def heterophilous_npz(name: str = "g.npz") -> Files:
    rng = np.random.default_rng(0)
    masks = {f"{split}_masks": rng.random((10, N)) < 0.5 for split in ("train", "val", "test")}
    edges = rng.integers(0, N, (20, 2))
    return {name: _npz(node_features=np.eye(N, 4), node_labels=np.arange(N) % 2, edges=edges, **masks)}


def pt() -> Files:
    import torch

    made = io.BytesIO()
    content = {
        "x": torch.ones(N, 3),
        "y": torch.arange(N) % 3,
        "edge_index": torch.arange(20).reshape(2, 10) % N,
        "train_mask": torch.arange(N) < 4,
    }
    torch.save(content, made)
    return {"g.pt": made.getvalue()}


def pt_sparse() -> Files:
    import torch

    made = io.BytesIO()
    x = torch.eye(N, 4).to_sparse_csr()
    torch.save({"x": x, "y": torch.arange(N) % 3, "edge_index": torch.arange(20).reshape(2, 10) % N}, made)
    return {"g.pt": made.getvalue()}


def tables(ending: str) -> Files:
    from labelnoise.graph.arrays import from_arrays

    graph = from_arrays(_arrays(edge_weight=np.ones(30), train_mask=np.arange(N) < 5), name="g")
    return written("graph", graph, f"nodes{ending}")


def planetoid(stem: str = "cora", classes: int = 7) -> Files:
    rng = np.random.default_rng(0)
    known, test = 508, (510, 508, 511)
    allx = sp.random_array((known, 6), density=0.3, rng=rng, format="csr", dtype=np.float32)
    one_hot = np.eye(classes, dtype=np.int32)
    ally = one_hot[rng.integers(0, classes, known)]
    content: dict[str, Any] = {
        "x": sp.csr_matrix(allx[:4]),
        "tx": sp.csr_matrix(np.arange(18, dtype=np.float32).reshape(3, 6)),
        "allx": sp.csr_matrix(allx),
        "y": ally[:4],
        "ty": one_hot[[1, 0, 1]],
        "ally": ally,
        "graph": defaultdict(list, {node: [node + 1, node] for node in range(60)}),
    }
    made = {f"ind.{stem}.{part}": pickle.dumps(value, protocol=2) for part, value in content.items()}
    return {**made, f"ind.{stem}.test.index": "".join(f"{node}\n" for node in test).encode()}


def _graph(name: str) -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.graph.data import load_graph

        return load_graph(str(folder / name))

    return read


def _public(name: str) -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.graph.public import PUBLIC

        return PUBLIC[name].read(folder, PUBLIC[name])

    return read


def _public_names(kind: str) -> tuple[str, ...]:
    from labelnoise.graph.public import PUBLIC

    return tuple(f"graph:{name}" for name, item in PUBLIC.items() if item.read.__name__ == kind)


_FILES = "labelnoise.graph.files"
_NPZ = (
    "labelnoise.graph.data:load_graph",
    f"{_FILES}:read_graph",
    f"{_FILES}:open_npz",
    "labelnoise.graph.arrays:from_arrays",
)
_USE = use_dataset("graph", ".npz")
_TABLE = (f"{_FILES}:read_graph", "labelnoise.graph.tables:read_tables")

TARGETS = [
    Target("graph.npz", own_npz, _graph("g.npz"), _NPZ, use=_USE, single="g.npz"),
    Target("graph.npz-sparse", sparse_npz, _graph("g.npz"), _NPZ, use=_USE),
    Target("graph.npz-benchmark", benchmark_npz, _graph("g.npz"), _NPZ, use=_USE),
    Target("graph.npz-heterophilous", heterophilous_npz, _graph("g.npz"), _NPZ, use=_USE),
    Target("graph.pt", pt, _graph("g.pt"), (f"{_FILES}:read_graph",), use=_USE),
    Target("graph.pt-sparse", pt_sparse, _graph("g.pt"), (f"{_FILES}:read_graph",), use=_USE),
    Target(
        "graph.csv",
        lambda: tables(".csv"),
        _graph(""),
        _TABLE,
        use=use_dataset("graph", ".csv"),
        strategy=lambda: table_files(tables(".csv")),
    ),
    Target("graph.tsv", lambda: tables(".tsv"), _graph("nodes.tsv"), _TABLE, use=_USE),
    Target(
        "graph.parquet", lambda: tables(".parquet"), _graph(""), _TABLE, use=use_dataset("graph", ".parquet")
    ),
    Target(
        "graph.facts",
        lambda: tables(".csv"),
        _graph("nodes.csv"),
        _TABLE,
        use=_USE,
        strategy=lambda: json_files(tables(".csv"), "graph.json"),
    ),
    Target(
        "graph.planetoid",
        planetoid,
        _public("Cora"),
        ("labelnoise.graph.planetoid:read_planetoid",),
        _public_names("_read_planetoid"),
        use=_USE,
        single="ind.cora.allx",
    ),
    Target(
        "graph.public-benchmark",
        lambda: benchmark_npz("amazon_electronics_photo.npz"),
        _public("Photo"),
        (f"{_FILES}:open_npz",),
        _public_names("_read_shchur"),
        use=_USE,
    ),
    Target(
        "graph.public-heterophilous",
        lambda: heterophilous_npz("tolokers.npz"),
        _public("Tolokers"),
        (f"{_FILES}:open_npz",),
        _public_names("_read_heterophilous"),
        use=_USE,
    ),
]
