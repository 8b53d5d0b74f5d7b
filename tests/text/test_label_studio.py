"""Exports of Label Studio: regions held exactly, only changed ones changed, broken ones named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import from_sentences
from labelnoise.text.label_studio import read_label_studio, write_label_studio


def region(start: int, end: int, text: str, label: str, **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {
        "value": value,
        "id": f"r{start}",
        "from_name": "tags",
        "to_name": "txt",
        "type": "labels",
        **more,
    }


def export() -> list[dict[str, Any]]:
    choice = {
        "type": "choices",
        "value": {"choices": ["news"]},
        "id": "c",
        "from_name": "x",
        "to_name": "txt",
    }
    first = {"id": 1, "result": [choice, region(0, 3, "Ada", "PER"), region(14, 18, "Rome", "LOC")]}
    return [
        {
            "id": 11,
            "data": {"text": "Ada went 🚀 to Rome."},
            "annotations": [{"id": 0, "was_cancelled": True, "result": []}, first],
        },
        {"id": 12, "data": {"text": "Nobody looked."}, "annotations": [], "predictions": []},
        {"id": 13, "data": {"text": "Nothing here"}, "annotations": [{"id": 3, "result": []}]},
    ]


def written(tmp_path: Path, value: Any, **style: Any) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(value, **style), encoding="utf-8")
    return path


@pytest.mark.parametrize("style", [{}, {"indent": 2, "ensure_ascii": False}, {"separators": (",", ":")}])
def test_only_changed_regions_change(tmp_path: Path, style: dict[str, Any]) -> None:
    path = written(tmp_path, export(), **style)
    data = read_label_studio(path)
    assert data.given.tolist() == [3, 0, 0, 0, 1, 0, -1, -1, -1, 0, 0]
    copy = tmp_path / "copy.json"
    write_label_studio(data, copy)
    assert copy.read_bytes() == path.read_bytes()
    labels = data.given.copy()
    labels[4], labels[9] = 3, 1
    write_label_studio(data.with_labels(labels), copy)
    expected = export()
    result = expected[0]["annotations"][1]["result"]
    result[2] = region(14, 18, "Rome", "PER", id="labelnoise-14-18")
    new = {"start": 0, "end": 7, "text": "Nothing", "labels": ["LOC"]}
    expected[2]["annotations"][0]["result"] = [
        {"value": new, "id": "labelnoise-0-7", "from_name": "label", "to_name": "text", "type": "labels"}
    ]
    assert copy.read_text(encoding="utf-8") == json.dumps(expected, **style)


def test_units_of_a_browser_are_recognised_by_the_quoted_text(tmp_path: Path) -> None:
    tasks = export()[:1]
    tasks[0]["annotations"][1]["result"][2] = region(15, 19, "Rome", "LOC")
    data = read_label_studio(written(tmp_path, tasks))
    assert data.given.tolist() == [3, 0, 0, 0, 1, 0]
    labels = data.given.copy()
    labels[3], labels[4] = 1, 2
    write_label_studio(data.with_labels(labels), tmp_path / "b.json")
    made = json.loads((tmp_path / "b.json").read_text())[0]["annotations"][1]["result"][2]["value"]
    assert made == {"start": 12, "end": 19, "text": "to Rome", "labels": ["LOC"]}


def test_the_short_export_and_old_completions(tmp_path: Path) -> None:
    short = [
        {"id": 1, "text": "Ada left", "label": [{"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}]},
        {"id": 2, "text": "no"},
    ]
    data = read_label_studio(written(tmp_path, short))
    assert data.given.tolist() == [1, 0, -1]
    write_label_studio(data.with_labels(data.given * 0), tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())[0]["label"] == []
    old = [{"data": {"body": "Ada"}, "completions": [{"result": [region(0, 3, "Ada", "PER")]}]}]
    assert read_label_studio(written(tmp_path, old)).given.tolist() == [1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1}, "is no list of tasks"),
        ([{"id": 4, "data": {"n": 1}}], "Task 4 of .* has no text"),
        (
            [{"data": {"text": "Ada"}, "annotations": [{"result": [region(0, 9, "", "X")]}]}],
            "0 to 9 is .* quotes",
        ),
        (
            [{"data": {"text": "Ada"}, "annotations": [{"result": [region(0, 3, "Bob", "X")]}]}],
            "quotes 'Bob'",
        ),
        ([{"text": "Ada", "label": [[0, 3, "X"]]}], "no regions of Label Studio; .* as .jsonl"),
    ],
)
def test_broken_exports_are_named(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_label_studio(written(tmp_path, value))


def test_half_labelled_sentences_cannot_be_said(tmp_path: Path) -> None:
    data = from_sentences([["Rome", "fell"]], [["B-LOC", "O"]], name="d")
    labels = data.given.copy()
    labels[1] = -1
    with pytest.raises(InputError, match="Sentence 0 has tokens with a label and tokens without"):
        write_label_studio(data.with_labels(labels), tmp_path / "a.json")


_KEYS = st.sampled_from(
    ["data", "text", "annotations", "result", "value", "labels", "start", "end", "type", "label"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["labels", "Ada", "", "🚀 x", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_JSON, start=st.integers(-2, 12), junk=_JSON)
def test_any_json_is_read_or_refused_in_one_sentence(
    tmp_path: Path, value: Any, start: int, junk: Any
) -> None:
    result = [region(start, start + 3, "Ada", "PER"), {"type": "labels", "value": junk}]
    for content in (value, [value], [{"data": {"text": "Ada 🚀 x"}, "annotations": [{"result": result}]}]):
        try:
            read_label_studio(written(tmp_path, content))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
