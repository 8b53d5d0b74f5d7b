"""A corrected copy is what was decided, says so, and goes back to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.dataset import Dataset
from labelnoise.core.review.apply import (
    Provenance,
    apply_decisions,
    as_written,
    summary,
    undo_decisions,
)
from labelnoise.core.review.decisions import Decision, Decisions
from labelnoise.core.validation import InputError

DATA = Dataset(name="zoo", given=np.array([0, 1, 2, -1]), class_names=("cat", "dog", "owl"))


def made(*decisions: Decision, **header: str) -> Decisions:
    given = {"domain": "pets", "dataset": "zoo", "data_hash": DATA.content_hash(), **header}
    return Decisions(decisions=decisions, **given)


ACCEPT = Decision(1, "1", "dog", "accept", "cat")
KEEP = Decision(2, "2", "owl", "reject", "owl")


def test_only_what_was_decided_changes_and_the_original_stays(tmp_path: Path) -> None:
    before = DATA.given.copy()
    corrected, record = apply_decisions(DATA, made(ACCEPT, KEEP), domain="pets")
    assert corrected.given.tolist() == [0, 0, 2, -1]
    np.testing.assert_array_equal(DATA.given, before)
    assert [(c.index, c.old, c.new) for c in record.changes] == [(1, "dog", "cat")]
    assert (record.reviewed, record.before) == (2, DATA.content_hash())
    record.save(tmp_path / "r.json")
    assert Provenance.load(tmp_path / "r.json") == record


def test_undo_gives_the_same_bits_back() -> None:
    fill = Decision(3, "3", "", "other", "owl")
    corrected, record = apply_decisions(DATA, made(ACCEPT, fill), domain="pets")
    assert corrected.given.tolist() == [0, 0, 2, 2]
    restored = undo_decisions(corrected, record)
    np.testing.assert_array_equal(restored.given, DATA.given)
    with pytest.raises(InputError, match="nothing to undo"):
        undo_decisions(DATA, record)
    with pytest.raises(InputError, match="is not what apply wrote"):
        undo_decisions(corrected.with_labels(np.array([2, 2, 2, 2])), record)


@pytest.mark.parametrize(
    ("decisions", "sentence"),
    [
        (made(ACCEPT, data_hash="00"), "is other data"),
        (made(ACCEPT, domain="text"), "use 'labelnoise text apply'"),
        (made(Decision(9, "9", "dog", "accept", "cat")), "Row 9 was judged but there are 4 rows"),
        (made(Decision(1, "1", "owl", "accept", "cat")), "has the label 'dog', the decision judged 'owl'"),
        (made(Decision(1, "1", "dog", "other", "cow")), "'cow'; the classes are cat, dog, owl"),
    ],
)
def test_decisions_about_something_else_are_refused(decisions: Decisions, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        apply_decisions(DATA, decisions, domain="pets")


def test_an_edited_record_is_refused(tmp_path: Path) -> None:
    corrected, record = apply_decisions(DATA, made(ACCEPT), domain="pets")
    edited = replace(record, changes=(replace(record.changes[0], old="owl"),))
    with pytest.raises(InputError, match="does not lead back"):
        undo_decisions(corrected, edited)
    path = tmp_path / "r.json"
    for content in (b"", b"{}", b'{"format": "labelnoise-provenance", "version": 1}', b"\xff"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no record of applied decisions"):
            Provenance.load(path)


# --------------------------------------------------------------------- what the written copy really holds


def accept(data, row: int, label: str) -> Decisions:
    return Decisions(
        domain="text",
        dataset=data.name,
        data_hash=data.content_hash(),
        decisions=(Decision(row, str(row), data.class_names[data.given[row]], "accept", label),),
    )


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".conll"])
def test_a_tag_that_the_format_makes_follow_is_recorded_and_taken_back(tmp_path, ending):
    """Only entities are kept by some formats: where the first word of one is none, the second begins it."""
    from labelnoise.core.domain import get_domain
    from labelnoise.text.dataset import from_sentences

    domain = get_domain("text")
    made = from_sentences(
        [["New", "York", "fell"], ["Ada"]], [["B-LOC", "I-LOC", "O"], ["B-PER"]], name="two"
    )
    domain.save(made, tmp_path / f"a{ending}")
    data = domain.load(str(tmp_path / f"a{ending}"))
    corrected, record = apply_decisions(data, accept(data, 0, "O"), domain="text")
    domain.save(corrected, tmp_path / f"b{ending}")
    written = domain.load(str(tmp_path / f"b{ending}"))
    record = as_written(record, data, written)
    record.save(tmp_path / "record.json")
    follows = [change.index for change in record.changes if change.verdict == "follows"]
    assert follows == ([] if ending == ".conll" else [1])
    restored = undo_decisions(written, Provenance.load(tmp_path / "record.json"))
    assert restored.content_hash() == data.content_hash()


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".conll"])
def test_the_last_label_of_a_class_may_go_and_come_back(tmp_path, ending):
    from labelnoise.core.domain import get_domain
    from labelnoise.text.dataset import from_sentences

    domain = get_domain("text")
    made = from_sentences([["Rome", "fell"], ["Ada"]], [["B-LOC", "O"], ["B-PER"]], name="two")
    domain.save(made, tmp_path / f"a{ending}")
    data = domain.load(str(tmp_path / f"a{ending}"))
    corrected, record = apply_decisions(data, accept(data, 0, "O"), domain="text")
    domain.save(corrected, tmp_path / f"b{ending}")
    written = domain.load(str(tmp_path / f"b{ending}"))
    assert written.n_classes == data.n_classes - 2
    record = as_written(record, data, written)
    assert [(change.old, change.new) for change in record.changes] == [("B-LOC", "O")]
    restored = undo_decisions(written, record)
    assert restored.class_names == data.class_names
    assert restored.content_hash() == data.content_hash()


def test_a_copy_that_holds_none_of_the_changes_is_refused_and_not_left_behind(tmp_path, monkeypatch, capsys):
    """COCO holds objects; labels of single pixels cannot be said in it."""
    from labelnoise.core.cli import build_root, run
    from labelnoise.core.domain import get_domain

    monkeypatch.chdir(tmp_path)
    data = get_domain("segmentation").load("scenes")
    made = Decisions(
        domain="segmentation",
        dataset=data.name,
        data_hash=data.content_hash(),
        decisions=(Decision(0, "x", data.class_names[data.given[0]], "accept", data.class_names[1]),),
    )
    made.save(tmp_path / "decisions.json")
    assert run(build_root, ["segmentation", "apply", "decisions.json", "--out", "fixed.json"]) == 2
    assert "holds none of the 1 changed labels" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["decisions.json"]
    assert run(build_root, ["segmentation", "apply", "decisions.json", "--out", "fixed"]) == 0


def test_review_of_a_coco_file_proposes_a_folder_for_the_copy(tmp_path, monkeypatch, capsys):
    from labelnoise.core.cli import build_root, run
    from labelnoise.segmentation.coco import write_coco
    from labelnoise.segmentation.embedded import scenes

    monkeypatch.chdir(tmp_path)
    write_coco(scenes(2), "objects.json")
    detect = ["segmentation", "detect", "objects.json", "--method", "random", "--out", "issues.csv"]
    assert run(build_root, [*detect, "--show", "0"]) == 0
    assert run(build_root, ["segmentation", "review", "issues.csv", "--limit", "3"]) == 0
    assert capsys.readouterr().out.endswith("apply decisions.json --out corrected\n")


def test_one_decision_about_a_region_changes_all_of_it_and_goes_back(tmp_path: Path) -> None:
    data = Dataset(
        name="zoo", given=np.array([0, 1, 0, 0, 2, 0], dtype=np.int8), class_names=("cat", "dog", "owl")
    )
    head = {"data_hash": data.content_hash()}
    accept = Decision(2, "2", "cat", "accept", "dog", "one ear", region=((2, 2), (5, 1)))
    keep = Decision(4, "4", "owl", "reject", "owl")
    corrected, record = apply_decisions(data, made(accept, keep, **head), domain="pets")
    assert corrected.given.tolist() == [0, 1, 1, 1, 2, 1]
    assert corrected.given.dtype == np.int8
    assert [(c.index, c.unit, c.note) for c in record.changes] == [(i, str(i), "one ear") for i in (2, 3, 5)]
    assert summary(record) == {
        "reviewed": 2, "changed": 3, "kept": 1, "before": data.content_hash(), "after": corrected.content_hash()
    }  # fmt: skip
    record.save(tmp_path / "r.json")
    np.testing.assert_array_equal(
        undo_decisions(corrected, Provenance.load(tmp_path / "r.json")).given, data.given
    )
    # A region that holds another label was edited, or the data were; nothing as long as a file says is made.
    for region, sentence in (
        (((1, 2), (5, 1)), "Row 1 has the label 'dog', the decision judged 'cat'"),
        (((2, 2**60),), f"Row {2**60 + 1} was judged but there are 6 rows"),
    ):
        with pytest.raises(InputError, match=sentence):
            apply_decisions(data, made(replace(accept, region=region), **head), domain="pets")
