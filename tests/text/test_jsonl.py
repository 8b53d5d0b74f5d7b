"""Tests of texts with entities by character."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.text.files import read_text, write_text
from labelnoise.text.jsonl import read_jsonl, write_jsonl

TEXT = (
    '{"id": 1, "text": "Müller-Bank in Rom", "entities": [{"id": 9, "label": "ORG", "start_offset": 0, "end_offset": 11},'
    ' {"id": 8, "label": "LOC", "start_offset": 15, "end_offset": 18}]}\n'
    '{"text":"Antirussian acts","spans":[{"start":4,"end":12,"label":"MISC"}],"meta":{"a":1}}\n\n'
    '{"text": "   ", "label": []}\n{"text": "none", "label": []}'
)


def test_entities_are_held_exactly_and_an_unchanged_copy_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(TEXT, encoding="utf-8")
    data = read_text(path)
    assert list(data.tokens) == ["Müller", "-", "Bank", "in", "Rom", "Anti", "russian", "acts", "none"]
    # The blank after "russian" lies in the span but in no token.
    assert data.given.tolist() == [5, 6, 6, 0, 1, 0, 3, 0, 0]
    write_text(data, tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_text(encoding="utf-8") == TEXT


def test_changed_entities_take_the_form_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(TEXT, encoding="utf-8")
    data = read_jsonl(path)
    given = data.given.copy()
    given[4] = 5
    given[8] = 1
    write_jsonl(data.with_labels(given), path)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert json.loads(lines[0])["entities"] == [
        {"id": 9, "label": "ORG", "start_offset": 0, "end_offset": 11},
        {"start_offset": 15, "end_offset": 18, "label": "ORG"},
    ]
    assert lines[1:4] == TEXT.split("\n")[1:4]
    assert json.loads(lines[4])["label"] == [[0, 4, "LOC"]]
    assert (read_jsonl(path).given == given).all()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "Line 2 of .* cannot be read as JSON"),
        ('{"label": []}', "Line 2 of .* has no 'text'"),
        ('{"text": "ab", "label": [[0, 5, "X"]]}', "span 0 to 5 is not within its 2"),
        ('{"text": "abc", "label": [[0, 2, "X"], [1, 3, "Y"]]}', "overlap at character 1"),
        ('{"text": "abc", "label": [[0, 2]]}', "give .start, end, type."),
        ('{"text": "a  b", "label": [[1, 2, "X"]]}', "white space only"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(InputError, match=words):
        read_jsonl(path)


_SPAN = st.lists(st.integers(-1, 9) | st.sampled_from(["X", ""]) | st.none(), max_size=4)
_VALUE = st.sampled_from(["Ada left", "", " ", "\ud800"]) | st.lists(
    _SPAN
    | st.dictionaries(st.sampled_from(["start", "end", "label", "text"]), st.integers(0, 9) | st.just("X")),
    max_size=3,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    record=st.dictionaries(st.sampled_from(["text", "data", "label", "spans", "tokens"]), _VALUE, max_size=4),
    cut=st.integers(0, 60),
)
def test_any_line_is_read_or_refused_in_one_sentence(
    tmp_path: Path, record: dict[str, object], cut: int
) -> None:
    path = tmp_path / "a.jsonl"
    line = json.dumps(record)
    for content in (line, '{"text": "Ada left", ' + line[1:], line[:cut]):
        path.write_text(content)
        try:
            read_jsonl(path)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_no_label_cannot_be_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n')
    data = read_jsonl(path)
    with pytest.raises(InputError, match="Token 0 has no label"):
        write_jsonl(data.with_labels(data.given - 1), path)


def test_tokens_of_the_file_are_kept_and_never_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    tokens = [{"text": "New-York", "start": 0, "end": 8}, {"text": "won", "start": 9, "end": 12}]
    record = {"text": "New-York won", "tokens": tokens, "spans": [{"start": 0, "end": 8, "label": "LOC"}]}
    path.write_text(json.dumps(record) + "\n")
    data = read_jsonl(path)
    assert list(data.tokens) == ["New-York", "won"]
    write_jsonl(data, tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes() == path.read_bytes()
    record["spans"][0]["end"] = 3
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(InputError, match=r"Line 1 of .*: the span 0 to 3 \(LOC\) cuts the token 'New-York'"):
        read_jsonl(path)


def test_older_doccano_calls_its_text_data(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "data": "Ada left", "label": [[0, 3, "PER"]]}\n')
    data = read_jsonl(path)
    write_jsonl(data.with_labels(data.given * 0), path)
    assert json.loads(path.read_text()) == {"id": 1, "data": "Ada left", "label": []}
