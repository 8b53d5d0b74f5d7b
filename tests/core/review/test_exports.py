"""What other tools are handed: every label where it was, suggestions beside it, and names that stay names."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import Detection
from labelnoise.core.domain import get_domain
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.exports import TARGETS, export_samples
from labelnoise.core.review.samples import Suggestions
from labelnoise.core.validation import InputError
from tests.core.review.test_modalities import IMG, MADE, ROWS, SCRIPT, SVG, found_in, reviewed
from tests.core.test_verbs import call, noisy, refused

__all__ = ["call", "reviewed"]  # fixtures

FITS = {
    "text": ["label-studio"],
    "audio": ["label-studio", "fiftyone"],
    "graph": ["label-studio"],
    "segmentation": ["label-studio", "fiftyone", "coco"],
}


def labels_of(result: list) -> list[str]:
    keys = ("choices", "labels", "polygonlabels")
    return [name for part in result for key in keys for name in part["value"].get(key, [])]


def test_label_studio_gets_given_labels_as_annotations_and_suggestions_as_predictions(reviewed):
    name, _, data, table, type_in = reviewed
    code, out, err = type_in("export", "issues.csv", "--to", "label-studio", "--out", "tasks.json")
    assert (code, err) == (0, "")
    assert "paste tasks.config.xml as the labelling interface" in out
    tasks = json.loads(Path("tasks.json").read_text(encoding="utf-8"))
    interface = ElementTree.parse("tasks.config.xml").getroot()
    known = {item.get("value") for item in interface[1]}
    assert {IMG, SCRIPT, SVG} <= {part for value in known for part in (IMG, SCRIPT, SVG) if part in value}
    assert not list(interface.iter("script"))
    assert not list(interface.iter("img"))
    scores = [task["predictions"][0]["score"] for task in tasks]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) == 0.95
    units = sorted(unit for task in tasks for unit in task["meta"]["labelnoise"]["units"])
    assert units == sorted(table.columns["index"].tolist())
    for task in tasks:
        (key,) = set(task["data"]) - {"name", "doubt"}
        assert f"${key}" == interface[0].get("value")
        assert task["meta"]["labelnoise"]["data_hash"] == data.content_hash()
        for part in (*task["annotations"], *task["predictions"]):
            assert set(labels_of(part["result"])) <= known
            assert {r["from_name"] for r in part["result"]} <= {interface[1].get("name")}
            assert {r["to_name"] for r in part["result"]} <= {interface[0].get("name")}
        if key == "html":
            assert "<img" not in task["data"]["html"]
            assert "<script" not in task["data"]["html"]
            assert "&lt;" in task["data"]["html"]
        if key in ("image", "audio"):
            path = task["data"][key]
            assert path.startswith("/data/local-files/?d=")
            assert not set(path) & set(" <>\"'#&")
        if key == "text":
            for region in task["annotations"][0]["result"]:
                value = region["value"]
                assert task["data"]["text"][value["start"] : value["end"]] == value["text"]
    rows = {row["index"]: row for row in table.rows()}
    if name in ("audio", "graph"):
        for task in tasks:
            row = rows[task["meta"]["labelnoise"]["units"][0]]
            assert labels_of(task["annotations"][0]["result"]) == [row["given"]]
            assert labels_of(task["predictions"][0]["result"]) == [row["suggested"]]


def test_text_comes_back_through_the_reader_of_label_studio(tmp_path, monkeypatch):
    from labelnoise.text.label_studio import read_label_studio

    monkeypatch.chdir(tmp_path)
    data, _ = MADE["text"]()
    found_in(data, data.true, "text", "issues.csv")
    table = IssueTable.load("issues.csv")
    domain = get_domain("text")
    made = domain.export_samples(data, Suggestions.of(table, data))
    export_samples(made, table.header, to="label-studio", out=Path("tasks.json"))
    back = read_label_studio("tasks.json")
    given = [(data.types[s["type"]], " ".join(data.tokens[s["start"] : s["end"]])) for s in data.spans()
             if s["sentence"] in set(data.groups[table.columns["index"]])]  # fmt: skip
    read = [back.types[s["type"]] for s in back.spans()]
    assert sorted(read) == sorted(kind for kind, _ in given)


def test_coco_holds_every_object_with_the_suggested_category(tmp_path):
    from labelnoise.segmentation.coco import read_coco
    from labelnoise.segmentation.embedded import scenes

    data = scenes(8, wrong_objects=0.3)
    wrong = data.is_wrong
    found = Detection(
        method="oracle",
        quality=np.where(wrong, 0.1, 1.0),
        flagged=wrong,
        suggested=data.true.astype(np.int64),
        confidence=np.full(data.n_units, 0.8),
    )
    table = IssueTable.from_detection(data, found, wrong, decision="d", domain="segmentation")
    made = get_domain("segmentation").export_samples(data, Suggestions.of(table, data))
    export_samples(made, table.header, to="coco", out=tmp_path / "objects.json")
    content = json.loads((tmp_path / "objects.json").read_text())
    assert {a["score"] for a in content["annotations"]} == {0.8, 1.0}
    assert {a["iscrowd"] for a in content["annotations"]} == {0}
    back = read_coco(tmp_path / "objects.json")
    names = [sample.name for sample in sorted(made.samples, key=lambda sample: -sample.doubt)]
    for row, name in zip(back.objects, names, strict=True):
        image = data.image_ids.index(name)
        np.testing.assert_array_equal(back.mask(names.index(name)), data.true_mask(image))
        assert [o.label for o in row] == [o.label for o in data.true_objects[image]]
        np.testing.assert_array_equal(back.images[names.index(name)], data.images[image])


def test_an_object_that_becomes_background_is_gone_and_one_that_rises_is_there():
    from labelnoise.segmentation.embedded import scenes

    data = scenes(1)
    image = data.objects[0]
    gone = image[0]
    wanted = data.mask(0).astype(int).copy()
    wanted[data.mask(0) == 0] = 3
    wanted[gone.window][gone.mask] = 0
    changed = (wanted != data.mask(0)).ravel()
    found = Detection(
        method="m",
        quality=np.where(changed, 0.0, 1.0),
        flagged=changed,
        suggested=wanted.ravel(),
        confidence=np.full(data.n_units, 0.7),
    )
    table = IssueTable.from_detection(data, found, changed, decision="d", domain="segmentation")
    (sample,) = get_domain("segmentation").export_samples(data, Suggestions.of(table, data)).samples
    kept = {mark.box for mark in sample.suggested}
    before = {mark.box for mark in sample.given}
    top, left, height, width = gone.box
    assert (left, top, width, height) in before - kept
    assert kept - before
    assert {mark.label for mark in sample.suggested if mark.box in kept - before} == {data.class_names[3]}


def test_outlines_fill_to_the_object_again():
    from PIL import Image, ImageDraw

    from labelnoise.segmentation.embedded import scenes

    data = scenes(2)
    units = np.arange(data.n_units)
    listed = Suggestions(units, data.given.astype(np.int64), np.ones(len(units)), np.ones(len(units)))
    for sample in get_domain("segmentation").export_samples(data, listed).samples:
        image = data.image_ids.index(sample.name)
        for mark, item in zip(sample.given, data.objects[image], strict=True):
            drawn = Image.new("L", (64, 64))
            for ring in mark.rings:
                ImageDraw.Draw(drawn).polygon([(x - 0.5, y - 0.5) for x, y in ring], fill=1, outline=1)
            filled, whole = np.asarray(drawn).astype(bool), item.full((64, 64))
            assert (filled & whole).sum() / (filled | whole).sum() > 0.9


def test_fiftyone_gets_files_that_are_there_and_both_labels(tmp_path, monkeypatch):
    from labelnoise.audio.embedded import events

    monkeypatch.chdir(tmp_path)
    data = events(per_class=2)
    found = Suggestions(np.array([3, 5]), np.array([0, -1]), np.array([0.9, 0.2]), np.array([0.8, 0.5]))
    table = IssueTable.from_detection(
        data,
        Detection(
            method="m",
            quality=np.ones(20),
            flagged=np.zeros(20, bool),
            suggested=data.given,
            confidence=np.ones(20),
        ),
        np.zeros(20, bool),
        decision="d",
        domain="audio",
    )
    made = get_domain("audio").export_samples(data, found)
    export_samples(made, table.header, to="fiftyone", out=Path("set.json"))
    content = json.loads(Path("set.json").read_text())
    first, second = content["samples"]
    assert first["suggested"] == {
        "_cls": "Classification",
        "tags": [],
        "label": data.class_names[0],
        "confidence": 0.8,
    }
    assert first["ground_truth"]["label"] == data.class_names[data.given[3]]
    assert second["suggested"] is None
    assert first["mistakenness"] == 0.9
    assert Path(first["filepath"]).is_absolute()
    from labelnoise.audio.decode import read_audio

    np.testing.assert_allclose(read_audio(first["filepath"], 16000)[0], data.audio.at(16000)[3], atol=1e-4)
    assert set(first) == set(content["sample_fields"])


def test_tags_of_a_clip_are_one_item_with_several_labels():
    from labelnoise.audio.dataset import AudioDataset

    data = AudioDataset.from_tags([[1, 0, 1], [0, 1, 0]], ("dog", "rain", SVG), files=("a.wav", "b.wav"))
    found = Suggestions(np.array([1, 2]), np.array([1, 0]), np.array([0.9, 0.8]), np.array([0.7, 0.6]))
    (sample,) = get_domain("audio").export_samples(data, found).samples
    assert [mark.label for mark in sample.given] == ["dog", SVG]
    assert [(mark.label, mark.score) for mark in sample.suggested] == [("dog", None), ("rain", 0.7)]
    assert (sample.kind, sample.several, sample.doubt) == ("card", True, 0.9)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_what_makes_no_sense_is_refused_in_a_sentence_that_says_what_does(reviewed, target):
    name, _, _, _, type_in = reviewed
    before = sorted(Path().rglob("*"))
    code, out, err = type_in("export", "issues.csv", "--to", target, "--out", "made.json")
    if target in FITS[name]:
        assert (code, err) == (0, "")
        return
    assert (code, out) == (2, "")
    assert f"possible here: --to {' or '.join(FITS[name])}." in err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("issues.csv", "--out", "x.json"), "--to is missing; choose one of: label-studio, fiftyone, coco"),
        (("issues.csv", "--to", "label-studo", "--out", "x.json"), "Did you mean 'label-studio'?"),
        (("issues.csv", "--to", "label-studio"), "--out is missing"),
        (("issues.csv", "--to", "label-studio", "--out", "x.csv"), "choose one of: .json"),
        (("issues.csv", "--to", "label-studio", "--out", "noisy.json"), "would overwrite the input 'noisy.json'"),
        (("issues.csv", "--to", "label-studio", "--out", "mine.json"), "is no export of labelnoise"),
        (("nothing.csv", "--to", "label-studio", "--out", "x.json"), "nothing.csv"),
        (("issues.csv", "--to", "coco", "--out", "x.json"), "possible here: --to label-studio."),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_and_leave_nothing(call, arguments, sentence):
    noisy(call)
    assert call("pets", "detect", "noisy.json", "--out", "issues.csv")[0] == 0
    Path("mine.json").write_text("{}")
    assert sentence in refused(call, "pets", "export", *arguments)
    assert Path("mine.json").read_text() == "{}"


def test_a_second_export_takes_the_place_of_the_first_and_a_folder_of_ones_own_is_left_alone(call):
    noisy(call)
    assert call("pets", "detect", "noisy.json", "--out", "issues.csv")[0] == 0
    arguments = ("pets", "export", "issues.csv", "--to", "label-studio", "--out", "tasks.json", "--json")
    for _ in range(2):
        code, out, _ = call(*arguments)
        assert code == 0
        assert json.loads(out)["written"] == ["tasks.json", "tasks.config.xml"]
    Path("tasks.json").unlink()
    assert "'tasks.config.xml', which goes with it, exists already" in refused(call, *arguments)
    Path("tasks.config.xml").unlink()
    Path("tasks-media").mkdir()
    assert "'tasks-media', which goes with it, exists already" in refused(call, *arguments)


def test_a_table_of_all_units_exports_the_flagged_ones(call):
    noisy(call)
    made = []
    for more in ((), ("--all-units",)):
        assert call("pets", "detect", "noisy.json", "--out", "issues.csv", *more)[0] == 0
        assert call("pets", "export", "issues.csv", "--to", "label-studio", "--out", "tasks.json")[0] == 0
        made.append(Path("tasks.json").read_text())
    assert made[0] == made[1]
    assert call("pets", "detect", "noisy.json", "--out", "none.csv", "--top", 0, "--all-units")[0] == 0
    assert "flags no label" in refused(
        call, "pets", "export", "none.csv", "--to", "label-studio", "--out", "t.json"
    )


def test_a_table_that_was_edited_is_refused():
    data = Dataset(name="d", given=np.array([0, 1]), class_names=("a", "b"))
    found = Detection(
        method="m",
        quality=np.zeros(2),
        flagged=np.ones(2, bool),
        suggested=np.array([1, 0]),
        confidence=np.ones(2),
    )
    table = IssueTable.from_detection(data, found, found.flagged, decision="d")
    for column, values, sentence in (
        ("index", np.array([0, 2]), "names row 2 and there are 2"),
        ("suggested", np.array(["a", "c"], dtype=object), "suggests the class 'c'"),
    ):
        with pytest.raises(InputError, match=sentence):
            Suggestions.of(replace(table, columns={**table.columns, column: values}), data)
    assert len(table) == 2 < ROWS
