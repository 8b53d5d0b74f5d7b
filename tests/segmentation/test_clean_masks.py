"""Masks repaired with a few clean ones: bias goes, what is refused, and that training uses the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from labelnoise.core.validation import InputError
from labelnoise.segmentation.clean_masks import clean_masks_of, repair_by_clean_masks, train_clean_masks
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.images import write_png


def biased(n: int = 8) -> MaskDataset:
    """Discs that are all drawn 4 pixels too wide, one corner without labels."""
    y, x = np.mgrid[:48, :48]
    rng = np.random.default_rng(0)
    true = [
        (((y - a) ** 2 + (x - b) ** 2) < r**2).astype(np.int8)
        for a, b, r in zip(rng.uniform(18, 30, n), rng.uniform(18, 30, n), rng.uniform(9, 13, n))
    ]
    given = [ndimage.binary_dilation(mask, iterations=4).astype(np.int8) for mask in true]
    for mask in given:
        mask[:3, :3] = -1
    images = [(mask + rng.normal(0, 0.3, mask.shape)).astype(np.float32) for mask in true]
    return MaskDataset.from_masks(given, ("background", "disc"), true=true, images=images)


def test_a_bias_is_undone_from_one_clean_mask_and_unlabelled_pixels_stay() -> None:
    data = biased()
    assert data.true is not None
    for images in ([0], [0, 1, 2]):
        made = repair_by_clean_masks(data, images=images)
        rest = slice(data.window(3).start, None)
        known = data.given[rest] >= 0
        wrong = (data.given[rest] != data.true[rest])[known].mean()
        assert (made.labels[rest] != data.true[rest])[known].mean() < 0.2 * wrong
        assert (made.labels[rest][~known] == -1).all()
        assert (made.labels[data.window(0)] == data.true[data.window(0)]).all()
        assert (made.changed == (made.labels != data.given)).all()
    assert np.isnan(repair_by_clean_masks(data, images=[0]).agreement)
    assert repair_by_clean_masks(data, images=[0, 1]).agreement > 0.97


def test_a_repair_that_does_not_carry_over_is_not_made() -> None:
    """Clean masks that have nothing to do with the given ones."""
    data = biased()
    # Wide in one image, narrow in the next: what is learnt from one is wrong in the other.
    wide = [np.maximum(data.mask(i), 0) for i in range(4)]
    clean = {
        i: (ndimage.binary_dilation if i % 2 else ndimage.binary_erosion)(mask, iterations=3).astype(np.int8)
        for i, mask in enumerate(wide)
    }
    clean[2], clean[0] = clean[2][::-1].copy(), wide[0]
    made = repair_by_clean_masks(data, clean=clean)
    assert made.agreement < made.before
    assert not made.changed[data.window(4).start :].any()


def test_clean_masks_come_from_a_folder_a_mapping_or_the_truth(tmp_path: Path) -> None:
    data = biased(4)
    for i in (1, 3):
        write_png(np.asarray(data.true_mask(i), dtype=np.uint8), tmp_path / f"{data.image_ids[i]}.png")
    a = clean_masks_of(data, tmp_path)
    b = clean_masks_of(data, {data.image_ids[1]: data.true_mask(1), 3: data.true_mask(3)})
    c = clean_masks_of(data, images=[3, data.image_ids[1]])
    assert list(a) == list(b) == list(c) == [1, 3]
    assert all((a[i] == b[i]).all() and (a[i] == c[i]).all() for i in a)
    assert list(clean_masks_of(data, tmp_path, [1])) == [1]
    with pytest.raises(InputError, match="no clean mask of"):
        clean_masks_of(data, tmp_path, [0])


def test_what_is_refused() -> None:
    data = biased(3)
    for clean, images in (
        (None, None),
        ({}, None),
        ("nowhere", None),
        ({"nobody": np.zeros((48, 48), int)}, None),
        ({0: np.zeros((4, 4), int)}, None),
        ({0: np.full((48, 48), 7)}, None),
        ({0: np.full((48, 48), -1)}, None),
        (None, [99]),
    ):
        with pytest.raises(InputError):
            repair_by_clean_masks(data, clean=clean, images=images)
    with pytest.raises(InputError, match="true labels"):
        repair_by_clean_masks(replace(data, true=None), images=[0])
    with pytest.raises(InputError, match="itself"):
        train_clean_masks(data, 0, images=["0"], method="clean-mask-stacker")


def test_training_learns_the_repaired_masks() -> None:
    data = biased(12)
    options = {"network_options": {"width": 6}, "epochs": 30, "longest": 48}
    trained = train_clean_masks(data, 0, images=[0, 1], **options)
    assert (trained.predicted != data.true).mean() < 0.5 * (data.given != data.true).mean()
    assert trained.info["clean_images"] == 2
    assert trained.info["changed"] > 0.05
