"""Region voting: regions stop at edges, every label is judged by the others of its region."""

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.region_voting import over_segment, region_shares


def two_halves(height=48, width=64):
    """A dark and a bright half with their classes, and labels that overlap the edge by three columns in some rows."""
    image = np.zeros((height, width), dtype=np.uint8)
    image[:, width // 2 :] = 200
    image += np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)
    true = (np.arange(width) >= width // 2).astype(np.int8) * np.ones((height, 1), dtype=np.int8)
    given = true.copy()
    given[10:13, width // 2 - 3 : width // 2] = 1
    return image, given, true


def test_no_region_crosses_a_strong_edge():
    image, _, _ = two_halves()
    regions = over_segment(image, 8)
    assert not len(np.intersect1d(regions[:, :31], regions[:, 33:]))
    assert 20 < regions.max() < 60
    assert (np.bincount(regions.ravel()) > 0).all()


def test_shares_leave_the_own_label_out():
    rng = np.random.default_rng(1)
    regions, labels = rng.integers(0, 6, (20, 20)), rng.integers(-1, 3, (20, 20))
    shares = region_shares(regions, labels, 3)
    for y, x in ((0, 0), (3, 17), (19, 19), (7, 5)):
        others = (regions == regions[y, x]) & (labels >= 0)
        others[y, x] = False
        expected = np.bincount(labels[others], minlength=3) / others.sum()
        np.testing.assert_allclose(shares[y, x], expected, atol=1e-6)


def test_labels_over_an_edge_are_outvoted():
    image, given, true = two_halves()
    data = replace(MaskDataset.from_masks([given], ("dark", "bright")), true=true.reshape(-1), images=[image])
    found = get_domain("segmentation").detect(data, method="region-votes")
    wrong = data.given != data.true
    assert found.flagged[wrong].mean() > 0.8
    assert found.flagged[~wrong].mean() < 0.01
    assert (found.suggested[found.flagged & wrong] == data.true[found.flagged & wrong]).all()


def test_mistakes_are_named():
    image, given, _ = two_halves()
    data = MaskDataset.from_masks([given], ("dark", "bright"))
    detect = get_domain("segmentation").detect
    with pytest.raises(InputError, match="no pictures"):
        detect(data, method="region-votes")
    with pytest.raises(InputError, match="margin is 2"):
        detect(get_domain("segmentation").load("scenes"), method="region-votes", margin=2)
    with pytest.raises(InputError, match="at least 2 pixels"):
        over_segment(image, 1)
