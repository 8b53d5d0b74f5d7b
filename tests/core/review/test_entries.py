"""Several units that are one decision: their order, what a row of them shows, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import Detection
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.entries import Entries, entries_of
from labelnoise.core.validation import InputError


def table(wrong: np.ndarray, suggested: np.ndarray | None = None) -> IssueTable:
    data = Dataset(name="d", given=np.zeros(len(wrong), dtype=int), class_names=("cat", "dog", "owl"))
    found = Detection(
        method="m",
        quality=1 - wrong,
        flagged=wrong > 0.2,
        suggested=np.ones(len(wrong), dtype=int) if suggested is None else suggested,
        confidence=wrong,
        p_wrong=wrong,
    )
    return IssueTable.from_detection(data, found, found.flagged, decision="d", domain="pets")


def test_units_that_are_alone_keep_the_tables_order_and_values() -> None:
    issues = table(np.array([0.3, 0.9, 0.1, 0.6, 0.6]))
    entries = entries_of(issues)
    assert entries.table == issues
    assert [rows.tolist() for rows in entries.members] == [[1], [3], [4], [0]]
    assert entries_of(issues, [9, 7, 3, 1]).table == issues


def test_what_puts_most_labels_right_comes_first() -> None:
    issues = table(np.array([0.3, 0.9, 0.4, 0.6, 0.25]))  # rows of the table: units 1, 3, 2, 0, 4
    entries = entries_of(issues, [0, 1, 2, 2, 2])
    assert [rows.tolist() for rows in entries.members] == [[0, 2, 4], [1], [3]]
    assert entries.table.columns["rank"].tolist() == [1, 2, 3]
    assert entries.table.columns["index"].tolist() == [2, 1, 3]  # the most doubtful of each
    np.testing.assert_allclose(entries.table.columns["p_wrong"], [0.95 / 3, 0.9, 0.6])
    assert entries.n_units == 5
    assert entries.head(1).n_units == 3
    assert entries.head(1).table.header == issues.header


def test_one_decision_is_about_one_change() -> None:
    issues = table(np.array([0.9, 0.8]), np.array([1, 2]))
    with pytest.raises(InputError, match="differ in 'suggested'"):
        entries_of(issues, [0, 0])
    with pytest.raises(InputError, match="one number for each of the 2 rows"):
        entries_of(issues, [0])
    with pytest.raises(InputError, match="1 groups of units for 2 entries"):
        Entries(issues, [np.array([0])])


def test_no_issues_are_no_entries() -> None:
    entries = entries_of(table(np.array([0.1])), np.zeros(0, dtype=int))
    assert len(entries) == entries.n_units == 0
