"""Tables and folders of Hugging Face's datasets, without that package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.text.arrow import read_arrow, write_arrow
from labelnoise.text.files import read_text, write_text

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
ROWS: dict[str, list[Any]] = {
    "id": ["a", "b", "c"],
    "tokens": [["Ada", "left"], [], ["New", "York"]],
    "ner_tags": [[1, 0], [], [3, -100]],
}


def table(rows: dict[str, Any] = ROWS, names: list[str] | None = NAMES, kind: str = "List") -> pa.Table:
    made = pa.table(rows)
    if names is None:
        return made
    tags: Any = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": kind}
    if kind == "bare":
        tags = [{"names": names, "_type": "ClassLabel"}]
    return made.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": {"ner_tags": tags}}})}
    )


def stream(one: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, one.schema) as writer:
        writer.write_table(one)


def saved(folder: Path) -> Path:
    """As save_to_disk lays out two splits, the first in two files."""
    for split, files in (("train", 2), ("validation", 1)):
        names = [f"data-{i:05}-of-{files:05}.arrow" for i in range(files)]
        for index, name in enumerate(names):
            stream(table().slice(index, 3 if files == 1 else 1 + index), folder / split / name)
        state = {"_data_files": [{"filename": name} for name in names], "_split": split}
        (folder / split / "state.json").write_text(json.dumps(state))
        (folder / split / "dataset_info.json").write_text('{"license": ""}')
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    return folder


@pytest.mark.parametrize("kind", ["List", "Sequence", "bare"])
def test_numbers_get_their_names_and_only_changed_tags_change(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(kind=kind), path)
    data = read_text(path)
    assert data.types == ("LOC", "PER")
    assert data.given.tolist() == [3, 0, 1, -1]
    assert data.starts.tolist() == [0, 2, 4]
    labels = data.given.copy()
    labels[2], labels[3] = 3, 4
    write_text(data.with_labels(labels), tmp_path / "b.parquet")
    again = pq.read_table(tmp_path / "b.parquet")
    assert again.to_pydict() == {**ROWS, "ner_tags": [[1, 0], [], [1, 2]]}
    assert again.schema.equals(pq.read_table(path).schema, check_metadata=True)


def test_folders_keep_their_splits_and_files(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in")
    data = read_text(folder)
    assert {split: int(mask.sum()) for split, mask in data.masks.items()} == {"train": 4, "val": 4}
    labels = data.given.copy()
    labels[2] = 3
    write_text(data.with_labels(labels), tmp_path / "out")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(
        p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file()
    )
    for file in files:
        same = (folder / file).read_bytes() == (tmp_path / "out" / file).read_bytes()
        assert same == (file != Path("train/data-00001-of-00002.arrow"))
    assert read_text(tmp_path / "out").given.tolist() == labels.tolist()


def test_shards_of_the_hub_are_joined_by_split(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("test-00000-of-00001", "train-00001-of-00002", "train-00000-of-00002"):
        pq.write_table(table(), tmp_path / "data" / f"{name}.parquet")
    assert [(k, int(v.sum())) for k, v in read_text(tmp_path).masks.items()] == [("train", 8), ("test", 4)]
    pq.write_table(table(), tmp_path / "data" / "other.parquet")
    with pytest.raises(InputError, match="does not begin with the name of a split"):
        read_text(tmp_path)


def test_tags_may_be_texts_of_any_scheme(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    stream(pa.table({"words": [["Ada", "Bell", "left"]], "labels": [["B-PER", "E-PER", "O"]]}), path)
    data = read_arrow(path)
    assert (data.given.tolist(), data.meta["scheme"]) == ([1, 2, 0], "IOBES")
    write_arrow(data.with_labels(data.given * [1, 0, 1]), path)
    assert pa.ipc.open_stream(path.read_bytes()).read_all()["labels"].to_pylist() == [["S-PER", "O", "O"]]


@pytest.mark.parametrize(
    ("rows", "names", "words"),
    [
        ({"tokens": [["a"]]}, None, "its lists are tokens"),
        ({"tokens": ["a"], "ner_tags": ["O"]}, None, "its lists are none"),
        ({"tokens": [["a"]], "ner_tags": [[0]]}, None, "carries no names"),
        ({"tokens": [["a"], ["b"]], "ner_tags": [[0], [9]]}, NAMES, "Row 1 of .* has 9 .* numbered 0 to 4"),
        (
            {"tokens": [["a"], ["b", "c"]], "ner_tags": [[0], [1]]},
            NAMES,
            "Row 1 of .* has 2 words and 1 tags",
        ),
        ({"tokens": [["a"], None], "ner_tags": [[0], [1]]}, NAMES, "Row 1 of .* has no 'tokens'"),
        ({"tokens": [["a", None]], "ner_tags": [[0, 0]]}, NAMES, "Row 0 of .* holds None"),
        ({"tokens": [["a"]], "ner_tags": [["PER"]]}, None, "'PER' where a tag"),
        ({"tokens": [["a"]], "ner_tags": [[0]]}, ["O", "PER"], "calls a class 'PER'"),
        ({"tokens": [[]], "ner_tags": [[]]}, None, "its lists|holds no tokens"),
    ],
)
def test_wrong_tables_are_named(tmp_path: Path, rows: Any, names: Any, words: str) -> None:
    pq.write_table(table(rows, names), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=words):
        read_arrow(tmp_path / "a.parquet")


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    pq.write_table(table(names=NAMES[:4]), tmp_path / "a.parquet")
    data = read_arrow(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="'I-LOC' is not among the classes of a.parquet"):
        write_text(data.with_labels(data.given * 0 + [0, 0, 1, 2]), tmp_path / "b.parquet")
    assert not (tmp_path / "b.parquet").exists()
    with pytest.raises(InputError, match=r"has no ending.*call it .*b\.parquet"):
        write_text(data, tmp_path / "b")
    folder = saved(tmp_path / "in")
    with pytest.raises(InputError, match="is a file and 3 tables"):
        write_arrow(read_text(folder), folder / "dataset_dict.json")
    (folder / "train" / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    with pytest.raises(InputError, match="names no files beside it"):
        read_text(folder)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    stream(table(), tmp_path / "good.arrow")
    pq.write_table(table(), tmp_path / "good.parquet")
    for ending in (".arrow", ".parquet"):
        content = bytearray((tmp_path / f"good{ending}").read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        bad = tmp_path / f"bad{ending}"
        bad.write_bytes(
            content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
        )
        try:
            read_arrow(bad)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_file_of_a_saved_folder_with_an_endless_name(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a" * 5000 + ".arrow"}]}))
    with pytest.raises(InputError, match="There is no file"):
        read_arrow(tmp_path)
