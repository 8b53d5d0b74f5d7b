"""COCO instances: real files, the three ways to write a mask, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.coco import decode_segmentation, encode_mask, read_coco, write_coco

pytest.importorskip("pycocotools")


def content(**changes: Any) -> dict[str, Any]:
    square = [[1, 1, 4, 1, 4, 3, 1, 3]]
    annotation = {"id": 5, "image_id": 9, "category_id": 30, "segmentation": square, "iscrowd": 0}
    crowd = {**annotation, "id": 6, "segmentation": {"size": [6, 8], "counts": [40, 8]}, "iscrowd": 1}
    return {
        "images": [{"id": 9, "file_name": "a.png", "height": 6, "width": 8}],
        "categories": [{"id": 30, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [annotation, crowd],
        **changes,
    }


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content(**changes)))
    return path


def test_polygons_crowds_and_classes_by_id(tmp_path: Path) -> None:
    data = read_coco(written(tmp_path))
    assert data.class_names == ("background", "dog", "cat")
    assert data.images is None
    assert (data.mask(0)[1:3, 1:4] == 2).all()
    assert (data.given == 2).sum() == 6
    # 40 pixels down the columns of 6 are background; the crowd is the rest.
    assert np.flatnonzero(data.mask(0).T.ravel() == -1).tolist() == list(range(40, 48))
    assert (data.given == -1).sum() == 8


def test_a_picture_whose_name_is_a_folder_goes_by_its_number(tmp_path: Path) -> None:
    pictures = [{"id": 9, "file_name": ".", "height": 6, "width": 8}]
    assert read_coco(written(tmp_path, images=pictures)).image_ids == ("9",)


def test_lists_of_runs_go_down_the_columns() -> None:
    mask = decode_segmentation({"size": [6, 8], "counts": [40, 8]}, (6, 8))
    expected = np.zeros(48, bool)
    expected[40:] = True
    assert (mask == expected.reshape(8, 6).T).all()


def test_writing_makes_boxes_and_areas_anew_and_reads_back(tmp_path: Path) -> None:
    stale = content()
    stale["annotations"][0].update(bbox=[0, 0, 99, 99], area=1)
    data = read_coco(written(tmp_path, annotations=stale["annotations"]))
    out = write_coco(data, tmp_path / "out.json")
    saved = json.loads(out.read_text())["annotations"]
    assert saved[0]["bbox"] == [1, 1, 3, 2]
    assert saved[0]["area"] == 6
    assert [item["iscrowd"] for item in saved] == [0, 1]
    assert [item["category_id"] for item in saved] == [30, 30]
    assert read_coco(out).content_hash() == data.content_hash()
    with pytest.raises(InputError, match="overwrite the input"):
        write_coco(data, tmp_path / "instances.json")


@pytest.mark.parametrize("seed", range(3))
def test_run_lengths_come_back(seed: int) -> None:
    mask = np.random.default_rng(seed).random((7, 11)) < 0.4
    assert (decode_segmentation(json.loads(json.dumps(encode_mask(mask))), (7, 11)) == mask).all()


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ({"size": [2, 2], "counts": [4]}, "another image"),
        ({"size": [6, 8], "counts": [3]}, "add up to 3"),
        ({"counts": [3]}, "neither"),
        ([[1, 2, 3, 4]], "fewer than three"),
        ([["a"] * 6], "neither"),
        (5, "neither"),
    ],
)
def test_broken_segmentations_name_their_annotation(tmp_path: Path, segmentation: Any, said: str) -> None:
    annotation = {**content()["annotations"][0], "segmentation": segmentation}
    with pytest.raises(InputError, match=said) as error:
        read_coco(written(tmp_path, annotations=[annotation]))
    assert "annotation 5" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": []}, "names an image"),
        ({"categories": []}, "names a category"),
        ({"annotations": [{}]}, "missing"),
        ({"images": [], "annotations": []}, "lists no image"),
    ],
)
def test_refused_files(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_coco(written(tmp_path, **changes))
    with pytest.raises(InputError, match="folder|file"):
        read_coco(written(tmp_path), images=tmp_path / "none")


def test_real_coco(real_data: Path) -> None:
    path = real_data / "segmentation" / "coco_mini" / "annotations" / "instances_train2017.json"
    data = read_coco(path)
    assert data.n_images == 80
    assert data.objects is not None
    assert sum(map(len, data.objects)) == 739
    assert data.images is not None
    assert data.images[0].shape[:2] == data.size(0)
    stated = {item["id"]: item for item in json.loads(path.read_text())["annotations"]}
    ratio, far = [], []
    for item in (item for row in data.objects for item in row):
        top, left, height, width = item.box
        box = stated[item.object_id]["bbox"]
        far.append(max(abs(a - b) for a, b in zip((left, top, width, height), box)))
        ratio.append(item.area / max(stated[item.object_id]["area"], 1))
    # A polygon's ends may be thinner than a pixel, so a few boxes are smaller than stated.
    assert np.mean(np.array(far) <= 2) > 0.95
    # A polygon's area and its pixels differ at the edge alone.
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)


def test_real_nuts(real_data: Path) -> None:
    data = read_coco(real_data / "segmentation" / "nuts_coco" / "trainval.json")
    assert data.n_images == 18
    assert data.objects is not None
    assert sum(map(len, data.objects)) == 165
    assert data.n_classes == 4


def test_run_lengths_are_decoded_as_pycocotools_does() -> None:
    from pycocotools import mask as masks

    rng = np.random.default_rng(0)
    for _ in range(40):
        height, width = (int(side) for side in rng.integers(1, 40, 2))
        mask = rng.random((height, width)) < rng.random() ** 2
        written = encode_mask(mask)
        assert (decode_segmentation(written, (height, width)) == mask).all()
        rle = {"size": [height, width], "counts": written["counts"].encode()}
        assert (masks.decode(rle) == mask).all()


@pytest.mark.parametrize(
    "counts",
    [
        "",
        "1",
        "o" * 40,
        "\x7f",
        "0" * 9,
        "P" * 8 + "0",
        "é",
        [6, -6, 6],
        [1 << 70],
        [2.0, 4],
        [True] * 6,
        None,
        6,
    ],
)
def test_run_lengths_that_do_not_fit_never_reach_compiled_code(counts: Any) -> None:
    with pytest.raises(InputError):
        decode_segmentation({"size": [2, 3], "counts": counts}, (2, 3))


@pytest.mark.parametrize("value", [1e9, -1e9, float("nan"), float("inf")])
def test_polygons_do_not_reach_to_the_moon(value: float) -> None:
    with pytest.raises(InputError, match="reaches far beyond"):
        decode_segmentation([[0, 0, 2, 0, value, 1]], (2, 3))


def test_sizes_without_images_are_believed_up_to_a_limit(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 100_000, "width": 100_000}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [],
    }
    (tmp_path / "i.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="claims 100,000 x 100,000 pixels"):
        read_coco(tmp_path / "i.json")
