"""review and apply from the command line: the page, the corrected copy, the way back, and every refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.domain import get_domain
from labelnoise.core.issues import IssueTable
from tests.core.test_verbs import call, noisy, refused

__all__ = ["call"]  # a fixture


def decided(issues: str, **header: str) -> str:
    """A decisions file that accepts the first issue, keeps the second and gives the third a third label."""
    table = IssueTable.load(issues)
    rows = list(table.rows(3))
    third = next(
        name for name in table.header.class_names if name not in (rows[2]["given"], rows[2]["suggested"])
    )
    verdicts = [
        ("accept", rows[0]["suggested"]),
        ("reject", rows[1]["given"]),
        ("other", third),
    ]
    value = {
        "format": "labelnoise-decisions",
        "version": 1,
        "domain": table.header.domain,
        "dataset": table.header.dataset,
        "data_hash": table.header.data_hash,
        "method": table.header.method,
        "source": table.header.source,
        **header,
        "decisions": [
            {
                "index": row["index"],
                "unit": row["unit"],
                "given": row["given"],
                "verdict": verdict,
                "label": label,
                "note": "",
            }
            for row, (verdict, label) in zip(rows, verdicts)
        ],
    }
    Path("decisions.json").write_text(json.dumps(value))
    return "decisions.json"


@pytest.fixture
def issues(call) -> str:
    noisy(call)
    assert call("pets", "detect", "noisy.json", "--out", "issues.csv")[0] == 0
    return "issues.csv"


def test_the_page_is_written_without_naming_the_data_again(call, issues):
    code, out, err = call("pets", "review", issues, "--limit", 5)
    assert (code, err) == (0, "")
    assert "written: review.html with 5 of" in out
    assert "next: labelnoise pets apply" in out
    assert Path("review.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_apply_corrects_a_copy_and_undo_restores_it(call, issues):
    before = Path("noisy.json").read_bytes()
    decisions = decided(issues)
    code, out, err = call("pets", "apply", decisions, "--out", "fixed.json")
    assert (code, err) == (0, "")
    assert "2 labels changed, 1 decisions kept theirs" in out
    assert Path("noisy.json").read_bytes() == before
    domain = get_domain("pets")
    old, new = domain.load("noisy.json"), domain.load("fixed.json")
    assert int((old.given != new.given).sum()) == 2
    code, out, err = call(
        "pets", "apply", "fixed.json.provenance.json", "--undo", "--out", "back.json", "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["undone"] == 2
    np.testing.assert_array_equal(domain.load("back.json").given, old.given)


def test_other_data_are_refused(call, issues):
    decisions = decided(issues)
    noisy(call, **{"--out": "other.json", "--seed": "9"})
    assert "is other data" in refused(
        call, "pets", "apply", decisions, "--data", "other.json", "--out", "x.json"
    )
    assert "is other data" in refused(call, "pets", "review", issues, "--data", "other.json")
    assert "is not what apply wrote" in apply_then_undo_other(call, decisions)


def apply_then_undo_other(call, decisions: str) -> str:
    assert call("pets", "apply", decisions, "--out", "fixed.json")[0] == 0
    return refused(
        call,
        "pets",
        "apply",
        "fixed.json.provenance.json",
        "--undo",
        "--data",
        "other.json",
        "--out",
        "back.json",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("apply", "decisions.json"), "--out is missing"),
        (("apply", "nowhere.json", "--out", "x.json"), "There is no file 'nowhere.json'"),
        (("apply", "noisy.json", "--out", "x.json"), "holds no decisions"),
        (("apply", "decisions.json", "--out", "decisions.json"), "decisions.json"),
        (("apply", "decisions.json", "--out", "noisy.json"), "noisy.json"),
        (("apply", "decisions.json", "--undo", "--out", "x.json"), "no record of applied decisions"),
        (("review", "nowhere.csv"), "nowhere.csv"),
        (("review", "issues.csv", "--limit", "0"), "--limit is 0"),
        (("review", "issues.csv", "--out", "page.txt"), ".html"),
        (("review", "issues.csv", "--data", "atlantis"), "atlantis"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(call, issues, arguments, sentence):
    decided(issues)
    assert sentence in refused(call, "pets", *arguments)


def test_decisions_of_another_modality_name_the_right_command(call, issues):
    decisions = decided(issues, domain="text")
    assert "use 'labelnoise text apply'" in refused(call, "pets", "apply", decisions, "--out", "x.json")


def test_decisions_that_change_nothing_write_nothing(call, issues):
    decided(issues)
    value = json.loads(Path("decisions.json").read_text())
    value["decisions"] = value["decisions"][1:2]
    Path("decisions.json").write_text(json.dumps(value))
    assert "change no label" in refused(call, "pets", "apply", "decisions.json", "--out", "x.json")
