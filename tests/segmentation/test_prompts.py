"""Masks drawn from boxes, clicks and scribbles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.objects import MaskObject
from labelnoise.segmentation.outlines import intersection_over_union
from labelnoise.segmentation.prompts import (
    Prompt,
    colour_image,
    grow_colour_region,
    make_prompt,
    prompt_noise,
    prompted_object,
)

HOOK = np.zeros((30, 30), dtype=bool)
HOOK[:, :5] = HOOK[25:] = True


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_box_is_tight_and_a_scribble_lies_on_the_object() -> None:
    item = MaskObject.from_mask(HOOK, label=2, object_id=1, top=4, left=9)
    assert make_prompt(item, "box", rng()).box == (4, 9, 34, 39)
    full = item.full((40, 50))
    for seed in range(20):
        points = make_prompt(item, "scribble", np.random.default_rng(seed)).points
        assert len(points)
        assert full[points[:, 0], points[:, 1]].all()


def test_a_click_in_the_middle_of_the_box_may_miss_and_one_in_the_mask_cannot() -> None:
    item = MaskObject.from_mask(HOOK, label=2, object_id=1)
    (middle,), (deep,) = (make_prompt(item, "point", rng(), centre=c).points for c in ("box", "mask"))
    assert not HOOK[tuple(middle)]
    assert HOOK[tuple(deep)]


@pytest.mark.parametrize("prompt", ["box", "point", "scribble"])
def test_a_plain_object_on_a_plain_ground_is_found_whole(prompt: str) -> None:
    image = np.full((60, 60, 3), 30, dtype=np.uint8) + rng().integers(0, 8, (60, 60, 1)).astype(np.uint8)
    truth = np.hypot(*(np.indices((60, 60)) - 30)) <= 12
    image[truth] += 90
    item = MaskObject.from_mask(truth, label=1, object_id=1)
    made = prompted_object(item, image, rng(), prompt=prompt)
    assert intersection_over_union(item, made) > 0.97
    assert (made.label, made.object_id) == (1, 1)


def test_a_segmenter_of_ones_own_is_used_and_checked() -> None:
    data, seen = scenes(4), []

    def whole_box(image: np.ndarray, prompt: Prompt) -> np.ndarray:
        seen.append(prompt.kind)
        mask = np.zeros(image.shape[:2], dtype=bool)
        top, left, bottom, right = prompt.box or (0, 0, 1, 1)
        mask[top:bottom, left:right] = True
        return mask

    made = prompt_noise(data, 0.05, 0, segmenter=whole_box)
    assert made.rate > 0.04
    assert set(seen) == {"box"}
    item = data.objects[0][0]
    with pytest.raises(InputError, match="size"):
        prompted_object(item, data.images[0], rng(), segmenter=lambda image, prompt: np.ones((2, 2), bool))


def test_grey_and_float_images_are_taken_and_missing_ones_refused() -> None:
    assert colour_image(np.array([[3, 9]], dtype=np.uint16)).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    assert colour_image(np.full((2, 2), 0.5)).max() == 0
    with pytest.raises(InputError, match="NaN"):
        colour_image(np.array([[np.nan, 1.0]]))
    with pytest.raises(InputError, match="no images"):
        prompt_noise(replace(scenes(2), images=None), 0.01, 0)
    with pytest.raises(InputError, match="empty"):
        make_prompt(MaskObject.from_mask(np.zeros((2, 2)), label=1, object_id=1), "box", rng())


def test_crowds_stay() -> None:
    crowd = MaskObject.from_mask(HOOK, label=1, object_id=1, crowd=True)
    assert prompted_object(crowd, np.zeros((30, 30, 3), np.uint8), rng()) is crowd


def test_the_region_holds_its_seeds_whatever_the_colours() -> None:
    flat = np.zeros((20, 20, 3), np.uint8)
    assert grow_colour_region(flat, Prompt("point", None, np.array([[10, 10]])))[10, 10]
