"""A graph as two tables, nodes and edges, in CSV, TSV or Parquet.

The node table has a column ``id`` (any text or whole numbers), a column ``label`` (names or numbers; empty or
-1 for "no label"), and optionally ``true_label`` and splits (columns ending in ``_mask``, of 0 and 1). Every
other column is a feature and must be numeric; one whose name begins with ``_`` is left alone. The edge table
has ``source``, ``target`` and optionally ``weight``; it names nodes by id. Beside them ``graph.json`` may
keep what tables cannot: the order of the classes, the features' number type.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.files import all_or_nothing, replacing
from labelnoise.core.reading import read_json
from labelnoise.core.validation import InputError
from labelnoise.graph.arrays import as_ids, encode_names, from_arrays, natural_order, to_arrays
from labelnoise.graph.dataset import GraphDataset

if TYPE_CHECKING:
    import pyarrow

__all__ = ["TABLE_ENDINGS", "find_node_table", "read_tables", "write_tables"]

TABLE_ENDINGS = (".csv", ".tsv", ".parquet")

ID_NAMES = ("id", "node_id", "node")
LABEL_NAMES = ("label", "given", "y", "class")
TRUE_NAMES = ("true_label", "true")
SOURCE_NAMES = ("source", "src", "from")
TARGET_NAMES = ("target", "dst", "to")
WEIGHT_NAMES = ("weight", "edge_weight")

#: Dense cells above which a text table is refused: it would take minutes and gigabytes.
MAX_CELLS = 50_000_000


def find_node_table(folder: Path) -> Path | None:
    """The node table in a folder: ``nodes.csv``, ``.tsv`` or ``.parquet``; None where there is none."""
    found = [folder / f"nodes{ending}" for ending in TABLE_ENDINGS if (folder / f"nodes{ending}").is_file()]
    if len(found) > 1:
        raise InputError(
            f"{folder} holds {' and '.join(path.name for path in found)}; name the node table that you mean."
        )
    return found[0] if found else None


def companion(nodes: Path, kind: str) -> Path:
    """Where the edge table or the extra facts of a node table lie.

    Examples
    --------
    >>> companion(Path("a/nodes.csv"), "edges").name, companion(Path("my_nodes.csv"), "edges").name
    ('edges.csv', 'my_edges.csv')
    >>> companion(Path("papers.csv"), "edges").name
    'papers_edges.csv'
    """
    has_word = "nodes" in nodes.stem
    stem = nodes.stem.replace("nodes", kind) if has_word else f"{nodes.stem}_{kind}"
    return nodes.with_name(stem + (".json" if kind == "graph" else nodes.suffix))


def read_tables(nodes: Path) -> GraphDataset:
    """Read a graph from a node table and the edge table beside it.

    Raises
    ------
    InputError
        Missing tables or columns, an id that is there twice, an edge to a node that is not there, a feature
        that is not a number.
    """
    edges = _find_edges(nodes)
    facts = _read_facts(companion(nodes, "graph"))
    node_table, edge_table = _read_table(nodes), _read_table(edges)
    id_column = _pick(node_table, ID_NAMES, nodes, "an id per node")
    label_column = _pick(node_table, LABEL_NAMES, nodes, "the label of each node (empty for none)")
    true_column = _pick(node_table, TRUE_NAMES, nodes, None)
    if node_table.num_rows == 0:
        raise InputError(f"{nodes} has no rows; give at least one node with a label.")
    ids = _texts(node_table, id_column, nodes)
    _check_ids(ids, nodes, id_column)
    labels = _label_texts(node_table, label_column, nodes)
    true = None if true_column is None else _label_texts(node_table, true_column, nodes)
    stated = facts.get("class_names")
    if stated is not None:
        names = [str(name) for name in stated]
    else:
        every = labels if true is None else np.concatenate([labels, true])
        names = natural_order([str(name) for name in np.unique(every) if name])
    used = {id_column, label_column, true_column}
    rest = [name for name in node_table.column_names if name not in used and not name.startswith("_")]
    masks = {name: _split(node_table, name, nodes) for name in rest if name.endswith("_mask")}
    features = _features(node_table, [name for name in rest if name not in masks], facts, nodes, ids)
    edge_index, weight = _edges(edge_table, ids, edges, nodes)
    arrays = {
        "y": encode_names(labels, names, label_column),
        "true": None if true is None else encode_names(true, names, str(true_column)),
        "class_names": names,
        "x": features,
        "edge_index": edge_index,
        "edge_weight": weight,
        "node_ids": _shortest_ids(ids),
        "name": facts.get("name"),
        "source": facts.get("source"),
        "meta": json.dumps(facts["meta"]) if facts.get("meta") else None,
        "groups": facts.get("groups"),
        **masks,
    }
    fallback = nodes.parent.resolve().name if nodes.stem == "nodes" else nodes.stem
    return from_arrays(arrays, name=fallback, source=str(nodes))


def write_tables(dataset: GraphDataset, nodes: Path) -> list[Path]:
    """Write a graph as a node table, an edge table and a small JSON file; all of them or none.

    Returns
    -------
    list of Path
        What was written, the node table first.

    Raises
    ------
    InputError
        More features than a table can hold; names of classes or nodes that an empty cell would swallow.
    """
    import pyarrow

    if dataset.x.shape[0] * dataset.x.shape[1] > MAX_CELLS:
        raise InputError(
            f"{dataset.n_nodes} nodes with {dataset.x.shape[1]} features are too many for a table; "
            "save to a file ending in .npz instead."
        )
    arrays = to_arrays(dataset)
    class_names = np.array([*dataset.class_names, ""], dtype=object)
    ids = np.array([str(item) for item in as_ids(dataset.ids).tolist()], dtype=object)
    for name in (*dataset.class_names, *ids):
        if name != name.strip() or not name or (name == "-1" and name in dataset.class_names):
            raise InputError(
                f"The name {name!r} of a class or node does not survive in a table, where cells are trimmed "
                "and an empty label or -1 means none; rename it, or save to a file ending in .npz."
            )
    _check_ids(pyarrow.array(ids, pyarrow.string()), nodes, "id")
    columns: dict[str, Any] = {"id": ids, "label": class_names[dataset.given]}
    if dataset.true is not None:
        columns["true_label"] = class_names[dataset.true]
    columns |= {key: value.astype(np.int8) for key, value in arrays.items() if key.endswith("_mask")}
    dense = dataset.x if isinstance(dataset.x, np.ndarray) else dataset.x.toarray()
    columns |= {f"x{index}": np.ascontiguousarray(dense[:, index]) for index in range(dense.shape[1])}
    edges: dict[str, Any] = {"source": ids[dataset.edge_index[0]], "target": ids[dataset.edge_index[1]]}
    if dataset.edge_weight is not None:
        edges["weight"] = np.asarray(dataset.edge_weight, dtype=np.float64)
    facts = {
        "name": dataset.name,
        "source": dataset.source,
        "class_names": list(dataset.class_names),
        "features": {"dtype": str(dataset.x.dtype), "sparse": bool(sp.issparse(dataset.x))},
        "groups": None if dataset.groups is None else dataset.groups.tolist(),
        "meta": json.loads(str(arrays["meta"])),
    }
    written = [nodes, companion(nodes, "edges"), companion(nodes, "graph")]
    with all_or_nothing(), ExitStack() as stack:
        temporary = [stack.enter_context(replacing(path)) for path in written]
        _write_table(pyarrow.table(columns), temporary[0], nodes.suffix)
        _write_table(pyarrow.table(edges), temporary[1], nodes.suffix)
        temporary[2].write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return written


def _find_edges(nodes: Path) -> Path:
    best = companion(nodes, "edges")
    candidates = [best.with_suffix(ending) for ending in (nodes.suffix, *TABLE_ENDINGS)]
    candidates += [nodes.with_name(f"edges{ending}") for ending in (nodes.suffix, *TABLE_ENDINGS)]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(
        f"There is no edge table beside {nodes}; put one there called {best.name}, "
        "with the columns source and target that name nodes by id."
    )


def _read_facts(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        facts = read_json(path)
    except InputError as error:
        raise InputError(f"{path} is damaged ({error}); remove it, the tables are enough.") from error
    features = facts.get("features", {}) if isinstance(facts, dict) else None
    whole = isinstance(features, dict) and features.get("dtype", "float64") in ("float32", "float64")
    for key, kind in (
        ("class_names", list),
        ("meta", dict),
        ("groups", list),
        ("name", str),
        ("source", str),
    ):
        whole = whole and isinstance(facts.get(key), kind | None)
    if not whole:
        raise InputError(f"{path} is damaged (unexpected content); remove it, the tables are enough.")
    return dict(facts)


def _read_table(path: Path) -> pyarrow.Table:
    table = _parsed(path)
    try:
        names = table.column_names
    except UnicodeDecodeError as error:
        raise InputError(f"{path} has a column whose name is no UTF-8 text; save it again.") from error
    if len(set(names)) < len(names):
        raise InputError(
            f"{path} has two columns {max(names, key=names.count)!r}; give each a name of its own."
        )
    return table


def _parsed(path: Path) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv, parquet

    try:
        if path.suffix.lower() == ".parquet":
            return parquet.read_table(path, use_threads=False)
        delimiter = _delimiter(path)
        head = csv.open_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=delimiter),
            read_options=csv.ReadOptions(use_threads=False),
        ).schema.names
        text = {*ID_NAMES, *LABEL_NAMES, *TRUE_NAMES, *SOURCE_NAMES, *TARGET_NAMES}
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            # A class may well be called "NA": in text columns nothing means null.
            convert_options=csv.ConvertOptions(
                column_types={name: pyarrow.string() for name in head if name.strip().lower() in text},
                strings_can_be_null=False,
            ),
        )
    except FileNotFoundError as error:
        raise InputError(f"There is no file {str(path)!r}; check the path.") from error
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # OSError: some damaged Parquet
        reason = (str(error).splitlines() or [""])[0][:160]
        fix = (
            "save it again"
            if path.suffix.lower() == ".parquet"
            else "save it again as comma-separated UTF-8 text"
        )
        raise InputError(
            f"{path} is not a whole {path.suffix[1:].upper()} table ({reason}); {fix}."
        ) from error


def _delimiter(path: Path) -> str:
    """Tab, semicolon or comma: whichever the header has most of."""
    with open(path, "rb") as file:
        header = file.readline(1_000_000)
    return max(",;\t", key=lambda mark: header.count(mark.encode()))


def _write_table(table: pyarrow.Table, path: Path, ending: str) -> None:
    from pyarrow import csv, parquet

    if ending.lower() == ".parquet":
        parquet.write_table(table, path, compression="zstd")
    else:
        csv.write_csv(table, path, csv.WriteOptions(delimiter="\t" if ending.lower() == ".tsv" else ","))


def _pick(table: pyarrow.Table, names: Sequence[str], path: Path, what: str | None) -> Any:
    """The column with one of the names, whatever its case; None if ``what`` is None and there is none."""
    found = [column for column in table.column_names if column.strip().lower() in names]
    if len(found) > 1:
        raise InputError(f"{path} has the columns {' and '.join(found)} for the same thing; keep one.")
    if found or what is None:
        return found[0] if found else None
    there = ", ".join(table.column_names[:12]) + (" ..." if table.num_columns > 12 else "")
    raise InputError(f"{path} has no column {' or '.join(names)} with {what}; its columns are {there}.")


def _texts(table: pyarrow.Table, column: str, path: Path) -> pyarrow.Array:
    """A column as text; whole numbers stored as floats lose their point. Empty and null are the same."""
    import pyarrow
    from pyarrow import compute

    values = table.column(column)
    if pyarrow.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pyarrow.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        missing = np.isnan(numbers)
        if (numbers[~missing] != np.floor(numbers[~missing])).any() or np.isinf(numbers).any():
            raise InputError(
                f"Column {column} of {path} holds fractions; ids and labels are text or whole numbers."
            )
        whole = np.where(missing, 0, numbers).astype(np.int64)
        values = pyarrow.chunked_array([pyarrow.array(whole, mask=missing)])
    try:
        text = compute.utf8_trim_whitespace(values.cast(pyarrow.string()))
    except (pyarrow.ArrowException, NotImplementedError) as error:
        raise InputError(
            f"Column {column} of {path} holds {values.type}; text or whole numbers are needed."
        ) from error
    text = compute.fill_null(text, "").combine_chunks()
    try:
        text.validate(full=True)
    except pyarrow.ArrowException as error:
        raise InputError(
            f"Column {column} of {path} holds bytes that are not UTF-8; write it anew."
        ) from error
    return text


def _label_texts(table: pyarrow.Table, column: str, path: Path) -> NDArray[Any]:
    texts = _texts(table, column, path).to_numpy(zero_copy_only=False).astype(str)
    return np.where(texts == "-1", "", texts)


def _check_ids(ids: Any, path: Path, column: str) -> None:
    from pyarrow import compute

    empty = np.flatnonzero(compute.equal(ids, "").to_numpy(zero_copy_only=False))
    if len(empty):
        raise InputError(f"Row {int(empty[0]) + 1} of {path} has an empty {column}; every node needs an id.")
    if compute.count_distinct(ids).as_py() < len(ids):
        counts = compute.value_counts(ids)
        names, times = counts.field("values"), counts.field("counts").to_numpy()
        first = int(np.flatnonzero(times > 1)[0])
        raise InputError(
            f"The {column} {names[first].as_py()!r} stands {int(times[first])} times in {path}; "
            "each node needs one row of its own."
        )


def _shortest_ids(ids: Any) -> NDArray[Any] | None:
    """Integers where every id is one, as Python writes it; None where they are just the row numbers."""
    texts = ids.to_numpy(zero_copy_only=False).astype(str)
    try:
        numbers = texts.astype(np.int64)
    except (ValueError, OverflowError):
        return texts
    if (numbers.astype(str) != texts).any():
        return texts
    return None if (numbers == np.arange(len(numbers))).all() else numbers


def _number_column(table: pyarrow.Table, column: str, path: Path, what: str) -> NDArray[np.float64]:
    import pyarrow

    values = table.column(column)
    if pyarrow.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kinds = pyarrow.types
    if not (kinds.is_integer(values.type) or kinds.is_floating(values.type) or kinds.is_boolean(values.type)):
        example = next(
            (str(item) for item in values.slice(0, 1000).to_pylist() if item not in (None, "")), ""
        )
        raise InputError(
            f"Column {column} of {path} is not numeric (for instance {example[:40]!r}); {what} are numbers: "
            f"encode it, or call it _{column} to have it left out."
        )
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _split(table: pyarrow.Table, column: str, path: Path) -> NDArray[np.bool_]:
    values = _number_column(table, column, path, "splits")
    if not np.isin(values, (0.0, 1.0)).all():
        raise InputError(
            f"Column {column} of {path} holds something other than 0 and 1; a split is a yes or a no."
        )
    return values.astype(bool)


def _features(
    table: pyarrow.Table, columns: list[str], facts: dict[str, Any], path: Path, ids: Any
) -> NDArray[np.floating[Any]] | sp.csr_array:
    wanted = facts.get("features", {})
    x = np.empty((table.num_rows, len(columns)), dtype=wanted.get("dtype", "float64"))
    for index, column in enumerate(columns):
        values = _number_column(table, column, path, "features")
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InputError(
                f"Column {column} of {path} has no number for {len(bad)} node(s), the first being "
                f"{ids[int(bad[0])].as_py()!r}; fill it in, or call it _{column} to have it left out."
            )
        x[:, index] = values
    return sp.csr_array(x) if wanted.get("sparse") else x


def _edges(
    table: pyarrow.Table, ids: Any, path: Path, nodes: Path
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    from pyarrow import compute

    ends = []
    for names, what in ((SOURCE_NAMES, "where each edge starts"), (TARGET_NAMES, "where each edge ends")):
        column = _pick(table, names, path, what)
        texts = _texts(table, column, path)
        rows = compute.index_in(texts, value_set=ids)
        if rows.null_count:
            first = int(np.flatnonzero(rows.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(
                f"Row {first + 1} of {path} names the node {texts[first].as_py()!r} as its {column}, "
                f"which is not in {nodes} ({rows.null_count} such row(s)); add the node, or remove the edge."
            )
        ends.append(rows.to_numpy(zero_copy_only=False).astype(np.int64))
    weight = _pick(table, WEIGHT_NAMES, path, None)
    return np.stack(ends), None if weight is None else _number_column(table, weight, path, "weights")
