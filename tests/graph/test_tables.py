"""Graphs as tables: what people's own node and edge tables look like, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.files import read_graph, write_graph

NODES = "id,label,size\nann,cat,1\nbob,dog,2.5\ncy,,3\n"
EDGES = "source,target\nann,bob\nbob,cy\n"


def put(folder: Path, nodes: str = NODES, edges: str | None = EDGES, ending: str = ".csv") -> Path:
    (folder / f"nodes{ending}").write_text(nodes, encoding="utf-8")
    if edges is not None:
        (folder / f"edges{ending}").write_text(edges, encoding="utf-8")
    return folder


def test_names_ids_and_empty_labels(tmp_path: Path) -> None:
    graph = read_graph(put(tmp_path))
    assert graph.given.tolist() == [0, 1, -1]
    assert graph.class_names == ("cat", "dog")
    assert graph.ids.tolist() == ["ann", "bob", "cy"]
    assert graph.edge_index.tolist() == [[0, 1], [1, 2]]
    assert graph.edge_weight is None
    np.testing.assert_array_equal(graph.x, [[1], [2.5], [3]])
    assert graph.name == tmp_path.name


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        pytest.param(NODES.replace(",", ";"), EDGES.replace(",", ";"), id="semicolons"),
        pytest.param(NODES.replace(",", "\t"), EDGES.replace(",", "\t"), id="tabs"),
        pytest.param("\ufeff" + NODES, "\ufeff" + EDGES, id="byte order mark"),
        pytest.param(NODES.replace("\n", "\r\n"), EDGES.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(
            NODES.replace("id,label", "ID, Label"), EDGES.replace("source", "Source"), id="capitals"
        ),
        pytest.param(NODES.replace("ann,", " ann ,"), EDGES.replace("ann,", "ann ,"), id="blanks around ids"),
        pytest.param(
            NODES.replace("id,label", "node,class"),
            EDGES.replace("source,target", "from,to"),
            id="other names",
        ),
        pytest.param(NODES.replace("cy,,", "cy,-1,"), EDGES, id="-1 for no label"),
    ],
)
def test_the_same_graph_as_other_programs_write_it(nodes: str, edges: str, tmp_path: Path) -> None:
    plain = read_graph(put(tmp_path)).content_hash()
    assert read_graph(put(tmp_path, nodes, edges)).content_hash() == plain


def test_numbers_as_labels_are_sorted_by_value_and_ids_stay_text(tmp_path: Path) -> None:
    nodes = "id,label,true_label\n01,10,9\n1,9,9\n2,,2\n"
    graph = read_graph(put(tmp_path, nodes, "source,target,weight\n01,1,0.5\n1,2,2\n"))
    assert graph.class_names == ("2", "9", "10")
    assert graph.given.tolist() == [2, 1, -1]
    assert graph.true is not None
    assert graph.true.tolist() == [1, 1, 0]
    assert graph.ids.tolist() == ["01", "1", "2"]
    assert graph.edge_weight is not None
    assert graph.edge_weight.tolist() == [0.5, 2.0]


def test_integer_ids_come_back_as_integers(tmp_path: Path) -> None:
    graph = read_graph(put(tmp_path, "id,label\n30,a\n10,b\n", "source,target\n10,30\n"))
    assert graph.ids.tolist() == [30, 10]
    assert graph.edge_index.tolist() == [[1], [0]]
    assert read_graph(put(tmp_path, "id,label\n0,a\n1,b\n", "source,target\n")).unit_ids is None


def test_a_class_called_na_and_one_called_null_are_classes(tmp_path: Path) -> None:
    graph = read_graph(put(tmp_path, "id,label\nNA,NA\nnull,null\nx,NaN\n", "source,target\nNA,null\n"))
    assert graph.class_names == ("NA", "NaN", "null")
    assert graph.ids.tolist() == ["NA", "null", "x"]


def test_splits_and_columns_that_are_left_alone(tmp_path: Path) -> None:
    nodes = "id,label,train_mask,_title,size\na,x,1,A long title,1\nb,y,0,Another,2\n"
    graph = read_graph(put(tmp_path, nodes, "source,target\na,b\n"))
    assert graph.masks["train"].tolist() == [True, False]
    assert graph.x.tolist() == [[1], [2]]


def test_a_feature_that_turns_fractional_late_is_still_a_number(tmp_path: Path) -> None:
    """Column types are guessed from the first megabyte of a table; later rows may differ."""
    n = 200_000
    rows = "".join(f"{index},{'ab'[index % 2]},{index % 7}\n" for index in range(n))
    graph = read_graph(put(tmp_path, f"id,label,size\n{rows}{n},a,0.25\n", "source,target\n0,1\n"))
    assert graph.x[-1, 0] == 0.25
    assert graph.n_nodes == n + 1


def test_parquet_with_numbers_as_pandas_leaves_them(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    nodes = pd.DataFrame({"id": [3, 1, 2], "label": [0.0, 1.0, None], "flag": [True, False, True]})
    nodes["kind"] = pd.Categorical([1, 2, 1])
    nodes.to_parquet(tmp_path / "nodes.parquet")
    pd.DataFrame({"source": [3.0, 1.0], "target": ["1", "2"]}).to_parquet(tmp_path / "edges.parquet")
    graph = read_graph(tmp_path)
    assert graph.class_names == ("0", "1")
    assert graph.given.tolist() == [0, 1, -1]
    assert graph.edge_index.tolist() == [[0, 1], [1, 2]]
    assert graph.x.tolist() == [[1, 1], [0, 2], [1, 1]]


def test_a_column_whose_name_is_no_text(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    put(tmp_path)
    (tmp_path / "nodes.csv").unlink()
    pq.write_table(pa.table({"id": ["a"], "label": ["x"], "wxyz": [1]}), tmp_path / "nodes.parquet")
    content = (tmp_path / "nodes.parquet").read_bytes()
    (tmp_path / "nodes.parquet").write_bytes(content.replace(b"wxyz", b"wx\xc0z"))
    with pytest.raises(InputError, match="UTF-8|whole PARQUET"):
        read_graph(tmp_path)


@pytest.mark.parametrize("column", ["id", "label"])
def test_parquet_text_that_is_not_utf8(tmp_path: Path, column: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    put(tmp_path)
    (tmp_path / "nodes.csv").unlink()
    columns = {"id": ["a", "b", "c"], "label": ["x", "y", "x"], column: ["wxyz", "b", "c"]}
    pq.write_table(pa.table(columns), tmp_path / "nodes.parquet", compression="none", write_statistics=False)
    content = (tmp_path / "nodes.parquet").read_bytes()
    (tmp_path / "nodes.parquet").write_bytes(content.replace(b"wxyz", b"wx\xfez"))
    with pytest.raises(InputError, match="UTF-8"):
        read_graph(tmp_path)


def test_groups_that_are_no_list_of_numbers(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "graph.json").write_text('{"groups": [[1, 2], 3, "x"]}')
    with pytest.raises(InputError, match="groups"):
        read_graph(tmp_path)


def test_the_tables_of_two_kinds_side_by_side(tmp_path: Path) -> None:
    put(tmp_path)
    assert read_graph(tmp_path / "nodes.csv").n_nodes == 3
    (tmp_path / "mine.csv").write_text(NODES)
    assert read_graph(tmp_path / "mine.csv").name == "mine"  # takes edges.csv
    put(tmp_path, ending=".tsv")
    with pytest.raises(InputError, match=r"nodes\.csv and nodes\.tsv; name the node table"):
        read_graph(tmp_path)


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ("id,label\na,x\nb,y\n", None, r"no edge table beside .*nodes\.csv; put one there called edges\.csv"),
        ("name,label\na,x\n", EDGES, "no column id or node_id or node .*; its columns are name, label"),
        ("id,size\na,1\n", EDGES, "no column label or given or y or class"),
        ("id,label,y\na,x,x\n", EDGES, "columns label and y for the same thing"),
        (NODES, "from,weight\nann,1\n", "no column target or dst or to"),
        ("id,label\n", EDGES, "has no rows"),
        ("", EDGES, "not a whole CSV table"),
        ("id,label\na,x,1\nb,y\n", EDGES, "not a whole CSV table"),
        ("id,label\na,x\na,y\nb,y\n", EDGES, "id 'a' stands 2 times"),
        ("id,label\na,x\n,y\n", EDGES, "Row 2 of .* has an empty id"),
        (
            NODES,
            "source,target\nann,bob\nann,bobby\nann,bobo\n",
            r"Row 2 of .* names the node 'bobby' as its target.*2 such",
        ),
        (NODES, "source,target\n,bob\n", "names the node '' as its source"),
        (NODES, "source,target,weight\nann,bob,heavy\n", "Column weight of .* is not numeric .*'heavy'"),
        (NODES, "source,target,weight\nann,bob,-1\n", "negative"),
        (NODES, "source,target,weight\nann,bob,\nann,cy,1\n", "non-finite"),
        (
            "id,label,title\nann,x,Long\nbob,y,b\ncy,x,c\n",
            EDGES,
            "Column title .* not numeric .*'Long'.*call it _title",
        ),
        (
            "id,label,born\nann,x,2020-01-01\nbob,y,2021-01-01\ncy,x,2022-01-01\n",
            EDGES,
            "Column born .* not numeric",
        ),
        ("id,label,size\nann,x,1\nbob,y,\ncy,x,2\n", EDGES, "Column size .* no number for 1 node.*'bob'"),
        ("id,label,size\nann,x,1\nbob,y,nan\ncy,x,inf\n", EDGES, "no number for 2 node.*'bob'"),
        ("id,label,train_mask\nann,x,2\nbob,y,0\ncy,x,1\n", EDGES, "Column train_mask .* 0 and 1"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(
    nodes: str, edges: str | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_graph(put(tmp_path, nodes, edges))
    assert "\n" not in str(caught.value)


def test_text_in_another_encoding(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "nodes.csv").write_bytes("id,label\nann,kätzchen\nbob,x\ncy,x\n".encode("latin1"))
    with pytest.raises(InputError, match=r"UTF-?8"):
        read_graph(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"class_names": "abc"}', '{"features": {"dtype": "object"}}']
)
def test_damaged_facts(content: str, tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "graph.json").write_text(content)
    with pytest.raises(InputError, match=r"graph\.json is damaged .*; remove it"):
        read_graph(tmp_path)


def test_a_label_that_was_edited_into_a_new_class_is_named(plain_graph: GraphDataset, tmp_path: Path) -> None:
    """Written tables are for people to edit; the list of classes beside them then does not fit."""
    write_graph(plain_graph, tmp_path / "nodes.csv")
    text = (tmp_path / "nodes.csv").read_text()
    (tmp_path / "nodes.csv").write_text(text.replace('"1","1"', '"1","7"'))
    with pytest.raises(InputError, match="holds the class '7'"):
        read_graph(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_names", ("a", "")),
        ("class_names", ("a", "-1")),
        ("class_names", ("a", " b")),
        ("unit_ids", np.array(["a", "b", "c "])),
    ],
)
def test_names_that_a_table_cannot_hold(
    field: str, value: object, plain_graph: GraphDataset, tmp_path: Path
) -> None:
    from dataclasses import replace

    with pytest.raises(InputError, match="does not survive in a table"):
        write_graph(replace(plain_graph, **{field: value}), tmp_path / "nodes.csv")
    assert list(tmp_path.iterdir()) == []


def test_ids_that_are_there_twice_are_not_written(plain_graph: GraphDataset, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(InputError, match="'a' stands 2 times"):
        write_graph(replace(plain_graph, unit_ids=np.array(["a", "b", "a"])), tmp_path / "nodes.csv")


def test_too_many_features_for_a_table(
    monkeypatch: pytest.MonkeyPatch, full_graph: GraphDataset, tmp_path: Path
) -> None:
    monkeypatch.setattr("labelnoise.graph.tables.MAX_CELLS", 5)
    with pytest.raises(InputError, match=r"save to a file ending in \.npz"):
        write_graph(full_graph, tmp_path / "nodes.csv")
