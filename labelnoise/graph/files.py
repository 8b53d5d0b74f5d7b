"""The user's own graph: reading and writing .npz, .pt, and tables of nodes and edges.

=============  ===============================================================================================
what           how
=============  ===============================================================================================
``graph.npz``  named arrays, see `labelnoise.graph.arrays.KEYS`; also the layout of the GNN benchmark files
               (``adj_data`` ..., ``attr_data`` ..., ``labels``) and of the heterophilous ones
               (``node_features``, ``node_labels``, ``edges``)
``graph.pt``   ``torch.save(data.to_dict(), path)`` of a torch-geometric ``Data``, the ``Data`` itself, or a
               ``processed/data.pt`` with one graph
``nodes.csv``  a node table with the edge table ``edges.csv`` beside it, see `labelnoise.graph.tables`; also
               ``.tsv`` and ``.parquet``; or the folder that holds them
=============  ===============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import check_archive, read_npz
from labelnoise.core.files import all_or_nothing, check_output, make_folder, replacing
from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import from_arrays, sparse_from_parts, to_arrays
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.tables import TABLE_ENDINGS, find_node_table, read_tables, write_tables

__all__ = ["ENDINGS", "open_npz", "read_graph", "write_graph"]

#: File endings that `read_graph` and `write_graph` know.
ENDINGS = (".npz", ".pt", *TABLE_ENDINGS)

SHCHUR_KEYS = {f"{part}_{key}" for part in ("adj", "attr") for key in ("data", "indices", "indptr", "shape")}
HETEROPHILOUS_KEYS = {"node_features", "node_labels", "edges"}


def read_graph(path: str | Path) -> GraphDataset:
    """Read your own graph.

    Nothing in a file is ever executed: no pickle is loaded, and torch reads tensors only.

    Parameters
    ----------
    path : str or Path
        A file ending in one of `ENDINGS`, or a folder with ``nodes.csv`` and ``edges.csv`` (or .tsv,
        .parquet).

    Returns
    -------
    GraphDataset

    Raises
    ------
    InputError
        In one sentence: what is wrong in which file, and how to mend it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "nodes.csv").write_text("id,label,height\\nann,cat,1.5\\nbob,dog,2\\ncy,,1\\n")
    >>> _ = (folder / "edges.csv").write_text("source,target\\nann,bob\\nbob,cy\\n")
    >>> graph = read_graph(folder)
    >>> graph.given, graph.class_names, graph.ids
    (array([ 0,  1, -1]), ('cat', 'dog'), array(['ann', 'bob', 'cy'], dtype='<U3'))
    """
    path = Path(path)
    if path.is_dir():
        nodes = find_node_table(path)
        if nodes is None:
            there = sorted(item.name for item in path.iterdir())
            listed = (", ".join(there[:8]) or "it is empty") + (" ..." if len(there) > 8 else "")
            raise InputError(
                f"The folder {path} holds no node table; put nodes.csv and edges.csv (.tsv, .parquet) there, "
                f"or name a file in it ({listed})."
            )
        return read_tables(nodes)
    if not path.is_file():
        raise InputError(f"There is no file or folder {str(path)!r}; check the path.")
    ending = path.suffix.lower()
    if ending in TABLE_ENDINGS:
        return read_tables(path)
    if ending == ".npz":
        return from_arrays(_known_layout(open_npz(path), path), name=path.stem, source=str(path))
    if ending == ".pt":
        return from_arrays(_open_pt(path), name=path.stem, source=str(path))
    raise InputError(
        f"{path} ends in {ending or 'nothing'}; a graph is read from {', '.join(ENDINGS)} or a folder."
    )


def write_graph(dataset: GraphDataset, path: str | Path) -> list[Path]:
    """Write a graph so that `read_graph` gives an equal one back; every file whole, or none at all.

    Parameters
    ----------
    dataset : GraphDataset
    path : str or Path
        The ending chooses the format. A table (``my_nodes.csv``) brings its edge table (``my_edges.csv``) and
        ``my_graph.json``, with the order of the classes and what else tables cannot hold, beside it. A path
        without an ending is a folder that is made and gets ``nodes.csv``, ``edges.csv`` and ``graph.json``.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        Unknown ending, a folder that is not there, a graph that a table cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> graph = from_arrays({"y": [0, 1], "edge_index": [[0], [1]]}, name="two")
    >>> [item.name for item in write_graph(graph, Path(tempfile.mkdtemp()) / "two.npz")]
    ['two.npz']
    """
    with all_or_nothing():  # a graph may be several files
        return _write(dataset, Path(path))


def _write(dataset: GraphDataset, path: Path) -> list[Path]:
    if not path.suffix or path.is_dir():
        if path.exists() and not path.is_dir():
            raise InputError(
                f"{path} is a file without an ending; name a folder, or an ending: {', '.join(ENDINGS)}."
            )
        make_folder(path)
        path = path / "nodes.csv"
    check_output(path, extensions=ENDINGS, what="the graph file")
    if path.suffix.lower() in TABLE_ENDINGS:
        return write_tables(dataset, path)
    arrays = to_arrays(dataset)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".npz":
            with open(temporary, "wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
        else:
            _save_pt(arrays, temporary)
    return [path]


def open_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file; arrays of objects would need pickle, so they are left out.

    Raises
    ------
    InputError
        Not an .npz file, cut off or damaged.
    """
    return read_npz(path)


