"""Several masks of one image: consensus, confusions, folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.cli import main
from labelnoise.core.validation import InputError
from labelnoise.segmentation.consensus import confusions, consensus_masks, disputed, votes_of
from labelnoise.segmentation.data import load_masks
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.displacement import displace_boundaries
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.files import read_masks, write_masks
from labelnoise.segmentation.images import write_png


def drawn(data: MaskDataset, amplitudes: tuple[float, ...]) -> NDArray[np.int8]:
    """Annotators who move outlines, each by a smooth field of an amplitude of their own."""
    assert data.true is not None
    columns = []
    for a, amplitude in enumerate(amplitudes):
        maps = [
            displace_boundaries(data.true_mask(i), amplitude, seed=a, image_id=str(i), length=6).ravel()
            for i in range(data.n_images)
        ]
        columns.append(np.concatenate(maps))
    return np.stack(columns, axis=1).astype(np.int8)


def test_staple_follows_the_better_annotator_where_counting_cannot() -> None:
    data = scenes(6, 48)
    votes = drawn(data, (0.3, 3.0, 3.0))
    right = {}
    for method in ("staple", "majority"):
        made = consensus_masks(votes, data.sizes, data.n_classes, method=method)
        differ = disputed(votes)
        assert (made.labels[~differ] == votes[~differ, 0]).all()
        assert (made.confidence[~differ] == 1).all()
        right[method] = (made.labels == data.true)[differ].mean()
    assert right["staple"] > right["majority"] + 0.05


def test_an_image_does_not_change_another_and_blank_pixels_stay_blank() -> None:
    data = scenes(3, 32)
    votes = drawn(data, (1.0, 2.0, 2.0))
    votes[:40] = -1
    whole = consensus_masks(votes, data.sizes, 5)
    assert (whole.labels[:40] == -1).all()
    assert (whole.confidence[:40] == 0).all()
    window = data.window(1)
    alone = consensus_masks(votes[window], data.sizes[1:2], 5)
    assert (whole.labels[window] == alone.labels).all()


def test_one_annotator_is_the_consensus() -> None:
    data = scenes(2, 32)
    made = consensus_masks(np.asarray(data.given)[:, None], data.sizes, 5)
    assert (made.labels == data.given).all()
    with pytest.raises(InputError, match="one row per pixel"):
        consensus_masks(np.asarray(data.given)[:9, None], data.sizes, 5)


def test_confusions_are_counted_against_the_given() -> None:
    data = scenes(4, 32)
    swapped = np.where(data.given == 1, 2, data.given).astype(np.int8)
    two = replace(data, votes=np.stack([data.given, swapped], axis=1), annotators=("a", "b"))
    found = confusions(two)
    present = ~np.isnan(found[0, :, 0])
    assert np.allclose(found[0][present], np.eye(5)[present])
    assert found[1, 1, 2] == 1
    with pytest.raises(InputError, match="one mask per image"):
        votes_of(data)


def folder(base: Path) -> Path:
    masks = {
        "ann": {"x": [[0, 1, 1], [0, 0, 1]], "y": [[1, 1]]},
        "bob": {"x": [[0, 1, 1], [0, 0, 1]]},
        "cyn": {"x": [[0, 0, 1], [0, 255, 0]], "y": [[1, 0]]},
    }
    for who, rows in masks.items():
        for stem, mask in rows.items():
            path = base / f"masks-{who}" / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(np.array(mask, dtype=np.uint8), path)
    (base / "images").mkdir()
    for stem, size in (("x", (2, 3)), ("y", (1, 2))):
        write_png(np.zeros(size, dtype=np.uint8), base / "images" / f"{stem}.png")
    (base / "classes.json").write_text(json.dumps({"class_names": ["no", "yes"], "consensus": "majority"}))
    return base


def test_a_folder_of_several_annotators_reads_writes_and_describes(tmp_path: Path) -> None:
    data = load_masks(str(folder(tmp_path / "in")))
    assert data.annotators == ("ann", "bob", "cyn")
    assert data.votes is not None
    assert data.votes[:6].tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, -1], [1, 1, 0]]
    assert data.votes[6:].tolist() == [[1, -1, 1], [1, -1, 0]]
    assert data.mask(0).tolist() == [[0, 1, 1], [0, 0, 1]]
    assert data.meta["consensus"] == "majority"
    facts = SegmentationDomain().describe(data)
    assert facts["disputed"] == 3
    assert facts["annotators"]["bob"] == {"pixels": 6, "as_given": 1.0}
    copy = read_masks(write_masks(data, tmp_path / "copy")[0])
    assert copy.content_hash() == data.content_hash()
    assert copy.votes is not None
    assert (copy.votes == data.votes).all()
    # A copy has masks/, which stay the given labels when they are corrected.
    changed = read_masks(write_masks(data.with_labels(1 - data.given), tmp_path / "changed")[0])
    assert (changed.given == 1 - data.given).all()
    assert data.take([1]).votes.tolist() == data.votes[6:].tolist()  # type: ignore[union-attr]


def test_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    base = folder(tmp_path)
    with pytest.raises(InputError, match="consensus"):
        read_masks(base, consensus="average")
    (base / "masks").mkdir()
    write_png(np.zeros((2, 3), dtype=np.uint8), base / "masks" / "x.png")
    with pytest.raises(InputError, match="'y'"):
        read_masks(base)


def test_noise_of_a_simulator_is_nobodys_mask() -> None:
    data = scenes(4, 32)
    two = replace(data, votes=drawn(data, (1.0, 1.0)), annotators=("a", "b"))
    assert two.content_hash() != data.content_hash()
    noisy, _ = SegmentationDomain().corrupt(two, kind="displacement", rate=0.05, seed=0)
    assert noisy.votes is None  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="one column per annotator"):
        replace(data, votes=drawn(data, (1.0, 1.0)), annotators=("a",))


def test_the_commands_take_such_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = scenes(6, 32)
    base = tmp_path / "three"
    (base / "images").mkdir(parents=True)
    assert data.images is not None
    for a, column in enumerate(drawn(data, (0.5, 2.0, 2.0)).T):
        (base / f"masks-{a}").mkdir()
        for i in range(data.n_images):
            mask = column[data.window(i)].reshape(32, 32).astype(np.uint8)
            write_png(mask, base / f"masks-{a}" / f"{i}.png")
            write_png(data.images[i], base / "images" / f"{i}.png")
    (base / "classes.txt").write_text("\n".join(data.class_names))
    rows = str(tmp_path / "issues.csv")
    assert main(["segmentation", "detect", str(base), "--method", "random", "--out", rows]) == 0
    page = str(tmp_path / "page.html")
    assert main(["segmentation", "review", rows, "--data", str(base), "--limit", "2", "--out", page]) == 0
    train = ["segmentation", "train", str(base), "--method", "annotators", "--set", "epochs=1"]
    assert main(train) == 0
    assert "annotators" in capsys.readouterr().out
