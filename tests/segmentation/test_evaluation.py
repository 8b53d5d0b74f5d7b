"""Metrics of masks against their definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.evaluation import (
    BoundaryCounts,
    ConfusionCounts,
    WrongPixelCounts,
    label_iou,
    object_ap,
)
from labelnoise.segmentation.objects import MaskObject

RNG = np.random.default_rng(0)


def test_iou_against_sets_and_over_images() -> None:
    labels, predicted = RNG.integers(-1, 5, (3, 20, 30)), RNG.integers(-1, 5, (3, 20, 30))
    found = ConfusionCounts(6)
    for one, other in zip(labels, predicted):
        found.update(one.astype(np.int8), other)
    known = labels >= 0
    for k in range(5):
        a, b = (labels == k) & known, (predicted == k) & known
        assert found.iou[k] == pytest.approx((a & b).sum() / (a | b).sum())
        assert found.dice[k] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert np.isnan(found.iou[5])
    assert found.mean_iou == pytest.approx(found.iou[:5].mean())
    assert found.accuracy == pytest.approx((labels == predicted)[known].mean())


def test_nothing_seen_is_none_not_nan() -> None:
    assert ConfusionCounts(2).mean_iou is None
    assert ConfusionCounts(2).accuracy is None
    assert BoundaryCounts(2).mean_iou is None
    assert WrongPixelCounts(2).corrected is None


def test_many_classes_in_narrow_types() -> None:
    found = ConfusionCounts(127)
    labels = np.array([126, 126, 3], dtype=np.int8)
    found.update(labels, labels)
    assert found.counts[126, 126] == 2


def test_boundary_iou_against_distances() -> None:
    label, predicted = RNG.random((60, 80)) < 0, RNG.random((60, 80)) < 0
    label[10:40, 5:50] = True
    predicted[13:45, 0:47] = True
    found = BoundaryCounts(2)
    found.update(label.astype(int), predicted.astype(int))
    distance = 2  # 2 % of a diagonal of 100
    edges = []
    for mask in (label, predicted):
        deep = ndimage.distance_transform_cdt(np.pad(mask, 1), "chessboard")[1:-1, 1:-1]
        edges.append(mask & (deep <= distance))
    expected = (edges[0] & edges[1]).sum() / (edges[0] | edges[1]).sum()
    assert found.iou[1] == pytest.approx(expected)
    # Moving an outline costs more at the boundary than over the whole area.
    whole = ConfusionCounts(2)
    whole.update(label.astype(int), predicted.astype(int))
    assert found.iou[1] < whole.iou[1]


def test_boundary_leaves_ignored_pixels_out() -> None:
    label = np.ones((30, 30), int)
    label[:, 15:] = -1
    found = BoundaryCounts(2)
    found.update(label, np.where(label < 0, 0, 1))
    assert found.iou[1] == 1.0
    assert np.isnan(found.iou[0])


def test_wrong_pixels_fall_into_three() -> None:
    given, true, predicted = (RNG.integers(-1, 4, 500) for _ in range(3))
    found = WrongPixelCounts(4)
    found.update(given, true, predicted)
    wrong = (given >= 0) & (true >= 0) & (given != true)
    assert found.counts.sum() == wrong.sum()
    assert found.corrected == pytest.approx((predicted == true)[wrong].mean())
    assert found.memorised == pytest.approx((predicted == given)[wrong].mean())
    assert found.counts[2].sum() == (wrong & (true == 2)).sum()


def test_label_iou_needs_the_truth() -> None:
    data = MaskDataset.from_masks([[[0, 1]]], ("a", "b"))
    with pytest.raises(InputError, match="no true labels"):
        label_iou(data)


def test_maps_must_fit() -> None:
    with pytest.raises(InputError, match="one size"):
        ConfusionCounts(2).update([[0]], [[0, 1]])
    with pytest.raises(InputError, match="holds 2 to 2"):
        ConfusionCounts(2).update([[0]], [[2]])
    with pytest.raises(InputError, match="one image"):
        BoundaryCounts(2).update([0], [0])
    with pytest.raises(InputError, match="width is 0"):
        BoundaryCounts(2, width=0)


def cell(rows: slice, cols: slice, label: int = 1, score: float | None = None) -> MaskObject:
    mask = np.zeros((50, 50), bool)
    mask[rows, cols] = True
    return MaskObject.from_mask(mask, label=label, object_id=1, score=score)


def test_more_than_a_hundred_objects_count() -> None:
    pytest.importorskip("pycocotools")
    many = [[cell(slice(y, y + 3), slice(x, x + 3)) for y in range(0, 48, 4) for x in range(0, 48, 4)]]
    assert len(many[0]) == 144
    assert object_ap(many, many, [(50, 50)])["ap"] == pytest.approx(1.0)
    assert object_ap(many, many, [(50, 50)], max_objects=100)["ap"] == pytest.approx(100 / 144, abs=0.01)


def test_the_numbers_are_those_of_coco() -> None:
    pytest.importorskip("pycocotools")
    rng = np.random.default_rng(0)

    def some(jitter: int) -> list[list[MaskObject]]:
        rows = []
        for i in range(4):
            row = []
            for y in range(0, 40, 12):
                dy, dx = rng.integers(0, jitter + 1, 2)
                row.append(
                    cell(slice(y + dy, y + dy + 9), slice(dx, dx + 30), 1 + i % 2, float(rng.random()))
                )
            rows.append(row)
        return rows

    truth, found, sizes = some(0), some(4), [(50, 50)] * 4
    ours = object_ap(truth, found, sizes, max_objects=100)
    assert ours["ap"] == pytest.approx(coco_stats(truth, found, sizes)[0])
    assert ours["ap50"] == pytest.approx(coco_stats(truth, found, sizes)[1])
    assert ours["ap75"] == pytest.approx(coco_stats(truth, found, sizes)[2])
    assert ours["ap_small"] == pytest.approx(coco_stats(truth, found, sizes)[3])
    assert ours["ap_large"] is None
    assert 0 < ours["ap"] < 1  # type: ignore[operator]


def coco_stats(truth: list, found: list, sizes: list) -> np.ndarray:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    from labelnoise.segmentation.coco import encode_mask

    def made(objects: list) -> COCO:
        rows = [
            {"id": 1 + 100 * i + j, "image_id": i, "category_id": o.label, "area": o.area, "iscrowd": 0}
            | {"segmentation": encode_mask(o.full(sizes[i])), "score": o.score, "bbox": [0, 0, 1, 1]}
            for i, row in enumerate(objects)
            for j, o in enumerate(row)
        ]
        coco = COCO()
        images = [{"id": i, "height": size[0], "width": size[1]} for i, size in enumerate(sizes)]
        coco.dataset = {"images": images, "annotations": rows, "categories": [{"id": 1}, {"id": 2}]}
        coco.createIndex()
        return coco

    judge = COCOeval(made(truth), made(found), "segm")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge.stats


def test_object_ap() -> None:
    pytest.importorskip("pycocotools")
    truth = [[cell(slice(0, 20), slice(0, 20)), cell(slice(30, 50), slice(30, 50), 2)]]
    sizes = [(50, 50)]
    assert object_ap(truth, truth, sizes)["ap"] == pytest.approx(1.0)
    assert object_ap(truth, [[truth[0][0]]], sizes)["ap"] == pytest.approx(0.5)
    swapped = [[truth[0][0].with_label(2), truth[0][1].with_label(1)]]
    assert object_ap(truth, swapped, sizes)["ap"] == 0.0
    # A false alarm below the right answer costs nothing, above it half.
    alarm = cell(slice(0, 5), slice(40, 50), score=0.9)
    right = cell(slice(0, 20), slice(0, 20), score=0.5)
    assert object_ap([truth[0][:1]], [[alarm, right]], sizes)["ap"] == pytest.approx(0.5, abs=0.01)
    assert object_ap(truth, [[]], sizes)["ap"] == 0.0
    assert object_ap([[]], truth, sizes)["ap"] is None
    assert object_ap(truth, truth, sizes, boxes=True)["ap50"] == pytest.approx(1.0)
    with pytest.raises(InputError, match="one each per image"):
        object_ap(truth, truth, [])
