"""What data call their parts never leads a file out of the folder that was named for it, in any modality."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.cli import main
from labelnoise.core.domain import domain_names, get_domain
from labelnoise.core.issues import IssueTable
from labelnoise.core.reading import check_inside, leads_outside
from labelnoise.core.review.decisions import Decision, Decisions
from labelnoise.core.validation import InputError

OUT = "../../escaped"
KINDS = {"graph": "symmetric", "text": "mixed", "audio": "symmetric", "segmentation": "displacement"}


def graph(folder: Path) -> Path:
    from labelnoise.graph.arrays import from_arrays

    n = 40
    edges = np.random.default_rng(0).integers(0, n, (2, 90))
    arrays = {"y": np.arange(n) % 2, "edge_index": edges, "x": np.eye(n, 5), "class_names": [OUT, "/tmp/x"]}
    ids = [f"{OUT}-{i}" for i in range(n)]
    data = from_arrays({**arrays, "node_ids": ids}, name=OUT)
    get_domain("graph").save(data, folder / "g.npz")
    return folder / "g.npz"


def text(folder: Path) -> Path:
    rows = [
        {"text": f"Ada left {i}", "label": [[0, 3, OUT if i % 2 else "/tmp/x"]], "id": f"{OUT}-{i}"}
        for i in range(20)
    ]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / "t.jsonl"


def wave(path: Path, step: int) -> None:
    sound = (np.sin(np.arange(400) / (3 + step)) * 9000).astype("<i2").tobytes()
    head = b"RIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt "
    path.write_bytes(
        head
        + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
        + b"data"
        + struct.pack("<I", len(sound))
        + sound
    )


def audio(folder: Path) -> Path:
    """A third of the clips beside the table, a third above it, a third by an absolute path."""
    home = folder / "clips"
    home.mkdir()
    rows = ["file,label"]
    for i in range(18):
        place = (home, folder, folder)[i % 3] / f"{i}.wav"
        wave(place, i)
        rows.append(f"{(f'{i}.wav', f'../{i}.wav', str(place))[i % 3]},{('a', OUT)[i // 3 % 2]}")
    (home / "clips.csv").write_text("\n".join(rows) + "\n")
    (home / "clips.json").write_text(json.dumps({"name": OUT, "class_names": ["a", OUT]}))
    return home


def segmentation(folder: Path) -> Path:
    from labelnoise.segmentation.images import write_png

    home = folder / "seg"
    for part in ("masks", "images", "masks-..", "masks-x.."):
        (home / part).mkdir(parents=True)
    for i in range(4):
        mask = (np.add.outer(np.arange(8), np.arange(9)) + i) % 2
        for part in ("masks", "masks-..", "masks-x.."):
            write_png(mask.astype(np.uint8), home / part / f"x..{i}.png")
        write_png(np.full((8, 9, 3), 80, np.uint8), home / "images" / f"x..{i}.png")
    notes = {
        "class_names": [OUT, "/tmp/x"],
        "name": OUT,
        "splits": {OUT: ["x..0"]},
        "meta": {"coco_images": OUT},
    }
    (home / "classes.json").write_text(json.dumps(notes), encoding="utf-8")
    return home


MAKERS: dict[str, Callable[[Path], Path]] = {
    "graph": graph,
    "text": text,
    "audio": audio,
    "segmentation": segmentation,
}


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("domain", domain_names())
def test_verbs_write_into_their_folder_alone(domain: str, tmp_path: Path, capsys: Any) -> None:
    inputs, out = tmp_path / "a" / "b" / "in", tmp_path / "a" / "b" / "out"
    inputs.mkdir(parents=True)
    source = MAKERS[domain](inputs)
    out.mkdir()
    before = everything(tmp_path)

    def call(*arguments: Any) -> None:
        assert main([domain, *map(str, arguments)]) == 0, capsys.readouterr().err

    issues, decided = out / "issues.csv", out / "decided.json"
    call("corrupt", source, "--kind", KINDS[domain], "--rate", "0.2", "--out", out / f"noisy{source.suffix}")
    call("detect", source, "--method", "random", "--out", issues)
    call("review", issues, "--out", out / "page.html")
    table = IssueTable.load(issues)
    about, row = table.header, next(table.rows(1))
    new = next(label for label in about.class_names if label not in (row["given"], "O"))
    header = {key: getattr(about, key) for key in ("domain", "dataset", "data_hash", "method", "source")}
    Decisions(
        decisions=(Decision(row["index"], str(row["unit"]), row["given"], "other", new),), **header
    ).save(decided)
    call("apply", decided, "--out", out / f"fixed{source.suffix}")
    for tool in ("label-studio", "fiftyone", "coco"):
        if main([domain, "export", str(issues), "--to", tool, "--out", str(out / f"{tool}.json")]) != 0:
            assert "possible here" in capsys.readouterr().err
    (out / "label-studio.json").stat()
    after = everything(tmp_path)
    assert {name: content for name, content in after.items() if not name.startswith("a/b/out/")} == before
    # What was written is read again, with its sound and pictures.
    for copy in ("noisy", "fixed"):
        again = get_domain(domain).load(str(out / f"{copy}{source.suffix}"))
        assert (again.ids[:] == get_domain(domain).load(str(source)).ids[:]).all()
    if domain == "audio":
        assert len(again.audio) == 18
        assert again.audio.digest(1) == get_domain(domain).load(str(source)).audio.digest(1)
        assert sorted(path.name for path in (out / "fixed" / "audio").iterdir()) == [
            f"{i}.wav" for i in sorted(range(0, 18, 3), key=str)
        ]


def test_saved_splits_of_text_stay_in_their_folder(tmp_path: Path) -> None:
    import pyarrow as pa

    for place in ("home", "home/data"):
        (tmp_path / place).mkdir(exist_ok=True)
        table = pa.table({"tokens": [["Ada", "left"]], "ner_tags": [["B-PER", "O"]]})
        with pa.ipc.new_stream(str(tmp_path / place / "data.arrow"), table.schema) as file:
            file.write_table(table)
        state = {"_data_files": [{"filename": "data.arrow"}]}
        (tmp_path / place / "state.json").write_text(json.dumps(state))
    about = tmp_path / "home" / "data" / "dataset_dict.json"
    about.write_text(json.dumps({"splits": [".."]}))
    with pytest.raises(InputError, match="names no splits"):
        get_domain("text").load(str(tmp_path / "home" / "data"))
    about.unlink()
    state = {"_data_files": [{"filename": ".."}]}
    (tmp_path / "home" / "data" / "state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="names no files beside it"):
        get_domain("text").load(str(tmp_path / "home" / "data"))


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    from labelnoise.segmentation.images import write_png

    home = tmp_path / "coco"
    (home / "images").mkdir(parents=True)
    for path in (tmp_path / "private.png", home / "images" / "a.png"):
        write_png(np.zeros((4, 4), np.uint8), path)
    return home


@pytest.mark.parametrize("how", ["dots", "absolute", "link"])
def test_coco_names_no_picture_elsewhere(coco: Path, how: str) -> None:
    from labelnoise.segmentation.coco import read_coco

    name = {"dots": "../../private.png", "absolute": str(coco.parent / "private.png"), "link": "b.png"}[how]
    if how == "link":
        os.symlink(coco.parent / "private.png", coco / "images" / "b.png")
    pictures = [
        {"id": i, "file_name": file, "height": 4, "width": 4}
        for i, file in enumerate(["a.png", name], start=1)
    ]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2]]}
    content = {"images": pictures, "categories": [{"id": 1, "name": "x"}], "annotations": [annotation]}
    (coco / "instances.json").write_text(json.dumps(content))
    for images in (None, coco / "images"):
        with pytest.raises(InputError, match="outside of its folder|leads out of") as refused:
            read_coco(coco / "instances.json", images)
        assert "outside=True" in str(refused.value)
    assert main(["segmentation", "detect", str(coco / "instances.json")]) == 2
    data = read_coco(coco / "instances.json", coco / "images", outside=True)
    assert data.images is not None
    assert data.images[1].shape == (4, 4)


def test_a_folder_of_pictures_may_be_a_link(coco: Path) -> None:
    from labelnoise.segmentation.coco import read_coco

    shutil.move(coco / "images", coco.parent / "elsewhere")
    os.symlink(coco.parent / "elsewhere", coco / "images")
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 4}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [],
    }
    (coco / "instances.json").write_text(json.dumps(content))
    assert read_coco(coco / "instances.json").images is not None


def test_annotators_have_names_of_folders(tmp_path: Path) -> None:
    from labelnoise.segmentation.dataset import MaskDataset
    from labelnoise.segmentation.files import write_masks

    for name in ("/../../escaped", "a/b", "a\x00"):
        data = MaskDataset.from_masks(
            [[[0, 1]]], ("a", "b"), votes=np.array([[0], [1]], np.int8), annotators=(name,)
        )
        with pytest.raises(InputError, match="annotator"):
            write_masks(data, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_public_table_of_sound_stays_below_its_folder(tmp_path: Path) -> None:
    from labelnoise.audio.esc50 import read_esc50

    (tmp_path / "home").mkdir()
    wave(tmp_path / "1-a.wav", 3)
    rows = "filename,fold,target,category\n../1-a.wav,1,0,dog\n"
    (tmp_path / "home" / "meta.csv").write_text(rows)
    with pytest.raises(InputError, match="outside of its folder"):
        read_esc50(tmp_path / "home")


def test_names_that_lead_outside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path, tmp_path / "in" / "up")
    with pytest.raises(InputError, match="a link that leads out"):
        check_inside(["b", "up/a.png"], tmp_path / "in", "The list", "mend it")
    check_inside(["b", "c/d"], tmp_path / "in", "The list", "mend it")
    assert leads_outside("C:\\a.png")
    assert leads_outside("..\\a.png")
    assert not leads_outside("a..b/c..png")
