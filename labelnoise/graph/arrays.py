"""A graph as named arrays: the common form behind .npz files, .pt files and torch-geometric objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.reading import parse_json
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.graph.dataset import GraphDataset

__all__ = ["KEYS", "as_ids", "encode_names", "from_arrays", "natural_order", "to_arrays"]

#: What each key holds; keys ending in "_mask" are splits on top of these.
KEYS: Mapping[str, str] = {
    "x": "node features, (n, d); or a sparse matrix as x_data, x_indices, x_indptr, x_shape",
    "y": "given labels, (n,): ids from 0, -1 for none; or names, empty for none",
    "edge_index": "source and target row of each edge, (2, m)",
    "edge_weight": "weight of each edge, (m,), >= 0; optional",
    "true": "true labels, like y; optional",
    "class_names": "name of each class id; optional",
    "node_ids": "how you call each node, (n,); optional",
    "groups": "item of each node, (n,); optional",
    "train_mask": "nodes of a split, (n,) of bool; any name before _mask; optional",
}

_SPARSE = ("x_data", "x_indices", "x_indptr", "x_shape")
_OTHER = ("name", "source", "meta")


def from_arrays(arrays: Mapping[str, Any], *, name: str, source: str = "") -> GraphDataset:
    """Build a graph from named arrays.

    Parameters
    ----------
    arrays : mapping of str to array_like
        See `KEYS`; "y" and "edge_index" are needed. A mask of shape (n, s) holds s splits: the first keeps
        its name ("train"), the others get a number ("train_1" ...). Keys that are not known are left out
        and listed in ``meta["left_out"]``.
    name, source : str
        For reports, unless the arrays hold their own.

    Raises
    ------
    InputError
        Missing keys, labels of more than one dimension, lengths that do not agree, NaN, edges to nowhere.

    Examples
    --------
    >>> graph = from_arrays({"y": ["cat", "dog", ""], "edge_index": [[0, 1], [1, 2]]}, name="pets")
    >>> graph.given, graph.class_names, graph.x.shape
    (array([ 0,  1, -1]), ('cat', 'dog'), (3, 0))
    """
    missing = [key for key in ("y", "edge_index") if arrays.get(key) is None]
    if missing:
        raise InputError(
            f"{source or name} has no {' and no '.join(missing)}; "
            f"it holds {', '.join(sorted(arrays)) or 'nothing'}. "
            "Needed are y (labels) and edge_index (edges), and usually x (features)."
        )
    given = _as_vector(arrays["y"], "y")
    n = len(given)
    if n == 0:
        raise InputError(f"{source or name} has no nodes; give at least one node in y.")
    stated = arrays.get("class_names")
    names = None if stated is None else [str(item) for item in np.asarray(stated).ravel()]
    true = None if arrays.get("true") is None else _as_vector(arrays["true"], "true")
    given, true, class_names = _class_ids(given, true, names)
    node_ids = arrays.get("node_ids")
    weight = arrays.get("edge_weight")
    known = {*KEYS, *_SPARSE, *_OTHER}
    left_out = sorted(key for key in arrays if key not in known and not key.endswith("_mask"))
    meta = _read_meta(arrays.get("meta"))
    return GraphDataset(
        name=_text(arrays.get("name")) or name,
        given=given,
        class_names=class_names,
        unit_ids=None if node_ids is None else as_ids(node_ids),
        true=true,
        groups=None
        if arrays.get("groups") is None
        else _numbers(arrays["groups"], "groups").astype(np.int64),
        source=_text(arrays.get("source")) or source,
        meta={**meta, "left_out": left_out} if left_out else meta,
        x=_features(arrays, n),
        edge_index=_edges(arrays["edge_index"]),
        edge_weight=None if weight is None else _numbers(weight, "edge_weight").ravel().astype(np.float64),
        masks=_masks(arrays, n),
    )


def to_arrays(dataset: GraphDataset) -> dict[str, NDArray[Any]]:
    """The named arrays of a graph; `from_arrays` gives an equal graph back.

    Examples
    --------
    >>> graph = from_arrays({"y": [0, 1], "edge_index": [[0], [1]], "train_mask": [True, False]}, name="two")
    >>> sorted(to_arrays(graph))
    ['class_names', 'edge_index', 'meta', 'name', 'source', 'train_mask', 'x', 'y']
    """
    arrays: dict[str, Any] = {
        "y": dataset.given,
        "edge_index": np.asarray(dataset.edge_index, dtype=np.int64),
    }
    if sp.issparse(dataset.x):
        x = sp.csr_array(dataset.x)
        arrays |= {
            "x_data": x.data,
            "x_indices": x.indices,
            "x_indptr": x.indptr,
            "x_shape": np.array(x.shape, dtype=np.int64),
        }
    else:
        arrays["x"] = dataset.x
    optional = {
        "edge_weight": dataset.edge_weight,
        "true": dataset.true,
        "node_ids": None if dataset.unit_ids is None else as_ids(dataset.unit_ids),
        "groups": dataset.groups,
    }
    arrays |= {key: np.asarray(value) for key, value in optional.items() if value is not None}
    arrays |= {f"{key}_mask": np.asarray(mask, dtype=bool) for key, mask in dataset.masks.items()}
    return arrays | {
        "class_names": np.array(dataset.class_names, dtype=str),
        "name": np.array(dataset.name),
        "source": np.array(dataset.source),
        "meta": np.array(json.dumps(dict(dataset.meta), default=_plain)),
    }


def as_ids(values: Any) -> NDArray[Any]:
    """Names of nodes as a vector of integers or of strings.

    Examples
    --------
    >>> as_ids(["a", 7])
    array(['a', '7'], dtype='<U1')
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"node_ids has shape {array.shape}; one name per node is needed.")
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.floor(array)).all():
        return array.astype(np.int64)
    # Element by element: numpy's own conversion of objects would cut or pad nothing, but "7" must not be 7.0.
    return np.array([str(item) for item in array.tolist()], dtype=str)