def _known_layout(arrays: dict[str, NDArray[Any]], path: Path) -> Mapping[str, Any]:
    """Our own key names for the two layouts in which published graphs come; values stay as they are."""
    if arrays.keys() >= SHCHUR_KEYS:
        adjacency = sparse_from_parts(arrays, "adj").tocoo()
        weight = adjacency.data.astype(np.float64)
        converted: dict[str, Any] = {
            "y": arrays.get("labels"),
            "edge_index": np.stack([adjacency.row, adjacency.col]),
            "edge_weight": None if (weight == 1).all() else weight,
            "x": sparse_from_parts(arrays, "attr"),
            "class_names": arrays.get("class_names"),
            "node_ids": arrays.get("node_names"),
        }
        if converted["y"] is None:
            raise InputError(f"{path} has the benchmark layout (adj_..., attr_...) but no labels; add them.")
        return converted
    if arrays.keys() >= HETEROPHILOUS_KEYS:
        if arrays["edges"].ndim != 2:
            raise InputError(f"edges in {path} has shape {arrays['edges'].shape}; (edges, 2) is needed.")
        masks = {
            f"{key}_mask": np.atleast_2d(arrays[f"{key}_masks"])
            for key in ("train", "val", "test")
            if f"{key}_masks" in arrays
        }
        return {
            "y": arrays["node_labels"],
            "edge_index": arrays["edges"].T,
            "x": arrays["node_features"],
            **{key: value.T for key, value in masks.items()},
        }
    return arrays


_SAVE_AS_DICT = "save its tensors with torch.save(data.to_dict(), path)"


def _open_pt(path: Path) -> dict[str, Any]:
    content = _load_tensors(path)
    if isinstance(content, tuple) and len(content) == 3 and isinstance(content[0], dict):
        if content[1] is not None:
            raise InputError(f"{path} holds several graphs; {_SAVE_AS_DICT} for the one that you mean.")
        content = content[0]
    if hasattr(content, "to_dict"):
        content = content.to_dict()
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{path} holds a {type(content).__name__}, not a graph; {_SAVE_AS_DICT}.")
    from labelnoise.graph.pyg import arrays_of_tensors

    return arrays_of_tensors(content)


def _load_tensors(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"Reading {path} needs torch; run pip install 'labelnoise[graph]', or save to .npz."
        ) from error
    import pickle

    with open(path, "rb") as file:
        # The format of torch before 1.6 is a pickle from its first byte on.
        zipped = file.read(4) == b"PK\x03\x04"
    if not zipped:
        raise InputError(
            f"{path} is damaged or was saved by torch before 1.6; load it with the torch that wrote it and "
            f"{_SAVE_AS_DICT}."
        )
    check_archive(path)
    try:
        # Sparse tensors are checked as well: with indices out of range compiled code would read what is not its own.
        checked = torch.sparse.check_sparse_tensor_invariants()
        with torch.serialization.safe_globals(_data_classes()), checked:
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is damaged or holds more than tensors, and nothing but tensors is read; {_SAVE_AS_DICT}."
        ) from error
    except Exception as error:  # a broken archive can fail in any way
        raise InputError(
            f"{path} is not a whole file of torch.save ({type(error).__name__}); copy it again, "
            f"or {_SAVE_AS_DICT}."
        ) from error


def _data_classes() -> list[Any]:
    """The classes a saved ``Data`` consists of; restoring them only sets attributes."""
    try:
        from torch_geometric.data import Data
        from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
        from torch_geometric.data.storage import GlobalStorage
    except ImportError:
        return []
    return [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage]


def _save_pt(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "Writing .pt needs torch; run pip install 'labelnoise[graph]', or save to .npz."
        ) from error
    content = {
        # Text stays text (tensors cannot hold it); weights_only loading admits strings and lists.
        key: array.tolist() if array.dtype.kind == "U" else torch.from_numpy(np.ascontiguousarray(array))
        for key, array in arrays.items()
    }
    from labelnoise.core.training.checkpoint import save_tensors

    save_tensors(content, path)
