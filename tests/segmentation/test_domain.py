"""What the segmentation modality tells the core, and its verbs from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError
from labelnoise.segmentation import cli
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.files import read_masks


@pytest.fixture
def domain() -> SegmentationDomain:
    return SegmentationDomain()


def test_describe_counts_everything(domain: SegmentationDomain) -> None:
    data = MaskDataset.from_masks(
        [[[0, 1, 1]], [[-1], [0]]],
        ("a", "b"),
        true=[[[0, 1, 0]], [[0], [0]]],
        splits={"val": np.array([True, False])},
    )
    facts = domain.describe(data)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["images"] == 2
    assert facts["size"] == "1 x 1 to 2 x 3"
    assert facts["pixels"] == 5
    assert facts["labelled"] == 4
    assert facts["classes"] == {"a": 2, "b": 2}
    assert facts["known_wrong_labels"] == 1
    assert facts["splits"] == {"val": 1}
    # a: 2 of 4 true pixels that are given or a miss; b: 1 of 2.
    assert facts["label_mean_iou"] == 0.5


def test_save_and_load(domain: SegmentationDomain, tmp_path: Path) -> None:
    data = domain.load("scenes")
    domain.save(data, tmp_path / "copy")
    back = domain.load(str(tmp_path / "copy"))
    assert back.content_hash() == data.content_hash()
    assert back.true_objects is not None
    [path] = domain.save(data, tmp_path / "objects.json")
    objects = domain.load(str(path))
    assert (objects.given == data.given).all()


def test_pixels_beyond_the_last_are_refused(domain: SegmentationDomain) -> None:
    with pytest.raises(InputError, match="pixels are numbered"):
        domain.unit_context(domain.load("scenes"), [10**9])


def test_a_review_of_pixels_runs_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = MaskDataset.from_masks([[[0, 1], [1, 0]]], ("a", "b"), true=[[[0, 1], [0, 0]]])
    SegmentationDomain().save(small, tmp_path / "small")
    assert cli.main(["detect", "small", "--method", "random", "--out", "issues.csv"]) == 0
    assert cli.main(["evaluate", "issues.csv", "--data", "small"]) == 0
    rows = (tmp_path / "issues.csv").read_text()
    assert "0:0:" in rows or "0:1:" in rows
    assert "0.0" in rows
    assert read_masks("small").content_hash() == small.content_hash()
    assert "pixel" in capsys.readouterr().out


def test_the_script_has_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert "Usage: labelnoise-segmentation COMMAND" in out
    assert SegmentationDomain.summary in out
    assert cli.main(["detekt"]) == 2


def test_it_is_found_by_name_where_the_package_is_installed() -> None:
    try:
        found = get_domain("segmentation")
    except InputError:
        pytest.skip("the installed metadata predate this modality; install the package again")
    assert isinstance(found, SegmentationDomain)
