"""What a person sees of a doubtful pixel."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from labelnoise.core.issues import IssueTable
from labelnoise.core.review.entries import entries_of
from labelnoise.core.review.page import render_page
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.review import pixel_cards, region_cards, suggested_maps
from labelnoise.segmentation.review_pictures import COLOURS, KEPT, Region, Sheet, drawing

GIVEN, SUGGESTED, REGION = 1, 2, 3


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def places(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)))


def test_outlines_and_region_are_drawn_where_they_are() -> None:
    given, other = np.zeros((80, 100), dtype=int), np.zeros((80, 100), dtype=int)
    given[20:40, 30:50], other[20:40, 30:60] = 1, 1
    region = given != other
    plain = places(drawing(given, None, region, 400))
    both = places(drawing(given, other, region, 400))
    assert plain.shape == both.shape == (320, 400)
    # Four pixels of the page per pixel: outlines are two wide, on the lower and right side of the change.
    rows, columns = np.nonzero(plain == GIVEN)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (80, 161, 120, 201)
    assert set(np.unique(plain[100, 202:239])) == {0, REGION}
    assert not (plain == SUGGESTED).any()
    assert (both[90:150, 240:242] == SUGGESTED).all()
    # Where both outlines run they take turns.
    assert set(np.unique(both[80, 130:190])) == {GIVEN, SUGGESTED}
    picture = Image.open(io.BytesIO(drawing(given, other, region, 400))).convert("RGBA")
    assert picture.getpixel((0, 0))[3] == 0
    assert picture.getpixel((240, 100)) == (*COLOURS[SUGGESTED], 255)


def test_a_region_is_cut_out_of_any_part() -> None:
    full = np.random.default_rng(0).random((20, 30)) < 0.2
    full[:4] = full[:, :3] = full[:, 25:] = False
    region = Region.of(np.flatnonzero(full), 30)
    assert region.size == full.sum()
    for rows, columns in (
        (slice(0, 20), slice(0, 30)),
        (slice(6, 9), slice(10, 30)),
        (slice(0, 3), slice(0, 2)),
    ):
        np.testing.assert_array_equal(region.within(rows, columns), full[rows, columns])


def test_a_small_picture_is_stored_once_and_views_look_at_its_parts() -> None:
    shade = np.random.default_rng(0).integers(0, 255, (60, 100)).astype(np.uint8)
    sheet = Sheet(shade, (60, 100), np.zeros((60, 100), dtype=int))
    close, whole = sheet.media(None, Region.of(np.array([0, 1]), 100), "")
    other, _ = sheet.media(None, Region.of(np.array([5999]), 100), "", small=True)
    assert close.src == whole.src == other.src
    assert opened(close.src).size == (100, 60)
    # 48 pixels around the region, as far as the image goes.
    assert close.view.part == (0.0, 0.0, 0.48, 0.8)
    assert other.view.part == (0.52, 0.2, 0.48, 0.8)
    assert (close.view.width, other.view.width) == (420, 420)
    assert [opened(medium.view.over).size for medium in (close, other)] == [(420, 420), (210, 210)]
    left, top, width, height = whole.view.frame
    assert 0 < left < 0.01
    assert 0 < top < 0.01
    assert 0.02 < left + width < 0.04
    assert height > 0.01


def test_of_a_large_picture_parts_are_stored_and_the_whole_is_reduced() -> None:
    size = (2 * KEPT, 3 * KEPT)
    image = np.zeros((*size, 3), dtype=np.uint8)
    image[100:160, 200:260] = (255, 100, 0)
    sheet = Sheet(image, size, np.zeros(size, dtype=int))
    # Lightness spans all there is.
    region = Region.of(np.array([130 * size[1] + 230]), size[1])
    close, whole = sheet.media(None, region, "")
    assert close.src != whole.src
    assert opened(close.src).size == (48, 48)
    assert np.abs(np.array(opened(close.src).convert("RGB")).mean(axis=(0, 1)) - (255, 100, 0)).max() < 6
    assert max(opened(whole.src).size) == 320
    assert len(sheet.media(None, region, "", small=True)) == 1
    # A part that is larger than its place on the page is reduced, too.
    wide = Region.of(np.array([0, 900 * size[1] + 900]), size[1])
    assert max(opened(sheet.media(None, wide, "")[0].src).size) == 420


def test_lightness_is_stretched_and_a_dull_part_is_stored_by_itself() -> None:
    shade = np.tile(np.linspace(100, 140, 200), (200, 1)).astype(np.uint8)
    shade[:60, :60] = 120 + np.random.default_rng(0).integers(0, 8, (60, 60))
    sheet = Sheet(shade, (200, 200), np.zeros((200, 200), dtype=int))
    dull, whole = sheet.media(None, Region.of(np.array([20 * 200 + 20]), 200), "")
    wide = sheet.media(None, Region.of(np.arange(100 * 200, 101 * 200), 200), "")[0]
    assert dull.src != whole.src == wide.src
    for source in (dull.src, whole.src):
        seen = np.array(opened(source).convert("L"))
        assert seen.min() < 25
        assert seen.max() > 230


def test_cards_keep_the_order_of_the_regions_and_read_each_image_once() -> None:
    data = scenes(3)
    read: list[int] = []

    class Counted:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> np.ndarray:
            read.append(i)
            return np.asarray(data.images[i])

    counted = replace(data, images=Counted())
    units = [8192 + 5, 3, 4096 + 70, 8192 + 900, 8]
    cards = region_cards(counted, units, [np.array([u]) for u in units], {})
    assert [card.title[:9] for card in cards] == [f"scene-00{u // 4096}" for u in units]
    assert sorted(read) == [0, 1, 2]


def test_the_page_shows_regions_and_escapes_names() -> None:
    data = scenes(3)
    data = replace(data, image_ids=("<script>alert(1)</script>", "b", "c"), name="a</script><b>")
    domain = SegmentationDomain()
    wrong = data.is_wrong
    from labelnoise.core.detection import Detection

    found = Detection(
        method="truth",
        quality=np.where(wrong, 0.1, 0.9),
        flagged=wrong,
        suggested=data.true.astype(np.int64),
        confidence=np.full(data.n_units, 0.9),
    )
    table = IssueTable.from_detection(
        data, found, wrong, decision="told", domain="segmentation", unit_name="pixel"
    )
    entries = entries_of(table, domain.review_groups(data, table))
    # Each object that is displaced or missing makes a few regions, and all wrong pixels are in one of them.
    assert len(entries) < entries.n_units / 10
    assert entries.n_units == wrong.sum()
    shown = entries.head(4)
    cards = domain.entry_cards(data, table, shown)
    page = render_page(shown, cards)
    assert "<script>alert" not in page
    assert all(card.media[0].src.startswith("data:image/webp;base64,") for card in cards)
    assert (np.array(opened(cards[0].media[0].view.over)) == REGION).sum() > 20
    # Each picture is on the page once, however many cards show it.
    used = {medium.src for card in cards for medium in card.media}
    assert len(used) < sum(len(card.media) for card in cards)
    assert all(page.count(source) == 1 for source in used)
    assert dict(cards[0].facts)["region"] == f"{len(shown.members[0])} pixels"


def test_without_images_and_without_suggestions() -> None:
    data = replace(scenes(2), images=None)
    card = SegmentationDomain().review_cards(data, [2080])[0]
    assert card.media[0].src.startswith("data:image/webp")
    assert "suggested there" not in dict(card.facts)
    assert pixel_cards(data, []) == []
    assert suggested_maps(data, np.zeros(0, dtype=np.int64), [], []) == {}
