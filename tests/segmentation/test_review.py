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
from labelnoise.segmentation.review import (
    GIVEN,
    REGION,
    SUGGESTED,
    pixel_cards,
    review_picture,
    suggested_maps,
)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 40).sum())


def opened(picture: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(picture)).convert("RGB"))


def test_outlines_and_region_are_drawn_where_they_are() -> None:
    image = np.full((80, 100, 3), 90, dtype=np.uint8)
    given, other = np.zeros((80, 100), dtype=int), np.zeros((80, 100), dtype=int)
    given[20:40, 30:50], other[20:40, 30:60] = 1, 1
    region = given != other
    plain = opened(review_picture(image, given, None, region))
    both = opened(review_picture(image, given, other, region))
    assert near(plain, GIVEN) > 100
    assert near(plain, SUGGESTED) == 0
    assert near(both, SUGGESTED) > 100
    assert near(both, REGION) > 200
    assert opened(review_picture(image, given, other, region, small=True)).shape[1] < plain.shape[1] / 2


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
    assert all(card.media[0].src.startswith("data:image/jpeg;base64,") for card in cards)
    picture = opened(base64.b64decode(cards[0].media[0].src.split(",")[1]))
    assert near(picture, REGION) > 20
    assert dict(cards[0].facts)["region"] == f"{len(shown.members[0])} pixels"


def test_without_images_and_without_suggestions() -> None:
    data = replace(scenes(2), images=None)
    card = SegmentationDomain().review_cards(data, [2080])[0]
    assert card.media[0].src.startswith("data:image/jpeg")
    assert "suggested there" not in dict(card.facts)
    assert pixel_cards(data, []) == []
    assert suggested_maps(data, np.zeros(0, dtype=np.int64), [], []) == {}
