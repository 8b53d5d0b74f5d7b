"""Decisions made in Label Studio come back as decisions of the review page do, and nobody is taken to have decided more."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.domain import get_domain
from labelnoise.core.review.imports import LabelStudioReview
from labelnoise.core.review.samples import Mark
from labelnoise.core.validation import InputError
from tests.core.review.test_modalities import reviewed

__all__ = ["reviewed"]  # a fixture


def exported(type_in) -> list:
    code, _, err = type_in("export", "issues.csv", "--to", "label-studio", "--out", "tasks.json")
    assert (code, err) == (0, "")
    return json.loads(Path("tasks.json").read_text(encoding="utf-8"))


def submit(task: dict, result: list, at: str = "2026-01-02T00:00:00Z", **more: object) -> None:
    """What Label Studio adds when a person submits an annotation."""
    task["annotations"].append(
        {"result": result, "lead_time": 3.5, "updated_at": at, "was_cancelled": False, **more}
    )


@pytest.mark.parametrize("reviewed", ["audio", "graph", "text"], indirect=True)
def test_what_was_submitted_is_applied_and_what_was_not_stays(reviewed):
    name, file, data, table, type_in = reviewed
    tasks = exported(type_in)
    accepted, kept, cancelled = tasks[:3]
    submit(accepted, accepted["predictions"][0]["result"])
    submit(kept, kept["annotations"][0]["result"])
    submit(cancelled, cancelled["predictions"][0]["result"], was_cancelled=True)
    Path("project.json").write_text(json.dumps(tasks))
    domain = get_domain(name)
    review = LabelStudioReview.load(Path("project.json"))
    made = review.decisions(domain.load(file), domain.read_marks)
    units = {
        verdict: {d.index for d in made.decisions if d.verdict == verdict} for verdict in ("accept", "reject")
    }
    assert units["accept"] == set(accepted["meta"]["labelnoise"]["units"])
    assert units["reject"] == set(kept["meta"]["labelnoise"]["units"])
    assert len(made.decisions) == sum(map(len, units.values()))
    rows = {row["index"]: row for row in table.rows()}
    fixed = f"fixed{Path(file).suffix}"
    code, _, err = type_in("apply", "project.json", "--out", fixed)
    assert (code, "add --decisions-from label-studio" in err) == (2, True)
    code, _, err = type_in("apply", "project.json", "--decisions-from", "label-studio", "--out", fixed)
    assert (code, err) == (0, "")
    new = domain.load(fixed)
    changed = np.flatnonzero(new.given != data.given)
    assert set(changed.tolist()) == units["accept"]
    for unit in changed.tolist():
        assert new.class_names[new.given[unit]] == rows[unit]["suggested"]
    back = f"back{Path(file).suffix}"
    assert type_in("apply", f"{fixed}.provenance.json", "--undo", "--out", back)[0] == 0
    assert domain.load(back).content_hash() == data.content_hash()


@pytest.mark.parametrize("reviewed", ["audio", "graph"], indirect=True)
def test_a_third_label_and_the_latest_of_two_annotations(reviewed):
    name, file, data, _, type_in = reviewed
    tasks = exported(type_in)
    task = tasks[0]
    taken = [
        part["result"][0]["value"]["choices"][0] for part in (task["annotations"][0], task["predictions"][0])
    ]
    third = next(each for each in data.class_names if each not in taken)
    result = [{**task["annotations"][0]["result"][0], "value": {"choices": [third]}}]
    submit(task, result, "2026-01-03T00:00:00Z")
    submit(task, task["predictions"][0]["result"], "2026-01-02T00:00:00Z")
    Path("project.json").write_text(json.dumps(tasks))
    domain = get_domain(name)
    made = LabelStudioReview.load(Path("project.json")).decisions(domain.load(file), domain.read_marks)
    assert [(d.verdict, d.label) for d in made.decisions] == [("other", third)]


@pytest.mark.parametrize("reviewed", ["text"], indirect=True)
def test_entities_are_moved_added_and_deleted(reviewed):
    name, file, data, _, type_in = reviewed
    tasks = exported(type_in)
    task = tasks[0]
    words = task["data"]["text"].split(" ")
    start = len(" ".join(words[:1])) + 1
    end = start + len(words[1])
    value = {"start": start, "end": end, "text": words[1], "labels": [data.types[0]]}
    region = {"id": "x", "from_name": "label", "to_name": "unit", "type": "labels", "value": value}
    submit(task, [region])
    Path("project.json").write_text(json.dumps(tasks))
    domain = get_domain(name)
    read = domain.load(file)
    made = LabelStudioReview.load(Path("project.json")).decisions(read, domain.read_marks)
    first = int(read.starts[read.groups[made.decisions[0].index]])
    wanted = read.given.copy()
    for decision in made.decisions:
        wanted[decision.index] = read.class_names.index(decision.label)
    length = len(words)
    assert wanted[first : first + length].tolist() == [0, 1, *[0] * (length - 2)]
    assert (
        np.delete(wanted, range(first, first + length)) == np.delete(read.given, range(first, first + length))
    ).all()


def test_tags_are_present_or_absent_and_what_is_not_known_stays_so(tmp_path):
    from labelnoise.audio.dataset import AudioDataset

    data = AudioDataset.from_tags([[1, 0, -1], [0, 1, 1]], ("dog", "rain", "wind"), files=("a.wav", "b.wav"))
    domain = get_domain("audio")
    header = {
        "domain": "audio",
        "dataset": "tags",
        "data_hash": data.content_hash(),
        "method": "m",
        "source": "",
    }

    def choice(*names: str) -> dict:
        return {"result": [{"type": "choices", "value": {"choices": list(names)}}], "lead_time": 1.0}

    tasks = [
        {"id": 1, "meta": {"labelnoise": {**header, "units": [1]}}, "data": {}, "annotations": [choice("rain")],
         "predictions": [choice("dog", "rain")]},
        {"id": 2, "meta": {"labelnoise": {**header, "units": [4]}}, "data": {}, "annotations": [choice("rain", "wind")]},
    ]  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps(tasks))
    made = LabelStudioReview.load(tmp_path / "p.json").decisions(data, domain.read_marks)
    assert [(d.index, d.verdict, d.label) for d in made.decisions] == [
        (0, "other", "absent"),
        (1, "accept", "present"),
        (4, "reject", "present"),
    ]
    with pytest.raises(InputError, match="the tag 'cat' is none"):
        domain.read_marks(data, [0], [Mark("cat")])


def test_offsets_of_browsers_and_marks_that_are_no_entities():
    from labelnoise.core.review.imports import _characters
    from labelnoise.text.dataset import from_sentences
    from labelnoise.text.samples import tags_of_marks

    assert _characters("\U0001f600 Ada", 3, 6, "Ada") == (2, 5)
    assert _characters("\U0001f600 Ada", 2, 5, "Ada") == (2, 5)
    with pytest.raises(InputError, match="which is not its text"):
        _characters("\U0001f600 Ada", 0, 3, "Bob")
    data = from_sentences([["Ada", "left", "Rome"]], [["I-PER", "O", "B-LOC"]], name="d")
    assert tags_of_marks(data, 1, [Mark("PER", span=(0, 3))]) == {0: "I-PER", 1: "O", 2: "O"}
    for marks, sentence in (
        ([Mark("PER", span=(0, 5)), Mark("PER", span=(4, 8))], "overlaps another entity"),
        ([Mark("PER", span=(3, 4))], "holds no word"),
        ([Mark("PER")], "is no part of the text"),
    ):
        with pytest.raises(InputError, match=sentence):
            tags_of_marks(data, 0, marks)


def test_every_refusal_is_a_sentence(reviewed):
    name, file, data, _, type_in = reviewed
    tasks = exported(type_in)
    suffix = Path(file).suffix
    get_domain(name).save(data.with_labels(np.roll(data.given, 1)), Path(f"other{suffix}"))

    def refused(content: object, *more: str) -> str:
        Path("project.json").write_text(json.dumps(content))
        arguments = (
            "apply",
            "project.json",
            "--decisions-from",
            "label-studio",
            "--out",
            f"x{suffix}",
            *more,
        )
        code, out, err = type_in(*arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert not list(Path().glob("x*"))
        return err

    assert "tasks that labelnoise did not make" in refused([{"id": 1, "text": "x"}])
    assert "tasks that labelnoise did not make" in refused({"a": 1})
    assert "tasks of 0 data sets" in refused([])
    assert "other data" in refused(tasks, "--data", f"other{suffix}")
    assert "change no label" in refused([{**task, "annotations": []} for task in tasks])
    assert "is damaged" in refused([{**tasks[0], "annotations": [{"result": [{"type": "labels"}]}]}])
    assert "drop --decisions-from" in refused(tasks, "--undo")
    code, _, err = type_in("apply", "project.json", "--decisions-from", "labelstudio", "--out", f"x{suffix}")
    assert (code, "Did you mean 'label-studio'?" in err) == (2, True)
    if name == "segmentation":
        assert "outlines are no decisions on pixels" in refused(tasks)
    else:
        assert "change no label" in refused(tasks)
