"""Decisions survive a file, and nothing else passes for them."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core.review.decisions import Decision, Decisions
from labelnoise.core.validation import InputError

MADE = Decisions(
    domain="pets",
    dataset="zoo",
    data_hash="ab",
    method="graphcleaner",
    decisions=(
        Decision(3, "n<3>", "cat", "accept", "dog", "clear"),
        Decision(5, "n5", "cat", "reject", "cat"),
        Decision(6, "n6", "cat", "skip", "cat"),
        Decision(9, "n9", "cat", "accept", "dog", region=((8, 3), (20, 1))),
    ),
)


def test_a_file_keeps_them(tmp_path: Path) -> None:
    MADE.save(tmp_path / "d.json")
    assert Decisions.load(tmp_path / "d.json") == MADE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "holds no decisions"),
        ({"version": 9}, "version 9"),
        ({"data_hash": 3}, "lack their header"),
        ({"decisions": {}}, "lack their header or their list"),
        ({"decisions": [3]}, "Decision 1 is no object"),
    ],
)
def test_other_files_are_refused_in_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Decisions.from_json({**MADE.to_json(), **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"index": -1}, "index -1"),
        ({"index": True}, "index True"),
        ({"verdict": "maybe"}, "verdict 'maybe'"),
        ({"verdict": "reject"}, "keeps the label .* and changes it to 'dog'"),
        ({"label": None}, "something else than text"),
        ({"index": 5}, "Row 5 is judged twice"),
        ({"region": [[3, 3]]}, "Row 5 is judged twice"),
        ({"index": 10}, "Row 10 is judged twice"),
        ({"region": [[4, 1]]}, "about row 3, which its region lacks"),
        ({"region": [[3, 0]]}, "odd region"),
        ({"region": 7}, "odd region"),
    ],
)
def test_odd_decisions_are_refused_in_a_sentence(change: dict[str, Any], sentence: str) -> None:
    value = copy.deepcopy(MADE.to_json())
    value["decisions"][0].update(change)
    with pytest.raises(InputError, match=sentence):
        Decisions.from_json(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["format", "version", "domain", "decisions", "method"]), anything)
def test_no_value_anywhere_gives_anything_but_decisions_or_a_sentence(key: str, value: Any) -> None:
    record = json.loads(json.dumps({**MADE.to_json(), key: value}))
    with contextlib.suppress(InputError):
        assert isinstance(Decisions.from_json(record), Decisions)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    with pytest.raises(InputError, match="no file"):
        Decisions.load(path)
    for content in (b"\xff\xfe", b"{", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(
            InputError, match="cannot be read as JSON|holds no decisions|is not UTF-8|nested too deeply"
        ):
            Decisions.load(path)


def test_files_of_the_first_version_are_read() -> None:
    value = {**MADE.to_json(), "version": 1}
    del value["decisions"][3]
    assert [decision.runs for decision in Decisions.from_json(value).decisions] == [
        ((3, 1),),
        ((5, 1),),
        ((6, 1),),
    ]
    # A reader of version 1 would overlook the region, so a file with one says 2.
    assert MADE.to_json()["version"] == 2
