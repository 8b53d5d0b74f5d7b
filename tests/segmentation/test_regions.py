"""Wrong pixels that are one mistake, from the table of issues to the page, its decisions, the copy and back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.cli import build_root, run
from labelnoise.core.detection import Detection
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.decisions import Decisions
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.regions import connected_pixels, issue_regions
from tests.core.review.browser import Browser, find_chromium

CLASSES = ("none", "one", "two")


def issues_of(data: MaskDataset, suggested: np.ndarray, flagged: np.ndarray, **more: object) -> IssueTable:
    doubt = np.where(flagged, 0.8, 0.1)
    found = Detection(
        method="told",
        quality=1 - doubt,
        flagged=flagged,
        suggested=suggested.astype(np.int64),
        confidence=np.full(data.n_units, 0.9),
        p_wrong=doubt,
        **more,
    )
    return IssueTable.from_detection(
        data, found, flagged, decision="told", domain="segmentation", unit_name="pixel", all_units=bool(more)
    )


def test_only_touching_pixels_of_one_image_and_one_change_are_a_region() -> None:
    given = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    data = MaskDataset.from_masks([given, given], CLASSES)
    suggested = np.tile(np.array([[1, 0, 1, 2], [0, 1, 2, 2], [2, 0, 0, 1]]).ravel(), 2)
    table = issues_of(data, suggested, suggested != data.given)
    found = dict(zip(table.columns["index"].tolist(), issue_regions(data, table).tolist()))
    parts = sorted(sorted(i for i in found if found[i] == g) for g in set(found.values()))
    # 0, 5 and 2 touch at corners; 8 is to become something else, 11 touches nothing of its kind.
    one = [[0, 2, 5], [3, 6, 7], [8], [11]]
    assert parts == sorted(one + [[i + 12 for i in part] for part in one])


def test_rows_that_are_not_flagged_and_other_kinds_stay_apart() -> None:
    data = MaskDataset.from_masks([np.zeros((2, 4), dtype=int)], CLASSES)
    flagged = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    kinds = np.array(["missing", "missing", "displaced", "displaced", "", "", "", ""], dtype=object)
    table = issues_of(data, np.ones(8), flagged, evidence={"kind": kinds})
    assert len(table) == 8
    groups = issue_regions(data, table)
    by_unit = groups[np.argsort(table.columns["index"])]
    assert len(set(by_unit.tolist())) == 6
    assert by_unit[0] == by_unit[1] != by_unit[2] == by_unit[3]


def test_regions_do_not_depend_on_the_order_of_rows() -> None:
    data = scenes(6)
    wrong = np.flatnonzero(data.is_wrong)
    alike = data.given[wrong].astype(int) * 9 + data.true[wrong]
    first = connected_pixels(data, wrong, alike)
    order = np.random.default_rng(0).permutation(len(wrong))
    second = np.empty_like(first)
    second[order] = connected_pixels(data, wrong[order], alike[order])
    assert (
        len(np.unique(first * len(wrong) + second)) == first.max() + 1 == second.max() + 1 < len(wrong) / 10
    )
    assert len(connected_pixels(data, [], [])) == 0


LISTED = "document.querySelectorAll('#list li').length"
DONE = "document.getElementById('done').textContent"


def test_a_person_decides_on_regions_and_takes_it_back(tmp_path, monkeypatch, capsys) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium here")
    monkeypatch.chdir(tmp_path)
    domain = SegmentationDomain()
    true = scenes(4).true
    domain.save(replace(scenes(4), true=None), Path("mine"))
    data = replace(domain.load("mine"), source="mine")
    table = issues_of(data, true, true != data.given)
    table.save("issues.csv")
    n_regions = len(np.unique(issue_regions(data, table)))

    def call(*arguments: object) -> str:
        assert run(build_root, ["segmentation", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    said = call("review", "issues.csv", "--out", "page.html")
    assert f"with {n_regions} issues about {len(table)} pixels" in said

    async def browse() -> None:
        async with Browser(chromium, tmp_path) as browser:
            page = (tmp_path / "page.html").as_uri()
            await browser.open(page)
            assert await browser.evaluate(LISTED) == n_regions
            await browser.press("a")
            await browser.press("r")
            for _ in range(50):  # kept over a reload, once the browser has written it down
                await browser.open(page)
                if "2 of" in await browser.evaluate(DONE):
                    break
                await asyncio.sleep(0.1)
            assert f"2 of {n_regions} decided" in await browser.evaluate(DONE)
            await browser.press("e")
            deadline = time.monotonic() + 5
            while not (tmp_path / "decisions.json").exists() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert browser.complaints == []

    asyncio.run(browse())
    accepted, kept = Decisions.load(Path("decisions.json")).decisions
    assert sum(count for _, count in accepted.runs) > 20
    assert (accepted.verdict, kept.verdict) == ("accept", "reject")
    size = sum(count for _, count in accepted.runs)
    assert f"{size} labels changed, 1 decisions kept theirs" in call(
        "apply", "decisions.json", "--out", "fixed"
    )
    corrected = domain.load("fixed")
    changed = np.flatnonzero(corrected.given != data.given)
    assert changed.tolist() == [row for first, n in accepted.runs for row in range(first, first + n)]
    np.testing.assert_array_equal(corrected.given[changed], true[changed])
    call("apply", "fixed.provenance.json", "--undo", "--out", "back")
    assert domain.load("back").content_hash() == data.content_hash()
