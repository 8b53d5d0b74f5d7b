"""The search for wrong objects, and what it is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.instance_issues import ObjectIssue, find_object_issues, network_warning
from labelnoise.segmentation.object_evidence import GIVEN_COLUMNS, image_evidence, predicted_objects
from labelnoise.segmentation.object_probs import probabilities_of, with_gaps
from labelnoise.segmentation.objects import MaskObject, objects_from_ids, paint_classes
from labelnoise.segmentation.outlines import intersection_over_union
from labelnoise.segmentation.planted_objects import plant_object_errors


def discs(n_images: int = 30, size: int = 96) -> tuple[MaskDataset, np.ndarray]:
    """Bright discs, all annotated rightly, and blurred foreground probabilities."""
    rows, images, likely = [], [], []
    for i in range(n_images):
        rng = np.random.default_rng(i)
        ids = np.zeros((size, size), dtype=int)
        y, x = np.indices(ids.shape)
        for _ in range(9):
            disc = np.hypot(y - rng.uniform(8, size - 8), x - rng.uniform(8, size - 8)) < rng.uniform(5, 9)
            if not (ids[ndimage.binary_dilation(disc, iterations=2)]).any():
                ids[disc] = ids.max() + 1
        rows.append(objects_from_ids(ids, 1))
        images.append(np.clip(60 + 90 * (ids > 0) + rng.normal(0, 12, ids.shape), 0, 255).astype(np.uint8))
        blurred = ndimage.gaussian_filter((ids > 0).astype(float), 1.2) + rng.normal(0, 0.04, ids.shape)
        likely.append(np.clip(blurred, 0.01, 0.99).astype(np.float32))
    data = MaskDataset.from_masks(
        (paint_classes(row, (size, size)) for row in rows), ("ground", "disc"), images=images, objects=rows
    )
    return data, np.concatenate([part.ravel() for part in likely])


def damaged() -> tuple[MaskDataset, np.ndarray, dict[tuple[int, str], int]]:
    """Three errors of each of four kinds, in images of their own; where they are."""
    data, likely = discs()
    rows = [list(row) for row in data.objects]
    places: dict[tuple[int, str], int] = {}
    for i in range(12):
        kind = ("missing", "spurious", "merged", "split")[i % 4]
        first, second = rows[i][0], rows[i][1]
        new = max(item.object_id for item in rows[i]) + 1
        if kind == "missing":
            rows[i] = rows[i][1:]
            places[i, kind] = -1
        elif kind == "spurious":
            free = next(
                (top, left)
                for top in range(2, 80, 3)
                for left in range(2, 80, 3)
                if not data.mask(i)[top : top + 12, left : left + 12].any()
            )
            disc = np.hypot(*(np.indices((11, 11)) - 5)) <= 5
            rows[i].append(MaskObject.from_mask(disc, label=1, object_id=new, top=free[0], left=free[1]))
            places[i, kind] = new
        elif kind == "merged":
            both = first.full((96, 96)) | second.full((96, 96))
            rows[i][:2] = [MaskObject.from_mask(both, label=1, object_id=first.object_id)]
            places[i, kind] = first.object_id
        else:
            left = first.full((96, 96))
            left[:, : first.left + first.shape[1] // 2] = False
            rest = first.full((96, 96)) & ~left
            rows[i][0] = MaskObject.from_mask(left, label=1, object_id=first.object_id)
            rows[i].append(MaskObject.from_mask(rest, label=1, object_id=new))
            places[i, kind] = first.object_id
    given = np.concatenate([paint_classes(row, (96, 96)).ravel() for row in rows]).astype(np.int8)
    return replace(data, given=given, objects=rows), likely, places


@pytest.fixture(scope="module")
def search() -> tuple[MaskDataset, np.ndarray, dict[tuple[int, str], int], list[ObjectIssue]]:
    data, likely, places = damaged()
    return data, likely, places, find_object_issues(data, likely, 0)


def test_every_kind_is_found_and_named(search: tuple) -> None:
    _, _, places, issues = search
    named = {
        (issue.image, issue.kind): -1 if issue.kind == "missing" else issue.object.object_id
        for issue in issues[:18]
    }
    found = [
        key for key, number in places.items() if key in named and (number == named[key] or key[1] == "split")
    ]
    assert len(found) >= 10
    assert {kind for _, kind in found} == {"missing", "spurious", "merged", "split"}


def test_repairs_bring_the_objects_back(search: tuple) -> None:
    _, _, places, issues = search
    right, _ = discs()
    tried = 0
    for issue in issues[:18]:
        if (issue.image, issue.kind) not in places or issue.kind == "spurious":
            continue
        for item in issue.repair:
            tried += 1
            assert max(intersection_over_union(item, true) for true in right.objects[issue.image]) > 0.7
    assert tried >= 6


def test_objects_that_are_right_stay_below(search: tuple) -> None:
    _, _, places, issues = search
    assert sum(issue.p_wrong for issue in issues) < 4 * len(places)
    assert np.mean([issue.p_wrong > 0.5 for issue in issues[40:]]) < 0.02
    assert [issue.p_wrong for issue in issues] == sorted((i.p_wrong for i in issues), reverse=True)


def test_the_same_seed_gives_the_same_answer(search: tuple) -> None:
    data, likely, _, issues = search
    again = find_object_issues(data, likely, 0)
    assert [(i.image, i.kind, i.p_wrong) for i in again[:30]] == [
        (i.image, i.kind, i.p_wrong) for i in issues[:30]
    ]


def test_as_a_detector_with_probabilities_from_a_file(tmp_path: Path) -> None:
    data, likely, places = damaged()
    np.save(tmp_path / "p.npy", np.round(likely * 255).astype(np.uint8))
    found = SegmentationDomain().detect(data, method="objects", probs=tmp_path / "p.npy")
    assert len(found.quality) == data.n_units
    right, _ = discs()
    wrong = data.given != right.given
    assert found.quality[wrong].mean() < 0.5 < found.quality[~wrong].mean()
    assert (np.where(found.flagged, found.suggested, data.given) != right.given).sum() < 0.7 * wrong.sum()
    listed = {(row["image"], row["kind"]) for row in found.info["objects"][:18]}
    assert len({(data.image_ids[i], kind) for i, kind in places} & listed) >= 10


def test_probabilities_are_checked() -> None:
    data, likely = discs(2)
    with pytest.raises(InputError, match="shape"):
        probabilities_of(data, likely[:-1])
    with pytest.raises(InputError, match="0 to 1"):
        probabilities_of(data, likely * 3)(0)
    with pytest.raises(InputError, match="npy"):
        probabilities_of(data, "nowhere.npy")
    with pytest.raises(InputError, match="images and objects"):
        find_object_issues(replace(data, images=None), likely)


def test_touching_discs_are_told_apart() -> None:
    y, x = np.indices((40, 70))
    near = (np.hypot(y - 20, x - 20) < 11) | (np.hypot(y - 20, x - 38) < 9)
    parts = predicted_objects(near.astype(float))
    assert parts.max() == 2
    assert parts[20, 20] != parts[20, 38]
    assert ((parts > 0) == near).all()
    assert predicted_objects(np.zeros((9, 9))).max() == 0


def test_evidence_of_images_without_objects_and_gaps() -> None:
    data, likely = discs(1)
    probs = np.stack([1 - likely, likely], axis=1).reshape(96, 96, 2)
    found = image_evidence((), data.images[0], probs)
    assert found.given.shape == (0, len(GIVEN_COLUMNS))
    assert len(found.candidates) == len(data.objects[0])
    ids = np.array([[1, 1, 2, 2], [1, 1, 0, 0]])
    touching = MaskDataset.from_masks([np.sign(ids)], ("no", "yes"), objects=[objects_from_ids(ids, 1)])
    assert with_gaps(touching).mask(0).tolist() == [[1, 0, 0, 1], [1, 1, 0, 0]]


def test_planted_errors_are_where_they_are_said_to_be() -> None:
    data, _ = discs(20)
    for i in range(20):
        row = data.objects[i]
        made, kinds, missed = plant_object_errors(row, (96, 96), 0.6, seed=1, image_id=str(i), n_classes=2)
        assert len(made) == len(kinds)
        old = {item.object_id: item for item in row}
        assert not {item.object_id for item in missed} & {item.object_id for item in made}
        for item, kind in zip(made, kinds):
            if not kind:
                assert intersection_over_union(item, old[item.object_id]) == 1
            if kind == "boundary":
                assert intersection_over_union(item, old[item.object_id]) < 0.9


def test_as_a_detector_with_its_own_network() -> None:
    data, _ = discs(16, 64)
    found = SegmentationDomain().detect(data, method="objects", folds=2, epochs=1, listed=5)
    assert len(found.info["objects"]) == 5
    assert found.evidence["object"].max() == max(item.object_id for row in data.objects for item in row)
    with pytest.raises(InputError, match="epochs"):
        SegmentationDomain().detect(data, method="objects", probs=np.zeros(data.n_units), epochs=1)


def test_a_network_that_fails_on_some_images_is_told_from_single_errors() -> None:
    data, likely, _ = damaged()
    issues = find_object_issues(data, likely)
    # Three errors of each kind in images that the network otherwise knows.
    assert network_warning(issues) is None
    blind = likely.copy()
    for i in (3, 17, 25):
        blind[data.window(i)] = np.roll(likely[data.window(i)].reshape(96, 96), (7, 9), (0, 1)).ravel()
    failed = find_object_issues(data, blind)
    assert {issue.agreement < 0.5 for issue in failed if issue.image in (3, 17, 25)} == {True}
    assert {issue.agreement > 0.5 for issue in failed if issue.image not in (3, 17, 25)} == {True}
    found = network_warning(failed)
    assert found is not None
    assert "lie in 3 of 30 images" in found
    assert network_warning([]) is None