def natural_order(names: list[str]) -> list[str]:
    """Sort names; if all are whole numbers, by value.

    Examples
    --------
    >>> natural_order(["10", "9", "1"]), natural_order(["b", "10", "9"])
    (['1', '9', '10'], ['10', '9', 'b'])
    """
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def encode_names(labels: NDArray[Any], class_names: list[str], what: str) -> NDArray[np.int64]:
    """Names of classes to ids; empty names to -1.

    Examples
    --------
    >>> encode_names(np.array(["b", "", "a"]), ["a", "b"], "labels")
    array([ 1, -1,  0])
    """
    ids = {name: index for index, name in enumerate(class_names)} | {"": NO_LABEL}
    found, inverse = np.unique(labels, return_inverse=True)
    unknown = [str(name) for name in found if str(name) not in ids]
    if unknown:
        raise InputError(
            f"{what} holds the class {unknown[0]!r}, which is not among the class names "
            f"({', '.join(class_names[:10])}{' ...' if len(class_names) > 10 else ''}); add it or correct it."
        )
    return np.array([ids[str(name)] for name in found], dtype=np.int64)[inverse.ravel()]


def _class_ids(
    given: NDArray[Any], true: NDArray[Any] | None, names: list[str] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, tuple[str, ...]]:
    """Ids of both label vectors over one list of classes."""
    if names is not None and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"class_names holds {twice!r} twice; each class needs a name of its own.")
    vectors = [given] if true is None else [given, true]
    if any(vector.dtype.kind in "OUS" for vector in vectors):
        texts = [
            np.array(["" if item is None else str(item) for item in vector], dtype=str) for vector in vectors
        ]
        if names is None:
            names = natural_order([str(name) for name in np.unique(np.concatenate(texts)) if name])
        ids = [encode_names(text, names, what) for text, what in zip(texts, ("y", "true"))]
        return ids[0], (ids[1] if true is not None else None), tuple(names)
    if names is None:
        # Labels of other kinds are refused by the data set itself, with its own sentence.
        highest = max((int(vector.max()) for vector in vectors if vector.dtype.kind in "iufb"), default=-1)
        if highest >= len(given):
            raise InputError(
                f"y holds class id {highest} for {len(given)} nodes; ids count from 0 up to the number of "
                "classes less one. Renumber them, or give the labels as names."
            )
        names = [str(index) for index in range(highest + 1)]
    return given, true, tuple(names)


