"""The raw files of Planetoid (Cora, CiteSeer, PubMed), read without running anything that they contain."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import check_sparse
from labelnoise.graph.dataset import GraphDataset, distinct_pairs

__all__ = ["PLANETOID_PARTS", "read_planetoid"]

#: The ending of each raw file ``ind.<name>.<ending>``; "x" is not read, it repeats the first rows of "allx".
PLANETOID_PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")

#: Nodes of the public validation set.
N_VALIDATION = 500

# Number types an array may have; everything else (objects above all) is refused.
_NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"}


def read_planetoid(folder: Path, name: str, class_names: tuple[str, ...]) -> GraphDataset:
    """Read one Planetoid graph with its public split.

    Nodes of the test range that no file describes (15 isolated ones in CiteSeer) get no features and class 0,
    as in torch-geometric; they are in no split, and ``meta["nodes_without_published_label"]`` lists them.

    Parameters
    ----------
    folder : Path
        Holds ``ind.<name>.x`` and the other seven files.
    name : str
        "Cora", "CiteSeer" or "PubMed".
    class_names : tuple of str

    Returns
    -------
    GraphDataset
        Sparse float32 features; edges as stored, without self loops and repetitions, sorted.

    Raises
    ------
    InputError
        A file that is missing, cut off, or holds anything but numbers.

    References
    ----------
    Yang, Cohen and Salakhutdinov 2016, Revisiting Semi-Supervised Learning with Graph Embeddings.
    """
    paths = {part: folder / f"ind.{name.lower()}.{part}" for part in PLANETOID_PARTS}
    tx, allx = (_as_features(_read(paths[part]), paths[part]) for part in ("tx", "allx"))
    y, ty, ally = (_as_one_hot(_read(paths[part]), paths[part]) for part in ("y", "ty", "ally"))
    test = _read_index(paths["test.index"])
    known, n = allx.shape[0], (int(test.max()) + 1 if len(test) else 0)
    fits = (
        len(test) == len(ty) == tx.shape[0]
        and known == len(ally)
        and tx.shape[1] == allx.shape[1]
        and y.shape[1] == ty.shape[1] == ally.shape[1] == len(class_names)
        and len(test) > 0
        and known <= int(test.min())
        and len(np.unique(test)) == len(test)
        and n <= known + 10 * len(test)
        and len(y) + N_VALIDATION <= known
    )
    if not fits:
        raise InputError(
            f"The raw files of {name} in {folder} do not fit together; download all eight again."
        )
    # Row of the stacked (allx, tx) that describes each node; -1 where none does.
    row = np.full(n, -1)
    row[:known] = np.arange(known)
    row[test] = known + np.arange(len(test))
    blank = np.flatnonzero(row < 0)
    x = sp.csr_array(
        sp.vstack([allx, tx, sp.csr_array((1, allx.shape[1]), dtype=np.float32)], format="csr")[row]
    )
    x.sort_indices()
    labels = np.append(np.concatenate([ally, ty]).argmax(axis=1), 0)[row]
    node = np.arange(n)
    masks = {
        "train": node < len(y),
        "val": (node >= len(y)) & (node < len(y) + N_VALIDATION),
        "test": np.isin(node, test),
    }
    meta = {"nodes_without_published_label": blank.tolist()} if len(blank) else {}
    return GraphDataset(
        name=name,
        given=labels,
        class_names=class_names,
        x=x,
        edge_index=_edges(_read(paths["graph"]), n, paths["graph"]),
        masks=masks,
        meta=meta,
    )


def _as_features(value: Any, path: Path) -> sp.csr_array:
    if not isinstance(value, sp.csr_array):
        raise InputError(f"{path} holds no sparse matrix; download it again.")
    return value.astype(np.float32)


def _as_one_hot(value: Any, path: Path) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.ndim != 2:
        raise InputError(f"{path} holds no matrix of classes; download it again.")
    return value


def _read_index(path: Path) -> NDArray[np.int64]:
    try:
        return np.array(path.read_text(encoding="ascii").split(), dtype=np.int64)
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path} does not hold one node number per line ({error}).") from error


def _edges(graph: Any, n: int, path: Path) -> NDArray[np.int64]:
    """Edges of a dict ``node -> list of neighbours``: no self loops, each once, sorted."""
    try:
        count = np.fromiter(map(len, graph.values()), np.int64, len(graph))
        source = np.repeat(np.fromiter(graph.keys(), np.int64, len(graph)), count)
        target = np.fromiter(chain.from_iterable(graph.values()), np.int64, int(count.sum()))
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} does not hold a list of neighbours per node; download it again.") from error
    if len(source) and (min(source.min(), target.min()) < 0 or max(source.max(), target.max()) >= n):
        raise InputError(f"{path} names nodes outside 0 to {n - 1}; download all raw files again.")
    return np.stack(distinct_pairs(source, target, n))


def _read(path: Path) -> Any:
    """Content of one file; every way of being broken ends in an InputError."""
    try:
        content = path.read_bytes()
        reader = _InertReader(io.BytesIO(content), len(content))
        return _finished(reader.load())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is missing; the eight raw files of a Planetoid graph belong together."
        ) from error
    except Exception as error:  # a broken stream can fail in any way
        raise InputError(
            f"{path} is cut off or damaged ({type(error).__name__}); download it again."
        ) from error


# The reader in Python, not the one in C: a damaged file may number one remembered object 4,000,000,000, for
# which the C reader clears a table of that length (32 GB) before it notices anything; this one keeps a dict.
_Reader: Any = pickle._Unpickler  # type: ignore[attr-defined]


_CODES = (
    *(pickle.PROTO, pickle.STOP, pickle.GLOBAL, pickle.REDUCE, pickle.BUILD, pickle.MARK, pickle.FRAME),
    *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET, pickle.MEMOIZE),
    *(
        pickle.NONE,
        pickle.NEWTRUE,
        pickle.NEWFALSE,
        pickle.BININT,
        pickle.BININT1,
        pickle.BININT2,
        pickle.LONG1,
    ),
    *(pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.BINUNICODE, pickle.BINBYTES, pickle.SHORT_BINBYTES),
    *(pickle.SHORT_BINUNICODE, pickle.STACK_GLOBAL, pickle.NEWOBJ),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
)


class _InertReader(_Reader):  # type: ignore[misc]
    """Reads the old pickles into stand-ins; no class, function or C-level state setter of theirs is reached.

    The files name numpy's array and dtype, scipy's csr_matrix and defaultdict. Each of these names leads to a
    small local class that only stores what it is handed; numbers are rebuilt from the stored bytes
    afterwards. The stand-ins are made anew for each file, so that a file that tampers with them changes
    nothing for the next.
    """

    # What the old files (protocol 2) consist of, and nothing else: a bytearray, for instance, would be allocated in its
    # stated length before that is checked, and sets hash whatever is put into them.
    dispatch: ClassVar = {pickle_code[0]: _Reader.dispatch[pickle_code[0]] for pickle_code in _CODES}

    def __init__(self, file: io.BytesIO, size: int) -> None:
        super().__init__(file, encoding="latin1")
        self._admitted = _stand_ins(size)

    def load_setitem(self) -> None:
        self._check_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        self._check_keys(self.stack[::2])
        super().load_setitems()

    @staticmethod
    def _check_keys(keys: list[Any]) -> None:
        # The hash of a tuple that holds itself twice over, sixty times, takes as long as the universe is old.
        if not all(type(key) in (int, str) for key in keys):
            raise InputError(
                "the file holds a dictionary with other keys than numbers and names; download it again."
            )

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._admitted[(module, name)]
        except KeyError:
            raise InputError(
                f"the file asks for {module}.{name}, which no Planetoid file needs, so it was not read; "
                "download it again from the published source."
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise InputError("the file refers to another one, which no Planetoid file does; download it again.")


class _Stored:
    """Marks a stand-in that still has to be turned into an array."""

    def finish(self) -> Any:
        raise NotImplementedError


def _stand_ins(size: int) -> dict[tuple[str, str], Callable[..., Any]]:
    class Dtype:
        def __init__(self, code: str, *_: Any) -> None:
            self.code, self.order = code, "="

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            self.order = state[1]

    class Array(_Stored):
        state: tuple[Any, ...] = ()

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            self.state = state

        def finish(self) -> NDArray[Any]:
            _, shape, dtype, fortran, raw = self.state
            if dtype.code not in _NUMBERS or dtype.order not in "<>=|":
                raise InputError(f"the file holds an array of {dtype.code!r}; only numbers are read.")
            content = raw.encode("latin1") if isinstance(raw, str) else raw
            if not isinstance(content, bytes):
                raise InputError("the file holds an array without its bytes; download it again.")
            if min(shape, default=0) < 0 or prod(shape) * int(dtype.code[1:]) != len(content):
                raise InputError("the file holds an array of another size than it says; download it again.")
            flat = np.frombuffer(content, dtype=np.dtype(dtype.order + dtype.code))
            return flat.reshape(shape, order="F" if fortran else "C")

    class Matrix(_Stored):
        state: dict[str, Any]

        def __setstate__(self, state: dict[str, Any]) -> None:
            self.state = state

        def finish(self) -> sp.csr_array:
            part = {key: self.state[key].finish() for key in ("data", "indices", "indptr")}
            rows, columns = self.state["_shape"] if "_shape" in self.state else self.state["shape"]
            shape = (int(rows), int(columns))
            matrix = sp.csr_array((part["data"], part["indices"], part["indptr"]), shape=shape)
            check_sparse(matrix)
            return matrix

    class NdArray:
        pass

    made = 0

    def count(more: int) -> None:
        # One remembered text can be handed over a million times, to be copied each time.
        nonlocal made
        made += more
        if made > 16 * size:
            raise InputError("the file asks for far more than it holds; download it again.")

    def reconstruct(*_: Any) -> Array:
        return Array()

    def dictionary(*_: Any) -> dict[Any, Any]:
        return {}

    def sequence(*items: Any) -> list[Any]:
        count(8 * sum(len(item) for item in items))
        return list(*items)

    def encode(text: str, *_: Any) -> bytes:
        count(len(text))
        return text.encode("latin1")

    return {
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        ("numpy", "ndarray"): NdArray,
        ("numpy", "dtype"): Dtype,
        ("scipy.sparse.csr", "csr_matrix"): Matrix,
        ("scipy.sparse._csr", "csr_matrix"): Matrix,
        ("collections", "defaultdict"): dictionary,
        ("__builtin__", "list"): sequence,
        ("builtins", "list"): sequence,
        ("_codecs", "encode"): encode,
    }


def _finished(value: Any) -> Any:
    return value.finish() if isinstance(value, _Stored) else value