def _array(value: Any, what: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (ValueError, OverflowError) as error:  # lists of different lengths, numbers beyond any type
        raise InputError(f"{what} is no array ({error}); give one number or name per entry.") from error


def _as_vector(value: Any, what: str) -> NDArray[Any]:
    array = _array(value, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(
            f"{what} has shape {array.shape}; one label per node is needed. For one-hot rows pass "
            f"{what}.argmax(1); several labels per node are not supported."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{what} holds NaN or infinity; write -1 for a node without a label.")
    return array


def _numbers(value: Any, what: str) -> NDArray[Any]:
    array = _array(value, what)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{what} holds {array.dtype} values; numbers are needed.")
    return array


def _floats(array: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Single and double precision stay as they are, all else becomes single."""
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _features(arrays: Mapping[str, Any], n: int) -> NDArray[np.floating[Any]] | sp.csr_array:
    if arrays.get("x") is not None:
        raw: Any = arrays["x"]
        if sp.issparse(raw):
            return _checked(sp.csr_array(cast(Any, raw)))
        x = _floats(_numbers(raw, "x"))
        if x.ndim != 2:
            raise InputError(
                f"x has shape {x.shape}; a matrix (nodes, features) is needed, x[:, None] for one feature."
            )
        return x
    present = [key for key in _SPARSE if arrays.get(key) is not None]
    if not present:
        return np.zeros((n, 0), dtype=np.float32)
    if len(present) < len(_SPARSE):
        lacking = ", ".join(key for key in _SPARSE if key not in present)
        raise InputError(f"Sparse features need {', '.join(_SPARSE)}; {lacking} is missing.")
    return sparse_from_parts(arrays, "x")


def sparse_from_parts(arrays: Mapping[str, Any], prefix: str) -> sp.csr_array:
    """CSR matrix from ``<prefix>_data``, ``_indices``, ``_indptr`` and ``_shape``, checked before use."""
    part = {key: np.asarray(arrays[f"{prefix}_{key}"]) for key in ("data", "indices", "indptr", "shape")}
    try:
        rows, columns = (int(size) for size in part["shape"])
        data = _floats(_numbers(part["data"], f"{prefix}_data"))
        matrix = sp.csr_array((data, part["indices"], part["indptr"]), shape=(rows, columns))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{prefix}_data, _indices, _indptr and _shape make no sparse matrix: {error}."
        ) from error
    return _checked(matrix)


def check_sparse(matrix: sp.csr_array) -> None:
    """Raise ValueError if indices are out of range: compiled code would read or write what is not its own.

    Examples
    --------
    >>> matrix = sp.csr_array((2, 3))
    >>> check_sparse(matrix)
    >>> matrix.indptr[1] = 7
    >>> check_sparse(matrix)
    Traceback (most recent call last):
        ...
    ValueError: index pointer values must form a non-decreasing sequence
    """
    matrix.check_format(full_check=True)
    # Of a matrix without entries SciPy does not look at the pointers between the first and the last.
    if (np.diff(matrix.indptr) < 0).any():
        raise ValueError("index pointer values must form a non-decreasing sequence")


def _checked(matrix: sp.csr_array) -> sp.csr_array:
    try:
        check_sparse(matrix)
    except ValueError as error:
        raise InputError(f"The sparse features are damaged: {error}.") from error
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float32)
    return matrix


def _edges(value: Any) -> NDArray[np.int64]:
    edges = _numbers(value, "edge_index")
    if edges.size == 0:
        return np.zeros((2, 0), dtype=np.int64)
    if edges.ndim == 2 and edges.shape[0] != 2 and edges.shape[1] == 2:
        raise InputError(
            f"edge_index has shape {edges.shape}; transpose it: one row of sources, one of targets."
        )
    if edges.dtype.kind == "f" and not (edges == np.floor(edges)).all():
        raise InputError("edge_index holds fractions or NaN; edges name rows of the node table, from 0.")
    return edges.astype(np.int64)


def _masks(arrays: Mapping[str, Any], n: int) -> dict[str, NDArray[np.bool_]]:
    masks: dict[str, NDArray[np.bool_]] = {}
    for key, value in arrays.items():
        if not key.endswith("_mask") or value is None:
            continue
        mask, name = np.asarray(value), key.removesuffix("_mask")
        if mask.ndim not in (1, 2) or mask.shape[0] != n or not np.isin(mask, (0, 1)).all():
            raise InputError(f"{key} has shape {mask.shape} for {n} nodes; give one True or False per node.")
        columns = mask.reshape(n, -1).astype(bool).T
        masks |= {
            (f"{name}_{index}" if index else name): np.array(column) for index, column in enumerate(columns)
        }
    return masks


def _text(value: Any) -> str:
    """A single string, also as numpy stores it; anything else counts as none."""
    if value is None:
        return ""
    array = np.asarray(value)
    return str(array.item()) if array.size == 1 else ""


def _read_meta(value: Any) -> dict[str, Any]:
    text = _text(value)
    if not text:
        return {}
    meta = parse_json(text, "meta", fix="leave it out")
    if not isinstance(meta, dict):
        raise InputError("meta is not a JSON object; leave it out.")
    return meta


def _plain(value: Any) -> Any:
    """JSON for numpy's scalars and arrays."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
